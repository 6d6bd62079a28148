"""Checks of what kernels don't check, put into the graph in front of the operators that need them.

The table says what they are: how many dimensions an input has, or values, and what these may be.
Found by running each operator with hostile values in a process of its own
(tests/adapters/test_tensorflow_operators_hostile.py). What they refuse is an error of TensorFlow
when the graph runs, as with what kernels check themselves; or, where it is known before, of the
graph. Implements spec/tensorflow-operators.md, "Guards".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import handle_data_util

from safemodel.adapters.tensorflow.bounds import MAX_ELEMENTS
from safemodel.adapters.tensorflow.table import Argument, Operator
from safemodel.errors import ArchitectureError

__all__ = ["guarded"]


def guarded(row: Operator, attributes: Mapping[str, Any], inputs: Sequence[Any]) -> list[Any]:
    """The inputs of a node, behind the checks that its operator needs.

    `attributes` are all that the operator has, and were checked; `inputs` are tensors of the graph
    that is being built, as many as the operator takes with these.

    Raises:
        ArchitectureError: one can't pass its check.
    """
    checked = list(inputs)
    if row.name == "AssignVariableOp":
        checked[1] = _kept(checked[0], checked[1])
    place = 0
    for one in row.inputs:
        for _ in one.types(attributes):
            try:
                checked[place] = _checked(one, checked[place])
            except ValueError as error:  # of what TensorFlow knows before the graph runs
                said = f"operator {row.name}: {one.name}: {error!s:.200}"
                raise ArchitectureError(said) from None
            place += 1
    return checked


def _kept(variable: Any, value: Any) -> Any:
    """What a variable becomes, with the shape that is declared: its kernel takes any."""
    data = handle_data_util.get_handle_data(variable)
    if data is None or not data.is_set or not data.shape_and_type:
        return value
    shape = tf.TensorShape(data.shape_and_type[0].shape)
    if shape.rank is None or (value.shape.is_fully_defined() and value.shape == shape):
        return value
    try:
        return tf.ensure_shape(value, shape)
    except ValueError as error:
        said = f"operator AssignVariableOp: value: {error!s:.200}"
        raise ArchitectureError(said) from None


def _checked(one: Argument, value: Any) -> Any:
    if one.type == "resource":
        return value
    if one.rank is not None:
        value = _shaped(value, [None] * one.rank)
    if one.length is not None:
        value = _shaped(value, [one.length])
    if one.sizes:
        value = _sizes(value)
    return value if one.most is None else _at_most(value, one.most)


def _shaped(value: Any, sizes: list[int | None]) -> Any:
    shape = tf.TensorShape(sizes)
    if value.shape.rank == shape.rank and (shape.rank != 1 or value.shape == shape):
        return value
    return tf.ensure_shape(value, shape)


def _sizes(value: Any) -> Any:
    known = _known(value)
    if known is None:
        count = tf.reduce_prod(tf.cast(value, tf.float64))
        fits = tf.reduce_all(value >= 0) & (count <= float(MAX_ELEMENTS))
        return _behind(fits, value, "no sizes of a tensor")
    if (known < 0).any() or known.astype("float64").prod() > MAX_ELEMENTS:
        raise ValueError("no sizes of a tensor")
    return value


def _at_most(value: Any, most: int) -> Any:
    known = _known(value)
    if known is None:
        fits = tf.reduce_all(value <= tf.constant(most, value.dtype))
        return _behind(fits, value, f"more than {most}")
    if known.size and known.max() > most:
        raise ValueError(f"more than {most}")
    return value


def _known(value: Any) -> Any:
    """The value of a constant. TensorFlow would look further, for as long as that takes."""
    if not hasattr(value, "numpy") and value.op.type != "Const":
        return None
    return tf.get_static_value(value)


def _behind(fits: Any, value: Any, why: str) -> Any:
    with tf.control_dependencies([tf.debugging.Assert(fits, [why])]):
        return tf.identity(value)
