"""`safemodel pack`: a folder into an archive."""

from __future__ import annotations

import hashlib
import os
import zipfile

import pytest

from safemodel import bundle


def test_unpack_and_pack_are_copies(run, make, tmp_path, monkeypatch) -> None:
    path = make()
    monkeypatch.chdir(tmp_path)
    unpacked = run("unpack", "m.safemodel", "--format", "json")
    assert unpacked.code == 0
    assert unpacked.document["path"] == "m"
    assert run("verify", "m").code == 0
    packed = run("pack", "m", "-o", "again.safemodel", "--format", "json")
    assert packed.document["digest"] == unpacked.document["digest"]
    assert (tmp_path / "again.safemodel").read_bytes() == path.read_bytes()
    assert run("pack", "m/").code == 2
    assert run("pack", "m/", "--force").code == 0
    assert run("unpack", "m.safemodel").code == 2


def test_pack_of_a_damaged_folder_leaves_nothing(run, make, tmp_path) -> None:
    folder = make("folder")
    weights = folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    assert run("pack", folder).code == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_archive_of_this_folder_is_beside_it(run, make, tmp_path, monkeypatch) -> None:
    folder = make("folder")
    before = sorted(folder.rglob("*"))
    monkeypatch.chdir(folder)
    result = run("pack", ".", "--format", "json")
    assert result.code == 0, result.err
    assert os.path.samefile(result.document["path"], tmp_path / "folder.safemodel")
    assert sorted(folder.rglob("*")) == before
    assert run("verify", ".").code == 0
    (tmp_path / "folder.safemodel").unlink()
    monkeypatch.chdir(folder / "signatures")
    for path in ("..", "../", "../."):
        assert run("pack", path, "--force").code == 0
        assert sorted(folder.rglob("*")) == before
        (tmp_path / "folder.safemodel").unlink()


@pytest.mark.skipif(os.name != "posix", reason="the root of POSIX")
def test_what_has_no_name_needs_one(run) -> None:
    result = run("pack", "/")
    assert result.code == 2
    assert "has no name" in result.err
    assert "-o FILE" in result.err


def test_pack_into_a_folder_that_is_missing(run, make, tmp_path) -> None:
    result = run("pack", make("folder"), "-o", tmp_path / "missing" / "m.safemodel")
    assert result.code == 2
    assert f"make {tmp_path / 'missing'} first" in result.err


def test_digest_is_of_what_was_written(run, make, tmp_path, monkeypatch) -> None:
    folder = make("folder")
    packed = bundle.pack

    def replace_and_pack(*arguments, **options):
        folder.rename(tmp_path / "old")  # somebody puts something else at the path meanwhile
        make("folder", version="9")
        packed(*arguments, **options)

    monkeypatch.setattr(bundle, "pack", replace_and_pack)
    result = run("pack", folder, "--format", "json")
    manifest = zipfile.ZipFile(tmp_path / "folder.safemodel").read("manifest.json")
    assert result.document["digest"] == hashlib.sha256(manifest).hexdigest()
    assert result.document["size"] == (tmp_path / "folder.safemodel").stat().st_size


def test_pack_of_what_is_no_folder(run, make, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.iterdir())
    assert run("pack", tmp_path / "empty").code == 2
    assert run("pack", tmp_path / "missing").code == 2
    assert sorted(tmp_path.iterdir()) == before
