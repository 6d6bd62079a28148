"""Keys: `PublicKey` verifies, `Signer` signs, and both come from PEM text.

Knows key ids, key files, environment variables and passwords. Does not know envelopes, statements
or which key is trusted. Spec: spec/signing.md, "Keys".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, cast

from safemodel.errors import BadSignatureError, KeyFileError, UsageError, locating
from safemodel.limits import MAX_KEY_FILE
from safemodel.trust import algorithms

if TYPE_CHECKING:
    from safemodel.trust.algorithms import PrivateKey

_PEM: Final = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL
)
# What old PEM files say of their encryption. With another length of the initialisation vector the
# cryptography library does not raise an exception, it panics.
_OLD_ENCRYPTION: Final = re.compile(
    rb"DEK-Info:[ \t]*(AES-\d{3}-CBC,[0-9A-Fa-f]{32}|DES-EDE3-CBC,[0-9A-Fa-f]{16})[ \t]*\r?\n"
)
_PRIVATE_LABELS: Final = (b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"EC PRIVATE KEY")

# What people hand over instead of a key, and what to do then.
_OTHER_LABELS: Final = {
    b"CERTIFICATE": "take its key out: openssl x509 -in FILE -pubkey -noout",
    b"OPENSSH PRIVATE KEY": "convert a copy of it: ssh-keygen -p -m PKCS8 -f FILE",
    b"SSH2 PUBLIC KEY": "convert it: ssh-keygen -e -m PKCS8 -f FILE",
    b"PGP PUBLIC KEY BLOCK": "OpenPGP keys are not used here; `safemodel keygen` makes one",
    b"PGP PRIVATE KEY BLOCK": "OpenPGP keys are not used here; `safemodel keygen` makes one",
    b"RSA PUBLIC KEY": "RSA keys are not used here; `safemodel keygen` makes one that is",
    b"RSA PRIVATE KEY": "RSA keys are not used here; `safemodel keygen` makes one that is",
}
_KINDS_HINT: Final = (
    "keys are ECDSA P-256, P-384 or P-521, or Ed25519, in PEM; `safemodel keygen` makes one"
)


class SigningKey(Protocol):
    """What can sign: a `Signer`, or something that keeps its key elsewhere (hardware)."""

    @property
    def public_key(self) -> PublicKey: ...
    def sign(self, data: bytes) -> bytes: ...


def signing_keys(signers: object) -> tuple[SigningKey, ...]:
    """The keys that a caller named to sign with: one, or several.

    Raises:
        UsageError: one is not a key, such as the path of one.
    """
    several = isinstance(signers, Iterable) and not isinstance(signers, (str, bytes))
    found = tuple(cast("Iterable[object]", signers)) if several else (signers,)
    for one in found:
        if isinstance(one, type) or not (hasattr(one, "sign") and hasattr(one, "public_key")):
            raise UsageError(
                f"to sign with, a {type(one).__name__} was given and no key",
                hint="load it first: safemodel.Signer.load('acme.key')",
            )
    return cast("tuple[SigningKey, ...]", found)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, held as its DER SubjectPublicKeyInfo, of which there is one per key."""

    der: bytes
    algorithm: str
    key_id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", hashlib.sha256(self.der).hexdigest())

    @classmethod
    def from_der(cls, der: bytes) -> PublicKey:
        """The key that this canonical DER holds; `KeyFileError` if it is not exactly one."""
        algorithm = algorithms.of_der(der)
        if algorithm is None:
            raise KeyFileError("not a public key of a permitted kind", hint=_KINDS_HINT)
        try:
            algorithm.check(der[len(algorithm.spki_prefix) :])
        except ValueError as error:
            raise KeyFileError(f"not a valid {algorithm.name} public key") from error
        return cls(der, algorithm.name)

    @classmethod
    def load(cls, source: str | os.PathLike[str] | bytes) -> PublicKey:
        """The key in a PEM file, in an environment variable (`"env:NAME"`), or in PEM bytes."""
        with locating(path=_name_of(source)):
            label, data = _pem_block(_read(source))
            if label in _PRIVATE_LABELS:
                raise KeyFileError(
                    "this is a private key, where the public one is needed",
                    hint="give the .pub file; a private key never leaves its owner",
                )
            if label != b"PUBLIC KEY":
                _refuse_label(label)
            return cls.from_der(_canonical_der(data))

    @property
    def pem(self) -> str:
        """The PEM text, as `openssl pkey -pubout` writes it: lines of 64, LF, a last LF."""
        text = base64.b64encode(self.der).decode("ascii")
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))

    @property
    def oms_hint(self) -> str:
        """What OpenSSF Model Signing calls this key: the SHA-256 of its PEM text."""
        return hashlib.sha256(self.pem.encode("ascii")).hexdigest()

    @property
    def can_sign_oms(self) -> bool:
        return algorithms.ALGORITHMS[self.algorithm].oms

    def verify(self, data: bytes, signature: bytes) -> None:
        """Return if `signature` is this key's signature over `data`; else `BadSignatureError`."""
        algorithm = algorithms.ALGORITHMS[self.algorithm]
        if not algorithm.verify(self.der[len(algorithm.spki_prefix) :], data, signature):
            raise BadSignatureError(
                f"the signature is not one by key {self.key_id} over this content",
                hint="the content or the signature was changed after signing; get it again",
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the PEM text to a new file; never over an existing one."""
        write_new(path, self.pem.encode("ascii"), mode=0o644)


class Signer:
    """A private key that signs. Signatures are deterministic (RFC 6979; Ed25519 is by itself)."""

    def __init__(self, private_key: object) -> None:
        """Sign with a private key object of `cryptography`, if it is of a permitted kind."""
        algorithm = algorithms.of_private(private_key)
        if algorithm is None:
            raise KeyFileError(
                f"keys of this kind ({_describe(private_key)}) are not used here", hint=_KINDS_HINT
            )
        self._private_key = cast("PrivateKey", private_key)
        self._algorithm = algorithm

    def __repr__(self) -> str:
        return f"<Signer {self._algorithm.name} {self.public_key.key_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not copied or stored by accident: use save()")

    @classmethod
    def generate(cls, algorithm: str = algorithms.DEFAULT_ALGORITHM) -> Signer:
        """A new key."""
        if algorithm not in algorithms.ALGORITHMS:
            raise UsageError(
                f"there is no kind of key called {algorithm!r}",
                hint="one of " + ", ".join(algorithms.ALGORITHMS),
            )
        return cls(algorithms.ALGORITHMS[algorithm].generate())

    @classmethod
    def load(
        cls, source: str | os.PathLike[str] | bytes, *, password: bytes | str | None = None
    ) -> Signer:
        """The key in a PEM file, in an environment variable (`"env:NAME"`), or in PEM bytes."""
        with locating(path=_name_of(source)):
            data = _read(source)
            label, _ = _pem_block(data)
            if label == b"PUBLIC KEY":
                raise KeyFileError(
                    "this is a public key, where the private one is needed",
                    hint="sign with the .key file that `safemodel keygen` made beside it",
                )
            if label not in _PRIVATE_LABELS:
                _refuse_label(label)
            return cls(_load_private(data, _password(password)))

    @cached_property
    def public_key(self) -> PublicKey:
        from cryptography.hazmat.primitives import serialization

        der = self._private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return PublicKey.from_der(der)

    def sign(self, data: bytes) -> bytes:
        return self._algorithm.sign(self._private_key, data)

    def pem(self, password: bytes | str | None = None) -> bytes:
        """The PEM text (PKCS#8), encrypted if there is a password."""
        from cryptography.hazmat.primitives import serialization

        secret = _password(password)
        encryption: serialization.KeySerializationEncryption = (
            serialization.NoEncryption()
            if secret is None
            else serialization.BestAvailableEncryption(secret)
        )
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def save(self, path: str | os.PathLike[str], password: bytes | str | None = None) -> None:
        """Write the PEM text to a new file that only its owner can read; never over another."""
        write_new(path, self.pem(password), mode=0o600)


def write_new(path: str | os.PathLike[str], data: bytes, *, mode: int) -> None:
    """Make a file that did not exist, with all of `data` in it or not at all."""
    name = os.fspath(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(name, flags, mode)
    except FileExistsError as error:
        raise UsageError(
            "there is a file of this name, and keys are never overwritten",
            path=name,
            hint="choose another name, or move the old key away",
        ) from error
    except (OSError, ValueError) as error:
        raise KeyFileError(f"can't be written: {reason(error)}", path=name) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            os.unlink(name)
        raise KeyFileError(f"can't be written: {reason(error)}", path=name) from error


def _name_of(source: str | os.PathLike[str] | bytes) -> str | None:
    """What an error may call the source: never the text of a key."""
    if isinstance(source, bytes) or "-----BEGIN" in os.fspath(source):
        return None
    return os.fspath(source)


def _read(source: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(source, bytes):
        return _bounded(source)
    name = os.fspath(source)
    if "-----BEGIN" in name:
        return _bounded(name.encode("utf-8", "replace"))
    if name.startswith("env:"):
        return _bounded(_read_environment(name[len("env:") :]))
    try:
        with open(name, "rb") as file:
            return _bounded(file.read(MAX_KEY_FILE + 1))
    except (OSError, ValueError) as error:
        raise KeyFileError(f"the key can't be read: {reason(error)}") from error


def _read_environment(variable: str) -> bytes:
    value = os.environ.get(variable) if variable and "\0" not in variable else None
    if value is None:
        raise KeyFileError(
            f"the environment variable {variable!r} is not set",
            hint="it holds the text of a PEM file, line breaks included",
        )
    return value.encode("utf-8", "surrogateescape")


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_KEY_FILE:
        raise KeyFileError("too large for a key", hint=_KINDS_HINT)
    return data


def _pem_block(data: bytes) -> tuple[bytes, bytes]:
    """The label and the base64 text of the only key in `data`.

    `openssl ecparam -genkey` writes the curve's parameters in front of the key: they are skipped.
    """
    blocks = [found for found in _PEM.findall(data) if found[0] != b"EC PARAMETERS"]
    if len(blocks) > 1:
        raise KeyFileError("more than one key in one file", hint="give each key its own file")
    if not blocks:
        raise KeyFileError("not a key in PEM", hint=_guess(data))
    label, text = blocks[0]
    return label, text


def _guess(data: bytes) -> str:
    if data.startswith((b"ssh-", b"ecdsa-sha2-")):
        return "convert the SSH key: ssh-keygen -e -m PKCS8 -f FILE"
    if data.startswith(b"0"):
        return "DER is not read; convert it: openssl pkey -inform DER -in FILE (-pubin)"
    return _KINDS_HINT


def _refuse_label(label: bytes) -> NoReturn:
    raise KeyFileError(
        f"PEM of the kind {label.decode('ascii')!r}, which is not used here",
        hint=_OTHER_LABELS.get(label, _KINDS_HINT),
    )


def _canonical_der(text: bytes) -> bytes:
    """The DER of a PEM block, written again canonically if it is another form of one.

    A point may be compressed, say: its key id must not depend on how the file spells it.
    """
    try:
        der = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise KeyFileError("the PEM text is damaged", hint=_KINDS_HINT) from error
    if algorithms.of_der(der) is not None:
        return der
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"not a public key: {reason(error)}", hint=_KINDS_HINT) from error
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if algorithms.of_der(der) is None:
        raise KeyFileError(
            f"keys of this kind ({_describe(key)}) are not used here", hint=_KINDS_HINT
        )
    return der


def _load_private(data: bytes, password: bytes | None) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    if data.count(b"DEK-Info") != len(_OLD_ENCRYPTION.findall(data)):
        raise KeyFileError("the key is encrypted in a way that is not known", hint=_KINDS_HINT)
    try:
        return serialization.load_pem_private_key(data, password)
    except TypeError as error:  # the library's way of saying that only one side has a password
        if password is None:
            raise KeyFileError(
                "the key is encrypted, and no password was given",
                hint="give the password; on the command line: --password-file FILE",
            ) from error
        raise KeyFileError(
            "a password was given, and the key is not encrypted",
            hint="leave the password out, once you know why the key has none",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        what = "the password is wrong, or the key is damaged" if password else "the key is damaged"
        raise KeyFileError(what, hint=_KINDS_HINT) from error


def _password(password: bytes | str | None) -> bytes | None:
    if password is None:
        return None
    secret = password.encode("utf-8") if isinstance(password, str) else password
    if not secret:
        raise UsageError("the password is empty", hint="leave it out for a key without password")
    return secret


def _describe(key: object) -> str:
    """The kind of a key that is not used, such as `RSA 2048` or `secp256k1`."""
    curve = getattr(getattr(key, "curve", None), "name", None)
    if isinstance(curve, str):
        return curve
    kind = type(key).__name__.strip("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    size = getattr(key, "key_size", None)
    return f"{kind} {size}" if isinstance(size, int) else kind


def reason(error: Exception) -> str:
    """Say an exception of the library or the system in a few words, without its path and number."""
    text = getattr(error, "strerror", None) or str(error)
    return str(text).split("\n", 1)[0][:200].rstrip(".").lower()
