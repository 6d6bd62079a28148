"""Live objects to an object graph: the half of the codec that runs at save.

Breadth first and without recursion, so no nesting can exhaust the stack. Whatever it has no exact
handler for is refused with its path. Knows no kind of node: they come as handlers (see
`graph.py`). Implements spec/object-graph.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import audit, renumber
from safemodel.adapters.graph_work import check_work
from safemodel.adapters.memory import Part, Pieces, plan
from safemodel.bundle.contents import TensorData
from safemodel.errors import ArchitectureError, UnsavableError
from safemodel.format.weights import TensorSpec, stored_names

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

Node = dict[str, "JsonValue"]
Handler = Callable[[object, str, "Encoder"], Node]
# A handler of values that need no node: returns a VALUE, or NEEDS_NODE for one that is too large.
Inline = Callable[[object, str], "JsonValue"]

NEEDS_NODE: Final = "\0"


@dataclass(frozen=True, slots=True)
class EncodedGraph:
    """The graph as JSON, and the tensors that it refers to."""

    graph: JsonValue
    tensors: tuple[TensorData, ...]


def encode(
    root: object,
    *,
    handlers: Mapping[type, Handler],
    inlines: Mapping[type, Inline],
    fallback: Handler | None = None,
    name: str = "value",
    context: Mapping[str, object] | None = None,
) -> EncodedGraph:
    """Encode an object and everything it refers to.

    `handlers` and `inlines` are by exact type: `plain.HANDLERS` and `plain.INLINES`, and what the
    adapter adds to them. `fallback` is asked for objects that no table names; it may raise
    UnsavableError itself. `name` names the tensor of a root that is an array. `context` is what
    handlers find in `encoder.scratch`.

    Raises:
        UnsavableError: part of the object can't be represented; `place` is its path.
    """
    encoder = Encoder(handlers, inlines, fallback, name)
    encoder.scratch.update(context or {})
    return encoder.run(root)


class Encoder:
    """One encoding under way. Handlers call `value` for children and `store` for raw bytes."""

    def __init__(
        self,
        handlers: Mapping[type, Handler],
        inlines: Mapping[type, Inline],
        fallback: Handler | None,
        root_name: str,
    ) -> None:
        self.scratch: dict[str, Any] = {}  # what handlers of one family share among each other
        self._handlers = dict(handlers)
        self._inlines = dict(inlines)
        self._fallback = fallback
        self._root_name = root_name
        self._seen: dict[int, tuple[int, object]] = {}  # holds the objects: ids stay unique
        self._queue: list[tuple[object, str]] = []
        self._parts: list[Part] = []
        self._stored: list[tuple[Node, str, str, str, tuple[int, ...], Pieces]] = []

    def value(self, obj: object, path: str) -> JsonValue:
        """The VALUE that stands for an object: itself if plain and small, else a reference.

        Raises:
            UnsavableError: nothing can represent an object of this type.
        """
        kind = type(obj)
        if obj is None or kind is bool:
            return obj  # type: ignore[return-value]  # None or a boolean
        inline = self._inlines.get(kind)
        if inline is not None:
            value = inline(obj, path)
            if value is not NEEDS_NODE:
                return value
        return {"ref": self._index(obj, path)}

    def _index(self, obj: object, path: str) -> int:
        known = self._seen.get(id(obj))
        if known is not None:
            return known[0]
        if type(obj) not in self._handlers and self._fallback is None:
            raise refusal(obj, path)
        index = len(self._queue)
        if index >= limits.MAX_GRAPH_NODES:
            raise UnsavableError(f"more than {limits.MAX_GRAPH_NODES} objects", place=path or None)
        self._seen[id(obj)] = index, obj
        self._queue.append((obj, path))
        return index

    def add_array(self, part: Part) -> None:
        """Store an array. Its node gets `data`, and where it lies if it shares memory."""
        part.name = part.name or self._root_name
        self._parts.append(part)

    def store(
        self, node: Node, key: str, path: str, dtype: str, shape: Sequence[int], pieces: Pieces
    ) -> None:
        """Store one tensor that shares no memory; its name is put into `node[key]`."""
        self._stored.append((node, key, path or self._root_name, dtype, tuple(shape), pieces))

    def run(self, root: object) -> EncodedGraph:
        """Encode from `root` on. Once per encoder."""
        root_value = self.value(root, "")
        nodes: list[Node] = []
        while len(nodes) < len(self._queue):
            obj, path = self._queue[len(nodes)]
            handler = self._handlers.get(type(obj)) or self._fallback
            if handler is None:  # an inline handler asked for a node that nothing makes
                raise refusal(obj, path)
            nodes.append(handler(obj, path, self))
        graph: dict[str, JsonValue] = {"root": root_value}
        tensors, names = self._tensors()
        if names:
            graph["names"] = names
        ordered = renumber(root_value, nodes)
        graph["nodes"] = ordered  # type: ignore[assignment]  # nodes are JSON objects
        # The same audit as at load: what could not be loaded must not be saved.
        try:
            _, checked, children = audit(graph)
            check_work(checked, children)
        except ArchitectureError as error:
            raise UnsavableError(error.message, place=error.place) from None
        return EncodedGraph(graph, tensors)

    def _tensors(self) -> tuple[tuple[TensorData, ...], dict[str, JsonValue]]:
        wanted: list[tuple[str, str, tuple[int, ...], Pieces, list[tuple[Node, str]]]] = [
            (name, dtype, shape, pieces, [(node, key)])
            for node, key, name, dtype, shape, pieces in self._stored
        ]
        for stored in plan(self._parts):
            users = [(part.node, "data") for part in stored.parts]
            wanted.append((stored.name, stored.dtype, stored.shape, stored.pieces, users))
        real = _unique([name for name, *_ in wanted])
        stored_as = stored_names(real)
        tensors: list[TensorData] = []
        for name, (_, dtype, shape, pieces, users) in zip(real, wanted, strict=True):
            for node, key in users:
                node[key] = stored_as[name]
            tensors.append(TensorData(TensorSpec(stored_as[name], dtype, shape), pieces))
        renamed: dict[str, JsonValue] = {
            short: _printable(name[: limits.MAX_TENSOR_NAME])
            for name, short in stored_as.items()
            if short != name
        }
        return tuple(tensors), renamed


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()  # JSON has no lone surrogates


def _unique(names: list[str]) -> list[str]:
    """The names in order, a later equal one with `~2`, `~3`, ... behind it."""
    taken = set(names)
    used: set[str] = set()
    next_number: dict[str, int] = {}
    result = []
    for name in names:
        unique = name
        if name in used:
            number = next_number.get(name, 2)
            while (unique := f"{name}~{number}") in taken:
                number += 1
            next_number[name] = number + 1
            taken.add(unique)
        used.add(unique)
        result.append(unique)
    return result


def join(path: str, name: object) -> str:
    """The path of a child, as people write it: `steps.1.coef_`.

    It is cut where it is too long for a name: else those of deep nesting would fill the memory.
    """
    text = name if isinstance(name, str) else repr(name)[:60]
    longer = f"{path}.{text}" if path else text
    return longer[: limits.MAX_TENSOR_NAME + 1]


def refusal(obj: object, path: str) -> UnsavableError:
    """The error for an object that nothing can represent, with what to do instead."""
    kind = type(obj)
    hint = "save its state instead: plain containers, numbers, strings and arrays"
    if isinstance(obj, tuple) and hasattr(kind, "_fields"):
        hint = "named tuples carry a class: save value._asdict() or tuple(value)"
    elif hasattr(kind, "state_dict"):
        hint = "objects like this are code: save their state_dict instead"
    elif callable(obj) and not isinstance(obj, type):
        hint = "functions are code, and an archive holds none: leave it out"
    elif plain := [base for base in (int, float, complex, str, bytes) if isinstance(obj, base)]:
        hint = f"a subclass of a plain type: save {plain[0].__name__}(value) instead"
    elif isinstance(obj, (dict, list, tuple, set, frozenset)):
        hint = "a subclass of a plain container: save a plain copy of it"
    named = f"{kind.__module__}.{kind.__qualname__}"
    return UnsavableError(f"can't represent a {named}", place=path or None, hint=hint)
