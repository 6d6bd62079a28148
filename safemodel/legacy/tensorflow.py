"""TensorFlow's graphs to facts: SavedModel, MetaGraphDef (`.meta`), GraphDef, keras_metadata.pb.

A graph is nodes with the name of an operation, in a main graph and in functions. Facts are the
nodes with what a rule may need: inputs, texts among their attributes, constants that are text,
functions that they call. Weights and other numbers are never turned into anything.

Sources: tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto,
tensorflow/core/framework/{graph,node_def,attr_value,function,tensor}.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.protobuf import BYTES, VARINT, fields, numbers, text, varint

MAX_PARTS: Final = 4_000_000  # nodes, inputs, attributes that are texts: together
MAX_TEXTS: Final = 100  # of one constant or list of texts
MAX_TEXT: Final = 4096
DT_STRING: Final = 7

Spend = Callable[[int], None]
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a graph.

    Attributes:
        name: in its graph.
        operation: that it runs, or a function of the library.
        inputs: as written: `NODE`, `NODE:0`, `NODE:OUTPUT:0`, an argument, or `^NODE`.
        texts: attributes that are texts or lists of texts.
        constant: the texts of a constant; None if it is no text.
        calls: names of functions among the attributes.
        offset: of the node, in the content.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    texts: dict[str, tuple[str, ...]]
    constant: tuple[str, ...] | None
    calls: tuple[str, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Graph:
    """A main graph, or a function of the library.

    Attributes:
        name: of the function; empty for the main graph.
        arguments: names of the function's arguments.
        nodes: by name. Of several with one name, which TensorFlow refuses, all are kept.
    """

    name: str
    arguments: tuple[str, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that travels with a SavedModel, and the tensor that gets its path."""

    tensor: str
    file: str
    offset: int


@dataclass(frozen=True, slots=True)
class SavedObject:
    """An object of a SavedModel of TensorFlow 2, as far as it matters.

    Attributes:
        kind: "constant", "asset", "variable", "" for all others.
        operation: the node that holds a constant.
        metadata: first byte and length of the JSON text that Keras left; None if there is none.
    """

    kind: str
    operation: str
    metadata: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class MetaGraph:
    """A graph with its functions, and what a SavedModel says around it.

    Attributes:
        captures: of each concrete function, the objects that its last arguments are.
    """

    graphs: tuple[Graph, ...]
    assets: tuple[Asset, ...] = ()
    objects: tuple[SavedObject, ...] = ()
    captures: dict[str, tuple[int, ...]] | None = None


_NO_TEXTS: Final[dict[str, tuple[str, ...]]] = {}


class _Attributes:
    """What is read of the attributes of one node."""

    __slots__ = ("calls", "constant", "constant_kind", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, tuple[str, ...]] = {}
        self.calls: list[str] = []
        self.constant: list[str] = []
        self.constant_kind = 0


