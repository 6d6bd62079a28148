"""PyTorch's data types, layouts and devices by name, and how a tensor of them is stored.

Knows no framework: the adapter for PyTorch and conversions, which do without PyTorch, both stand
on it. Implements spec/object-graph.md, "PyTorch kinds".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters import plain
from safemodel.adapters.graph_decode import Builder, Create
from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.adapters.memory import Memory, Part
from safemodel.errors import ArchitectureError, UnsavableError
from safemodel.format import weights

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

VERSION: Final = 1  # of the adapter for PyTorch
FRAMEWORK: Final = "torch"

# Fields of a tensor that is a parameter, a buffer, or wants a gradient.
FLAGS: Final = frozenset({"class", "persistent", "requires_grad"})
# kind of a node that is a tensor -> the fields that it must have, and those that it may have
_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "tensor": ("dtype data", "shape strides offset layout conj neg"),
    "quantized": ("dtype values scale zero_point", "axis"),
    "sparse_coo": ("shape indices values", "coalesced"),
    "sparse_compressed": ("layout shape compressed plain values", ""),
}

# name -> (type of the stored items, shape of the items that make one element)
STORED: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
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

# name -> bytes of an element
ITEM_SIZES: Final[Mapping[str, int]] = {
    name: weights.ITEM_SIZES[stored] * math.prod(unit) for name, (stored, unit) in STORED.items()
}

# quantized name -> (name of its representation, range of zero points)
QUANTIZED: Final[Mapping[str, tuple[str, int, int]]] = {
    "qint8": ("int8", -128, 127),
    "quint8": ("uint8", 0, 255),
    "qint32": ("int32", -(2**31), 2**31 - 1),
}

LAYOUTS: Final = (
    *("strided", "sparse_coo"),
    *("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"),
)
MEMORY_FORMATS: Final = (
    "contiguous_format",
    "channels_last",
    "channels_last_3d",
    "preserve_format",
)

_DEVICE: Final = re.compile(r"(?:cpu|cuda|hip|hpu|ipu|mps|mtia|xla|xpu|meta)(?::[0-9]{1,4})?")


def check_device(value: JsonValue) -> str:
    """The name of a device; it need not exist on this machine.

    Raises:
        ArchitectureError: not a device.
    """
    if type(value) is not str or not _DEVICE.fullmatch(value):
        raise ArchitectureError(f"not a device: {value!r:.60}")
    return value


def part(
    name: str,
    node: Node,
    *,
    path: str,
    address: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    memory: Memory,
) -> Part:
    """What `Encoder.add_array` needs to know of a strided tensor of the dtype `name`.

    Its strides are in elements.
    """
    stored, unit = STORED[name]
    size = ITEM_SIZES[name]
    return Part(
        name=path,
        node=node,
        address=address,
        shape=shape,
        strides=tuple([step * size for step in strides]),
        itemsize=size,
        dtype=stored,
        unit=unit,
        alignment=size,
        quantum=size,
        memory=memory,
        logical=True,
    )


def encode_ordered_dict(obj: Any, path: str, encoder: Encoder) -> Node:
    """An OrderedDict, with the versions that a state dict keeps beside its entries."""
    attributes = vars(obj)
    if attributes.keys() - {"_metadata"}:
        raise UnsavableError(
            "an OrderedDict with attributes of its own", place=path or None, hint="save dict(value)"
        )
    node: Node = {"kind": "OrderedDict", "items": plain.encode_pairs(obj, path, encoder)}
    if attributes:
        node["metadata"] = encoder.value(obj._metadata, join(path, "_metadata"))
    return node


def builders(**creates: Create) -> dict[str, Builder]:
    """How nodes that are tensors become what `creates` makes of them, by kind."""
    made = {}
    for kind, create in creates.items():
        required, optional = (frozenset(names.split()) for names in _FIELDS[kind])
        made[kind] = Builder(create, fields=required | optional | FLAGS, required=required)
    return made
