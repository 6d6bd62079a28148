"""PyTorch's data types, devices, layouts: closed tables from names in JSON to what they mean.

No name from a file is looked up in a module. Implements spec/object-graph.md, "PyTorch kinds".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

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
DTYPES: Final[Mapping[str, Stored]] = _known(
    {
        "bool": ("BOOL", ()),
        "uint8": ("U8", ()),
        "int8": ("I8", ()),
        "uint16": ("U16", ()),
        "int16": ("I16", ()),
        "uint32": ("U32", ()),
        "int32": ("I32", ()),
        "uint64": ("U64", ()),
        "int64": ("I64", ()),
        "float16": ("F16", ()),
        "bfloat16": ("BF16", ()),
        "float32": ("F32", ()),
        "float64": ("F64", ()),
        "complex32": ("F16", (2,)),
        "complex64": ("C64", ()),
        "complex128": ("F64", (2,)),
        "float8_e4m3fn": ("F8_E4M3", ()),
        "float8_e5m2": ("F8_E5M2", ()),
        "float8_e8m0fnu": ("F8_E8M0", ()),
        "float8_e4m3fnuz": ("F8_E4M3FNUZ", ()),
        "float8_e5m2fnuz": ("F8_E5M2FNUZ", ()),
        "float4_e2m1fn_x2": ("U8", ()),
        **{f"{sign}int{bits}": ("U8", ()) for sign in ("", "u") for bits in range(1, 8)},
        **{f"bits{form}": ("U8", ()) for form in ("1x8", "2x4", "4x2", "8")},
        "bits16": ("U16", ()),
    }
)
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
    "qint8": (torch.qint8, torch.int8, -128, 127),
    "quint8": (torch.quint8, torch.uint8, 0, 255),
    "qint32": (torch.qint32, torch.int32, -(2**31), 2**31 - 1),
}
QUANTIZED_NAMES: Final = {dtype: name for name, (dtype, *_) in QUANTIZED.items()}

LAYOUTS: Final[Mapping[str, torch.layout]] = {
    "strided": torch.strided,
    "sparse_coo": torch.sparse_coo,
    "sparse_csr": torch.sparse_csr,
    "sparse_csc": torch.sparse_csc,
    "sparse_bsr": torch.sparse_bsr,
    "sparse_bsc": torch.sparse_bsc,
}
LAYOUT_NAMES: Final = {layout: name for name, layout in LAYOUTS.items()}

MEMORY_FORMATS: Final[Mapping[str, torch.memory_format]] = {
    "contiguous_format": torch.contiguous_format,
    "channels_last": torch.channels_last,
    "channels_last_3d": torch.channels_last_3d,
    "preserve_format": torch.preserve_format,
}

_DEVICE: Final = re.compile(r"(?:cpu|cuda|hip|hpu|ipu|mps|mtia|xla|xpu|meta)(?::[0-9]{1,4})?")


def device(value: JsonValue) -> torch.device:
    """A device by its name; it need not exist on this machine."""
    if type(value) is not str or not _DEVICE.fullmatch(value):
        raise ArchitectureError(f"not a device: {value!r:.60}")
    return torch.device(value)


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
