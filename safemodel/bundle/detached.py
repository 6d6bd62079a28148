"""Plain folders and files, adopted in place: signed and verified by a detached signature file.

They stay as they are: a Hugging Face repository, a GGUF file. The signature is an OMS statement
over every file; ours also carries chunk digests, so that ranges of an untouched 100 GB folder can
be verified without reading the rest. Implements spec/signing.md, "Adopted folders".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Self

from safemodel import limits
from safemodel.bundle import arena
from safemodel.bundle.chunks import BLOCK, ChunkCache, Chunked, Progress, in_parallel, read_range
from safemodel.bundle.folder import Folder, FolderFile
from safemodel.bundle.members import Region
from safemodel.bundle.output import replaced_file, resolved, write_at
from safemodel.bundle.source import ByteSource, open_file, read
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    LimitError,
    MemberNameError,
    MissingMemberError,
    TruncatedError,
    UsageError,
    locating,
)
from safemodel.format.digests import DIGEST_SIZE, chunk_count, chunk_size, digest
from safemodel.format.manifest import FileEntry
from safemodel.format.names import SIGNATURE_ENDING
from safemodel.trust.keys import SigningKey
from safemodel.trust.oms import GIT_NAMES, SINGLE_FILE, Chunks, OmsStatement, Resource
from safemodel.trust.policy import TrustLike, resolve
from safemodel.trust.signatures import (
    Requested,
    VerifiedSignature,
    accept,
    check_detached,
    detached_claim,
    sign_oms,
)

_ALGORITHM = "blake3"
_MAX_DEPTH = 64


class PlainFiles:
    """The regular files of a folder, or one file, held open; names are relative POSIX paths."""

    def __init__(self, path: str, *, without: str | None = None) -> None:
        self.path = path
        self._folder: Folder | None = None
        if os.path.isdir(path):
            self._folder = Folder(path)
            sizes = self._folder.files(
                max_depth=_MAX_DEPTH, max_files=limits.MAX_MEMBERS, skip=frozenset(GIT_NAMES)
            )
            _check_encoding(path, sizes)
            if without is not None:
                sizes.pop(_relative(without, path), None)
            self.sizes: Mapping[str, int] = sizes
        else:
            self._file = open_file(path)
            self.sizes = {SINGLE_FILE: self._file.size}

    @property
    def single(self) -> bool:
        """Whether it is one file and no folder."""
        return self._folder is None

    @property
    def skipped(self) -> tuple[str, ...]:
        """What is there at the top of the folder and not looked at: git's own files."""
        if self.single:
            return ()
        return tuple(n for n in GIT_NAMES if os.path.lexists(os.path.join(self.path, n)))

    def check_names(self, statement: OmsStatement) -> None:
        """Refuse a statement over other files.

        A single file is called `.` (by us and `model_signing`) or by its own name, as in the OMS
        specification. A folder that holds one file is no such thing.

        Raises:
            BadSignatureError: files are there and not signed, or signed and not there.
        """
        names = [resource.name for resource in statement.resources]
        if self.single and names == [os.path.basename(self.path)]:
            return
        if not self.single and names == [SINGLE_FILE]:
            raise BadSignatureError("is a folder, and what was signed is a single file")
        statement.check_names(self.sizes, plain=True)

    def source(self, name: str) -> ByteSource:
        """One of the files."""
        if self._folder is None:
            return self._file
        return FolderFile(self._folder, name, self.sizes[name])

    def close(self) -> None:
        """Close the folder or the file."""
        if self._folder is None:
            self._file.close()
        else:
            self._folder.close()


