"""`keygen`, `init`, `sign` and `trust`."""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime

import pytest

from safemodel.cli.sign import moment_of
from safemodel.errors import UsageError
from safemodel.trust.keys import PublicKey, Signer

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"])
def test_keygen(run, tmp_path, algorithm) -> None:
    result = run("keygen", "-o", tmp_path / "k.key", "--algorithm", algorithm, "--format", "json")
    assert result.code == 0
    document = result.document
    assert document["algorithm"] == algorithm
    assert PublicKey.load(tmp_path / "k.pub").key_id == document["key_id"]
    assert Signer.load(tmp_path / "k.key").public_key.key_id == document["key_id"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "k.key").stat().st_mode) == 0o600


def test_keygen_never_overwrites(run, tmp_path) -> None:
    (tmp_path / "k.pub").write_text("mine")
    result = run("keygen", "-o", tmp_path / "k.key")
    assert result.code == 2
    assert (tmp_path / "k.pub").read_text() == "mine"
    assert not (tmp_path / "k.key").exists()
    assert run("keygen", "-o", tmp_path / "a.key").code == 0
    before = (tmp_path / "a.key").read_bytes()
    assert run("keygen", "-o", tmp_path / "a.key").code == 2
    assert (tmp_path / "a.key").read_bytes() == before


def test_keygen_refuses_the_name_of_a_public_key(run, tmp_path) -> None:
    assert run("keygen", "-o", tmp_path / "k.pub").code == 2
    assert not list(tmp_path.glob("k.pub*"))


def test_password_file_and_variable(run, make, tmp_path, monkeypatch) -> None:
    (tmp_path / "secret").write_text("tr\u00e8s secret\nnot this\n", encoding="utf-8")
    key = tmp_path / "k.key"
    assert run("keygen", "-o", key, "--password-file", tmp_path / "secret").code == 0
    assert b"ENCRYPTED" in key.read_bytes()
    path = make(signers=())
    refused = run("sign", path, "--signer", key)
    assert refused.code == 2
    assert "--password-file" in refused.err
    assert run("sign", path, "--signer", key, "--password-file", tmp_path / "secret").code == 0
    monkeypatch.setenv("SAFEMODEL_PASSWORD", "tr\u00e8s secret")
    assert run("sign", path, "--signer", key).code == 0
    monkeypatch.setenv("SAFEMODEL_PASSWORD", "guess")
    assert run("sign", path, "--signer", key).code == 2


def test_password_is_asked_for_on_a_terminal(run, make, tmp_path, monkeypatch) -> None:
    key = tmp_path / "k.key"
    Signer.generate().save(key, "secret")
    asked = []
    monkeypatch.setattr("safemodel.cli.options.is_terminal", lambda stream: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "secret")
    assert run("sign", make(signers=()), "--signer", key).code == 0
    assert asked == [f"password of {key}: "]


@pytest.mark.parametrize("content", ["", "\n"])
def test_empty_password_file(run, tmp_path, content) -> None:
    (tmp_path / "secret").write_text(content)
    result = run("keygen", "-o", tmp_path / "k.key", "--password-file", tmp_path / "secret")
    assert result.code == 2
    assert not (tmp_path / "k.key").exists()


def test_init_makes_the_key_once(run, tmp_path) -> None:
    first = run("init", "-o", tmp_path / "me.pub", "--format", "json")
    assert first.code == 0
    assert first.document["created"] is True
    assert "made your signing key" in first.err
    assert PublicKey.load(tmp_path / "me.pub").key_id == first.document["key_id"]
    second = run("init", "--format", "json")
    assert second.document["created"] is False
    assert second.document["key_id"] == first.document["key_id"]
    assert "safemodel trust add" in run("init").out


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root can write anywhere")
def test_init_without_a_place_for_the_key(run, tmp_path, monkeypatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path / "config"))
    assert run("init").code == 2


def test_sign_with_the_own_key_makes_it(run, make) -> None:
    path = make(signers=())
    result = run("sign", path)
    assert result.code == 0
    assert "made your signing key" in result.err
    assert result.out.endswith(": a manifest statement\n")
    assert run("verify", path).code == 0


def test_signing_what_nobody_trusted_has_signed_is_noted(run, make, acme, tmp_path) -> None:
    path = make(signers=[acme])
    result = run("sign", path)
    assert result.code == 0
    assert "by no key that you trust" in result.err
    assert "vouch for every byte" in result.err
    assert run("sign", path, "--signer", tmp_path / "acme.key").err == ""


def test_sign_with_several_keys_and_a_note(run, make, acme, tmp_path) -> None:
    path = make()
    other = Signer.generate("ecdsa-p384")
    other.save(tmp_path / "other.key")
    options = ["--expires", "90d", "--note", "approved", "--format", "json"]
    keys = ["--signer", tmp_path / "acme.key", "--key", tmp_path / "other.key"]
    document = run("sign", path, *keys, *options).document
    assert len(document["files"]) == 2
    assert document["kind"] == "manifest"
    verified = run("verify", path, "--trust", tmp_path / "acme.pub", "--format", "json").document
    signer = verified["results"][0]["signers"][0]
    assert signer["note"] == "approved"
    assert signer["expires"] == document["expires"]


