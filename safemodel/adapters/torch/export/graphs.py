"""Nodes of a program's graphs, read: what each calls, and on which values.

A node may only use values that are there before it. Of each value it is known whether it is one
thing or several, so a list can't stand where a tensor must. Implements spec/torch-graph.md,
"Nodes".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.torch.export import control, values
from safemodel.adapters.torch.export.program import Graph, Node
from safemodel.adapters.torch.export.reading import fields, integer, listed
from safemodel.adapters.torch.export.values import CPU, OWN_DEVICE, GraphRef, Ref
from safemodel.adapters.torch.operators import ARITHMETIC, NODE, OPERATORS, Resolved
from safemodel.errors import ArchitectureError, SafemodelError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

GETITEM: Final = "operator::getitem"

# What a value is: one tensor or number; a list of unknown length; so many values; or unknown.
ONE: Final = -1
LIST: Final = -2
UNKNOWN: Final = -3


class Budget:
    """What all graphs of a program may have together."""

    def __init__(self) -> None:
        self._nodes = limits.MAX_PROGRAM_NODES
        self._values = limits.MAX_PROGRAM_VALUES

    def node(self) -> None:
        """Account for a node."""
        self._nodes -= 1
        if self._nodes < 0:
            raise ArchitectureError(f"more than {limits.MAX_PROGRAM_NODES} nodes")

    def values(self, count: int) -> None:
        """Account for values that are written in the graphs."""
        self._values -= count
        if self._values < 0:
            raise ArchitectureError(f"more than {limits.MAX_PROGRAM_VALUES} values")


class GraphParser:
    """Reads the graphs of one program, those that others run before the others."""

    def __init__(self, operators: Sequence[Resolved | str], slots: int, budget: Budget) -> None:
        self._operators = operators
        self._slots = slots
        self._budget = budget
        self._graphs: list[Graph] = []
        self._depths: list[int] = []
        self._used: set[int] = set()
        self._run: set[int] = set()
        self._depth = 0

    def graph(
        self, inputs: int, state: list[JsonValue], nodes: JsonValue, outputs: JsonValue
    ) -> Graph:
        """One graph.

        Raises:
            ArchitectureError: anything about it that must not be.
        """
        slots = tuple([integer(slot, 0, self._slots - 1, "a number of state") for slot in state])
        if len(set(slots)) != len(slots):
            raise ArchitectureError("a tensor of the state that is given twice")
        kinds = [ONE] * (inputs + len(slots))
        self._budget.values(len(kinds))
        depth = 0
        parsed = []
        for place, item in enumerate(listed(nodes, limits.MAX_PROGRAM_NODES, "nodes")):
            try:
                node, kind = self._node(item, kinds)
                for value in node.args:
                    if type(value) is GraphRef:
                        depth = max(depth, self._depths[value.index] + 1)
            except SafemodelError as error:
                error.place = error.place or f"node {place}"
                raise
            parsed.append(node)
            kinds.append(kind)
        if depth > limits.MAX_PROGRAM_CALLS:
            raise ArchitectureError("graphs that run one another too deeply")
        given = values.parse(outputs)
        if type(given) is not tuple:
            raise ArchitectureError("outputs must be a list")
        self._check_outputs(given, kinds)
        self._depth = depth
        return Graph(inputs, slots, tuple(parsed), given)

    def subgraph(self, inputs: int, nodes: JsonValue, outputs: JsonValue) -> Graph:
        """One that later graphs may run.

        Raises:
            ArchitectureError: anything about it that must not be.
        """
        made = self.graph(inputs, [], nodes, outputs)
        self._graphs.append(made)
        self._depths.append(self._depth)
        return made

    def _check_outputs(self, outputs: tuple[Any, ...], kinds: Sequence[int]) -> None:
        self._budget.values(len(outputs))
        for value in outputs:
            if type(value) not in (Ref, type(None), bool, int, float, complex):
                raise ArchitectureError("an output is a value of the graph, or a number")
            if type(value) is Ref and self._kind(value, kinds) not in (ONE, UNKNOWN):
                raise ArchitectureError("an output that is a list")

    def finish(self) -> None:
        """Every graph and every operator must have been used.

        Raises:
            ArchitectureError: one was not.
        """
        if len(self._used) != len(self._operators):
            raise ArchitectureError("an operator that no node names")
        if len(self._run) != len(self._graphs):
            raise ArchitectureError("a graph that nothing runs")

    @staticmethod
    def _kind(ref: Ref, kinds: Sequence[int]) -> int:
        if ref.index >= len(kinds):
            raise ArchitectureError("a value that is not there yet")
        return kinds[ref.index]

    def _node(self, item: JsonValue, kinds: Sequence[int]) -> tuple[Node, int]:
        self._budget.node()
        node = fields(item, "op args", "a node", "kwargs")
        number = integer(node["op"], 0, len(self._operators) - 1, "op")
        self._used.add(number)
        args = values.parse(node["args"])
        if type(args) is not tuple:
            raise ArchitectureError("args must be a list")
        kwargs = {}
        if "kwargs" in node:
            written = node["kwargs"]
            if type(written) is not dict or not written:
                raise ArchitectureError("kwargs must be an object with entries, or absent")
            kwargs = {name: values.parse(value) for name, value in written.items()}
        for value in values.inside((args, tuple(kwargs.values()))):
            self._budget.values(1)
            if type(value) is Ref:
                self._kind(value, kinds)
        operator = self._operators[number]
        if type(operator) is str:
            return self._control(operator, args, kwargs, kinds)
        return self._call(operator, args, kwargs, kinds)  # type: ignore[arg-type]  # Resolved

    def _control(
        self, name: str, args: tuple[Any, ...], kwargs: Any, kinds: Sequence[int]
    ) -> tuple[Node, int]:
        if name not in control.CONTROL or kwargs:
            raise ArchitectureError(f"{name!r:.60} is not in the table of operators")
        count = control.check(name, args, self._graphs)
        for value in values.inside(args):
            if type(value) is Ref and self._kind(value, kinds) not in (ONE, UNKNOWN):
                raise ArchitectureError(f"{name} with a list where one value must be")
            if type(value) is GraphRef:
                self._run.add(value.index)
        return Node(name, control.CONTROL[name].call, args, kwargs), count

    def _call(
        self, operator: Resolved, args: tuple[Any, ...], kwargs: Any, kinds: Sequence[int]
    ) -> tuple[Node, int]:
        name = operator.name
        operator.check([_shown(value) for value in args], {k: _shown(v) for k, v in kwargs.items()})
        node = Node(name, operator.call, args, kwargs)
        if name == GETITEM:
            return node, self._item(args, kinds)
        if name in ARITHMETIC:
            for value in values.inside(args):
                if type(value) is Ref and self._kind(value, kinds) not in (ONE, UNKNOWN):
                    raise ArchitectureError(f"operator {name} with a list where a number must be")
            return node, ONE
        row = OPERATORS.get(name)
        if row is None:
            return node, UNKNOWN  # the caller's own
        self._check_lists(row.signature, args, kwargs, kinds)
        if row.signature.text.endswith("[]"):
            return node, LIST
        return node, ONE if operator.outputs == 1 else operator.outputs

    def _item(self, args: tuple[Any, ...], kinds: Sequence[int]) -> int:
        kind = self._kind(args[0], kinds) if type(args[0]) is Ref else ONE
        if kind == ONE or (kind >= 0 and not -kind <= args[1] < kind):
            raise ArchitectureError("an item of what has none, or not so many")
        return ONE

    def _check_lists(
        self, signature: Any, args: tuple[Any, ...], kwargs: Any, kinds: Sequence[int]
    ) -> None:
        """A list must not stand where one value must be, nor one value where a list must."""
        known = {argument.name: argument.kind for argument in signature.arguments}
        places = [argument.kind for argument in signature.arguments]
        for kind, value in [*zip(places, args, strict=False)] + [
            (known[name], value) for name, value in kwargs.items()
        ]:
            if type(value) is Ref:
                given = self._kind(value, kinds)
                several = given not in (ONE, UNKNOWN)
                if several != (kind.many and kind.length is None) and given != UNKNOWN:
                    raise ArchitectureError(
                        f"operator {signature.text:.60}: a list where one value must be, or one "
                        "where a list must"
                    )
            elif type(value) is tuple:
                for ref in value:
                    if type(ref) is Ref and self._kind(ref, kinds) not in (ONE, UNKNOWN):
                        raise ArchitectureError("a list in a list of values")


def _shown(value: Any) -> Any:
    """A value as the check of an operator takes it."""
    if type(value) is Ref:
        return NODE
    if value is OWN_DEVICE:
        return CPU
    if type(value) is tuple:
        return [_shown(item) for item in value]
    if type(value) is GraphRef:
        raise ArchitectureError("an operator of the table runs no graph")
    return value
