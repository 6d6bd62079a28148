"""The state of an archive: modules, containers and variables as they are written, checked.

Imports no TensorFlow: `making.py` makes live objects of it. Implements spec/tensorflow.md,
"Modules".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters import arrays, plain, random_state
from safemodel.adapters.graph_decode import Builder, Decoder, Node, decode, text
from safemodel.adapters.tensorflow import variables
from safemodel.adapters.tensorflow.program import VariableType
from safemodel.adapters.tensorflow.variables import SOURCE, WHOLE, Stored
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.adapters.graph_decode import TensorSource
    from safemodel.format.canonical_json import JsonValue

CONTAINERS: Final = ("list", "tuple", "dict")
STATE: Final = "state"
CONSTANTS: Final = "constants"

_CLASS: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(slots=True, eq=False)
class StoredModule:
    """An object with parts by name, in order. `container` says that it was a list, … and which."""

    class_name: str
    container: str | None
    parts: dict[str, Any] = field(default_factory=dict)

    __hash__ = None  # type: ignore[assignment]  # neither a key nor an element of a set


@dataclass(frozen=True, slots=True)
class Facts:
    """What an archive holds: the object, and constants of its functions by name."""

    root: Any
    constants: dict[str, Stored]


def read(graph: JsonValue, source: TensorSource, *, program: bool, lazy: bool = False) -> Facts:
    """The state in an object graph. `program` says that constants are beside it.

    A `lazy` reading leaves the tensors for whoever wants them, and lets others be unused.

    Raises:
        ArchitectureError: anything about it that must not be.
    """
    root: Any = decode(
        graph,
        source,
        builders=BUILDERS,
        parsers=PARSERS,
        context={SOURCE: source, WHOLE: not lazy},
        partial=lazy,
    )
    if not program:
        return Facts(root, {})
    if type(root) is not dict or root.keys() != {STATE, CONSTANTS}:
        raise ArchitectureError("the graph of a program has a state and constants")
    state, constants = root[STATE], root[CONSTANTS]
    if type(state) is not StoredModule or type(constants) is not dict:
        raise ArchitectureError("the state of a program is a module, the constants a dictionary")
    for name, value in constants.items():
        if type(name) is not str or type(value) is not Stored or value.is_variable:
            raise ArchitectureError(f"a constant {name!r:.60} that is no tensor")
    return Facts(state, constants)


@dataclass(frozen=True, slots=True)
class Found:
    """A variable of the state, and what a function may know of it."""

    stored: Stored
    type: VariableType


def variable_at(root: StoredModule, path: JsonValue) -> Found:
    """The variable at a path, a list of names, from a module on.

    Raises:
        ArchitectureError: there is none.
    """
    if type(path) is not list or not 0 < len(path) <= limits.MAX_GRAPH_DEPTH:
        raise ArchitectureError("a variable is a list of names")
    one: Any = root
    for name in path:
        if type(name) is not str or type(one) is not StoredModule or name not in one.parts:
            raise ArchitectureError(f"there is no part {name!r:.60}")
        one = one.parts[name]
    if type(one) is not Stored:
        raise ArchitectureError("a path to what is no variable")
    static = None if one.static is None else tuple(-1 if n is None else n for n in one.static)
    return Found(one, VariableType(one.dtype, static))


def order(name: str, container: str | None) -> tuple[int, str]:
    """What parts are ordered by: those of lists by number, others by name."""
    if container in ("list", "tuple") and _NUMBER.fullmatch(name):
        return int(name), name
    return 0, name


def _create_module(node: Node, decoder: Decoder) -> StoredModule:
    name = text(node["class"], "class")
    if not _CLASS.fullmatch(name):
        raise ArchitectureError("a module whose class has no name")
    return StoredModule(name, None)


def _create_tracked(node: Node, decoder: Decoder) -> StoredModule:
    kind = text(node["type"], "type")
    if kind not in CONTAINERS:
        raise ArchitectureError(f"a container of the type {kind!r:.60}")
    return StoredModule(kind, kind)


def _fill(obj: Any, node: Node, decoder: Decoder) -> None:
    pairs: Any = decoder.pairs(node["parts"])
    container = obj.container
    for name, part in pairs:
        if type(name) is not str or not 0 < len(name) <= limits.MAX_TENSOR_NAME:
            raise ArchitectureError("a part without a name")
        if container in ("list", "tuple") and not _NUMBER.fullmatch(name):
            raise ArchitectureError(f"an item of a list with the number {name!r:.60}")
        if type(part) is not StoredModule and not (type(part) is Stored and part.is_variable):
            raise ArchitectureError(f"a part {name!r:.60} that is no module and no variable")
        obj.parts[name] = part
    keys = [order(name, container) for name, _ in pairs]
    if any(first >= second for first, second in pairwise(keys)):
        raise ArchitectureError("parts twice, or not in their order")


BUILDERS: Final = {
    **plain.BUILDERS,
    **arrays.BUILDERS,
    **random_state.BUILDERS,
    **variables.BUILDERS,
    "module": Builder(_create_module, _fill, fields=frozenset({"class", "parts"})),
    "tracked": Builder(_create_tracked, _fill, fields=frozenset({"type", "parts"})),
}
PARSERS: Final = {**plain.PARSERS, **arrays.PARSERS}