class VerifiedFiles:
    """A plain folder or file whose list of files is signed by someone whom the caller trusts.

    Made by `open_files`. Content is verified as it is read: with chunk digests only the chunks
    that a read touches, else (signed by another tool) the whole file each time.
    """

    def __init__(
        self, files: PlainFiles, signers: tuple[VerifiedSignature, ...], statement: OmsStatement
    ) -> None:
        self._files = files
        self._cache = ChunkCache()
        self._resources = {
            SINGLE_FILE if files.single else resource.name: resource
            for resource in statement.resources
        }
        self.path = files.path
        self.signers = signers
        self.statement = statement

    @property
    def files(self) -> Mapping[str, int]:
        """Name to size in bytes; a single file is named `.`."""
        return MappingProxyType(dict(self._files.sizes))

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names at the top of the folder that no signature covers: git's own files, if any."""
        return self._files.skipped

    def read(self, name: str = SINGLE_FILE) -> bytes:
        """A whole file, verified.

        Raises:
            MissingMemberError: no file of this name is signed.
            DigestMismatchError: it differs from what was signed.
        """
        return self.read_range(name, 0, self._size(name))

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Verified bytes of a file."""
        if offset < 0 or length < 0 or offset + length > self._size(name):
            raise UsageError(f"range {offset}+{length} is outside of {name}", path=self.path)
        source = self._files.source(name)
        member = _chunked(self.path, name, source, self._resources[name].chunks)
        if member is not None:
            with locating(path=self.path, place=name):
                buffer = arena.allocate_any(length)
            read_range(member, self._cache, offset, buffer)
            return bytes(buffer)
        with locating(path=self.path, place=name):
            data = arena.allocate_any(source.size)
        source.read_into(0, data)
        if hashlib.sha256(data).hexdigest() != self._resources[name].digest:
            raise DigestMismatchError("differs from what was signed", path=self.path, place=name)
        return bytes(data[offset : offset + length])

    def _size(self, name: str) -> int:
        if name not in self._resources or name not in self._files.sizes:
            raise MissingMemberError("no such file is signed", path=self.path, place=name)
        return self._files.sizes[name]

    def check_every_byte(self, progress: Progress | None = None) -> None:
        """Read all files, on all cores, and compare all digests.

        Raises:
            DigestMismatchError: a file differs from what was signed.
        """
        digests: dict[str, str] = {}
        total = sum(self._files.sizes.values())
        names = sorted(self._files.sizes, key=lambda name: -self._files.sizes[name])
        jobs = (partial(self._check_file, name, digests, progress) for name in names)
        in_parallel(iter(jobs), total)
        with locating(path=self.path):
            self.statement.check_digests(
                {r.name if (r := self._resources.get(n)) else n: d for n, d in digests.items()},
                plain=True,
            )

    def _check_file(self, name: str, digests: dict[str, str], progress: Progress | None) -> None:
        resource = self._resources.get(name)
        source = self._files.source(name)
        found, chunks = _digests(source, resource.chunks if resource else None, progress)
        if resource is not None and resource.chunks not in (None, chunks):
            raise DigestMismatchError(
                "its chunks differ from what was signed", path=self.path, place=name
            )
        digests[name] = found

    def close(self) -> None:
        """Close the folder."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_files(
    path: str | os.PathLike[str],
    *,
    signature: str | os.PathLike[str],
    trust: TrustLike = None,
    name: str | None = None,
) -> VerifiedFiles:
    """Check who signed a plain folder or file; its content is verified as it is read.

    `name` only narrows down whose keys count: plain files do not say what they are called.

    Raises:
        MissingFileError: path or signature is not there.
        VerificationError: it is signed by someone else, or other files are there than signed.
        FormatError: the signature is malformed, or the folder holds links or special files.
    """
    target, signature_path = os.fspath(path), os.fspath(signature)
    data = read_signature(signature_path)
    trust = resolve(trust)
    found = check_detached(data, file=signature_path, trust=trust)
    signers = accept([found] if found else [], trust, Requested(name), None)
    statement = _statement(data, signature_path)
    files = PlainFiles(target, without=signature_path)
    try:
        with locating(path=target):
            files.check_names(statement)
        return VerifiedFiles(files, signers, statement)
    except BaseException:
        files.close()
        raise


def _statement(data: bytes, path: str) -> OmsStatement:
    with locating(path=path):
        statement = detached_claim(data, file=path).statement
    if not isinstance(statement, OmsStatement):
        raise BadSignatureError("is over a bundle, and this is none", path=path)
    return statement


def read_signature(path: str) -> bytes:
    """The bytes of a detached signature file.

    Raises:
        MissingFileError, SourceError: it is not there, or can't be read.
        LimitError: it is too large.
    """
    source = open_file(path)
    try:
        if source.size > limits.MAX_DETACHED_SIGNATURE_FILE:
            raise LimitError(
                f"is {source.size} bytes; a signature file has at most "
                f"{limits.MAX_DETACHED_SIGNATURE_FILE}",
                path=path,
            )
        return read(source, 0, source.size)
    finally:
        source.close()


