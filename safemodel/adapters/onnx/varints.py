"""Repeated numbers of protobuf messages: from bytes to values and back, many at a time.

A forest in ONNX is a few messages with millions of numbers, each with a tag of its own, so these
are not read one by one. Knows varints and fixed numbers, no messages. Implements spec/onnx.md,
"Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from safemodel.errors import DamagedError

Array = npt.NDArray[Any]
Numbers = list[int] | Array

MANY: Final = 48  # below that, NumPy costs more than it saves
_BLOCK: Final = 1 << 20
_MASK: Final = (1 << 64) - 1

# The one shortest writing of a number of 64 bits.
_SHORTEST: Final = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,8}[\x01-\x7f]|[\x80-\xff]{9}\x01)"
_ANY: Final = rb"(?:[\x80-\xff]{0,8}[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01])"

# kind -> type of the values. Floats stay bits: no NaN becomes another one.
DTYPES: Final = {"int64": "<i8", "int32": "<i8", "uint64": "<u8", "float": "<u4", "double": "<u8"}


@lru_cache(maxsize=64)
def run(tag: int, width: int, strict: bool) -> re.Pattern[bytes]:
    """A pattern for values that follow one another, each behind the same tag of one byte.

    `width` is that of fixed numbers, or 0 for varints.
    """
    value = b"[\x00-\xff]{%d}" % width if width else (_SHORTEST if strict else _ANY)
    return re.compile(b"(?:%s%s)++" % (re.escape(bytes((tag,))), value), re.DOTALL)


def untag(data: memoryview, kind: str, width: int) -> Array:
    """The values of such a run."""
    if width:
        rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + width)[:, 1:]
        return np.ascontiguousarray(rows).reshape(-1).view(DTYPES[kind])
    return _joined([block[1::2] for block in _varints(data, 2)]).view(DTYPES[kind])


def unpack(data: memoryview, kind: str, width: int, *, strict: bool) -> Array:
    """The values of a packed field.

    Raises:
        DamagedError: it ends inside of a number, or (strict) a number is not written shortest.
    """
    if width:
        if len(data) % width:
            raise DamagedError("packed numbers that end inside of one")
        return np.frombuffer(data, DTYPES[kind])
    found = re.compile(b"(?:%s)++" % (_SHORTEST if strict else _ANY), re.DOTALL).match(data)
    if found is None or found.end() != len(data):
        raise DamagedError("packed numbers that are not written as they must be")
    return _joined(list(_varints(data, 1))).view(DTYPES[kind])


def _joined(blocks: list[Array]) -> Array:
    return np.concatenate(blocks) if blocks else np.empty(0, "<u8")


def _varints(data: memoryview, each: int) -> Iterator[Array]:
    """The unsigned numbers in well-formed bytes, in blocks of a multiple of `each`."""
    everything = np.frombuffer(data, np.uint8)
    start = 0
    while start < everything.size:
        block = everything[start : start + _BLOCK]
        last = np.flatnonzero(block < 0x80)
        last = last[: last.size - last.size % each]
        first = np.empty_like(last)
        first[0], first[1:] = 0, last[:-1] + 1
        lengths = last - first + 1
        values = np.zeros(last.size, "<u8")
        for number in range(int(lengths.max())):
            longer = lengths > number
            digits = block[first[longer] + number] & np.uint8(0x7F)
            values[longer] |= digits.astype("<u8") << np.uint64(7 * number)
        yield values
        start += int(last[-1]) + 1


def encode_varints(values: Array, tag: int | None) -> bytes:
    """Numbers as varints, each behind the tag, if there is one (of one byte)."""
    unsigned = np.ascontiguousarray(values).view("<u8")
    out = []
    for start in range(0, unsigned.size, _BLOCK):
        block = unsigned[start : start + _BLOCK]
        lengths = np.ones(block.size, np.int64)
        for number in range(1, 10):
            lengths += block >> np.uint64(7 * number) != 0
        head = 0 if tag is None else 1
        begins = np.cumsum(lengths + head) - lengths
        made = np.empty(int(begins[-1] + lengths[-1]), np.uint8)
        if tag is not None:
            made[begins - 1] = tag
        for number in range(int(lengths.max())):
            longer = lengths > number
            digits = (block[longer] >> np.uint64(7 * number)).astype(np.uint8) & np.uint8(0x7F)
            more = (lengths[longer] > number + 1).astype(np.uint8) << np.uint8(7)
            made[begins[longer] + number] = digits | more
        out.append(made.tobytes())
    return b"".join(out)


def encode_fixed(values: Array, tag: int | None) -> bytes:
    """Fixed numbers, each behind the tag, if there is one (of one byte)."""
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize)
    if tag is None:
        return rows.tobytes()
    made = np.empty((len(rows), 1 + values.itemsize), np.uint8)
    made[:, 0] = tag
    made[:, 1:] = rows
    return made.tobytes()


def varint(value: int) -> bytes:
    """One number as a varint; a negative one has ten bytes."""
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
