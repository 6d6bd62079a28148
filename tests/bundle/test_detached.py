"""Plain folders and files, adopted in place by a detached signature."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from safemodel.bundle import sign, verify
from safemodel.bundle.detached import VerifiedFiles, open_files
from safemodel.bundle.source import FileSource
from safemodel.bundle.write import write
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    FolderError,
    LimitError,
    MemberNameError,
    MissingFileError,
    MissingMemberError,
    NotABundleError,
    SafemodelError,
    SourceError,
    TruncatedError,
    UnsignedError,
    UntrustedSignerError,
    UsageError,
)
from safemodel.trust.keys import Signer
from safemodel.trust.oms import OmsStatement, Resource
from safemodel.trust.policy import UNSIGNED, TrustedKeys
from safemodel.trust.signatures import sign_oms

from .attacks import TRUST, flips
from .samples import content, signer, small

MIB = 1 << 20
FILES = {
    "config.json": b"{}",
    "sub/tokenizer.txt": content("tok", 300),
    "empty": b"",
    ".hidden": b"h",
    "model.bin": content("m", 5 * MIB + 99),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def signature(folder: Path) -> Path:
    return Path(*sign(folder, signer()))


def opened(folder: Path, signature: Path, **arguments: Any) -> VerifiedFiles:
    arguments.setdefault("trust", TRUST)
    return open_files(folder, signature=signature, **arguments)


def refused(folder: Path, signature: Path, **arguments: Any) -> SafemodelError:
    arguments.setdefault("trust", TRUST)
    with pytest.raises(SafemodelError) as caught:
        verify(folder, signature=signature, **arguments)
    return caught.value


def test_signed_files_read_back(folder: Path, signature: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with opened(folder, signature) as files:
        assert dict(files.files) == {name: len(data) for name, data in sorted(FILES.items())}
        for name, data in FILES.items():
            assert files.read(name) == data
        assert files.path == str(folder)
        assert [s.key for s in files.signers] == [signer().public_key]
    with verify(folder, trust=TRUST, signature=signature) as found:
        assert isinstance(found, VerifiedFiles)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_signing_twice_gives_the_same_bytes(folder: Path, signature: Path) -> None:
    data = signature.read_bytes()
    sign(folder, signer())
    assert signature.read_bytes() == data


def test_ranges_read_and_verify_only_their_chunks(
    folder: Path, signature: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges: list[tuple[int, int]] = []
    real = FileSource.read_into

    def spy(self: FileSource, offset: int, buffer: memoryview) -> None:
        ranges.append((offset, offset + len(buffer)))
        real(self, offset, buffer)

    data = FILES["model.bin"]
    with opened(folder, signature) as files:
        monkeypatch.setattr(FileSource, "read_into", spy)
        assert files.read_range("model.bin", 2 * MIB + 5, 10) == data[2 * MIB + 5 :][:10]
        assert ranges == [(2 * MIB, 3 * MIB)]
        assert files.read_range("model.bin", 2 * MIB + 100, 10) == data[2 * MIB + 100 :][:10]
        assert len(ranges) == 1  # cached
        assert files.read_range("model.bin", 0, len(data)) == data
        ranges.clear()
        # Damage elsewhere does not hinder
        changed = bytearray(data)
        changed[4 * MIB + 3] ^= 1
        (folder / "model.bin").write_bytes(changed)
        assert files.read_range("model.bin", MIB, MIB) == data[MIB : 2 * MIB]
        with pytest.raises(DigestMismatchError) as caught:
            files.read_range("model.bin", 4 * MIB, 1)
        assert caught.value.region == ("model.bin", 4 * MIB, 5 * MIB)
        assert caught.value.place == "model.bin"
        with pytest.raises(DigestMismatchError):
            files.read("model.bin")
        for start, length in [(-1, 1), (0, -1), (0, len(data) + 1), (len(data), 1)]:
            with pytest.raises(UsageError):
                files.read_range("model.bin", start, length)
        for name in ("nowhere", ".", "../hub/config.json", "sub", ""):
            with pytest.raises(MissingMemberError):
                files.read(name)


def test_every_flipped_byte_of_small_files_is_refused(folder: Path, signature: Path) -> None:
    for name in ("config.json", "sub/tokenizer.txt", ".hidden"):
        for _, changed in flips(FILES[name], 0x01):
            (folder / name).write_bytes(changed)
            with opened(folder, signature) as files, pytest.raises(DigestMismatchError):
                files.check_every_byte()
            with opened(folder, signature) as files, pytest.raises(DigestMismatchError):
                files.read(name)
        error = refused(folder, signature)
        assert isinstance(error, DigestMismatchError)
        assert error.place == name
        assert error.path == str(folder)
        (folder / name).write_bytes(FILES[name])


def test_every_flipped_byte_of_the_signature_is_refused(folder: Path, signature: Path) -> None:
    (folder / "model.bin").write_bytes(b"")
    (signature,) = map(Path, sign(folder, signer()))
    data = signature.read_bytes()
    for _, changed in flips(data, 0x01):
        signature.write_bytes(changed)
        with pytest.raises(SafemodelError):
            opened(folder, signature)
    for length in range(0, len(data), 37):
        signature.write_bytes(data[:length])
        with pytest.raises(SafemodelError):
            opened(folder, signature)


def test_other_sizes_are_named(folder: Path, signature: Path) -> None:
    data = FILES["model.bin"]
    for changed, kind in [
        (data[: 3 * MIB], TruncatedError),
        (data[:-1], DigestMismatchError),
        (data + b"x", DigestMismatchError),
        (data + bytes(2 * MIB), TruncatedError),
        (b"", TruncatedError),
    ]:
        (folder / "model.bin").write_bytes(changed)
        with opened(folder, signature) as files, pytest.raises(kind):
            files.read_range("model.bin", 0, len(changed))
        assert isinstance(refused(folder, signature), DigestMismatchError)


@pytest.mark.parametrize("name", ["extra", "sub/extra", ".cache/x", "sub2/a/b"])
def test_extra_files_are_refused(folder: Path, signature: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"")
    error = refused(folder, signature)
    assert isinstance(error, BadSignatureError)
    assert error.place == name
    assert error.message == "is there, and is not signed"


def test_missing_renamed_and_swapped_files_are_refused(folder: Path, signature: Path) -> None:
    (folder / "config.json").rename(folder.parent / "away")
    error = refused(folder, signature)
    assert isinstance(error, BadSignatureError)
    assert (error.place, error.message) == ("config.json", "is signed, and is not there")
    (folder.parent / "away").rename(folder / "Config.json")
    assert isinstance(refused(folder, signature), BadSignatureError)
    (folder / "Config.json").rename(folder / "config.json")
    one, two = folder / "config.json", folder / ".hidden"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert isinstance(refused(folder, signature), DigestMismatchError)


def test_links_and_special_files_are_refused(folder: Path, signature: Path) -> None:
    path = folder / "config.json"
    path.rename(folder.parent / "away")
    path.symlink_to(folder.parent / "away")
    assert isinstance(refused(folder, signature), FolderError)
    with pytest.raises(FolderError, match="symbolic link"):
        sign(folder, signer())
    path.unlink()
    os.mkfifo(path)
    assert isinstance(refused(folder, signature), FolderError)
    with pytest.raises(FolderError, match="not a regular file"):
        sign(folder, signer())
    path.unlink()
    (folder.parent / "away").rename(path)
    with opened(folder, signature) as files:
        path.rename(folder.parent / "away")
        path.symlink_to(folder.parent / "away")
        with pytest.raises(SourceError):
            files.read("config.json")


def test_who_signed(folder: Path, signature: Path, tmp_path: Path) -> None:
    stranger = TrustedKeys(signer("stranger").public_key)
    assert isinstance(refused(folder, signature, trust=stranger), UntrustedSignerError)
    scoped = TrustedKeys(signer().public_key, names="acme/*")
    assert isinstance(refused(folder, signature, trust=scoped), UntrustedSignerError)
    verify(folder, trust=scoped, signature=signature, name="acme/hub").close()
    assert isinstance(
        refused(folder, signature, trust=scoped, name="other/hub"), UntrustedSignerError
    )
    with verify(folder, trust=UNSIGNED, signature=signature) as files:
        assert files.signers == ()
    for arguments in ({"version": "1"}, {"digest": "0" * 64}):
        assert isinstance(refused(folder, signature, **arguments), UsageError)
    assert isinstance(refused(folder, tmp_path / "nowhere"), MissingFileError)
    assert isinstance(refused(tmp_path / "nowhere", signature), MissingFileError)
    with pytest.raises(NotABundleError):
        verify(folder, trust=TRUST)  # without a signature there is nothing to verify
    with pytest.raises(NotABundleError):
        verify(b"hello", trust=TRUST, signature=signature)
    with pytest.raises(UntrustedSignerError):  # also the user's own store knows nobody
        verify(folder, signature=signature)
    assert UnsignedError.exit_code == 1


def test_a_signature_over_a_bundle_is_none_over_files(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "m", small())
    for oms in (False, True):
        sign(tmp_path / "m", signer(), oms=oms, signature=tmp_path / "s")
        assert isinstance(refused(folder, tmp_path / "s"), BadSignatureError)
        assert isinstance(refused(folder, tmp_path / "s", trust=UNSIGNED), BadSignatureError)


def test_a_signed_file_is_not_a_folder_of_one_file(tmp_path: Path) -> None:
    """Else whoever can choose names can make a folder of a signed file, under any name."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    (signature,) = map(Path, sign(path, signer()))
    with opened(path, signature) as files:
        assert dict(files.files) == {".": 4}
        assert files.read() == b"GGUF"
        assert files.read_range(".", 1, 2) == b"GU"
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "__init__.py").write_bytes(b"GGUF")
    assert isinstance(refused(tmp_path / "f", signature), BadSignatureError)
    # And the other way round
    (other,) = map(Path, sign(tmp_path / "f", signer()))
    assert isinstance(refused(path, other), BadSignatureError)
    # Its name is not signed
    path.rename(tmp_path / "renamed.gguf")
    verify(tmp_path / "renamed.gguf", trust=TRUST, signature=signature).close()


