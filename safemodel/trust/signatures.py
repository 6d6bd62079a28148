"""Making and checking signature files: where envelope, statement, key and trust meet.

`check` is the first link of the chain: it runs before the manifest is parsed, on the manifest's
digest alone. `accept` is the second, once the manifest has said what the model is called.
Spec: spec/signing.md, "Verification".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from safemodel import limits
from safemodel.errors import (
    BadSignatureError,
    ExpiredError,
    LimitError,
    SignatureFormatError,
    UnsignedError,
    UnsupportedError,
    UntrustedSignerError,
    UsageError,
    locating,
)
from safemodel.format.names import SIGNATURE_NAMES_HINT, parse_signature_name, signature_name
from safemodel.trust import dsse, policy, statements
from safemodel.trust.identity import Requested as Requested
from safemodel.trust.materials import PublicKeyMaterial
from safemodel.trust.oms import OmsStatement
from safemodel.trust.statements import ManifestStatement, Statement

if TYPE_CHECKING:
    from safemodel.trust.keys import PublicKey, SigningKey
    from safemodel.trust.policy import Trust, TrustedKey, TrustLike

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature file says of itself. Nothing of it is proved."""

    file: str
    key_id: str | None
    hint: str
    statement: Statement

    @property
    def kind(self) -> str:
        return self.statement.kind


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that was verified with a key that the trust has."""

    file: str
    key: PublicKey
    label: str | None
    statement: Statement

    @property
    def kind(self) -> str:
        return self.statement.kind


def file_name(key_id: str, kind: str) -> str:
    """The name of the member that holds the signature of this kind by this key."""
    return signature_name(key_id, kind)


def sign_manifest(
    signer: SigningKey,
    bundle_digest: str,
    *,
    expires: datetime | None = None,
    note: str | None = None,
) -> tuple[str, bytes]:
    """Sign a bundle by the digest of its manifest: the name and content of the member to add."""
    if not _DIGEST.fullmatch(bundle_digest):
        raise UsageError("the bundle digest is not 64 lower-case hexadecimal digits")
    if note is not None:
        check_note(note)
    if expires is not None:
        expires = statements.checked_time(expires)
    return _sign(signer, ManifestStatement(bundle_digest, expires, note))


def check_note(note: object) -> None:
    """Raise `UsageError` unless this can be the note of a manifest statement."""
    if not isinstance(note, str) or not 0 < len(note.encode("utf-8", "replace")) <= limits.MAX_NOTE:
        raise UsageError(f"a note has 1 to {limits.MAX_NOTE} bytes of text")


def sign_oms(
    signer: SigningKey, statement: OmsStatement, *, detached: bool = False
) -> tuple[str, bytes]:
    """Sign a list of files: the name and content of the member to add, or of a detached file."""
    if not signer.public_key.can_sign_oms:
        raise UsageError(
            f"OpenSSF Model Signing has no {signer.public_key.algorithm} keys",
            hint="sign with an ECDSA key (`safemodel keygen`), or leave --oms out",
        )
    name, data = _sign(signer, statement)
    if not detached and len(data) > limits.MAX_SIGNATURE_FILE:
        raise UsageError(
            f"the OMS signature has {len(data)} bytes, and inside a bundle at most "
            f"{limits.MAX_SIGNATURE_FILE} are permitted",
            hint="leave --oms out: a manifest statement covers any number of files",
        )
    return name, data


def _sign(signer: SigningKey, statement: Statement) -> tuple[str, bytes]:
    payload = statements.encode(statement)
    key = signer.public_key
    signature = signer.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
    file = dsse.SignatureFile(PublicKeyMaterial(key.oms_hint), payload, signature)
    return file_name(key.key_id, statement.kind), dsse.encode(file)


def claims(files: Mapping[str, bytes]) -> tuple[Claim, ...]:
    """What the signature files of a bundle say, strictly parsed and not verified."""
    return tuple(_claim(name, dsse.parse(data)) for name, data in _listed(files))


def check(
    files: Mapping[str, bytes],
    *,
    bundle_digest: str,
    trust: TrustLike = None,
    now: datetime | None = None,
) -> tuple[VerifiedSignature, ...]:
    """Verify the signature files of a bundle before anything else of it is believed.

    Without `trust` it is the user's own key and trust store; callers that go on to `accept` should
    `policy.resolve` it once. Returns the signatures by keys of `trust` that hold now, sorted by
    file: at least one, or none if the trust asks for none. A signature by an unknown key never
    helps, and still must be a well-formed statement over this bundle.
    """
    trust = policy.resolve(trust)
    if files:
        # Before the files are: what is wrong with a key of the user's is no fault of theirs.
        trust.candidate_keys()
    found: list[tuple[Claim, VerifiedSignature | None]] = []
    newer: UnsupportedError | None = None
    for name, data in _listed(files):
        try:
            found.append(_check_file(name, data, bundle_digest, trust))
        except UnsupportedError as error:
            # A kind of signature that came later must not break readers of today; nor help them.
            newer = error
    return _current(found, trust, now, newer)


def check_detached(
    data: bytes,
    *,
    file: str,
    trust: TrustLike = None,
    bundle_digest: str | None = None,
    now: datetime | None = None,
) -> VerifiedSignature | None:
    """Verify one signature file that lies outside of what it signs, under any name.

    Without `bundle_digest` what is signed is no bundle: only an OMS statement can be over it, and
    the caller must still compare it with the files (`OmsStatement.check_digests`). None if the
    trust is UNSIGNED.
    """
    trust = policy.resolve(trust)
    trust.candidate_keys()
    with locating(path=file):
        parsed, claim = _detached(data, file)
        if bundle_digest is not None:
            _check_over(claim.statement, bundle_digest)
        elif isinstance(claim.statement, ManifestStatement):
            raise BadSignatureError(
                "a signature over a bundle, and this is none",
                hint="sign plain files and folders with `safemodel sign --signature FILE`",
            )
        verified = _verify(claim, parsed, parsed.material.resolve(trust, None))
    return next(iter(_current([(claim, verified)], trust, now, None)), None)


def detached_claim(data: bytes, *, file: str) -> Claim:
    """What a detached signature file says, strictly parsed and not verified."""
    return _detached(data, file)[1]


def _detached(data: bytes, file: str) -> tuple[dsse.SignatureFile, Claim]:
    parsed = dsse.parse(data, max_size=limits.MAX_DETACHED_SIGNATURE_FILE)
    statement = statements.parse(parsed.payload, max_size=len(parsed.payload))
    return parsed, Claim(file, None, parsed.hint, statement)


def accept(
    signatures: Sequence[VerifiedSignature],
    trust: TrustLike,
    requested: Requested,
    manifest_name: str | None,
) -> tuple[VerifiedSignature, ...]:
    """Those of the verified signatures whose key counts for this model.

    The model's name is the one that was asked for, else the manifest's. That both agree is
    `identity.check_model`'s business.
    """
    trust = policy.resolve(trust)
    name = requested.name if requested.name is not None else manifest_name
    counting = tuple(one for one in signatures if trust.accepts(one.key.key_id, name))
    if not counting and trust.requires_signature:
        if not signatures:
            raise UnsignedError("not signed", hint=_UNSIGNED_HINT)
        raise _out_of_scope(signatures, trust, name)
    return counting


def _listed(files: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    if len(files) > limits.MAX_SIGNATURES:
        raise LimitError(f"more than {limits.MAX_SIGNATURES} signatures")
    return sorted(files.items())


def _claim(name: str, file: dsse.SignatureFile) -> Claim:
    with locating(place=name):
        named = parse_signature_name(name)
        if named is None:
            raise SignatureFormatError(
                "not the name of a signature file", hint=SIGNATURE_NAMES_HINT
            )
        key_id, kind = named
        statement = statements.parse(file.payload)
        if statement.kind != kind:
            raise SignatureFormatError(
                f"named as a signature of kind {kind}, and is of kind {statement.kind}"
            )
    return Claim(name, key_id, file.hint, statement)


def _check_file(
    name: str, data: bytes, bundle_digest: str, trust: Trust
) -> tuple[Claim, VerifiedSignature | None]:
    with locating(place=name):
        file = dsse.parse(data)
        claim = _claim(name, file)
        _check_over(claim.statement, bundle_digest)
        return claim, _verify(claim, file, file.material.resolve(trust, claim.key_id))


def _check_over(statement: Statement, bundle_digest: str) -> None:
    if statement.bundle_digest != bundle_digest:
        raise BadSignatureError(
            "a signature over something else than this bundle",
            hint="the manifest was changed after signing, or the signature is another bundle's",
        )


def _verify(
    claim: Claim, file: dsse.SignatureFile, known: TrustedKey | None
) -> VerifiedSignature | None:
    if known is None:
        return None
    if isinstance(claim.statement, OmsStatement) and not known.key.can_sign_oms:
        raise SignatureFormatError(
            f"an OMS statement signed by a key of kind {known.key.algorithm}",
            hint="no other tool verifies that; have it signed with an ECDSA key",
        )
    known.key.verify(file.signed_bytes, file.signature)
    return VerifiedSignature(claim.file, known.key, known.label, claim.statement)


def _current(
    found: Sequence[tuple[Claim, VerifiedSignature | None]],
    trust: Trust,
    now: datetime | None,
    newer: UnsupportedError | None,
) -> tuple[VerifiedSignature, ...]:
    """The verified ones that have not expired; without one, the error that says what is missing."""
    moment = datetime.now(UTC) if now is None else statements.checked_time(now)
    current: list[VerifiedSignature] = []
    expired: ExpiredError | None = None
    for _, verified in found:
        if verified is None:
            continue
        try:
            verified.statement.check_time(moment)
        except ExpiredError as error:
            error.place = verified.file
            expired = error
        else:
            current.append(verified)
    if not trust.requires_signature:
        return ()
    if current:
        return tuple(current)
    if expired is not None:
        raise expired
    if newer is not None:
        raise newer
    if not found:
        raise UnsignedError("not signed", hint=_UNSIGNED_HINT)
    raise _untrusted([claim for claim, _ in found])


_UNSIGNED_HINT: Final = (
    "ask for a signed copy, or sign it yourself once you know where it comes from; "
    "trust=UNSIGNED (--unsigned) accepts it and finds damage only, no attack"
)


def _untrusted(unknown: Sequence[Claim]) -> UntrustedSignerError:
    claimed = ", ".join(
        f"key {claim.key_id}" if claim.key_id else f"the key with hint {claim.hint}"
        for claim in unknown[:4]
    )
    more = f" and {len(unknown) - 4} more" if len(unknown) > 4 else ""
    return UntrustedSignerError(
        f"signed, but by no key that you trust; it claims {claimed}{more}",
        hint="get the signer's public key from them and not from where the model came from, "
        "compare its key id with them, then: safemodel trust add KEY.pub --name NAME",
    )


def _out_of_scope(
    signatures: Sequence[VerifiedSignature], trust: Trust, name: str | None
) -> UntrustedSignerError:
    candidates = trust.candidate_keys()
    scopes = []
    for one in signatures:
        known = candidates.get(one.key.key_id)
        names = ", ".join((known.names if known is not None else None) or ())
        scopes.append(f"{one.label or one.key.key_id} counts only for {names or 'no model'}")
    model = "a model without a name" if name is None else f"{name!r}"
    return UntrustedSignerError(
        f"signed, but by no key that counts for {model}: {'; '.join(scopes)}",
        hint="if the signer may sign models of this name too: "
        f"safemodel trust add KEY.pub --name {name or 'NAME'}",
    )
