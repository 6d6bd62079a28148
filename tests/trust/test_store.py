"""The configuration folder: the own key at first save, and a trust store that is read strictly."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import KeyFileError, SafemodelError, UsageError
from safemodel.trust import store
from safemodel.trust.keys import PublicKey, Signer
from safemodel.trust.oms import OmsStatement
from safemodel.trust.policy import UNSIGNED
from safemodel.trust.signatures import check, check_detached, sign_manifest, sign_oms
from safemodel.trust.store import TrustStore
from tests.trust.helpers import DIGEST

ROOT = Path(__file__).parents[2]


class TestFolder:
    def test_precedence(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", "/home/me")
        monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
        monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path))
        assert store.config_dir() == tmp_path
        monkeypatch.setenv("SAFEMODEL_CONFIG", "")
        assert store.config_dir() == Path("/xdg/safemodel")
        monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
        assert store.config_dir() == Path("/home/me/.config/safemodel")
        monkeypatch.delenv("XDG_CONFIG_HOME")
        assert store.config_dir() == Path("/home/me/.config/safemodel")

    def test_platforms(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/me")
        assert store._platform_folder("win32", "/appdata") == Path("/appdata")
        assert store._platform_folder("win32", None) == Path("/home/me/.config")
        assert store._platform_folder("darwin", None) == Path(
            "/home/me/Library/Application Support"
        )

    def test_nobody_at_home(self, monkeypatch: pytest.MonkeyPatch, signer: Signer) -> None:
        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("SAFEMODEL_CONFIG")
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.setattr(Path, "home", homeless)
        assert store.config_dir() is None
        assert store.own_signer() is None
        assert dict(TrustStore.load().keys) == {}
        with pytest.raises(KeyFileError, match="no folder for the trust store"):
            store.add(signer.public_key, "*")


class TestOwnKey:
    def test_made_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "deep" / "config"
        monkeypatch.setenv("SAFEMODEL_CONFIG", str(folder))
        assert store.own_signer(create=False) is None
        assert not folder.exists()
        notices: list[str] = []
        first = store.own_signer(notice=notices.append)
        second = store.own_signer(notice=notices.append)
        third = store.own_signer(create=False)
        assert first is not None
        assert second is not None
        assert third is not None
        assert first.public_key == second.public_key == third.public_key
        assert first.public_key.algorithm == "ecdsa-p256"
        assert len(notices) == 1
        assert first.public_key.key_id in notices[0]
        assert str(folder / "own.key") in notices[0]
        assert stat.S_IMODE((folder / "own.key").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert os.listdir(folder) == ["own.key"]

    def test_processes_at_once_end_with_one_key(self, config_dir: Path) -> None:
        code = (
            "from safemodel.trust import store\n"
            "import sys; sys.stdin.read(1)\n"
            "print(store.own_signer(notice=lambda text: print('made')).public_key.key_id)\n"
        )
        command = [sys.executable, "-c", code]
        pipe = subprocess.PIPE
        started = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True)
            for _ in range(4)
        ]
        outputs = "".join(process.communicate("x")[0] for process in started).split()
        own = store.own_signer(create=False)
        assert own is not None
        assert outputs.count("made") == 1
        assert outputs.count(own.public_key.key_id) == 4
        assert os.listdir(config_dir) == ["own.key"]

    def test_the_slower_one_takes_the_key_of_the_faster(
        self, config_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        generate = Signer.generate

        def slowly() -> Signer:
            generate().save(config_dir / "own.key")
            return generate()

        monkeypatch.setattr(Signer, "generate", slowly)
        notices: list[str] = []
        mine = store.own_signer(notice=notices.append)
        assert mine is not None
        assert mine.public_key == Signer.load(config_dir / "own.key").public_key
        assert not notices

    @pytest.mark.parametrize("present", [True, False])
    def test_a_file_system_without_links(
        self, config_dir: Path, monkeypatch: pytest.MonkeyPatch, present: bool
    ) -> None:
        def unsupported(*_: object) -> None:
            raise OSError(95, "Operation not supported")

        synced: list[int] = []
        monkeypatch.setattr(os, "link", unsupported)
        monkeypatch.setattr(os, "fsync", synced.append)
        path = config_dir / "own.key"
        if present:
            path.write_bytes(b"x")
        assert store._publish(path, b"mine") is not present
        assert path.read_bytes() == (b"x" if present else b"mine")
        assert len(synced) == (1 if present else 2)  # the temporary file, and the one made of it
        assert os.listdir(config_dir) == ["own.key"]

    @pytest.mark.parametrize("damage", ["cut", "encrypted", "other"])
    def test_one_that_can_not_be_used_is_named_itself(
        self, config_dir: Path, signer: Signer, stranger: Signer, damage: str
    ) -> None:
        path = config_dir / "own.key"
        pem = signer.pem("secret" if damage == "encrypted" else None)
        path.write_bytes({"cut": pem[:80], "other": b"x"}.get(damage, pem))
        name, data = sign_manifest(stranger, DIGEST)
        _, detached = sign_oms(stranger, OmsStatement.over({"a": DIGEST}), detached=True)
        for checking in (
            lambda: check({name: data}, bundle_digest=DIGEST),
            lambda: check_detached(detached, file="model.sigstore.json"),
            lambda: store.own_signer(),
        ):
            with pytest.raises(KeyFileError) as caught:
                checking()
            error = caught.value
            assert str(error) == f"{path}: {error.message}"
            assert "move the file away" in (error.hint or "")
            assert "--password-file" not in (error.hint or "")

    def test_one_that_nobody_needs_does_not_matter(self, config_dir: Path) -> None:
        (config_dir / "own.key").write_bytes(b"x")
        assert check({}, bundle_digest=DIGEST, trust=UNSIGNED) == ()

    def test_a_crash_without_links_leaves_no_half_a_key(
        self, config_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "O_BINARY", 1 << 40, raising=False)
        flags: list[int] = []
        real = os.open

        def opened(path: Any, wanted: int, mode: int) -> int:
            flags.append(wanted)
            return real(path, wanted & ~(1 << 40), mode)

        monkeypatch.setattr(os, "open", opened)
        assert store._create(config_dir / "own.key", b"line\n")
        assert flags[0] & 1 << 40

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.undo()
        (config_dir / "own.key").unlink()
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            store._create(config_dir / "own.key", b"line\n")
        assert os.listdir(config_dir) == []

    def test_no_writable_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path / "file" / "x"))
        assert store.own_signer() is None
        assert store.own_signer(create=False) is None
        assert dict(TrustStore.load().keys) == {}

    def test_a_folder_of_someone_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbidden(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        for call in ("stat", "mkdir"):
            monkeypatch.setattr(os, call, forbidden)
        assert store.own_signer() is None
        assert dict(TrustStore.load().keys) == {}

    def test_a_folder_that_can_not_be_asked(
        self, monkeypatch: pytest.MonkeyPatch, config_dir: Path
    ) -> None:
        monkeypatch.setenv("SAFEMODEL_CONFIG", str(config_dir / ("x" * 5000)))
        with pytest.raises(KeyFileError, match="file name too long"):
            store.own_signer()
        with pytest.raises(KeyFileError, match="file name too long"):
            TrustStore.load()

    def test_a_full_disk_leaves_nothing(
        self, config_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        assert store.own_signer() is None
        assert os.listdir(config_dir) == []

    @pytest.mark.parametrize("content", [b"", b"nonsense"])
    def test_a_damaged_key_is_never_replaced(self, config_dir: Path, content: bytes) -> None:
        path = config_dir / "own.key"
        path.write_bytes(content)
        with pytest.raises(KeyFileError) as caught:
            store.own_signer()
        assert caught.value.path == str(path)
        assert caught.value.hint
        assert path.read_bytes() == content

    def test_an_encrypted_key(self, config_dir: Path, signer: Signer) -> None:
        signer.save(config_dir / "own.key", "secret")
        with pytest.raises(KeyFileError, match="no password was given"):
            store.own_signer()

    def test_a_key_that_is_not_readable(self, config_dir: Path) -> None:
        (config_dir / "own.key").mkdir()
        with pytest.raises(KeyFileError, match="can't be read"):
            store.own_signer()


class TestStore:
    def test_add_list_remove(self, config_dir: Path, keys: dict[str, Signer]) -> None:
        first, second = keys["ecdsa-p256"].public_key, keys["ed25519"].public_key
        store.add(first, "acme/*", label="acme")
        store.add(second, ("beta", "gamma/*"))
        assert store.add(first, ("acme", "acme/*")).names == ("acme", "acme/*")
        loaded = TrustStore.load().keys
        assert loaded[first.key_id].label == "acme"
        assert loaded[first.key_id].names == ("acme", "acme/*")
        assert loaded[second.key_id].label is None
        assert stat.S_IMODE((config_dir / "trust.json").stat().st_mode) == 0o600
        left = store.remove(second.key_id, "beta")
        assert left is not None
        assert left.names == ("gamma/*",)
        assert store.remove(second.key_id[:8].upper(), "gamma/*") is None
        assert store.remove(first.key_id) is None
        assert dict(TrustStore.load().keys) == {}
        assert sorted(os.listdir(config_dir)) == ["trust.json", "trust.lock"]

    def test_a_new_label_replaces_the_old(self, signer: Signer) -> None:
        store.add(signer.public_key, "a", label="old")
        assert store.add(signer.public_key, "b").label == "old"
        assert store.add(signer.public_key, "c", label="new").label == "new"

    def test_mistakes_change_nothing(self, config_dir: Path, signer: Signer) -> None:
        store.add(signer.public_key, "a")
        before = (config_dir / "trust.json").read_bytes()
        key_id = signer.public_key.key_id
        mistakes: list[Callable[[], object]] = [
            lambda: store.add(signer.public_key, "a b"),
            lambda: store.add(signer.public_key, ()),
            lambda: store.add(signer.public_key, "a", label=""),
            lambda: store.add(signer.public_key, "a", label="a\nb"),
            lambda: store.add(signer.public_key, "a", label="x" * 201),
            lambda: store.add(signer.public_key, "a", label="\u202e"),
            lambda: store.remove("0" * 64),
            lambda: store.remove(key_id[:7]),
            lambda: store.remove(""),
            lambda: store.remove(key_id, "b"),
        ]
        for mistake in mistakes:
            with pytest.raises(UsageError):
                mistake()
        assert (config_dir / "trust.json").read_bytes() == before

    def test_an_ambiguous_beginning(self) -> None:
        with pytest.raises(UsageError, match="more than one key"):
            store._find({"ab" * 32: None, "ab" * 31 + "cd": None}, "abababab")  # type: ignore[dict-item]

    def test_readable_and_stable(self, signer: Signer) -> None:
        store.add(signer.public_key, ("b", "a"), label="acmé")
        text = TrustStore.load().encode()
        assert json.loads(text) == {
            "version": 1,
            "keys": {
                signer.public_key.key_id: {
                    "label": "acmé",
                    "names": ["a", "b"],
                    "public_key": signer.public_key.pem,
                }
            },
        }
        assert TrustStore.parse(text).encode() == text

    def test_changes_at_once_are_all_kept(self) -> None:
        code = (
            "from safemodel.trust import store\n"
            "from safemodel.trust.keys import Signer\n"
            "for i in range(5): store.add(Signer.generate().public_key, 'a')\n"
        )
        started = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
        assert [process.wait() for process in started] == [0, 0, 0]
        assert len(TrustStore.load().keys) == 15

    def test_a_system_without_locks(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        store.add(signer.public_key, "a")
        assert len(TrustStore.load().keys) == 1

    def test_a_place_that_can_not_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path / "file"))
        with pytest.raises(KeyFileError, match="can't be written"):
            store.add(signer.public_key, "a")

    def test_a_place_that_can_not_be_read(self, config_dir: Path) -> None:
        (config_dir / "trust.json").mkdir()
        with pytest.raises(KeyFileError, match="can't be read"):
            TrustStore.load()

    def test_a_failed_write_keeps_the_old(
        self, config_dir: Path, signer: Signer, stranger: Signer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.add(signer.public_key, "a")
        before = (config_dir / "trust.json").read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        for call in ("fsync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, call, full)
                with pytest.raises(KeyFileError, match="no space left"):
                    store.add(stranger.public_key, "a")
            assert (config_dir / "trust.json").read_bytes() == before
            assert sorted(os.listdir(config_dir)) == ["trust.json", "trust.lock"]


def _entry(value: Any) -> Any:
    return next(iter(value["keys"].values()))


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(version=2),
        lambda v: v.update(version=True),
        lambda v: v.update(version="1"),
        lambda v: v.pop("version"),
        lambda v: v.pop("keys"),
        lambda v: v.update(x=1),
        lambda v: v.update(keys=[]),
        lambda v: v["keys"].update({"0" * 64: _entry(v)}),
        lambda v: v["keys"].update({"x": _entry(v)}),
        lambda v: v["keys"].update(x=None),
        lambda v: _entry(v).update(x=1),
        lambda v: _entry(v).pop("names"),
        lambda v: _entry(v).pop("public_key"),
        lambda v: _entry(v).update(names=[]),
        lambda v: _entry(v).update(names="acme"),
        lambda v: _entry(v).update(names=["a b"]),
        lambda v: _entry(v).update(names=[None]),
        lambda v: _entry(v).update(names=["x" * 201]),
        lambda v: _entry(v).update(label=""),
        lambda v: _entry(v).update(label="a\x1b[0m"),
        lambda v: _entry(v).update(label=None),
        lambda v: _entry(v).update(label="é" * 101),
        lambda v: _entry(v).update(public_key="/etc/passwd"),
        lambda v: _entry(v).update(public_key="env:HOME"),
        lambda v: _entry(v).update(public_key=None),
        lambda v: _entry(v).update(public_key=Signer.generate().public_key.pem),
    ],
)
def test_a_store_that_is_not_exactly_one(signer: Signer, change: Callable[[Any], object]) -> None:
    trusted = store.TrustedKey(signer.public_key, "acme", ("a",))
    value = json.loads(TrustStore({signer.public_key.key_id: trusted}).encode())
    change(value)
    with pytest.raises(KeyFileError) as caught:
        TrustStore.parse(json.dumps(value).encode())
    assert caught.value.message.startswith("not a trust store")
    assert "safemodel trust add" in (caught.value.hint or "")


def test_a_store_with_the_same_key_twice(signer: Signer) -> None:
    trusted = store.TrustedKey(signer.public_key, None, ("a",))
    text = TrustStore({signer.public_key.key_id: trusted}).encode()
    doubled = text.replace(b'"names":', b'"names": ["*"], "names":')
    with pytest.raises(KeyFileError, match="same key twice"):
        TrustStore.parse(doubled)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_our_errors_only(data: bytes) -> None:
    with pytest.raises(SafemodelError):
        TrustStore.parse(data)


def test_every_byte_of_a_store(signer: Signer) -> None:
    """Change any byte: refused, or the same key is trusted for names that are spelled there."""
    trusted = store.TrustedKey(signer.public_key, "acme", ("acme/fraud",))
    text = TrustStore({signer.public_key.key_id: trusted}).encode()
    for at in range(len(text)):
        changed = bytearray(text)
        changed[at] ^= 1
        try:
            keys = TrustStore.parse(bytes(changed)).keys
        except KeyFileError:
            continue
        assert [one.key for one in keys.values()] == [signer.public_key]
        assert all(isinstance(one.key, PublicKey) for one in keys.values())
