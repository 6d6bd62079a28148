"""Tampering with a folder: bytes, names, links, special files; refused, or exactly the original."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from safemodel.bundle import inspect, pack, sign, unpack
from safemodel.bundle.contents import Payload
from safemodel.bundle.members import FolderMembers
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import (
    BadSignatureError,
    ChangedFileError,
    DigestMismatchError,
    FolderError,
    LimitError,
    MemberNameError,
    MissingMemberError,
    SafemodelError,
    SourceError,
    TruncatedError,
    UnsignedError,
)

from .attacks import PATIENCE, TRUST, flips, outcome, refused, refused_or_same
from .samples import contents, signer, small, tensor, verified

FILES = ["weights.safetensors", "README.md", "assets/empty.txt", "manifest.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    write(path, small(), signers=[signer()], layout="folder")
    return path


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("way", "pattern"), [("verify", 0x01), ("load", 0x80)])
def test_every_flipped_byte_is_refused(folder: Path, way: str, pattern: int) -> None:
    assert len(files(folder)) == 5
    for path in files(folder):
        data = path.read_bytes()
        for _, changed in flips(data, pattern):
            path.write_bytes(changed)
            assert isinstance(outcome(way, folder), SafemodelError), path
        path.write_bytes(data)
    assert outcome(way, folder) == verified(folder, trust=TRUST)


def test_truncated_and_extended_files_are_refused(folder: Path) -> None:
    original = verified(folder, trust=TRUST)
    for path in files(folder):
        data = path.read_bytes()
        for length in {0, 1, 7, 8, 64, len(data) // 2, len(data) - 1} & set(range(len(data))):
            path.write_bytes(data[:length])
            kinds = {type(error) for error in refused(folder)}
            if path.name in ("weights.safetensors", "README.md"):
                assert kinds == {TruncatedError}
        for extra in (b"\0", b"\n", b"x" * 5000):
            path.write_bytes(data + extra)
            if path.parent.name == "signatures":  # other tools end them with a line feed
                assert refused_or_same(folder, original) == (0 if extra == b"\n" else 4)
            else:
                refused(folder)
        path.write_bytes(data)


def test_missing_files_are_refused(folder: Path) -> None:
    for path in files(folder):
        data = path.read_bytes()
        path.unlink()
        errors = refused(folder)
        if path.name.endswith(".sigstore.json"):
            assert {type(error) for error in errors} == {UnsignedError}
        else:
            assert {type(error) for error in errors} == {MissingMemberError}
        path.write_bytes(data)


def test_swapped_and_renamed_files_are_refused(folder: Path) -> None:
    original = verified(folder, trust=TRUST)
    everything = files(folder)
    for one in everything:
        for two in everything:
            if one < two:
                first, second = one.read_bytes(), two.read_bytes()
                one.write_bytes(second)
                two.write_bytes(first)
                refused(folder)
                one.write_bytes(first)
                two.write_bytes(second)
        for name in ("other", "README.MD2", one.name + "x", one.name.upper()):
            if not (one.parent / name).exists():
                one.rename(one.parent / name)
                refused(folder)
                (one.parent / name).rename(one)
    assert verified(folder, trust=TRUST) == original


@pytest.mark.parametrize(
    "name",
    [
        "extra.txt",
        "assets/extra.txt",
        "weights-00001-of-00002.safetensors",
        "model.safetensors",
        "signatures/notes.txt",
        "signatures/a/b",
        "Signatures/a",
        ".hidden",
        ".git/config",
        ".gitattributes",
        "__pycache__/x.pyc",
        "a b",
        "a\\b",
        "a\nb",
        "é",
        "con.txt",
        "README.md.",
        "readme.md",
        "manifest.json.bak",
        "Manifest.JSON",
        "ASSETS/x",
    ],
)
def test_extra_files_are_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    refused(folder)
    with pytest.raises(SafemodelError):
        pack(folder, folder.parent / "packed")
    assert not (folder.parent / "packed").exists()


def test_names_that_collide_under_case_folding_are_refused(folder: Path) -> None:
    shutil.copy(folder / "README.md", folder / "ReadMe.md")
    for error in refused(folder):
        assert isinstance(error, MemberNameError)
        assert "same file" in error.message


def test_names_that_are_not_utf8_are_refused(folder: Path) -> None:
    with open(os.path.join(os.fsencode(folder), b"\xff.bin"), "wb") as file:
        file.write(b"x")
    for error in refused(folder):
        assert isinstance(error, MemberNameError)
        str(error).encode("utf-8")  # can be printed


def test_empty_folders_are_tolerated(folder: Path) -> None:
    original = verified(folder, trust=TRUST)
    (folder / "empty" / "within").mkdir(parents=True)
    (folder / ".cache").mkdir()
    assert refused_or_same(folder, original) == 0


def test_hard_links_are_content_like_any_other(folder: Path) -> None:
    original = verified(folder, trust=TRUST)
    outside = folder.parent / "outside"
    for path in files(folder):
        path.rename(outside)
        os.link(outside, path)
        outside.unlink()
    os.link(folder / "README.md", outside)
    assert refused_or_same(folder, original) == 0


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["absolute", "relative", "dangling", "loop", "itself"])
def test_symbolic_links_to_files_are_refused(folder: Path, name: str, kind: str) -> None:
    path, outside = folder / name, folder.parent / "outside"
    path.rename(outside)
    target = {
        "absolute": str(outside),
        "relative": os.path.relpath(outside, path.parent),
        "dangling": "/nowhere",
        "loop": name.rpartition("/")[2],
        "itself": ".",
    }[kind]
    path.symlink_to(target)
    for error in refused(folder):
        assert isinstance(error, FolderError)
        assert error.place == name
        assert "symbolic link" in error.message
        assert "cp -rL" in (error.hint or "")


@pytest.mark.parametrize("name", ["assets", "signatures"])
def test_symbolic_links_to_folders_are_refused(folder: Path, name: str) -> None:
    outside = folder.parent / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside, target_is_directory=True)
    for error in refused(folder):
        assert isinstance(error, FolderError)
        assert error.place == name


def test_the_folder_itself_may_be_reached_by_a_link(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder, target_is_directory=True)
    assert outcome("verify", link) == verified(folder, trust=TRUST)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    # A relative name, since socket paths are short
    with socket.socket(socket.AF_UNIX) as it:
        old = os.getcwd()
        os.chdir(path.parent)
        try:
            it.bind(path.name)
        finally:
            os.chdir(old)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o020666, os.makedev(1, 5))  # /dev/zero, which never ends
    except OSError:
        pytest.skip("needs the right to make devices")


@pytest.mark.parametrize("make", [fifo, bound_socket, device])
@pytest.mark.parametrize("name", [*FILES, "extra", "signatures/extra", "assets/extra"])
def test_special_files_are_refused_at_once(
    folder: Path, make: Callable[[Path], None], name: str
) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    make(path)
    for error in refused(folder):
        assert isinstance(error, FolderError)
        assert error.place == name
        assert "not a regular file" in error.message
    for action in (
        lambda: inspect(folder),
        lambda: pack(folder, folder.parent / "x"),
        lambda: unpack(folder, folder.parent / "x"),
        lambda: sign(folder, signer()),
    ):
        started = time.monotonic()
        with pytest.raises(SafemodelError):
            action()
        assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("make", [fifo, bound_socket, device])
def test_special_files_as_the_bundle_are_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "it")
    for error in refused(tmp_path / "it"):
        assert isinstance(error, SourceError)
    for signature in (tmp_path / "it", tmp_path):
        refused(tmp_path / "it", signature=signature)
    with pytest.raises(SourceError):
        sign(tmp_path / "it", signer())


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "shorter", "longer", "gone"])
def test_files_exchanged_after_the_folder_was_listed_are_refused(folder: Path, what: str) -> None:
    """What was listed is not trusted when it is opened later."""
    for name in FILES[:2]:
        path, outside = folder / name, folder.parent / "outside"
        with open_bundle(folder, trust=TRUST) as bundle:
            data = path.read_bytes()
            path.rename(outside)
            if what == "link":
                path.symlink_to(outside)  # even to the very same bytes
            elif what == "fifo":
                os.mkfifo(path)
            elif what == "folder":
                path.mkdir()
            elif what == "shorter":
                path.write_bytes(data[:-1])
            elif what == "longer":
                path.write_bytes(data + b"x")
            started = time.monotonic()
            with pytest.raises(SourceError) as caught:
                bundle.member(name)
            assert time.monotonic() - started < PATIENCE
            if what in ("shorter", "longer"):
                assert isinstance(caught.value, ChangedFileError)
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        outside.rename(path)


def test_folder_exchanged_for_a_link_after_it_was_listed_is_refused(folder: Path) -> None:
    path = folder.parent / "nested"
    members = {"assets/a/b.txt": Payload(b"x", "text/plain")}
    write(path, contents(members=members), signers=[signer()], layout="folder")
    with open_bundle(path, trust=TRUST) as bundle:
        assert bundle.member("assets/a/b.txt") == b"x"
    for name in ("assets", "assets/a"):
        with open_bundle(path, trust=TRUST) as bundle:
            (path / name).rename(path.parent / "outside")
            (path / name).symlink_to(path.parent / "outside")
            with pytest.raises(SourceError):
                bundle.member("assets/a/b.txt")
            (path / name).unlink()
            (path.parent / "outside").rename(path / name)


def test_an_opened_folder_stays_the_one_that_was_opened(folder: Path) -> None:
    """The root is held by descriptor: a path that names another folder later does no harm."""
    other = folder.parent / "other"
    write(other, small(seed=1), signers=[signer()], layout="folder")
    expected = verified(folder, trust=TRUST)
    with open_bundle(folder, trust=TRUST) as bundle:
        folder.rename(folder.parent / "moved")
        other.rename(folder)
        found = {name: bytes(bundle.tensor(name).buffer) for name in bundle.tensors}
    assert found == {name: data for name, (_, _, data) in expected["tensors"].items()}


def test_files_of_another_signed_folder_are_refused_mid_way(folder: Path) -> None:
    other = folder.parent / "other"
    write(other, small(seed=1), signers=[signer()], layout="folder")
    with open_bundle(folder, trust=TRUST) as bundle:
        shutil.copy(other / "weights.safetensors", folder / "weights.safetensors")
        with pytest.raises(DigestMismatchError):
            bundle.load_weights()
        with pytest.raises(DigestMismatchError):
            bundle.tensor("scale")


def test_signatures_of_another_folder_do_not_count(folder: Path) -> None:
    other = folder.parent / "other"
    write(other, small(seed=1), signers=[signer()], layout="folder")
    shutil.rmtree(folder / "signatures")
    shutil.copytree(other / "signatures", folder / "signatures")
    for error in refused(folder):
        assert isinstance(error, BadSignatureError)


def test_hostile_trees_are_refused_within_limits(folder: Path) -> None:
    deep = folder
    for _ in range(9):
        deep = deep / "d"
        deep.mkdir()
    for error in refused(folder):
        assert isinstance(error, LimitError)
    shutil.rmtree(folder / "d")
    for number in range(65):
        (folder / "signatures" / f"{number:064x}.manifest.sigstore.json").write_bytes(b"{}")
    for error in refused(folder):
        assert isinstance(error, LimitError)


def test_huge_sparse_files_are_refused_before_they_are_read(folder: Path) -> None:
    for path in files(folder):
        data = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(1 << 42)
        for error in refused(folder):
            assert isinstance(error, FolderError | LimitError), path
        path.write_bytes(data)


def test_folder_without_read_permission_is_refused(folder: Path) -> None:
    """In a child without root's rights, in a folder of its own that it may enter."""
    if os.getuid() != 0:
        (folder / "README.md").chmod(0)
        for error in refused(folder):
            assert isinstance(error, SourceError)
        return
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        own = Path(open_to_all) / "m"
        shutil.copytree(folder, own)
        own.chmod(0o755)
        for name, shown in (("README.md", "README.md"), ("assets", "assets/")):
            (own / name).chmod(0)
            done = subprocess.run(
                [sys.executable, "-c", CHILD, str(own)], capture_output=True, text=True, check=True
            )
            assert f"{shown}: can't be opened: Permission denied" in done.stdout
            (own / name).chmod(0o755)


