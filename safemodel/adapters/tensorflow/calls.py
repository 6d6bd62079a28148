"""Arguments and results of an entry: taken apart and put together by the trees that were saved.

Implements spec/tensorflow.md, "Calls".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from safemodel.adapters.tensorflow.program import Entry, TensorType, Tree
from safemodel.adapters.tensorflow.protos import shape_of
from safemodel.errors import UsageError


class Binder:
    """Takes the arguments of calls apart, for one entry."""

    def __init__(self, name: str, entry: Entry, inputs: Sequence[TensorType]) -> None:
        self._name = name
        self._entry = entry
        self._inputs = inputs

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """The tensors that a call gives, in the order of the function's inputs.

        Raises:
            UsageError: they are not what the entry takes.
        """
        entry = self._entry
        if len(args) > len(entry.args):
            raise UsageError(
                f"{self._name} takes {len(entry.args)} arguments by position, {len(args)} are given"
            )
        rest = dict(kwargs)
        found: list[Any] = [None] * len(self._inputs)
        for place, tree in enumerate(entry.args):
            name = entry.parameters[place] if place < len(entry.parameters) else f"{place}"
            if place < len(args):
                self._take(tree, args[place], name, found)
            else:
                self._named(tree, rest, name, found)
        for name, tree in entry.kwargs.items():
            self._named(tree, rest, name, found)
        if rest:
            taken = ", ".join([*entry.parameters, *entry.kwargs]) or "none by name"
            raise UsageError(
                f"{self._name} has no argument {min(rest)!r}, or it is given twice",
                hint=f"it takes what it was saved with: {taken}",
            )
        return found

    def _named(self, tree: Tree, rest: dict[str, Any], name: str, found: list[Any]) -> None:
        if name in rest:
            self._take(tree, rest.pop(name), name, found)
        elif has_leaf(tree):
            raise UsageError(f"argument {name} of {self._name} is missing")

    def _take(self, tree: Tree, value: Any, name: str, found: list[Any]) -> None:
        if tree.kind == "leaf":
            found[tree.items[0]] = self._tensor(value, self._inputs[tree.items[0]], name)
        elif tree.kind == "constant":
            if not _same(value, tree.items[0]):
                raise UsageError(
                    f"argument {name} of {self._name} is {value!r:.60}, and it was saved for "
                    f"{tree.items[0]!r:.60}"
                )
        elif tree.kind == "dict":
            if not isinstance(value, Mapping) or value.keys() != set(tree.keys):
                keys = ", ".join(map(repr, tree.keys))
                raise UsageError(f"argument {name} must be a dictionary with the keys {keys}")
            for key, inner in zip(tree.keys, tree.items, strict=True):
                self._take(inner, value[key], f"{name}[{key!r}]", found)
        else:
            if not isinstance(value, list | tuple) or len(value) != len(tree.items):
                raise UsageError(f"argument {name} must be a {tree.kind} of {len(tree.items)}")
            for number, (inner, item) in enumerate(zip(tree.items, value, strict=True)):
                self._take(inner, item, f"{name}[{number}]", found)

    def _tensor(self, value: Any, wanted: TensorType, name: str) -> Any:
        dtype = tf.as_dtype(wanted.dtype)
        try:
            tensor = tf.convert_to_tensor(value)
            if tensor.dtype != dtype and not tf.is_tensor(value):
                tensor = tf.convert_to_tensor(value, dtype)
        except (TypeError, ValueError) as error:
            message = str(error).split("\n", 1)[0]
            raise UsageError(f"argument {name} of {self._name}: {message:.200}") from error
        shape = shape_of(wanted.shape)
        if tensor.dtype != dtype or not shape.is_compatible_with(tensor.shape):
            raise UsageError(
                f"argument {name} of {self._name} is {tensor.dtype.name} {tensor.shape}, and it "
                f"was saved for {wanted.dtype} {shape}"
            )
        return tensor


def build(tree: Tree, leaves: Sequence[Any]) -> Any:
    """The containers of a tree, with what is in the place of its leaves."""
    if tree.kind == "leaf":
        return leaves[tree.items[0]]
    if tree.kind == "constant":
        return tree.items[0]
    made = [build(item, leaves) for item in tree.items]
    if tree.kind == "dict":
        return dict(zip(tree.keys, made, strict=True))
    return tuple(made) if tree.kind == "tuple" else made


def has_leaf(tree: Tree) -> bool:
    """Whether there is a tensor in a tree, or constants alone."""
    if tree.kind in ("leaf", "constant"):
        return tree.kind == "leaf"
    return any(has_leaf(item) for item in tree.items)


def _same(given: Any, wanted: Any) -> bool:
    if type(given) is not type(wanted):
        return False
    return bool(given == wanted or (given != given and wanted != wanted))
