"""Values of variables between backends and verified memory, without a copy where that is possible.

Fresh memory is what a load and a save of a large model cost. TensorFlow and PyTorch take large
tensors over as they lie in the verified memory, which is private to the process and used once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import keras
import numpy as np

from safemodel.adapters.keras.variables import dtype_of, numpy_dtype

_LARGE: Final = 1 << 16  # bytes from which a copy is worth avoiding
_ALIGNMENT: Final = 64  # of what TensorFlow's kernels expect


def pieces(variable: Any) -> Iterable[Any]:
    """The bytes of a variable in C order, little-endian."""
    array = _array(variable)
    if array.size:
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _array(variable: Any) -> Any:
    """The value as an array; of types that NumPy lacks, their bits."""
    value, dtype = variable._value, dtype_of(variable)
    backend = keras.backend.backend()
    if backend == "torch" and (dtype.startswith("float8") or dtype == "bfloat16"):
        import torch

        bits = torch.int16 if dtype == "bfloat16" else torch.uint8
        return value.detach().cpu().contiguous().view(bits).numpy()
    if backend == "torch":
        return value.detach().cpu().numpy()
    if backend == "tensorflow" and hasattr(value, "read_value"):
        import tensorflow as tf

        tensor = value.read_value()
        if dtype.startswith("float8") or dtype == "bfloat16":
            tensor = tf.bitcast(tensor, tf.uint16 if dtype == "bfloat16" else tf.uint8)
        try:
            return np.asarray(memoryview(tensor))
        except (BufferError, TypeError, ValueError):  # on another device
            return tensor.numpy()
    array = np.asarray(keras.ops.convert_to_numpy(value))
    # JAX computes in 32 bits what says that it has 64, unless it is told otherwise
    return array.astype(numpy_dtype(dtype), copy=False)


def tensor_of(array: Any, dtype: str, order: tuple[int, ...] | None) -> Any:
    """A tensor of the backend, with the axes in memory as `order` says (PyTorch)."""
    backend = keras.backend.backend()
    if backend == "torch":
        return _torch(array, dtype, order)
    if backend == "tensorflow" and _can_alias(array, dtype):
        import tensorflow as tf

        if dtype == "bfloat16":
            bits = tf.experimental.dlpack.from_dlpack(array.view(np.int16).__dlpack__())
            return tf.bitcast(bits, tf.bfloat16)
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return keras.ops.convert_to_tensor(array, dtype=dtype)


def _can_alias(array: Any, dtype: str) -> bool:
    return bool(
        array.nbytes >= _LARGE
        and array.flags.writeable
        and array.__array_interface__["data"][0] % _ALIGNMENT == 0
        and not dtype.startswith("float8")
    )


def _torch(array: Any, dtype: str, order: tuple[int, ...] | None) -> Any:
    import torch

    if array.nbytes < _LARGE or not array.flags.writeable:
        array = array.copy()
    if dtype == "bfloat16":
        value = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    elif dtype.startswith("float8"):
        kinds = {"float8_e4m3fn": torch.float8_e4m3fn, "float8_e5m2": torch.float8_e5m2}
        value = torch.from_numpy(array.view(np.uint8)).view(kinds[dtype])
    else:
        value = torch.from_numpy(array)
    if order is not None:
        back = sorted(range(len(order)), key=order.__getitem__)
        value = value.permute(order).contiguous().permute(back)
    return value