CHILD = """
import os, sys
from safemodel.bundle import verify
from safemodel.errors import SourceError
from safemodel.trust.policy import UNSIGNED
verify(sys.argv[1], trust=UNSIGNED)  # imports what it needs while it still may
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    verify(sys.argv[1], trust=UNSIGNED)
except SourceError as error:
    print(error)
"""


def test_many_folders_and_files_need_few_descriptors(tmp_path: Path) -> None:
    """A folder with more files and folders than a process may have open."""
    members = {f"f{i}/g{i}.txt": Payload(b"%d" % i, "text/plain") for i in range(300)}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    path = tmp_path / "m"
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 24, hard))
        write(
            path,
            contents(tensor("a", (3,)), members=members),
            signers=[signer()],
            layout="folder",
            oms=True,
        )
        assert verified(path, trust=TRUST)["members"]["f7/g7.txt"] == b"7"
        pack(path, tmp_path / "packed")
        sign(path, signer("second"), oms=True)
        inspect(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(os.listdir("/proc/self/fd")) <= used + 1


def test_descriptors_are_closed_whatever_happens(folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        outcome("verify", folder)
        outcome("mapped", folder)
        inspect(folder)
    (folder / "extra").write_bytes(b"")
    for _ in range(5):
        outcome("verify", folder)
    (folder / "extra").unlink()
    (folder / "manifest.json").write_bytes(b"{}")
    for _ in range(5):
        outcome("verify", folder)
    assert len(os.listdir("/proc/self/fd")) == before


def test_bundles_that_nobody_closes_do_not_use_up_descriptors(folder: Path) -> None:
    packed = folder.parent / "packed"
    pack(folder, packed)
    before = len(os.listdir("/proc/self/fd"))
    for source in (folder, packed):
        for _ in range(5):
            open_bundle(source, trust=TRUST)
    assert len(os.listdir("/proc/self/fd")) == before


def test_reading_after_close_is_refused(folder: Path) -> None:
    members = FolderMembers(str(folder))
    region = members.region("README.md")
    members.close()
    members.close()
    with pytest.raises(SourceError):
        region.source.read_into(0, memoryview(bytearray(1)))


def test_closing_while_others_read_raises_only_our_errors(folder: Path) -> None:
    problems: list[BaseException] = []

    def read(bundle: object) -> None:
        try:
            while True:
                bundle.member("README.md")  # type: ignore[attr-defined]
        except SafemodelError:
            pass
        except BaseException as error:
            problems.append(error)

    for _ in range(20):
        bundle = open_bundle(folder, trust=TRUST)
        threads = [threading.Thread(target=read, args=(bundle,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        bundle.close()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert problems == []
