"""Which nodes of a function do something beside giving outputs, as far as the table says it.

Implements spec/tensorflow-graph.md, "Writing".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from safemodel.adapters.tensorflow.table import operator
from safemodel.legacy.tensorflow_functions import FunctionFact, NodeFact

# They look at a variable and change nothing.
_READS: Final = frozenset(
    {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VarIsInitializedOp", "VariableShape"}
)
# They give their input, or stop the call.
_CHECKS: Final = frozenset({"CheckNumerics", "CheckNumericsV2"})
# About memory only; nodes that a variable goes through.
NOTHING: Final = frozenset({"DisableCopyOnRead", "NoOp"})


class Effects:
    """What the functions of a library change. It may grow, as long as no name is reused."""

    def __init__(self, library: Mapping[str, FunctionFact]) -> None:
        self._library = library
        self._changing: dict[str, bool] = {}

    def changes(self, node: NodeFact) -> bool:
        """Whether a node does something beside giving outputs."""
        row = operator(node.operation)
        if row is not None and not row.stateful:
            return False
        called = self._called(node)
        if called:
            return any(map(self._function_changes, called))
        if row is None:
            return node.operation not in NOTHING
        looks = node.operation in _READS or (bool(row.outputs) and not row.variables)
        return node.operation in _CHECKS or not looks

    def _called(self, node: NodeFact) -> list[str]:
        """The functions that a node runs."""
        direct = operator(node.operation) is None and node.operation in self._library
        found = [node.operation] if direct else []
        for one in node.attributes.values():
            if one.kind == "func":
                found += [call.name for call in (one.value if one.many else (one.value,))]
        return found

    def _function_changes(self, name: str) -> bool:
        """Whether a function, or one that it calls, changes something; however deep, once each."""
        if name not in self._changing:
            callers: dict[str, list[str]] = {name: []}
            stack, changing = [name], []
            while stack:
                one = stack.pop()
                fact = self._library.get(one)
                nodes = () if fact is None else fact.nodes
                called = [inner for node in nodes for inner in self._called(node)]
                own = any(not self._called(node) and self.changes(node) for node in nodes)
                if own or fact is None or any(map(self._changing.get, called)):
                    changing.append(one)
                for inner in called:
                    if inner not in callers and inner not in self._changing:
                        stack.append(inner)
                    callers.setdefault(inner, []).append(one)
            self._changing.update(dict.fromkeys(callers.keys() - self._changing.keys(), False))
            while changing:
                one = changing.pop()
                self._changing[one] = True
                changing += [caller for caller in callers[one] if not self._changing[caller]]
        return self._changing[name]
