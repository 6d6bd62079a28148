"""A model in a file, and the files beside it that hold tensors: read from its own folder only.

Knows no ONNX but where external data are. Every file is opened from one handle of the model's
folder, part by part, following no link below it. Implements spec/onnx.md, "Saving".
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from dataclasses import dataclass
from typing import Final

from safemodel.errors import MissingFileError, SourceError, UnsavableError

_HINT: Final = "save it again with onnx.save_model(model, path), beside its data"
_READ: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_MAX_PARTS: Final = 16


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An ONNX model in a file, to be given to `save`: `sm.save(sm.OnnxFile("m.onnx"), path)`.

    Tensors that the model keeps in other files must be in its own folder or below it.
    """

    path: str | os.PathLike[str]


class ModelFolder:
    """The folder of a model: maps files by the relative names that its tensors say.

    A context manager. Maps stay valid after it, as long as someone holds them.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._maps: dict[str, memoryview] = {}
        self._folder = -1

    def model(self) -> memoryview:
        """The bytes of the model itself. Its own path may be a link; the link's folder counts."""
        try:
            descriptor = os.open(self.path, _READ)
        except (OSError, ValueError) as error:
            raise _failed(self.path, error) from error
        return _mapped(descriptor, self.path, None)

    def data(self, location: str) -> memoryview:
        """The bytes of a file beside the model.

        Raises:
            UnsavableError: a name that leads elsewhere, a link, something that is no file.
            SourceError: it can't be read.
        """
        if location not in self._maps:
            self._maps[location] = self._open(location)
        return self._maps[location]

    def _open(self, location: str) -> memoryview:
        parts = location.split("/")
        if parts[0] == "." and len(parts) > 1:
            del parts[0]
        if (
            len(parts) > _MAX_PARTS
            or any(part in ("", ".", "..") for part in parts)
            or any(character in location for character in "\\:\0")
        ):
            raise UnsavableError(
                f"external data at {location!r:.200}, which is no plain name below the model's "
                "folder",
                path=self.path,
                hint=_HINT,
            )
        if os.open not in os.supports_dir_fd:
            return self._open_by_path(parts, location)
        try:
            folder = os.open(os.path.dirname(self.path) or ".", _READ | _DIRECTORY)
            for part in parts[:-1]:
                inner = _open_at(folder, part, _READ | _DIRECTORY | _NO_LINK)
                folder = inner
            descriptor = _open_at(folder, parts[-1], _READ | _NO_LINK)
        except (OSError, ValueError) as error:
            raise self._refused(location, error) from error
        return _mapped(descriptor, self.path, location)

    def _open_by_path(self, parts: list[str], location: str) -> memoryview:
        path = os.path.dirname(self.path) or "."
        for part in parts:
            path = os.path.join(path, part)
            if os.path.islink(path):
                raise self._refused(location, OSError(errno.ELOOP, "a link"))
        try:
            descriptor = os.open(path, _READ)
        except (OSError, ValueError) as error:
            raise self._refused(location, error) from error
        return _mapped(descriptor, self.path, location)

    def _refused(self, location: str, error: OSError | ValueError) -> SourceError | UnsavableError:
        if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
            return UnsavableError(
                f"external data at {location!r:.200}, which is a link or leads through one",
                path=self.path,
                hint="copy the file to the model's folder",
            )
        found = _failed(self.path, error)
        found.place = f"external data at {location!r:.200}"
        return found


_DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)


def _open_at(folder: int, name: str, flags: int) -> int:
    """Open a name in a folder, and close the folder."""
    try:
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _failed(path: str, error: OSError | ValueError) -> SourceError:
    reason = getattr(error, "strerror", None) or str(error)
    kind = MissingFileError if isinstance(error, FileNotFoundError) else SourceError
    return kind(f"can't be read: {reason}", path=path)


def _mapped(descriptor: int, path: str, location: str | None) -> memoryview:
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(
                "is no regular file", path=path, place=location and f"external data {location!r}"
            )
        if not status.st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise _failed(path, error) from error
    finally:
        os.close(descriptor)
