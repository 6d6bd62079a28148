"""Arbitrary bytes and trees into every entrance: only our errors come out, and quickly."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safemodel.bundle import inspect, pack, sign, unpack, verify
from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import finish_archive, write
from safemodel.errors import SafemodelError
from safemodel.format.digests import chunk_size, crc32, digest
from safemodel.format.manifest import FileEntry, Manifest, encode
from safemodel.format.weights import ITEM_SIZES, TensorSpec
from safemodel.trust.policy import UNSIGNED
from safemodel.trust.signatures import sign_manifest

from .attacks import TRUST, members_of, outcome, rebuilt, refused_or_same
from .samples import signer, small, verified

SETTINGS = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


class Archive(bytes):
    """Bytes that do not fill the screen when a test fails."""

    def __repr__(self) -> str:
        return f"<archive of {len(self)} bytes>"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "m"
    write(path, small(), signers=[signer()], oms=True)
    return Archive(path.read_bytes())


def enter_everywhere(path: Path) -> None:
    """Every function of the package that takes a path; each may raise only our errors."""
    target = path.parent / "target"
    before = sorted(os.listdir(path.parent))
    for trust in (TRUST, UNSIGNED):
        with contextlib.suppress(SafemodelError):
            verify(path, trust=trust).close()
        with contextlib.suppress(SafemodelError), open_bundle(path, trust=trust) as bundle:
            bundle.load_weights()
            for name in bundle.tensors:
                bundle.tensor(name)
    with contextlib.suppress(SafemodelError):
        verify(path, trust=TRUST, signature=path).close()
    with contextlib.suppress(SafemodelError):
        inspect(path)
    for action in (pack, unpack):
        with contextlib.suppress(SafemodelError):
            action(path, target)
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        assert sorted(os.listdir(path.parent)) == before
    for oms in (False, True):
        with contextlib.suppress(SafemodelError):
            sign(path, signer("second"), oms=oms, signature=target)
            target.unlink()
        with contextlib.suppress(SafemodelError):
            sign(path, signer("second"), oms=oms)
    (path.parent / f"{path.name}.sigstore.json").unlink(missing_ok=True)
    assert sorted(os.listdir(path.parent)) == before


@SETTINGS
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda b: b"PK\x03\x04" + b),
        st.binary(max_size=100).map(lambda b: b + b"PK\x05\x06" + bytes(18)),
        st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")),
    )
)
def test_arbitrary_bytes(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(data)
        enter_everywhere(path)
        assert isinstance(outcome("verify", data), SafemodelError)


MUTATION = st.tuples(
    st.sampled_from(["set", "delete", "insert", "copy", "truncate", "swap"]),
    st.integers(0, 1 << 16),
    st.integers(0, 1 << 16),
    st.binary(min_size=1, max_size=16),
)


def mutated(data: bytes, mutations: list[tuple[str, int, int, bytes]]) -> bytes:
    out = bytearray(data)
    for kind, first, second, piece in mutations:
        if not out:
            break
        at, other = first % len(out), second % len(out)
        if kind == "set":
            out[at : at + len(piece)] = piece
        elif kind == "delete":
            del out[at : at + len(piece)]
        elif kind == "insert":
            out[at:at] = piece
        elif kind == "copy":
            out[at : at + 30] = out[other : other + 30]
        elif kind == "truncate":
            del out[at:]
        else:
            out[at], out[other] = out[other], out[at]
    return bytes(out)


@SETTINGS
@given(st.lists(MUTATION, min_size=1, max_size=4))
def test_mutated_archives(data: bytes, mutations: list[Any]) -> None:
    original = verified(data, trust=TRUST)
    refused_or_same(mutated(data, mutations), original)


@SETTINGS
@given(st.lists(MUTATION, min_size=1, max_size=3))
def test_mutated_archives_everywhere(data: bytes, mutations: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(mutated(data, mutations))
        enter_everywhere(path)


@SETTINGS
@given(st.integers(0, 4), st.lists(MUTATION, min_size=1, max_size=3))
def test_mutated_members_in_a_consistent_archive(
    data: bytes, index: int, mutations: list[Any]
) -> None:
    members = members_of(data)
    name, content = members[index]
    members[index] = (name, mutated(content, mutations))
    with contextlib.suppress(SafemodelError):  # too large for any archive
        refused_or_same(rebuilt(members), verified(data, trust=TRUST))


def resigned(files: dict[str, bytes], manifest: bytes | None = None, **fields: Any) -> bytes:
    """What a hostile signer makes: any members, with a manifest that is right about them."""
    size = chunk_size(map(len, files.values()))
    entries = {
        name: FileEntry(
            len(content),
            crc32(content),
            "application/vnd.safetensors" if name.startswith("weights") else "text/plain",
            b"".join(
                digest("blake3", [content[at : at + size]]) for at in range(0, len(content), size)
            ),
        )
        for name, content in files.items()
    }
    encoded = encode(Manifest(files=entries, **fields)) if manifest is None else manifest
    signature = sign_manifest(signer(), hashlib.sha256(encoded).hexdigest())
    with tempfile.TemporaryFile() as file:
        from safemodel.format import container

        order = container.member_order(files, ())[:-1]
        for entry in container.plan([(name, len(files[name])) for name in order]):
            os.pwrite(file.fileno(), files[entry.name], entry.data_offset)
        finish_archive(
            file.fileno(),
            {n: (e.size, e.crc32) for n, e in entries.items()},
            encoded,
            dict([signature]),
        )
        file.seek(0)
        return file.read()


@SETTINGS
@given(st.lists(MUTATION, min_size=1, max_size=3))
def test_weights_by_a_hostile_signer(data: bytes, mutations: list[Any]) -> None:
    """Everything is signed; only the parser of the weights header stands in the way."""
    weights = mutated(dict(members_of(data))["weights.safetensors"], mutations)
    archive = resigned({"weights.safetensors": weights})
    for way in ("verify", "open", "load", "mapped"):
        found = outcome(way, archive)
        if not isinstance(found, SafemodelError):
            total = sum(len(content) for _, _, content in found["tensors"].values())
            assert total < len(weights)  # no byte twice
    with contextlib.suppress(SafemodelError):
        inspect(archive)


@SETTINGS
@given(st.binary(max_size=200))
def test_arbitrary_weights_by_a_hostile_signer(weights: bytes) -> None:
    archive = resigned({"weights.safetensors": weights})
    for way in ("verify", "open", "load", "mapped"):
        assert isinstance(outcome(way, archive), SafemodelError)


@SETTINGS
@given(st.lists(MUTATION, min_size=1, max_size=3))
def test_manifest_by_a_hostile_signer(data: bytes, mutations: list[Any]) -> None:
    members = dict(members_of(data))
    manifest = mutated(members["manifest.json"], mutations)
    files = {
        name: content
        for name, content in members.items()
        if name != "manifest.json" and not name.startswith("signatures/")
    }
    archive = resigned(files, manifest=manifest)
    outcome("verify", archive)
    outcome("load", archive)
    with contextlib.suppress(SafemodelError):
        inspect(archive)


NAMES = st.one_of(
    st.sampled_from(
        [
            "manifest.json",
            "weights.safetensors",
            "signatures",
            "README.md",
            "a",
            "A",
            "b",
            ".git",
            "assets",
            "con",
        ]
    ),
    st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=20),
)
TREE = st.recursive(
    st.one_of(
        st.binary(max_size=50),
        st.sampled_from(["link", "fifo", "dangling"]),
    ),
    lambda children: st.dictionaries(NAMES, children, max_size=4),
    max_leaves=12,
)


def plant(path: Path, tree: Any) -> None:
    try:
        if isinstance(tree, dict):
            path.mkdir()
            for name, child in tree.items():
                if name not in (".", ".."):
                    plant(path / name, child)
        elif isinstance(tree, bytes):
            path.write_bytes(tree)
        elif tree == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to("/etc/passwd" if tree == "link" else "/nowhere")
    except OSError:
        pass  # names that are too long


@SETTINGS
@given(st.dictionaries(NAMES, TREE, max_size=5))
def test_arbitrary_folders(tree: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder) / "m", tree)
        enter_everywhere(Path(folder) / "m")


@SETTINGS
@given(st.dictionaries(NAMES, TREE, min_size=1, max_size=3))
def test_arbitrary_things_in_a_good_folder(data: bytes, tree: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed, path = Path(folder) / "p", Path(folder) / "m"
        packed.write_bytes(data)
        unpack(packed, path)
        original = verified(path, trust=TRUST)
        for name, child in tree.items():
            if name not in (".", "..") and not (path / name).is_dir():
                with contextlib.suppress(OSError):
                    (path / name).unlink(missing_ok=True)
                plant(path / name, child)
        refusals = refused_or_same(path, original)
        files = [p for p in path.rglob("*") if p.is_symlink() or not p.is_dir()]
        assert refusals == 4 or len(files) == 5  # only empty folders are tolerated


@SETTINGS
@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12),
        st.tuples(st.sampled_from(sorted(ITEM_SIZES)), st.lists(st.integers(0, 5), max_size=4)),
        max_size=8,
    ),
    st.dictionaries(st.sampled_from(["a.txt", "b/c.bin", "d"]), st.binary(max_size=40)),
    st.sampled_from(["archive", "folder"]),
    st.sampled_from(["blake3", "sha256"]),
)
def test_whatever_is_written_reads_back(
    specs: dict[str, Any], members: dict[str, bytes], layout: Any, algorithm: str
) -> None:
    specs.pop("__metadata__", None)
    tensors = []
    expected = {}
    for name, (dtype, shape) in specs.items():
        spec = TensorSpec(name, dtype, tuple(shape))
        content = hashlib.shake_128(name.encode()).digest(spec.nbytes)
        expected[name] = (dtype, tuple(shape), content)
        tensors.append(TensorData(spec, lambda content=content: [content]))  # type: ignore[misc]
    model = Contents(
        tensors=tuple(tensors),
        members={name: Payload(data, "text/plain") for name, data in members.items()},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        write(path, model, signers=[signer()], layout=layout, digest=algorithm)
        for way in ("verify", "open", "load", "mapped"):
            found = outcome(way, path)
            assert not isinstance(found, SafemodelError)
            assert found["tensors"] == expected
            assert found["members"] == members
        again = replace(model, tensors=tuple(reversed(model.tensors)))
        assert write(Path(folder) / "n", again, digest=algorithm) == found["digest"]
