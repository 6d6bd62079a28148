"""The outline of what an archive of a Keras model holds, checked before anything is built.

Knows no Keras: a configuration, variables by owner, training state, and whether variables that a
model has fit those that are stored. Implements spec/keras.md, "Root" and "Variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from safemodel.adapters.keras import checking
from safemodel.adapters.keras.laid_out import LaidOut, parsed
from safemodel.adapters.keras.specs import SpecError
from safemodel.adapters.keras.variables import Stored, dtype_of
from safemodel.errors import ArchitectureError

_ROOT: Final = frozenset(
    {
        *("class", "backend", "model", "owners", "inner", "laid_out"),
        *("optimizer", "loss_tracker", "metrics", "losses"),
    }
)
STATE: Final = frozenset({"optimizer", "loss_tracker", "metrics", "losses"})
_INNER: Final = STATE | {"path", "compile"}
_OWNER: Final = frozenset(
    {
        *("path", "class", "variables", "frozen", "switched"),
        *("build", "vocabulary", "idf_weights", "lora_alpha"),
    }
)


@dataclass(frozen=True, slots=True)
class Root:
    """What an archive holds: a configuration, variables by owner, training state."""

    config: dict[str, Any] | None
    owners: list[dict[str, Any]] | None
    class_name: str
    training: Mapping[str, Any]
    source: LaidOut | None = None  # of an archive that keeps the layout of a file
    inner: tuple[dict[str, Any], ...] = ()  # what models in it were compiled with, and their state

    def variables(self) -> dict[str, Stored]:
        """All variables of layers and metrics, by path."""
        return {one.path: one for entry in self.owners or () for one in entry["variables"]}


def root_of(value: Any) -> Root:
    """Check the outline of what was decoded.

    Raises:
        ArchitectureError: fields that are missing, unknown, or of another kind.
    """
    fields = dictionary(value, _ROOT, {"class", "backend"}, "the root")
    if not all(type(fields[key]) is str for key in ("class", "backend")):
        raise ArchitectureError("a class and a backend must be text")
    config, entries = fields.get("model"), fields.get("owners")
    if "laid_out" in fields:
        return _from_file(fields)
    if config is None and entries is None:
        raise ArchitectureError("neither an architecture nor weights")
    if config is not None and type(config) is not dict:
        raise ArchitectureError("a configuration must be a dictionary")
    if entries is not None:
        _check_owners(entries)
    training = {key: fields[key] for key in fields.keys() & STATE}
    if training and (config is None or entries is None):
        raise ArchitectureError("training state without an architecture or weights")
    inner = _inner(fields.get("inner", []), config, entries)
    return Root(config, entries, fields["class"], training, inner=inner)


def _from_file(fields: dict[str, Any]) -> Root:
    """What an archive holds that keeps the layout of a file of Keras."""
    config = fields.get("model")
    if fields.keys() & (STATE | {"owners", "inner"}):
        raise ArchitectureError("a layout of a file beside variables or training state")
    if config is not None and type(config) is not dict:
        raise ArchitectureError("a configuration must be a dictionary")
    return Root(config, None, fields["class"], {}, parsed(fields["laid_out"]))


def _inner(value: Any, config: Any, entries: Any) -> tuple[dict[str, Any], ...]:
    if type(value) is not list or (value and config is None):
        raise ArchitectureError("models that are compiled, without an architecture")
    paths: set[str] = set()
    for entry in value:
        dictionary(entry, _INNER, {"path", "compile"}, "a model that is compiled")
        path = entry["path"]
        if type(path) is not str or not path or path in paths:
            raise ArchitectureError("a model that is compiled, without a path of its own")
        paths.add(path)
        if type(entry["compile"]) is not dict or (entries is None and entry.keys() & STATE):
            raise ArchitectureError("what a model was compiled with is none", place=path[:200])
    return tuple(value)


def dictionary(
    value: Any, known: frozenset[str], required: set[str] | frozenset[str], what: str
) -> dict[str, Any]:
    """A dictionary with exactly such keys.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not dict or not required <= value.keys() <= known:
        raise ArchitectureError(f"{what} has other fields than it must have")
    return value


def _check_owners(entries: Any) -> None:
    paths: set[str] = set()
    names: set[str] = set()
    if type(entries) is not list:
        raise ArchitectureError("owners must be a list")
    for entry in entries:
        dictionary(entry, _OWNER, {"path", "class", "variables"}, "an owner")
        path, stored = entry["path"], entry["variables"]
        if type(path) is not str or path in paths or type(entry["class"]) is not str:
            raise ArchitectureError("an owner without a path of its own")
        paths.add(path)
        for one in stored_list(stored):
            if one.path in names:
                raise ArchitectureError("two variables of one path", place=one.path[:200])
            names.add(one.path)
        if entry.get("frozen", True) is not True:
            raise ArchitectureError("frozen must be true or absent", place=path[:200])
        switched = entry.get("switched", [])
        if type(switched) is not list or not all(
            type(i) is int and 0 <= i < len(stored) for i in switched
        ):
            raise ArchitectureError("switched must be numbers of variables", place=path[:200])
        checking.check_plain(entry.get("build"))
        try:
            checking.check_shapes(entry.get("build"))
        except SpecError as error:
            raise ArchitectureError(error.message, place=path[:200]) from None


def stored_list(value: Any) -> list[Stored]:
    """A list of nothing but variables.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not list or not all(isinstance(one, Stored) for one in value):
        raise ArchitectureError("not a list of variables")
    return value


def matched(
    variables: list[tuple[str, Any]], stored: list[Stored], place: str
) -> list[tuple[Any, Stored]]:
    """Variables and what is stored for them; all must fit.

    Raises:
        ArchitectureError: another number of them, another shape or dtype.
    """
    if len(variables) != len(stored):
        raise ArchitectureError(
            f"{len(stored)} variables are stored, and it has {len(variables)}",
            place=place[:200] or None,
        )
    for (path, variable), one in zip(variables, stored, strict=True):
        if not fits(variable, one):
            raise ArchitectureError(
                f"is stored as {one}, and the model has {said(variable)}", place=path[:200]
            )
    return [(variable, one) for (_, variable), one in zip(variables, stored, strict=True)]


def fits(variable: Any, one: Stored) -> bool:
    """Whether what is stored has the shape and dtype of a variable."""
    return tuple(variable.shape) == one.shape and dtype_of(variable) == one.dtype


def said(variable: Any) -> str:
    """A variable's dtype and shape, for people."""
    return f"{dtype_of(variable)} {[int(size) for size in variable.shape]}"
