"""What people really run into: each refusal says just that, where, and what to do."""

from __future__ import annotations

import io
import pickle
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy
import pytest
import safetensors.numpy

from safemodel.bundle import inspect, pack, sign, unpack, verify
from safemodel.bundle.contents import Payload
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import (
    BadSignatureError,
    ContainerError,
    DigestMismatchError,
    ExpiredError,
    GitLfsPointerError,
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
    WeightsError,
    WrongModelError,
)
from safemodel.format.manifest import parse
from safemodel.trust.policy import UNSIGNED, TrustedKeys

from .attacks import TRUST, members_of, rebuilt, refused
from .samples import contents, signer, small, tensor

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.safemodel"
    write(path, small(), signers=[signer()])
    return path


def refusal(path: Path, **arguments: Any) -> SafemodelError:
    """The one error that every way in raises for this file; its parts are as they must be."""
    errors = refused(path, **arguments)
    assert len({(type(e), str(e), e.hint) for e in errors}) == 1
    error = errors[0]
    assert error.path is not None
    assert error.path.startswith(str(path))
    assert not error.message[0].isupper()
    assert not error.message.endswith(".")
    return error


def zipped(names: dict[str, bytes], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as file:
        for name, data in names.items():
            file.writestr(name, data)
    return out.getvalue()


LFS = b"""version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
"""


def npz() -> bytes:
    out = io.BytesIO()
    numpy.savez(out, a=numpy.zeros(3))
    return out.getvalue()


def npy() -> bytes:
    out = io.BytesIO()
    numpy.save(out, numpy.zeros(3))
    return out.getvalue()


NOT_BUNDLES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "is empty", "get it anew"),
    "text": (b"hello, world\n", "is a text file, not", "`safemodel sign FILE`"),
    "utf8": ("h\u00e9llo \u4e16\n".encode() * 3000, "is a text file, not", "--signature FILE"),
    "html": (b"\n<!DOCTYPE html><html>Not found</html>", "is a web page, not", "--signature FILE"),
    "json": (b'{"a": 1}', "is a text file, not", "--signature FILE"),
    "pickle": (pickle.dumps({"a": [1.5]}), "is a pickle file, not", "legacy model files"),
    "pickle2": (pickle.dumps({"a": [1.5]}, 2), "is a pickle file, not", "legacy model files"),
    "torch": (
        zipped({"archive/data.pkl": b"\x80\x02}q\x00.", "archive/version": b"3\n"}),
        "is a ZIP file (PyTorch, Keras, NumPy .npz?), not",
        "legacy model files",
    ),
    "npz": (npz(), "is a ZIP file (PyTorch, Keras, NumPy .npz?), not", "--signature FILE"),
    "npy": (npy(), "is a NumPy .npy file, not", "legacy"),
    "keras": (
        zipped({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b""}),
        "is a ZIP file",
        "legacy",
    ),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file", "legacy"),
    "gguf": (b"GGUF" + bytes(100), "is a GGUF file", "--signature FILE"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "is a gzip file", "legacy"),
    "safetensors": (
        safetensors.numpy.save({"a": numpy.zeros(3)}),
        "is a bare safetensors file",
        "safemodel.save",
    ),
    "zeros": (bytes(5000), "is something else, not", "--signature FILE"),
}


ORDINARY = {
    "space": {"a b.txt": b"a"},
    "folder": {"d/": b"", "d/a.txt": b"a"},
    "device": {"con.txt": b"a"},
    "accents": {"\u00e9.txt": b"a"},
    "long": {"x" * 300: b"a"},
    "dots": {"../a": b"a"},
    "mentions": {"a.txt": b"see manifest.json"},
    "similar": {"old-manifest.json": b"{}", "manifest.json.bak": b"{}", "weights.txt": b"1"},
    "below": {"addon/manifest.json": b"{}"},
}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("kind", ORDINARY)
def test_an_ordinary_zip_is_a_plain_file(tmp_path: Path, kind: str, compression: int) -> None:
    path = tmp_path / "plain.zip"
    path.write_bytes(zipped(ORDINARY[kind], compression=compression))
    error = refusal(path)
    assert type(error) is NotABundleError
    assert "`safemodel sign FILE`" in (error.hint or "")
    (signature,) = sign(path, signer())
    verify(path, signature=signature, trust=TRUST).close()
    path.write_bytes(path.read_bytes()[:-30])  # nor does a cut make a bundle of it
    assert type(refusal(path)) is NotABundleError


