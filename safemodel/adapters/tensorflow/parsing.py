"""A program's JSON, read: every field is hostile, and what is not understood is refused.

The same function runs at save, over what will be written. Nothing is looked up but operators in
their table; imports no TensorFlow. Implements spec/tensorflow-graph.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph_decode import integer, text
from safemodel.adapters.tensorflow import attributes, constants, control
from safemodel.adapters.tensorflow.bounds import MAX_RANK
from safemodel.adapters.tensorflow.constants import STRING, Tensors
from safemodel.adapters.tensorflow.entries import VariableOf, parse_entries
from safemodel.adapters.tensorflow.program import (
    Function,
    InputType,
    Node,
    Program,
    Ref,
    Shape,
    TensorType,
    VariableType,
)
from safemodel.adapters.tensorflow.reading import fields, listed
from safemodel.adapters.tensorflow.table import Operator, operator
from safemodel.errors import ArchitectureError, SafemodelError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

RESOURCE: Final = "resource"
VARIANT: Final = "variant"
# Operators whose variable is of a type that no attribute says.
_OF_ANY: Final = frozenset({"VarIsInitializedOp", "VariableShape"})
_OF_KNOWN: Final = {"RngReadAndSkip": "int64"}


def parse(value: JsonValue, tensors: Tensors, variable: VariableOf) -> Program:
    """Read a program.

    `tensors` are those of the bundle, with the types and shapes that they have in a graph;
    `variable` finds a variable of the state, and raises ArchitectureError if there is none.

    Raises:
        ArchitectureError: anything about it that must not be.
    """
    program = fields(value, "functions entries", "a program", "signatures")
    reader = FunctionReader(tensors)
    for place, item in enumerate(
        listed(program["functions"], limits.MAX_PROGRAM_GRAPHS, "functions")
    ):
        with _place(f"function {place}"):
            reader.function(item)
    found = [
        parse_entries(
            program.get(kind, {}),
            reader.functions,
            tensors,
            variable,
            reader.tensors,
            signatures=kind == "signatures",
        )
        for kind in ("entries", "signatures")
    ]
    entries, signatures = found
    if not entries and not signatures:
        raise ArchitectureError("a program that nothing can call")
    if "signatures" in program and not signatures:
        raise ArchitectureError("signatures that are empty, and need not be there")
    reader.finish([one.function for one in (*entries.values(), *signatures.values())])
    return Program(value, tuple(reader.functions), entries, signatures, frozenset(reader.tensors))


@contextmanager
def _place(place: str) -> Iterator[None]:
    try:
        yield
    except SafemodelError as error:
        error.place = f"{place}: {error.place}" if error.place else place
        raise


class FunctionReader:
    """Reads the functions of a program, each after those that it names."""

    def __init__(self, tensors: Tensors) -> None:
        self.functions: list[Function] = []
        self.tensors: set[str] = set()
        self._available = tensors
        self._depths: list[int] = []
        self._sizes: list[int] = []
        self._weights: list[int] = []  # inputs, nodes, and what these give
        self._named: set[int] = set()
        self._nodes = limits.MAX_PROGRAM_NODES
        self._values = limits.MAX_PROGRAM_VALUES
        self._budgets: list[tuple[int, int]] = []  # before each function

    def function(self, item: JsonValue) -> None:
        """Read one, and add it.

        Raises:
            ArchitectureError: anything about it that must not be.
        """
        before = self._nodes, self._values
        parsed = fields(item, "inputs nodes outputs", "a function")
        inputs = tuple(
            [
                input_type(one)
                for one in listed(parsed["inputs"], limits.MAX_PROGRAM_STATE, "inputs")
            ]
        )
        self._count(len(inputs))
        nodes: list[Node] = []
        depth, size = 0, 0
        for place, one in enumerate(listed(parsed["nodes"], limits.MAX_PROGRAM_NODES, "nodes")):
            with _place(f"node {place}"):
                node = self._node(one, inputs, nodes)
                for number in control.called(node.attributes):
                    self._named.add(number)
                    depth = max(depth, self._depths[number] + 1)
                    size += self._sizes[number]
                nodes.append(node)
        if depth > limits.MAX_PROGRAM_CALLS:
            raise ArchitectureError("functions that call one another too deeply")
        # TensorFlow puts functions where they are called, each time.
        size += len(nodes)
        if size > limits.MAX_TENSORFLOW_EXPANDED:
            raise ArchitectureError("functions that call one another too often")
        outputs = listed(parsed["outputs"], limits.MAX_PROGRAM_STATE, "outputs")
        self._count(len(outputs))
        refs = tuple([_ref(one, inputs, nodes) for one in outputs])
        results = tuple([_type(ref, inputs, nodes) for ref in refs])
        self.functions.append(Function(inputs, tuple(nodes), refs, results))
        self._depths.append(depth)
        self._sizes.append(size)
        self._weights.append(len(inputs) + sum(1 + len(node.outputs) for node in nodes))
        self._budgets.append(before)

    def forget(self, count: int) -> None:
        """Go back to where there were so many functions."""
        if count < len(self.functions):
            self._nodes, self._values = self._budgets[count]
        for kept in (self.functions, self._depths, self._sizes, self._weights, self._budgets):
            del kept[count:]

    def finish(self, entries: Sequence[int]) -> None:
        """Every function must have been named, by another or by an entry.

        Raises:
            ArchitectureError: one was not.
        """
        if len(self._named.union(entries)) != len(self.functions):
            raise ArchitectureError("a function that nothing calls")
        # Each entry is built by itself.
        if sum(self._weights[number] for number in entries) > limits.MAX_PROGRAM_VALUES:
            raise ArchitectureError("entries with too much in their functions")

    def _count(self, values: int) -> None:
        self._values -= values
        if self._values < 0:
            raise ArchitectureError(f"more than {limits.MAX_PROGRAM_VALUES} values")

    def _node(self, item: JsonValue, inputs: Sequence[InputType], nodes: Sequence[Node]) -> Node:
        self._nodes -= 1
        if self._nodes < 0:
            raise ArchitectureError(f"more than {limits.MAX_PROGRAM_NODES} nodes")
        node = fields(item, "op in", "a node", "attrs after")
        name = text(node["op"], "op")
        row = operator(name)
        if row is None:
            raise ArchitectureError(f"{name!r:.100} is not in the table of operators")
        if node.get("attrs") == {}:
            raise ArchitectureError("attrs that are empty, and need not be there")
        known, made = attributes.parse(
            row, node.get("attrs", {}), len(self.functions), self._available, self.tensors
        )
        given = listed(node["in"], limits.MAX_PROGRAM_VALUES, "in")
        self._count(len(given) + sum(map(_weight, made.values())))
        refs = tuple([_ref(one, inputs, nodes) for one in given])
        taken = tuple([_type(ref, inputs, nodes) for ref in refs])
        if tuple([kind for one in row.inputs for kind in one.types(known)]) != taken:
            raise ArchitectureError(f"operator {name} with inputs of other types or number")
        self._check_inputs(row, made, refs, taken, inputs)
        after = _after(node, len(nodes))
        self._count(len(after))
        outputs = tuple([kind for one in row.outputs for kind in one.types(known)])
        self._count(len(outputs))
        return Node(row, refs, made, after, outputs)

    def _check_inputs(
        self,
        row: Operator,
        made: dict[str, Any],
        refs: Sequence[Ref],
        taken: Sequence[str],
        inputs: Sequence[InputType],
    ) -> None:
        """Check where variables go, and that functions, constants and variables fit the node."""
        given: list[InputType] = []
        for ref, kind in zip(refs, taken, strict=True):
            known = inputs[ref.output] if ref.node < 0 else TensorType(kind, None)
            if kind == RESOURCE and not isinstance(known, VariableType):
                raise ArchitectureError("a variable that a node gives")
            given.append(known)
            if kind == RESOURCE and row.name not in control.OPERATORS:
                _check_variable(row, made, known)
        control.check(row.name, made, given, self.functions)
        for value in made.values():
            dtype = getattr(value, "dtype", None)
            if dtype is not None and dtype != made.get("dtype"):
                raise ArchitectureError("a constant of another type than its node says")


def _check_variable(row: Operator, made: dict[str, Any], known: InputType) -> None:
    if not row.variables:
        raise ArchitectureError(f"operator {row.name} takes no variable")
    if row.variable_length is not None and known.shape != (row.variable_length,):
        raise ArchitectureError(f"operator {row.name} with a variable of another shape")
    if row.name in _OF_ANY:
        return
    wanted = _OF_KNOWN.get(row.name, made.get("dtype", made.get("T")))
    if wanted != known.dtype:
        raise ArchitectureError(f"operator {row.name} with a variable of the type {known.dtype}")


def _weight(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else len(getattr(value, "strings", None) or ())


def _after(node: dict[str, JsonValue], before: int) -> tuple[int, ...]:
    if "after" not in node:
        return ()
    items = listed(node["after"], before, "after")
    found = tuple([integer(one, 0, before - 1, "after") for one in items])
    if not found or list(found) != sorted(set(found)):
        raise ArchitectureError("after must be sorted, each node once, or absent")
    return found


def _ref(value: JsonValue, inputs: Sequence[InputType], nodes: Sequence[Node]) -> Ref:
    """A reference to an input, or to an output of a node that is there already."""
    pair = listed(value, 2, "a reference")
    if len(pair) != 2:
        raise ArchitectureError("a reference must be a pair")
    if pair[0] == "in":
        return Ref(-1, integer(pair[1], 0, len(inputs) - 1, "an input"))
    node = integer(pair[0], 0, len(nodes) - 1, "a node")
    return Ref(node, integer(pair[1], 0, len(nodes[node].outputs) - 1, "an output"))


def _type(ref: Ref, inputs: Sequence[InputType], nodes: Sequence[Node]) -> str:
    if ref.node >= 0:
        return nodes[ref.node].outputs[ref.output]
    one = inputs[ref.output]
    return RESOURCE if isinstance(one, VariableType) else one.dtype


def input_type(value: JsonValue) -> InputType:
    """The type of an input.

    Raises:
        ArchitectureError: it is none.
    """
    if type(value) is dict and value.keys() == {"variable"}:
        dtype, shape = _typed(value["variable"])
        if dtype == VARIANT:
            raise ArchitectureError("a variable that holds a list")
        return VariableType(dtype, shape)
    return TensorType(*_typed(value))


def _typed(value: JsonValue) -> tuple[str, Shape]:
    said = fields(value, "dtype shape", "an input")
    dtype = text(said["dtype"], "dtype")
    if dtype not in constants.DTYPES and dtype not in (STRING, VARIANT):
        raise ArchitectureError(f"unknown dtype {dtype!r:.60}")
    if said["shape"] is None:
        return dtype, None
    sizes = listed(said["shape"], MAX_RANK, "shape")
    return dtype, tuple([integer(one, -1, limits.MAX_SAFE_INTEGER, "a size") for one in sizes])
