"""`safemodel init`: the own key, made once."""

from __future__ import annotations

import os

import pytest

from safemodel.trust import store
from safemodel.trust.keys import PublicKey


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


def test_init_says_where_everything_is(run, config_dir, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("init", "-o", "me.pub")
    assert result.code == 0
    assert f"configuration  {config_dir}\n" in result.out
    assert "public key     me.pub\n" in result.out
    assert store.own_signer(create=False).public_key.key_id in result.out


def test_init_never_overwrites(run, tmp_path) -> None:
    (tmp_path / "me.pub").write_text("mine")
    assert run("init", "-o", tmp_path / "me.pub").code == 2
    assert (tmp_path / "me.pub").read_text() == "mine"


def test_init_with_a_key_that_is_damaged_keeps_it(run, config_dir) -> None:
    run("init")
    (config_dir / "own.key").write_text("damaged")
    result = run("init")
    assert result.code == 2
    assert "hint" in result.err
    assert (config_dir / "own.key").read_text() == "damaged"


def test_init_without_a_home_says_so(run, monkeypatch) -> None:
    monkeypatch.setattr(store, "config_dir", lambda: None)
    result = run("init")
    assert result.code == 2
    assert "no home folder" in result.err
    assert "None" not in result.err
    assert "SAFEMODEL_CONFIG" in result.err


def test_init_where_nothing_can_be_written(run, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path / "file" / "config"))
    result = run("init")
    assert result.code == 2
    assert f"{tmp_path / 'file' / 'config'} can't be written" in result.err