class Reader:
    """Reads the messages of one content, and counts their nodes."""

    __slots__ = ("_count", "_names", "_spend", "data")

    def __init__(self, data: memoryview, spend: Spend | None = None) -> None:
        self.data = data
        self._spend = spend
        self._count = 0
        self._names: dict[str, str] = {}

    def messages(self, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
        """Where the fields of one number are."""
        for number, wire, _, here, after in fields(self.data, start, end, spend=self._spend):
            if number == wanted and wire == BYTES:
                yield here, after

    def _text(self, start: int, end: int) -> str:
        return text(self.data, start, end, limit=MAX_TEXT)

    # -- graphs

    def meta_graph(self, start: int, end: int) -> MetaGraph:
        """A MetaGraphDef: the graph, its assets and objects."""
        graphs: list[Graph] = []
        assets: list[Asset] = []
        objects: list[SavedObject] = []
        captures: dict[str, tuple[int, ...]] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self._spend):
            if wire != BYTES:
                continue
            if number == 2:
                graphs += self.graph_def(here, after)
            elif number == 4:
                assets += self._collection(here, after)
            elif number == 6:
                assets.append(self._asset(here, after))
            elif number == 7:
                self._objects(here, after, objects, captures)
        return MetaGraph(tuple(graphs), tuple(assets), tuple(objects), captures)

    def graph_def(self, start: int, end: int) -> list[Graph]:
        """A GraphDef: the main graph first, then the functions of its library."""
        nodes: list[Node] = []
        functions: list[Graph] = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self._spend):
            if number == 1 and wire == BYTES:
                nodes.append(self._node(here, after))
            elif number == 2 and wire == BYTES:
                for function, behind in self.messages(here, after, 1):
                    functions.append(self._function(function, behind))
        return [Graph("", (), tuple(nodes)), *functions]

    def _function(self, start: int, end: int) -> Graph:
        name = ""
        arguments: list[str] = []
        nodes: list[Node] = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self._spend):
            if wire != BYTES:
                continue
            if number == 1:  # OpDef
                for inner, _, _, first, last in fields(self.data, here, after):
                    if inner == 1:
                        name = self._text(first, last)
                    elif inner == 2:
                        arguments += [self._text(*one) for one in self.messages(first, last, 1)]
            elif number == 3:
                nodes.append(self._node(here, after))
        return Graph(name or "(no name)", tuple(arguments), tuple(nodes))

    def _part(self, start: int) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise BudgetError(f"graphs of more than {MAX_PARTS} nodes and inputs", offset=start)

    def _node(self, start: int, end: int) -> Node:
        self._part(start)
        name = operation = ""
        inputs: list[str] = []
        found = _Attributes()
        for number, wire, _, here, after in fields(self.data, start, end):
            if wire != BYTES:
                continue
            if number == 1:
                name = self._text(here, after)
            elif number == 2:
                operation = self._text(here, after)
                operation = self._names.setdefault(operation, operation)
            elif number == 3:
                self._part(here)
                inputs.append(self._text(here, after))
            elif number == 5:
                self._attribute(here, after, found)
        constant = tuple(found.constant) if found.constant_kind == DT_STRING else None
        return Node(
            name,
            operation,
            tuple(inputs),
            found.texts or _NO_TEXTS,
            constant,
            tuple(found.calls),
            start,
        )

    def _attribute(self, start: int, end: int, into: _Attributes) -> None:
        """An entry of the map of attributes."""
        key = ""
        texts: list[str] = []
        for number, wire, _, here, after in fields(self.data, start, end):
            if wire != BYTES:
                continue
            if number == 1:
                key = self._text(here, after)
            elif number == 2:
                for kind, inner_wire, _, first, last in fields(self.data, here, after):
                    if inner_wire != BYTES:
                        continue
                    if kind == 1:
                        self._list(first, last, texts, into.calls)
                    elif kind == 2:
                        texts.append(self._text(first, last))
                    elif kind == 8:
                        self._tensor(first, last, into)
                    elif kind == 10:
                        into.calls += [self._text(*one) for one in self.messages(first, last, 1)]
        if texts:
            self._part(start)
            into.texts[key] = tuple(texts)

    def _list(self, start: int, end: int, texts: list[str], calls: list[str]) -> None:
        for number, wire, _, here, after in fields(self.data, start, end):
            if wire == BYTES and number == 2 and len(texts) < MAX_TEXTS:
                texts.append(self._text(here, after))
            elif wire == BYTES and number == 9:
                calls += [self._text(*one) for one in self.messages(here, after, 1)]

    def _tensor(self, start: int, end: int, into: _Attributes) -> None:
        """The texts of a TensorProto, the first of them. Several are one: messages are merged."""
        content: Range | None = None
        for number, wire, value, here, after in fields(self.data, start, end):
            if number == 1 and wire == VARINT:
                into.constant_kind = value
            elif number == 8 and wire == BYTES and len(into.constant) < MAX_TEXTS:
                into.constant.append(self._text(here, after))
            elif number == 4 and wire == BYTES and after > here:
                content = here, after
        if content is not None and into.constant_kind == DT_STRING:
            into.constant += self._packed_texts(*content)

    def _packed_texts(self, start: int, end: int) -> list[str]:
        """The texts of a tensor's bytes: all their lengths, then all of them."""
        sizes: list[int] = []
        position = start
        while position < end and sum(sizes) + position != end and len(sizes) < MAX_TEXTS:
            size, position = varint(self.data, position, end)
            sizes.append(size)
        found: list[str] = []
        for size in sizes:
            found.append(self._text(position, min(end, position + size)))
            position += size
        return found

    # -- around the graph

    def _asset(self, start: int, end: int) -> Asset:
        tensor = file = ""
        for number, wire, _, here, after in fields(self.data, start, end):
            if wire == BYTES and number == 1:
                tensor = "".join(self._text(*one) for one in self.messages(here, after, 1))
            elif wire == BYTES and number == 2:
                file = self._text(here, after)
        return Asset(tensor, file, start)

    def _collection(self, start: int, end: int) -> Iterator[Asset]:
        """The assets of TensorFlow 1: a collection of packed AssetFileDefs."""
        if not any(
            self._text(*one) == "saved_model_assets" for one in self.messages(start, end, 1)
        ):
            return
        for value in self.messages(start, end, 2):  # CollectionDef
            for anything in self.messages(*value, 5):  # AnyList
                for packed in self.messages(*anything, 1):  # Any
                    for place in self.messages(*packed, 2):
                        yield self._asset(*place)

    def _objects(
        self,
        start: int,
        end: int,
        objects: list[SavedObject],
        captures: dict[str, tuple[int, ...]],
    ) -> None:
        for number, wire, _, here, after in fields(self.data, start, end, spend=self._spend):
            if wire == BYTES and number == 1:
                objects.append(self._object(here, after))
            elif wire == BYTES and number == 2:
                name = "".join(self._text(*one) for one in self.messages(here, after, 1))
                bound: list[int] = []
                for value in self.messages(here, after, 2):
                    for field in fields(self.data, *value):
                        if field[0] == 2:
                            bound += numbers(self.data, field)
                captures[name] = tuple(bound)

    def _object(self, start: int, end: int) -> SavedObject:
        kind = operation = ""
        metadata: tuple[int, int] | None = None
        for number, wire, _, here, after in fields(self.data, start, end):
            if wire != BYTES:
                continue
            if number == 4:  # SavedUserObject: TensorFlow before 2.5 keeps Keras's JSON here
                for place, behind in self.messages(here, after, 3):
                    metadata = place, behind - place
            elif number in (5, 7):
                kind = "asset" if number == 5 else "variable"
            elif number == 9:
                kind = "constant"
                operation = "".join(self._text(*one) for one in self.messages(here, after, 1))
        return SavedObject(kind, operation, metadata)

    def keras_metadata(self) -> tuple[tuple[int, int], ...]:
        """Where the JSON texts of a keras_metadata.pb are: first bytes and lengths."""
        found: list[tuple[int, int]] = []
        for start, end in self.messages(0, len(self.data), 1):
            identified = False
            for number, wire, _, here, after in fields(self.data, start, end):
                identified |= number == 4 and wire == BYTES
                if number == 5 and wire == BYTES and identified:
                    found.append((here, after - here))
        return tuple(found)


def graphs_of(data: memoryview, *, spend: Spend | None = None) -> MetaGraph:
    """The graphs of a GraphDef or MetaGraphDef, whichever it is; no graphs if it is neither.

    Raises:
        BudgetError: more nodes than a scan may take.
    """
    reader = Reader(data, spend)
    try:
        graphs = reader.graph_def(0, len(data))
    except DamagedError:
        graphs = []
    if any(node.operation for graph in graphs for node in graph.nodes):
        return MetaGraph(tuple(graphs))
    try:
        return reader.meta_graph(0, len(data))
    except DamagedError:
        return MetaGraph(())
