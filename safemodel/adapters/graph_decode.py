"""An object graph to live objects: the half of the codec that runs at load.

Every field of every node is hostile: types are compared exactly, indices and sizes checked, and
every copy is charged to one budget, so that the memory of the result and the work for it are
bounded by the bytes of the bundle. Knows no kind of node: they come as builders (see
`graph.py`). Implements spec/object-graph.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from safemodel import limits
from safemodel.adapters.graph import audit
from safemodel.adapters.graph_work import check_work
from safemodel.errors import ArchitectureError, SafemodelError

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.format.canonical_json import JsonValue
    from safemodel.format.weights import TensorInfo

Node = dict[str, "JsonValue"]
Create = Callable[[Node, "Decoder"], object]
Fill = Callable[[object, Node, "Decoder"], None]
# Reads the content of an object with one key, such as {"float": ...}.
Parser = Callable[["JsonValue"], object]


class TensorSource(Protocol):
    """Where tensors come from: a VerifiedBundle."""

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every tensor by name."""

    def tensor(self, name: str) -> Tensor:
        """The bytes of one, verified."""


@dataclass(frozen=True, slots=True)
class Builder:
    """How nodes of one kind become objects.

    `fields` are the fields that a node of the kind may have besides `kind`, `required` those that
    it must have (None: all). `create` makes the object, `fill` completes it when all objects
    exist, `check` looks at its relations when all are complete.
    """

    create: Create
    fill: Fill | None = None
    check: Fill | None = None
    fields: frozenset[str] = frozenset()
    required: frozenset[str] | None = None


def decode(
    graph: JsonValue,
    source: TensorSource,
    *,
    builders: Mapping[str, Builder],
    parsers: Mapping[str, Parser],
    context: Mapping[str, object] | None = None,
    partial: bool = False,
) -> object:
    """Rebuild the object that `encode` was given. `context` is what builders find in
    `decoder.scratch`. A `partial` graph leaves tensors of the source unused.

    Raises:
        ArchitectureError: anything about the graph that must not be.
    """
    return Decoder(graph, source, builders, parsers, context or {}).run(partial=partial)


