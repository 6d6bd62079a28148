"""Quantized tensors of PyTorch, from what a pickle tells of them.

The integers that represent one are a copy in PyTorch (`int_repr`), with strides of their own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from safemodel.adapters.memory import c_strides
from safemodel.adapters.tensors import ITEM_SIZES, QUANTIZED
from safemodel.convert.torch_storages import Blocks, Storage
from safemodel.convert.torch_tensors import (
    Quantized,
    Scheme,
    Strided,
    Tensor,
    Without,
    check_bounded,
    odd,
    strided,
)
from safemodel.errors import UnconvertibleError


def quantized(
    blocks: Blocks, storage: Any, offset: Any, shape: Any, strides: Any, scheme: Any
) -> Tensor:
    """A quantized tensor; the integers that represent it get a memory of their own.

    Raises:
        UnconvertibleError: numbers that make no sense.
    """
    if type(storage) is not Storage or type(scheme) is not tuple or not scheme:
        raise odd("a quantized tensor")
    dtype = storage.dtype or ""
    if dtype not in QUANTIZED:
        return Without(f"a tensor of torch.{dtype or 'uint8'}, quantized")
    representation, low, high = QUANTIZED[dtype]
    given = strided(storage, representation, offset, shape, strides)
    if not isinstance(given, Strided):
        return given
    kind, *details = scheme
    name = kind.name if type(kind) is Scheme else ""
    values = _copied(blocks, given)
    if name == "per_tensor_affine" and len(details) == 2:
        scale, zero_point = details
        if type(scale) is not float or type(zero_point) is not int:
            raise odd("a quantized tensor")
        if not low <= zero_point <= high:
            raise UnconvertibleError("a zero point outside of the range of its type")
        return Quantized(dtype, values, scale, zero_point, None)
    if name in ("per_channel_affine", "per_channel_affine_float_qparams") and len(details) == 3:
        return _per_channel(blocks, dtype, values, name, details)
    raise odd("a quantized tensor")


def _copied(blocks: Blocks, given: Strided) -> Strided:
    """The representation as PyTorch copies it: contiguous, or channels last."""
    check_bounded(given)
    strides = _suggested(given.shape, given.strides)
    if strides == given.strides:
        size = ITEM_SIZES[given.dtype]
        first = given.storage.start + given.offset * size
        data = given.storage.block.data[first : first + math.prod(given.shape) * size]
    else:
        axes = sorted(range(len(strides)), key=lambda axis: strides[axis], reverse=True)
        items = given.items().transpose(axes)
        data = np.ascontiguousarray(items).reshape(-1).view(np.uint8).data
    storage = Storage(blocks.add(data), 0, len(data), given.dtype, "cpu")
    return Strided(storage, given.dtype, 0, given.shape, strides)


def _suggested(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of the memory format that a tensor has, as `suggest_memory_format` finds it."""
    if len(shape) in (4, 5) and _is_channels_last(shape, strides):
        order = (1, *range(len(shape) - 1, 1, -1), 0)
        found, step = [0] * len(shape), 1
        for axis in order:
            found[axis] = step
            step *= max(shape[axis], 1)
        return tuple(found)
    return c_strides(shape, 1)


def _is_channels_last(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """c10/core/MemoryFormat.h, is_channels_last_strides_2d_s4."""
    least = 0
    if strides[1] == 0:
        return False
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        if shape[axis] == 0 or strides[axis] < least:
            return False
        if axis == 0 and least == strides[1]:
            return False
        least = strides[axis]
        if shape[axis] > 1:
            least *= shape[axis]
    return True


def _per_channel(
    blocks: Blocks, dtype: str, values: Strided, name: str, details: list[Any]
) -> Tensor:
    scales, zeros, axis = details
    if type(axis) is not int or not 0 <= axis < len(values.shape):
        raise odd("a quantized tensor")
    if type(scales) is list and type(zeros) is list:  # before PyTorch 1.5
        kinds = ("float64", "int64") if name == "per_channel_affine" else ("float32", "float32")
        scales, zeros = _of_list(blocks, scales, kinds[0]), _of_list(blocks, zeros, kinds[1])
    for part in (scales, zeros):
        if type(part) is not Strided or part.shape != (values.shape[axis],) or not part.is_dense:
            raise odd("a quantized tensor")
    if (scales.dtype, zeros.dtype) not in (("float64", "int64"), ("float32", "float32")):
        raise odd("a quantized tensor")
    _, low, high = QUANTIZED[dtype]
    if zeros.dtype == "int64" and zeros.shape[0]:
        found = zeros.items().view(np.int64)
        if found.min() < low or found.max() > high:
            raise UnconvertibleError("a zero point outside of the range of its type")
    return Quantized(dtype, values, scales, zeros, axis)


def _of_list(blocks: Blocks, numbers: list[Any], dtype: str) -> Strided:
    if any(type(number) not in (int, float) for number in numbers):
        raise odd("a quantized tensor")
    data = np.array(numbers, dtype)
    storage = Storage(blocks.add(data.view(np.uint8).data), 0, data.nbytes, dtype, "cpu")
    return Strided(storage, dtype, 0, data.shape, (1,))
