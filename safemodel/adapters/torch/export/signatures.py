"""What an exported program takes and gives, as JSON: trees, sizes and their bounds.

Sizes become numbers here, so that no expression is in a file. Implements spec/torch-graph.md,
"Inputs" and "Outputs".
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.utils import _pytree as pytree

from safemodel.adapters.torch import tables
from safemodel.adapters.torch.export import values
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

# Beyond it torch.export has said nothing.
_MANY: Final = 2**48


class Leaf:
    """Stands for a leaf while containers are looked at. `varies`: it is an integer that may."""

    __slots__ = ("json", "number", "varies")

    def __init__(self, json: JsonValue, number: int) -> None:
        self.json = json
        self.number = number
        self.varies = type(json) is dict and "integer" in json


class Inputs:
    """The arguments of an exported program."""

    def __init__(self, exported: Any, lifted: Container[str], signature: inspect.Signature) -> None:
        self._ranges = exported.range_constraints
        self._symbols: dict[Any, int] = {}
        self._bounds: list[JsonValue] = []
        nodes = [
            node
            for node in exported.graph.nodes
            if node.op == "placeholder" and node.name not in lifted
        ]
        leaves = [Leaf(self._leaf(node), number) for number, node in enumerate(nodes)]
        args, kwargs = pytree.tree_unflatten(leaves, exported.call_spec.in_spec)
        names = _positional(signature)[: len(args)]
        self.arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        self.json: dict[str, JsonValue] = {
            "parameters": list(names),
            "args": [tree(value, "an argument") for value in args],
            "kwargs": [[name, tree(value, name)] for name, value in kwargs.items()],
            "symbols": self._bounds,
        }

    def _leaf(self, node: Any) -> JsonValue:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor):
            return {"tensor": [self._size(size) for size in value.shape]}
        if isinstance(value, torch.SymInt):
            size = self._size(value)
            return {"constant": size} if type(size) is int else {"integer": size}
        if value is None or isinstance(value, bool | int | float | str):
            return {"constant": values.encode(value, node.name)}
        if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
            return {"constant": values.encode(value, node.name)}
        raise UnsavableError(f"an argument that is a {tables.kind_name(value)}", place=node.name)

    def _size(self, size: Any) -> JsonValue:
        if not isinstance(size, torch.SymInt):
            return int(size)
        expression = size.node.expr
        if expression.is_Integer:
            return int(expression)
        free = list(expression.free_symbols)
        if len(free) != 1:
            return None
        (symbol,) = free
        times, plus = expression.coeff(symbol, 1), expression.subs(symbol, 0)
        linear = times.is_Integer and plus.is_Integer and times >= 1
        if not linear or (expression - (times * symbol + plus)).expand() != 0:
            return None
        encoded: dict[str, JsonValue] = {"symbol": self._symbol(symbol)}
        if times != 1:
            encoded["times"] = int(times)
        if plus != 0:
            encoded["plus"] = int(plus)
        return encoded

    def _symbol(self, symbol: Any) -> int:
        if symbol not in self._symbols:
            self._symbols[symbol] = len(self._bounds)
            self._bounds.append(_bounds(self._ranges.get(symbol)))
        return self._symbols[symbol]


def _bounds(given: Any) -> list[JsonValue]:
    if given is None:
        return [0, None]
    lower, upper = given.lower, given.upper
    # torch.export says 2 where it means any size: 0 and 1 were not looked at, and work.
    low = int(lower) if getattr(lower, "is_Integer", False) and lower > 2 else 0
    high = int(upper) if getattr(upper, "is_Integer", False) and upper < _MANY else None
    return [low, high]


def _positional(signature: inspect.Signature) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [name for name, value in signature.parameters.items() if value.kind in kinds]


def outputs(exported: Any, given: Sequence[Any]) -> JsonValue:
    """The tree of what comes back, with the values of the graph in it.

    Raises:
        UnsavableError: a container that has no plain form.
    """
    leaves = [Leaf(values.encode(value, "output"), 0) for value in given]
    return tree(pytree.tree_unflatten(leaves, exported.call_spec.out_spec), "output")


def tree(value: Any, place: str) -> JsonValue:
    """A container as plain ones: data classes and dictionaries of any class as dictionaries.

    Raises:
        UnsavableError: it has no plain form.
    """
    if isinstance(value, Leaf):
        return value.json
    if isinstance(value, Mapping):
        return {"dict": [[_key(key, place), tree(item, place)] for key, item in value.items()]}
    if isinstance(value, list):
        return {"list": [tree(item, place) for item in value]}
    if isinstance(value, tuple):
        return {"tuple": [tree(item, place) for item in value]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return {"dict": [[name, tree(item, place)] for name, item in fields]}
    if value is None:
        return None
    raise UnsavableError(
        f"inputs or outputs in a {tables.kind_name(value)}",
        place=place,
        hint="take and give tensors in tuples, lists, dictionaries or data classes",
    )


def _key(key: object, place: str) -> JsonValue:
    if type(key) is str or (type(key) is int and abs(key) <= 10_000):
        return key
    raise UnsavableError(f"a dictionary with the key {key!r:.60}", place=place)