class Decoder:
    """One decoding under way: what builders use to reach children and tensors."""

    def __init__(
        self,
        graph: JsonValue,
        source: TensorSource,
        builders: Mapping[str, Builder],
        parsers: Mapping[str, Parser],
        context: Mapping[str, object],
    ) -> None:
        self.scratch: dict[str, Any] = dict(context)  # what builders of one family share
        self._root, self._nodes, children = audit(graph)
        check_work(self._nodes, children)
        self._source = source
        self._builders = builders
        self._parsers = parsers
        self._chosen: list[Builder] = []
        # A list: the archive chooses in which order they are made.
        self._objects: list[object] = [_NOT_YET] * len(self._nodes)
        self._under_way: list[int] = []
        self._tensors: dict[str, Tensor] = {}
        self._claimed: set[str] = set()
        stored = sum(tensor.nbytes for tensor in source.tensors.values())
        self.budget = (limits.FREE_COPIES + limits.MAX_COPIES * stored) * limits.LOOKS_PER_COPY

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the graph, audited as a table; their fields are not."""
        return self._nodes

    def run(self, *, partial: bool = False) -> object:
        """Build everything and return the root."""
        self._chosen = [self._builder(index, node) for index, node in enumerate(self._nodes)]
        work = list(zip(range(len(self._nodes)), self._nodes, self._chosen, strict=True))
        for index, _, _ in work:
            self._object(index)
        root = self.value(self._root)
        for index, node, builder in work:
            if builder.fill is not None:
                with _building(index, node):
                    builder.fill(self._objects[index], node, self)
        for index, node, builder in work:
            if builder.check is not None:
                with _building(index, node):
                    builder.check(self._objects[index], node, self)
        unused = set(self._source.tensors) - self._claimed - set(self._tensors)
        if unused and not partial:
            raise ArchitectureError(f"tensor {min(unused)!r:.100} is not used by the architecture")
        return root

    def _builder(self, index: int, node: Node) -> Builder:
        builder = self._builders.get(str(node["kind"]))
        if builder is None:
            raise ArchitectureError(f"unknown kind {node['kind']!r:.60}", place=f"node {index}")
        given = node.keys() - {"kind"}
        required = builder.fields if builder.required is None else builder.required
        if not required <= given <= builder.fields:
            raise ArchitectureError(
                f"a {node['kind']} with the fields {', '.join(sorted(given)) or 'none'!r:.200}",
                place=f"node {index}",
            )
        return builder

    def _object(self, index: int) -> object:
        if self._objects[index] is not _NOT_YET:
            return self._objects[index]
        if index in self._under_way or len(self._under_way) > _MAX_UNDER_WAY:
            raise ArchitectureError(
                "an object that must exist before itself", place=f"node {index}"
            )
        node = self._nodes[index]
        self._under_way.append(index)
        with _building(index, node):
            built = self._chosen[index].create(node, self)
        self._under_way.pop()
        self._objects[index] = built
        return built

    # What builders use

    def value(self, value: JsonValue) -> object:
        """The object that a VALUE stands for; before `fill` it may still be empty."""
        if value is None or type(value) in _PLAIN:
            if type(value) is str and len(value.encode()) > limits.MAX_ARCHITECTURE_STRING:
                raise ArchitectureError("a string of more than 4 KiB outside the tensors")
            return value
        if type(value) is not dict or len(value) != 1:
            raise ArchitectureError(f"not a value: {value!r:.60}")
        ((tag, content),) = value.items()
        if tag == "ref":
            return self._object(content)  # type: ignore[arg-type]  # audited
        parser = self._parsers.get(tag)
        if parser is None:
            raise ArchitectureError(f"unknown kind of value {tag!r:.60}")
        return parser(content)

    def values(self, values: JsonValue) -> list[object]:
        """The objects that a list of VALUEs stands for."""
        if type(values) is not list:
            raise ArchitectureError("not a list of values")
        return [self.value(value) for value in values]

    def pairs(self, pairs: JsonValue) -> list[tuple[object, object]]:
        """The objects of a list of pairs of VALUEs."""
        if type(pairs) is not list:
            raise ArchitectureError("not a list of pairs")
        result = []
        for pair in pairs:
            if type(pair) is not list or len(pair) != 2:
                raise ArchitectureError("not a pair of values")
            result.append((self.value(pair[0]), self.value(pair[1])))
        return result

    def tensor(self, name: JsonValue) -> Tensor:
        """A stored tensor, to make views of: several nodes may share it."""
        if type(name) is str and name in self._tensors:
            return self._tensors[name]
        self._tensors[str(name)] = tensor = self._stored(name)
        return tensor

    def claim(self, name: JsonValue) -> Tensor:
        """A stored tensor for this node alone, to copy from; the copy is charged here."""
        tensor = self._stored(name)
        self.charge(tensor.nbytes)
        if tensor.name in self._tensors:
            raise ArchitectureError(f"tensor {name!r:.100} is used twice, and must not be")
        self._claimed.add(tensor.name)
        return tensor

    def _stored(self, name: JsonValue) -> Tensor:
        if type(name) is not str or name not in self._source.tensors:
            raise ArchitectureError(f"there is no tensor {name!r:.100}")
        if name in self._claimed:
            raise ArchitectureError(f"tensor {name!r:.100} is used twice, and must not be")
        return self._source.tensor(name)

    def charge(self, nbytes: int) -> None:
        """Account for a copy of so many bytes; to be called before the copy is made.

        For a view it is what the copy will have: its items, however few bytes they stand on.
        """
        self.look(nbytes * limits.LOOKS_PER_COPY)

    def look(self, nbytes: int) -> None:
        """Account for a look at so many bytes of a view, so that many views can't take forever."""
        self.budget -= nbytes
        if self.budget < 0:
            raise ArchitectureError(
                "copies of far more bytes than the bundle has, "
                "or views that overlap far more than arrays of a model do"
            )


def integer(value: JsonValue, low: int, high: int, what: str) -> int:
    """An integer field between `low` and `high`.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not int or not low <= value <= high:
        raise ArchitectureError(f"{what} must be an integer from {low} to {high}: {value!r:.60}")
    return value


def integers(value: JsonValue, low: int, high: int, what: str) -> tuple[int, ...]:
    """A list of at most MAX_TENSOR_RANK integers between `low` and `high`.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not list or len(value) > limits.MAX_TENSOR_RANK:
        raise ArchitectureError(f"{what} must be a list of at most {limits.MAX_TENSOR_RANK}")
    return tuple(integer(item, low, high, what) for item in value)


def text(value: JsonValue, what: str) -> str:
    """A string field.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not str:
        raise ArchitectureError(f"{what} must be a string: {value!r:.60}")
    return value


def flag(value: JsonValue, what: str) -> bool:
    """A field that is there only when it is true.

    Raises:
        ArchitectureError: anything but true.
    """
    if value is not True:
        raise ArchitectureError(f"{what} must be true or absent: {value!r:.60}")
    return True


_NOT_YET: Final = object()
_PLAIN: Final = frozenset({bool, int, str})
_MAX_UNDER_WAY: Final = 2 * limits.MAX_FROZEN_DEPTH

# What constructors of Python, NumPy and the frameworks raise when they do not like an argument.
_REFUSALS: Final = (
    ArithmeticError,
    AttributeError,
    BufferError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def _building(index: int, node: Node) -> Iterator[None]:
    try:
        yield
    except SafemodelError as error:
        error.place = error.place or f"node {index}"
        raise
    except _REFUSALS as error:
        message = str(error).split("\n", 1)[0]
        raise ArchitectureError(
            f"a {node['kind']} that can't be built: {message!s:.200}", place=f"node {index}"
        ) from error
