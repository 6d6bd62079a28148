"""CRC-32C of tensors, fast enough for gigabytes: many stretches of the data at once, with NumPy.

A CRC is linear: it is the sum of what each word alone would make of it. So the words are dealt out
to lanes, side by side; each lane sums up its own, and the lanes are put together at the end. To go
over bytes is to multiply by a power of x, for which there are tables.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from safemodel.legacy import crc32c as plain

_MASK: Final = 0xFFFF_FFFF
_FEW: Final = 128  # lanes
_MANY: Final = 4096
_SMALL: Final = 1 << 10  # bytes that are not worth it
_LARGE: Final = 1 << 18
_PIECE: Final = 8 << 20

Words = np.ndarray[Any, np.dtype[np.uint32]]


def crc32c(data: memoryview, value: int = 0) -> int:
    """The CRC-32C of bytes; `value` is that of the bytes before them."""
    data = data.cast("B")
    for start in range(0, len(data), _PIECE):
        value = _piece(data[start : start + _PIECE], value)
    return value


def _piece(data: memoryview, value: int) -> int:
    if len(data) < _SMALL:
        return plain.crc32c(data, value)
    lanes = _FEW if len(data) < _LARGE else _MANY
    end = len(data) // (4 * lanes) * 4 * lanes
    sums = _sums(np.frombuffer(data[:end], "<u4").reshape(-1, lanes), value ^ _MASK)
    size = 4
    while len(sums) > 1:
        sums = _moved(sums[::2], size) ^ sums[1::2]
        size *= 2
    return plain.crc32c(data[end:], int(_moved(sums, 4)[0]) ^ _MASK)


def _sums(rows: Words, first: int) -> Words:
    """The sum of each lane, from a value on that is added to the first word."""
    low, high = _tables(4 * rows.shape[1])
    sums: Words = rows[0].astype("<u4")
    sums[0] ^= first
    halves = sums.view("<u2")
    left, right = (np.empty(sums.size, np.intp) for _ in range(2))
    one, other = (np.empty(sums.size, np.uint32) for _ in range(2))
    for row in rows[1:]:
        left[:] = halves[::2]
        right[:] = halves[1::2]
        low.take(left, mode="wrap", out=one)
        high.take(right, mode="wrap", out=other)
        np.bitwise_xor(one, other, out=sums)
        sums ^= row
    return sums


def _moved(sums: Words, count: int) -> Words:
    """What becomes of each when so many zero bytes follow."""
    power = 0
    while count >> power:
        if count >> power & 1:
            tables = _zeros(power)
            sums = (
                tables[0][sums & 0xFF]
                ^ tables[1][sums >> 8 & 0xFF]
                ^ tables[2][sums >> 16 & 0xFF]
                ^ tables[3][sums >> 24]
            )
        power += 1
    return sums


@cache
def _zeros(power: int) -> tuple[Words, ...]:
    """Tables, one for each byte of a sum, for 2 to the `power` zero bytes."""
    if power:
        images = _moved(_moved(_bits(), 1 << power - 1), 1 << power - 1)
    else:
        found = [int(bit) for bit in _bits()]
        for _ in range(8):
            found = [bit >> 1 ^ (plain.POLYNOMIAL if bit & 1 else 0) for bit in found]
        images = np.array(found, np.uint32)
    return tuple(_spread(images[8 * byte : 8 * byte + 8]) for byte in range(4))


def _bits() -> Words:
    bits: Words = np.array([1 << bit for bit in range(32)], np.uint32)
    return bits


def _spread(images: Words) -> Words:
    """What becomes of every number of so many bits, from what becomes of each bit."""
    table: Words = np.zeros(1, np.uint32)
    for image in images:
        table = np.concatenate([table, table ^ image])
    return table


@cache
def _tables(count: int) -> tuple[Words, Words]:
    """Tables, one for each half of a sum, for so many zero bytes."""
    images = _moved(_bits(), count)
    return _spread(images[:16]), _spread(images[16:])
