"""The form of signature files (signing.md, "Envelope" and "Strict JSON")."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import signing, writer
from .area_signatures import edited, rewritten
from .registry import reject


def _set(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return edit


_MATERIAL = "verificationMaterial"
_SIGNATURE = ("dsseEnvelope", "signatures", 0)

# name, comment, edit of the signature file as a value, error
_EDITS: list[tuple[str, str, Callable[[dict[str, Any]], Any], str]] = [
    ("media-type", "version 0.1 of Sigstore bundles",
     _set("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.1"), "SignatureFormatError"),
    ("unknown-key", "an unknown key", _set("comment", value="x"), "SignatureFormatError"),
    ("no-envelope", "no envelope", lambda v: v.pop("dsseEnvelope"), "SignatureFormatError"),
    ("message-signature", "a signature over a digest instead of an envelope",
     lambda v: v.update(messageSignature=v.pop("dsseEnvelope")), "SignatureFormatError"),
    ("envelope-key", "an unknown key in the envelope", _set("dsseEnvelope", "x", value=1), "SignatureFormatError"),
    ("payload-type", "another payload type",
     _set("dsseEnvelope", "payloadType", value="application/json"), "SignatureFormatError"),
    ("no-signature", "no signature", _set("dsseEnvelope", "signatures", value=[]), "SignatureFormatError"),
    ("two", "two signatures in one envelope",
     lambda v: v["dsseEnvelope"]["signatures"].append(v["dsseEnvelope"]["signatures"][0]), "SignatureFormatError"),
    ("keyid", "a keyid, which is not authenticated", _set(*_SIGNATURE, "keyid", value="acme"), "SignatureFormatError"),
    ("empty", "an empty signature", _set(*_SIGNATURE, "sig", value=""), "SignatureFormatError"),
    ("long", "a signature of 8 KiB and a byte",
     _set(*_SIGNATURE, "sig", value=writer.b64(bytes(8193))), "SignatureFormatError"),
    ("signature-null", "null for a signature", _set(*_SIGNATURE, "sig", value=None), "SignatureFormatError"),
    ("signature-key", "an unknown key beside the signature", _set(*_SIGNATURE, "cert", value=""), "SignatureFormatError"),
    ("material-none", "no verification material", _set(_MATERIAL, value={"tlogEntries": []}), "SignatureFormatError"),
    ("material-unknown", "an unknown kind of material", _set(_MATERIAL, "pgp", value="x"), "SignatureFormatError"),
    ("hint-upper", "a hint in upper case",
     _set(_MATERIAL, "publicKey", "hint", value=signing.hint("acme").upper()), "SignatureFormatError"),
    ("hint-short", "half a hint",
     _set(_MATERIAL, "publicKey", "hint", value=signing.hint("acme")[:32]), "SignatureFormatError"),
    ("hint-missing", "no hint", _set(_MATERIAL, "publicKey", value={}), "SignatureFormatError"),
    ("hint-other", "the hint of another key than the file's name",
     _set(_MATERIAL, "publicKey", "hint", value=signing.hint("stranger")), "SignatureFormatError"),
    ("hint-key", "a raw key in the file, which proves nothing",
     _set(_MATERIAL, "publicKey", "rawBytes", value="AA=="), "SignatureFormatError"),
    ("certificate", "a certificate, which format 1 readers need not check",
     _set(_MATERIAL, value={"certificate": {"rawBytes": "AA=="}, "tlogEntries": []}), "UnsupportedError"),
    ("certificate-chain", "a chain of certificates",
     _set(_MATERIAL, value={"x509CertificateChain": {"certificates": []}}), "UnsupportedError"),
    ("certificate-too", "a certificate beside the key",
     _set(_MATERIAL, "certificate", value={"rawBytes": "AA=="}), "UnsupportedError"),
    ("timestamp", "a timestamp that nobody checks",
     _set(_MATERIAL, "timestampVerificationData", value={}), "UnsupportedError"),
    ("log-entry", "a log entry that nobody checks", _set(_MATERIAL, "tlogEntries", value=[{}]), "UnsupportedError"),
]  # fmt: skip

# name, comment, edit of the signature file as bytes, error
_REWRITES: list[tuple[str, str, Callable[[bytes], bytes], str]] = [
    ("not-json", "no JSON", lambda data: b"-----BEGIN", "SignatureFormatError"),
    ("no-bytes", "no bytes", lambda data: b"", "SignatureFormatError"),
    ("list", "a list", lambda data: b"[" + data + b"]", "SignatureFormatError"),
    ("byte-order-mark", "a byte order mark", lambda data: b"\xef\xbb\xbf" + data, "SignatureFormatError"),
    ("utf16", "UTF-16", lambda data: data.decode().encode("utf-16"), "SignatureFormatError"),
    ("duplicate-key", "a key twice",
     lambda data: data.replace(b'{"dsse', b'{"mediaType":"x","dsse', 1), "SignatureFormatError"),
    ("float", "a float", lambda data: data[:-1] + b',"x":1.5}', "SignatureFormatError"),
    ("trailing", "something behind the document", lambda data: data + b"{}", "SignatureFormatError"),
    ("base64-newline", "a line feed in base64",
     lambda data: data.replace(b'"payload":"', b'"payload":"\\n'), "SignatureFormatError"),
    ("base64-url", "the alphabet for URLs",
     lambda data: data.replace(b'"sig":"ME', b'"sig":"-_'), "SignatureFormatError"),
    ("base64-unpadded", "base64 without padding", lambda data: data.replace(b'="}', b'"}'), "SignatureFormatError"),
    ("base64-bits", "unused bits that are not zero",
     lambda data: _last_bits(data), "SignatureFormatError"),
    ("depth-17", "17 brackets deep",
     lambda data: data[:-1] + b',"x":' + b"[" * 16 + b"]" * 16 + b"}", "LimitError"),
    ("depth-bomb", "40,000 brackets", lambda data: b"[" * 40_000, "LimitError"),
]  # fmt: skip


def _last_bits(data: bytes) -> bytes:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = data.index(b'="}') - 1
    if data[at : at + 1] == b"=":
        at -= 1
    digit = alphabet[alphabet.index(data[at]) + 1 :][:1]
    return data[:at] + digit + data[at + 1 :]


def _register() -> None:
    for name, comment, edit, error in _EDITS:
        reject(f"signature-{name}", error, comment)(lambda edit=edit: edited(edit))
    for name, comment, rewrite, error in _REWRITES:
        reject(f"signature-{name}", error, comment)(lambda rewrite=rewrite: rewritten(rewrite))


_register()
