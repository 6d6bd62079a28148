"""How arguments and results are nested: tuples, lists, dictionaries, and what may be in them.

An input is taken apart by the tree that was saved, and checked against it: sizes, and values that
the graph was made for. Dictionaries of other classes are taken as dictionaries, and given back as
plain ones. Implements spec/torch-graph.md, "Inputs" and "Outputs".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from safemodel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tree:
    """A container: its kind, the keys of a dictionary, and what is in it; or a leaf."""

    kind: str  # tuple, list, dict or leaf
    items: tuple[Any, ...]
    keys: tuple[Any, ...] = ()

    def build(self, leaves: Sequence[Any]) -> Any:
        """The object, with values from `leaves` in the place of those numbers."""
        if self.kind == "leaf":
            number = self.items[0]
            return leaves[number] if type(number) is int else number.value
        made = [item.build(leaves) for item in self.items]
        if self.kind == "dict":
            return dict(zip(self.keys, made, strict=True))
        return tuple(made) if self.kind == "tuple" else made


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is always the same: nothing that changes."""

    value: Any


@dataclass(frozen=True, slots=True)
class Size:
    """A size that may differ: `times` a symbol `plus` a number; no symbol: any size at all."""

    symbol: int | None = None
    times: int = 1
    plus: int = 0


@dataclass(frozen=True, slots=True)
class TensorInput:
    """A tensor with these sizes."""

    shape: tuple[int | Size, ...]


@dataclass(frozen=True, slots=True)
class NumberInput:
    """An integer that may differ, as a size may."""

    size: Size


Leaf = TensorInput | NumberInput | Constant


@dataclass(frozen=True, slots=True)
class Input:
    """The arguments of a call. `parameters` are the names of `args`, to give them by name."""

    parameters: tuple[str, ...]
    args: tuple[Tree, ...]
    kwargs: Mapping[str, Tree]
    leaves: tuple[Leaf, ...]
    names: tuple[str, ...]  # of leaves, for people
    symbols: tuple[tuple[int, int | None], ...]
    plain: bool  # every argument is a leaf, by position

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The leaves of the arguments of a call, checked.

        Raises:
            UsageError: they are not what the model was exported for.
        """
        if self.plain and not kwargs and len(args) == len(self.args):
            leaves: Sequence[Any] = args
        else:
            leaves = self._taken(args, kwargs)
        self._check(leaves)
        return leaves

    def _taken(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if len(args) > len(self.args):
            raise UsageError(f"{len(args)} arguments by position, {len(self.args)} are taken")
        rest = dict(kwargs)
        leaves: list[Any] = []
        for place, tree in enumerate(self.args):
            name = self.parameters[place] if place < len(self.parameters) else f"{place}"
            if place < len(args):
                self._take(tree, args[place], name, leaves)
            else:
                self._named(tree, rest, name, leaves)
        for name, tree in self.kwargs.items():
            self._named(tree, rest, name, leaves)
        if rest:
            raise UsageError(
                f"unknown argument {min(rest)}, or one that is given twice",
                hint="the model takes what was among the example inputs when it was saved: "
                + (", ".join([*self.parameters, *self.kwargs]) or "nothing"),
            )
        return leaves

    def _named(self, tree: Tree, rest: dict[str, Any], name: str, leaves: list[Any]) -> None:
        if name in rest:
            self._take(tree, rest.pop(name), name, leaves)
            return
        leaf = self.leaves[tree.items[0]] if tree.kind == "leaf" else None
        if not isinstance(leaf, Constant):
            raise UsageError(f"argument {name} is missing")
        leaves.append(leaf.value)

    def _take(self, tree: Tree, value: Any, name: str, leaves: list[Any]) -> None:
        if tree.kind == "leaf":
            leaves.append(value)
            return
        if tree.kind == "dict":
            if not isinstance(value, Mapping) or value.keys() != set(tree.keys):
                keys = ", ".join(map(str, tree.keys))
                raise UsageError(f"argument {name} must be a dictionary with the keys {keys}")
            items = [value[key] for key in tree.keys]
        else:
            if not isinstance(value, tuple | list) or len(value) != len(tree.items):
                raise UsageError(f"argument {name} must be a {tree.kind} of {len(tree.items)}")
            items = list(value)
        labels = tree.keys or range(len(items))
        for label, child, item in zip(labels, tree.items, items, strict=True):
            self._take(child, item, f"{name}[{label!r}]", leaves)

    def _check(self, leaves: Sequence[Any]) -> None:
        symbols: list[int | None] = [None] * len(self.symbols)
        for place, leaf in enumerate(self.leaves):
            value = leaves[place]
            if type(leaf) is TensorInput:
                if not isinstance(value, torch.Tensor):
                    raise self._refusal(place, type(value).__name__, "a tensor")
                shape = value.shape
                if len(shape) != len(leaf.shape):
                    raise self._refusal(place, _sizes(shape), self._shape(leaf))
                for size, wanted in zip(shape, leaf.shape, strict=True):
                    if type(wanted) is int:
                        fits = bool(size == wanted)
                    else:
                        fits = self._fits(size, wanted, symbols)
                    if not fits:
                        raise self._refusal(place, _sizes(shape), self._shape(leaf, symbols))
            elif type(leaf) is NumberInput:
                if type(value) is not int and not isinstance(value, torch.SymInt):
                    raise self._refusal(place, f"{value!r:.60}", "an integer")
                if not self._fits(value, leaf.size, symbols):
                    raise self._refusal(place, f"{value}", self._size(leaf.size, symbols))
            elif type(leaf) is Constant and not _same(value, leaf.value):
                raise self._refusal(place, f"{value!r:.60}", f"{leaf.value!r:.60}")

    def _fits(self, given: Any, wanted: Any, symbols: list[int | None]) -> bool:
        if wanted.symbol is None:
            return True
        size = given - wanted.plus
        if wanted.times != 1:
            if size % wanted.times:
                return False
            size = size // wanted.times
        known = symbols[wanted.symbol]
        if known is not None:
            return bool(known == size)
        low, high = self.symbols[wanted.symbol]
        if size < low or (high is not None and size > high):
            return False
        symbols[wanted.symbol] = size
        return True

    def _refusal(self, place: int, found: str, wanted: str) -> UsageError:
        return UsageError(
            f"argument {self.names[place]} is {found}, and the model was exported for {wanted}",
            hint="sizes and values that may differ are those of dynamic_shapes= when it was saved",
        )

    def _shape(self, leaf: TensorInput, symbols: Sequence[int | None] = ()) -> str:
        sizes = [
            str(size) if type(size) is int else self._size(size, symbols) for size in leaf.shape
        ]
        return f"[{', '.join(sizes)}]"

    def _size(self, size: Any, symbols: Sequence[int | None] = ()) -> str:
        if size.symbol is None:
            return "any"
        known = symbols[size.symbol] if symbols else None
        if known is not None:
            return str(size.times * known + size.plus)
        low, high = self.symbols[size.symbol]
        text = "n" if size.times == 1 else f"{size.times}n"
        text += f"{size.plus:+d}" if size.plus else ""
        bounds = f"{low} to {high}" if high is not None else f"from {low}" if low else ""
        if text == "n":
            return bounds or "any"
        return f"{text} with n {bounds}" if bounds else text


def _sizes(shape: Sequence[Any]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _same(given: Any, wanted: Any) -> bool:
    if type(given) is not type(wanted):
        return False
    return bool(given == wanted or (given != given and wanted != wanted))
