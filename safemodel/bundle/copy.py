"""Copies of a bundle: folder to archive, and archive to folder.

The content stays as it is, to the byte; only the encoding changes. Implements spec/format.md,
"Encodings".
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from safemodel import limits
from safemodel.bundle.chunks import BLOCK, Chunked, Progress, runs
from safemodel.bundle.members import MANIFEST, Members, open_members
from safemodel.bundle.opening import Source, read_manifest, read_signatures
from safemodel.bundle.output import (
    create_file,
    new_folder,
    replaced_file,
    write_at,
)
from safemodel.bundle.write import finish_archive, write_files
from safemodel.errors import locating
from safemodel.format import container
from safemodel.format.manifest import Manifest


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """A well-formed bundle whose signatures nobody has checked, to be copied."""

    members: Members
    manifest_bytes: bytes
    manifest: Manifest
    signatures: dict[str, bytes]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    @property
    def payload(self) -> dict[str, tuple[int, int]]:
        return {name: (f.size, f.crc32) for name, f in self.manifest.files.items()}

    def chunked(self, name: str) -> Chunked:
        return Chunked(
            self.members.path,
            name,
            self.members.region(name),
            self.manifest.files[name],
            self.manifest.algorithm,
            self.manifest.chunk_size,
        )


def open_unverified(source: Source) -> OpenedBundle:
    members = open_members(source)
    try:
        with locating(path=members.path):
            data = members.read(MANIFEST, limits.MAX_MANIFEST_SIZE)
            manifest = read_manifest(members, data)
            members.check_between()
            return OpenedBundle(members, data, manifest, read_signatures(members))
    except BaseException:
        members.close()
        raise


def pack(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> str:
    """Make an archive of a bundle in a folder, and return its bundle digest.

    Digests are checked on the way, signatures are not.

    Raises:
        SourceError: `target` is there already, or a disk refuses.
        FormatError, DigestMismatchError: the folder is not an intact bundle.
    """
    opened = open_unverified(source)
    try:
        with replaced_file(os.fspath(target), overwrite=overwrite) as descriptor:
            finish_archive(descriptor, opened.payload, opened.manifest_bytes, opened.signatures)
            order = container.member_order(opened.payload, ())
            sizes = [(name, opened.payload[name][0]) for name in order if name != MANIFEST]
            for entry in container.plan(sizes):
                _copy_verified(opened, entry.name, descriptor, entry.data_offset, progress)
        return opened.digest
    finally:
        opened.members.close()


def unpack(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> str:
    """Make a folder of a bundle in an archive, and return its bundle digest.

    Digests are checked on the way, signatures are not.

    Raises:
        SourceError: `target` is there already, or a disk refuses.
        FormatError, DigestMismatchError: the archive is not an intact bundle.
    """
    opened = open_unverified(source)
    try:
        with new_folder(os.fspath(target)) as folder:
            for name in opened.manifest.files:
                descriptor = create_file(folder, name)
                try:
                    _copy_verified(opened, name, descriptor, 0, progress)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            write_files(folder, {MANIFEST: opened.manifest_bytes, **opened.signatures})
        return opened.digest
    finally:
        opened.members.close()


def _copy_verified(
    opened: OpenedBundle, name: str, descriptor: int, offset: int, progress: Progress | None
) -> None:
    member = opened.chunked(name)
    buffer = bytearray(min(member.size, max(BLOCK, member.chunk_size)))
    for first, last in runs(member, 0, member.count):
        begin, _ = member.bounds(first)
        _, end = member.bounds(last - 1)
        view = memoryview(buffer)[: end - begin]
        member.read_blocks(view, first, last)
        write_at(descriptor, [view], offset + begin)
        if progress is not None:
            progress(len(view))
