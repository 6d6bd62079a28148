"""Partial reads: only the chunks that are needed, verified, cached a little, from many threads."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from safemodel.bundle import arena, chunks
from safemodel.bundle.contents import Payload
from safemodel.bundle.opening import open_bundle, verify
from safemodel.bundle.source import BytesSource
from safemodel.bundle.tensor import Tensor
from safemodel.bundle.verified import VerifiedBundle
from safemodel.bundle.write import write
from safemodel.errors import (
    DigestMismatchError,
    LimitError,
    MissingLibraryError,
    UsageError,
)

from .attacks import TRUST, open_source
from .samples import content, contents, signer, tensor

MIB = 1 << 20
ROOT = str(Path(__file__).parents[2])


class Recording(BytesSource):
    """Records what is read, relative to the only weights member."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.ranges: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def read_into(self, offset: int, buffer: memoryview) -> None:
        with self._lock:
            self.ranges.append((offset - 4096, offset - 4096 + len(buffer)))
        super().read_into(offset, buffer)

    def taken(self) -> list[tuple[int, int]]:
        """The chunks read since the last call, joined to ranges of chunk indices."""
        found, self.ranges = self.ranges, []
        for start, _ in found:
            assert start % MIB == 0, "not from the start of a chunk"
        return sorted((start // MIB, -(-stop // MIB)) for start, stop in found)


# a: 3 MiB from 256 on, b: 2 MiB, c: 9 MiB, d: 10 KiB, e: 7 bytes; canonical order a b c d e
SIZES = {"a": 3 * MIB, "b": 2 * MIB, "c": 9 * MIB, "d": 10 * 1024, "e": 7}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("reads") / "m"
    tensors = [tensor(n, (s,)) for n, s in SIZES.items() if n != "b"]
    tensors.append(tensor("b", (1024, 2, 512), dtype="U16"))
    members = {"other.bin": Payload(content("other", 3 * MIB), "application/octet-stream")}
    write(path, contents(*tensors, members=members), signers=[signer()])
    return path.read_bytes()


@pytest.fixture
def opened(data: bytes) -> tuple[VerifiedBundle, Recording]:
    source = Recording(data)
    bundle = open_source(source)
    source.ranges = []
    return bundle, source


def test_opening_reads_nothing_but_the_end(data: bytes) -> None:
    source = Recording(data)
    open_source(source)
    assert source.ranges == [(len(data) - MIB - 4096, len(data) - 4096)]


def test_looking_at_tensors_reads_the_first_chunk(
    opened: tuple[VerifiedBundle, Recording],
) -> None:
    bundle, source = opened
    assert list(bundle.tensors) == ["a", "b", "c", "d", "e"]
    header_reads = source.ranges[0]
    assert header_reads[0] < 0  # the local header
    source.ranges = source.ranges[1:]
    assert source.taken() == [(0, 1)]


def place(bundle: VerifiedBundle, name: str) -> tuple[int, int]:
    start = bundle.headers["weights.safetensors"].data_start
    info = bundle.tensors[name]
    return start + info.begin, start + info.end


@pytest.mark.parametrize("name", SIZES)
def test_one_tensor_reads_its_chunks_each_once(
    opened: tuple[VerifiedBundle, Recording], name: str
) -> None:
    bundle, source = opened
    start, stop = place(bundle, name)
    bundle._cache = chunks.ChunkCache()
    source.ranges = []
    found = bundle.tensor(name)
    assert bytes(found.buffer) == content(name, SIZES[name])
    taken = source.taken()
    covered = [index for first, last in taken for index in range(first, last)]
    assert sorted(covered) == list(range(start // MIB, -(-stop // MIB)))
    # Once more: what lies inside is read again, the edges come from the cache
    bundle.tensor(name)
    again = [index for first, last in source.taken() for index in range(first, last)]
    assert set(again) <= set(covered)
    assert start // MIB not in again


def test_rows_read_their_chunks_only(opened: tuple[VerifiedBundle, Recording]) -> None:
    bundle, source = opened
    start, _ = place(bundle, "b")
    whole = content("b", 2 * MIB)
    bundle._cache = chunks.ChunkCache()
    source.ranges = []
    rows = bundle.rows("b", 1000, 1003)
    assert (rows.name, rows.dtype, rows.shape) == ("b", "U16", (3, 2, 512))
    assert bytes(rows.buffer) == whole[1000 * 2048 : 1003 * 2048]
    assert len(source.taken()) == 1
    for index in range(900, 1000):  # the same chunk: verified once
        assert (
            bytes(bundle.rows("b", index, index + 1).buffer)
            == (whole[index * 2048 : (index + 1) * 2048])
        )
    assert source.taken() == []
    first = (start + 510 * 2048) // MIB
    assert bytes(bundle.rows("b", 0, 1024).buffer) == whole
    assert first in {index for pair in source.taken() for index in range(*pair)}


def test_every_cut_of_rows_is_what_it_must_be(opened: tuple[VerifiedBundle, Recording]) -> None:
    bundle, _ = opened
    whole = content("b", 2 * MIB)
    cuts = [0, 1, 2, 255, 256, 511, 512, 513, 767, 1022, 1023, 1024]
    for start in cuts:
        for stop in cuts:
            if start <= stop:
                found = bundle.rows("b", start, stop)
                assert found.shape == (stop - start, 2, 512)
                assert bytes(found.buffer) == whole[start * 2048 : stop * 2048]
            else:
                with pytest.raises(UsageError):
                    bundle.rows("b", start, stop)


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    write(
        tmp_path / "m",
        contents(
            tensor("scalar", ()), tensor("none", (0, 3)), tensor("wide", (3, 0)), tensor("a", (2,))
        ),
        signers=[signer()],
    )
    for mapped in (False, True):
        with open_bundle(tmp_path / "m", trust=TRUST, mapped=mapped) as bundle:
            for name, start, stop in [
                ("scalar", 0, 0),
                ("scalar", 0, 1),
                ("a", -1, 1),
                ("a", 0, 3),
                ("a", 2, 1),
                ("none", 0, 1),
            ]:
                with pytest.raises(UsageError, match="outside shape"):
                    bundle.rows(name, start, stop)
            assert bundle.rows("none", 0, 0).shape == (0, 3)
            assert bundle.rows("wide", 1, 3).shape == (2, 0)
            assert bytes(bundle.rows("wide", 1, 3).buffer) == b""
            assert bytes(bundle.tensor("none").buffer) == b""
            assert bytes(bundle.rows("a", 1, 2).buffer) == content("a", 2)[1:]
            assert bundle.tensor("scalar").nbytes == 1


def test_ranges_of_members(opened: tuple[VerifiedBundle, Recording]) -> None:
    bundle, source = opened
    whole = content("other", 3 * MIB)
    for start, length in [(0, 0), (0, 1), (MIB - 1, 2), (5, 2 * MIB), (3 * MIB, 0), (0, 3 * MIB)]:
        assert bundle.read_range("other.bin", start, length) == whole[start : start + length]
    assert bundle.member("other.bin") == whole
    for start, length in [(-1, 1), (0, -1), (0, 3 * MIB + 1), (3 * MIB, 1), (1 << 70, 1)]:
        with pytest.raises(UsageError):
            bundle.read_range("other.bin", start, length)
    assert source.ranges


def test_handed_out_memory_is_the_readers_own(opened: tuple[VerifiedBundle, Recording]) -> None:
    bundle, _ = opened
    for _ in range(2):
        for name in ("d", "e", "b"):
            found = bundle.tensor(name)
            assert not found.buffer.readonly
            assert bytes(found.buffer) == content(name, SIZES[name])
            found.buffer[:] = bytes(len(found.buffer))  # must not reach the cache
        rows = bundle.rows("d", 3, 9)
        assert bytes(rows.buffer) == content("d", SIZES["d"])[3:9]
        rows.buffer[:] = bytes(6)


def test_the_cache_stays_small(
    opened: tuple[VerifiedBundle, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_CACHED_BYTES", 4 * MIB)
    bundle, source = opened
    for index in range(0, 9 * MIB, 100_000):
        bundle.rows("c", index, index + 1)
        bundle.read_range("other.bin", index % (3 * MIB), 1)
    cached = bundle._cache._chunks
    assert len(cached) == 4
    assert all(chunk.readonly for chunk in cached.values())
    source.ranges = []
    bundle.rows("c", 9_400_000, 9_400_001)  # the last used are still there
    assert source.ranges == []
    bundle.rows("c", 0, 1)  # the first are not
    assert len(source.ranges) == 1


@pytest.mark.parametrize("mapped", [False, True])
def test_damage_elsewhere_does_not_hinder_a_partial_read(data: bytes, mapped: bool) -> None:
    at = data.index(content("c", 64)) + 4 * MIB
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with open_bundle(changed, trust=TRUST, mapped=mapped) as bundle:
        for name in ("a", "b", "d", "e"):
            assert bytes(bundle.tensor(name).buffer) == content(name, SIZES[name])
        with pytest.raises(DigestMismatchError, match="tensor c"):
            bundle.tensor("c")
        bad = (at - 4096) // MIB * MIB - place(bundle, "c")[0]
        assert bytes(bundle.rows("c", 0, bad).buffer) == content("c", SIZES["c"])[:bad]
        with pytest.raises(DigestMismatchError):
            bundle.rows("c", bad, bad + 1)
        with pytest.raises(DigestMismatchError):
            bundle.rows("c", bad, bad + 1)  # nothing bad was cached
        assert bundle.rows("c", bad + MIB, SIZES["c"]).nbytes == SIZES["c"] - bad - MIB


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_many_threads_at_once(tmp_path: Path, data: bytes, layout: str, mapped: bool) -> None:
    from safemodel.bundle import unpack

    path = tmp_path / "m"
    path.write_bytes(data)
    if layout == "folder":
        unpack(path, tmp_path / "f")
        path = tmp_path / "f"
    expected = {name: content(name, size) for name, size in SIZES.items()}

    def work(number: int) -> None:
        name = "abcde"[number % 5]
        assert bytes(bundle.tensor(name).buffer) == expected[name]
        if name != "b":
            at = number * 7919 % SIZES[name]
            assert bytes(bundle.rows(name, at, at + 1).buffer) == expected[name][at : at + 1]
        assert bundle.read_range("other.bin", number * 1000, 10)

    for _ in range(3):
        with (
            open_bundle(path, trust=TRUST, mapped=mapped) as bundle,
            ThreadPoolExecutor(8) as pool,
        ):
            list(pool.map(work, range(40)))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_whole_load_on_any_number_of_threads(
    data: bytes, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "threads", lambda: count)
    with open_bundle(data, trust=TRUST) as bundle:
        bundle.load_weights()
        addresses = set()
        for name, size in SIZES.items():
            found = bundle.tensor(name)
            assert bytes(found.buffer) == content(name, size)
            addresses.add(id(found.buffer.obj))
        assert len(addresses) == 1  # one block of memory
        assert bytes(bundle.rows("b", 1, 2).buffer) == content("b", 2 * MIB)[2048:4096]
    with verify(data, trust=TRUST) as bundle:
        assert bundle.member("other.bin") == content("other", 3 * MIB)


def test_a_whole_load_reads_each_byte_once(data: bytes) -> None:
    source = Recording(data)
    bundle = open_source(source)
    source.ranges = []
    bundle.load_weights()
    bundle.load_weights()  # nothing more
    for name in SIZES:
        bundle.tensor(name)
    size = bundle.manifest.files["weights.safetensors"].size
    read = sorted(r for r in source.ranges if r[0] >= 0 and r[1] <= size)
    assert read[0][0] == 0
    assert read[-1][1] == size
    assert all(one[1] == two[0] for one, two in itertools.pairwise(read))


class Slow(Recording):
    """Takes its time for all chunks but the third."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if offset - 4096 != 2 * MIB and self.path == "slow":
            time.sleep(0.02)
        super().read_into(offset, buffer)


@pytest.mark.parametrize("count", [1, 3])
def test_the_first_error_ends_a_load(
    data: bytes, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No further chunk is read once one was bad."""
    monkeypatch.setattr(chunks, "threads", lambda: count)
    monkeypatch.setattr(chunks, "BLOCK", MIB)
    changed = bytearray(data)
    changed[4096 + 2 * MIB] ^= 1
    source = Slow(bytes(changed))
    bundle = open_source(source)
    source.ranges = []
    source.path = "slow"
    with pytest.raises(DigestMismatchError, match="chunk 2"):
        bundle.load_weights()
    read = [r for r in source.ranges if r[0] >= 0 and r[0] % MIB == 0]
    # Then some are read once more, to name the tensors
    assert len(read) <= (4 if count == 1 else 10)


@pytest.mark.parametrize("count", range(1, 10))
def test_last_bytes_of_any_number_of_chunks_count(tmp_path: Path, count: int) -> None:
    """Runs of chunks end anywhere: none may be left out."""
    path = tmp_path / "m"
    size = (count - 1) * MIB + 100
    member = {"x.bin": Payload(content("x", size), "application/octet-stream")}
    write(path, contents(tensor("a", (size,)), members=member), signers=[signer()])
    data = path.read_bytes()
    for name, use in {
        "a": lambda b: (b.load_weights(), b.tensor("a").buffer)[1],
        "x": lambda b: b.member("x.bin"),
    }.items():
        with open_bundle(data, trust=TRUST) as bundle:
            assert bytes(use(bundle)) == content(name, size)
        last = data.index(content(name, 64)) + size - 1
        changed = data[:last] + bytes([data[last] ^ 1]) + data[last + 1 :]
        with open_bundle(changed, trust=TRUST) as bundle, pytest.raises(DigestMismatchError):
            use(bundle)
        with pytest.raises(DigestMismatchError):
            verify(changed, trust=TRUST)


def test_progress_counts_every_byte_once(tmp_path: Path, data: bytes) -> None:
    from safemodel.bundle import pack, sign, unpack

    path = tmp_path / "m"
    path.write_bytes(data)
    lock = threading.Lock()
    done: list[int] = []

    def progress(count: int) -> None:
        with lock:
            done.append(count)

    def total() -> int:
        found = sum(done)
        done.clear()
        return found

    with verify(path, trust=TRUST, progress=progress) as bundle:
        size = sum(entry.size for entry in bundle.manifest.files.values())
    assert total() == size
    unpack(path, tmp_path / "f", progress=progress)
    assert total() == size
    pack(tmp_path / "f", tmp_path / "p", progress=progress)
    assert total() == size
    sign(path, signer("second"), oms=True, progress=progress)
    assert total() == size
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "x").write_bytes(bytes(5 * MIB))
    sign(tmp_path / "plain", signer(), signature=tmp_path / "s", progress=progress)
    assert total() == 5 * MIB
    from safemodel.bundle import verify as verify_any

    verify_any(tmp_path / "plain", trust=TRUST, signature=tmp_path / "s", progress=progress).close()
    assert total() == 5 * MIB


def test_closing(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(data)
    for mapped in (False, True):
        bundle = open_bundle(path, trust=TRUST, mapped=mapped)
        before = bundle.tensor("a")
        bundle.load_weights()
        after = bundle.tensor("e")
        bundle.close()
        bundle.close()
        assert bytes(before.buffer) == content("a", SIZES["a"])
        assert bytes(after.buffer) == content("e", 7)
        uses: list[Callable[[VerifiedBundle], object]] = [
            lambda closed: closed.tensor("a"),
            lambda closed: closed.rows("a", 0, 1),
            lambda closed: closed.member("other.bin"),
            lambda closed: closed.read_range("other.bin", 0, 1),
            lambda closed: closed.chunked("other.bin"),
        ]
        for use in uses:
            with pytest.raises(UsageError, match="closed"):
                use(bundle)
    bundle = open_bundle(path, trust=TRUST)
    bundle.close()
    with pytest.raises(UsageError, match="closed"):
        _ = bundle.tensors
    with pytest.raises(UsageError, match="closed"):
        bundle.load_weights()


def test_what_a_bundle_says_of_itself(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(data)
    with open_bundle(path, trust=TRUST, name="acme/fraud") as bundle:
        assert bundle.path == str(path)
        assert bundle.encoding == "archive"
        assert bundle.size == sum(bundle._members.sizes.values())
        assert bundle.name_checked
        assert bundle.digest[:16] in repr(bundle)
        assert bundle.weights == ("weights.safetensors",)
        with pytest.raises(TypeError):
            bundle.tensors["x"] = None  # type: ignore[index]
    with open_bundle(path, trust=TRUST) as bundle:
        assert not bundle.name_checked


# Memory


@pytest.mark.parametrize("mapped", [False, True])
def test_alignment_of_what_is_handed_out(data: bytes, tmp_path: Path, mapped: bool) -> None:
    import numpy

    path = tmp_path / "m"
    path.write_bytes(data)
    with open_bundle(path, trust=TRUST, mapped=mapped) as bundle:
        bundle.load_weights()
        for name in "abc":
            array = numpy.frombuffer(bundle.tensor(name).buffer, numpy.uint8)
            assert array.ctypes.data % 64 == 0


def test_arena_refuses_what_the_machine_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bytes(arena.allocate(0)) == b""
    assert bytes(arena.allocate(5)) == bytes(5)
    for size in (1 << 50, 1 << 70):
        with pytest.raises(LimitError) as caught:
            arena.allocate(size)
        assert "the machine has" in caught.value.message  # before the system is asked
        assert "mapped=True" in (caught.value.hint or "")

    def unknown(_: str) -> int:
        raise ValueError

    monkeypatch.setattr(arena.os, "sysconf", unknown)
    for size in (1 << 60, 1 << 70):
        with pytest.raises(LimitError, match="can't be had"):
            arena.allocate(size)


@pytest.mark.parametrize("encoding", ["archive", "folder"])
def test_sparse_giants_are_refused_before_memory_is_taken(tmp_path: Path, encoding: str) -> None:
    """1 TiB of holes on disk, consistently declared and signed: no 1 TiB of memory."""
    import hashlib

    import blake3

    from safemodel.bundle import inspect
    from safemodel.bundle.write import finish_archive
    from safemodel.format import container
    from safemodel.format.manifest import FileEntry, Manifest, encode
    from safemodel.format.weights import TensorSpec, layout
    from safemodel.trust.signatures import sign_manifest

    size = 1 << 40
    header, _ = layout([TensorSpec("a", "U8", (size,))])
    zero = blake3.blake3(bytes(16 * MIB)).digest()
    first = blake3.blake3(header.ljust(16 * MIB, b"\0")).digest()
    count = size // (16 * MIB)
    last = blake3.blake3(bytes(len(header))).digest()
    files = {
        "weights.safetensors": FileEntry(
            len(header) + size,
            0,
            "application/vnd.safetensors",
            first + zero * (count - 1) + last,
        ),
        "z.bin": FileEntry(size, 0, "application/octet-stream", zero * count),
    }
    manifest = encode(Manifest(files=files))
    signatures = dict([sign_manifest(signer(), hashlib.sha256(manifest).hexdigest())])
    path = tmp_path / "m"
    if encoding == "archive":
        planned = container.plan([(name, entry.size) for name, entry in files.items()])
        with path.open("w+b") as file:
            finish_archive(
                file.fileno(),
                {n: (e.size, e.crc32) for n, e in files.items()},
                manifest,
                signatures,
            )
            file.seek(planned[0].data_offset)
            file.write(header)
    else:
        (path / "signatures").mkdir(parents=True)
        for name, entry in files.items():
            with (path / name).open("wb") as file:
                file.write(header if "weights" in name else b"")
                file.truncate(entry.size)
        for name, data in {"manifest.json": manifest, **signatures}.items():
            (path / name).write_bytes(data)
    assert inspect(path).tensors[0][1].shape == (size,)
    with open_bundle(path, trust=TRUST) as bundle:
        uses: list[Any] = [
            bundle.load_weights,
            lambda: bundle.tensor("a"),
            lambda: bundle.rows("a", 5, size),
            lambda: bundle.member("z.bin"),
            lambda: bundle.member("weights.safetensors"),
        ]
        for use in uses:
            with pytest.raises(LimitError) as caught:
                use()
            assert caught.value.path == str(path)
            assert caught.value.place is not None
        assert bytes(bundle.rows("a", size - 5, size).buffer) == bytes(5)
    with open_bundle(path, trust=TRUST, mapped=True) as bundle:
        assert bytes(bundle.rows("a", size - 5, size).buffer) == bytes(5)


PEAK = """
import resource, sys
sys.path.insert(0, {root!r})
from safemodel.bundle.opening import open_bundle, verify
from safemodel.trust.policy import UNSIGNED
bundle = open_bundle({small!r}, trust=UNSIGNED)   # imports and threads
bundle.load_weights()
bundle.tensor("a")
bundle.close()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{action}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize(
    ("action", "most"),
    [
        ("b = open_bundle({path!r}, trust=UNSIGNED); b.load_weights(); b.tensor('a')", 330),
        ("b = open_bundle({path!r}, trust=UNSIGNED); b.tensor('a')", 240),
        ("b = open_bundle({path!r}, trust=UNSIGNED); b.rows('a', 3, 99)", 30),
        ("b = verify({path!r}, trust=UNSIGNED)", 40),
    ],
    ids=["load", "tensor", "rows", "verify"],
)
def test_peak_memory_is_that_of_the_tensors(tmp_path: Path, action: str, most: int) -> None:
    """300 MB: 200 in `a` and 100 in `b`; at most 1.1 times what is handed out."""
    piece = bytes(10**6)

    def zeros(count: int) -> Any:
        return lambda: (piece for _ in range(count))

    from safemodel.bundle.contents import TensorData
    from safemodel.format.weights import TensorSpec

    path, little = tmp_path / "m", tmp_path / "small"
    write(
        path,
        contents(
            TensorData(TensorSpec("a", "U8", (200 * 10**6,)), zeros(200)),
            TensorData(TensorSpec("b", "U8", (100 * 10**6,)), zeros(100)),
        ),
    )
    write(little, contents(tensor("a", (12 * MIB,))))
    code = PEAK.format(root=ROOT, small=str(little), action=action.format(path=str(path)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= most * 10**6


# Tensors for people


def test_tensors_as_numpy_arrays(data: bytes) -> None:
    pytest.importorskip("safemodel.adapters.numpy")
    with open_bundle(data, trust=TRUST) as bundle:
        found = bundle.tensor("b")
        array = found.numpy()
        assert array.shape == (1024, 2, 512)
        assert array.tobytes() == content("b", 2 * MIB)
        array[0, 0, 0] ^= 1
        assert bytes(found.buffer[:1]) != content("b", 1)  # one memory
        assert found.nbytes == 2 * MIB


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_a_missing_framework_is_named(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.bundle import tensor as module

    monkeypatch.setitem(sys.modules, module._VIEWS[framework], None)
    one = Tensor("a", "U8", (1,), memoryview(bytearray(1)))
    with pytest.raises(MissingLibraryError) as caught:
        one.numpy() if framework == "numpy" else one.torch()
    assert caught.value.hint == f"pip install 'safemodel[{framework}]'"


def test_rows_go_into_memory_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, contents(tensor("t", (1000, 100))), signers=[signer()])
    with open_bundle(path, trust=TRUST) as bundle:
        given = memoryview(bytearray(6_000))
        rows = bundle.rows("t", 10, 60, into=given)
        assert bytes(rows.buffer) == content("t", 100_000)[1000:6000] == bytes(given[:5000])
        larger = bundle.rows("t", 0, 61, into=given)
        assert bytes(larger.buffer) == content("t", 100_000)[:6100]
