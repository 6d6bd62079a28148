"""Test keys, envelopes and statements, independent of safemodel.

The keys are made from their labels and published: whoever has this file can sign with them. They
must never be trusted for anything but vectors.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from .writer import b64, canonical

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MANIFEST_TYPE = "https://safemodel.dev/statement/manifest/v1"
OMS_TYPE = "https://model_signing/signature/v1.0"

# label -> curve and digest, or neither for Ed25519
KEYS: dict[str, tuple[Any, Any]] = {
    "acme": (ec.SECP256R1, hashes.SHA256),
    "initech": (ec.SECP256R1, hashes.SHA256),
    "stranger": (ec.SECP256R1, hashes.SHA256),
    "p384": (ec.SECP384R1, hashes.SHA384),
    "p521": (ec.SECP521R1, hashes.SHA512),
    "ed25519": (None, None),
}


@cache
def private_key(label: str) -> Any:
    """The private key of a label, always the same."""
    curve, _ = KEYS[label]
    seed = hashlib.shake_256(b"safemodel test key, never trust it: " + label.encode())
    if curve is None:
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed.digest(32))
    return ec.derive_private_key(int.from_bytes(seed.digest(31), "big"), curve())


def public_pem(label: str) -> bytes:
    """The public key, as `openssl pkey -pubout` writes it."""
    return (
        private_key(label)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def private_pem(label: str) -> bytes:
    """The private key, PKCS#8, without a password."""
    return private_key(label).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_id(label: str) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo."""
    body = b"".join(public_pem(label).split(b"\n")[1:-2])
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def hint(label: str) -> str:
    """SHA-256 of the PEM text."""
    return hashlib.sha256(public_pem(label)).hexdigest()


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """What DSSE signs."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def sign(label: str, data: bytes, digest: Any = None) -> bytes:
    """A deterministic signature."""
    key = private_key(label)
    if KEYS[label][0] is None:
        return key.sign(data)
    scheme = ec.ECDSA((digest or KEYS[label][1])(), deterministic_signing=True)
    return key.sign(data, scheme)


def file_name(label: str, kind: str = "manifest") -> str:
    """The member that holds a signature."""
    return f"signatures/{key_id(label)}.{kind}.sigstore.json"


def envelope(label: str, payload: bytes, signature: bytes | None = None) -> dict[str, Any]:
    """A signature file, as a value."""
    made = sign(label, pae(payload)) if signature is None else signature
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint(label)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": b64(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": "", "sig": b64(made)}],
        },
    }


def manifest_statement(manifest: bytes, **predicate: Any) -> dict[str, Any]:
    """The statement over a bundle digest, as a value."""
    digest = hashlib.sha256(manifest).hexdigest()
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "manifest.json", "digest": {"sha256": digest}}],
        "predicateType": MANIFEST_TYPE,
        "predicate": predicate,
    }


def resource(name: str, data: bytes) -> dict[str, Any]:
    """What an OMS statement says of one file."""
    return {"name": name, "algorithm": "sha256", "digest": hashlib.sha256(data).hexdigest()}


def oms_statement(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The OMS statement over files, as a value."""
    joined = b"".join(bytes.fromhex(one["digest"]) for one in resources)
    serialization_ = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {"sha256": hashlib.sha256(joined).hexdigest()}}],
        "predicateType": OMS_TYPE,
        "predicate": {
            "serialization": {**serialization_, "ignore_paths": ["signatures"]},
            "resources": resources,
        },
    }


def signature_file(label: str, statement: Any, kind: str = "manifest") -> tuple[str, bytes]:
    """Name and content of a signature member; the statement is a value, or bytes as they are."""
    payload = statement if isinstance(statement, bytes) else canonical(statement)
    return file_name(label, kind), canonical(envelope(label, payload))
