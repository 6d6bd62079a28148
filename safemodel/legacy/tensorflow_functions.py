"""TensorFlow's functions to facts: arguments, nodes with all of their attributes, results.

`tensorflow.py` reads what a scan needs to know of any graph; this module reads what is needed to
say the same graph again, and refuses what has two readings. Whether an operator may be there is
the business of whoever takes the facts.

Sources: tensorflow/core/framework/{function,op_def,node_def,graph,resource_handle}.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.protobuf import BYTES, VARINT, fields
from safemodel.legacy.tensorflow_values import AttributeFact, Spend, ValueReader

MAX_PARTS: Final = 2_000_000  # nodes, inputs, attributes, arguments: together

Shape = tuple[int, ...] | None  # None: not known how many axes


@dataclass(frozen=True, slots=True)
class ArgumentFact:
    """An argument of a function.

    Attributes:
        name: in the function.
        dtype: of the argument; `resource` for a variable.
        shape: of the argument, as far as it is written.
        handle: type and shape of what is behind a resource, if that is written.
    """

    name: str
    dtype: str
    shape: Shape
    handle: tuple[str, Shape] | None


@dataclass(frozen=True, slots=True)
class NodeFact:
    """A node.

    Attributes:
        name: in its function.
        operation: operator, or function of the library.
        inputs: `NODE:OUTPUT:0` or an argument; in a main graph `NODE` or `NODE:0`.
        after: nodes that run before it, without giving it anything.
        attributes: by name.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    after: tuple[str, ...]
    attributes: Mapping[str, AttributeFact]


@dataclass(frozen=True, slots=True)
class FunctionFact:
    """A function.

    Attributes:
        name: in the library.
        arguments: in order; those that a closure captured are the last.
        outputs: names and types of the results, in order.
        nodes: in the order in which they are written, which says nothing.
        returns: of each result, the tensor that it is.
        must_run: nodes that run whether or not a result needs them.
    """

    name: str
    arguments: tuple[ArgumentFact, ...]
    outputs: tuple[tuple[str, str], ...]
    nodes: tuple[NodeFact, ...]
    returns: Mapping[str, str]
    must_run: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GraphFact:
    """A main graph and its library of functions, by name."""

    nodes: tuple[NodeFact, ...]
    functions: Mapping[str, FunctionFact]


def graph_fact(data: memoryview, *, spend: Spend | None = None) -> GraphFact:
    """A GraphDef.

    Raises:
        DamagedError: it is none, or one that can be read in two ways.
        BudgetError: more than any model has.
    """
    return FunctionReader(data, spend).graph(0, len(data))


def function_fact(data: memoryview, *, spend: Spend | None = None) -> FunctionFact:
    """A FunctionDef.

    Raises:
        DamagedError: it is none, or one that can be read in two ways.
        BudgetError: more than any model has.
    """
    return FunctionReader(data, spend).function(0, len(data))


