"""A graph of `torch.export` as JSON: nodes by number, operators by name, no name of a node.

What only checks types of inputs is left out, what checks sizes stays. Implements
spec/torch-graph.md, "Nodes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel.adapters.torch import tables
from safemodel.adapters.torch.export import control, values
from safemodel.adapters.torch.export.values import CPU, OWN_DEVICE, GraphRef, Ref
from safemodel.adapters.torch.operators import name_of
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.adapters.torch.export.conditions import Conditions
    from safemodel.format.canonical_json import JsonValue

# They check what the example was: types that `to()` may change, and ranges that are checked
# where they matter.
_DROPPED: Final = frozenset(
    {
        "aten::_assert_tensor_metadata",
        "aten::sym_constrain_range",
        "aten::sym_constrain_range_for_size",
    }
)
_COPY: Final = "aten::copy_"
_ASSERT: Final = "aten::_assert_scalar"
_ASSERTED: Final = "a size is outside of what the model was exported for"
# What gives the same as what it is given, as far as values go, and changes nothing.
_PURE: Final = ("operator::", "math::", "sym::", "aten::sym_")


_NOTHING: Final[Mapping[Any, Any]] = {}


class Writer:
    """The graphs of one program in the making: operators by name until all are known."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.graphs: list[JsonValue] = []
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []  # ids stay unique
        self.operators: set[str] = set()
        self.unchecked: set[str] = set()  # conditions that no node can say

    def graph(
        self,
        graph: torch.fx.Graph,
        lifted: Mapping[str, int] = _NOTHING,
        mutated: Mapping[int, str] = _NOTHING,
        conditions: Conditions | None = None,
    ) -> tuple[list[int], list[JsonValue], list[Any]]:
        """Encode a graph: the numbers of its state, its nodes, and what it returns.

        `lifted` maps inputs to the tensors of the state that they are. `mutated` says of outputs,
        by their place, that they are what an input becomes. `conditions` come first.

        Raises:
            UnsavableError: it has a node that a program can't have.
        """
        return GraphWriter(self, graph, lifted, mutated).run(conditions)

    def subgraph(self, module: torch.fx.GraphModule) -> GraphRef:
        """Encode a graph that nodes run; once, however many do."""
        if id(module) not in self._known:
            _, nodes, outputs = self.graph(module.graph)
            count = sum(node.op == "placeholder" for node in module.graph.nodes)
            self._kept.append(module)
            encoded: dict[str, JsonValue] = {
                "inputs": count,
                "nodes": nodes,
                "outputs": values.encode(outputs, "outputs"),
            }
            if encoded not in self.graphs:
                self.graphs.append(encoded)
            self._known[id(module)] = self.graphs.index(encoded)
        return GraphRef(self._known[id(module)])

    def literal(self, value: Any, place: str) -> Any:
        """A value as it is written: the module's device as such."""
        if type(value) is torch.device:
            if value == self._device or (value.type == self._device.type and value.index is None):
                return OWN_DEVICE
            if value.type == "cpu":
                return CPU
            raise UnsavableError(
                f"a graph on {value} and on {self._device}",
                place=place,
                hint="move the module and its inputs to one device before it is saved",
            )
        return value

    def finish(self, program: dict[str, Any]) -> None:
        """Number the operators, now that all are known."""
        program["operators"] = sorted(self.operators)
        numbers = {name: number for number, name in enumerate(program["operators"])}
        for graph in [*program["graphs"], *program["forms"]]:
            for node in graph["nodes"]:
                node["op"] = numbers[node["op"]]


