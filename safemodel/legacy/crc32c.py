"""CRC-32C, as LevelDB's tables and TensorFlow's checkpoints have it of their blocks.

In plain Python, for what is small; `convert` has a faster one for tensors. Sources: RFC 3720,
appendix B.4; tensorflow/core/lib/hash/crc32c.h (masking).
"""

from __future__ import annotations

from typing import Final

POLYNOMIAL: Final = 0x82F63B78  # of Castagnoli, its bits reversed
_MASK: Final = 0xFFFF_FFFF
_DELTA: Final = 0xA282EAD8


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE: Final = _table()


def crc32c(data: bytes | memoryview, value: int = 0) -> int:
    """The CRC-32C of bytes; `value` is that of the bytes before them."""
    value ^= _MASK
    table = _TABLE
    for byte in bytes(data):
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ _MASK


def masked(value: int) -> int:
    """A CRC as files store it: one of data that hold CRCs themselves would be a weak one."""
    return ((value >> 15 | value << 17) + _DELTA) & _MASK
