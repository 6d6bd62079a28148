"""`safemodel keygen` and `trust`, and the passwords of keys."""

from __future__ import annotations

import os
import stat

import pytest

from safemodel.trust.keys import PublicKey, Signer


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


def test_help_says_where_a_password_comes_from(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    assert "asked for on a terminal" in run("sign", "--help").out
    text = run("keygen", "--help").out
    assert "asked for" not in text
    assert "else it is not encrypted" in text
    monkeypatch.setattr("safemodel.cli.options.is_terminal", lambda stream: True)
    assert run("keygen", "-o", tmp_path / "k.key").code == 0
    assert b"ENCRYPTED" not in (tmp_path / "k.key").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="paths on Windows are short")
@pytest.mark.parametrize(("size", "label"), [(200, "x" * 200), (201, None)])
def test_a_file_name_too_long_for_a_label_is_none(run, acme, tmp_path, size, label) -> None:
    path = tmp_path / ("x" * size + ".pub")
    acme.public_key.save(path)
    result = run("trust", "add", path, "--name", "acme/*", "--format", "json")
    assert result.code == 0, result.err
    assert result.document["keys"][0]["label"] == label


def test_a_file_name_of_many_bytes_is_no_label(run, acme, tmp_path) -> None:
    path = tmp_path / ("\u00fc" * 101 + ".pub")
    acme.public_key.save(path)
    assert run("trust", "add", path, "--name", "acme/*").code == 0
