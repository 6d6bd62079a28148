"""What a verb reads and writes: paths, and standard input for `-`."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, Final

from safemodel import limits
from safemodel.errors import LimitError, SafemodelError, SourceError, UsageError

STDIN: Final = "-"
SIGNATURE_ENDING: Final = ".sigstore.json"
_MAGIC: Final = b"PK\x03\x04"
_PIECE: Final = 1 << 20
_MAX_STDIN: Final = 16 << 30
_IN_MEMORY: Final = "<bytes>"  # what the library calls a source without a path
_SEPARATORS: Final = os.sep + (os.altsep or "")


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
        reason = error.strerror or str(error)
        raise SourceError(f"can't be read: {reason}", path="<stdin>") from error


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


def locate(error: SafemodelError, path: str) -> None:
    """Say in an error which source it is about, unless it is about another file."""
    if error.path is None or error.path == _IN_MEMORY:
        error.path = shown(path)


def size_of(path: str) -> int | None:
    """Bytes of a file, or of the files in a folder; None where that is not quickly known."""
    try:
        if not os.path.isdir(path):
            return None if path == STDIN else os.path.getsize(path)
        total = count = 0
        for folder, _, names in os.walk(path):
            count += len(names)
            if count > limits.MAX_MEMBERS:
                return None
            total += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
    except OSError:
        return None
    return total


def stem(path: str) -> str | None:
    """A path to which an ending can be added to name something beside it; None if it has no name.

    `model/` is `model`. What `.` is called, only its whole path says: `..safemodel` would be a
    hidden file inside of the folder.
    """
    found = path.rstrip(_SEPARATORS)
    if os.path.basename(found) in {"", os.curdir, os.pardir}:
        found = os.path.realpath(path).rstrip(_SEPARATORS)
    return found if os.path.basename(found) else None


def beside(path: str, ending: str, option: str) -> str:
    """The default name of what is made of `path`.

    Raises:
        UsageError: the path has no name, as `/` has none.
    """
    found = stem(path)
    if found is None:
        raise UsageError("has no name to derive another from", path=path, hint=f"use {option}")
    return found + ending


def check_place(path: str) -> None:
    """Refuse an output whose folder is missing.

    Raises:
        SourceError: there is no such folder.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise SourceError("there is no folder to put it in", path=path, hint=f"make {folder} first")
