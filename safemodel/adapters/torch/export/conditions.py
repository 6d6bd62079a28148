"""The conditions on sizes under which an exported graph holds, as nodes of the graph.

`torch.export` writes them as expressions of Python. They are taken apart here, when a module is
saved; what is stored, and what a load sees, is arithmetic on sizes like any other. Implements
spec/torch-graph.md, "Conditions".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.torch.export.signatures import Leaf
from safemodel.adapters.torch.export.values import Ref

if TYPE_CHECKING:
    from safemodel.adapters.torch.export.encoding import GraphWriter

_COMPARE: Final[Mapping[type, str]] = {
    ast.Eq: "operator::eq",
    ast.NotEq: "operator::ne",
    ast.Lt: "operator::lt",
    ast.LtE: "operator::le",
    ast.Gt: "operator::gt",
    ast.GtE: "operator::ge",
}
_BINARY: Final[Mapping[type, str]] = {
    ast.Add: "operator::add",
    ast.Sub: "operator::sub",
    ast.Mult: "operator::mul",
    ast.FloorDiv: "operator::floordiv",
    ast.Mod: "operator::mod",
    ast.Div: "operator::truediv",
    ast.Pow: "operator::pow",
}
_CALLS: Final[Mapping[str, str]] = {"max": "sym::max", "min": "sym::min"}


class _UnknownError(Exception):
    """An expression of another kind."""


class Conditions:
    """Writes conditions in front of the nodes of a graph; the same size is looked up once."""

    def __init__(self, codes: Iterable[str], arguments: Mapping[Any, Any]) -> None:
        self._codes = list(codes)
        self._arguments = arguments
        self._known: dict[tuple[Any, ...], Ref] = {}
        self.unknown: list[str] = []

    def write(self, writer: GraphWriter) -> None:
        """Put the nodes into a graph that has none yet."""
        for code in self._codes:
            try:
                value = self._value(ast.parse(code, mode="eval").body, writer)
            except (_UnknownError, SyntaxError, LookupError, TypeError, AttributeError):
                self.unknown.append(code)
                continue
            if isinstance(value, Ref):
                writer.claim(value)

    def _node(self, writer: GraphWriter, name: str, *args: Any) -> Ref:
        key = (name, *((type(arg), arg) for arg in args))
        if key not in self._known:
            self._known[key] = writer.add(name, list(args))
        return self._known[key]

    def _value(self, tree: ast.expr, writer: GraphWriter) -> Any:
        if isinstance(tree, ast.Constant) and type(tree.value) in (int, float, bool, str):
            return tree.value
        if isinstance(tree, ast.Compare):
            return self._compared(tree, writer)
        if isinstance(tree, ast.BoolOp):
            name = "operator::and" if isinstance(tree.op, ast.And) else "operator::or"
            parts = [self._value(part, writer) for part in tree.values]
            value = parts[0]
            for part in parts[1:]:
                value = self._node(writer, name, value, part)
            return value
        if isinstance(tree, ast.UnaryOp):
            name = "operator::not" if isinstance(tree.op, ast.Not) else "operator::neg"
            if isinstance(tree.op, ast.Not | ast.USub):
                return self._node(writer, name, self._value(tree.operand, writer))
        if isinstance(tree, ast.BinOp) and type(tree.op) in _BINARY:
            left, right = self._value(tree.left, writer), self._value(tree.right, writer)
            return self._node(writer, _BINARY[type(tree.op)], left, right)
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            first, second = [self._value(arg, writer) for arg in tree.args]
            return self._node(writer, _CALLS[tree.func.id], first, second)
        return self._size(tree, writer)

    def _compared(self, tree: ast.Compare, writer: GraphWriter) -> Any:
        sides = [self._value(side, writer) for side in (tree.left, *tree.comparators)]
        if any(isinstance(side, Leaf | str) for side in sides):
            return None  # an argument that is always the same is compared when it is given
        value: Any = None
        for place, operator in enumerate(tree.ops):
            test = self._node(writer, _COMPARE[type(operator)], sides[place], sides[place + 1])
            value = test if value is None else self._node(writer, "operator::and", value, test)
        return value

    def _size(self, tree: ast.expr, writer: GraphWriter) -> Any:
        """A size of an argument, `L['x'].size()[0]`, or the argument itself if it is an integer."""
        if (
            isinstance(tree, ast.Subscript)
            and isinstance(tree.value, ast.Call)
            and isinstance(tree.value.func, ast.Attribute)
            and tree.value.func.attr == "size"
            and isinstance(tree.slice, ast.Constant)
        ):
            leaf = self._argument(tree.value.func.value)
            if isinstance(leaf, Leaf):
                return self._node(writer, "aten::sym_size.int", Ref(leaf.number), tree.slice.value)
        leaf = self._argument(tree)
        if not isinstance(leaf, Leaf):
            raise _UnknownError
        return Ref(leaf.number) if leaf.varies else leaf

    def _argument(self, tree: ast.expr) -> Any:
        if isinstance(tree, ast.Subscript) and isinstance(tree.slice, ast.Constant):
            if isinstance(tree.value, ast.Name) and tree.value.id == "L":
                return self._arguments[tree.slice.value]
            return self._argument(tree.value)[tree.slice.value]
        if isinstance(tree, ast.Attribute):
            return getattr(self._argument(tree.value), tree.attr)
        raise _UnknownError
