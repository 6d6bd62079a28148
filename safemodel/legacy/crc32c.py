"""CRC-32C, as LevelDB's tables and TensorFlow's checkpoints have it of their blocks and values.

Sources: RFC 3720, appendix B.4; tensorflow/core/lib/hash/crc32c.h (masking).
"""

from __future__ import annotations

from typing import Final

from safemodel.errors import MissingLibraryError

_MASK: Final = 0xFFFF_FFFF
_DELTA: Final = 0xA282EAD8


def crc32c(data: bytes | memoryview, value: int = 0) -> int:
    """The CRC-32C of bytes; `value` is that of the bytes before them.

    Raises:
        MissingLibraryError: google-crc32c is not installed.
    """
    try:
        import google_crc32c
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            "google-crc32c is not installed", hint="pip install 'safemodel[convert]'"
        ) from error
    found: int = google_crc32c.extend(value, bytes(data))
    return found


def masked(value: int) -> int:
    """A CRC as files store it: one of data that hold CRCs themselves would be a weak one."""
    return ((value >> 15 | value << 17) + _DELTA) & _MASK
