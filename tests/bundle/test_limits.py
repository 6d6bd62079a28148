"""Large numbers of small things, and the limits of format 1."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from safemodel import limits
from safemodel.bundle import inspect, pack, sign, unpack, verify
from safemodel.bundle.contents import Payload
from safemodel.bundle.folder import Folder
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.source import open_file
from safemodel.bundle.write import write
from safemodel.errors import LimitError, MissingFileError, SafemodelError, SourceError

from .attacks import TRUST, outcome, refused
from .samples import contents, signer, small, tensor, verified

MIB = 1 << 20


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose directory is larger than what is read of its end at first."""
    path = tmp_path_factory.mktemp("many") / "m"
    long = "x" * 150
    members = {f"{long}/{i:05}.txt": Payload(b"%d" % i, "text/plain") for i in range(6000)}
    write(path, contents(tensor("a", (3,)), members=members), signers=[signer()])
    return path


def test_many_members(many: Path) -> None:
    found = verified(many, trust=TRUST)
    assert len(found["members"]) == 6000
    assert found["members"]["x" * 150 + "/04321.txt"] == b"4321"


def test_damage_in_a_large_directory(many: Path) -> None:
    data = bytearray(many.read_bytes())
    for back in (10, 30, 1000, MIB // 2, MIB - 5, MIB, MIB + 5, MIB + 100_000):
        data[-back] ^= 0x11
        assert isinstance(outcome("open", bytes(data)), SafemodelError)
        data[-back] ^= 0x11
    assert isinstance(outcome("open", bytes(data[: -MIB - 7])), SafemodelError)
    assert not isinstance(outcome("open", bytes(data)), SafemodelError)


def test_a_manifest_larger_than_what_is_read_at_first(tmp_path: Path) -> None:
    """And larger than the end that is read: nothing of it may come from elsewhere."""
    architecture = {"words": ["w" * 4000] * 600}
    model = contents(tensor("a", (3,)), architecture=architecture)
    write(tmp_path / "m", model, signers=[signer()])
    write(tmp_path / "f", model, signers=[signer()], layout="folder")
    for name in "mf":
        with verify(tmp_path / name, trust=TRUST) as bundle:
            assert bundle.manifest.architecture == architecture
    data = bytearray((tmp_path / "m").read_bytes())
    for back in (MIB // 2, MIB, 2 * MIB):
        data[-back] ^= 1
        refused(bytes(data))
        data[-back] ^= 1


def test_more_members_than_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {f"{i}.txt": Payload(b"", "text/plain") for i in range(30)}
    for layout in ("archive", "folder"):
        write(tmp_path / layout, contents(members=members), layout=layout)  # type: ignore[arg-type]
    monkeypatch.setattr(limits, "MAX_MEMBERS", 20)
    for layout in ("archive", "folder"):
        for action in (verify, inspect, lambda p: pack(p, tmp_path / "x")):
            with pytest.raises(LimitError):
                action(tmp_path / layout)
        with pytest.raises(LimitError):
            write(tmp_path / "n", contents(members=members), layout=layout)  # type: ignore[arg-type]
    plain = tmp_path / "plain"
    plain.mkdir()
    for number in range(25):
        (plain / str(number)).write_bytes(b"")
    with pytest.raises(LimitError, match="more than 20 files"):
        sign(plain, signer())
    assert sorted(os.listdir(tmp_path)) == ["archive", "folder", "plain"]


def test_a_folder_of_very_many_files_ends_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not everything is listed first: a folder may hold millions of files."""
    write(tmp_path / "m", small(), layout="folder")
    for number in range(300):
        (tmp_path / "m" / f"e{number}").write_bytes(b"")
    monkeypatch.setattr(limits, "MAX_MEMBERS", 20)
    looked = 0
    real = os.DirEntry.stat
    listed = Folder._listed

    def count(self: Folder, *arguments: Any) -> Any:
        nonlocal looked
        for one in listed(self, *arguments):
            looked += 1
            yield one

    monkeypatch.setattr(Folder, "_listed", count)
    monkeypatch.setattr(Folder, "names", lambda _: frozenset({"manifest.json"}))
    with pytest.raises(LimitError, match="more than"):
        inspect(tmp_path / "m")
    assert looked <= 20 + limits.MAX_SIGNATURES + 5
    assert real is os.DirEntry.stat


def test_folders_that_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError):
        Folder(str(tmp_path / "nowhere"))
    with pytest.raises(SourceError):
        Folder(__file__)
    write(tmp_path / "m", small(), layout="folder")
    folder = Folder(str(tmp_path / "m"))

    def fails(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", fails)
    with pytest.raises(SourceError, match="can't be listed"):
        folder.names()


def test_files_that_can_not_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, contents(tensor("a", (MIB,))), signers=[signer()])
    with open_bundle(path, trust=TRUST, mapped=True) as bundle:
        assert bundle.tensors
        os.truncate(path, 5000)  # before it is mapped
        with pytest.raises(SourceError, match="can't be mapped"):
            bundle.tensor("a")
    source = open_file(str(path))
    with path.open("ab") as file:
        file.write(b"more")
    assert len(source.map()) == 5000


def test_deep_members(tmp_path: Path) -> None:
    name = "/".join("abcdefgh")
    model = contents(members={name: Payload(b"x", "text/plain")})
    for layout in ("archive", "folder"):
        write(tmp_path / layout, model, signers=[signer()], layout=layout)  # type: ignore[arg-type]
        assert verified(tmp_path / layout, trust=TRUST)["members"] == {name: b"x"}
    unpack(tmp_path / "archive", tmp_path / "u")
    assert (tmp_path / "u" / name).read_bytes() == b"x"
