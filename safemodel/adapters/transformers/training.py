"""How a model is trained on: which of its parameters are frozen, which modules are in that mode.

Both are lists of names of the model, and nothing else of it is touched. Implements
spec/transformers.md, "Training".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.transformers.building import refusing
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

KEYS: Final = frozenset({"frozen", "training"})


def describe(model: Any, fixed: frozenset[str]) -> dict[str, JsonValue]:
    """What an archive says: nothing, if the model is in evaluation mode and trained as its class.

    `fixed` are the parameters that its class leaves out of training.
    """
    found: dict[str, JsonValue] = {}
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    if frozen != fixed:
        found["frozen"] = _sorted(frozen)
    modes = {name: module.training for name, module in model.named_modules()}
    if all(modes.values()):
        found["training"] = True
    elif any(modes.values()):
        found["training"] = _sorted({name for name, on in modes.items() if on})
    return found


def _sorted(names: set[str]) -> JsonValue:
    return [*sorted(names)]


def check(described: Mapping[str, JsonValue]) -> None:
    """Check what an archive says, before anything is built.

    Raises:
        ArchitectureError: no names in order, each once; or names of a model for names of files.
    """
    for key in sorted(KEYS & described.keys()):
        value = described[key]
        if "names" in described:
            raise ArchitectureError(f"{key} of a model has no place with names of files")
        if key == "training" and value is True:
            continue
        if type(value) is not list or any(type(name) is not str for name in value):
            raise ArchitectureError(f"{key} of a model must be a list of names")
        names = [name for name in value if isinstance(name, str)]
        if names != sorted(set(names)):
            raise ArchitectureError(f"{key} of a model must have each name once, and in order")


def restore(model: Any, described: Mapping[str, Any], fixed: frozenset[str]) -> None:
    """Set what `check` has seen: gradients and modes.

    Raises:
        ArchitectureError: a name is none of the model, or a parameter is of a type that is never
            trained.
    """
    parameters = dict(model.named_parameters())
    frozen = frozenset(described["frozen"]) if "frozen" in described else fixed
    if "frozen" in described:
        _check_names("parameter", frozen, parameters)
    with refusing("a parameter that is trained"):
        for name, value in parameters.items():
            value.requires_grad_(name not in frozen)
    modules = dict(model.named_modules())
    training = described.get("training", [])
    if training is True:
        training = list(modules)
    _check_names("module", frozenset(training), modules)
    chosen = frozenset(training)
    for name, module in modules.items():
        module.training = name in chosen


def _check_names(what: str, named: frozenset[str], own: Mapping[str, object]) -> None:
    for name in sorted(named - own.keys()):
        raise ArchitectureError(f"{name!r:.100} is no {what} of the model")
