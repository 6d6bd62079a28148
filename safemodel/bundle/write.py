"""Write a bundle: one pass over the tensors, in canonical order, then manifest and signatures.

Implements spec/format.md, "Writing". The bytes depend on the contents alone: no clock, no host
name, no random number goes into them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from safemodel.bundle.checking import check_every_byte
from safemodel.bundle.chunks import Chunked
from safemodel.bundle.contents import Contents, TensorData
from safemodel.bundle.folder import Folder, FolderFile
from safemodel.bundle.members import MANIFEST, Region
from safemodel.bundle.output import (
    create_file,
    failing,
    new_folder,
    replaced_file,
    write_at,
)
from safemodel.bundle.source import FileSource
from safemodel.bundle.stream import Streamed, executor, write_member
from safemodel.errors import UsageError, WeightsError
from safemodel.format import container
from safemodel.format.digests import ALGORITHMS, chunk_size, crc32
from safemodel.format.manifest import FileEntry, Manifest, encode
from safemodel.format.names import check_payload_name
from safemodel.format.weights import MEDIA_TYPE, TensorSpec, shard_names, split_shards
from safemodel.format.weights import layout as weights_layout
from safemodel.trust.keys import SigningKey, signing_keys
from safemodel.trust.signatures import check_note, sign_manifest, sign_oms
from safemodel.trust.statements import OmsStatement, checked_time

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True, slots=True)
class _Weights:
    """A weights member: its header, then its tensors."""

    name: str
    header: bytes
    size: int
    tensors: tuple[TensorData, ...]
    media_type: str = MEDIA_TYPE

    def pieces(self) -> Iterator[ReadableBuffer]:
        yield self.header
        for tensor in self.tensors:
            yield from tensor.pieces()


@dataclass(frozen=True, slots=True)
class _Bytes:
    """Any other payload member."""

    name: str
    data: bytes
    media_type: str

    @property
    def size(self) -> int:
        return len(self.data)

    def pieces(self) -> Iterable[ReadableBuffer]:
        return (self.data,)


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, and what the statement says."""

    signers: Sequence[SigningKey] = ()
    oms: bool = False
    expires: datetime | None = None
    note: str | None = None

    def check(self) -> None:
        """Refuse at once what would fail only after all bytes were written.

        Raises:
            UsageError: a key that can't make an OMS statement, or options it has no field for;
                something that is no key, moment or note.
        """
        signing_keys(self.signers)
        if self.expires is not None:
            checked_time(self.expires)
        if self.note is not None:
            check_note(self.note)
        for signer in self.signers if self.oms else ():
            if not signer.public_key.can_sign_oms:
                raise UsageError(
                    f"a key of kind {signer.public_key.algorithm} can't sign an OMS statement",
                    hint="use an ECDSA key: `safemodel keygen`",
                )
        if self.oms and (self.expires or self.note):
            raise UsageError("an OMS statement has no field for an expiry or a note")

    def sign(self, digest: str, digests: Callable[[], Mapping[str, str]]) -> dict[str, bytes]:
        """The signature files, by member name.

        `digests` gives the SHA-256 of every payload member; it is called only for OMS.
        """
        if self.oms and self.signers:
            statement = OmsStatement.over({**digests(), MANIFEST: digest})
            return dict(sign_oms(signer, statement) for signer in self.signers)
        return dict(
            sign_manifest(signer, digest, expires=self.expires, note=self.note)
            for signer in self.signers
        )


