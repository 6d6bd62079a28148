"""Signature files: a Sigstore bundle v0.3 around one DSSE signature.

Knows the file's exact shape and what the signature is computed over. Does not know what the
payload says or whose key counts. The payload that `parse` returns is the one whose bytes are
verified: nothing is parsed a second time. Spec: spec/signing.md, "Envelope".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from safemodel import limits
from safemodel.errors import JsonError, SignatureFormatError
from safemodel.format import canonical_json
from safemodel.format.canonical_json import JsonValue
from safemodel.trust import materials, strict_json
from safemodel.trust.materials import Material

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

_FILE_KEYS: Final = frozenset({"mediaType", "verificationMaterial", "dsseEnvelope"})
_ENVELOPE_KEYS: Final = frozenset({"payload", "payloadType", "signatures"})


@dataclass(frozen=True, slots=True)
class SignatureFile:
    """One signature file. Nothing in it is proved until its signature is verified."""

    material: Material
    payload: bytes
    signature: bytes

    @property
    def hint(self) -> str:
        return self.material.hint

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return pae(PAYLOAD_TYPE, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: type and payload with their lengths."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse(data: bytes, *, max_size: int = limits.MAX_SIGNATURE_FILE) -> SignatureFile:
    """The signature file in `data`, which any tool may have written."""
    with refusing_json():
        return _parse(strict_json.parse(data, max_size=max_size))


def _parse(value: JsonValue) -> SignatureFile:
    file = strict_json.members(value, "the signature file", required=_FILE_KEYS)
    strict_json.constant(file["mediaType"], "mediaType", MEDIA_TYPE)
    material = materials.parse(file["verificationMaterial"])
    envelope = strict_json.members(file["dsseEnvelope"], "dsseEnvelope", required=_ENVELOPE_KEYS)
    strict_json.constant(envelope["payloadType"], "payloadType", PAYLOAD_TYPE)
    signatures = strict_json.items(envelope["signatures"], "signatures")
    if len(signatures) != 1:
        # Verifiers disagree about what two would mean: one of them, or both.
        raise SignatureFormatError(f"has {len(signatures)} signatures, where one belongs")
    entry = strict_json.members(
        signatures[0], "the signature", required=frozenset({"sig"}), optional=frozenset({"keyid"})
    )
    strict_json.constant(entry.get("keyid", ""), "keyid", "")
    signature = strict_json.base64_bytes(entry["sig"], "sig")
    if not 0 < len(signature) <= limits.MAX_SIGNATURE_VALUE:
        raise SignatureFormatError(f"a signature of {len(signature)} bytes")
    return SignatureFile(
        material, strict_json.base64_bytes(envelope["payload"], "payload"), signature
    )


def encode(file: SignatureFile) -> bytes:
    """The canonical JSON of a signature file, as this library writes it."""
    return canonical_json.encode(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {
                file.material.kind: file.material.to_json(),
                "tlogEntries": [],
            },
            "dsseEnvelope": {
                "payload": strict_json.to_base64(file.payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"keyid": "", "sig": strict_json.to_base64(file.signature)}],
            },
        }
    )


@contextmanager
def refusing_json() -> Iterator[None]:
    """Turn a `JsonError` into a `SignatureFormatError`: here it is the signature that is wrong."""
    try:
        yield
    except JsonError as error:
        raise SignatureFormatError(error.message, place=error.place, hint=error.hint) from error
