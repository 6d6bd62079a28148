"""What a TensorFlow graph would do: its operations judged by tables/tensorflow.txt.

Most operations are harmless or not whatever they are given. A SavedModel always saves and restores
its own variables, and may fill tables from its own assets: for these, the name of the file is
followed back through the nodes, and through the calls of functions, to where it comes from. What
the loader gives is as it should be; a constant, or something computed, is a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.scan import tables
from safemodel.scan.evidence import bounded
from safemodel.scan.outside import leads_outside

if TYPE_CHECKING:
    from safemodel.legacy.tensorflow import Graph, MetaGraph, Node
    from safemodel.scan.scope import Scope

KINDS: Final = (
    "harmless", "reads", "writes", "runs", "connects", "saver", "table", "debug", "cache", "ends"
)  # fmt: skip
_RULES: Final = {
    "reads": ("SM303", "reads files"),
    "writes": ("SM302", "writes files"),
    "runs": ("SM301", "runs code that is not in the graph"),
    "connects": ("SM304", "connects to a server"),
    "ends": ("SM309", "ends the process"),
}
# Which input of these is the name of a file.
_NAMES: Final = {
    "InitializeTableFromTextFile": (1,),
    "InitializeTableFromTextFileV2": (1,),
    "MergeV2Checkpoints": (0, 1),
    "Restore": (0,),
    "RestoreSlice": (0,),
    "RestoreV2": (0,),
    "Save": (0,),
    "SaveV2": (0,),
}
# Operations whose result is one of these inputs, and nothing else.
_PASS: Final = {
    "ExpandDims": (0,),
    "Identity": (0,),
    "Pack": None,  # all
    "Reshape": (0,),
    "Select": (1, 2),
    "SelectV2": (1, 2),
    "ShardedFilename": (0,),
    "Squeeze": (0,),
}
# Operations that call functions: how many inputs are before those that the function gets.
_CALLS: Final = {
    "Case": 1,
    "If": 1,
    "PartitionedCall": 0,
    "StatefulPartitionedCall": 0,
    "StatelessCase": 1,
    "StatelessIf": 1,
    "StatelessWhile": 0,
    "While": 0,
}
# Attributes that name a file, of operations that are harmless without.
_FILE_ATTRIBUTES: Final = {"FixedUnigramCandidateSampler": "vocab_file"}
_DESCRIPTORS: Final = ("local://", "bytes://")
_SAME: Final = frozenset({"Identity", "PlaceholderWithDefault"})
_MAX_PASSES: Final = 20
_MAX_STEPS: Final = 10_000


def known(operation: str) -> bool:
    """Whether TensorFlow has the operation."""
    return kind_of(operation) is not None


def kind_of(operation: str) -> str | None:
    """The kind of an operation (see tests/census/tensorflow_names.py); None if nobody knows it."""
    for kind in KINDS:
        if operation in tables.tensorflow(kind):
            return kind
    return None


def rule_of(kind: str | None) -> tuple[str, str] | None:
    """Rule and words for a kind that is a finding whatever the operation is given."""
    return _RULES.get(kind or "")


def judge(found: MetaGraph, scope: Scope) -> None:
    """Report what the graphs do besides computing."""
    Judge(found, scope).run()


class Judge:
    """Judges the graphs of one MetaGraphDef."""

    def __init__(self, found: MetaGraph, scope: Scope) -> None:
        self.found = found
        self.scope = scope
        self.functions = {graph.name: graph for graph in found.graphs if graph.name}
        self.assets = {asset.tensor.partition(":")[0] for asset in found.assets}
        self.nodes: dict[int, dict[str, Node]] = {}  # by the identity of a graph
        # function -> numbers of the arguments that become names of files, with the rule
        self.sinks: dict[str, dict[int, str]] = {}

    def run(self) -> None:
        """Judge every node, then where the names of files come from."""
        for asset in self.found.assets:
            why = leads_outside(asset.file) if asset.file else "is empty"
            if why:
                message = f"the name of an asset, {bounded(asset.file)!r}, {why}"
                self.scope.find("SM310", message, offset=asset.offset)
        kinds: dict[str, str | None] = {}
        users: list[tuple[Graph, Node]] = []
        for graph in self.found.graphs:
            for node in graph.nodes:
                if node.operation not in kinds:
                    kinds[node.operation] = kind_of(node.operation)
                kind = kinds[node.operation]
                if kind == "harmless":
                    continue
                if kind in ("saver", "table"):
                    users.append((graph, node))
                else:
                    self._node(graph, node, kind)
        if users:
            self._follow(users)

    def report(self, rule: str, message: str, graph: Graph, node: Node, value: str = "") -> None:
        """A finding about one node."""
        evidence = [("operation", node.operation), ("node", node.name)]
        if graph.name:
            evidence.append(("function", graph.name))
        if value:
            evidence.append(("value", value))
        self.scope.find(rule, message, offset=node.offset, evidence=tuple(evidence))

    def _node(self, graph: Graph, node: Node, kind: str | None) -> None:
        operation = node.operation
        if kind is None:
            if operation not in self.functions:
                message = f"the operation {bounded(operation)!r} is not one of TensorFlow"
                self.report("SM308", message, graph, node)
        elif kind == "debug":
            self._debug(graph, node)
        elif kind == "cache":
            name = self._constant(graph, node, 1)
            if name != "":
                self.report("SM302", f"{operation} keeps what it reads in a file", graph, node)
        elif not self._without_file(node):
            rule, does = _RULES[kind]
            value = self._constant(graph, node, 0) or ""
            message = f"{operation} {does}" + (f": {bounded(value)!r}" if value else "")
            self.report(rule, message, graph, node, value)

    def _without_file(self, node: Node) -> bool:
        attribute = _FILE_ATTRIBUTES.get(node.operation)
        if attribute is not None:
            return not any(node.texts.get(attribute, ()))
        if node.operation in ("DecodeProtoV2", "EncodeProto"):
            source = node.texts.get("descriptor_source", ("local://",))
            return all(one.startswith(_DESCRIPTORS) for one in source)
        return False

    def _debug(self, graph: Graph, node: Node) -> None:
        for key in ("debug_urls", "debug_ops_spec", "output_stream"):
            for value in node.texts.get(key, ()):
                if "://" in value:
                    message = f"{node.operation} sends what it sees to {bounded(value)!r}"
                    self.report("SM307", message, graph, node, value)

    # -- where the name of a file comes from

    def _by_name(self, graph: Graph) -> dict[str, Node]:
        nodes = self.nodes.get(id(graph))
        if nodes is None:
            nodes = self.nodes[id(graph)] = {node.name: node for node in graph.nodes}
        return nodes

    def _input(self, node: Node, number: int) -> str | None:
        data = [one for one in node.inputs if not one.startswith("^")]
        return data[number] if number < len(data) else None

    def _constant(self, graph: Graph, node: Node, number: int) -> str | None:
        """The text of an input that is a constant; None if it is none."""
        name = self._input(node, number)
        nodes = self._by_name(graph)
        source = nodes.get(name.partition(":")[0]) if name else None
        for _ in range(_MAX_PASSES):
            if source is None or source.operation not in _SAME or not source.inputs:
                break
            source = nodes.get(source.inputs[0].partition(":")[0])
        if source is None or not source.constant:
            return None
        return next((one for one in source.constant if one), "")

    def _follow(self, users: list[tuple[Graph, Node]]) -> None:
        """Follow the names of files to where they come from, through calls."""
        for graph, node in users:
            rule = "SM306" if node.operation.startswith("Init") else "SM305"
            for number in _NAMES[node.operation]:
                self._origin(graph, node, number, rule)
        done: set[tuple[str, int]] = set()
        for _ in range(_MAX_PASSES):
            fresh = {
                (name, number)
                for name, arguments in self.sinks.items()
                for number in arguments
                if (name, number) not in done
            }
            if not fresh:
                return
            done |= fresh
            self._calls(fresh)
        self.scope.find("SM305", "the name of a file passes through too many functions")

    def _calls(self, fresh: set[tuple[str, int]]) -> None:
        wanted: dict[str, list[int]] = {}
        for name, number in fresh:
            wanted.setdefault(name, []).append(number)
        for graph in self.found.graphs:
            self.scope.budget.check_time()
            for node in graph.nodes:
                names = (*node.calls, node.operation) if node.calls else (node.operation,)
                for name in names:
                    for number in wanted.get(name, ()):
                        self._call(graph, node, name, number)
        for name, numbers in wanted.items():
            for number in numbers:
                self._captured(name, number)

    def _call(self, graph: Graph, node: Node, name: str, number: int) -> None:
        rule = self.sinks[name][number]
        shift = _CALLS.get(node.operation, 0 if node.operation in self.functions else None)
        if shift is None:
            message = f"{node.operation} calls {bounded(name)}, which gets the name of a file"
            self.report(rule, message, graph, node)
        else:
            self._origin(graph, node, number + shift, rule)

    def _captured(self, name: str, number: int) -> None:
        """An argument that a SavedModel binds to one of its objects."""
        bound = (self.found.captures or {}).get(name, ())
        place = number - (len(self.functions[name].arguments) - len(bound))
        if not bound or place < 0 or place >= len(bound) or not self.found.graphs:
            return
        index = bound[place]
        kind = self.found.objects[index].kind if index < len(self.found.objects) else "unknown"
        if kind == "asset":
            return
        main = self.found.graphs[0]
        holder = self.found.objects[index].operation if kind == "constant" else ""
        node = self._by_name(main).get(holder)
        value = node.constant[0] if node is not None and node.constant else ""
        rule = self.sinks[name][number]
        self.scope.find(
            rule,
            f"the function {name} gets the name of a file from a saved {kind or 'object'}"
            + (f": {bounded(value)!r}" if value else ""),
            offset=node.offset if node is not None else None,
            evidence=(("function", name), ("value", value)),
        )

    def _origin(self, graph: Graph, user: Node, number: int, rule: str) -> None:
        """Report the input of a node, unless it is what a loader gives."""
        self.scope.budget.check_time()
        name = self._input(user, number)
        if name is None:
            self.report(rule, f"{user.operation} without the name of a file", graph, user)
            return
        waiting, seen = [(name, False)], set()
        nodes = self._by_name(graph)
        while waiting:
            reference, suffix = waiting.pop()
            if (reference, suffix) in seen:
                continue
            seen.add((reference, suffix))
            base = reference.partition(":")[0]
            node = nodes.get(base)
            if len(seen) > _MAX_STEPS:
                self.report(rule, f"{user.operation}: too far to follow", graph, user)
                return
            if node is None:
                if base in graph.arguments and not suffix:
                    argument = graph.arguments.index(base)
                    self.sinks.setdefault(graph.name, {}).setdefault(argument, rule)
                    continue
                self.report(rule, f"{user.operation} of {bounded(base)}", graph, user)
            elif not self._step(graph, node, waiting, suffix=suffix):
                value = node.constant[0] if node.constant else ""
                what = repr(bounded(value)) if value else f"what {node.operation} gives"
                message = f"{user.operation} uses {what} as the name of a file"
                self.report(rule, message, graph, user, value)

    def _step(
        self, graph: Graph, node: Node, waiting: list[tuple[str, bool]], *, suffix: bool
    ) -> bool:
        """One node back. False: the name of the file comes from here, and should not."""
        operation = node.operation
        data = [one for one in node.inputs if not one.startswith("^")]
        if operation == "Const":
            return node.name in self.assets or (suffix and _plain(node.constant))
        if operation == "Placeholder" or node.name in self.assets:
            return not suffix
        if operation == "PlaceholderWithDefault":
            default = self._constant(graph, node, 0)
            return not suffix and default is not None and _plain((default,))
        if operation in _PASS:
            chosen = _PASS[operation]
            numbers = range(len(data)) if chosen is None else chosen
            waiting += [(data[number], suffix) for number in numbers if number < len(data)]
            return True
        if operation == "StringJoin" and data:
            waiting.append((data[0], suffix))
            waiting += [(one, True) for one in data[1:]]
            return True
        if operation == "ReadVariableOp" and data:
            return self._variable(graph, data[0], waiting)
        return False

    def _variable(self, graph: Graph, holder: str, waiting: list[tuple[str, bool]]) -> bool:
        """A variable with the path of an asset: what the graph itself assigns to it."""
        assigned = [
            node.inputs[1]
            for node in graph.nodes
            if node.operation == "AssignVariableOp" and node.inputs[:1] == (holder,)
            if len(node.inputs) > 1
        ]
        waiting += [(one, False) for one in assigned]
        return bool(assigned)


def _plain(texts: tuple[str, ...] | None) -> bool:
    """Whether a constant may be part of a name: nothing that leads to another folder."""
    return texts is not None and not any(
        one.startswith(("/", "\\", "~")) or ":" in one or ".." in one for one in texts
    )
