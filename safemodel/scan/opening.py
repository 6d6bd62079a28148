"""Opens files for a scan: regular ones only, mapped, or read where a mapping would not do."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

MAX_READ: Final = 1 << 16  # files up to here are read: quicker, and nobody can cut them then
MAX_PRIVATE: Final = 128 << 20
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would be waited for
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@contextmanager
def opened(path: str, *, private: bool = False) -> Iterator[memoryview | None]:
    """All bytes of a file; None of what is no regular file.

    `private`: a copy that nobody else can change, where the file is not too large.

    Raises:
        OSError, ValueError: it can't be opened or read.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            yield None
        elif status.st_size <= (MAX_PRIVATE if private else MAX_READ):
            yield memoryview(_read(descriptor, status.st_size))
        else:
            mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            try:
                yield memoryview(mapped)
            finally:
                # A parser's frame may still refer to part of it; it then ends with the last one.
                with suppress(BufferError):
                    mapped.close()
    finally:
        os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    """As many bytes as the file had; a file that grew or was cut is what it is now."""
    pieces = []
    while size > 0 and (piece := os.read(descriptor, min(size, 1 << 26))):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
