"""Keys: every form that a key arrives in, and every form that is refused, with its reason."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safemodel.errors import BadSignatureError, KeyFileError, SafemodelError, UsageError
from safemodel.trust import algorithms
from safemodel.trust.keys import PublicKey, Signer, write_new
from tests.trust.helpers import ALGORITHMS

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PKCS8 = serialization.PrivateFormat.PKCS8
CLEAR = serialization.NoEncryption()


def crypto(signer: Signer) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    key = serialization.load_pem_private_key(signer.pem(), None)
    assert isinstance(key, (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey))
    return key


@pytest.mark.parametrize("algorithm", ALGORITHMS)
class TestEveryKind:
    def test_signs_and_verifies(self, keys: dict[str, Signer], algorithm: str) -> None:
        signer = keys[algorithm]
        signature = signer.sign(b"data")
        signer.public_key.verify(b"data", signature)
        for data, other in ((b"dat", signature), (b"data", signature[:-1]), (b"data", b"")):
            with pytest.raises(BadSignatureError):
                signer.public_key.verify(data, other)

    def test_signs_deterministically(self, keys: dict[str, Signer], algorithm: str) -> None:
        again = Signer.load(keys[algorithm].pem())
        assert again.sign(b"data") == keys[algorithm].sign(b"data")
        assert again.sign(b"data") != keys[algorithm].sign(b"date")

    def test_key_id_is_the_digest_of_the_der(self, keys: dict[str, Signer], algorithm: str) -> None:
        key = keys[algorithm].public_key
        der = crypto(keys[algorithm]).public_key().public_bytes(DER, SPKI)
        assert key.der == der
        assert key.algorithm == algorithm
        assert key.key_id == hashlib.sha256(der).hexdigest()

    def test_pem_is_that_of_everyone_else(self, keys: dict[str, Signer], algorithm: str) -> None:
        pem = crypto(keys[algorithm]).public_key().public_bytes(PEM, SPKI)
        assert keys[algorithm].public_key.pem.encode() == pem
        assert keys[algorithm].public_key.oms_hint == hashlib.sha256(pem).hexdigest()

    def test_files_round_trip(
        self, keys: dict[str, Signer], algorithm: str, tmp_path: Path
    ) -> None:
        signer = keys[algorithm]
        signer.save(tmp_path / "k.key")
        signer.save(tmp_path / "locked.key", "pässword")
        signer.public_key.save(tmp_path / "k.pub")
        assert Signer.load(tmp_path / "k.key").public_key == signer.public_key
        locked = Signer.load(str(tmp_path / "locked.key"), password="pässword".encode())
        assert locked.public_key == signer.public_key
        assert PublicKey.load(tmp_path / "k.pub") == signer.public_key
        assert b"ENCRYPTED" in (tmp_path / "locked.key").read_bytes()

    def test_openssl_reads_our_files(
        self, keys: dict[str, Signer], algorithm: str, tmp_path: Path
    ) -> None:
        keys[algorithm].save(tmp_path / "k.key", "secret")
        command = ["openssl", "pkey", "-in", "k.key", "-passin", "pass:secret", "-pubout"]
        output = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
        assert output.decode() == keys[algorithm].public_key.pem

    def test_the_other_half_is_refused(self, keys: dict[str, Signer], algorithm: str) -> None:
        with pytest.raises(KeyFileError, match="private key, where the public") as caught:
            PublicKey.load(keys[algorithm].pem())
        assert "BEGIN" not in str(caught.value)
        with pytest.raises(KeyFileError, match="public key, where the private"):
            Signer.load(keys[algorithm].public_key.pem.encode())


def test_rfc_6979_known_answer() -> None:
    """Appendix A.2.5, P-256 with SHA-256, message "sample"."""
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    signature = Signer(ec.derive_private_key(secret, ec.SECP256R1())).sign(b"sample")
    assert signature.hex() == (
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA 2048"),
        (ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
        (ec.generate_private_key(ec.SECP224R1()), "secp224r1"),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "brainpoolP256r1"),
        (ed448.Ed448PrivateKey.generate(), "Ed448"),
        (dsa.generate_private_key(2048), "DSA"),
    ],
    ids=["rsa", "k1", "p224", "brainpool", "ed448", "dsa"],
)
def test_other_kinds_are_refused_by_name(key: rsa.RSAPrivateKey, name: str) -> None:
    for load, pem in (
        (Signer.load, key.private_bytes(PEM, PKCS8, CLEAR)),
        (PublicKey.load, key.public_key().public_bytes(PEM, SPKI)),
    ):
        with pytest.raises(KeyFileError, match=name) as caught:
            load(pem)
        assert "keygen" in (caught.value.hint or "")


def test_the_forms_of_openssl_are_read(tmp_path: Path) -> None:
    """What the documentation of OMS tells people to type: SEC1, with or without parameters."""
    for extra in ([], ["-noout"]):
        command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", *extra]
        pem = subprocess.run(command, capture_output=True, check=True).stdout
        assert b"EC PRIVATE KEY" in pem
        assert Signer.load(pem).public_key.algorithm == "ecdsa-p256"
        assert Signer.load(pem.replace(b"\n", b"\r\n")).public_key.algorithm == "ecdsa-p256"


def test_a_compressed_point_has_the_same_key_id(signer: Signer, tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(signer.pem())
    command = ["openssl", "ec", "-in", "k", "-pubout", "-conv_form", "compressed"]
    pem = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert pem != signer.public_key.pem.encode()
    assert PublicKey.load(pem) == signer.public_key


def text_around(signer: Signer, text: str) -> bytes:
    return text.replace("KEY", signer.public_key.pem).encode()


def test_text_around_a_key_is_ignored(signer: Signer) -> None:
    assert PublicKey.load(text_around(signer, "our release key\nKEY\n")) == signer.public_key
    assert PublicKey.load(signer.public_key.pem) == signer.public_key


def block(label: str, text: str = "AA") -> bytes:
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "not a key in PEM", "keygen"),
        (b"hello", "not a key in PEM", "keygen"),
        (b"ssh-ed25519 AAAA me@home", "not a key in PEM", "ssh-keygen -e -m PKCS8"),
        (b"0Y0\x13", "not a key in PEM", "openssl pkey -inform DER"),
        (b"\xff" * 70_000, "too large", "keygen"),
        (block("PUBLIC KEY")[:40], "not a key in PEM", "keygen"),
        (block("CERTIFICATE"), "'CERTIFICATE'", "openssl x509"),
        (block("OPENSSH PRIVATE KEY"), "'OPENSSH PRIVATE KEY'", "ssh-keygen"),
        (block("RSA PUBLIC KEY"), "'RSA PUBLIC KEY'", "keygen"),
        (block("X"), "kind 'X'", "keygen"),
    ],
)
def test_what_is_no_key_is_refused_with_a_remedy(content: bytes, message: str, hint: str) -> None:
    for load in (PublicKey.load, Signer.load):
        with pytest.raises(KeyFileError, match=message) as caught:
            load(content)
        assert hint in (caught.value.hint or "")


def test_a_damaged_block_is_refused() -> None:
    with pytest.raises(KeyFileError, match="not a public key"):
        PublicKey.load(block("PUBLIC KEY", "MFkw"))
    with pytest.raises(KeyFileError, match="PEM text is damaged"):
        PublicKey.load(block("PUBLIC KEY", "M!!"))
    with pytest.raises(KeyFileError, match="the key is damaged"):
        Signer.load(block("PRIVATE KEY", "MFkw"))


def test_two_keys_in_one_file_are_refused(signer: Signer) -> None:
    with pytest.raises(KeyFileError, match="more than one key"):
        PublicKey.load(text_around(signer, "KEYKEY"))
    with pytest.raises(KeyFileError, match="more than one key"):
        Signer.load(signer.pem() * 2)


@pytest.mark.parametrize("algorithm", ALGORITHMS[:3])
def test_a_point_off_the_curve_is_refused(keys: dict[str, Signer], algorithm: str) -> None:
    der = bytearray(keys[algorithm].public_key.der)
    der[-1] ^= 1
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----"
    with pytest.raises(KeyFileError, match=f"not a valid {algorithm} public key"):
        PublicKey.load(pem)


def test_from_der_takes_the_canonical_form_only(signer: Signer) -> None:
    der = signer.public_key.der
    assert PublicKey.from_der(der) == signer.public_key
    for other in (b"", der[:-1], der + b"\0", der[:3] + b"\0" + der[4:]):
        with pytest.raises(KeyFileError):
            PublicKey.from_der(other)


@pytest.fixture(scope="module")
def locked(signer: Signer) -> bytes:
    return signer.pem("right")


class TestPasswords:
    def test_wrong(self, locked: bytes) -> None:
        with pytest.raises(KeyFileError, match="password is wrong, or the key is damaged"):
            Signer.load(locked, password="wrong")

    def test_missing(self, locked: bytes) -> None:
        with pytest.raises(KeyFileError, match="encrypted, and no password") as caught:
            Signer.load(locked)
        assert "--password-file" in (caught.value.hint or "")

    def test_superfluous(self, signer: Signer) -> None:
        with pytest.raises(KeyFileError, match="the key is not encrypted"):
            Signer.load(signer.pem(), password="x")

    def test_empty(self, signer: Signer, locked: bytes) -> None:
        with pytest.raises(UsageError, match="password is empty"):
            Signer.load(locked, password="")
        with pytest.raises(UsageError, match="password is empty"):
            signer.pem(b"")


class TestSources:
    def test_environment(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", signer.pem().decode())
        monkeypatch.setenv("MY_PUB", signer.public_key.pem)
        assert Signer.load("env:MY_KEY").public_key == signer.public_key
        assert PublicKey.load("env:MY_PUB") == signer.public_key
        for name in ("env:NOT_SET_AT_ALL", "env:", "env:a\0b"):
            with pytest.raises(KeyFileError, match="is not set"):
                Signer.load(name)

    def test_an_error_names_the_source_but_never_the_key(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("BAD", "nonsense")
        with pytest.raises(KeyFileError) as caught:
            Signer.load("env:BAD")
        assert str(caught.value) == "env:BAD: not a key in PEM"
        path = tmp_path / "k"
        path.write_bytes(b"nonsense")
        with pytest.raises(KeyFileError) as caught:
            PublicKey.load(path)
        assert str(caught.value).startswith(f"{path}: ")
        secret = signer.pem().decode().splitlines()[1]
        with pytest.raises(KeyFileError) as caught:
            PublicKey.load(signer.pem().decode())
        assert secret not in str(caught.value)
        assert secret not in repr(signer)

    @pytest.mark.parametrize("name", ["missing", ".", "a\0b", "x" * 5000])
    def test_unreadable_files(self, tmp_path: Path, name: str) -> None:
        for load in (PublicKey.load, Signer.load):
            with pytest.raises(KeyFileError, match="can't be read"):
                load(f"{tmp_path}/{name}")


class TestWriting:
    def test_never_over_another_file(self, signer: Signer, tmp_path: Path) -> None:
        path = tmp_path / "k"
        path.write_bytes(b"mine")
        for save in (signer.save, signer.public_key.save):
            with pytest.raises(UsageError, match="never overwritten"):
                save(path)
        assert path.read_bytes() == b"mine"

    def test_not_through_a_dangling_link(self, signer: Signer, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "target")
        with pytest.raises(UsageError):
            signer.save(tmp_path / "link")
        assert not (tmp_path / "target").exists()

    def test_a_private_key_is_its_owners(self, signer: Signer, tmp_path: Path) -> None:
        old = os.umask(0)
        try:
            signer.save(tmp_path / "k")
            signer.public_key.save(tmp_path / "p")
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o644

    def test_an_impossible_place(self, signer: Signer, tmp_path: Path) -> None:
        for path in (tmp_path / "no" / "k", "a\0b"):
            with pytest.raises(KeyFileError, match="can't be written"):
                signer.save(path)

    def test_a_full_disk_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(KeyFileError, match="no space left on device"):
            write_new(tmp_path / "k", b"x", mode=0o600)
        assert not list(tmp_path.iterdir())


def test_an_unknown_algorithm() -> None:
    with pytest.raises(UsageError, match="rsa") as caught:
        Signer.generate("rsa")
    assert "ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519" in (caught.value.hint or "")


def test_a_signer_is_not_pickled(signer: Signer) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_a_row_signs_with_its_own_keys_only(keys: dict[str, Signer]) -> None:
    for name, row in algorithms.ALGORITHMS.items():
        for other, signer in keys.items():
            assert row.owns(crypto(signer)) == (name == other)
    wrong = {"ecdsa-p256": "ed25519", "ed25519": "ecdsa-p256"}
    for name, other in wrong.items():
        with pytest.raises(KeyFileError):
            algorithms.ALGORITHMS[name].sign(crypto(keys[other]), b"")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
@example(b"9007199254740992")  # half an initialisation vector: the library panicked
def test_arbitrary_bytes_raise_our_errors_only(data: bytes) -> None:
    framed = (
        data,
        b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(data) + b"\n-----END PUBLIC KEY-----",
        b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(data) + b"\n-----END PRIVATE KEY-----",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        + base64.b64encode(data)
        + b"\n-----END ENCRYPTED PRIVATE KEY-----",
        b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        + data
        + b"\n\nAAAA\n-----END EC PRIVATE KEY-----",
    )
    for text in framed:
        for password in (None, b"x"):
            with pytest.raises(SafemodelError):
                Signer.load(text, password=password)
        with pytest.raises(SafemodelError):
            PublicKey.load(text)


def test_a_damaged_public_key_is_refused_or_another(keys: dict[str, Signer]) -> None:
    for signer in keys.values():
        for at in range(len(signer.public_key.der)):
            der = bytearray(signer.public_key.der)
            der[at] ^= 1 << (at % 8)
            try:
                other = PublicKey.load(block("PUBLIC KEY", base64.b64encode(der).decode()))
            except KeyFileError:
                continue
            assert other.key_id != signer.public_key.key_id


def test_the_room_is_cheap_to_import() -> None:
    """Neither cryptography nor packaging before a signature, a key or a version asks for them."""
    code = (
        "import sys, safemodel.trust, safemodel.trust.signatures, safemodel.trust.policy,"
        "safemodel.trust.store, safemodel.trust.identity\n"
        "heavy = {'cryptography', 'packaging', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from safemodel.trust import Signer, PublicKey, TrustedKeys, UNSIGNED\n"
        "assert not {'cryptography'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_room_exports_what_people_need() -> None:
    import safemodel.trust as room

    assert dir(room) == sorted(room.__all__)
    assert room.Signer is Signer
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        room.nothing  # noqa: B018