def test_oms_statement(run, make, acme, tmp_path) -> None:
    path = make(signers=())
    result = run("sign", path, "--signer", tmp_path / "acme.key", "--oms")
    assert result.code == 0
    assert "an OMS statement" in result.out
    assert run("verify", path, "--trust", tmp_path / "acme.pub").code == 0


def test_oms_needs_another_key_than_ed25519(run, make, tmp_path) -> None:
    run("keygen", "-o", tmp_path / "e.key", "--algorithm", "ed25519")
    path = make(signers=())
    before = path.read_bytes()
    result = run("sign", path, "--signer", tmp_path / "e.key", "--oms")
    assert result.code == 2
    assert "hint" in result.err
    assert path.read_bytes() == before


def test_detached_signature_of_a_file(run, tmp_path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(1000))
    result = run("sign", path, "--signature", tmp_path / "s.json", "--format", "json")
    assert result.code == 0
    assert result.document["files"] == [str(tmp_path / "s.json")]
    assert run("verify", path, "--signature", tmp_path / "s.json").code == 0


@pytest.mark.parametrize("key", ["missing.key", "acme.pub", "text.key", "env:NOT_SET"])
def test_keys_that_are_none(run, make, acme, tmp_path, key, monkeypatch) -> None:
    (tmp_path / "text.key").write_text("hello")
    monkeypatch.chdir(tmp_path)
    result = run("sign", make(), "--signer", key)
    assert result.code == 2
    assert key.removeprefix("env:") in result.err


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", datetime(2027, 1, 30, 12, tzinfo=UTC)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_expires(text, moment) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "0d", "d", "tomorrow", "2026-01-01", "2027-01-31T12:00:00", "2027-02-30", "-5d"]
)
def test_expires_that_makes_no_sense(text) -> None:
    with pytest.raises(UsageError):
        moment_of(text, NOW)


def test_expired_signature_is_refused(run, make, acme, tmp_path, monkeypatch) -> None:
    path = make(signers=())
    run("sign", path, "--signer", tmp_path / "acme.key", "--expires", "1d")
    import safemodel.trust.signatures as module

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2999, 1, 1, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Later)
    result = run("verify", path, "--trust", tmp_path / "acme.pub")
    assert result.code == 1
    assert "expired" in result.err


def test_trust_store(run, make, acme, tmp_path) -> None:
    path = make(signers=[acme])
    assert run("verify", path).code == 1
    added = run("trust", "add", tmp_path / "acme.pub", "--name", "acme/*", "--format", "json")
    assert added.code == 0
    assert added.document["keys"][0]["names"] == ["acme/*"]
    assert run("verify", path).code == 0
    listed = run("trust", "list", "--format", "json").document
    assert [one["label"] for one in listed["keys"]] == ["acme"]
    assert "acme (ecdsa-p256:" in run("trust", "list").out
    for key in ("acme", tmp_path / "acme.pub", acme.public_key.key_id[:12]):
        run("trust", "add", tmp_path / "acme.pub", "--name", "acme/*")
        assert run("trust", "remove", key).code == 0
        assert run("verify", path).code == 1
    assert run("trust", "remove", "acme").code == 2


def test_a_key_counts_for_its_names_only(run, make, acme, tmp_path) -> None:
    run("trust", "add", tmp_path / "acme.pub", "--name", "acme/other", "--name", "acme/third")
    path = make(signers=[acme])
    result = run("verify", path)
    assert result.code == 1
    assert "counts" in result.err
    assert run("verify", path, "--name", "acme/other").code == 1
    run("trust", "add", tmp_path / "acme.pub", "--name", "acme/fraud")
    assert run("verify", path, "--name", "acme/fraud").code == 0
    left = run("trust", "remove", "acme", "--name", "acme/fraud")
    assert "still trusted" in left.out
    assert run("verify", path).code == 1


def test_empty_trust_list_says_what_to_do(run) -> None:
    result = run("trust", "list")
    assert result.out == ""
    assert "safemodel init" in result.err


def test_trust_needs_a_name_and_an_action(run, acme, tmp_path) -> None:
    assert run("trust", "add", tmp_path / "acme.pub").code == 2
    assert run("trust").code == 2
    assert run("trust", "add", tmp_path / "acme.key", "--name", "a").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")
def test_key_from_the_environment(run, make, acme, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ACME_KEY", (tmp_path / "acme.key").read_text())
    path = make(signers=())
    assert run("sign", path, "--signer", "env:ACME_KEY").code == 0
    assert run("verify", path, "--trust", tmp_path / "acme.pub").code == 0
