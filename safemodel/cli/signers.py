"""How verified signatures are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from safemodel.cli.output import escape, key_text

if TYPE_CHECKING:
    from datetime import datetime

    from safemodel.trust.signatures import VerifiedSignature


def name_of(signature: VerifiedSignature) -> str:
    """The label of a signer and its key: `acme (ecdsa-p256:9f3c...)`."""
    key = key_text(signature.key.algorithm, signature.key.key_id)
    return f"{escape(signature.label)} ({key})" if signature.label else key


def names_of(signatures: Iterable[VerifiedSignature]) -> str:
    """All signers, each once."""
    return " and ".join(dict.fromkeys(name_of(signature) for signature in signatures))


def time_text(moment: datetime) -> str:
    """A moment as statements spell it: `2027-01-31T00:00:00Z`."""
    from safemodel.trust.statements import format_time

    return format_time(moment)


def signer_fields(signature: VerifiedSignature) -> dict[str, object]:
    """A verified signature as JSON."""
    expires = getattr(signature.statement, "expires", None)
    return {
        "file": signature.file,
        "kind": signature.kind,
        "label": signature.label,
        "algorithm": signature.key.algorithm,
        "key_id": signature.key.key_id,
        "expires": time_text(expires) if expires else None,
        "note": getattr(signature.statement, "note", None),
    }
