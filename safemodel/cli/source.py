"""What a verb reads: a path, or standard input for `-`."""

from __future__ import annotations

import sys
from typing import BinaryIO, Final

from safemodel.errors import LimitError, SourceError

STDIN: Final = "-"
_MAGIC: Final = b"PK\x03\x04"
_PIECE: Final = 1 << 20
_MAX_STDIN: Final = 16 << 30


def source_of(path: str) -> str | bytes:
    """The path itself, or all bytes of standard input.

    Raises:
        LimitError: there are too many of them.
        SourceError: they can't be read.
    """
    if path != STDIN:
        return path
    try:
        return read_all(sys.stdin.buffer)
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", path="<stdin>") from error


def read_all(stream: BinaryIO, limit: int = _MAX_STDIN) -> bytes:
    """All bytes of a stream; of something that can be no archive, the first MiB.

    An endless stream of anything else must not fill the memory.
    """
    data = bytearray(stream.read(_PIECE))
    if not data.startswith(_MAGIC):
        return bytes(data)
    while piece := stream.read(_PIECE):
        if len(data) + len(piece) > limit:
            raise LimitError(
                f"more than {limit} bytes on standard input",
                path="<stdin>",
                hint="write them to a file first",
            )
        data += piece
    return bytes(data)


def shown(path: str) -> str:
    """What to call a source."""
    return "<stdin>" if path == STDIN else path
