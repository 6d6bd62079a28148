"""A live Keras model to an object graph: its configuration, its variables, its training state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import keras

from safemodel.adapters import plain
from safemodel.adapters.graph_encode import EncodedGraph, encode
from safemodel.adapters.keras import compiled, lookups, variables
from safemodel.adapters.keras.config import config_of
from safemodel.adapters.keras.walk import Owner, own_variables, owners, part_layers
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import Handler, Inline

HANDLERS: Final[dict[type, Handler]] = {
    str: plain.HANDLERS[str],
    list: plain.HANDLERS[list],
    dict: plain.HANDLERS[dict],
    variables.Live: variables.encode,
}
INLINES: Final[dict[type, Inline]] = {kind: plain.INLINES[kind] for kind in (int, float, str)}


def graph_of(model: Any, *, architecture: bool, weights: bool) -> tuple[EncodedGraph, list[str]]:
    """The graph of a model, and what to tell whoever saves it.

    Raises:
        UnsavableError: part of it can't be represented.
    """
    notices: list[str] = []
    root: dict[str, Any] = {"class": type(model).__name__, "backend": keras.backend.backend()}
    if architecture:
        root["model"] = config_of(model)
        inner = _compiled_within(root["model"]["config"])
        if inner:
            notices.append(f"what models in it were compiled with is not kept: {', '.join(inner)}")
    if weights:
        found = owners(model)
        _check_variables(model, found)
        root["owners"] = [_owner(owner) for owner in found if _worth(owner, architecture)]
        if architecture:
            root |= compiled.state_of(model, found, notices)
    return encode(root, handlers=HANDLERS, inlines=INLINES), notices


def _compiled_within(value: Any) -> list[str]:
    """The names of models in a configuration that are compiled themselves."""
    found: list[str] = []
    if isinstance(value, dict):
        if value.get("compile_config") and isinstance(value.get("config"), dict):
            found.append(str(value["config"].get("name", value["class_name"])))
        for item in value.values():
            found += _compiled_within(item)
    elif isinstance(value, list):
        for item in value:
            found += _compiled_within(item)
    return found


def _worth(owner: Owner, architecture: bool) -> bool:
    return bool(owner.variables or lookups.has_state(owner.part)) or (
        architecture and (bool(build_config(owner.part)) or not _trainable(owner.part))
    )


def _trainable(part: Any) -> bool:
    return bool(getattr(part, "_trainable", True))


def _owner(owner: Owner) -> dict[str, Any]:
    part = owner.part
    entry: dict[str, Any] = {
        "path": owner.path,
        "class": owner.class_name,
        "variables": [variables.Live(path, variable) for path, variable in owner.variables],
    }
    if not _trainable(part):
        entry["frozen"] = True
    frozen = [i for i, (_, v) in enumerate(owner.variables) if v.trainable != _expected(part, v)]
    if frozen:
        entry["switched"] = frozen
    build = build_config(part)
    if build:
        entry["build"] = build
    entry |= lookups.state_of(part)
    return entry


def _expected(part: Any, variable: Any) -> bool:
    """Whether Keras makes it trainable, in a layer that is or is not."""
    listed = any(variable is one for one in getattr(part, "_trainable_variables", ()))
    return listed and _trainable(part)


def build_config(part: Any) -> dict[str, Any] | None:
    """The shapes for which a layer was built: what Keras records, as plain values."""
    if not isinstance(part, keras.Layer) or not part.built:
        return None
    try:
        recorded = part.get_build_config()
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None
    return _shapes(recorded) if isinstance(recorded, dict) and recorded else None


def _shapes(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _shapes(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shapes(item) for item in value]
    return value if type(value) is int and value >= 0 else None


def _check_variables(model: Any, found: list[Owner]) -> None:
    """Everything that Keras knows must have been found: what nobody saves is lost."""
    known = {id(variable) for owner in found for _, variable in owner.variables}
    for variable in model.variables:
        if id(variable) not in known:
            raise UnsavableError("a variable that no layer owns", place=str(variable.path))
    for owner in found:
        for path, variable in owner.variables:
            if variable._value is None:
                raise UnsavableError("a variable without a value", place=path)


__all__ = ["build_config", "graph_of", "own_variables", "part_layers"]
