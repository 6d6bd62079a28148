"""PyTorch's data types, devices, layouts: closed tables from names in JSON to what they mean.

No name from a file is looked up in a module. Implements spec/object-graph.md, "PyTorch kinds".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel.adapters import tensors
from safemodel.adapters.memory import dense_axes
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

Stored = tuple[torch.dtype, str, tuple[int, ...]]


def _known(rows: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Stored]:
    # Newer types are absent from older versions of torch.
    return {
        name: (getattr(torch, name), *stored)
        for name, stored in rows.items()
        if hasattr(torch, name)
    }


# name -> (dtype, type of the stored items, shape of the items that make one element)
DTYPES: Final[Mapping[str, Stored]] = _known(tensors.STORED)
DTYPE_NAMES: Final = {dtype: name for name, (dtype, _, _) in DTYPES.items()}

# Every dtype as a plain one of its size, for moving bytes.
CARRIERS: Final = {
    1: torch.uint8,
    2: torch.int16,
    4: torch.int32,
    8: torch.int64,
    16: torch.complex128,
}

# name -> (dtype, that of its representation, range of zero points)
QUANTIZED: Final[Mapping[str, tuple[torch.dtype, torch.dtype, int, int]]] = {
    name: (getattr(torch, name), getattr(torch, representation), low, high)
    for name, (representation, low, high) in tensors.QUANTIZED.items()
}
QUANTIZED_NAMES: Final = {dtype: name for name, (dtype, *_) in QUANTIZED.items()}

LAYOUTS: Final[Mapping[str, torch.layout]] = {
    name: getattr(torch, name) for name in tensors.LAYOUTS
}
LAYOUT_NAMES: Final = {layout: name for name, layout in LAYOUTS.items()}

MEMORY_FORMATS: Final[Mapping[str, torch.memory_format]] = {
    name: getattr(torch, name) for name in tensors.MEMORY_FORMATS
}


def device(value: JsonValue) -> torch.device:
    """A device by its name; it need not exist on this machine."""
    return torch.device(tensors.check_device(value))


def dtype(value: JsonValue) -> Stored:
    """A data type by its name, and how it is stored."""
    if type(value) is not str or value not in DTYPES:
        raise ArchitectureError(f"unknown dtype {value!r:.60}")
    return DTYPES[value]


def any_dtype(value: JsonValue) -> torch.dtype:
    """A data type by its name, quantized ones too."""
    if type(value) is str and value in QUANTIZED:
        return QUANTIZED[value][0]
    return dtype(value)[0]


def may_be_trained(tensor: Any) -> bool:
    """Whether an optimizer takes it as it is: fused kernels are for strided ones alone."""
    trained = tensor.requires_grad or isinstance(tensor, torch.nn.Parameter)
    return trained and tensor.layout is torch.strided and not tensor.is_quantized


def is_dense(tensor: Any) -> bool:
    """Whether a tensor fills a block of memory without holes and overlaps.

    Fused kernels write to as many items behind the first as there are, whatever the strides.
    """
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return False
    return tensor.numel() == 0 or dense_axes(tensor.shape, tensor.stride(), 1) is not None


def kind_name(obj: Any) -> str:
    """The full name of an object's class, for people."""
    kind = type(obj)
    return f"{kind.__module__}.{kind.__qualname__}"
