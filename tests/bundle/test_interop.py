"""Others' tools: unzip, zipfile, 7-Zip, safetensors, and the stock `model_signing` command."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
from safetensors import safe_open

from safemodel import limits
from safemodel.bundle import inspect, pack, sign, unpack, verify
from safemodel.bundle.contents import Payload, TensorData
from safemodel.bundle.detached import VerifiedFiles
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    SafemodelError,
    UntrustedSignerError,
)
from safemodel.format.weights import ITEM_SIZES, TensorSpec
from safemodel.trust.keys import Signer
from safemodel.trust.policy import TrustedKeys

from .attacks import TRUST, members_of
from .samples import content, contents, signer, small, tensor, verified

MIB = 1 << 20
STOCK = Path(sys.executable).with_name("model_signing")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)


def tools(path: Path) -> Iterator[tuple[str, subprocess.CompletedProcess[str]]]:
    for name, command in {
        "unzip": ["unzip", "-t", path],
        "zipinfo": ["zipinfo", "-v", path],
        "7z": ["7z", "t", path],
    }.items():
        if shutil.which(command[0]):  # type: ignore[arg-type]
            yield name, run(*command)


MODELS: dict[str, Any] = {
    "small": small,
    "empty": contents,
    "deep": lambda: contents(
        members={f"a/b/c/d/e/f/g/{i}": Payload(b"x" * i, "text/plain") for i in range(30)}
    ),
    "chunks": lambda: contents(tensor("a", (3 * MIB,)), tensor("b", (5,))),
}


@pytest.mark.parametrize("model", MODELS)
def test_zip_tools_accept_the_archive(tmp_path: Path, model: str) -> None:
    path = tmp_path / "m.safemodel"
    write(path, MODELS[model](), signers=[signer()], oms=True)
    sign(path, [signer(), signer("second")])
    expected = dict(members_of(path.read_bytes()))
    checked = 0
    for name, done in tools(path):
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        assert "warning" not in (done.stdout + done.stderr).lower(), (name, done.stdout)
        checked += 1
    if checked < 3:
        pytest.skip("not all of unzip, zipinfo, 7z are installed")
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == expected
        assert file.namelist() == list(expected)


def test_what_unzip_makes_is_the_bundle(tmp_path: Path) -> None:
    if not shutil.which("unzip"):
        pytest.skip("unzip is not installed")
    path = tmp_path / "m.safemodel"
    write(path, small(), signers=[signer()])
    assert run("unzip", "-q", path, "-d", tmp_path / "f").returncode == 0
    assert verified(tmp_path / "f", trust=TRUST) == verified(path, trust=TRUST)
    pack(tmp_path / "f", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_safetensors_shows_exactly_our_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SHARD_TENSORS", 15)
    dtypes = [d for d in ITEM_SIZES if d != "F8_E4M3FNUZ" and d != "F8_E5M2FNUZ"]
    model = contents(
        *(tensor(f"{d}.{i}", (i, 3), dtype=d) for d in dtypes for i in (0, 1, 5)),
        tensor("scalar", (), dtype="F64"),
        tensor('odd name "\\/~', (7,)),
    )
    write(tmp_path / "m", model, signers=[signer()])
    unpack(tmp_path / "m", tmp_path / "f")
    ours = verified(tmp_path / "f", trust=TRUST)["tensors"]
    theirs: dict[str, Any] = {}
    shards = sorted((tmp_path / "f").glob("weights*.safetensors"))
    assert len(shards) > 2
    for shard in shards:
        for name, info in safetensors.deserialize(shard.read_bytes()):
            theirs[name] = (info["dtype"], tuple(info["shape"]), bytes(info["data"]))
        with safe_open(str(shard), "numpy") as file:
            assert file.metadata() is None
            assert set(file.keys()) <= set(ours)
    assert theirs == ours


def zeros(count: int) -> Any:
    piece = bytes(16 * MIB)
    return lambda: (piece for _ in range(count))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_archive_above_4_gib(tmp_path: Path) -> None:
    """A member over 4 GiB, and members that begin behind 4 GiB: ZIP64 in every place."""
    if shutil.disk_usage(tmp_path).free < 12 << 30:
        pytest.skip("needs 12 GB of disk")
    path = tmp_path / "m.safemodel"
    count = 258  # 4.03 GiB
    big = TensorSpec("big", "U8", (count * 16 * MIB,))
    model = contents(TensorData(big, zeros(count)), tensor("last", (7,)), members=small().members)
    write(path, model, signers=[signer()])
    assert path.stat().st_size > 1 << 32
    with verify(path, trust=TRUST) as bundle:
        assert bytes(bundle.tensor("last").buffer) == content("last", 7)
        assert bytes(bundle.rows("big", big.nbytes - 5, big.nbytes).buffer) == bytes(5)
        assert bundle.member("README.md") == b"# A model\n"
    sign(path, signer("second"))
    assert len(inspect(path).signatures) == 2
    for name, done in tools(path):
        assert done.returncode == 0, (name, done.stdout[-2000:], done.stderr)
    with zipfile.ZipFile(path) as file:
        assert file.read("README.md") == b"# A model\n"
        info = file.getinfo("weights-00001-of-00002.safetensors")
        assert info.file_size > 1 << 32
    # A flip behind 4 GiB
    with path.open("r+b") as raw:
        raw.seek((1 << 32) + 12345)
        raw.write(b"\1")
    with open_bundle(path, trust=TRUST) as bundle, pytest.raises(DigestMismatchError, match="big"):
        bundle.rows("big", big.nbytes - 40 * MIB, big.nbytes)
    with pytest.raises(DigestMismatchError):
        verify(path, trust=TRUST)


# The stock model_signing command


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.key, a.pub: the usual key; b.key, b.pub: somebody else's."""
    if not STOCK.exists():
        pytest.skip("model_signing is not installed")
    folder = tmp_path_factory.mktemp("keys")
    for name, key in {"a": signer(), "b": signer("second")}.items():
        key.save(folder / f"{name}.key")
        key.public_key.save(folder / f"{name}.pub")
    return folder


