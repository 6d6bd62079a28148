"""Put bytes on disk so that a crash at any point leaves either the old file or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from safemodel.errors import SourceError

_IOV_MAX = 1024
_CREATE = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
)
_HAS_PWRITEV = hasattr(os, "pwritev")


@contextmanager
def failing(path: str) -> Iterator[None]:
    """Turn an I/O error below into one of ours that names `path`."""
    try:
        yield
    except OSError as error:
        raise SourceError(f"can't be written: {error.strerror or error}", path=path) from error


def resolved(path: str) -> str:
    """The whole path without links.

    Raises:
        SourceError: the path can't be one, or it starts in a folder that is gone.
    """
    try:
        return os.path.realpath(path)
    except ValueError as error:  # a NUL, a lone surrogate
        raise SourceError(f"can't be a path: {error}", path=path) from error
    except OSError as error:
        raise SourceError(
            f"can't be found from the current folder: {error.strerror or error}",
            path=path,
            hint="the current folder is gone or closed to you; change to another, or give a path "
            "from the root",
        ) from error


@contextmanager
def replaced_file(path: str, *, overwrite: bool = True, beside: str | None = None) -> Iterator[int]:
    """A descriptor of a new file that takes the place of `path` when the block ends well.

    The new file is written beside the old one (or `beside` another path, if that is possible),
    flushed to the disk, and renamed over it; it has the permissions of the old one. When the block
    raises, nothing is left behind.

    Raises:
        SourceError: the disk is full, there is no permission, or the file is there already and
            `overwrite` is false.
    """
    target = resolved(path)  # what a link names is replaced, and not the link
    with failing(path):
        mode = _check_target(target, path, overwrite)
        temporary = _temporary_name(target, beside)
        descriptor = os.open(temporary, _CREATE, 0o666)
    try:
        with failing(path):
            _lock(descriptor)
            try:
                yield descriptor
                if mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            _move(temporary, target, overwrite)
            sync_folder(os.path.dirname(target))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextmanager
def new_folder(path: str) -> Iterator[str]:
    """A temporary folder beside `path` that gets its name when the block ends well.

    Raises:
        SourceError: there is something at `path` already, or the disk refuses.
    """
    target = resolved(path)
    with failing(path):
        if os.path.lexists(target):
            raise SourceError("is there already", path=path, hint="remove it, or name another")
        temporary = _temporary_name(target)
        os.mkdir(temporary)
    try:
        with failing(path), _locked_folder(temporary):
            yield temporary
            for folder, _, _ in os.walk(temporary):
                sync_folder(folder)
            os.rename(temporary, target)
            sync_folder(os.path.dirname(target))
    except BaseException:
        _remove_folder(temporary)
        raise


@contextmanager
def _locked_folder(path: str) -> Iterator[None]:
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        yield
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def create_file(folder: str, name: str) -> int:
    """A new file of this relative POSIX name below `folder`, with the folders it needs."""
    full = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(full), exist_ok=True)
    return os.open(full, _CREATE, 0o666)


def sync_folder(path: str) -> None:
    """Flush the names in a folder to the disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, pieces: Sequence[memoryview], offset: int) -> None:
    """Write the pieces one behind the other from `offset`, wholly."""
    pending = [piece for piece in pieces if len(piece)]
    while pending:
        written = _write_some(descriptor, pending[:_IOV_MAX], offset)
        offset += written
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if written:
            pending[0] = pending[0][written:]


def _check_target(target: str, path: str, overwrite: bool) -> int | None:
    """The permissions of the file that will be replaced; None if there is none."""
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise SourceError("is a folder", path=path, hint="name a file, or remove the folder first")
    if not overwrite:
        raise SourceError("is there already", path=path, hint="remove it, or name another")
    if not stat.S_ISREG(mode):  # such as /dev/null, which root could replace
        raise SourceError("is not a regular file", path=path, hint="name another")
    return stat.S_IMODE(mode) & 0o777


def _temporary_name(target: str, beside: str | None = None) -> str:
    folder, name = os.path.split(target)
    if beside is not None:
        other = os.path.dirname(os.path.realpath(beside))
        if os.stat(other).st_dev == os.stat(folder).st_dev and os.access(other, os.W_OK):
            folder = other
    return os.path.join(folder, partial_name(name))


def partial_name(name: str) -> str:
    """A new name for what is not yet, or no longer, the whole of `name`."""
    return f".{shown_name(name)}.{os.urandom(8).hex()}.partial"


def shown_name(name: str) -> str:
    """The part of a name that its partial files carry: short in every encoding."""
    return name.encode("ascii", "ignore").decode("ascii")[:100]


def is_abandoned(path: str) -> bool:
    """Whether nobody writes to a partial file or folder: whoever does holds a lock on it.

    Where there are no locks the answer is no.
    """
    try:
        import fcntl
    except ImportError:  # Windows, which deletes no file that is open
        return os.name == "nt"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _lock(descriptor: int) -> None:
    """Say that this process writes here. The lock ends with the descriptor, or the process."""
    try:
        import fcntl
    except ImportError:
        return
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _move(temporary: str, target: str, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)  # fails when the target has appeared meanwhile
    except FileExistsError:
        raise
    except (AttributeError, OSError):  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(temporary, target)
    else:
        os.unlink(temporary)


def _remove_folder(path: str) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


if _HAS_PWRITEV:

    def _write_some(descriptor: int, pieces: Sequence[memoryview], offset: int) -> int:
        return os.pwritev(descriptor, pieces, offset)

else:  # Windows has no positional write: one lock keeps seek and write together
    import threading

    _SEEK_LOCK = threading.Lock()

    def _write_some(descriptor: int, pieces: Sequence[memoryview], offset: int) -> int:
        with _SEEK_LOCK:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.write(descriptor, pieces[0])