def test_a_member_of_the_name_makes_a_damaged_bundle(tmp_path: Path) -> None:
    path = tmp_path / "m.safemodel"
    path.write_bytes(zipped({"a b.txt": b"a", "manifest.json": b"{}"}))
    assert type(refusal(path)) is MemberNameError
    assert type(refusal(path, signature=__file__)) is MemberNameError


def test_without_weights_a_cut_archive_is_still_ours(tmp_path: Path) -> None:
    path = tmp_path / "m.safemodel"
    write(path, contents(members={"notes.txt": Payload(b"x" * 99, "text/plain")}))
    data = path.read_bytes()
    for kept in (50, 100, len(data) - 200):
        path.write_bytes(data[:kept])
        assert type(refusal(path)) is TruncatedError


@pytest.mark.parametrize("kind", NOT_BUNDLES)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, kind: str) -> None:
    data, message, hint = NOT_BUNDLES[kind]
    path = tmp_path / "model"
    path.write_bytes(data)
    for trust in (TRUST, UNSIGNED):
        error = refusal(path, trust=trust)
        assert type(error) is NotABundleError
        assert error.message.startswith(message)
        assert hint in (error.hint or "")
        assert error.exit_code == 2
    for action in (inspect, lambda p: pack(p, tmp_path / "x"), lambda p: unpack(p, tmp_path / "x")):
        with pytest.raises(NotABundleError):
            action(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


def test_git_lfs_pointer(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(LFS)
    error = refusal(path)
    assert type(error) is GitLfsPointerError
    assert error.message == f"is a Git LFS pointer ({len(LFS)} bytes), not the file itself"
    assert "git lfs pull" in (error.hint or "")
    for action in (sign, lambda p, k: sign(p, k, oms=True)):
        with pytest.raises(GitLfsPointerError):  # must not be signed as if it were the model
            action(path, signer())
    with pytest.raises(GitLfsPointerError):
        verify(path, trust=TRUST, signature=path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_truncated_download(tmp_path: Path, share: float) -> None:
    path = tmp_path / "m.safemodel"
    write(path, contents(tensor("a", (3 * MIB,))), signers=[signer()])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    error = refusal(path)
    assert type(error) is TruncatedError
    assert error.message == "ends before its central directory"
    assert error.hint == "the download or copy was cut short; get the file anew"
    assert error.exit_code == 1


def test_truncated_download_within_the_end_record(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-3])
    error = refusal(path)
    assert isinstance(error, TruncatedError | ContainerError)


def test_truncated_download_without_tensors(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, contents(members={"big.bin": Payload(bytes(5000), "text/plain")}))
    path.write_bytes(path.read_bytes()[:3000])
    error = refusal(path)
    assert type(error) is TruncatedError
    assert "before its central directory" in error.message


def test_bytes_cut_out_or_added(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + data[4200:])
    error = refusal(path)
    assert type(error) is ContainerError
    assert error.message == f"an archive of {len(data)} bytes in a file of {len(data) - 104}"
    assert error.hint == "something was cut from it, put before it or added to it"


def test_bundle_that_was_zipped_by_another_program(path: Path) -> None:
    packed = zipped(dict(members_of(path.read_bytes())), compression=zipfile.ZIP_DEFLATED)
    path.write_bytes(packed)
    error = refusal(path)
    assert type(error) is ContainerError
    assert "safemodel pack" in (error.hint or "")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nowhere.safemodel")
    assert type(error) is MissingFileError
    assert error.message == "no such file"
    assert error.exit_code == 2
    for action in (inspect, lambda p: pack(p, tmp_path / "x"), lambda p: sign(p, signer())):
        with pytest.raises(MissingFileError):
            action(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 5000])
def test_impossible_paths(path: str) -> None:
    for action in (
        lambda: verify(path),
        lambda: inspect(path),
        lambda: sign(path, signer()),
        lambda: write(path, small()),
        lambda: write(path, small(), layout="folder"),
        lambda: verify(__file__, signature=path),
    ):
        with pytest.raises(SourceError):
            action()


def test_folder_without_manifest(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"{}")
    error = refusal(tmp_path)
    assert type(error) is NotABundleError
    assert error.message == "is a folder without manifest.json, not a bundle"
    assert "detached signature" in (error.hint or "")
    for step in (30, 40):
        write(tmp_path / f"step-{step:09}.safemodel", small())
    assert "name one of them: 'step-000000040.safemodel'" in (refusal(tmp_path).hint or "")
    (tmp_path / "weights.safetensors").write_bytes(b"")
    error = refusal(tmp_path)
    assert type(error) is MissingMemberError
    assert error.message == "has no manifest.json"


def sharded(path: Path, layout: str = "folder") -> None:
    """Two shards: readers accept other cuts than ours."""
    write(path, small(), signers=[signer()], layout=layout)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["folder", "archive"])