def test_single_file_under_its_own_name(tmp_path: Path) -> None:
    """As the OMS specification has it; the stock tool writes `.`"""
    import hashlib

    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    digest = hashlib.sha256(b"GGUF").hexdigest()
    for name, fits in [("model.gguf", True), (".", True), ("other.gguf", False)]:
        _, data = sign_oms(signer(), OmsStatement.build([Resource(name, digest)]), detached=True)
        (tmp_path / "s").write_bytes(data)
        if not fits:
            assert isinstance(refused(path, tmp_path / "s"), BadSignatureError)
            continue
        with verify(path, trust=TRUST, signature=tmp_path / "s") as files:
            assert isinstance(files, VerifiedFiles)
            assert files.read() == b"GGUF"
        path.write_bytes(b"GGUX")
        assert isinstance(refused(path, tmp_path / "s"), DigestMismatchError)
        with opened(path, tmp_path / "s") as files, pytest.raises(DigestMismatchError):
            files.read()
        path.write_bytes(b"GGUF")


def test_a_file_replaced_after_opening_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    (signature,) = map(Path, sign(path, signer()))
    with opened(path, signature) as files:
        (tmp_path / "other").write_bytes(b"OTHR")
        os.replace(tmp_path / "other", path)
        assert files.read() == b"GGUF"
    with opened(tmp_path / "model.gguf", signature) as files:
        with pytest.raises(DigestMismatchError):
            files.read()
        os.truncate(path, 0)
        with pytest.raises(SafemodelError):
            files.read()


