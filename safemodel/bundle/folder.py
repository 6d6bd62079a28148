"""A folder and its files, reached through descriptors: no link is ever followed.

Knows files and names on a disk, and nothing of bundles.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from safemodel.bundle.source import FileSource, open_file
from safemodel.errors import (
    ChangedFileError,
    FolderError,
    LimitError,
    MissingFileError,
    SourceError,
)


class Folder:
    """A folder held open by descriptor; regular files below it, by relative POSIX name."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._root = -1
        # Windows has no directory descriptors: names are then resolved against the path.
        self._by_descriptor = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
        if self._by_descriptor:
            self._root = self._open_folder(path, None, "")
        elif not os.path.isdir(path):
            raise MissingFileError("no such folder", path=path)

    def _open_folder(self, own: str, parent: int | None, name: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            return os.open(own, flags if parent is None else flags | os.O_NOFOLLOW, dir_fd=parent)
        except FileNotFoundError as error:
            raise MissingFileError("no such folder", path=self.path, place=name or None) from error
        except OSError as error:
            raise SourceError(
                f"can't be opened: {error.strerror}", path=self.path, place=name or None
            ) from error

    @contextlib.contextmanager
    def _below(self, prefix: str) -> Iterator[int]:
        """A descriptor of the folder `prefix` (empty, or ending with `/`).

        It is reached from the root, one component at a time, and no link is followed. It is not
        kept: a bundle may hold more folders than can be open.
        """
        descriptor = self._open_folder(".", self._root, prefix)
        try:
            for own in prefix.split("/")[:-1]:
                parent = descriptor
                descriptor = self._open_folder(own, parent, prefix)
                os.close(parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def names(self) -> frozenset[str]:
        """Names of what lies directly below the folder, of every kind but folders."""
        return frozenset(n for n, status in self._scan("") if not stat.S_ISDIR(status.st_mode))

    def files(
        self, *, max_depth: int, max_files: int, skip: frozenset[str] = frozenset()
    ) -> dict[str, int]:
        """Relative POSIX names of all regular files and their sizes, sorted.

        `skip` names entries directly below the folder that are not looked at.

        Raises:
            FolderError: a symbolic link or special file.
            LimitError: too deep, or too many.
        """
        found: dict[str, int] = {}
        pending = [("", 1)]
        while pending:
            prefix, depth = pending.pop()
            if depth > max_depth:
                raise LimitError(
                    f"is more than {max_depth} folders deep", path=self.path, place=prefix
                )
            for name, status in self._scan(prefix):
                if not prefix and name in skip:
                    continue
                full = f"{prefix}{name}"
                if stat.S_ISDIR(status.st_mode):
                    pending.append((f"{full}/", depth + 1))
                elif stat.S_ISREG(status.st_mode):
                    found[full] = status.st_size
                else:
                    raise _not_regular(self.path, full, status.st_mode)
                if len(found) + len(pending) > max_files:
                    raise LimitError(f"holds more than {max_files} files", path=self.path)
        return dict(sorted(found.items()))

    def _scan(self, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        if not self._by_descriptor:
            yield from self._listed(os.path.join(self.path, *prefix.split("/")), prefix)
            return
        with self._below(prefix) as descriptor:
            yield from self._listed(descriptor, prefix)

    def _listed(self, folder: int | str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield entry.name, entry.stat(follow_symlinks=False)
        except OSError as error:
            raise SourceError(
                f"can't be listed: {error.strerror}", path=self.path, place=prefix or None
            ) from error

    def open(self, name: str) -> FileSource:
        """Open the regular file of this relative name, following no link on the way."""
        shown = os.path.join(self.path, name)
        if not self._by_descriptor:
            return open_file(os.path.join(self.path, *name.split("/")), shown=shown, follow=False)
        prefix, slash, own = name.rpartition("/")
        with self._below(prefix + slash) as directory:
            return open_file(own, shown=shown, directory=directory, follow=False)

    def close(self) -> None:
        """Close the descriptor."""
        descriptor, self._root = self._root, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_root", -1) >= 0:
            self.close()


class FolderFile:
    """One file of a folder, opened for each read: a folder may hold more files than can be open.

    That another file may have taken its place between two reads does no harm: what is read is
    verified each time.
    """

    def __init__(self, folder: Folder, name: str, size: int) -> None:
        self._folder = folder
        self._name = name
        self.path = os.path.join(folder.path, name)
        self.size = size

    def _open(self) -> FileSource:
        source = self._folder.open(self._name)
        if source.size != self.size:
            source.close()
            raise ChangedFileError("changed its size while it was in use", path=self.path)
        return source

    def read_into(self, offset: int, buffer: memoryview) -> None:
        source = self._open()
        try:
            source.read_into(offset, buffer)
        finally:
            source.close()

    def map(self) -> memoryview:
        source = self._open()
        try:
            return source.map()
        finally:
            source.close()

    def copy_to(self, descriptor: int, length: int) -> None:
        source = self._open()
        try:
            source.copy_to(descriptor, length)
        finally:
            source.close()

    def close(self) -> None:
        """Nothing stays open between reads."""


def _not_regular(path: str, name: str, mode: int) -> FolderError:
    if stat.S_ISLNK(mode):
        return FolderError(
            "is a symbolic link",
            path=path,
            place=name,
            hint="links are never followed; copy the folder with its links resolved: "
            "`cp -rL FOLDER COPY`",
        )
    return FolderError("is not a regular file", path=path, place=name)
