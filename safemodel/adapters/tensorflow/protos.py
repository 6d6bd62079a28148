"""Attributes and constants as TensorFlow's graphs have them.

Implements spec/tensorflow.md, "Functions".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import tensorflow as tf

from safemodel.adapters.tensorflow.dtypes import STRING
from safemodel.adapters.tensorflow.program import Inline, Shape
from safemodel.adapters.tensorflow.table import Attribute

_FIELDS: Final = {
    "bool": "b",
    "int": "i",
    "float": "f",
    "string": "s",
    "type": "type",
    "shape": "shape",
}


def attribute_proto(attribute: Attribute, value: Any) -> Any:
    """The value of an attribute, which was checked. Functions and tensors are not here."""
    proto = tf.compat.v1.AttrValue()
    field = _FIELDS[attribute.kind]
    if attribute.many:
        proto.list.SetInParent()
        getattr(proto.list, field).extend([_item(attribute.kind, one) for one in value])
    elif attribute.kind == "shape":
        proto.shape.CopyFrom(_item("shape", value))
    else:
        setattr(proto, field, _item(attribute.kind, value))
    return proto


def shapes_proto(shapes: Sequence[Any]) -> Any:
    """An attribute that is a list of TensorFlow's shapes."""
    proto = tf.compat.v1.AttrValue()
    proto.list.SetInParent()
    proto.list.shape.extend([one.as_proto() for one in shapes])
    return proto


def tensor_proto(one: Inline) -> Any:
    """A constant."""
    proto = tf.make_tensor_proto(0, tf.int32)  # the class of it has no public name
    proto.Clear()
    proto.dtype = tf.as_dtype(one.dtype).as_datatype_enum
    proto.tensor_shape.CopyFrom(tf.TensorShape(one.shape).as_proto())
    if one.dtype == STRING:
        proto.string_val.extend(one.strings or ())
    else:
        proto.tensor_content = one.data
    return proto


def shape_of(shape: Shape) -> Any:
    """A shape as TensorFlow has it."""
    return tf.TensorShape(None if shape is None else [None if n < 0 else n for n in shape])


def _item(kind: str, value: Any) -> Any:
    if kind == "type":
        return tf.as_dtype(value).as_datatype_enum
    if kind == "string":
        return value.encode()
    return shape_of(value).as_proto() if kind == "shape" else value
