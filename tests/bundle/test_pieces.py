"""Tensors in pieces: each verified, each chunk once, in memory of the caller's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safemodel.bundle.chunks import ChunkCache
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.source import BytesSource
from safemodel.bundle.unread import UnreadTensors
from safemodel.bundle.verified import VerifiedBundle
from safemodel.bundle.write import write
from safemodel.errors import DigestMismatchError, MissingMemberError, UsageError

from .attacks import TRUST, open_source
from .samples import content, contents, signer, tensor
from .test_reads import MIB, SIZES, Recording


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("pieces") / "m"
    write(path, contents(*(tensor(n, (s,)) for n, s in SIZES.items())), signers=[signer()])
    return path.read_bytes()


def joined(bundle: VerifiedBundle, name: str, buffer: memoryview) -> tuple[bytes, int]:
    pieces = [bytes(piece) for piece in bundle.pieces(name, lambda: buffer)]
    return b"".join(pieces), len(pieces)


@pytest.mark.parametrize("length", [MIB, 2 * MIB, 3 * MIB - 1, 64 * MIB])
def test_pieces_are_the_tensor(data: bytes, length: int) -> None:
    bundle = open_source(BytesSource(data))
    buffer = memoryview(bytearray(length))
    for name, size in SIZES.items():
        found, count = joined(bundle, name, buffer)
        assert found == content(name, size)
        assert count <= size // (length // MIB * MIB) + 2


def test_each_chunk_is_read_once(data: bytes) -> None:
    source = Recording(data)
    bundle = open_source(source)
    assert bundle.tensors
    bundle._cache = ChunkCache()
    source.ranges = []
    buffer = memoryview(bytearray(2 * MIB))
    for header in bundle.headers.values():
        for info in header.tensors:
            joined(bundle, info.name, buffer)
    covered = [index for pair in source.taken() for index in range(*pair)]
    assert len(covered) == len(set(covered)) == max(covered) + 1


@pytest.mark.parametrize("how", ["loaded", "mapped"])
def test_pieces_of_what_is_there_already(data: bytes, tmp_path: Path, how: str) -> None:
    path = tmp_path / "m"
    path.write_bytes(data)
    with open_bundle(path, trust=TRUST, mapped=how == "mapped") as bundle:
        if how == "loaded":
            bundle.load_weights()
        untouched = memoryview(bytearray(MIB))
        assert joined(bundle, "c", untouched)[0] == content("c", SIZES["c"])
        assert not any(untouched)


def test_a_changed_chunk_gives_no_piece(data: bytes) -> None:
    changed = bytearray(data)
    changed[8 * MIB] ^= 1
    bundle = open_source(BytesSource(bytes(changed)))
    buffer = memoryview(bytearray(MIB))
    whole, given = content("c", SIZES["c"]), b""

    def read() -> None:
        nonlocal given
        for piece in bundle.pieces("c", lambda: buffer):
            given += bytes(piece)

    with pytest.raises(DigestMismatchError, match="tensor c"):
        read()
    assert 0 < len(given) < len(whole)
    assert whole.startswith(given)


def test_buffers_and_names_that_are_none(data: bytes) -> None:
    bundle = open_source(BytesSource(data))
    with pytest.raises(UsageError, match="buffer"):
        list(bundle.pieces("a", lambda: memoryview(bytearray(MIB - 1))))
    with pytest.raises(MissingMemberError):
        list(bundle.pieces("z", lambda: memoryview(b"")))


def test_unread_tensors_are_read_when_they_are_used(data: bytes) -> None:
    source = Recording(data)
    bundle = open_source(source)
    unread: Any = UnreadTensors(bundle)
    assert unread.tensors == bundle.tensors
    source.ranges = []
    found = unread.tensor("d")
    assert (found.name, found.dtype, found.nbytes) == ("d", "U8", SIZES["d"])
    assert source.ranges == []
    assert bytes(found.buffer) == content("d", SIZES["d"])
    assert found.buffer is found.buffer
