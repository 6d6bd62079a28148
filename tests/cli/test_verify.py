"""`safemodel verify`: transcripts of yes, no and not answered."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from safemodel.trust import store
from safemodel.trust.keys import Signer


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_own_model_is_verified(run, make) -> None:
    path = make()
    key_id = store.own_signer().public_key.key_id
    result = run("verify", path)
    assert result.code == 0
    assert result.err == ""
    assert result.out.count("\n") == 1
    assert f"{path}: verified: signed by your own key (ecdsa-p256:{key_id[:16]})" in result.out
    assert "acme/fraud 3.1 (name not checked), 3 tensors" in result.out


def test_name_and_version_asked_for(run, make) -> None:
    path = make()
    result = run("verify", path, "--name", "acme/fraud", "--version", ">=3,<4")
    assert result.code == 0
    assert "acme/fraud 3.1, 3 tensors" in result.out
    assert "not checked" not in result.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--name", "acme/payroll"], "'acme/payroll' was asked for"),
        (["--version", ">=4"], "'>=4' was asked for"),
        (["--digest", "0" * 64], "was asked for"),
    ],
)
def test_another_model_is_refused(run, make, options, says) -> None:
    result = run("verify", make(), *options)
    assert result.code == 1
    assert result.out == ""
    assert says in result.err


def test_unsigned_is_refused_and_accepted_on_request(run, make) -> None:
    path = make(signers=())
    refused = run("verify", path)
    assert refused.code == 1
    assert refused.out == ""
    assert refused.err.startswith(f"safemodel: error: {path}: not signed\nsafemodel: hint: ")
    accepted = run("verify", path, "--unsigned")
    assert accepted.code == 0
    assert "intact, not verified" in accepted.out
    assert ": verified" not in accepted.out


def test_stranger_is_refused_and_taught(run, make, acme, tmp_path) -> None:
    path = make(signers=[acme])
    refused = run("verify", path)
    assert refused.code == 1
    assert acme.public_key.key_id in refused.err
    assert "safemodel trust add" in refused.err
    assert run("verify", path, "--trust", tmp_path / "acme.pub").code == 0
    assert run("verify", path, "--key", tmp_path / "acme.pub").code == 0


def test_trusting_someone_replaces_the_own_key(run, make, acme, tmp_path) -> None:
    assert run("verify", make(), "--trust", tmp_path / "acme.pub").code == 1


def test_trust_from_the_environment(run, make, acme, monkeypatch) -> None:
    monkeypatch.setenv("ACME", acme.public_key.pem)
    result = run("verify", make(signers=[acme]), "--trust", "env:ACME")
    assert result.code == 0


def test_several_signers_are_all_named(run, make, acme, tmp_path) -> None:
    other = Signer.generate("ed25519")
    other.public_key.save(tmp_path / "other.pub")
    path = make(signers=[acme, other])
    result = run(
        "verify", path, "--trust", tmp_path / "acme.pub", "--trust", tmp_path / "other.pub"
    )
    assert "acme (ecdsa-p256:" in result.out
    assert " and " in result.out
    assert "other (ed25519:" in result.out


def test_trust_and_unsigned_exclude_each_other(run, make, acme, tmp_path) -> None:
    result = run("verify", make(), "--unsigned", "--trust", tmp_path / "acme.pub")
    assert result.code == 2


def test_every_flipped_byte_is_no(run, make) -> None:
    path = make()
    size = path.stat().st_size
    for at in range(0, size, 97):
        flip(path, at)
        result = run("verify", path)
        assert result.code == 1, at
        assert result.out == ""
        assert result.err.startswith("safemodel: error: ")
        flip(path, at)
    assert run("verify", path).code == 0


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04.", b"PK\x03\x04" + bytes(100)])
def test_something_else_is_told_apart(run, tmp_path, content) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    result = run("verify", path)
    assert result.code in {1, 2}
    assert str(path) in result.err


def test_missing_file_is_not_answered(run, tmp_path) -> None:
    result = run("verify", tmp_path / "nothing")
    assert result.code == 2
    assert "no such file" in result.err


def test_no_wins_over_not_answered(run, make, tmp_path) -> None:
    good, bad = make(), make("u.safemodel", signers=())
    assert run("verify", good, tmp_path / "nothing").code == 2
    result = run("verify", tmp_path / "nothing", bad, good)
    assert result.code == 1
    assert result.err.count("error:") == 2
    assert result.out.count("verified") == 1


def test_json_has_one_result_a_path(run, make, acme, tmp_path) -> None:
    good, bad = make(), make("u.safemodel", signers=())
    result = run("verify", good, bad, "--format", "json")
    assert result.code == 1
    document = result.document
    assert document["ok"] is False
    first, second = document["results"]
    assert first["verified"] is True
    assert first["signers"][0]["label"] == "your own key"
    assert first["name_checked"] is False
    assert second["error"]["name"] == "UnsignedError"
    assert "not signed" in result.err


def test_json_says_unsigned_is_not_verified(run, make) -> None:
    document = run("verify", make(signers=()), "--unsigned", "--format", "json").document
    assert document["ok"] is True
    assert document["results"][0]["verified"] is False


def test_folder(run, make) -> None:
    assert run("verify", make("folder")).code == 0


def test_standard_input(run, make, monkeypatch) -> None:
    data = make().read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    result = run("verify", "-")
    assert result.code == 0
    assert result.out.startswith("<stdin>: verified")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data[:-1])))
    result = run("verify", "-")
    assert result.code == 1
    assert "<stdin>" in result.err


def test_endless_input_that_is_no_archive_is_given_up(run, monkeypatch) -> None:
    class Endless(io.RawIOBase):
        count = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            self.count += len(buffer)
            assert self.count < 4 << 20
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert run("verify", "-").code == 2


def test_report_in_a_file(run, make, tmp_path) -> None:
    result = run("verify", make(), "-o", tmp_path / "report.txt")
    assert result.out == ""
    assert ": verified: signed by" in (tmp_path / "report.txt").read_text()
    assert not [name for name in os.listdir(tmp_path) if "tmp" in name]
    result = run("verify", make(), "-o", tmp_path / "no" / "report.txt")
    assert result.code == 2


def test_quiet_leaves_the_exit_code(run, make) -> None:
    result = run("verify", make(), "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_plain_folder_with_a_detached_signature(run, tmp_path) -> None:
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.bin").write_bytes(bytes(5000))
    signed = run("sign", folder, "--format", "json")
    assert signed.code == 0
    assert signed.document["kind"] == "oms"
    signature = signed.document["files"][0]
    result = run("verify", folder)
    assert result.code == 2
    assert f"--signature {signature}" in result.err
    result = run("verify", folder, "--signature", signature)
    assert result.code == 0
    assert "verified: signed by your own key" in result.out
    assert ", name not checked, 2 files" in result.out
    named = run("verify", folder, "--signature", signature, "--name", "acme/fraud")
    assert named.code == 0
    assert "name not checked" in named.out
    document = run("verify", folder, "--signature", signature, "--format", "json").document
    assert document["results"][0]["files"] == 2
    assert document["results"][0]["not_covered"] == []
    (folder / ".git").mkdir()
    covered = run("verify", folder, "--signature", signature)
    assert (covered.code, "not covered: .git" in covered.out) == (0, True)
    flip(folder / "model.bin", 4000)
    result = run("verify", folder, "--signature", signature)
    assert result.code == 1
    assert "model.bin" in result.err


def test_error_about_another_file_names_that_one(run, make, config_dir, monkeypatch) -> None:
    data = make().read_bytes()
    (config_dir / "trust.json").write_text("damaged")
    for verb in ("verify", "inspect"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        result = run(verb, "-")
        assert result.code == 2
        assert result.err.startswith(f"safemodel: error: {config_dir / 'trust.json'}: ")
