"""Arguments of a kind that people naturally try: refused at once, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import safemodel
from safemodel.errors import NotABundleError, UsageError
from safemodel.trust.keys import Signer

sm: Any = safemodel  # what a type checker would object to is what is tried here
KEY = Signer.generate()
STATE = {"a": 1}
SOON = datetime(2999, 1, 1, tzinfo=UTC)

Call = Callable[[Path], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.safemodel"
    sm.save(STATE, path, signer=KEY)
    KEY.save(tmp_path / "acme.key")
    KEY.public_key.save(tmp_path / "acme.pub")
    (tmp_path / "plain.bin").write_bytes(b"plain")
    sm.sign(tmp_path / "plain.bin", KEY)
    return path


MISTAKES: dict[str, tuple[Call, str]] = {
    "save, path of a key": (
        lambda path: sm.save(STATE, path, signer=str(path.parent / "acme.key")),
        "Signer.load",
    ),
    "save, paths of keys": (
        lambda path: sm.save(STATE, path, signer=[path.parent / "acme.key"]),
        "Signer.load",
    ),
    "save, public key": (
        lambda path: sm.save(STATE, path, signer=KEY.public_key),
        "Signer.load",
    ),
    "save, the class": (
        lambda path: sm.save(STATE, path, signer=Signer),
        "Signer.load",
    ),
    "sign, path of a key": (
        lambda path: sm.sign(path, "acme.key"),
        "Signer.load",
    ),
    "sign a file, path of a key": (
        lambda path: sm.sign(path.parent / "plain.bin", b"acme.key"),
        "Signer.load",
    ),
    "sign, days": (
        lambda path: sm.sign(path, KEY, expires="90d"),
        "timedelta",
    ),
    "sign, a note that is none": (
        lambda path: sm.sign(path, KEY, note=3),
        "",
    ),
    "save, days": (
        lambda path: sm.save(STATE, path, signer=KEY, expires="90d"),
        "timedelta",
    ),
    "save, days, for nobody": (
        lambda path: sm.save(STATE, path, signer=None, expires="90d"),
        "timedelta",
    ),
    "trust, a list": (
        lambda path: sm.load(path, trust=["acme.pub"]),
        "TrustedKeys",
    ),
    "trust, the class": (
        lambda path: sm.open(path, trust=sm.TrustedKeys),
        "TrustedKeys",
    ),
    "trust, a private key": (
        lambda path: sm.verify(path, trust=KEY),
        "TrustedKeys",
    ),
    "trusted keys, a list": (
        lambda path: sm.verify(path, trust=sm.TrustedKeys(["acme.pub"])),
        "as an argument of its own",
    ),
    "version, a number": (
        lambda path: sm.load(path, trust=KEY.public_key, version=3),
        "version='3'",
    ),
    "name, a path": (
        lambda path: sm.load(path, trust=KEY.public_key, name=Path("acme/fraud")),
        "quote it",
    ),
    "digest, bytes": (
        lambda path: sm.open(path, trust=KEY.public_key, digest=bytes(32)),
        "quote it",
    ),
    "allow, one string": (
        lambda path: sm.load(path, trust=KEY.public_key, allow="token_pattern:x"),
        "allow=['token_pattern:x']",
    ),
    "source, a list": (
        lambda path: sm.verify([path], trust=KEY.public_key),
        "path of an archive",
    ),
    "source, None": (
        lambda path: sm.inspect(None),
        "path of an archive",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_write(path: Path, mistake: str) -> None:
    call, hint = MISTAKES[mistake]
    before = path.read_bytes()
    with pytest.raises(UsageError) as caught:
        call(path)
    assert hint in (caught.value.hint or "")
    assert path.read_bytes() == before


def test_bytes_are_no_plain_file_that_a_signature_could_be_over(path: Path) -> None:
    for kind in (bytes, bytearray, memoryview):
        with pytest.raises(NotABundleError):
            sm.verify(
                kind(b"plain"),
                signature=path.parent / "plain.bin.sigstore.json",
                trust=KEY.public_key,
            )


def test_trust_may_be_a_key_or_the_path_of_one(path: Path) -> None:
    public = path.parent / "acme.pub"
    for trust in (KEY.public_key, public, str(public), public.read_bytes()):
        assert sm.load(path, trust=trust) == STATE
        sm.verify(path, trust=trust).close()
        sm.verify(
            path.parent / "plain.bin",
            signature=path.parent / "plain.bin.sigstore.json",
            trust=trust,
        ).close()


def test_several_keys_may_come_in_any_order_and_container(path: Path) -> None:
    other = Signer.generate("ed25519")
    assert len(sm.sign(path, iter((other, KEY)), expires=SOON)) == 2