def test_missing_shard(tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel import limits

    monkeypatch.setattr(limits, "SHARD_TENSORS", 1)
    path = tmp_path / "m"
    sharded(path, layout)
    name = "weights-00002-of-00003.safetensors"
    if layout == "folder":
        (path / name).unlink()
    else:
        path.write_bytes(rebuilt([m for m in members_of(path.read_bytes()) if m[0] != name]))
    error = refusal(path)
    assert type(error) is MissingMemberError
    assert str(error) == f"{path}: {name}: is declared in the manifest but not there"
    assert error.hint == "the bundle is incomplete; get the missing member from its source"


def test_truncated_shard_in_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, contents(tensor("a", (5000,))), signers=[signer()], layout="folder")
    with (path / "weights.safetensors").open("r+b") as file:
        file.truncate(3000)
    error = refusal(path)
    assert type(error) is TruncatedError
    assert error.place == "weights.safetensors"
    assert error.message.startswith("is 3000 bytes, the manifest declares 5")
    assert "get the file anew" in (error.hint or "")


def test_lfs_pointer_within_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, contents(tensor("a", (5000,))), signers=[signer()], layout="folder")
    (path / "weights.safetensors").write_bytes(LFS)
    error = refusal(path)
    assert error.place == "weights.safetensors"
    assert isinstance(error, GitLfsPointerError)
    assert "git lfs pull" in (error.hint or "")


# Who signed, and what


def test_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, small())
    error = refusal(path)
    assert type(error) is UnsignedError
    assert "not signed" in error.message
    assert "UNSIGNED" in (error.hint or "")
    with open_bundle(path, trust=UNSIGNED) as bundle:
        assert bundle.signers == ()


def test_untrusted_signer(path: Path) -> None:
    error = refusal(path, trust=TrustedKeys(signer("stranger").public_key))
    assert type(error) is UntrustedSignerError
    assert signer().public_key.key_id in error.message
    assert "safemodel trust add" in (error.hint or "")


def test_signer_trusted_for_other_names_only(path: Path) -> None:
    error = refusal(path, trust=TrustedKeys(signer().public_key, names="other/*"))
    assert type(error) is UntrustedSignerError
    assert "counts for 'acme/fraud'" in error.message


