"""Which values in a template are text of its own, and which it puts together.

`messages[0][key]` is in every second chat template; `value["__cl" ~ "ass__"]` is in none. An
expression is *text* if its value may be a string that the template itself wrote; it is *computed*
if it may be a string that the template made out of pieces, so that looking at its strings one by
one does not tell what it is. What comes from the messages is neither. Variables are followed
without regard to order: one that is computed anywhere is computed everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from safemodel.legacy import jinja_tables as tables

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_DEPTH: Final = 40  # of an expression that is followed; deeper ones count as computed
MAX_ROUNDS: Final = 12


class Text(IntEnum):
    """What a value may be."""

    NONE = 0  # a number, or something that whoever renders the template passed in
    WRITTEN = 1  # a string of the template, as written
    COMPUTED = 2  # a string of the template, made out of pieces


class Texts:
    """What is known of the expressions of one template.

    Attributes:
        assigned: the names that the template itself gives a value to.
        macros: the names of its macros.
    """

    __slots__ = ("_constants", "_kinds", "_n", "assigned", "macros")

    def __init__(self, tree: nodes.Template) -> None:
        from jinja2 import nodes as n

        self._n = n
        self._kinds: dict[str, Text] = {}
        self._constants: dict[str, object] = {}
        assignments = _Assignments(tree)
        self.assigned = assignments.names
        self.macros = frozenset(assignments.macros)
        self._follow(assignments)

    def is_text(self, node: nodes.Node) -> bool:
        """Whether the value may be a string that the template itself wrote."""
        return self._kind(node, 0) is not Text.NONE

    def is_computed(self, node: nodes.Node) -> bool:
        """Whether the value may be a string that the template puts together."""
        return self._kind(node, 0) is Text.COMPUTED

    def constant(self, node: nodes.Node, depth: int = 0) -> object:
        """The value of a constant expression of strings and small numbers; else None."""
        n = self._n
        if depth > MAX_DEPTH:
            return None
        if isinstance(node, n.Const):
            return node.value
        if isinstance(node, n.Name):
            return self._constants.get(node.name)
        if isinstance(node, n.Neg):
            value = self.constant(node.node, depth + 1)
            return -value if isinstance(value, int | float) else None
        if isinstance(node, n.Concat):
            parts = [self.constant(part, depth + 1) for part in node.nodes]
            if all(isinstance(part, str | int) for part in parts):
                return "".join(map(str, parts))
        if isinstance(node, n.Add | n.Mul | n.Pow):
            return _fold(
                type(node).__name__,
                self.constant(node.left, depth + 1),
                self.constant(node.right, depth + 1),
            )
        return None

    def prefix(self, node: nodes.Node, depth: int = 0) -> str:
        """What a computed string begins with, as far as the template writes it out."""
        n = self._n
        value = self.constant(node)
        if isinstance(value, str):
            return value
        if depth > MAX_DEPTH:
            return ""
        if isinstance(node, n.Concat):
            return self.prefix(node.nodes[0], depth + 1)
        return self.prefix(node.left, depth + 1) if isinstance(node, n.Add) else ""

    def doubles(self, target: nodes.Node, value: nodes.Node) -> bool:
        """Whether a variable gets itself, twice or more, put together."""
        n = self._n
        if isinstance(value, n.Concat):
            parts = [*value.nodes]
        elif isinstance(value, n.Add):
            parts = [value.left, value.right]
        else:
            return False
        if isinstance(target, n.NSRef):
            same: list[bool] = [
                isinstance(part, n.Getattr)
                and part.attr == target.attr
                and isinstance(part.node, n.Name)
                and part.node.name == target.name
                for part in parts
            ]
        else:
            name = target.name if isinstance(target, n.Name) else None
            same = [isinstance(part, n.Name) and part.name == name for part in parts]
        return same.count(True) > 1

    def range_size(self, node: nodes.Node) -> int | None:
        """How many numbers `range(…)` of constants has; None for anything else."""
        n = self._n
        if not isinstance(node, n.Call) or not isinstance(node.node, n.Name):
            return None
        values = [self.constant(argument) for argument in node.args[:3]]
        if node.node.name != "range" or not values:
            return None
        numbers = [value for value in values if isinstance(value, int)]
        if len(numbers) < len(values):
            return None
        start, stop = (0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
        step = numbers[2] if len(numbers) == 3 else 1
        return max(0, (stop - start) // step) if step else None

    def _follow(self, assignments: _Assignments) -> None:
        for name, values in assignments.values.items():
            if len(values) == 1 and isinstance(values[0], self._n.Node):
                constant = self.constant(values[0])
                if isinstance(constant, str | int | float):
                    self._constants[name] = constant
        for _ in range(MAX_ROUNDS):
            before = dict(self._kinds)
            for name, values in assignments.values.items():
                self._kinds[name] = max(
                    value if isinstance(value, Text) else self._kind(value, 0) for value in values
                )
            if before == self._kinds:
                return
        self._kinds = dict.fromkeys(self._kinds, Text.COMPUTED)

    def _most(self, parts: Iterable[nodes.Node | None], depth: int) -> Text:
        return max((self._kind(part, depth) for part in parts if part), default=Text.NONE)

    def _kind(self, node: nodes.Node, depth: int) -> Text:
        n = self._n
        depth += 1
        if depth > MAX_DEPTH:
            return Text.COMPUTED
        if isinstance(node, n.Const):
            return Text.WRITTEN if isinstance(node.value, str) else Text.NONE
        if isinstance(node, n.Name):
            if node.name.endswith(tables.TOKENS) and node.name not in self.assigned:
                return Text.COMPUTED  # they come with the model, not with the messages
            return self._kinds.get(node.name, Text.NONE)
        if isinstance(node, n.Concat):
            return Text.COMPUTED
        if isinstance(node, n.Add | n.Mul | n.Mod):
            joined = self._most((node.left, node.right), depth)
            return Text.NONE if joined is Text.NONE else Text.COMPUTED
        if isinstance(node, n.Getattr):
            return max(self._kinds.get(f".{node.attr}", Text.NONE), self._kind(node.node, depth))
        if isinstance(node, n.Getitem):
            return self._item(node, depth)
        if isinstance(node, n.Filter):
            return self._filter(node, depth)
        if isinstance(node, n.Call):
            return self._call(node, depth)
        if isinstance(node, n.CondExpr):
            return self._most((node.expr1, node.expr2), depth)
        if isinstance(node, n.And | n.Or):
            return self._most((node.left, node.right), depth)
        if isinstance(node, n.List | n.Tuple):
            return self._most(node.items, depth)
        if isinstance(node, n.Dict):
            return self._most(
                (part for pair in node.items for part in (pair.key, pair.value)), depth
            )
        return Text.NONE

    def _item(self, node: nodes.Getitem, depth: int) -> Text:
        of = self._kind(node.node, depth)
        if of is Text.WRITTEN and isinstance(node.node, self._n.Const):
            return Text.COMPUTED  # a character, or a slice, of a string
        return of

    def _filter(self, node: nodes.Filter, depth: int) -> Text:
        if node.node is None:
            return Text.COMPUTED
        of = self._kind(node.node, depth)
        if node.name in ("default", "d"):
            return max(of, self._most(node.args, depth))
        if node.name in tables.STRINGIFIERS and not self._plain(node.node):
            return Text.COMPUTED
        if node.name in ("length", "count", "int", "float", "abs", "round", "wordcount"):
            return Text.NONE
        if node.name in tables.KEEPERS:
            return of  # they take no string apart
        return Text.NONE if of is Text.NONE else Text.COMPUTED

    def _plain(self, node: nodes.Node) -> bool:
        """Whether it is a path into what was passed in: `messages[0].content`."""
        n = self._n
        for _ in range(MAX_DEPTH):
            if isinstance(node, n.Name):
                return self._kind(node, 0) is Text.NONE and (
                    node.name not in tables.ENTRANCES | tables.FUNCTIONS or node.name == "loop"
                )
            if not isinstance(node, n.Getattr | n.Getitem):
                return False
            node = node.node
        return False

    def _call(self, node: nodes.Call, depth: int) -> Text:
        n = self._n
        target = node.node
        if isinstance(target, n.Name):
            if target.name in ("dict", "namespace", "cycler"):
                values = [*node.args, *(item.value for item in node.kwargs)]
                if target.name == "dict" and node.kwargs:
                    return Text.COMPUTED  # its keys are text, too
                return self._most(values, depth)
            return Text.NONE if target.name in ("range", "loop") else Text.COMPUTED
        if isinstance(target, n.Getattr):
            if target.attr == "get":
                return max(self._kind(target.node, depth), self._most(node.args[1:], depth))
            of = self._kind(target.node, depth)
            return self._most(node.args, depth) if of is Text.NONE else Text.COMPUTED
        return Text.COMPUTED


class _Assignments:
    """Every value that a template gives to a name; of an attribute, to `.name`."""

    __slots__ = ("_n", "blocks", "macros", "names", "recursive", "values")

    def __init__(self, tree: nodes.Template) -> None:
        from jinja2 import nodes as n

        self._n = n
        self.values: dict[str, list[nodes.Node | Text]] = {}
        self.names: set[str] = set()
        calls: list[nodes.Call] = []
        self.blocks: list[str] = []  # arguments of call blocks
        self.recursive: list[nodes.Node] = []  # targets of loops that call themselves
        self.macros: dict[str, list[str]] = {}  # its arguments, of each name
        stack: list[nodes.Node] = [tree]
        while stack:
            node = stack.pop()
            stack.extend(node.iter_child_nodes())
            if isinstance(node, n.Assign):
                self._give(node.target, node.node)
            elif isinstance(node, n.For):
                self._give(node.target, node.iter, whole=False)
                if node.recursive:
                    self.recursive.append(node.target)
            elif isinstance(node, n.AssignBlock):
                self._give(node.target, Text.COMPUTED)
            elif isinstance(node, n.With):
                for target, value in zip(node.targets, node.values, strict=True):
                    self._give(target, value)
            elif isinstance(node, n.Macro | n.CallBlock):
                names = [argument.name for argument in node.args]
                self.names.update(names)
                for name, default in zip(reversed(names), reversed(node.defaults), strict=False):
                    self._add(name, default)
                if isinstance(node, n.Macro):
                    self.names.add(node.name)
                    self.macros.setdefault(node.name, []).extend(names)
                else:
                    self.blocks += names
            elif isinstance(node, n.Call):
                calls.append(node)
        self._arguments(calls)

    def _arguments(self, calls: list[nodes.Call]) -> None:
        """Arguments of calls, to the names that get them inside of what is called."""
        n = self._n
        for call in calls:
            name = call.node.name if isinstance(call.node, n.Name) else ""
            passed = [*call.args, *(item.value for item in call.kwargs)]
            passed += [item for item in (call.dyn_args, call.dyn_kwargs) if item is not None]
            if name == "namespace":
                for item in call.kwargs:
                    self._add(f".{item.key}", item.value)
            elif name == "caller":
                self._pass(self.blocks, passed)
            elif name == "loop":
                for target in self.recursive:
                    for value in passed:
                        self._give(target, value, whole=False)
            elif name in self.macros:
                self._pass([*self.macros[name], "varargs", "kwargs"], passed)
            elif name and name not in tables.FUNCTIONS:
                # A macro by another name, perhaps.
                for names in self.macros.values():
                    self._pass([*names, "varargs", "kwargs"], passed)

    def _pass(self, names: Iterable[str], passed: list[nodes.Expr]) -> None:
        for name in names:
            self.values.setdefault(name, []).extend((*passed, Text.NONE))

    def _add(self, name: str, value: nodes.Node | Text) -> None:
        self.values.setdefault(name, []).append(value)

    def _give(self, target: nodes.Node, value: nodes.Node | Text, *, whole: bool = True) -> None:
        n = self._n
        if isinstance(target, n.Name):
            self.names.add(target.name)
            self._add(target.name, value)
            if not whole:
                self._add(target.name, Text.NONE)  # an item, so not the constant itself
        elif isinstance(target, n.NSRef):
            self._add(f".{target.attr}", value)
        elif isinstance(target, n.Tuple | n.List):
            for item in target.items:
                self._give(item, value, whole=False)


def _fold(operation: str, left: object, right: object) -> object:
    if operation == "Add" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if not isinstance(left, int) or not isinstance(right, int):
        return None
    if max(abs(left), abs(right)) > 1 << 64 or (operation == "Pow" and not 0 <= right <= 64):
        return None
    return (
        left + right if operation == "Add" else left * right if operation == "Mul" else left**right
    )