def write(
    path: str | os.PathLike[str],
    contents: Contents,
    *,
    signers: Sequence[SigningKey] = (),
    layout: Literal["archive", "folder"] = "archive",
    oms: bool = False,
    expires: datetime | None = None,
    note: str | None = None,
    digest: str = "blake3",
    overwrite: bool = True,
) -> str:
    """Write a bundle and return its bundle digest, in hexadecimal.

    An archive takes the place of a file that is at `path`, in one step; a folder must be new.

    Raises:
        UsageError: an unknown layout or digest, or a key that can't sign so.
        SourceError: the disk refuses, or there is something at `path` already.
        FormatError: the contents can't be a bundle: names, sizes, counts.
    """
    if digest not in ALGORITHMS:
        raise UsageError(f"unknown digest {digest!r}; there are {', '.join(ALGORITHMS)}")
    signing = Signing(signers, oms, expires, note)
    signing.check()
    members = _members(contents)
    target = os.fspath(path)
    if layout == "archive":
        with replaced_file(target, overwrite=overwrite) as descriptor:
            return _write_archive(descriptor, target, contents, members, digest, signing)
    if layout == "folder":
        with new_folder(target) as folder:
            return _write_folder(folder, contents, members, digest, signing)
    raise UsageError(f"unknown layout {layout!r}; there are archive and folder")


def _members(contents: Contents) -> tuple[Streamed, ...]:
    """All payload members in the order of the archive."""
    data = {tensor.spec.name: tensor for tensor in contents.tensors}
    if len(data) != len(contents.tensors):
        raise WeightsError("two tensors have one name")
    shards = split_shards(tensor.spec for tensor in contents.tensors)
    members: dict[str, Streamed] = {}
    for name, shard in zip(shard_names(len(shards)), shards, strict=True):
        members[name] = _weights(name, [data[spec.name] for spec in shard])
    for name, payload in contents.members.items():
        check_payload_name(name)
        if name in members or name.startswith("weights"):
            raise UsageError(f"the name {name} is kept for weights", place=name)
        members[name] = _Bytes(name, payload.data, payload.media_type)
    order = container.member_order(members, ())
    return tuple(members[name] for name in order if name != MANIFEST)


def _weights(name: str, given: Sequence[TensorData]) -> _Weights:
    data = {tensor.spec.name: tensor for tensor in given}
    header, placed = weights_layout([tensor.spec for tensor in given])
    tensors = tuple(data[info.name] for info in placed.tensors)
    return _Weights(name, header, placed.member_size, tensors)


def _manifest(contents: Contents, files: Mapping[str, FileEntry], digest: str) -> bytes:
    metadata = contents.metadata
    return encode(
        Manifest(
            framework=contents.framework,
            adapter=contents.adapter,
            libraries=contents.libraries,
            architecture=contents.architecture,
            training_state=contents.training_state,
            metadata=metadata() if callable(metadata) else metadata,
            files=files,
            algorithm=digest,
            extra=contents.extra,
        )
    )


def _write_archive(
    descriptor: int,
    path: str,
    contents: Contents,
    members: Sequence[Streamed],
    digest: str,
    signing: Signing,
) -> str:
    chunk = chunk_size(member.size for member in members)
    planned = container.plan([(member.name, member.size) for member in members])
    files: dict[str, FileEntry] = {}
    with executor(sum(member.size for member in members)) as pool:
        for member, entry in zip(members, planned, strict=True):
            files[member.name] = write_member(
                descriptor,
                entry.data_offset,
                member,
                algorithm=digest,
                chunk_size=chunk,
                pool=pool,
            )
    manifest = _manifest(contents, files, digest)

    def digests() -> Mapping[str, str]:
        source = FileSource(os.dup(descriptor), path)
        try:
            regions = {e.name: Region(source, e.data_offset, e.size) for e in planned}
            return _sha256(path, regions, files, digest, chunk)
        finally:
            source.close()

    bundle_digest = hashlib.sha256(manifest).hexdigest()
    signatures = signing.sign(bundle_digest, digests)
    finish_archive(
        descriptor, {n: (f.size, f.crc32) for n, f in files.items()}, manifest, signatures
    )
    return bundle_digest


