"""Bundles on disk: open, verify, read, write, copy, sign.

Only a `VerifiedBundle` can reach a tensor or a member (spec/format.md, "Reading"). Knows nothing
of frameworks. The functions here choose between bundles and plain files; each imports only what
it needs, so that looking at a small archive stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, overload

from safemodel.bundle.opening import Source, inspect, open_bundle
from safemodel.errors import GitLfsPointerError, NotABundleError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.chunks import Progress
    from safemodel.bundle.copy import pack as pack
    from safemodel.bundle.copy import unpack as unpack
    from safemodel.bundle.detached import VerifiedFiles
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.trust.keys import SigningKey
    from safemodel.trust.policy import TrustLike

__all__ = ["inspect", "open_bundle", "pack", "sign", "unpack", "verify"]


@overload
def verify(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    signature: None = None,
    progress: Progress | None = None,
) -> VerifiedBundle: ...


@overload
def verify(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    signature: str | os.PathLike[str],
    progress: Progress | None = None,
) -> VerifiedBundle | VerifiedFiles: ...


def verify(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    signature: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> VerifiedBundle | VerifiedFiles:
    """Check signatures and every byte; raises unless all of it is as it was signed.

    Args:
        source: path of an archive or folder, or the bytes of an archive.
        trust: who may have signed it: a public key or its file, `TrustedKeys`, `UNSIGNED`; None is
            the user's own key and trust store.
        name, version, digest: which model is wanted; a version is a PEP 440 specifier.
        signature: a detached signature file. With one, `source` may be any folder or file.
        progress: called with numbers of bytes done, from several threads.

    Raises:
        SourceError: something is missing, unreadable, or no bundle.
        FormatError: it is malformed.
        VerificationError: unsigned, an untrusted signer, another model, or bytes that differ.
    """
    from safemodel.bundle import opening

    try:
        return opening.verify(
            source,
            trust=trust,
            name=name,
            version=version,
            digest=digest,
            signature=signature,
            progress=progress,
        )
    except GitLfsPointerError:
        raise
    except NotABundleError:
        if signature is None or not isinstance(source, str | os.PathLike):
            raise
    if version is not None or digest is not None:
        raise UsageError(
            "plain files have no version and no bundle digest to ask for", path=os.fspath(source)
        )
    from safemodel.bundle.detached import open_files

    files = open_files(source, signature=signature, trust=trust, name=name)
    try:
        files.check_every_byte(progress)
    except BaseException:
        files.close()
        raise
    return files


def sign(
    path: str | os.PathLike[str],
    signers: SigningKey | Iterable[SigningKey],
    *,
    oms: bool = False,
    expires: datetime | None = None,
    note: str | None = None,
    signature: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Sign a bundle, or any folder or file; returns the names of the signature files.

    In a bundle, signatures become members; verify the bundle before you sign it. Anything else
    gets a detached OMS signature: at `signature`, or beside it with the ending `.sigstore.json`.

    Args:
        path: a bundle in either encoding, a plain folder, or a plain file.
        signers: one key or several.
        oms: for a bundle, an OpenSSF Model Signing statement, which `model_signing` verifies too.
        expires, note: for a manifest statement, until when it holds, and a remark.
        signature: where to put a detached signature, by one key.
        progress: called with numbers of bytes done, from several threads.

    Raises:
        UsageError: no signer, one that can't make such a statement, or no key at all.
        SourceError, FormatError: it can't be read, or is malformed.
        DigestMismatchError: for OMS, the bytes of a bundle differ from its manifest.
    """
    from safemodel.bundle.signing import sign_any
    from safemodel.trust.keys import signing_keys

    return sign_any(
        os.fspath(path),
        signing_keys(signers),
        oms=oms,
        expires=expires,
        note=note,
        signature=None if signature is None else os.fspath(signature),
        progress=progress,
    )


def __getattr__(name: str) -> object:
    """Import `pack` and `unpack` when they are first used (PEP 562)."""
    if name not in ("pack", "unpack"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from safemodel.bundle import copy

    return copy.pack if name == "pack" else copy.unpack
