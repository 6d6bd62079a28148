"""What TensorFlow computes while a graph is built, kept small.

To know the shape that a node gives, TensorFlow runs those nodes before it that depend on nothing
but constants, and walks through others that make shapes, both as often as it is asked. That is code
of the file that runs before anything is called: it may only be the arithmetic of shapes, and only
so much. What is more goes through a node that TensorFlow does not look through; nothing else
changes. Implements spec/tensorflow.md, "Functions".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import tensorflow as tf

from safemodel.adapters.tensorflow.dtypes import STRING
from safemodel.adapters.tensorflow.program import FunctionRef, Node

# Nodes and values that one shape may be made of; real ones are made of some dozen.
MOST: Final = 1024
# What is known of these without running anything.
_SHAPES: Final = frozenset({"Rank", "Shape", "ShapeN", "Size", "VariableShape"})
# The arithmetic of shapes: what it takes is not much more than what goes in and comes out.
_ARITHMETIC: Final = frozenset(
    {
        *("Abs", "Add", "AddV2", "BroadcastArgs", "BroadcastGradientArgs", "Cast", "Ceil"),
        *("Concat", "ConcatOffset", "ConcatV2", "Equal", "ExpandDims", "Fill", "Floor"),
        *("FloorDiv", "FloorMod", "Gather", "GatherV2", "Greater", "GreaterEqual"),
        *("Identity", "Less", "LessEqual", "LogicalAnd", "LogicalNot", "LogicalOr", "Max"),
        *("Maximum", "Min", "Minimum", "Mul", "Neg", "NotEqual", "OnesLike", "Pack"),
        *("Prod", "Range", "RealDiv", "Reshape", "Select", "SelectV2", "Slice", "Split"),
        *("SplitV", "Squeeze", "StopGradient", "StridedSlice", "Sub", "Sum", "Unpack"),
        *("ZerosLike",),
    }
)
_INTEGERS: Final = frozenset({"int32", "int64"})  # of which shapes are made


@dataclass(frozen=True, slots=True)
class Cost:
    """What it takes to know a value while the graph is built, and whether constants are enough."""

    steps: float
    constant: bool


# Of what is only known when the graph runs.
LATER: Final = Cost(0, constant=False)


def cost(node: Node, given: Sequence[Cost], outputs: Sequence[Any]) -> Cost:
    """What it takes to know what a node gives; `given` is what it takes for its inputs."""
    name = node.operator.name
    if name in _SHAPES:
        return Cost(1, constant=True)
    if name == "Const":
        return Cost(_elements(outputs), constant=True)
    if node.operator.stateful or any(isinstance(one, FunctionRef) for one in _values(node)):
        return LATER
    constant = bool(given) and all(one.constant for one in given)
    if name in _ARITHMETIC and (STRING not in node.outputs or not constant):
        own = _elements(outputs) if constant else 1
        return Cost(1 + own + sum(one.steps for one in given), constant)
    return Cost(math.inf, constant=True) if constant else LATER


def hidden(value: Any, steps: Cost) -> tuple[Any, Cost]:
    """An integer that takes too much, as one that is only known when the graph runs."""
    if steps.steps <= MOST or value.dtype.name not in _INTEGERS:
        return value, steps
    return hide(value), LATER


def hide(value: Any) -> Any:
    """The same value, which TensorFlow does not know before the graph runs."""
    return tf.compat.v1.placeholder_with_default(value, value.shape)


def _values(node: Node) -> list[Any]:
    found: list[Any] = []
    for value in node.attributes.values():
        found += value if isinstance(value, tuple) else (value,)
    return found


def _elements(outputs: Sequence[Any]) -> float:
    """How many values there are; infinitely many if that is not known."""
    counts = [one.shape.num_elements() for one in outputs]
    return sum(math.inf if count is None else count for count in counts)