class FunctionReader(ValueReader):
    """Reads the functions of one content, and counts their parts."""

    def __init__(self, data: memoryview, spend: Callable[[int], None] | None = None) -> None:
        super().__init__(data, spend)
        self._parts = 0

    def graph(self, start: int, end: int) -> GraphFact:
        """A GraphDef in `data[start:end]`.

        Raises:
            DamagedError: it is none, or one that can be read in two ways.
            BudgetError: more than any model has.
        """
        nodes: list[NodeFact] = []
        functions: dict[str, FunctionFact] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if wire != BYTES:
                continue
            if number == 1:
                nodes.append(self._node(here, after))
            elif number == 2:
                for inner, kind, _, first, last in fields(self.data, here, after):
                    if inner == 1 and kind == BYTES:
                        function = self.function(first, last)
                        if function.name in functions:
                            raise DamagedError("two functions of one name", offset=first)
                        functions[function.name] = function
        self._distinct([node.name for node in nodes], start)
        return GraphFact(tuple(nodes), functions)

    def function(self, start: int, end: int) -> FunctionFact:
        """A FunctionDef in `data[start:end]`.

        Raises:
            DamagedError: it is none, or one that can be read in two ways.
            BudgetError: more than any model has.
        """
        signature: tuple[int, int] | None = None
        nodes: list[NodeFact] = []
        returns: dict[str, str] = {}
        must_run: dict[str, str] = {}
        shapes: dict[int, Shape] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if wire != BYTES:
                continue
            if number == 1:
                if signature is not None:
                    raise DamagedError("a function with two signatures", offset=here)
                signature = here, after
            elif number == 3:
                nodes.append(self._node(here, after))
            elif number in (4, 6):
                self._pair(here, after, returns if number == 4 else must_run)
            elif number == 7:
                self._argument_attributes(here, after, shapes)
        if signature is None:
            raise DamagedError("a function without a signature", offset=start)
        name, arguments, outputs = self._signature(*signature, shapes)
        self._distinct([*(one.name for one in arguments), *(one.name for one in nodes)], start)
        if {output for output, _ in outputs} != returns.keys() or len(outputs) != len(returns):
            raise DamagedError("results that are not those of the signature", offset=start)
        return FunctionFact(
            name, arguments, outputs, tuple(nodes), returns, tuple(dict.fromkeys(must_run.values()))
        )

    def _distinct(self, names: list[str], start: int) -> None:
        if len(set(names)) != len(names) or "" in names:
            raise DamagedError("nodes without a name, or two of one", offset=start)

    def _part(self, start: int) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BudgetError(f"graphs of more than {MAX_PARTS} nodes and inputs", offset=start)

    def _pair(self, start: int, end: int, into: dict[str, str]) -> None:
        """An entry of a map of names."""
        self._part(start)
        found = self.once(start, end, {1: BYTES, 2: BYTES})
        key = self.text(found[1][3], found[1][4]) if 1 in found else ""
        if key in into or 2 not in found:
            raise DamagedError(f"result {key:.60} twice, or of nothing", offset=start)
        into[key] = self.text(found[2][3], found[2][4])

    # -- signatures

    def _signature(
        self, start: int, end: int, shapes: Mapping[int, Shape]
    ) -> tuple[str, tuple[ArgumentFact, ...], tuple[tuple[str, str], ...]]:
        """An OpDef: the name, the arguments, names and types of the results."""
        name = ""
        arguments: list[ArgumentFact] = []
        outputs: list[tuple[str, str]] = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if wire != BYTES:
                continue
            if number == 1:
                if name:
                    raise DamagedError("a function with two names", offset=here)
                name = self.text(here, after)
            elif number == 2:
                label, dtype, handle = self._argument(here, after)
                shape = shapes.get(len(arguments))
                arguments.append(ArgumentFact(label, dtype, shape, handle))
            elif number == 3:
                label, dtype, _ = self._argument(here, after)
                outputs.append((label, dtype))
        if not name:
            raise DamagedError("a function without a name", offset=start)
        return name, tuple(arguments), tuple(outputs)

    def _argument(self, start: int, end: int) -> tuple[str, str, tuple[str, Shape] | None]:
        """An ArgDef: one tensor of one type. Those of a type that the call chooses are refused."""
        self._part(start)
        found = self.once(
            start, end, {1: BYTES, 3: VARINT, 4: BYTES, 5: BYTES, 6: BYTES, 16: VARINT}
        )
        chosen = any(
            number in found and found[number][4] > found[number][3] for number in (4, 5, 6)
        )
        if 1 not in found or 3 not in found or chosen or (16 in found and found[16][2]):
            raise DamagedError("an argument that is not one tensor of one type", offset=start)
        handles: list[tuple[str, Shape]] = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number == 7 and wire == BYTES:
                behind = self.once(here, after, {1: VARINT, 2: BYTES})
                dtype = self.dtype(behind[1][2] if 1 in behind else 0, here)
                shape = self.shape(behind[2][3], behind[2][4]) if 2 in behind else ()
                handles.append((dtype, shape))
        name = self.text(found[1][3], found[1][4])
        handle = handles[0] if len(handles) == 1 else None
        return name, self.dtype(found[3][2], start), handle

    def _argument_attributes(self, start: int, end: int, shapes: dict[int, Shape]) -> None:
        """What a function says of its arguments by number: of that, the shapes."""
        found = self.once(start, end, {1: VARINT, 2: BYTES})
        place = found[1][2] if 1 in found else 0
        attributes: dict[str, AttributeFact] = {}
        if 2 in found:
            for number, wire, _, here, after in fields(self.data, found[2][3], found[2][4]):
                if number == 1 and wire == BYTES:
                    self._part(here)
                    self.entry(here, after, attributes)
        known = attributes.get("_output_shapes")
        if place in shapes:
            raise DamagedError("an argument that is described twice", offset=start)
        if known is not None and known.kind == "shape" and known.many and len(known.value) == 1:
            shapes[place] = known.value[0]

    # -- nodes

    def _node(self, start: int, end: int) -> NodeFact:
        self._part(start)
        name = operation = ""
        inputs: list[str] = []
        after_nodes: list[str] = []
        attributes: dict[str, AttributeFact] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if wire != BYTES:
                continue
            if number in (1, 2):
                if name if number == 1 else operation:
                    raise DamagedError("a node with two names", offset=here)
                found = self.text(here, after)
                name, operation = (found, operation) if number == 1 else (name, found)
            elif number == 3:
                self._part(here)
                reference = self.text(here, after)
                if reference.startswith("^"):
                    after_nodes.append(reference[1:])
                elif after_nodes:
                    raise DamagedError("an input behind those that only come before", offset=here)
                else:
                    inputs.append(reference)
            elif number == 5:
                self._part(here)
                self.entry(here, after, attributes)
        return NodeFact(name, operation, tuple(inputs), tuple(after_nodes), attributes)