def stock_verify(target: Path, signature: Path, key: Path) -> bool:
    done = run(STOCK, "verify", "key", target, "--signature", signature, "--public_key", key)
    assert "Traceback" not in done.stderr
    return done.returncode == 0


def stock_sign(target: Path, signature: Path, key: Path, *more: str | Path) -> None:
    done = run(STOCK, "sign", "key", target, "--signature", signature, "--private_key", key, *more)
    assert done.returncode == 0, done.stderr


def test_stock_command_verifies_an_unpacked_bundle(keys: Path, tmp_path: Path) -> None:
    """With three signature files in it; and we verify what the stock command signed."""
    path, folder = tmp_path / "m.safemodel", tmp_path / "f"
    write(path, small(), signers=[signer()], oms=True)
    sign(path, signer("second"))
    sign(path, Signer.generate("ecdsa-p384"), oms=True)
    unpack(path, folder)
    files = sorted((folder / "signatures").iterdir())
    assert len(files) == 3
    ours = folder / f"signatures/{signer().public_key.key_id}.oms.sigstore.json"
    assert stock_verify(folder, ours, keys / "a.pub")
    assert not stock_verify(folder, ours, keys / "b.pub")
    # A co-signature by the stock command, in place
    key_id = signer("second").public_key.key_id
    theirs = folder / f"signatures/{key_id}.oms.sigstore.json"
    stock_sign(folder, theirs, keys / "b.key", "--ignore-paths", folder / "signatures")
    assert stock_verify(folder, ours, keys / "a.pub")
    both = TrustedKeys(keys / "a.pub", keys / "b.pub")
    with verify(folder, trust=both) as bundle:
        assert sorted(s.kind for s in bundle.signers) == ["manifest", "oms", "oms"]
    alone = TrustedKeys(keys / "b.pub")
    (folder / f"signatures/{key_id}.manifest.sigstore.json").unlink()
    with verify(folder, trust=alone) as bundle:
        assert [s.kind for s in bundle.signers] == ["oms"]
    # Packed it is an archive like any other, and comes back the same
    pack(folder, tmp_path / "packed")
    with verify(tmp_path / "packed", trust=alone) as bundle:
        assert [s.file for s in bundle.signers] == [f"signatures/{key_id}.oms.sigstore.json"]
    # The content still counts
    readme = folder / "README.md"
    readme.write_bytes(b"# a model\n")
    assert not stock_verify(folder, ours, keys / "a.pub")
    with pytest.raises(DigestMismatchError):
        verify(folder, trust=alone)


