"""From a path to a verified bundle: trust, signature, statement, manifest, in this order.

Each link is checked before the next is read: the manifest is parsed only after a signature over
its digest was accepted. Implements spec/format.md, "Reading", and spec/signing.md, "Verification".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from safemodel import limits
from safemodel.bundle import sniff
from safemodel.bundle.checking import check_every_byte
from safemodel.bundle.chunks import Progress
from safemodel.bundle.detached import read_signature
from safemodel.bundle.members import MANIFEST, SIGNATURES, Members, open_members
from safemodel.bundle.source import read
from safemodel.bundle.verified import VerifiedBundle
from safemodel.errors import (
    ContainerError,
    DigestMismatchError,
    FolderError,
    LimitError,
    MissingMemberError,
    SafemodelError,
    TruncatedError,
    UnsignedError,
    UntrustedSignerError,
    locating,
)
from safemodel.format.manifest import Manifest, parse
from safemodel.format.weights import TensorInfo, header_length, is_weights_name, parse_header
from safemodel.trust.identity import check_digest, check_model
from safemodel.trust.policy import Trust, TrustLike, resolve
from safemodel.trust.signatures import (
    Requested,
    VerifiedSignature,
    accept,
    check,
    check_detached,
)
from safemodel.trust.statements import OmsStatement

Source = str | os.PathLike[str] | bytes


@dataclass(frozen=True, slots=True)
class UnverifiedManifest:
    """What a bundle says of itself. Nothing of it was verified, and nothing can be loaded from it.

    `size` is bytes of all members; `signatures` maps each signature file to its bytes; `tensors`
    are (member, tensor) pairs in the order in which they are stored.
    """

    path: str
    encoding: str
    size: int
    digest: str
    manifest: Manifest
    signatures: Mapping[str, bytes]
    tensors: tuple[tuple[str, TensorInfo], ...]


def open_bundle(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    signature: str | os.PathLike[str] | None = None,
    mapped: bool = False,
) -> VerifiedBundle:
    """Check who signed a bundle and which model it is; tensors are verified as they are read.

    Args:
        source: path of an archive or folder, or the bytes of an archive.
        trust: who may have signed it: a public key or its file, `TrustedKeys`, `UNSIGNED`; None is
            the user's own key and trust store.
        name, version, digest: which model is wanted; a version is a PEP 440 specifier.
        signature: a signature file outside of the bundle, to count with those inside.
        mapped: tensors become views of the mapped file, verified at each access. Only for storage
            that nobody else can write: bytes could change after they were verified.

    Raises:
        SourceError: the file is missing, unreadable, or no bundle.
        FormatError: it is malformed.
        VerificationError: it is unsigned, signed by someone else, or another model.
    """
    members = open_members(source)
    try:
        with locating(path=members.path):
            requested = Requested(name, version, digest)
            return _open(members, resolve(trust), requested, signature, mapped)
    except BaseException:
        members.close()
        raise


def _open(
    members: Members,
    trust: Trust,
    requested: Requested,
    signature: str | os.PathLike[str] | None,
    mapped: bool,
) -> VerifiedBundle:
    data = members.read(MANIFEST, limits.MAX_MANIFEST_SIZE)
    digest = hashlib.sha256(data).hexdigest()
    check_digest(requested, digest)
    checked = _check_signatures(members, digest, trust, signature)
    manifest = read_manifest(members, data)
    signers = accept(checked, trust, requested, manifest.metadata.name)
    check_model(
        requested,
        name=manifest.metadata.name,
        version=manifest.metadata.version,
        digest=digest,
    )
    for signer in signers:
        if isinstance(signer.statement, OmsStatement):
            signer.statement.check_names(set(manifest.files) | {MANIFEST})
    return VerifiedBundle(
        members,
        manifest,
        digest,
        signers,
        name_checked=requested.name is not None,
        mapped=mapped,
    )


def _check_signatures(
    members: Members, digest: str, trust: Trust, signature: str | os.PathLike[str] | None
) -> tuple[VerifiedSignature, ...]:
    files = read_signatures(members)
    if signature is None:
        return check(files, bundle_digest=digest, trust=trust)
    path = os.fspath(signature)
    detached = check_detached(read_signature(path), file=path, trust=trust, bundle_digest=digest)
    try:
        inside = check(files, bundle_digest=digest, trust=trust)
    except (UnsignedError, UntrustedSignerError):  # then the detached one has to do
        inside = ()
    return inside if detached is None else (*inside, detached)


def verify(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    signature: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> VerifiedBundle:
    """Check every byte of a bundle: signatures, chunk digests, CRCs, headers, OMS digests.

    The arguments are those of `open_bundle`; `progress` is called with numbers of bytes done. The
    result can be used like that of `open_bundle`, which verifies again what it reads.

    Raises:
        SourceError, FormatError, VerificationError: see `open_bundle`.
    """
    bundle = open_bundle(
        source, trust=trust, name=name, version=version, digest=digest, signature=signature
    )
    try:
        with locating(path=bundle.path):
            _check_bytes(bundle, progress)
    except BaseException:
        bundle.close()
        raise
    return bundle


def _check_bytes(bundle: VerifiedBundle, progress: Progress | None) -> None:
    statements = [s.statement for s in bundle.signers if isinstance(s.statement, OmsStatement)]
    bundle.check_between()
    members = [bundle.chunked(name) for name in bundle.manifest.files]
    try:
        digests = check_every_byte(members, sha256=bool(statements), progress=progress)
    except DigestMismatchError as error:
        bundle.name_tensors(error)
        raise
    for statement in statements:
        statement.check_digests({**digests, MANIFEST: bundle.digest})
    _ = bundle.headers  # parsed only now: from bytes whose digests were checked


def inspect(source: Source) -> UnverifiedManifest:
    """Look at a bundle without trusting it: the manifest, the tensor headers, the signature files.

    Nothing is verified; the result says what the bundle claims.

    Raises:
        SourceError: the file is missing, unreadable, or no bundle.
        FormatError: it is malformed.
    """
    members = open_members(source)
    try:
        with locating(path=members.path):
            data = members.read(MANIFEST, limits.MAX_MANIFEST_SIZE)
            manifest = read_manifest(members, data)
            return UnverifiedManifest(
                members.path,
                members.encoding,
                sum(members.sizes.values()),
                hashlib.sha256(data).hexdigest(),
                manifest,
                read_signatures(members),
                tuple(_tensors(members, manifest)),
            )
    finally:
        members.close()


def _tensors(members: Members, manifest: Manifest) -> list[tuple[str, TensorInfo]]:
    found = []
    for name in sorted(filter(is_weights_name, manifest.files)):
        region = members.region(name)
        with locating(place=name):
            prefix = read(region.source, region.offset, min(8, region.size))
            length = header_length(prefix, region.size)
            header = parse_header(read(region.source, region.offset, length), region.size)
        found += [(name, tensor) for tensor in header.tensors]
    return found


def read_signatures(members: Members) -> dict[str, bytes]:
    """All signature files of a bundle, by member name.

    Raises:
        LimitError: too many, or one is too large.
    """
    names = [name for name in members.sizes if name.startswith(SIGNATURES)]
    if len(names) > limits.MAX_SIGNATURES:
        raise LimitError(f"holds more than {limits.MAX_SIGNATURES} signature files")
    return {name: members.read(name, limits.MAX_SIGNATURE_FILE) for name in names}


def read_manifest(members: Members, data: bytes) -> Manifest:
    """Parse the manifest and compare what it declares with what the container holds.

    Raises:
        ManifestError, JsonError, LimitError, UnsupportedError: the manifest is malformed.
        MissingMemberError, TruncatedError, FolderError, ContainerError: the members differ.
    """
    with locating(place=MANIFEST):
        manifest = parse(data)
    held = {
        name: size
        for name, size in members.sizes.items()
        if name != MANIFEST and not name.startswith(SIGNATURES)
    }
    malformed = FolderError if members.encoding == "folder" else ContainerError
    for name in manifest.files:
        if name not in held:
            raise MissingMemberError(
                "is declared in the manifest but not there",
                place=name,
                hint="the bundle is incomplete; get the missing member from its source",
            )
    for name, size in held.items():
        if name not in manifest.files:
            raise malformed("is not declared in the manifest", place=name)
        if size != manifest.files[name].size:
            raise _other_size(members, name, manifest.files[name].size)
    for name, crc in members.crc32s().items():
        if name in manifest.files and crc != manifest.files[name].crc32:
            raise ContainerError("the CRC-32 is not the one in the manifest", place=name)
    return manifest


def _other_size(members: Members, name: str, declared: int) -> SafemodelError:
    """What to say of a member that is shorter or longer than the manifest declares."""
    size = members.sizes[name]
    message = f"is {size} bytes, the manifest declares {declared}"
    if members.encoding == "archive":
        return ContainerError(message, place=name)
    region = members.region(name)
    if sniff.is_lfs_pointer(read(region.source, 0, min(size, sniff.HEAD))):
        return sniff.lfs_pointer(size, place=name)
    if size > declared:
        return FolderError(message, place=name)
    return TruncatedError(
        message, place=name, hint="the download or copy was cut short; get the file anew"
    )
