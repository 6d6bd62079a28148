"""`safemodel unpack`: an archive into a folder."""

from __future__ import annotations

import hashlib

import pytest

from safemodel import bundle


def test_unpack_needs_a_name(run, make, tmp_path) -> None:
    path = make().rename(tmp_path / "model")
    assert run("unpack", path).code == 2
    assert run("unpack", path, "-o", tmp_path / "out").code == 0


@pytest.mark.parametrize("name", ["model", ".safemodel", "model.zip"])
def test_a_name_that_says_nothing_needs_another(run, make, tmp_path, monkeypatch, name) -> None:
    make().rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (name, f"./{name}"):
        result = run("unpack", path)
        assert result.code == 2
        assert "-o FOLDER" in result.err
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_unpack_into_a_folder_that_is_missing(run, make, tmp_path) -> None:
    result = run("unpack", make(), "-o", tmp_path / "missing" / "m")
    assert result.code == 2
    first, hint = result.err.splitlines()
    assert "there is no folder to put it in" in first
    assert hint == f"safemodel: hint: make {tmp_path / 'missing'} first"


def test_unpack_never_overwrites(run, make, tmp_path) -> None:
    (tmp_path / "m").mkdir()
    assert run("unpack", make()).code == 2
    assert not list((tmp_path / "m").iterdir())


def test_damaged_archive_leaves_nothing(run, make, tmp_path) -> None:
    path = make()
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    assert run("unpack", path).code == 1
    assert list(tmp_path.iterdir()) == [path]


def test_digest_is_of_what_was_written(run, make, tmp_path, monkeypatch) -> None:
    path = make()
    unpacked = bundle.unpack

    def replace_and_unpack(*arguments, **options):
        make(version="9")  # somebody puts something else at the path meanwhile
        unpacked(*arguments, **options)

    monkeypatch.setattr(bundle, "unpack", replace_and_unpack)
    digest = run("unpack", path, "--format", "json").document["digest"]
    assert digest == hashlib.sha256((tmp_path / "m" / "manifest.json").read_bytes()).hexdigest()


def test_signatures_come_along_unchecked(run, make, acme, tmp_path) -> None:
    result = run("unpack", make(signers=[acme]))
    assert result.code == 0
    assert "signatures not checked" in result.out
    assert run("verify", tmp_path / "m").code == 1
    assert run("verify", tmp_path / "m", "--trust", tmp_path / "acme.pub").code == 0
