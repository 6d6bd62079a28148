"""Add signatures: to a bundle in place, or detached to anything.

The content stays as it is, to the byte. Implements spec/signing.md, "Signature files".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from safemodel import limits
from safemodel.bundle.checking import check_every_byte
from safemodel.bundle.chunks import Progress
from safemodel.bundle.copy import OpenedBundle, open_unverified
from safemodel.bundle.detached import sign_files
from safemodel.bundle.members import ArchiveMembers
from safemodel.bundle.output import failing, replaced_file, sync_folder, write_at
from safemodel.bundle.write import Signing, finish_archive
from safemodel.errors import GitLfsPointerError, LimitError, NotABundleError, UsageError, locating
from safemodel.trust.keys import SigningKey


def sign_any(
    path: str,
    signers: Sequence[SigningKey],
    *,
    oms: bool,
    expires: datetime | None,
    note: str | None,
    signature: str | None,
    progress: Progress | None,
) -> tuple[str, ...]:
    """See `safemodel.bundle.sign`."""
    if not signers:
        raise UsageError("nobody to sign with", hint="make a key: `safemodel keygen`")
    if signature is not None and len(signers) != 1:
        raise UsageError("a detached signature file has exactly one signer", path=signature)
    signing = Signing(signers, oms, expires, note)
    signing.check()
    try:
        opened = open_unverified(path)
    except GitLfsPointerError:
        raise
    except NotABundleError:
        return _sign_files(path, signing, signature, progress)
    try:
        with locating(path=path):
            return _sign_bundle(opened, path, signing, signature, progress)
    finally:
        opened.members.close()


def _sign_files(
    path: str, signing: Signing, signature: str | None, progress: Progress | None
) -> tuple[str, ...]:
    if signing.expires or signing.note:
        raise UsageError("an OMS statement has no field for an expiry or a note", path=path)
    if len(signing.signers) != 1:
        raise UsageError("a plain folder or file is signed by one key at a time", path=path)
    return (sign_files(path, signing.signers[0], signature=signature, progress=progress),)


def _sign_bundle(
    opened: OpenedBundle,
    path: str,
    signing: Signing,
    signature: str | None,
    progress: Progress | None,
) -> tuple[str, ...]:
    members = [opened.chunked(name) for name in opened.manifest.files] if signing.oms else []
    new = signing.sign(
        opened.digest, lambda: check_every_byte(members, sha256=True, progress=progress)
    )
    if signature is not None:
        _replace(signature, *new.values())
        return (signature,)
    signatures = {**opened.signatures, **new}
    if len(signatures) > limits.MAX_SIGNATURES:
        raise LimitError(f"would hold more than {limits.MAX_SIGNATURES} signature files")
    if isinstance(opened.members, ArchiveMembers):
        _rewrite_archive(opened, opened.members, path, signatures)
    else:
        _add_files(path, new)
    return tuple(new)


def _rewrite_archive(
    opened: OpenedBundle, members: ArchiveMembers, path: str, signatures: Mapping[str, bytes]
) -> None:
    """A new file with the same payload, shared with the old one where the file system can."""
    end = max((e.end for e in members.entries if e.name in opened.manifest.files), default=0)
    with replaced_file(path) as descriptor:
        members.copy_start(descriptor, end)
        finish_archive(descriptor, opened.payload, opened.manifest_bytes, signatures)
        members.close()  # Windows replaces no file that is open


def _add_files(folder: str, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        target = os.path.join(folder, *name.split("/"))
        with failing(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
        # Outside of the bundle: what a crash leaves behind must not be a file too many in it.
        _replace(target, data, beside=folder)
    with failing(folder):
        sync_folder(folder)


def _replace(path: str, data: bytes, *, beside: str | None = None) -> None:
    with replaced_file(path, beside=beside) as descriptor:
        write_at(descriptor, [memoryview(data)], 0)
