"""How a signature file says who signed: one kind of verification material a class.

Knows which key a signature file claims, and how a trust resolves the claim to a key. Does not
know what is signed. `MATERIALS` is the only list of the kinds: a certificate chain or a Sigstore
identity is another class and another row. Spec: spec/signing.md, "Envelope".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from safemodel.errors import SignatureFormatError, UnsupportedError
from safemodel.format.canonical_json import JsonValue
from safemodel.trust import strict_json

if TYPE_CHECKING:
    from safemodel.trust.policy import Trust, TrustedKey


class Material(Protocol):
    """One kind of verification material."""

    @property
    def kind(self) -> str:
        """Its name in the signature file."""
        ...

    @property
    def hint(self) -> str:
        """What it says of the signer, for people: nothing of it is proved."""
        ...

    def resolve(self, trust: Trust, key_id: str | None) -> TrustedKey | None:
        """The key that must have signed, if this trust knows the signer; else None.

        `key_id` is the one that the file is named after, where files have such names.
        """
        ...

    def to_json(self) -> JsonValue: ...


@dataclass(frozen=True, slots=True)
class PublicKeyMaterial:
    """A key that the verifier has already: the file only says which."""

    hint: str

    @property
    def kind(self) -> str:
        return "publicKey"

    @classmethod
    def parse(cls, value: JsonValue) -> PublicKeyMaterial:
        found = strict_json.members(value, "publicKey", required=frozenset({"hint"}))
        return cls(strict_json.hex_digest(found["hint"], "the key hint"))

    def to_json(self) -> JsonValue:
        return {"hint": self.hint}

    def resolve(self, trust: Trust, key_id: str | None) -> TrustedKey | None:
        candidates = trust.candidate_keys()
        by_hint = next((c for c in candidates.values() if c.key.oms_hint == self.hint), None)
        if key_id is None:
            return by_hint
        by_name = candidates.get(key_id)
        if by_name is not by_hint:
            known = by_hint or by_name
            raise SignatureFormatError(
                "the file is named after one key and its hint names another",
                hint=None if known is None else f"one of them is the key {known.key.key_id}",
            )
        return by_name


MATERIALS: Final[Mapping[str, Callable[[JsonValue], Material]]] = MappingProxyType(
    {"publicKey": PublicKeyMaterial.parse}
)

# Sigstore bundles v0.3 may have these. They are refused, and not ignored: what this reader does
# not check must not look as if it had been.
_NOT_YET: Final = frozenset({"certificate", "x509CertificateChain", "timestampVerificationData"})


def parse(value: JsonValue) -> Material:
    """The material in a `verificationMaterial`: exactly one kind, no log entries."""
    what = "verificationMaterial"
    known = frozenset(MATERIALS)
    found = strict_json.members(
        value, what, required=frozenset(), optional=known | _NOT_YET | {"tlogEntries"}
    )
    for name in sorted(_NOT_YET & found.keys()):
        raise UnsupportedError(
            f"signed with {name}, which this version does not check",
            hint="ask the signer for a signature by key as well, or use a newer safemodel",
        )
    if strict_json.items(found.get("tlogEntries", []), "tlogEntries"):
        raise UnsupportedError("has transparency log entries, which this version does not check")
    kinds = sorted(known & found.keys())
    if len(kinds) != 1:
        raise SignatureFormatError(f"{what} does not name exactly one kind of signer")
    return MATERIALS[kinds[0]](found[kinds[0]])
