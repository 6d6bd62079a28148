"""What rebuilds tensors in pickles of PyTorch (torch/_utils.py), with arguments that are objects.

Each maker has the arguments of the function of its name, and makes a stand-in of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from safemodel.adapters.tensors import ITEM_SIZES
from safemodel.convert.torch_quantized import quantized
from safemodel.convert.torch_sparse import sparse
from safemodel.convert.torch_storages import Blocks, Storage
from safemodel.convert.torch_tensors import (
    Dtype,
    Strided,
    Tensor,
    Without,
    finished,
    meta,
    odd,
    parameter,
    strided,
    with_bits,
)

Maker = Callable[[Blocks, list[Any]], Tensor]

_UTILS: Final = "torch._utils."


def _exactly(arguments: Sequence[Any], least: int, most: int) -> list[Any]:
    if not least <= len(arguments) <= most:
        raise odd()
    return [*arguments, *[None] * (most - len(arguments))]


def _typed(storage: Any) -> str:
    if type(storage) is not Storage:
        raise odd()
    return storage.dtype or "uint8"


def _rebuild_tensor(blocks: Blocks, arguments: list[Any]) -> Tensor:
    storage, offset, shape, strides = _exactly(arguments, 4, 4)
    return strided(storage, _typed(storage), offset, shape, strides)


def _rebuild_v2(blocks: Blocks, arguments: list[Any]) -> Tensor:
    storage, offset, shape, strides, wants, hooks, metadata = _exactly(arguments, 6, 7)
    found = strided(storage, _typed(storage), offset, shape, strides)
    return finished(with_bits(found, metadata), wants, hooks)


def _rebuild_v3(blocks: Blocks, arguments: list[Any]) -> Tensor:
    storage, offset, shape, strides, wants, hooks, dtype, metadata = _exactly(arguments, 7, 8)
    if type(dtype) is not Dtype:
        raise odd()
    found = strided(storage, dtype.name, offset, shape, strides)
    return finished(with_bits(found, metadata), wants, hooks)


def _rebuild_parameter(blocks: Blocks, arguments: list[Any]) -> Tensor:
    return parameter(*_exactly(arguments, 3, 3))


def _rebuild_with_state(blocks: Blocks, arguments: list[Any]) -> Tensor:
    return parameter(*_exactly(arguments, 4, 4))


def _rebuild_quantized(blocks: Blocks, arguments: list[Any]) -> Tensor:
    storage, offset, shape, strides, scheme, wants, hooks = _exactly(arguments, 7, 7)
    return finished(quantized(blocks, storage, offset, shape, strides, scheme), wants, hooks)


def _rebuild_sparse(blocks: Blocks, arguments: list[Any]) -> Tensor:
    return sparse(*_exactly(arguments, 2, 2))


def _rebuild_meta(blocks: Blocks, arguments: list[Any]) -> Tensor:
    return meta()


def _rebuild_from_numpy(blocks: Blocks, arguments: list[Any]) -> Tensor:
    """A tensor of another device, that was saved as an array."""
    array, dtype, _, wants = _exactly(arguments, 4, 4)
    name = dtype.name if type(dtype) is Dtype else ""
    size = ITEM_SIZES.get(name, 0)
    if type(array) is not np.ndarray or array.dtype.name != name or size != array.itemsize:
        raise odd("a tensor of another device")
    data = np.ascontiguousarray(array)
    block = blocks.add(data.reshape(-1).view(np.uint8).data)
    storage = Storage(block, 0, data.nbytes, name, "cpu")
    steps = tuple(step // size for step in data.strides)
    return finished(strided(storage, name, 0, data.shape, steps), wants, None)


def _rebuild_from_cpu(blocks: Blocks, arguments: list[Any]) -> Tensor:
    tensor, dtype, _, wants = _exactly(arguments, 4, 4)
    if type(tensor) is not Strided or type(dtype) is not Dtype or dtype.name != tensor.dtype:
        raise odd("a tensor of another device")
    return finished(tensor, wants, None)


def _rebuild_nested(blocks: Blocks, arguments: list[Any]) -> Tensor:
    return Without("a nested tensor")


def _rebuild_subclass(blocks: Blocks, arguments: list[Any]) -> Tensor:
    return Without("a tensor of a class of its own, without content")


MAKERS: Final[Mapping[str, Maker]] = {
    f"{_UTILS}_rebuild_tensor": _rebuild_tensor,
    f"{_UTILS}_rebuild_tensor_v2": _rebuild_v2,
    f"{_UTILS}_rebuild_tensor_v3": _rebuild_v3,
    f"{_UTILS}_rebuild_parameter": _rebuild_parameter,
    f"{_UTILS}_rebuild_parameter_with_state": _rebuild_with_state,
    f"{_UTILS}_rebuild_qtensor": _rebuild_quantized,
    f"{_UTILS}_rebuild_sparse_tensor": _rebuild_sparse,
    f"{_UTILS}_rebuild_sparse_csr_tensor": _rebuild_sparse,
    f"{_UTILS}_rebuild_meta_tensor_no_storage": _rebuild_meta,
    f"{_UTILS}_rebuild_device_tensor_from_numpy": _rebuild_from_numpy,
    f"{_UTILS}_rebuild_device_tensor_from_cpu_tensor": _rebuild_from_cpu,
    f"{_UTILS}_rebuild_xla_tensor": _rebuild_from_numpy,
    f"{_UTILS}_rebuild_nested_tensor": _rebuild_nested,
    f"{_UTILS}_rebuild_wrapper_subclass": _rebuild_subclass,
}