def test_bad_signature(path: Path) -> None:
    *rest, (name, data) = members_of(path.read_bytes())
    other = signer().sign(b"something else")
    import base64
    import json

    file = json.loads(data)
    file["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(other).decode()
    path.write_bytes(rebuilt([*rest, (name, json.dumps(file).encode())]))
    error = refusal(path)
    assert type(error) is BadSignatureError
    assert error.place == name
    # Also when somebody else's good signature is there: the key that counts here is the one named
    with pytest.raises(BadSignatureError):
        verify(path, trust=TrustedKeys(signer().public_key, signer("second").public_key))


def test_expired(tmp_path: Path) -> None:
    path = tmp_path / "m"
    now = datetime.now(UTC)
    write(path, small(), signers=[signer()], expires=now - timedelta(days=1))
    error = refusal(path)
    assert type(error) is ExpiredError
    write(path, small(), signers=[signer()], expires=now + timedelta(days=1), note="ok")
    verify(path, trust=TRUST).close()


def test_wrong_model(path: Path) -> None:
    error = refusal(path, name="acme/spam")
    assert type(error) is WrongModelError
    assert "'acme/fraud'" in error.message
    assert "'acme/spam' was asked for" in error.message
    error = refusal(path, version=">=4")
    assert type(error) is WrongModelError
    assert "3.1" in error.message
    error = refusal(path, digest="0" * 64)
    assert type(error) is WrongModelError
    assert inspect(path).digest in error.message


def test_another_digest_is_refused_before_anything_else_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, small())  # unsigned
    assert type(refusal(path, digest="0" * 64)) is WrongModelError
    path.write_bytes(rebuilt([("manifest.json", b"hello")]))
    assert type(refusal(path, digest="0" * 64, trust=UNSIGNED)) is WrongModelError


@pytest.mark.parametrize("arguments", [{"digest": "xyz"}, {"version": "not a version>="}])
def test_senseless_questions(path: Path, arguments: dict[str, str]) -> None:
    if "version" in arguments:
        arguments = {"version": ">=x"}
    assert type(refusal(path, **arguments)) is UsageError


# Which bytes


def chunked(path: Path, position: int, *, layout: str = "archive") -> tuple[int, int]:
    """A bundle of 3 tensors over 4 chunks, damaged in its weights member; its data start."""
    path_ = path / "weights.safetensors" if layout == "folder" else path
    write(
        path,
        contents(
            tensor("encoder.weight", (2 * MIB,)),
            tensor("decoder.weight", (MIB,)),
            tensor("head.bias", (7,)),
        ),
        signers=[signer()],
        layout=layout,  # type: ignore[arg-type]
    )
    base = 0 if layout == "folder" else 4096
    with path_.open("r+b") as file:
        file.seek(base + position)
        byte = file.read(1)[0]
        file.seek(base + position)
        file.write(bytes([byte ^ 1]))
    return base, position // MIB


