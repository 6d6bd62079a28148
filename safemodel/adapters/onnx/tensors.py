"""What a TensorProto holds: its data types, how long its bytes are, and how they are stored.

At save every tensor becomes raw bytes (strings aside), and at load nothing else is taken: a tensor
in fields of several widths is where counts go wrong. Implements spec/onnx.md, "Tensors".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.onnx.varints import DTYPES
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LimitError

STRING: Final = 8
BOOL: Final = 9
INT64: Final = 7
_INT32: Final = 6

# An initializer with fewer bytes stays in the graph: ONNX Runtime and the shape inference of ONNX
# look into small ones (shapes, axes, scales), and can't when they are in another file. So do
# vectors of integers of any use as a shape.
SMALL: Final = 1024
SMALL_VECTOR: Final = 64 * limits.KIB


@dataclass(frozen=True, slots=True)
class DataType:
    """A data type: bits of an element, what its bytes are stored as, and its field of numbers.

    `unit` is appended to the shape; it is None for elements of less than a byte, which are stored
    as a row of bytes. `typed` is the field that may hold them instead of raw bytes, `item` the
    type of one number there.
    """

    name: str
    bits: int
    stored: str
    unit: tuple[int, ...] | None
    typed: str
    item: str


def _types() -> dict[int, DataType]:
    whole, packed, wide = "int32_data", "int32_data", "uint64_data"
    rows: Mapping[int, tuple[str, int, str, tuple[int, ...] | None, str, str]] = {
        1: ("FLOAT", 32, "F32", (), "float_data", "<u4"),
        2: ("UINT8", 8, "U8", (), whole, "u1"),
        3: ("INT8", 8, "I8", (), whole, "i1"),
        4: ("UINT16", 16, "U16", (), whole, "<u2"),
        5: ("INT16", 16, "I16", (), whole, "<i2"),
        _INT32: ("INT32", 32, "I32", (), whole, "<i4"),
        INT64: ("INT64", 64, "I64", (), "int64_data", "<i8"),
        STRING: ("STRING", 0, "", (), "string_data", ""),
        BOOL: ("BOOL", 8, "BOOL", (), whole, "u1"),
        10: ("FLOAT16", 16, "F16", (), whole, "<u2"),
        11: ("DOUBLE", 64, "F64", (), "double_data", "<u8"),
        12: ("UINT32", 32, "U32", (), wide, "<u4"),
        13: ("UINT64", 64, "U64", (), wide, "<u8"),
        14: ("COMPLEX64", 64, "C64", (), "float_data", "<u4"),
        15: ("COMPLEX128", 128, "F64", (2,), "double_data", "<u8"),
        16: ("BFLOAT16", 16, "BF16", (), whole, "<u2"),
        17: ("FLOAT8E4M3FN", 8, "F8_E4M3", (), whole, "u1"),
        18: ("FLOAT8E4M3FNUZ", 8, "F8_E4M3FNUZ", (), whole, "u1"),
        19: ("FLOAT8E5M2", 8, "F8_E5M2", (), whole, "u1"),
        20: ("FLOAT8E5M2FNUZ", 8, "F8_E5M2FNUZ", (), whole, "u1"),
        21: ("UINT4", 4, "U8", None, packed, "u1"),
        22: ("INT4", 4, "U8", None, packed, "u1"),
        23: ("FLOAT4E2M1", 4, "U8", None, packed, "u1"),
        24: ("FLOAT8E8M0", 8, "F8_E8M0", (), whole, "u1"),
        25: ("UINT2", 2, "U8", None, packed, "u1"),
        26: ("INT2", 2, "U8", None, packed, "u1"),
        27: ("FLOAT6E2M3", 6, "U8", None, "", "u1"),
        28: ("FLOAT6E3M2", 6, "U8", None, "", "u1"),
    }
    return {number: DataType(*row) for number, row in rows.items()}


TYPES: Final[Mapping[int, DataType]] = _types()
TYPED: Final = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


@dataclass(frozen=True, slots=True)
class Shape:
    """The checked type and dimensions of a tensor, how many elements it has, and bytes."""

    data_type: int
    dims: tuple[int, ...]
    count: int
    nbytes: int

    @property
    def type(self) -> DataType:
        """What its data type means."""
        return TYPES[self.data_type]

    @property
    def stored(self) -> tuple[str, tuple[int, ...]]:
        """The safetensors type and shape of its bytes."""
        unit = self.type.unit
        return self.type.stored, (self.nbytes,) if unit is None else (*self.dims, *unit)

    @property
    def is_external(self) -> bool:
        """Whether an initializer of the main graph with this shape is in the weights."""
        if self.data_type == STRING or self.nbytes < SMALL:
            return False
        vector = self.data_type in (_INT32, INT64) and len(self.dims) < 2
        return not (vector and self.nbytes <= SMALL_VECTOR)


def shape_of(tensor: Message) -> Shape:
    """The type and shape that a tensor says it has.

    Raises:
        ArchitectureError: an unknown type, a negative dimension.
        LimitError: more elements than there can be, or too many dimensions.
    """
    data_type = tensor.get("data_type", 0)
    if data_type not in TYPES:
        raise ArchitectureError(f"the data type {data_type} is not known")
    dims = tuple(int(dimension) for dimension in tensor.all("dims"))
    count = check_dims(dims, max(TYPES[data_type].bits, 8))
    return Shape(data_type, dims, count, -(-count * TYPES[data_type].bits // 8))


def check_dims(dims: tuple[int, ...], bits: int) -> int:
    """How many elements dimensions stand for.

    Raises:
        ArchitectureError: a negative dimension.
        LimitError: more elements than there can be, or too many dimensions.
    """
    if len(dims) > limits.MAX_TENSOR_RANK:
        raise LimitError(f"more than {limits.MAX_TENSOR_RANK} dimensions")
    count, bound = 1, bits
    for dimension in dims:
        if dimension < 0:
            raise ArchitectureError(f"a dimension of {dimension}")
        count *= dimension
        bound *= dimension or 1  # readers multiply in 64 bits, in their own order
    if bound > 8 * limits.MAX_MEMBER_SIZE:
        raise LimitError(f"more elements than a tensor can have: {list(dims)!s:.200}")
    return count


def check_inline(tensor: Message) -> Shape:
    """The shape of a tensor whose data are all in it, and are as many as they must be.

    Raises:
        ArchitectureError: data elsewhere, in parts, of another length, or not as raw bytes.
        LimitError: see `shape_of`.
    """
    shape = shape_of(tensor)
    if "external_data" in tensor or "data_location" in tensor:
        raise ArchitectureError("data that lie elsewhere, which only initializers may have")
    if "segment" in tensor:
        raise ArchitectureError("a part of a tensor")
    if any(name in tensor for name in TYPED):
        raise ArchitectureError("data that are not raw bytes")
    strings = tensor.all("string_data")
    if len(strings) != (shape.count if shape.data_type == STRING else 0):
        raise ArchitectureError(f"{len(strings)} strings where its shape says {shape.count}")
    raw = tensor.get("raw_data")
    if (0 if raw is None else len(raw)) != shape.nbytes or (raw is not None and not len(raw)):
        found = "no bytes" if raw is None else f"{len(raw)} bytes"
        raise ArchitectureError(f"{found} of data where its shape needs {shape.nbytes}")
    if shape.data_type == BOOL and raw is not None:
        check_booleans(raw)
    return shape


def check_booleans(raw: Any) -> None:
    """Refuse a boolean that is neither 0 nor 1: compiled code takes it for an index.

    Raises:
        ArchitectureError: there is one.
    """
    if len(raw) and np.frombuffer(raw, np.uint8).max() > 1:
        raise ArchitectureError("a boolean that is neither 0 nor 1")


def to_raw(tensor: Message) -> None:
    """Put the data of a tensor, wherever in it they are, into raw bytes.

    Raises:
        ArchitectureError: data in more than one field, or in that of another type.
    """
    shape = shape_of(tensor)
    here = [name for name in TYPED if name in tensor]
    raw = tensor.values.pop("raw_data", None)
    if raw is not None and len(raw):
        tensor.values["raw_data"] = raw
        if any(len(tensor.get(name)) for name in here):
            raise ArchitectureError("data in more than one field")
        for name in here:
            del tensor.values[name]
        return
    for name in here:
        values = tensor.values.pop(name)
        if len(values):
            _take(tensor, shape, name, values)
    if shape.data_type == STRING and "string_data" in tensor and not tensor.all("string_data"):
        del tensor.values["string_data"]


def _take(tensor: Message, shape: Shape, name: str, values: Any) -> None:
    kind = shape.type
    if name != kind.typed and not (kind.typed == "" and name == "int32_data"):
        raise ArchitectureError(f"{kind.name} in the field {name}")
    if "raw_data" in tensor:
        raise ArchitectureError("data in more than one field")
    array = np.asarray(values, DTYPES[name.removesuffix("_data")])
    if kind.bits == 6:
        tensor.values["raw_data"] = memoryview(_six_bits(array))
        return
    info = np.iinfo(kind.item)
    low, high = int(array.min()), int(array.max())
    if low < min(int(info.min), -(1 << kind.bits - 1)) or high > max(
        int(info.max), (1 << kind.bits) - 1
    ):
        raise ArchitectureError(f"a {kind.name} of {low if low < 0 else high}")
    tensor.values["raw_data"] = memoryview(array.astype(kind.item, casting="unsafe").tobytes())


def _six_bits(values: Any) -> bytes:
    """Elements of six bits, four in three bytes."""
    if values.min() < 0 or values.max() > 63:
        raise ArchitectureError("an element of six bits that has more")
    bits = np.unpackbits(values.astype(np.uint8)[:, None], axis=1, bitorder="little")[:, :6]
    return np.packbits(bits.reshape(-1), bitorder="little").tobytes()
