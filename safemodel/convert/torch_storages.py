"""Storages of PyTorch files: ranges of the source, at addresses of their own.

Which tensors share memory is a matter of addresses (`adapters/memory.py`). Two storages of a file
never overlap, and a loader puts each at an address that suits every type; so does this, with
addresses that no array has. The bytes stay where they are until they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.arrays import ArrayMemory
from safemodel.adapters.tensors import ITEM_SIZES
from safemodel.convert.sources import streamed
from safemodel.errors import UnconvertibleError

_FIRST: Final = 1 << 60  # far above what processes address
_STEP: Final = 64
_LOOKS: Final = 8  # how often all bytes may be looked at

# Every dtype as a plain one of its size, for moving bytes.
_CARRIERS: Final = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8", 16: "<c16"}

# types of storages -> dtypes of their items
TYPES: Final = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8",
    "QInt32Storage": "qint32",
    "QUInt8Storage": "quint8",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}


class Block:
    """A stretch of bytes that has an address.

    Attributes:
        address: multiple of 64.
        data: the bytes.
        blocks: all of the file.
    """

    __slots__ = ("_boolean", "address", "blocks", "data")

    def __init__(self, address: int, data: memoryview, blocks: Blocks) -> None:
        self.address = address
        self.data = data
        self.blocks = blocks
        self._boolean: bool | None = None

    @property
    def is_boolean(self) -> bool:
        """Whether all bytes are 0 or 1."""
        if self._boolean is None:
            self.blocks.look(len(self.data))
            pieces = (np.frombuffer(one, np.uint8) for one in streamed(self.data) if len(one))
            self._boolean = all(int(piece.max()) <= 1 for piece in pieces)
        return self._boolean


class Blocks:
    """All blocks of a file: gives them their addresses."""

    def __init__(self) -> None:
        self._next = _FIRST
        self._looked = 0

    def look(self, count: int) -> None:
        """Note that bytes are looked at or copied, before they are: a file could have a million
        tensors over one storage.

        Raises:
            UnconvertibleError: far more than there are.
        """
        self._looked += count
        if self._looked > _LOOKS * (self._next - _FIRST) + limits.GIB:
            raise UnconvertibleError("far more views of the same storages than models have")

    def add(self, data: memoryview) -> Block:
        """A block of these bytes, which nothing else shares."""
        block = Block(self._next, data, self)
        self._next += (len(data) // _STEP + 2) * _STEP
        return block


class Storage:
    """What a tensor stands on: a block, or a part of one.

    Attributes:
        block: the bytes.
        start, size: which of them.
        dtype: of the items, by name; None if the tensor says it.
        location: the device that it was on.
    """

    __module__ = "torch.storage"
    __slots__ = ("block", "dtype", "location", "size", "start")

    def __init__(
        self, block: Block, start: int, size: int, dtype: str | None, location: str
    ) -> None:
        self.block = block
        self.start = start
        self.size = size
        self.dtype = dtype
        self.location = location

    @property
    def address(self) -> int:
        """Of the first byte."""
        return self.block.address + self.start


Storage.__qualname__ = "TypedStorage"


def array_of(
    storage: Storage, dtype: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """The items of a tensor as plain ones of their size. The caller has checked where they lie."""
    size = ITEM_SIZES[dtype]
    first = storage.start + offset * size
    steps = [step * size for step in strides]
    buffer: Any = storage.block.data
    if 0 in shape:
        buffer, first = bytearray(1), 0
    return np.ndarray(shape, _CARRIERS[size], buffer, first, steps)


class TensorMemory:
    """The memory of a tensor, for the encoder."""

    __slots__ = ("_address", "_array")

    def __init__(self, array: np.ndarray[Any, Any], address: int) -> None:
        """`address`: that of its first item among the blocks."""
        self._array = array
        self._address = address

    def dense(self) -> Iterator[memoryview]:
        """The bytes in the order of memory, without a copy."""
        return ArrayMemory(self._array).dense()

    def logical(self) -> Iterator[memoryview]:
        """The bytes in the order of indices."""
        return ArrayMemory(self._array).logical()

    def copy_into(self, buffer: bytearray, base: int) -> None:
        """Copy the tensor to its place in a buffer that stands for the memory from `base` on."""
        real = self._array.__array_interface__["data"][0]
        ArrayMemory(self._array).copy_into(buffer, real - (self._address - base))
