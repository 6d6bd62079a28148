"""pack and unpack are pure copies; signing again changes nothing but signatures."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from safemodel import limits
from safemodel.bundle import inspect, pack, sign, unpack, verify
from safemodel.bundle.contents import Payload
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    LimitError,
    MemberNameError,
    SafemodelError,
    SourceError,
    UnsignedError,
    UntrustedSignerError,
    UsageError,
)
from safemodel.trust.keys import Signer
from safemodel.trust.policy import UNSIGNED, TrustedKeys

from .attacks import TRUST, members_of, rebuilt
from .samples import content, contents, everything, signer, small, tensor, verified

MIB = 1 << 20


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.safemodel"
    write(path, small(), signers=[signer()])
    sign(path, signer("second"), oms=True)
    return path


@pytest.mark.parametrize("digest", ["blake3", "sha256"])
@pytest.mark.parametrize("size", [0, 1, 9 * MIB + 7])
def test_unpack_and_pack_give_the_same_bytes(tmp_path: Path, digest: str, size: int) -> None:
    path = tmp_path / "m"
    model = contents(
        tensor("a", (size,)),
        tensor("b", (5,)),
        members={"deep/er/x.txt": Payload(content("x", size), "text/plain")},
    )
    name = write(path, model, signers=[signer()], digest=digest)
    sign(path, signer("second"), oms=True)
    assert unpack(path, tmp_path / "f") == name
    assert tree(tmp_path / "f") == dict(members_of(path.read_bytes()))
    assert pack(tmp_path / "f", tmp_path / "again") == name
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    # Between like encodings too
    pack(path, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    unpack(tmp_path / "f", tmp_path / "g")
    assert tree(tmp_path / "g") == tree(tmp_path / "f")
    assert verified(tmp_path / "f", trust=TRUST) == verified(path, trust=TRUST)


def test_a_folder_and_an_archive_written_from_one_model_are_copies(tmp_path: Path) -> None:
    write(tmp_path / "a", small(), signers=[signer()])
    write(tmp_path / "f", small(), signers=[signer()], layout="folder")
    unpack(tmp_path / "a", tmp_path / "unpacked")
    assert tree(tmp_path / "unpacked") == tree(tmp_path / "f")
    pack(tmp_path / "f", tmp_path / "packed")
    assert (tmp_path / "packed").read_bytes() == (tmp_path / "a").read_bytes()


def test_targets_must_be_new(path: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    for target in ("there", "file"):
        with pytest.raises(SourceError):
            unpack(path, tmp_path / target)
        with pytest.raises(SourceError):
            pack(path, tmp_path / target)
    with pytest.raises(SourceError, match="is a folder"):
        pack(path, tmp_path / "there", overwrite=True)
    pack(path, tmp_path / "file", overwrite=True)
    assert (tmp_path / "file").read_bytes() == path.read_bytes()
    pack(path, path, overwrite=True)  # onto itself
    assert (tmp_path / "file").read_bytes() == path.read_bytes()


def test_damaged_content_is_not_copied(path: Path, tmp_path: Path) -> None:
    good = path.read_bytes()
    path.write_bytes(good.replace(b"# A model\n", b"# a model\n"))
    before = sorted(os.listdir(tmp_path))
    for action in (unpack, pack):
        with pytest.raises(DigestMismatchError) as caught:
            action(path, tmp_path / "x")
        assert caught.value.place == "README.md"
        assert caught.value.path == str(path)
    with pytest.raises(DigestMismatchError):
        sign(path, signer("third"), oms=True)  # it reads every byte
    assert sorted(os.listdir(tmp_path)) == before
    unpack_ok = tmp_path / "f"
    path.write_bytes(good)
    unpack(path, unpack_ok)
    (unpack_ok / "README.md").write_bytes(b"# b model\n")
    for action in (unpack, pack):
        with pytest.raises(DigestMismatchError):
            action(unpack_ok, tmp_path / "x")
    with pytest.raises(DigestMismatchError):
        sign(unpack_ok, signer("third"), oms=True)


def test_every_header_is_checked_before_a_copy(path: Path, tmp_path: Path) -> None:
    good = path.read_bytes()
    at = good.index(b"assets/empty.txt")  # of the local header of a member without bytes
    path.write_bytes(good[:at] + b"b" + good[at + 1 :])
    for action in (unpack, pack):
        with pytest.raises(SafemodelError):
            action(path, tmp_path / "x")
    with pytest.raises(SafemodelError):
        sign(path, signer("third"))


def test_signatures_of_strange_names_are_not_copied(path: Path, tmp_path: Path) -> None:
    unpack(path, tmp_path / "f")
    (tmp_path / "f" / "signatures" / "notes.json").write_bytes(b"{}")
    with pytest.raises(MemberNameError):
        pack(tmp_path / "f", tmp_path / "x")
    assert not (tmp_path / "x").exists()


# Signing again


@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_signing_changes_nothing_but_signatures(tmp_path: Path, layout: Any) -> None:
    path = tmp_path / "m"
    write(path, small(), layout=layout)
    with pytest.raises(UnsignedError):
        verify(path, trust=TRUST)

    def members() -> dict[str, bytes]:
        return tree(path) if layout == "folder" else dict(members_of(path.read_bytes()))

    before = members()
    names = sign(path, [signer(), signer("second")])
    assert names == tuple(
        f"signatures/{k.public_key.key_id}.manifest.sigstore.json"
        for k in (signer(), signer("second"))
    )
    after = members()
    assert {n: d for n, d in after.items() if not n.startswith("signatures/")} == before
    assert sorted(n for n in after if n.startswith("signatures/")) == sorted(names)
    assert len(verified(path, trust=TRUST)["signers"]) == 1
    both = TrustedKeys(signer().public_key, signer("second").public_key)
    assert len(verified(path, trust=both)["signers"]) == 2
    sign(path, signer("second"), oms=True)
    kinds = sorted(s.kind for s in verify(path, trust=both).signers)
    assert kinds == ["manifest", "manifest", "oms"]
    with pytest.raises(UntrustedSignerError):
        verify(path, trust=TrustedKeys(signer("third").public_key))
    if layout == "archive":
        # Byte for byte what the writer makes with all of them at once, in any order
        other = tmp_path / "other"
        write(other, small(), signers=[signer("second")], oms=True)
        sign(other, signer("second"))
        sign(other, signer())
        assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_ones_own_signature_is_replaced(tmp_path: Path, layout: Any) -> None:
    path = tmp_path / "m"
    write(path, small(), signers=[signer()], note="first", layout=layout)
    count = len(inspect(path).signatures)
    sign(path, signer(), note="second")
    with verify(path, trust=TRUST) as bundle:
        assert [s.statement.note for s in bundle.signers] == ["second"]  # type: ignore[union-attr]
    assert len(inspect(path).signatures) == count == 1


@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_sixty_four_signatures_are_the_most(tmp_path: Path, layout: Any) -> None:
    path = tmp_path / "m"
    keys = [Signer.generate("ed25519") for _ in range(limits.MAX_SIGNATURES)]
    write(path, small(), signers=keys, layout=layout)
    trust = TrustedKeys(*(key.public_key for key in keys))
    assert len(verified(path, trust=trust)["signers"]) == 64
    before = tree(path) if layout == "folder" else path.read_bytes()
    with pytest.raises(LimitError, match="more than 64"):
        sign(path, signer())
    sign(path, keys[3], note="again")  # one's own may be replaced
    assert (tree(path) if layout == "folder" else path.read_bytes()) != before
    assert len(verified(path, trust=trust)["signers"]) == 64
    with pytest.raises(LimitError):
        write(tmp_path / "n", small(), signers=[*keys, signer()], layout=layout)
    if layout == "folder":
        (path / "signatures" / f"{1:064x}.manifest.sigstore.json").write_bytes(b"{}")
        for trusted in (trust, UNSIGNED):
            with pytest.raises(LimitError):
                verify(path, trust=trusted)
        with pytest.raises(LimitError):
            inspect(path)


@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_oversized_signatures_and_manifests(
    tmp_path: Path, layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m"
    write(path, small(), signers=[signer()], layout=layout)
    name = f"signatures/{signer().public_key.key_id}.manifest.sigstore.json"
    large = b" " * (limits.MAX_SIGNATURE_FILE + 1)
    if layout == "folder":
        (path / name).write_bytes(large)
    else:
        with pytest.raises(LimitError):  # not even the attack can be built with our tools
            rebuilt([*members_of(path.read_bytes())[:-1], (name, large)])
        monkeypatch.setattr(limits, "MAX_SIGNATURE_FILE", 2 * len(large))
        path.write_bytes(rebuilt([*members_of(path.read_bytes())[:-1], (name, large)]))
        monkeypatch.undo()
    for action in (
        lambda: verify(path, trust=TRUST),
        lambda: inspect(path),
        lambda: sign(path, signer("second")),
        lambda: pack(path, tmp_path / "x"),
    ):
        with pytest.raises(LimitError) as caught:
            action()
        assert "signatures/" in str(caught.value)
    write(tmp_path / "n", small(), signers=[signer()], layout=layout)
    monkeypatch.setattr(limits, "MAX_MANIFEST_SIZE", 100)
    with pytest.raises(LimitError, match=r"manifest\.json"):
        verify(tmp_path / "n", trust=TRUST)


def test_signing_without_the_kernels_help(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """copy_file_range that is not there, fails, or stops early: the same bytes come out."""
    data = path.read_bytes()
    sign(path, signer("third"))
    expected = path.read_bytes()
    real = os.copy_file_range

    def fails(*_: Any) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def stops(source: int, target: int, count: int, *offsets: int) -> int:
        return real(source, target, min(count, 10), *offsets) if offsets[0] < 50 else 0

    for substitute in (fails, stops, None):
        path.write_bytes(data)
        with monkeypatch.context() as patch:
            if substitute is None:
                patch.delattr(os, "copy_file_range")
            else:
                patch.setattr(os, "copy_file_range", substitute)
            sign(path, signer("third"))
        assert path.read_bytes() == expected


def test_signing_a_file_that_became_shorter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.bundle.source import FileSource

    before = path.read_bytes()
    real = FileSource.copy_to

    def cut(self: FileSource, descriptor: int, length: int) -> None:
        os.truncate(self.path, 100)
        real(self, descriptor, length)

    monkeypatch.setattr(FileSource, "copy_to", cut)
    with pytest.raises(SourceError, match="became shorter"):
        sign(path, signer("third"))
    assert path.read_bytes() == before[:100]
    assert os.listdir(path.parent) == [path.name]


def test_sources_copy_themselves(path: Path, tmp_path: Path) -> None:
    """All three kinds, in blocks."""
    from safemodel.bundle.folder import Folder, FolderFile
    from safemodel.bundle.source import BytesSource, open_file

    data = content("x", 9 * MIB)
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").write_bytes(data)
    folder = Folder(str(tmp_path / "f"))
    for source in (
        BytesSource(data),
        open_file(str(tmp_path / "f" / "x")),
        FolderFile(folder, "x", len(data)),
    ):
        with (tmp_path / "out").open("w+b") as out:
            source.copy_to(out.fileno(), 8 * MIB + 3)
        assert (tmp_path / "out").read_bytes() == data[: 8 * MIB + 3]
        source.close()


# Detached signatures over bundles


@pytest.mark.parametrize("oms", [False, True])
@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_detached_signature_over_a_bundle(tmp_path: Path, layout: Any, oms: bool) -> None:
    path, beside = tmp_path / "m", tmp_path / "m.sig"
    write(path, small(), layout=layout)
    before = tree(path) if layout == "folder" else path.read_bytes()
    assert sign(path, signer(), oms=oms, signature=beside) == (str(beside),)
    assert (tree(path) if layout == "folder" else path.read_bytes()) == before
    with pytest.raises(UnsignedError):
        verify(path, trust=TRUST)
    found = verified(path, trust=TRUST, signature=beside)
    assert found == everything(path, trust=TRUST, signature=beside)
    assert found["signers"] == [signer().public_key.key_id]
    with verify(path, trust=UNSIGNED, signature=beside) as bundle:
        assert bundle.signers == ()
    with pytest.raises(UntrustedSignerError):
        verify(path, trust=TrustedKeys(signer("x").public_key), signature=beside)
    # It counts together with those inside, and theirs is not needed
    sign(path, signer("second"))
    both = TrustedKeys(signer().public_key, signer("second").public_key)
    assert len(verified(path, trust=both, signature=beside)["signers"]) == 2
    assert len(verified(path, trust=TRUST, signature=beside)["signers"]) == 1
    # It is not over another bundle
    write(tmp_path / "other", small(seed=1), layout=layout)
    for trust in (TRUST, UNSIGNED):
        with pytest.raises(BadSignatureError):
            verify(tmp_path / "other", trust=trust, signature=beside)


def test_detached_signature_files_that_are_none(path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello")
    with (tmp_path / "giant").open("wb") as file:
        file.truncate(limits.MAX_DETACHED_SIGNATURE_FILE + 1)
    os.mkfifo(tmp_path / "fifo")
    for name in ("empty", "text", "giant", "fifo", "nowhere", "."):
        with pytest.raises(SafemodelError) as caught:
            verify(path, trust=TRUST, signature=tmp_path / name)
        if name == "giant":
            assert isinstance(caught.value, LimitError)
        assert str(tmp_path) in str(caught.value)
    with pytest.raises(UsageError):
        sign(path, [signer(), signer("second")], signature=tmp_path / "x")


def test_inspect_tells_and_verifies_nothing(path: Path, tmp_path: Path) -> None:
    unpack(path, tmp_path / "f")
    for source in (path, tmp_path / "f", path.read_bytes()):
        shown = inspect(source)
        assert shown.digest == verified(path, trust=TRUST)["digest"]
        assert shown.manifest.metadata.name == "acme/fraud"
        assert [t.name for _, t in shown.tensors] == ["layer.0.weight", "scale", "layer.0.bias"]
        assert {m for m, _ in shown.tensors} == {"weights.safetensors"}
        assert len(shown.signatures) == 2
        assert shown.size == sum(len(data) for _, data in members_of(path.read_bytes()))
    assert inspect(path).encoding == "archive"
    assert inspect(tmp_path / "f").encoding == "folder"
    changed = path.read_bytes().replace(content("layer.0.bias", 7), b"changed")
    assert inspect(changed).tensors  # damaged tensors are not looked at
    with pytest.raises(DigestMismatchError), open_bundle(changed, trust=TRUST) as bundle:
        bundle.tensor("layer.0.bias")