def finish_archive(
    descriptor: int,
    payload: Mapping[str, tuple[int, int]],
    manifest: bytes,
    signatures: Mapping[str, bytes],
) -> None:
    """Write all of an archive but the payload data: local headers, manifest, signatures, directory.

    `payload` maps names to (size, CRC-32); their data lies, or will lie, where `container.plan`
    says.
    """
    small = {MANIFEST: manifest, **signatures}
    order = container.member_order(payload, signatures)
    planned = container.plan(
        [(name, len(small[name]) if name in small else payload[name][0]) for name in order]
    )
    entries = []
    for entry in planned:
        data = small.get(entry.name)
        crc = payload[entry.name][1] if data is None else crc32(data)
        header = container.local_header(entry.name, entry.size, crc, entry.header_offset)
        write_at(descriptor, [memoryview(header), memoryview(data or b"")], entry.header_offset)
        entries.append(replace(entry, crc32=crc))
    write_at(descriptor, [memoryview(container.tail(entries))], entries[-1].end)


def _write_folder(
    folder: str,
    contents: Contents,
    members: Sequence[Streamed],
    digest: str,
    signing: Signing,
) -> str:
    chunk = chunk_size(member.size for member in members)
    files = _write_members(folder, members, digest, chunk)
    return _finish_folder(folder, contents, files, digest, signing)


def _write_members(
    folder: str, members: Sequence[Streamed], digest: str, chunk: int
) -> dict[str, FileEntry]:
    files: dict[str, FileEntry] = {}
    with executor(sum(member.size for member in members)) as pool:
        for member in members:
            descriptor = create_file(folder, member.name)
            try:
                files[member.name] = write_member(
                    descriptor, 0, member, algorithm=digest, chunk_size=chunk, pool=pool
                )
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    return files


def weights_size(specs: Iterable[TensorSpec]) -> int:
    """The length of a weights member with these tensors."""
    return weights_layout(specs)[1].member_size


def write_shard(
    folder: str, name: str, tensors: Sequence[TensorData], *, digest: str, chunk: int
) -> FileEntry:
    """Write one weights member into a folder that `finish_shards` makes a bundle.

    `chunk` is the chunk size of the whole bundle. Several processes may do this at once.

    Raises:
        SourceError: the disk refuses.
        FormatError: the tensors can't be a member.
    """
    with failing(folder):
        member = _weights(name, tensors)
        return _write_members(folder, (member,), digest, chunk)[name]


def finish_shards(
    folder: str,
    contents: Contents,
    files: Mapping[str, FileEntry],
    *,
    signers: Sequence[SigningKey] = (),
    digest: str = "blake3",
) -> str:
    """Write manifest and signatures for the shards in a folder, and return the bundle digest.

    Raises:
        SourceError: the disk refuses.
        FormatError: they can't be a bundle.
    """
    signing = Signing(signers)
    signing.check()
    return _finish_folder(folder, contents, files, digest, signing)


def _finish_folder(
    folder: str,
    contents: Contents,
    files: Mapping[str, FileEntry],
    digest: str,
    signing: Signing,
) -> str:
    chunk = chunk_size(entry.size for entry in files.values())
    manifest = _manifest(contents, files, digest)

    def digests() -> Mapping[str, str]:
        written = Folder(folder)
        try:
            regions = {
                name: Region(FolderFile(written, name, entry.size), 0, entry.size)
                for name, entry in files.items()
            }
            return _sha256(folder, regions, files, digest, chunk)
        finally:
            written.close()

    bundle_digest = hashlib.sha256(manifest).hexdigest()
    signatures = signing.sign(bundle_digest, digests)
    container.member_order(files, signatures)  # refuses what an archive would refuse
    write_files(folder, {MANIFEST: manifest, **signatures})
    return bundle_digest


def write_files(folder: str, files: Mapping[str, bytes]) -> None:
    """Write small new files below `folder`, flushed to the disk."""
    for name, data in files.items():
        with failing(os.path.join(folder, name)):
            descriptor = create_file(folder, name)
            try:
                write_at(descriptor, [memoryview(data)], 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _sha256(
    path: str,
    regions: Mapping[str, Region],
    files: Mapping[str, FileEntry],
    algorithm: str,
    chunk: int,
) -> dict[str, str]:
    """The SHA-256 of each member, read back from the disk and compared with its chunk digests."""
    return check_every_byte(
        [
            Chunked(path, name, regions[name], entry, algorithm, chunk)
            for name, entry in files.items()
        ],
        sha256=True,
    )
