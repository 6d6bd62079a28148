"""`safemodel sign`: what is signed, by whom, until when, and where that goes."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import pytest

from safemodel.cli.sign import moment_of
from safemodel.errors import UsageError
from safemodel.trust import store
from safemodel.trust.keys import Signer
from safemodel.trust.signatures import detached_claim

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


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
    assert "`safemodel verify --trust THEIRS.pub` first" in result.err
    assert "vouch" not in run("sign", path, "--signer", tmp_path / "acme.key").err
    result = run("sign", make("u.safemodel", signers=()))
    assert "not signed" in result.err
    assert "`safemodel verify --unsigned` first" in result.err


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
        ("2027-01-31T12:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00+05:00", datetime(2027, 1, 31, 7, tzinfo=UTC)),
        ("2027-01-31T12:00:07-05:30", datetime(2027, 1, 31, 17, 30, 7, tzinfo=UTC)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_expires(text, moment) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "0d", "d", "tomorrow", "-5d", "90 d", "90D", "9\u0660d", "90d\n"),
        *("2027-02-30", "20270131", "2027-W05-7", "2027-031", "2027-1-31", "31.01.2027"),
        *("2027-01-31 12:00+05:00", "2027-01-31 12:00:00Z", "2027-01-31t12:00z"),
        *("2027-01-31T12Z", "2027-01-31T1200Z", "2027-01-31T12:00:00.5Z", "2027-01-31T24:00Z"),
        *("2027-01-31T12:00+05", "2027-01-31T12:00+0500", "2027-01-31T12:00+05:00:30"),
        *("2027-01-31T12:60Z", "2027-01-31T12:00+05:60", "2027-01-31T12:00+24:00"),
        *("2027-01-31Z", "\u0662027-01-31", "9999-12-31T23:59:59-05:00", "0000-01-01"),
    ],
)
def test_expires_that_makes_no_sense(text) -> None:
    with pytest.raises(UsageError, match="is not a date") as caught:
        moment_of(text, NOW)
    assert "2027-01-31T12:00:00+02:00" in caught.value.hint


@pytest.mark.parametrize("text", ["2027-01-31T12:00", "2027-01-31T12:00:00"])
def test_expires_without_a_zone_says_how_to_give_one(text) -> None:
    with pytest.raises(UsageError, match="no time zone") as caught:
        moment_of(text, NOW)
    moment_of(caught.value.hint.split()[0], NOW)


@pytest.mark.parametrize("text", ["2026-01-01", "2026-11-01T12:00Z", "0001-01-01T00:00+05:00"])
def test_expires_in_the_past(text) -> None:
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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells")
def test_key_from_the_environment(run, make, acme, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ACME_KEY", (tmp_path / "acme.key").read_text())
    path = make(signers=())
    assert run("sign", path, "--signer", "env:ACME_KEY").code == 0
    assert run("verify", path, "--trust", tmp_path / "acme.pub").code == 0


@pytest.mark.parametrize("oms", [False, True])
@pytest.mark.parametrize("file", ["det.json", "signatures/x.json"])
@pytest.mark.parametrize("layout", ["m.safemodel", "folder"])
def test_detached_signature_of_a_bundle(
    run, make, tmp_path, monkeypatch, oms, file, layout
) -> None:
    path = make(layout, signers=())
    (tmp_path / "signatures").mkdir()
    monkeypatch.chdir(tmp_path)
    options = ["--oms"] if oms else []
    result = run("sign", path, "--signature", file, *options, "--format", "json")
    assert result.code == 0, result.err
    kind = "oms" if oms else "manifest"
    assert result.document["kind"] == kind
    assert result.document["files"] == [file]
    assert detached_claim((tmp_path / file).read_bytes(), file=file).kind == kind
    text = run("sign", path, "--signature", file, *options).out
    assert text.endswith(f": {'an OMS' if oms else 'a manifest'} statement in {file}\n")
    assert run("verify", path).code == 1
    assert run("verify", path, "--signature", file).code == 0


@pytest.mark.parametrize("file", ["det.json", "signatures/x.json"])
@pytest.mark.parametrize("layout", ["plain.txt", "hf"])
def test_detached_signature_of_plain_files(run, tmp_path, monkeypatch, file, layout) -> None:
    path = tmp_path / layout
    if layout == "hf":
        path.mkdir()
        (path / "model.bin").write_bytes(bytes(10))
    else:
        path.write_text("plain")
    (tmp_path / "signatures").mkdir()
    monkeypatch.chdir(tmp_path)
    document = run("sign", layout, "--signature", file, "--format", "json").document
    assert document["kind"] == "oms"
    assert document["files"] == [file]
    assert detached_claim((tmp_path / file).read_bytes(), file=file).kind == "oms"
    text = run("sign", layout, "--signature", file).out
    assert text.endswith(f": an OMS statement in {file}\n")
    assert run("verify", layout, "--signature", file).code == 0


def test_signature_of_this_folder_is_beside_it(run, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "hf"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "model.bin").write_bytes(bytes(10))
    before = sorted(folder.rglob("*"))
    signature = tmp_path / "hf.sigstore.json"
    for where, path in ((folder, "."), (folder, "./"), (folder / "sub", ".."), (tmp_path, "hf/")):
        monkeypatch.chdir(where)
        result = run("sign", path, "--format", "json")
        assert result.code == 0, result.err
        assert os.path.samefile(result.document["files"][0], signature)
        assert sorted(folder.rglob("*")) == before
        refused = run("verify", path)
        assert refused.code == 2
        assert f"--signature {result.document['files'][0]}" in refused.err
        assert run("verify", path, "--signature", signature).code == 0
        signature.unlink()


@pytest.mark.skipif(os.name != "posix", reason="the root of POSIX")
def test_what_has_no_name_needs_one(run) -> None:
    result = run("sign", "/")
    assert result.code == 2
    assert "--signature FILE" in result.err
    assert run("verify", "/").code == 2


def test_what_is_missing_makes_no_key(run, tmp_path) -> None:
    assert run("sign", tmp_path / "missing").code == 2
    assert store.own_signer(create=False) is None


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ([], [], ""),
        ([], ["--expires", "2999-01-01"], ", which did not expire"),
        (["--expires", "2999-01-01"], [], ", which held until 2999-01-01T00:00:00Z"),
        (
            ["--expires", "2998-01-01"],
            ["--expires", "2999-01-01"],
            ", which held until 2998-01-01T00:00:00Z",
        ),
        (["--expires", "2999-01-01"], ["--expires", "2999-01-01", "--note", "x"], ""),
    ],
)
def test_replacing_a_signature_is_noted(run, make, acme, tmp_path, first, second, says) -> None:
    path = make(signers=())
    key = f"ecdsa-p256:{acme.public_key.key_id[:16]}"
    assert "replaced" not in run("sign", path, "--signer", tmp_path / "acme.key", *first).err
    result = run("sign", path, "--signer", tmp_path / "acme.key", *second)
    assert f"safemodel: note: replaced the earlier signature by {key}{says}\n" in result.err
    assert run("sign", path, "--signer", tmp_path / "acme.key", "-q", *second).err == ""
    detached = ["--signature", tmp_path / "s.json", "--signer", tmp_path / "acme.key"]
    assert "replaced" not in run("sign", path, *detached, *first).err
    result = run("sign", path, *detached, *second)
    assert f"replaced the earlier signature in {tmp_path / 's.json'}{says}\n" in result.err


def test_another_kind_or_key_replaces_nothing(run, make, acme, tmp_path) -> None:
    path = make()
    assert "replaced" not in run("sign", path, "--oms").err
    assert "replaced" not in run("sign", path, "--signer", tmp_path / "acme.key").err
    assert len(run("inspect", path, "--format", "json").document["claims"]) == 3


def test_replacing_something_else_is_noted(run, make, tmp_path) -> None:
    (tmp_path / "s.json").write_text("hello")
    result = run("sign", make(), "--signature", tmp_path / "s.json")
    assert "s.json, which was malformed" in result.err


def test_a_failure_replaces_nothing_and_does_not_say_so(run, make, tmp_path) -> None:
    result = run("sign", make(), "--oms", "--expires", "90d")
    assert result.code == 2
    assert "replaced" not in result.err


def test_times_are_spelled_as_in_statements(run, make) -> None:
    path = make(signers=())
    options = ["--expires", "2999-01-31T12:00+02:00", "--format", "json"]
    assert run("sign", path, *options).document["expires"] == "2999-01-31T10:00:00Z"
    document = run("verify", path, "--format", "json").document
    assert document["results"][0]["signers"][0]["expires"] == "2999-01-31T10:00:00Z"
    assert ", until 2999-01-31T10:00:00Z" in run("inspect", path).out


def test_malformed_bundle_is_not_signed(run, make) -> None:
    path = make()
    path.write_bytes(path.read_bytes()[:-5])
    before = path.read_bytes()
    assert run("sign", path).code == 1
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_git_lfs_pointer_is_not_signed(run, tmp_path) -> None:
    path = tmp_path / "m.gguf"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    result = run("sign", path)
    assert result.code == 2
    assert "git lfs pull" in result.err
    assert list(tmp_path.iterdir()) == [path]