def test_stock_signature_that_lists_the_earlier_signature_files(keys: Path, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    write(folder, small(), signers=[signer()], layout="folder")
    key_id = signer("second").public_key.key_id
    theirs = folder / f"signatures/{key_id}.oms.sigstore.json"
    stock_sign(folder, theirs, keys / "b.key")
    payload = json.loads(
        base64.b64decode(json.loads(theirs.read_bytes())["dsseEnvelope"]["payload"])
    )
    listed = [r["name"] for r in payload["predicate"]["resources"]]
    assert any(name.startswith("signatures/") for name in listed)
    with verify(folder, trust=TrustedKeys(keys / "b.pub")) as bundle:
        assert [s.kind for s in bundle.signers] == ["oms"]


def test_a_lying_oms_statement_over_a_bundle_is_refused(tmp_path: Path) -> None:
    """The manifest's digest is right, another file's is not, or files are left out or added."""
    from safemodel.trust.oms import OmsStatement, Resource
    from safemodel.trust.signatures import sign_oms

    folder = tmp_path / "f"
    write(folder, small(), signers=[signer()], layout="folder", oms=True)
    with verify(folder, trust=TRUST) as bundle:
        statement = bundle.signers[0].statement
    assert isinstance(statement, OmsStatement)
    good = {r.name: r.digest for r in statement.resources}
    for change, error in [
        ({"README.md": "0" * 64}, DigestMismatchError),
        ({"weights.safetensors": "0" * 64}, DigestMismatchError),
        ({"README.md": None}, BadSignatureError),
        ({"more.txt": "0" * 64}, BadSignatureError),
        ({"manifest.json": "0" * 64}, BadSignatureError),
    ]:
        lie = {**good, **change}
        resources = [Resource(n, d) for n, d in lie.items() if d is not None]
        name, data = sign_oms(signer(), OmsStatement.build(resources))
        (folder / name).write_bytes(data)
        with pytest.raises(error) as caught:
            verify(folder, trust=TRUST)
        assert isinstance(caught.value, SafemodelError)
        if error is BadSignatureError:  # then it is already enough to open it
            with pytest.raises(error):
                open_bundle(folder, trust=TRUST)
        if "manifest.json" not in change:
            assert next(iter(change)) in str(caught.value)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder as of a model hub: hidden and empty files, odd names, nested, with git's files."""
    folder = tmp_path / "hub"
    for name, data in {
        "config.json": b"{}",
        "model.safetensors": content("m", 3 * MIB + 7),
        ".hidden": b"h",
        "empty": b"",
        "sub/a b \u00e9.txt": b"text",
        "sub/deep/er/x": b"x",
        ".git/HEAD": b"ref",
        ".gitattributes": b"*.safetensors filter=lfs",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_stock_command_verifies_our_signature_of_a_plain_folder(keys: Path, plain: Path) -> None:
    beside = plain.with_name("hub.sigstore.json")
    assert sign(plain, signer()) == (str(beside),)
    assert stock_verify(plain, beside, keys / "a.pub")
    assert not stock_verify(plain, beside, keys / "b.pub")
    with verify(plain, trust=TRUST, signature=beside) as files:
        assert isinstance(files, VerifiedFiles)
        assert files.read(".hidden") == b"h"
    (plain / ".git" / "HEAD").write_bytes(b"other")  # neither looks at git's files
    assert stock_verify(plain, beside, keys / "a.pub")
    verify(plain, trust=TRUST, signature=beside).close()
    (plain / "config.json").write_bytes(b"[]")
    assert not stock_verify(plain, beside, keys / "a.pub")
    with pytest.raises(DigestMismatchError, match=r"config\.json"):
        verify(plain, trust=TRUST, signature=beside)


def test_we_verify_the_stock_commands_signature_of_a_plain_folder(keys: Path, plain: Path) -> None:
    beside = plain.with_name("stock.sig")
    stock_sign(plain, beside, keys / "a.key")
    with verify(plain, trust=TRUST, signature=beside) as files:
        assert isinstance(files, VerifiedFiles)
        assert files.read_range("model.safetensors", MIB, 100) == content("m", 2 * MIB)[MIB:][:100]
        assert [s.kind for s in files.signers] == ["oms"]
    with pytest.raises(UntrustedSignerError):
        verify(plain, trust=TrustedKeys(keys / "b.pub"), signature=beside)
    (plain / "model.safetensors").write_bytes(content("other", 3 * MIB + 7))
    with pytest.raises(DigestMismatchError, match=r"model\.safetensors"):
        verify(plain, trust=TRUST, signature=beside)
    # A signature that lies in the folder, as the stock command makes by default
    inside = plain / "model.sig"
    stock_sign(plain, inside, keys / "a.key")
    verify(plain, trust=TRUST, signature=inside).close()
    ours = plain / "ours.json"
    inside.unlink()
    sign(plain, signer(), signature=ours)
    assert stock_verify(plain, ours, keys / "a.pub")
    verify(plain, trust=TRUST, signature=ours).close()


def test_single_files_both_ways(keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + content("g", 2 * MIB))
    (beside,) = sign(path, signer())
    assert beside == str(path) + ".sigstore.json"
    assert stock_verify(path, Path(beside), keys / "a.pub")
    stock = tmp_path / "stock.sig"
    stock_sign(path, stock, keys / "a.key")
    for signature in (beside, stock):
        with verify(path, trust=TRUST, signature=signature) as files:
            assert isinstance(files, VerifiedFiles)
            assert files.read() == path.read_bytes()
    path.write_bytes(b"GGUF" + content("h", 2 * MIB))
    for signature in (beside, stock):
        with pytest.raises(DigestMismatchError):
            verify(path, trust=TRUST, signature=signature)
    assert not stock_verify(path, Path(beside), keys / "a.pub")