class GraphWriter:
    """One graph."""

    def __init__(
        self,
        writer: Writer,
        graph: torch.fx.Graph,
        lifted: Mapping[str, int],
        mutated: Mapping[int, str],
    ) -> None:
        self._writer = writer
        self._graph = graph
        self._lifted = lifted
        self._mutated = mutated
        self._numbers: dict[torch.fx.Node, Any] = {}
        self._written: list[JsonValue] = []
        self._first = 0

    def run(
        self, conditions: Conditions | None = None
    ) -> tuple[list[int], list[JsonValue], list[Any]]:
        """The numbers of the state, the nodes, and what the graph returns."""
        nodes = list(self._graph.nodes)
        state = self._number_inputs([node for node in nodes if node.op == "placeholder"])
        if conditions is not None:
            conditions.write(self)
        live = _live(nodes)
        results: list[Any] = []
        for node in nodes:
            if node.op == "output":
                results = self._results(node)
            elif node.op == "get_attr":
                self._numbers[node] = self._held(str(node.target))
            elif node.op == "call_function" and node in live:
                self._call(node)
            elif node.op not in ("placeholder", "call_function"):
                raise UnsavableError(f"a node of the kind {node.op}", place=node.name)
        return state, self._written, results

    def _number_inputs(self, placeholders: Sequence[torch.fx.Node]) -> list[int]:
        """Number the inputs, then the tensors of the state that are used, by their slots."""
        inputs = [node for node in placeholders if node.name not in self._lifted]
        for number, node in enumerate(inputs):
            self._numbers[node] = Ref(number)
        names = set(self._mutated.values())
        lifted = {
            node: self._lifted[node.name]
            for node in placeholders
            if node.name in self._lifted and (node.users or node.name in names)
        }
        state = sorted(set(lifted.values()))
        for node, slot in lifted.items():
            self._numbers[node] = Ref(len(inputs) + state.index(slot))
        self._first = len(inputs) + len(state)
        return state

    def _held(self, target: str) -> GraphRef:
        held: Any = self._graph.owning_module
        for part in target.split("."):
            held = getattr(held, part)
        if not isinstance(held, torch.fx.GraphModule):
            raise UnsavableError(f"a graph that holds a {tables.kind_name(held)}", place=target)
        return self._writer.subgraph(held)

    def _results(self, output: torch.fx.Node) -> list[Any]:
        """What the graph returns; what inputs become is copied into them before."""
        given: Any = output.args[0]
        by_name = {node.name: node for node in self._graph.nodes if node.op == "placeholder"}
        results = []
        for place, value in enumerate(given if isinstance(given, list | tuple) else [given]):
            if place not in self._mutated:
                results.append(self._value(value, "output"))
                continue
            target = by_name[self._mutated[place]]
            if not _is_in_place(value, target):
                args = [self._numbers[target], self._value(value, "output")]
                self.add(_COPY, args)
        return results

    def add(self, name: str, args: list[Any]) -> Ref:
        """Write a node that the exported graph does not have."""
        self._writer.operators.add(name)
        self._written.append({"op": name, "args": values.encode(args, name)})
        return Ref(self._first + len(self._written) - 1)

    def claim(self, condition: Ref) -> None:
        """Write that something must be true."""
        self.add(_ASSERT, [condition, _ASSERTED])

    def _call(self, node: torch.fx.Node) -> None:
        """Write a call. One that puts its result elsewhere (`out=`) is two: the call, a copy."""
        plain = _without_out(node)
        self._numbers[node] = Ref(self._first + len(self._written))
        self._written.append(self._node(node, plain))
        if plain is not None:
            target = self._value(node.kwargs["out"], node.name)
            self._numbers[node] = self.add(_COPY, [target, self._numbers[node]])

    def _node(self, node: torch.fx.Node, plain: Any = None) -> JsonValue:
        name = _name(node, plain)
        self._writer.operators.add(name)
        args = [self._value(value, node.name) for value in node.args]
        kwargs = {
            key: self._value(value, node.name)
            for key, value in node.kwargs.items()
            if plain is None or key != "out"
        }
        if name == _ASSERT:
            args, kwargs = [args[0], _ASSERTED], {}
        if name == "control::autocast" and args[0] == self._writer._device.type:
            args[0] = "own"
        if name in control.CONTROL and kwargs:
            raise UnsavableError(f"{node.target} with arguments by name", place=node.name)
        encoded: dict[str, JsonValue] = {"op": name, "args": values.encode(args, node.name)}
        if kwargs:
            encoded["kwargs"] = {
                key: values.encode(value, node.name) for key, value in kwargs.items()
            }
        return encoded

    def _value(self, value: Any, place: str) -> Any:
        if isinstance(value, torch.fx.Node):
            return self._numbers[value]
        if isinstance(value, list | tuple):
            return [self._value(item, place) for item in value]
        if isinstance(value, dict):
            return {key: self._value(item, place) for key, item in value.items()}
        if isinstance(value, slice):
            raise UnsavableError("a slice in the graph", place=place)
        return self._writer.literal(value, place)


def _is_in_place(value: Any, target: torch.fx.Node) -> bool:
    """Whether a value is the tensor itself, which an operator changed and returned."""
    while isinstance(value, torch.fx.Node) and value is not target:
        schema = getattr(value.target, "_schema", None)
        if schema is None or not schema.name.endswith("_") or not value.args:
            return False
        value = value.args[0]
    return value is target


def _without_out(node: torch.fx.Node) -> Any:
    """The operator that does the same as one with `out=`, and returns a tensor of its own."""
    target = node.target
    out = node.kwargs.get("out")
    if not isinstance(target, torch._ops.OpOverload) or not isinstance(out, torch.fx.Node):
        return None
    result, place = node.meta.get("val"), out.meta.get("val")
    if not isinstance(result, torch.Tensor) or result.shape != getattr(place, "shape", None):
        return None  # PyTorch would give it another size

    def taken(schema: Any) -> list[tuple[str, str]]:
        return [(one.name, str(one.type)) for one in schema.arguments if not one.is_out]

    packet = target.overloadpacket
    overloads = [getattr(packet, overload) for overload in packet.overloads()]
    return next(
        (
            found
            for found in overloads
            if taken(found._schema) == taken(target._schema)
            and not any(one.is_out for one in found._schema.arguments)
        ),
        None,
    )


def _name(node: torch.fx.Node, plain: Any) -> str:
    name = name_of(plain or node.target)
    if name is None and isinstance(node.target, torch._ops.HigherOrderOperator):
        name = control.EXPORTED.get(node.target.name())  # type: ignore[no-untyped-call]
    if name is None:
        raise UnsavableError(
            f"the operator {_shown(node.target)}, which no graph of an archive can have",
            place=_place(node),
            hint="it is not in the table of operators (spec/torch-operators.md); save the state "
            "alone, without example_inputs=, and load it with into=",
        )
    return name


def _shown(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return str(target.name())  # type: ignore[no-untyped-call]
    name = getattr(target, "__name__", None)
    return str(name) if name else tables.kind_name(target)


def _place(node: torch.fx.Node) -> str:
    """Where in the module the node comes from, as far as the export noted it."""
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    names = [entry[0] for entry in stack.values() if entry and entry[0]]
    return names[-1] if names else node.name


def _live(nodes: Sequence[torch.fx.Node]) -> set[torch.fx.Node]:
    """The nodes that are written: all but checks of types, and arithmetic that nothing uses."""
    live: set[torch.fx.Node] = set()
    for node in reversed(nodes):
        if node.op != "call_function":
            continue
        name = name_of(node.target)
        if name in _DROPPED:
            continue
        needed = any(user.op == "output" or user in live for user in node.users)
        if needed or name is None or not name.startswith(_PURE):
            live.add(node)
    return live