def sign_files(
    path: str | os.PathLike[str],
    signer: SigningKey,
    *,
    signature: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> str:
    """Sign a plain folder or file as it is, and return the path of the signature file.

    Without `signature` it is put beside the folder or file, with the ending `.sigstore.json`.

    Raises:
        UsageError: the key can't make an OMS statement, the folder is empty, or it has no name for
            that of the signature.
        FolderError: the folder holds links or special files.
        SourceError: something can't be read or written.
    """
    target = os.fspath(path)
    out = os.fspath(signature) if signature is not None else default_signature(target)
    files = PlainFiles(target, without=out)
    try:
        if not files.sizes:
            raise UsageError("holds no files to sign", path=target)
        statement = OmsStatement.plain(_resources(files, progress), os.path.basename(target) or ".")
    finally:
        files.close()
    _, data = sign_oms(signer, statement, detached=True)
    with replaced_file(out) as descriptor:
        write_at(descriptor, [memoryview(data)], 0)
    return out


def default_signature(path: str) -> str:
    """Where the signature of a plain folder or file is put: beside it, under its name.

    Raises:
        UsageError: it is the root of a file system, which has no name.
    """
    named = path.rstrip("/\\")
    if os.path.basename(named) in ("", ".", ".."):  # what is called so has its name elsewhere
        named = resolved(path).rstrip("/\\")
    if not os.path.basename(named):
        raise UsageError(
            "has no name, and nothing beside it",
            path=path,
            hint="say where the signature goes: --signature FILE (signature= in Python)",
        )
    return named + SIGNATURE_ENDING


def _resources(files: PlainFiles, progress: Progress | None) -> Sequence[Resource]:
    size = chunk_size(files.sizes.values())
    form = Chunks(_ALGORITHM, size, b"")
    resources: list[Resource] = []

    def add(name: str) -> None:
        found, chunks = _digests(files.source(name), form, progress)
        resources.append(Resource(name, found, chunks))

    names = sorted(files.sizes, key=lambda name: -files.sizes[name])
    in_parallel(iter([partial(add, name) for name in names]), sum(files.sizes.values()))
    return resources


def _digests(
    source: ByteSource, form: Chunks | None, progress: Progress | None
) -> tuple[str, Chunks | None]:
    """SHA-256 of a file, and its chunk digests in the given form, in one pass."""
    whole = hashlib.sha256()
    step = form.chunk_size if form is not None else BLOCK
    buffer = memoryview(bytearray(min(step, max(1, source.size))))
    found: list[bytes] = []
    for start in range(0, source.size, step):
        piece = buffer[: min(step, source.size - start)]
        source.read_into(start, piece)
        whole.update(piece)
        if form is not None:
            found.append(digest(form.algorithm, (piece,)))
        if progress is not None:
            progress(len(piece))
    chunks = form and Chunks(form.algorithm, form.chunk_size, b"".join(found))
    return whole.hexdigest(), chunks


def _chunked(path: str, name: str, source: ByteSource, chunks: Chunks | None) -> Chunked | None:
    if chunks is None:
        return None
    entry = FileEntry(source.size, 0, "application/octet-stream", chunks.digests)
    if len(chunks.digests) != DIGEST_SIZE * chunk_count(source.size, chunks.chunk_size):
        raise TruncatedError(
            "has another number of chunks than was signed",
            path=path,
            place=name,
            hint="the download was cut short, or the file was changed; get it anew",
        )
    region = Region(source, 0, source.size)
    return Chunked(path, name, region, entry, chunks.algorithm, chunks.chunk_size)


def _check_encoding(path: str, names: Iterable[str]) -> None:
    for name in names:
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise MemberNameError(
                "has a name that is not UTF-8, which no statement can hold", path=path, place=name
            ) from None


def _relative(file: str, folder: str) -> str:
    """The POSIX name of a file relative to a folder; something with `..` when it lies outside."""
    directory, name = os.path.split(file)
    relative = os.path.relpath(resolved(directory or "."), resolved(folder))
    return name if relative == "." else "/".join([*relative.split(os.sep), name])
