"""Values between TensorFlow and verified memory, without a copy where that is possible.

TensorFlow takes large tensors over as they lie in the verified memory, which is private to the
process and used once. Implements spec/tensorflow.md, "Variables".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.adapters.tensorflow.dtypes import (
    CARRIERS,
    MAX_STRING_RANK,
    STORED,
    STRING,
    stored_shape,
)
from safemodel.adapters.tensorflow.variables import is_name
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.adapters.tensorflow.variables import Stored

_LARGE: Final = 1 << 16  # bytes from which a copy is worth avoiding
_ALIGNMENT: Final = 64  # of what TensorFlow's kernels expect


def encode_variable(variable: Any, path: str, encoder: Encoder) -> Node:
    """The node of a variable.

    Raises:
        UnsavableError: it has no value, or one of a type that can't be stored.
    """
    try:
        value = variable.read_value()
    except (tf.errors.OpError, ValueError) as error:
        raise UnsavableError(f"a variable without a value: {error!s:.100}", place=path) from None
    node = encode_tensor(value, path, encoder, kind="variable")
    name = str(variable.name).removesuffix(":0")
    if is_name(name):
        node["name"] = name
    if variable.trainable:
        node["trainable"] = True
    if not variable.shape.is_fully_defined():
        static = variable.shape
        node["shape"] = None if static.rank is None else static.as_list()
    return node


def encode_tensor(value: Any, path: str, encoder: Encoder, *, kind: str = "tensor") -> Node:
    """The node of a tensor, or of the value of a variable.

    Raises:
        UnsavableError: it is of a type that can't be stored, or is none of its own: of a graph.
    """
    dtype = value.dtype.name
    if not hasattr(value, "numpy"):
        raise UnsavableError("a tensor of a graph, which has no value", place=path or None)
    if dtype != STRING and dtype not in STORED:
        raise UnsavableError(f"a tensor of {dtype:.60}", place=path or None)
    node: Node = {"kind": kind, "dtype": dtype}
    shape = tuple(value.shape.as_list())
    if dtype == STRING:
        if len(shape) > MAX_STRING_RANK:
            said = f"strings with more than {MAX_STRING_RANK} axes"
            raise UnsavableError(said, place=path or None)
        _encode_strings(value, shape, node, path, encoder)
        return node
    stored = stored_shape(dtype, shape)
    encoder.store(node, "data", path, STORED[dtype][0], stored, lambda: pieces(value))
    return node


def _encode_strings(
    value: Any, shape: tuple[int, ...], node: Node, path: str, encoder: Encoder
) -> None:
    items = np.asarray(value.numpy(), object).reshape(-1).tolist()
    data = b"".join(items)
    ends = np.cumsum([len(item) for item in items], dtype="<i8")
    encoder.store(node, "data", path, "U8", (len(data),), lambda: (data,))
    encoder.store(node, "ends", join(path, "ends"), "I64", shape, lambda: (ends.tobytes(),))


def pieces(value: Any) -> Iterator[Any]:
    """The bytes of a tensor in C order, little-endian."""
    if value.dtype.size == 1 and value.dtype.name in CARRIERS:  # which TensorFlow can't bitcast
        yield np.ascontiguousarray(value.numpy()).reshape(-1).view(np.uint8).data
        return
    if value.dtype.name in CARRIERS:
        value = tf.bitcast(value, tf.uint16)
    try:
        array = np.asarray(memoryview(value))
    except (BufferError, TypeError, ValueError):  # on another device
        array = value.numpy()
    if array.size:
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def tensor_of(stored: Stored) -> Any:
    """The tensor that was stored, on the CPU or where TensorFlow puts it.

    Raises:
        ArchitectureError: values that must not be.
    """
    return made_of(stored.array(), stored.dtype)


def made_of(array: Any, dtype: str) -> Any:
    """The tensor with the values of an array; of types that NumPy lacks, their bits."""
    if dtype == STRING:
        return tf.constant(array, tf.string, shape=array.shape)
    kind = tf.as_dtype(dtype)
    if dtype in CARRIERS and kind.size == 1:
        return tf.constant(array.view(kind.as_numpy_dtype))
    if dtype in CARRIERS:
        return tf.bitcast(_plain(array, tf.uint16), kind)
    return _plain(array, kind)


def _plain(array: Any, dtype: Any) -> Any:
    if (
        array.nbytes >= _LARGE
        and array.dtype.kind in "iufc"
        and array.flags.writeable
        and array.__array_interface__["data"][0] % _ALIGNMENT == 0
    ):
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array, dtype)


def variable_of(stored: Stored) -> Any:
    """A variable with the value, the name and the shape that were stored.

    The name is no name of anything in TensorFlow: only `variable.name` says it.

    Raises:
        ArchitectureError: values that must not be.
    """
    with tf.init_scope():
        made = tf.Variable(
            tensor_of(stored),
            trainable=stored.trainable,
            dtype=tf.as_dtype(stored.dtype),
            shape=tf.TensorShape(stored.static),
        )
    if stored.name is not None:
        made._handle_name = f"{stored.name}:0"
    return made