@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_digest_mismatch_names_member_bytes_chunk_and_tensor(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "m"
    chunked(path, 2 * MIB + 5000, layout=layout)
    with open_bundle(path, trust=TRUST) as bundle:
        # Canonical order: decoder.weight, encoder.weight, head.bias
        assert len(bundle.tensor("decoder.weight").buffer) == MIB  # elsewhere all is well
        with pytest.raises(DigestMismatchError) as caught:
            bundle.tensor("encoder.weight")
        error = caught.value
        assert error.path == str(path)
        assert error.place == "weights.safetensors, tensor encoder.weight"
        assert error.message == (
            f"bytes {2 * MIB} to {3 * MIB} (chunk 2) differ from the digest in the manifest"
        )
        assert error.region == ("weights.safetensors", 2 * MIB, 3 * MIB)
        assert error.hint == "the file was damaged or changed; get it anew from its source"
        with pytest.raises(DigestMismatchError) as caught:
            bundle.load_weights()
        assert caught.value.message.endswith("; tensors in them: encoder.weight")
        with pytest.raises(DigestMismatchError):  # and nothing of it was kept
            bundle.tensor("encoder.weight")
        assert bundle.rows("encoder.weight", 0, 9).shape == (9,)
    with pytest.raises(DigestMismatchError) as caught:
        verify(path, trust=TRUST)
    assert "chunk 2" in caught.value.message
    assert caught.value.message.endswith("; tensors in them: encoder.weight")
    assert caught.value.place == "weights.safetensors"


def test_digest_mismatch_at_the_border_of_tensors_names_both(tmp_path: Path) -> None:
    path = tmp_path / "m"
    chunked(path, MIB + 500_000)
    with (
        open_bundle(path, trust=TRUST) as bundle,
        pytest.raises(DigestMismatchError) as caught,
    ):
        bundle.load_weights()
    assert caught.value.message.endswith("tensors in them: decoder.weight, encoder.weight")


def test_digest_mismatch_in_the_weights_header(tmp_path: Path) -> None:
    path = tmp_path / "m"
    chunked(path, 20)
    with open_bundle(path, trust=TRUST) as bundle:
        with pytest.raises(DigestMismatchError) as caught:
            bundle.load_weights()
        assert caught.value.message.endswith("; they hold the weights header")
        with pytest.raises(DigestMismatchError):
            _ = bundle.tensors


def test_digest_mismatch_with_many_tensors_names_a_few(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, contents(*(tensor(f"t{i}", (64,)) for i in range(10))), signers=[signer()])
    data = bytearray(path.read_bytes())
    found = inspect(path).tensors[-1][1]
    start = bytes(data).index(b"".join(tensor("t9", (64,)).pieces()))
    data[start] ^= 1
    assert found.name == "t9"
    with (
        open_bundle(bytes(data), trust=TRUST) as bundle,
        pytest.raises(DigestMismatchError) as caught,
    ):
        bundle.load_weights()
    # The header is in the same chunk, and so there are no names to believe
    assert "weights header" in caught.value.message


def test_other_members_name_themselves(path: Path) -> None:
    data = path.read_bytes()
    changed = data.replace(b"# A model\n", b"# A mOdel\n")
    for error in refused(changed):
        assert isinstance(error, DigestMismatchError)
        assert error.place == "README.md"
        assert error.message == "bytes 0 to 10 (chunk 0) differ from the digest in the manifest"


def test_crc_that_does_not_fit_the_bytes_is_found_by_verify(tmp_path: Path) -> None:
    """A manifest with right digests and a wrong CRC-32, validly signed by a faulty writer."""
    from dataclasses import replace

    from safemodel.bundle.write import finish_archive
    from safemodel.format.manifest import encode
    from safemodel.trust.signatures import sign_manifest

    path = tmp_path / "m"
    write(path, small(), signers=[signer()])
    members = dict(members_of(path.read_bytes()))
    manifest = parse(members["manifest.json"])
    files = {n: replace(f, crc32=f.crc32 ^ (n == "README.md")) for n, f in manifest.files.items()}
    import hashlib

    encoded = encode(replace(manifest, files=files))
    signed = sign_manifest(signer(), hashlib.sha256(encoded).hexdigest())
    with path.open("r+b") as file:
        finish_archive(
            file.fileno(),
            {n: (f.size, f.crc32) for n, f in files.items()},
            encoded,
            dict([signed]),
        )
    with open_bundle(path, trust=TRUST) as bundle:  # need not, since digests say more
        assert bundle.member("README.md") == b"# A model\n"
    with pytest.raises(DigestMismatchError) as caught:
        verify(path, trust=TRUST)
    assert caught.value.place == "README.md"
    assert "CRC-32" in caught.value.message


def test_missing_members_and_tensors_of_a_good_bundle(path: Path) -> None:
    with open_bundle(path, trust=TRUST) as bundle:
        with pytest.raises(MissingMemberError) as caught:
            bundle.member("nowhere.txt")
        assert str(caught.value) == f"{path}: nowhere.txt: there is no such member"
        with pytest.raises(MissingMemberError):
            bundle.member("manifest.json")
        with pytest.raises(MissingMemberError) as caught:
            bundle.tensor("nowhere")
        assert str(caught.value) == f"{path}: nowhere: there is no such tensor"


def test_two_shards_with_one_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.bundle import write as module

    path = tmp_path / "m"

    def twice(specs: Any) -> Any:
        specs = tuple(specs)
        return (specs, specs)

    monkeypatch.setattr(module, "split_shards", twice)
    write(path, contents(tensor("a", (3,))), signers=[signer()])
    error = refusal(path)
    assert type(error) is WeightsError
    assert error.message == "tensor a is in another weights member too"
    assert error.place == "weights-00002-of-00002.safetensors"