def test_lying_statements_are_refused(folder: Path, tmp_path: Path) -> None:
    """Chunk digests and SHA-256 that are not of the same bytes, validly signed."""
    from dataclasses import replace

    from safemodel.trust.oms import Chunks

    (signature,) = map(Path, sign(folder, signer()))
    with opened(folder, signature) as files:
        resources = files.statement.resources
    index = [r.name for r in resources].index("model.bin")
    good = resources[index]
    assert good.chunks is not None
    short = Chunks("blake3", good.chunks.chunk_size, good.chunks.digests[:-32])
    wrong = Chunks("blake3", good.chunks.chunk_size, bytes(len(good.chunks.digests)))
    for lie in (
        replace(good, digest="0" * 64),
        replace(good, chunks=short),
        replace(good, chunks=wrong),
    ):
        listed = [*resources[:index], lie, *resources[index + 1 :]]
        _, data = sign_oms(signer(), OmsStatement.build(listed), detached=True)
        signature.write_bytes(data)
        error = refused(folder, signature)
        assert isinstance(error, DigestMismatchError)
        assert error.place == "model.bin"
        if lie.digest == good.digest:
            with opened(folder, signature) as files, pytest.raises(SafemodelError):
                files.read_range("model.bin", 5 * MIB, 5)


def test_deep_and_linked_folders_are_told_from_bundles(tmp_path: Path) -> None:
    """A plain folder may be deeper than a bundle, and hold git's files of every kind."""
    folder = tmp_path / "hub"
    deep = folder / "/".join("abcdefghijkl")
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "link").symlink_to("/nowhere")
    os.mkfifo(folder / ".git" / "fifo")
    (signature,) = map(Path, sign(folder, signer()))
    with verify(folder, trust=TRUST, signature=signature) as files:
        assert isinstance(files, VerifiedFiles)
        assert list(files.files) == ["a/b/c/d/e/f/g/h/i/j/k/l/x"]
    for _ in range(60):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(LimitError):
        sign(folder, signer())


