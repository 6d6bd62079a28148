"""The files below a folder: which to scan, which to leave out, and which can't be reached.

Links are not followed, so that a folder can't lead anywhere else, and a scan can't go in circles.
A link that leads out of the folder is *unread*: a loader would follow it. One exception: the
snapshots of the Hugging Face cache consist of links into the `blobs` folder beside them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

IGNORED_FOLDERS: Final = frozenset({".git"})  # no loader looks there, and it is large
_SEPARATORS: Final = os.sep + (os.altsep or "")


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a folder that matters.

    Attributes:
        size: bytes, as the folder says.
        unread: why it can't be read; None for a file that can.
        skipped: no file at all (a socket, a link to a file that is scanned by its own name).
    """

    path: str
    size: int | None = None
    unread: str | None = None
    skipped: bool = False


def walk(root: str, exclude: Callable[[str], bool] | None = None) -> Iterator[Item]:
    """Everything below `root`, in the order of names, a folder's content where its name is.

    `exclude` is asked with the path relative to `root`, for files and for folders.
    """
    links = _Links(root, exclude)
    stack = [iter(_entries(root, ""))]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        if isinstance(entry, Item):
            yield entry
            continue
        found, relative = entry
        if exclude is not None and exclude(relative):
            continue
        if found.is_symlink():
            yield links.item(found.path)
        elif _is_folder(found):
            if found.name not in IGNORED_FOLDERS:
                stack.append(iter(_entries(found.path, f"{relative}/")))
        else:
            yield _file(found)


def excluding(patterns: Iterable[str]) -> Callable[[str], bool] | None:
    """Whether a path below a folder, or the last part of it, fits one of the patterns."""
    kept = [pattern.rstrip("/") for pattern in patterns]
    if not kept:
        return None
    from fnmatch import fnmatchcase

    def excluded(path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path, one) or fnmatchcase(name, one) for one in kept)

    return excluded


def _entries(folder: str, relative: str) -> Sequence[tuple[os.DirEntry[str], str] | Item]:
    try:
        with os.scandir(folder) as found:
            ordered = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        return (Item(folder, unread=f"the folder can't be read: {reason(error)}"),)
    return [(entry, relative + entry.name) for entry in ordered]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # `_file` says why


def _file(entry: os.DirEntry[str]) -> Item:
    try:
        if not entry.is_file(follow_symlinks=False):
            return Item(entry.path, skipped=True)
        return Item(entry.path, entry.stat(follow_symlinks=False).st_size)
    except OSError as error:
        return Item(entry.path, unread=reason(error))


def reason(error: OSError | ValueError) -> str:
    """An error of the operating system in its own words, or why a path can't be one."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)


class _Links:
    """What becomes of links below a root."""

    def __init__(self, root: str, exclude: Callable[[str], bool] | None) -> None:
        self._root = root
        self._exclude = exclude
        self._found: tuple[str, str | None] | None = None

    def item(self, path: str) -> Item:
        try:
            target = os.path.realpath(path, strict=True)
            root, blobs = self._places()
            if _below(target, root) and self._is_walked(target, root):
                return Item(path, skipped=True)
            allowed = _below(target, root) or (blobs is not None and _below(target, blobs))
            if allowed and os.path.isfile(target):
                return Item(path, os.path.getsize(target))
        except FileNotFoundError:
            return Item(path, unread="a link to nothing")
        except OSError as error:
            return Item(path, unread=f"a link that can't be followed: {reason(error)}")
        return Item(path, unread="a link that leads elsewhere is not followed")

    def is_outside(self, path: str) -> bool:
        """Whether a link leads to what is neither below the root nor a blob of its cache."""
        target = os.path.realpath(path)
        root, blobs = self._places()
        return not _below(target, root) and (blobs is None or not _below(target, blobs))

    def _places(self) -> tuple[str, str | None]:
        """The root without links, and the blobs of the Hugging Face cache that it is part of."""
        if self._found is None:
            root = os.path.realpath(self._root)
            before, separator, _ = f"{root}{os.sep}".partition(f"{os.sep}snapshots{os.sep}")
            self._found = root, os.path.join(before, "blobs") if separator else None
        return self._found

    def _is_walked(self, target: str, root: str) -> bool:
        """Whether what is linked to is scanned by its own name."""
        parts = os.path.relpath(target, root).split(os.sep)
        folders = parts if os.path.isdir(target) else parts[:-1]
        if IGNORED_FOLDERS.intersection(folders):
            return False
        names = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        return self._exclude is None or not any(map(self._exclude, names))


def leads_elsewhere(path: str, root: str) -> bool:
    """Whether a path below `root` is a link that leads out of it, or nowhere."""
    return os.path.islink(path) and _Links(root, None).is_outside(path)


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(_SEPARATORS) + os.sep)
