"""Signature files (signing.md, "Signature files" and "Verification"): names, and the signature."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import utils

from . import signing, writer
from .bundle import Bundle
from .registry import accept, reject

ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def payload(bundle: Bundle) -> bytes:
    """The usual statement over a bundle."""
    return writer.canonical(signing.manifest_statement(bundle.manifest_bytes))


def edited(edit: Callable[[dict[str, Any]], Any]) -> Bundle:
    """A bundle whose only signature file was edited as a value."""
    bundle = Bundle()
    value = signing.envelope("acme", payload(bundle))
    edit(value)
    bundle.signatures = {signing.file_name("acme"): writer.canonical(value)}
    return bundle


def rewritten(edit: Callable[[bytes], bytes]) -> Bundle:
    """A bundle whose only signature file was edited as bytes."""
    bundle = Bundle()
    name, data = signing.signature_file("acme", payload(bundle))
    bundle.signatures = {name: edit(data)}
    return bundle


def signed(make: Callable[[bytes], bytes], label: str = "acme") -> Bundle:
    """A bundle with a signature made some other way from the payload."""
    bundle = Bundle()
    value = signing.envelope(label, payload(bundle), make(payload(bundle)))
    bundle.signatures = {signing.file_name(label): writer.canonical(value)}
    return bundle


@reject("signature-name", "MemberNameError", "a signature file with another name")
def _() -> Bundle:
    return Bundle(signatures={"signatures/acme.json": b"{}"})


@reject("signature-name-kind", "MemberNameError", "a kind of statement that does not exist")
def _() -> Bundle:
    return Bundle(signatures={signing.file_name("acme", "x509"): b"{}"})


@reject("signature-name-upper", "MemberNameError", "a key id in upper case")
def _() -> Bundle:
    name = f"signatures/{signing.key_id('acme').upper()}.manifest.sigstore.json"
    return Bundle(signatures={name: b"{}"})


@reject("signature-other-kind", "SignatureFormatError", "named oms, and holds a manifest statement")
def _() -> Bundle:
    bundle = Bundle()
    _, data = signing.signature_file("acme", payload(bundle))
    bundle.signatures = {signing.file_name("acme", "oms"): data}
    return bundle


@reject(
    "signature-name-other-key", "SignatureFormatError", "a good signature under a stranger's name"
)
def _() -> Bundle:
    bundle = Bundle()
    _, data = signing.signature_file("acme", payload(bundle))
    bundle.signatures = {signing.file_name("stranger"): data}
    return bundle


@reject("signature-flip", "BadSignatureError", "one bit of the signature")
def _() -> Bundle:
    def flip(data: bytes) -> bytes:
        made = bytearray(signing.sign("acme", signing.pae(data)))
        made[-1] ^= 1
        return bytes(made)

    return signed(flip)


@reject("signature-other-key", "BadSignatureError", "made by another key than it claims")
def _() -> Bundle:
    return signed(lambda data: signing.sign("stranger", signing.pae(data)))


@reject("signature-no-pae", "BadSignatureError", "over the payload instead of its encoding")
def _() -> Bundle:
    return signed(lambda data: signing.sign("acme", data))


@reject("signature-pae-type", "BadSignatureError", "over another payload type than it states")
def _() -> Bundle:
    return signed(lambda data: signing.sign("acme", signing.pae(data, "application/json")))


@reject("signature-raw", "BadSignatureError", "r and s side by side instead of DER")
def _() -> Bundle:
    def raw(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(signing.sign("acme", signing.pae(data)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return signed(raw)


@reject("signature-der-trailing", "BadSignatureError", "a byte behind the DER")
def _() -> Bundle:
    return signed(lambda data: signing.sign("acme", signing.pae(data)) + b"\0")


@reject("signature-zero", "BadSignatureError", "r and s are zero")
def _() -> Bundle:
    return signed(lambda data: utils.encode_dss_signature(0, 0))


@reject(
    "signature-p384-sha256", "BadSignatureError", "P-384 with the digest of P-256", trust=("p384",)
)
def _() -> Bundle:
    return signed(lambda data: signing.sign("p384", signing.pae(data), hashes.SHA256), "p384")


@reject("signature-payload", "BadSignatureError", "a payload that was changed after signing")
def _() -> Bundle:
    bundle = Bundle()
    other = signing.manifest_statement(bundle.manifest_bytes, note="changed")
    made = signing.sign("acme", signing.pae(payload(bundle)))
    value = signing.envelope("acme", writer.canonical(other), made)
    bundle.signatures = {signing.file_name("acme"): writer.canonical(value)}
    return bundle


@reject(
    "signature-one-bad",
    "BadSignatureError",
    "one good and one bad, both keys trusted",
    trust=("acme", "p384"),
)
def _() -> Bundle:
    bundle = Bundle(signers=("acme", "p384"))
    bad = signing.envelope("p384", payload(bundle), signing.sign("p384", b"x"))
    bundle.signatures = {**bundle.signature_files, signing.file_name("p384"): writer.canonical(bad)}
    return bundle


@reject(
    "signature-malformed-beside-good", "SignatureFormatError", "a malformed file beside a good one"
)
def _() -> Bundle:
    bundle = Bundle()
    bundle.signatures = {**bundle.signature_files, signing.file_name("stranger"): b"{}"}
    return bundle


@reject("signature-unsigned", "UnsignedError", "no signature at all")
def _() -> Bundle:
    return Bundle(signers=())


@reject("signature-untrusted", "UntrustedSignerError", "a good signature by a stranger")
def _() -> Bundle:
    return Bundle(signers=("stranger",))


@reject(
    "signature-untrusted-forged",
    "UntrustedSignerError",
    "a stranger's signature does not even verify",
)
def _() -> Bundle:
    return signed(lambda data: b"\1", "stranger")


@accept(
    "signature-unsigned-accepted",
    "no signature, and none is asked for",
    trust="unsigned",
    signers=(),
)
def _() -> Bundle:
    return Bundle(signers=())


@accept(
    "signature-stranger-unsigned",
    "a stranger's signature counts for nothing",
    trust="unsigned",
    signers=(),
)
def _() -> Bundle:
    return Bundle(signers=("stranger",))


@accept("signature-stranger-too", "a stranger's signature beside a good one", signers=("acme",))
def _() -> Bundle:
    return Bundle(signers=("acme", "stranger"))


@accept(
    "signature-pretty",
    "a signature file that another tool wrote: other order, white space, no keyid",
)
def _() -> Bundle:
    def pretty(data: bytes) -> bytes:
        data = data.replace(b'"keyid":"",', b"").replace(b',"tlogEntries":[]', b"")
        return (
            b"\n "
            + data.replace(b'":', b'" :\n\t').replace(b"mediaType", rb"media\u0054ype")
            + b"\r\n"
        )

    return rewritten(pretty)


@accept(
    "signature-malleable",
    "n - s instead of s: also a signature, so nothing may depend on its bytes",
)
def _() -> Bundle:
    def other(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(signing.sign("acme", signing.pae(data)))
        return utils.encode_dss_signature(r, ORDER_P256 - s)

    return signed(other)


@reject(
    "signature-stranger-other-bundle",
    "BadSignatureError",
    "beside a good one, a stranger's over another bundle",
)
def _() -> Bundle:
    bundle = Bundle()
    other = signing.manifest_statement(b"another manifest")
    stranger = signing.signature_file("stranger", other)
    bundle.signatures = bundle.signature_files | dict([stranger])
    return bundle


@accept("signature-newer-too", "a kind that came later, beside a good one, harms nobody")
def _() -> Bundle:
    bundle = Bundle()
    value = signing.envelope("stranger", payload(bundle))
    value["verificationMaterial"] = {"certificate": {"rawBytes": "AA=="}, "tlogEntries": [{}]}
    newer = {signing.file_name("stranger"): writer.canonical(value)}
    bundle.signatures = bundle.signature_files | newer
    return bundle


@accept(
    "signature-newer-unsigned",
    "a statement that came later, and no signature is asked for",
    trust="unsigned",
    signers=(),
)
def _() -> Bundle:
    bundle = Bundle()
    statement = signing.manifest_statement(bundle.manifest_bytes)
    statement["predicateType"] = "https://safemodel.dev/statement/manifest/v2"
    bundle.signatures = dict([signing.signature_file("acme", statement)])
    return bundle


@reject("signature-der-padded", "BadSignatureError", "an integer in the DER with a zero too many")
def _() -> Bundle:
    def padded(data: bytes) -> bytes:
        made = signing.sign("acme", signing.pae(data))
        size = made[3]
        return bytes([0x30, made[1] + 1, 2, size + 1, 0]) + made[4:]

    return signed(padded)


@reject("signature-der-long-form", "BadSignatureError", "a length in the DER in its long form")
def _() -> Bundle:
    def long_form(data: bytes) -> bytes:
        made = signing.sign("acme", signing.pae(data))
        return bytes([0x30, 0x81, made[1]]) + made[2:]

    return signed(long_form)


@reject(
    "signature-ed25519-malleable",
    "BadSignatureError",
    "S plus the order of the group, which RFC 8032 forbids",
    trust=("ed25519",),
)
def _() -> Bundle:
    def other(data: bytes) -> bytes:
        made = signing.sign("ed25519", signing.pae(data))
        order = 2**252 + 27742317777372353535851937790883648493
        return made[:32] + (int.from_bytes(made[32:], "little") + order).to_bytes(32, "little")

    return signed(other, "ed25519")


def _register_algorithms() -> None:
    for label in ("p384", "p521", "ed25519"):
        accept(
            f"signature-{label}",
            f"a signature by a key of kind {label}",
            trust=(label,),
            signers=(label,),
        )(lambda label=label: Bundle(signers=(label,)))


_register_algorithms()


@accept("signature-all", "signatures by every kind of key", trust=("acme", "p384", "p521", "ed25519"),
        signers=("acme", "p384", "p521", "ed25519"))  # fmt: skip
def _() -> Bundle:
    return Bundle(signers=("acme", "p384", "p521", "ed25519"))
