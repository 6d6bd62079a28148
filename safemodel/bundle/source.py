"""Where bytes come from: one seam, `ByteSource`, behind which files and memory look alike.

A source is opened once and read at offsets. It knows nothing of what it holds: no format, no
digests. Whatever goes wrong below is one of our errors.
"""

from __future__ import annotations

import mmap
import os
import stat
import sys
from typing import Protocol

from safemodel.bundle.output import write_at
from safemodel.errors import ChangedFileError, MissingFileError, NotABundleError, SourceError

# O_NONBLOCK: opening a FIFO must not wait for a writer. It has no effect on regular files.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_HAS_PREADV = hasattr(os, "preadv")

# Linux maps a file that is larger than memory only if it need not keep room for changes to it.
# The module has the constant in later versions of Python only; this is its value for these.
_NO_RESERVE = getattr(
    mmap,
    "MAP_NORESERVE",
    0x4000 if sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64") else 0,
)


class ByteSource(Protocol):
    """Random access to a fixed number of bytes; safe to read from several threads."""

    @property
    def path(self) -> str:
        """What to call this source in messages."""

    @property
    def size(self) -> int:
        """Bytes."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`, wholly.

        Raises:
            ChangedFileError: the source has become shorter than `size`.
            SourceError: it can't be read.
        """

    def map(self) -> memoryview:
        """All bytes as a private mapping or buffer, without reading them."""

    def copy_to(self, descriptor: int, length: int) -> None:
        """Write the first `length` bytes to the start of an open file.

        Raises:
            ChangedFileError: the source has become shorter.
            OSError: the other file can't be written.
        """

    def close(self) -> None:
        """Give back what the operating system holds for the source."""


def read(source: ByteSource, offset: int, length: int) -> bytes:
    """Read `length` bytes at `offset` into a private copy."""
    buffer = bytearray(length)
    source.read_into(offset, memoryview(buffer))
    return bytes(buffer)


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview, path: str = "<bytes>") -> None:
        # A copy unless immutable: the caller must not be able to change what was verified.
        self._data = memoryview(data if isinstance(data, bytes) else bytes(data))
        self.path = path
        self.size = len(self._data)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        piece = self._data[offset : offset + len(buffer)]
        if len(piece) != len(buffer):
            raise ChangedFileError("ends before the expected offset", path=self.path)
        buffer[:] = piece

    def map(self) -> memoryview:
        return self._data

    def copy_to(self, descriptor: int, length: int) -> None:
        _copy_blocks(self, descriptor, 0, length)

    def close(self) -> None:
        """Nothing to give back."""


class FileSource:
    """A regular file, opened once; later changes of what its path names do not matter."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self.path = path
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            self._descriptor = -1
            raise NotABundleError(f"is {_kind(status.st_mode)}, not a regular file", path=path)
        self.size = status.st_size

    def read_into(self, offset: int, buffer: memoryview) -> None:
        done = 0
        while done < len(buffer):
            try:
                count = _read_at(self._descriptor, buffer[done:], offset + done)
            except OSError as error:
                raise SourceError(f"can't be read: {error.strerror}", path=self.path) from error
            if count == 0:
                raise ChangedFileError(
                    f"became shorter while it was read: ends before offset {offset + done}",
                    path=self.path,
                    hint="somebody writes to this file; copy it to a place of your own first",
                )
            done += count

    def map(self) -> memoryview:
        if self.size == 0:
            return memoryview(b"")
        if self._descriptor < 0:  # to mmap that means: no file at all, but zeros
            raise SourceError("can't be mapped: it is closed", path=self.path)
        try:
            return memoryview(_map(self._descriptor, self.size))
        except (OSError, ValueError) as error:
            raise SourceError(f"can't be mapped: {error}", path=self.path) from error

    def copy_to(self, descriptor: int, length: int) -> None:
        done = 0
        # The kernel shares the blocks (reflink) or copies without a detour through our memory.
        while hasattr(os, "copy_file_range") and done < length:
            try:
                count = os.copy_file_range(self._descriptor, descriptor, length - done, done, done)
            except OSError:  # another file system, or one that can't: the plain way says what fails
                break
            if count == 0:
                break
            done += count
        _copy_blocks(self, descriptor, done, length)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:  # nobody has to close what they only verified
        self.close()


def _copy_blocks(source: ByteSource, descriptor: int, start: int, stop: int) -> None:
    block = bytearray(4 << 20)
    while start < stop:
        piece = memoryview(block)[: min(len(block), stop - start)]
        source.read_into(start, piece)
        write_at(descriptor, [piece], start)
        start += len(piece)


def open_file(
    path: str, *, shown: str | None = None, directory: int | None = None, follow: bool = True
) -> FileSource:
    """Open a regular file for reading.

    `directory` is a descriptor that `path` is relative to; with `follow=False` a symbolic link in
    the last component is refused by the operating system itself.

    Raises:
        MissingFileError: there is none.
        NotABundleError: it is a folder, FIFO, device or socket.
        SourceError: it can't be opened.
    """
    shown = shown or path
    flags = _OPEN_FLAGS if follow else _OPEN_FLAGS | _NO_FOLLOW
    try:
        descriptor = os.open(path, flags, dir_fd=directory)
    except FileNotFoundError as error:
        raise MissingFileError("no such file", path=shown) from error
    except IsADirectoryError as error:
        raise NotABundleError("is a folder, not a regular file", path=shown) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(f"can't be opened: {reason}", path=shown) from error
    return FileSource(descriptor, shown)


def _map(descriptor: int, size: int) -> mmap.mmap:
    """A private mapping: writing to a tensor of a mapped bundle never reaches the file."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
    return mmap.mmap(
        descriptor,
        size,
        flags=mmap.MAP_PRIVATE | _NO_RESERVE,
        prot=mmap.PROT_READ | mmap.PROT_WRITE,
    )


def _kind(mode: int) -> str:
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFLNK: "a symbolic link",
    }
    return names.get(stat.S_IFMT(mode), "a special file")


if _HAS_PREADV:

    def _read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
        return os.preadv(descriptor, [buffer], offset)

else:  # Windows has no positional read: one lock for all sources keeps seek and read together
    import threading

    _SEEK_LOCK = threading.Lock()

    def _read_at(descriptor: int, buffer: memoryview, offset: int) -> int:
        with _SEEK_LOCK:
            os.lseek(descriptor, offset, os.SEEK_SET)
            data = os.read(descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)
