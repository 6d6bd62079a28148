"""Copies of a bundle: folder to archive, archive to folder, and the same with new signatures.

The content stays as it is, to the byte; only the encoding or the signature files change.
Implements spec/format.md, "Encodings", and spec/signing.md, "Signing".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from safemodel import limits
from safemodel.bundle.checking import check_every_byte
from safemodel.bundle.chunks import BLOCK, Chunked, runs
from safemodel.bundle.members import MANIFEST, ArchiveMembers, Members, open_members
from safemodel.bundle.opening import Source, read_manifest, read_signatures
from safemodel.bundle.output import (
    create_file,
    failing,
    new_folder,
    replaced_file,
    sync_folder,
    write_at,
)
from safemodel.bundle.write import Signing, finish_archive, write_files
from safemodel.errors import LimitError, UsageError, locating
from safemodel.format import container
from safemodel.format.manifest import Manifest
from safemodel.trust.keys import SigningKey

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Opened:
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


def _open(source: Source) -> _Opened:
    members = open_members(source)
    try:
        with locating(path=members.path):
            data = members.read(MANIFEST, limits.MAX_MANIFEST_SIZE)
            manifest = read_manifest(members, data)
            members.check_between()
            return _Opened(members, data, manifest, read_signatures(members))
    except BaseException:
        members.close()
        raise


def pack(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Make an archive of a bundle in a folder. Digests are checked on the way, signatures are not.

    Raises:
        SourceError: `target` is there already, or a disk refuses.
        FormatError, DigestMismatchError: the folder is not an intact bundle.
    """
    opened = _open(source)
    try:
        with replaced_file(os.fspath(target), overwrite=overwrite) as descriptor:
            finish_archive(descriptor, opened.payload, opened.manifest_bytes, opened.signatures)
            order = container.member_order(opened.payload, ())
            sizes = [(name, opened.payload[name][0]) for name in order if name != MANIFEST]
            for entry in container.plan(sizes):
                _copy_verified(opened.chunked(entry.name), descriptor, entry.data_offset, progress)
    finally:
        opened.members.close()


def unpack(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> None:
    """Make a folder of a bundle in an archive. Digests are checked on the way, signatures are not.

    Raises:
        SourceError: `target` is there already, or a disk refuses.
        FormatError, DigestMismatchError: the archive is not an intact bundle.
    """
    opened = _open(source)
    try:
        with new_folder(os.fspath(target)) as folder:
            for name in opened.manifest.files:
                descriptor = create_file(folder, name)
                try:
                    _copy_verified(opened.chunked(name), descriptor, 0, progress)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            write_files(folder, {MANIFEST: opened.manifest_bytes, **opened.signatures})
    finally:
        opened.members.close()


def _copy_verified(
    member: Chunked, descriptor: int, offset: int, progress: Progress | None
) -> None:
    buffer = bytearray(max(BLOCK, member.chunk_size))
    try:
        for first, last in runs(member, 0, member.count):
            begin, _ = member.bounds(first)
            _, end = member.bounds(last - 1)
            view = memoryview(buffer)[: end - begin]
            member.read_blocks(view, first, last)
            write_at(descriptor, [view], offset + begin)
            if progress is not None:
                progress(len(view))
    finally:
        if member.region.offset == 0 and member.size == member.region.source.size:
            member.region.source.close()


def sign_bundle(
    path: str | os.PathLike[str],
    signers: SigningKey | Iterable[SigningKey],
    *,
    oms: bool = False,
    expires: datetime | None = None,
    note: str | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Add signatures to a bundle, and return the names of the signature files.

    A manifest statement vouches for the manifest, and through it for every byte: verify the bundle
    first. An OMS statement reads every byte and compares all digests on the way. A signature of
    the same kind by the same key is replaced.

    Raises:
        FormatError: the bundle is malformed.
        DigestMismatchError: for OMS, bytes differ from the manifest.
        UsageError: no signer, or a key that can't make such a statement.
    """
    listed = tuple(signers) if isinstance(signers, Iterable) else (signers,)
    if not listed:
        raise UsageError("nobody to sign with", hint="make a key: `safemodel keygen`")
    signing = Signing(listed, oms, expires, note)
    signing.check()
    opened = _open(path)
    try:
        with locating(path=opened.members.path):
            members = [opened.chunked(name) for name in opened.manifest.files] if oms else []
            new = signing.sign(
                opened.digest, lambda: check_every_byte(members, sha256=True, progress=progress)
            )
            signatures = {**opened.signatures, **new}
            if len(signatures) > limits.MAX_SIGNATURES:
                raise LimitError(f"would hold more than {limits.MAX_SIGNATURES} signature files")
            _put(opened, os.fspath(path), signatures, new)
    finally:
        opened.members.close()
    return tuple(new)


def _put(
    opened: _Opened, path: str, signatures: Mapping[str, bytes], new: Mapping[str, bytes]
) -> None:
    if not isinstance(opened.members, ArchiveMembers):
        for name, data in new.items():
            target = os.path.join(path, *name.split("/"))
            with failing(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
            with replaced_file(target) as descriptor:
                write_at(descriptor, [memoryview(data)], 0)
            with failing(path):
                sync_folder(path)
        return
    end = max(
        (entry.end for entry in opened.members.entries if entry.name in opened.manifest.files),
        default=0,
    )
    with replaced_file(path) as descriptor:
        opened.members.copy_start(descriptor, end)
        finish_archive(descriptor, opened.payload, opened.manifest_bytes, signatures)
