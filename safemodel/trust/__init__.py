"""Who signed, and whose signature counts. Knows cryptography; no other room does.

    keys         public keys and signers, and their files
    algorithms   the kinds of key, one row each
    dsse         the signature file: Sigstore bundle and DSSE envelope
    materials    how a signature file names its signer, one class a kind
    statements   what is signed: the manifest statement, and the table of kinds
    oms          the OpenSSF Model Signing statement
    signatures   making and checking signature files
    policy       which keys count, for which models
    identity     which model was asked for
    store        the user's own key and trust store

Spec: spec/signing.md. Every name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

__all__ = ["UNSIGNED", "PublicKey", "Signer", "TrustedKeys"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safemodel.trust.keys import PublicKey as PublicKey
    from safemodel.trust.keys import Signer as Signer
    from safemodel.trust.policy import UNSIGNED as UNSIGNED
    from safemodel.trust.policy import TrustedKeys as TrustedKeys

_WHERE = {
    "PublicKey": "safemodel.trust.keys",
    "Signer": "safemodel.trust.keys",
    "TrustedKeys": "safemodel.trust.policy",
    "UNSIGNED": "safemodel.trust.policy",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, and remember it."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
