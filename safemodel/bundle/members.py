"""The members of a bundle, alike for both encodings: an archive file and a folder.

Checks that what lies around the payload is exactly what format 1 says; it does not know what a
manifest means, and authenticates nothing. Implements spec/format.md, "Encodings".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from safemodel import limits
from safemodel.bundle import sniff
from safemodel.bundle.folder import Folder, FolderFile
from safemodel.bundle.source import ByteSource, BytesSource, open_file, read
from safemodel.errors import (
    ContainerError,
    FormatError,
    LimitError,
    MissingMemberError,
    NotABundleError,
    UsageError,
    locating,
)
from safemodel.format import container
from safemodel.format.digests import crc32
from safemodel.format.names import MANIFEST_NAME, SIGNATURES_FOLDER, check_member_names
from safemodel.format.weights import is_weights_name

# What is looked for in paths, as the format names it.
MANIFEST: Final = MANIFEST_NAME
SIGNATURES: Final = f"{SIGNATURES_FOLDER}/"

_ARCHIVE: Final = ".safemodel"
_TAIL = 1 << 20  # holds directory, signatures and manifest of all but huge bundles


@dataclass(frozen=True, slots=True)
class Region:
    """Where a member's bytes lie: `size` bytes from `offset` of `source`."""

    source: ByteSource
    offset: int
    size: int


class Members(Protocol):
    """Named byte ranges; what `open_members` gives."""

    @property
    def path(self) -> str:
        """What to call the bundle in messages."""

    @property
    def encoding(self) -> Literal["archive", "folder"]:
        """How the bundle is encoded."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Name to size in bytes of every member, manifest and signatures included."""

    def crc32s(self) -> Mapping[str, int]:
        """Name to the CRC-32 that the encoding states; empty where it states none."""

    def region(self, name: str) -> Region:
        """Where a member lies, after a check of the bytes in front of it."""

    def read(self, name: str, limit: int) -> bytes:
        """A small member whole: manifest or signature file. LimitError above `limit` bytes."""

    def check_between(self) -> None:
        """Check every byte that lies between members, beyond what `region` has checked."""

    def close(self) -> None:
        """Close every file."""


def open_members(source: str | os.PathLike[str] | bytes) -> Members:
    """Open a bundle in either encoding, from a path or from bytes in memory.

    Raises:
        UsageError: neither a path nor bytes.
        MissingFileError, SourceError: it is not there, or can't be read.
        NotABundleError: it is something else; the message says what.
        ContainerError, FolderError, LimitError, …: it is malformed.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return ArchiveMembers(BytesSource(source))
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"a {type(source).__name__} is not a source of a bundle",
            hint="give the path of an archive or folder, or the bytes of an archive",
        )
    path = os.fspath(source)
    if os.path.isdir(path):
        return FolderMembers(path)
    file = open_file(path)
    try:
        return ArchiveMembers(file)
    except BaseException:
        file.close()
        raise


class ArchiveMembers:
    """The members of a `.safemodel` file: a canonical ZIP."""

    encoding: Literal["archive", "folder"] = "archive"

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.path = source.path
        self._tail_offset = max(0, source.size - _TAIL)
        self._tail = read(source, self._tail_offset, source.size - self._tail_offset)
        self._entries = {entry.name: entry for entry in self._parse()}
        self.sizes: Mapping[str, int] = {n: entry.size for n, entry in self._entries.items()}

    def _parse(self) -> tuple[container.Entry, ...]:
        size = self._source.size
        try:
            length = container.tail_length(self._tail, size)
            if length > len(self._tail):
                self._tail_offset = size - length
                self._tail = read(self._source, self._tail_offset, length)
            return container.parse_tail(self._tail[len(self._tail) - length :], size)
        except FormatError as error:
            head = read(self._source, 0, min(size, sniff.HEAD))
            better = sniff.refusal(head, self._tail, size, error)
            better.path = self.path
            raise better from error

    @property
    def entries(self) -> tuple[container.Entry, ...]:
        """Where the members lie, in their order in the file."""
        return tuple(self._entries.values())

    def crc32s(self) -> Mapping[str, int]:
        return {name: entry.crc32 for name, entry in self._entries.items()}

    def copy_start(self, descriptor: int, length: int) -> None:
        """Copy the first `length` bytes of the file to another, by the kernel where it can."""
        self._source.copy_to(descriptor, length)

    def region(self, name: str) -> Region:
        entry = self._entries[name]
        expected = container.local_header(name, entry.size, entry.crc32, entry.header_offset)
        if self._bytes(entry.header_offset, len(expected)) != expected:
            raise ContainerError(
                "the local header is not what the central directory demands",
                path=self.path,
                place=name,
            )
        return Region(self._source, entry.data_offset, entry.size)

    def read(self, name: str, limit: int) -> bytes:
        _check_size(self, name, limit)
        region = self.region(name)
        data = self._bytes(region.offset, region.size)
        if crc32(data) != self._entries[name].crc32:
            raise ContainerError("the CRC-32 does not match the bytes", path=self.path, place=name)
        return data

    def check_between(self) -> None:
        for name in self._entries:
            self.region(name)

    def _bytes(self, offset: int, length: int) -> bytes:
        start = offset - self._tail_offset
        if start >= 0:
            return self._tail[start : start + length]
        return read(self._source, offset, length)

    def close(self) -> None:
        self._source.close()


class FolderMembers:
    """The members of a folder, reached through descriptors: no link is ever followed."""

    encoding: Literal["archive", "folder"] = "folder"

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = Folder(path)
        try:
            # First of all: what is no bundle may be as deep as it likes, and hold links.
            self._check_manifest()
            self.sizes: Mapping[str, int] = self._folder.files(
                max_depth=limits.MAX_MEMBER_DEPTH,
                max_files=limits.MAX_MEMBERS + limits.MAX_SIGNATURES + 1,
            )
            with locating(path=path):
                check_member_names(self.sizes)
        except BaseException:
            self._folder.close()
            raise

    def _check_manifest(self) -> None:
        names = self._folder.names()
        if MANIFEST in names:
            return
        if any(map(is_weights_name, names)):
            raise MissingMemberError("has no manifest.json", path=self.path)
        archives = [name for name in names if name.endswith(_ARCHIVE)]
        raise NotABundleError(
            "is a folder without manifest.json, not a bundle",
            path=self.path,
            hint=f"there are archives in it; name one of them: {max(archives)!r:.200}"
            if archives
            else "plain folders are signed and verified with a detached signature: "
            "`safemodel sign FOLDER --signature FILE`",
        )

    def crc32s(self) -> Mapping[str, int]:
        return {}

    def region(self, name: str) -> Region:
        return Region(FolderFile(self._folder, name, self.sizes[name]), 0, self.sizes[name])

    def read(self, name: str, limit: int) -> bytes:
        _check_size(self, name, limit)
        region = self.region(name)
        return read(region.source, 0, region.size)

    def check_between(self) -> None:
        """A folder has no bytes between its members."""

    def close(self) -> None:
        self._folder.close()


def _check_size(members: Members, name: str, limit: int) -> None:
    if members.sizes[name] > limit:
        raise LimitError(
            f"is {members.sizes[name]} bytes; at most {limit} are permitted",
            path=members.path,
            place=name,
        )
