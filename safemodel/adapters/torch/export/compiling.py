"""A program as functions of Python.

The source that is compiled consists of numbers: of values (`v7`), operators (`f2`), constants
(`c3`), graphs (`g0`). No name and no text of a file is in it, and no float, string or type is
spelled: what is no integer is an object that the function is given. Implements
spec/torch-graph.md, "Running".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from safemodel.adapters.torch.export.control import CONTROL
from safemodel.adapters.torch.export.graphs import GETITEM
from safemodel.adapters.torch.export.program import Graph, Node
from safemodel.adapters.torch.export.values import GraphRef, OwnDevice, Ref, inside

Function = Callable[..., tuple[Any, ...]]

_SMALL: Final = (bool, int)


def compile_graphs(graphs: Sequence[Graph], forms: Sequence[Graph]) -> tuple[Function, ...]:
    """One function for each of `forms`: it takes the device, the state and the inputs.

    `graphs` are those that nodes run: they get the device and their inputs, one by one.
    """
    space = _Space()
    for number, graph in enumerate(graphs):
        inputs = [f"v{value}" for value in range(graph.inputs)]
        space.define(f"g{number}", ["own", *inputs], [], graph)
    for number, graph in enumerate(forms):
        unpack = []
        if graph.state:
            names = [f"v{value}" for value in range(graph.inputs, graph.first)]
            unpack.append(f"{', '.join(names)}, = s")
        if graph.inputs:
            names = [f"v{value}" for value in range(graph.inputs)]
            unpack.append(f"{', '.join(names)}, = i")
        space.define(f"m{number}", ["own", "s", "i"], unpack, graph)
    return tuple([space.names[f"m{number}"] for number in range(len(forms))])


class _Space:
    """The globals of the functions of one program."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__builtins__": {}}
        self._operators: dict[int, str] = {}
        self._constants: dict[tuple[type, str], str] = {}

    def define(self, name: str, parameters: list[str], unpack: list[str], graph: Graph) -> None:
        lines = [f"def {name}({', '.join(parameters)}):"]
        lines += [f"    {line}" for line in unpack]
        lines += [f"    {line}" for line in self._body(graph)]
        source = "\n".join(lines) + "\n"
        exec(compile(source, "<program>", "exec"), self.names)  # noqa: S102  # numbers alone

    def _body(self, graph: Graph) -> list[str]:
        used, ends = _uses(graph)
        lines = []
        for number, node in enumerate(graph.nodes, graph.first):
            call = self._call(node)
            lines.append(f"v{number} = {call}" if number in used else call)
            if number in ends:
                lines.append("del " + ", ".join([f"v{value}" for value in ends[number]]))
        results = [self._text(value) for value in graph.outputs]
        lines.append(f"return ({', '.join(results)},)" if results else "return ()")
        return lines

    def _call(self, node: Node) -> str:
        if node.name == GETITEM:
            return f"{self._text(node.args[0])}[{self._text(node.args[1])}]"
        args = [self._text(value) for value in node.args]
        if node.name in CONTROL:
            args.insert(0, "own")
        if node.kwargs:
            entries = [f"{self._constant(k)}: {self._text(v)}" for k, v in node.kwargs.items()]
            args.append("**{" + ", ".join(entries) + "}")
        return f"{self._operator(node.call)}({', '.join(args)})"

    def _operator(self, call: Callable[..., Any]) -> str:
        name = self._operators.setdefault(id(call), f"f{len(self._operators)}")
        self.names[name] = call
        return name

    def _text(self, value: Any) -> str:
        kind = type(value)
        if kind is Ref:
            return f"v{value.index}"
        if kind is GraphRef:
            return f"g{value.index}"
        if kind is OwnDevice:
            return "own"
        if value is None or kind in _SMALL:
            return repr(value)
        if kind is tuple:
            items = [self._text(item) for item in value]
            # A list that holds no values of the graph is made once.
            if any(type(item) in (Ref, GraphRef, OwnDevice) for item in inside(value)):
                return f"[{', '.join(items)}]"
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        return self._constant(value)

    def _constant(self, value: Any) -> str:
        key = type(value), repr(value)
        name = self._constants.setdefault(key, f"c{len(self._constants)}")
        self.names.setdefault(name, value)
        return name


def _uses(graph: Graph) -> tuple[set[int], Mapping[int, Sequence[int]]]:
    """Which values are used at all, and for each node: which ones there for the last time."""
    used = {value.index for value in inside(graph.outputs) if type(value) is Ref}
    ends: dict[int, list[int]] = {}
    for number in range(graph.first + len(graph.nodes) - 1, graph.first - 1, -1):
        node = graph.nodes[number - graph.first]
        for value in inside((node.args, tuple(node.kwargs.values()))):
            if type(value) is Ref and value.index not in used:
                used.add(value.index)
                ends.setdefault(number, []).append(value.index)
    return used, ends
