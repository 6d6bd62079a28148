"""The file to convert: opened once, private or mapped, and inflated into memory where it must be.

What is scanned, digested and converted are the same bytes. Arrays become views of them, so a large
file is mapped: a private mapping, whose pages nobody writes to; that the file was not replaced or
written to meanwhile is checked at the end.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from safemodel.errors import BudgetError, ChangedFileError, MissingFileError, SourceError
from safemodel.legacy.compressed import Inflated
from safemodel.legacy.content import View
from safemodel.legacy.joblib import parse_zfile
from safemodel.scan.budget import Budget, Limits

MAX_READ: Final = 32 << 20  # files up to here are read: nobody can change them then
_PIECE: Final = 8 << 20
_GIVE_BACK: Final = 32 << 20  # so many bytes of a mapped file stay in memory
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would be waited for
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
# What the scan calls them -> how their streams are called
CODECS: Final = frozenset({"bzip2", "gzip", "lz4", "lzma", "xz", "zfile", "zlib"})


class Source:
    """An open file.

    Attributes:
        path: as it was given.
        data: all bytes of it; writable, so that arrays over it are, and never written to.
    """

    def __init__(self, path: str, descriptor: int, data: memoryview) -> None:
        self.path = path
        self._seen = 0
        self.data = data
        self._descriptor = descriptor
        self._before = _identity(os.fstat(descriptor))
        self._digest = ""
        self._thread = threading.Thread(target=self._hash, daemon=True)
        self._thread.start()

    def _hash(self) -> None:
        hasher = hashlib.sha256()
        for piece in streamed(self.data):
            hasher.update(piece)
        self._digest = hasher.hexdigest()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def digest(self) -> str:
        """The SHA-256 of the file."""
        self._thread.join()
        return self._digest

    def saw(self, count: int) -> None:
        """Note that so many bytes were read; memory is given back now and then."""
        self._seen += count
        if self._seen >= _GIVE_BACK:
            self._seen = 0
            give_back(_mapping(self.data))

    def check_unchanged(self) -> None:
        """Refuse what may not be what was scanned.

        Raises:
            ChangedFileError: the file was written to.
        """
        if _identity(os.fstat(self._descriptor)) != self._before:
            raise ChangedFileError("changed while it was converted", path=self.path)

    def is_same_file(self, path: str) -> bool:
        """Whether something is this very file."""
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._descriptor))
        except OSError:
            return False


def _identity(status: os.stat_result) -> tuple[int, ...]:
    # Whoever writes to a file can put its time of writing back, but not that of the change.
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino, status.st_size, *times


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file and close it again.

    Raises:
        SourceError: it can't be opened or read, or is no regular file.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise MissingFileError("no such file", path=path) from None
    except (OSError, ValueError) as error:
        raise SourceError(f"can't be opened: {_reason(error)}", path=path) from None
    mapped: Any = None
    source: Source | None = None
    try:
        data, mapped = _bytes_of(descriptor, path)
        source = Source(path, descriptor, data)
        yield source
    finally:
        if source is not None:
            source.digest()  # its thread reads the mapping
        os.close(descriptor)
        if mapped is not None:
            with suppress(BufferError):  # arrays over it; it goes with the last of them
                mapped.close()


def _bytes_of(descriptor: int, path: str) -> tuple[memoryview, Any]:
    """All bytes of an open file, and the mapping that they are in, if they are in one."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            hint = "convert the files in it one by one" if stat.S_ISDIR(status.st_mode) else None
            raise SourceError("is no regular file", path=path, hint=hint)
        if status.st_size <= MAX_READ:
            return memoryview(_read(descriptor, status.st_size)), None
        mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
        return memoryview(mapped), mapped
    except (OSError, ValueError) as error:
        raise SourceError(f"can't be read: {_reason(error)}", path=path) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _read(descriptor: int, size: int) -> bytearray:
    found = bytearray(size)
    at = 0
    with open(descriptor, "rb", buffering=0, closefd=False) as file, memoryview(found) as view:
        while at < size and (count := file.readinto(view[at:])):
            at += count
    del found[at:]
    return found


def streamed(data: memoryview) -> Iterator[memoryview]:
    """The same bytes in pieces. Pages of a mapped file are given back now and then: whoever still
    looks at one gets it from the file again.
    """
    mapped = _mapping(data)
    if mapped is None:
        yield data
        return
    flat = data.cast("B")
    for at in range(0, len(flat), _PIECE):
        yield flat[at : at + _PIECE]
        if len(flat) > _PIECE:
            give_back(mapped)


def _mapping(data: memoryview) -> mmap.mmap | None:
    """The mapping that bytes lie in, directly or as those of an array; None if in none."""
    owner: Any = data.obj
    while hasattr(owner, "base") or isinstance(owner, memoryview):
        owner = owner.obj if isinstance(owner, memoryview) else owner.base
    return owner if isinstance(owner, mmap.mmap) else None


def give_back(mapped: mmap.mmap | None) -> None:
    """Let the system have the memory of a mapping that nobody wrote to; the file has it all."""
    if mapped is not None and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


def inflated(codec: str, data: memoryview, limits: Limits) -> memoryview:
    """What comes out of a compressed file, in memory.

    Raises:
        LegacyError: damaged, or more than may come out.
    """
    start, kind = 0, codec
    if codec == "zfile":
        start, _ = parse_zfile(data[:32])
        kind = "zlib"
    budget = Budget(limits, len(data))
    stream = Inflated(kind, View(data[start:]), budget.inflate)
    found = bytearray()
    try:
        for piece in stream.pieces():
            found += piece
    except MemoryError:
        raise BudgetError("needs too much memory after decompression") from None
    if stream.trailing is not None:
        raise BudgetError("bytes behind the compressed stream")
    return memoryview(found)