@pytest.mark.parametrize("name", [b"\xff", b"a\\b", b"\x80/x"])
def test_names_that_no_statement_can_hold(tmp_path: Path, name: bytes) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"hub")
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"x")
    with pytest.raises(SafemodelError) as caught:
        sign(tmp_path / "hub", signer())
    if name != b"a\\b":
        assert isinstance(caught.value, MemberNameError)
    assert os.listdir(tmp_path) == ["hub"]


def test_names_with_line_feeds_and_spaces_are_names(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    for name in ("a\nb", " ", "\u202e", "-rf", "*"):
        (folder / name).write_bytes(name.encode())
    (signature,) = map(Path, sign(folder, signer()))
    with verify(folder, trust=TRUST, signature=signature) as files:
        assert isinstance(files, VerifiedFiles)
        assert all(files.read(name) == name.encode() for name in files.files)


def test_what_can_not_be_signed(folder: Path, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="holds no files"):
        sign(tmp_path / "none", signer())
    with pytest.raises(MissingFileError):
        sign(tmp_path / "nowhere", signer())
    with pytest.raises(UsageError, match="one key at a time"):
        sign(folder, [signer(), signer("second")])
    with pytest.raises(UsageError, match="no field"):
        sign(folder, signer(), note="x")
    with pytest.raises(UsageError, match="no field"):
        sign(folder, signer(), expires=datetime(2100, 1, 1, tzinfo=UTC))
    with pytest.raises(UsageError, match="ed25519"):
        sign(folder, Signer.generate("ed25519"))
    with pytest.raises(SourceError):
        sign(folder, signer(), signature=tmp_path / "none" / "no" / "s")
    with pytest.raises(SourceError, match="is a folder"):
        sign(folder, signer(), signature=tmp_path / "none")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hub", "none"]


@pytest.mark.parametrize("inside", ["s.json", "sub/s.json", "signatures/s.json"])
def test_a_signature_inside_the_folder_does_not_sign_itself(folder: Path, inside: str) -> None:
    signature = folder / inside
    signature.parent.mkdir(exist_ok=True)
    for _ in range(2):  # also when it is there already
        sign(folder, signer(), signature=signature)
        with verify(folder, trust=TRUST, signature=signature) as files:
            assert isinstance(files, VerifiedFiles)
            assert inside not in files.files


def test_paths_with_slashes_links_and_dots(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign(f"{folder}/", signer()) == (f"{folder}.sigstore.json",)
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    inside = link / "s.json"
    sign(folder, signer(), signature=inside)
    for path in (folder, link, f"{folder}//", folder / "sub" / ".."):
        verify(path, trust=TRUST, signature=inside).close()
    monkeypatch.chdir(folder)
    verify(".", trust=TRUST, signature="s.json").close()
    verify(".", trust=TRUST, signature="../hub/s.json").close()


def test_files_changed_while_they_are_signed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FileSource.read_into

    def cut(self: FileSource, offset: int, buffer: memoryview) -> None:
        os.truncate(folder / "model.bin", 10)
        real(self, offset, buffer)

    monkeypatch.setattr(FileSource, "read_into", cut)
    with pytest.raises(SourceError):
        sign(folder, signer())
    assert not (folder.parent / "hub.sigstore.json").exists()


def test_sparse_giants_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    _, data = sign_oms(signer(), OmsStatement.build([Resource(".", "0" * 64)]), detached=True)
    (tmp_path / "s").write_bytes(data)
    with opened(path, tmp_path / "s") as files, pytest.raises(LimitError):
        files.read_range(".", 0, 1)


def test_files_below_signatures_count_like_all_others(folder: Path, signature: Path) -> None:
    """In a bundle nothing but signature files can be there; here it is a folder like any other."""
    planted = folder / "signatures" / "model.py"
    planted.parent.mkdir()
    planted.write_bytes(b"import os")
    assert isinstance(refused(folder, signature), BadSignatureError)
    again = Path(*sign(folder, signer()))
    with verify(folder, signature=again, trust=TRUST) as files:
        assert "signatures/model.py" in files.files  # type: ignore[union-attr]
    planted.write_bytes(b"import 0s")
    assert isinstance(refused(folder, again), DigestMismatchError)
    planted.unlink()
    assert isinstance(refused(folder, again), BadSignatureError)


def test_a_statement_that_ignores_signatures_excuses_none(folder: Path, tmp_path: Path) -> None:
    """As another tool signs with --ignore-paths: what it left out must not be there."""
    resources = [
        Resource(name, hashlib.sha256(data).hexdigest()) for name, data in sorted(FILES.items())
    ]
    detached = tmp_path / "other.json"
    detached.write_bytes(sign_oms(signer(), OmsStatement.build(resources), detached=True)[1])
    verify(folder, signature=detached, trust=TRUST).close()
    (folder / "signatures").mkdir()
    (folder / "signatures" / "x.bin").write_bytes(b"x")
    assert isinstance(refused(folder, detached), BadSignatureError)


def test_gits_own_files_are_named_as_not_covered(folder: Path, signature: Path) -> None:
    with opened(folder, signature) as files:
        assert files.skipped == ()
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_bytes(b"*.pyc")
    with verify(folder, signature=signature, trust=TRUST) as files:
        assert files.skipped == (".git", ".gitignore")  # type: ignore[union-attr]


@pytest.mark.parametrize("called", [".", "./", "sub/..", "sub/../.", "../hub", "../hub/"])
def test_the_signature_lies_beside_a_folder_however_it_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch, called: str
) -> None:
    monkeypatch.chdir(folder)
    (name,) = sign(called, signer())
    assert [path.name for path in folder.parent.iterdir() if path.is_file()] == [
        "hub.sigstore.json"
    ]
    assert os.path.samefile(name, folder.parent / "hub.sigstore.json")
    verify(called, signature=name, trust=TRUST).close()


def test_the_parent_folder_has_a_name_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "sub")
    (name,) = sign("..", signer())
    assert os.path.samefile(name, folder.parent / "hub.sigstore.json")


def test_a_root_has_nothing_beside_it() -> None:
    for root in ("/", "//", "/.", "/.."):
        with pytest.raises(UsageError) as caught:
            sign(root, signer())
        assert "--signature FILE" in (caught.value.hint or "")


def test_a_current_folder_that_is_gone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for action in (
        lambda: write("m.safemodel", small()),
        lambda: write("m", small(), layout="folder"),
        lambda: sign(folder, signer(), signature="hub.sigstore.json"),
        lambda: sign(".", signer()),
    ):
        with pytest.raises(SourceError) as caught:
            action()
        assert caught.value.path
    with pytest.raises(SourceError, match="current folder: No such file") as caught:
        write("m.safemodel", small())
    assert "current folder is gone" in (caught.value.hint or "")
    (name,) = sign(folder, signer())
    verify(folder, signature=name, trust=TRUST).close()
