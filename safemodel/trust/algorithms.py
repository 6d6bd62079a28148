"""The kinds of key that sign, one row each.

Knows how each kind signs and verifies, and the only DER form that its public key may have. Does
not know files, envelopes or trust. Another kind (ML-DSA, say) is another class and a row in
`ALGORITHMS`; nothing else names one. Spec: spec/signing.md, "Keys".

`cryptography` is imported inside the functions: a program that meets no signature pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from safemodel.errors import KeyFileError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

DEFAULT_ALGORITHM: Final = "ecdsa-p256"


class Algorithm(Protocol):
    """One kind of key. `spki_prefix` + `key_size` bytes is the whole DER of its public key."""

    @property
    def name(self) -> str: ...
    @property
    def spki_prefix(self) -> bytes: ...
    @property
    def key_size(self) -> int: ...
    @property
    def oms(self) -> bool:
        """Whether OpenSSF Model Signing has this kind of key."""
        ...

    def check(self, raw: bytes) -> None:
        """Raise `ValueError` unless `raw` is a key of this kind (a point on the curve)."""
        ...

    def verify(self, raw: bytes, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is one over `data`. Only `PublicKey.verify` may call this."""
        ...

    def generate(self) -> PrivateKey: ...
    def owns(self, private: object) -> bool: ...
    def sign(self, private: PrivateKey, data: bytes) -> bytes: ...


@lru_cache(maxsize=256)
def _point(curve: str, raw: bytes) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, curve)(), raw)


@dataclass(frozen=True, slots=True)
class Ecdsa:
    """ECDSA over a NIST curve with the digest that OMS pairs it with; RFC 6979 nonces."""

    name: str
    curve: str
    digest: str
    spki_prefix: bytes
    key_size: int
    oms: bool = True

    def check(self, raw: bytes) -> None:
        _point(self.curve, raw)

    def verify(self, raw: bytes, data: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        scheme = ec.ECDSA(getattr(hashes, self.digest)())
        try:
            _point(self.curve, raw).verify(signature, data, scheme)
        except InvalidSignature:
            return False
        return True

    def generate(self) -> PrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec

        return ec.generate_private_key(getattr(ec, self.curve)())

    def owns(self, private: object) -> bool:
        from cryptography.hazmat.primitives.asymmetric import ec

        return isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(
            private.curve, getattr(ec, self.curve)
        )

    def sign(self, private: PrivateKey, data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise KeyFileError(f"not a private key for {self.name}")
        # Deterministic: a bad random source can't leak the key, and one model signed twice by one
        # key gives the same bytes.
        scheme = ec.ECDSA(getattr(hashes, self.digest)(), deterministic_signing=True)
        return private.sign(data, scheme)


@dataclass(frozen=True, slots=True)
class Ed25519:
    """Ed25519 (RFC 8032). Not part of OMS: for manifest statements only."""

    name: str = "ed25519"
    spki_prefix: bytes = bytes.fromhex("302a300506032b6570032100")
    key_size: int = 32
    oms: bool = False

    def check(self, raw: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        ed25519.Ed25519PublicKey.from_public_bytes(raw)

    def verify(self, raw: bytes, data: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ed25519

        try:
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def generate(self) -> PrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        return ed25519.Ed25519PrivateKey.generate()

    def owns(self, private: object) -> bool:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        return isinstance(private, ed25519.Ed25519PrivateKey)

    def sign(self, private: PrivateKey, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ed25519

        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise KeyFileError(f"not a private key for {self.name}")
        return private.sign(data)


_ROWS: Final[tuple[Algorithm, ...]] = (
    Ecdsa(
        "ecdsa-p256",
        "SECP256R1",
        "SHA256",
        bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
        65,
    ),
    Ecdsa(
        "ecdsa-p384",
        "SECP384R1",
        "SHA384",
        bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200"),
        97,
    ),
    Ecdsa(
        "ecdsa-p521",
        "SECP521R1",
        "SHA512",
        bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600"),
        133,
    ),
    Ed25519(),
)
ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType({row.name: row for row in _ROWS})


def of_der(der: bytes) -> Algorithm | None:
    """The row whose public keys look like this DER; None if there is none."""
    for row in _ROWS:
        if len(der) == len(row.spki_prefix) + row.key_size and der.startswith(row.spki_prefix):
            return row
    return None


def of_private(private: object) -> Algorithm | None:
    """The row that this private key object belongs to; None if there is none."""
    return next((row for row in _ROWS if row.owns(private)), None)
