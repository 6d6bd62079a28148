"""Content that changes while it is in use: refused, or exactly the original."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safemodel.bundle import inspect, unpack, verify
from safemodel.bundle.chunks import ChunkCache
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.source import BytesSource, FileSource, open_file
from safemodel.bundle.verified import VerifiedBundle
from safemodel.bundle.write import write
from safemodel.errors import (
    ChangedFileError,
    DigestMismatchError,
    SafemodelError,
    SourceError,
    VerificationError,
)

from .attacks import TRUST, WAYS, open_source, outcome
from .samples import contents, facts, signer, small, tensor, verified


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.safemodel"
    write(path, small(), signers=[signer()])
    return path


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.safemodel"
    write(path, small(seed=1), signers=[signer()])
    return path


class Turncoat(BytesSource):
    """Shows one content for the first `loyal` reads, then another."""

    def __init__(self, before: bytes, after: bytes, loyal: int) -> None:
        super().__init__(before)
        self._after = memoryview(after)
        self._loyal = loyal
        self.reads = 0

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.reads += 1
        if self.reads > self._loyal:
            self._data = self._after
        super().read_into(offset, buffer)


def use(bundle: VerifiedBundle, whole: bool) -> dict[str, Any]:
    with bundle:
        if whole:
            bundle.load_weights()
        return facts(bundle)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("attack", ["swap", "damage", "zeros", "shorter"])
def test_source_that_changes_between_any_two_reads(
    path: Path, other: Path, attack: str, whole: bool
) -> None:
    data = path.read_bytes()
    original = verified(path, trust=TRUST)
    after = {
        "swap": other.read_bytes(),  # of the same size, and validly signed
        "damage": bytes(byte ^ 1 for byte in data),
        "zeros": bytes(len(data)),
        "shorter": data[:10],
    }[attack]
    assert len(after) in (len(data), 10)
    honest = Turncoat(data, data, 0)
    assert use(open_source(honest), whole) == original
    refusals = 0
    for loyal in range(honest.reads + 1):
        try:
            assert use(open_source(Turncoat(data, after, loyal)), whole) in (
                original,
                verified(other, trust=TRUST) if loyal == 0 and attack == "swap" else original,
            )
        except SafemodelError:
            refusals += 1
    # With nothing but the other content it is the other bundle; README.md is the same in both.
    assert refusals == (1 if attack == "swap" else honest.reads)


class Liar(BytesSource):
    """Flips one bit of what is read, each time another."""

    def __init__(self, data: bytes, chance: random.Random) -> None:
        super().__init__(data)
        self._chance = chance

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        if len(buffer) and self._chance.random() < 0.3:
            buffer[self._chance.randrange(len(buffer))] ^= 1 << self._chance.randrange(8)


def test_source_that_lies_now_and_then(path: Path) -> None:
    data = path.read_bytes()
    original = verified(path, trust=TRUST)
    outcomes = set()
    for seed in range(400):
        try:
            found = use(open_source(Liar(data, random.Random(seed))), seed % 2 == 0)
        except SafemodelError as error:
            outcomes.add(type(error))
        else:
            assert found == original
            outcomes.add(dict)
    assert dict in outcomes
    assert DigestMismatchError in outcomes


USES: dict[str, Callable[[VerifiedBundle], object]] = {
    "tensor": lambda bundle: bundle.tensor("scale"),
    "rows": lambda bundle: bundle.rows("layer.0.weight", 3, 4),
    "member": lambda bundle: bundle.member("weights.safetensors"),
    "load": lambda bundle: bundle.load_weights(),
}


@pytest.mark.parametrize("way", USES)
def test_file_rewritten_in_place_between_verify_and_read(path: Path, other: Path, way: str) -> None:
    with verify(path, trust=TRUST) as bundle:
        bundle._cache = ChunkCache()  # what was verified already is no longer read from the file
        path.write_bytes(other.read_bytes())  # the same file, other content
        with pytest.raises(VerificationError):
            USES[way](bundle)


def test_what_was_verified_before_a_rewrite_stays_as_it_was(path: Path, other: Path) -> None:
    original = verified(path, trust=TRUST)
    with open_bundle(path, trust=TRUST) as bundle:
        bundle.load_weights()
        tensors = {name: bundle.tensor(name) for name in bundle.tensors}
        path.write_bytes(other.read_bytes())
        path.write_bytes(b"")
        for name, (_, _, data) in original["tensors"].items():
            assert bytes(tensors[name].buffer) == data
            assert bytes(bundle.tensor(name).buffer) == data
    assert all(bytes(t.buffer) == original["tensors"][n][2] for n, t in tensors.items())


def test_file_replaced_between_verify_and_read_is_not_looked_at(path: Path, other: Path) -> None:
    original = verified(path, trust=TRUST)
    with verify(path, trust=TRUST) as bundle:
        os.replace(other, path)  # another file under the same name
        assert facts(bundle) == original


def test_file_truncated_between_verify_and_read(path: Path) -> None:
    with verify(path, trust=TRUST) as bundle:
        os.truncate(path, 100)
        with pytest.raises(ChangedFileError) as caught:
            bundle.member("README.md")
    assert "became shorter" in caught.value.message
    assert "copy it to a place of your own" in (caught.value.hint or "")


class Cut(FileSource):
    """Truncates its file behind the n-th read."""

    cut_after = 0

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if self.cut_after == 0:
            os.truncate(self.path, self.size // 2)
        self.cut_after -= 1
        super().read_into(offset, buffer)


@pytest.mark.parametrize("after", [3, 4, 5])
def test_large_file_truncated_during_the_load(tmp_path: Path, after: int) -> None:
    path = tmp_path / "m"
    write(path, contents(tensor("a", (20 << 20,))), signers=[signer()])
    source = Cut(os.open(path, os.O_RDONLY), str(path))
    source.cut_after = after
    with open_source(source) as bundle:
        with pytest.raises(ChangedFileError):
            bundle.load_weights()
        with pytest.raises(SafemodelError):
            bundle.tensor("a")


def hammer(path: Path, contents_: list[bytes], stop: threading.Event) -> None:
    """Rewrites the file in place, piece by piece, between the given contents."""
    chance = random.Random(3)
    with path.open("r+b", buffering=0) as file:
        while not stop.is_set():
            content = chance.choice(contents_)
            start = chance.randrange(len(content))
            file.seek(start)
            file.write(content[start : start + chance.randrange(1, len(content))])


@pytest.mark.parametrize("way", [way for way in WAYS if way != "mapped"])
def test_file_rewritten_by_another_thread_all_the_time(path: Path, other: Path, way: str) -> None:
    originals = [verified(path, trust=TRUST), verified(other, trust=TRUST)]
    data = [path.read_bytes(), other.read_bytes()]
    assert len(data[0]) == len(data[1])
    stop = threading.Event()
    thread = threading.Thread(target=hammer, args=(path, data, stop))
    thread.start()
    try:
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            found = outcome(way, path)
            assert isinstance(found, SafemodelError) or found in originals
    finally:
        stop.set()
        thread.join()


def test_large_file_rewritten_by_another_thread_during_loads(tmp_path: Path) -> None:
    """Whole loads in threads: what comes out is what was signed, chunk by chunk."""
    path = tmp_path / "m"
    write(path, contents(tensor("a", (24 << 20,))), signers=[signer()])
    data = path.read_bytes()
    with open_bundle(path, trust=TRUST) as bundle:
        expected = bytes(bundle.tensor("a").buffer)
    stop = threading.Event()
    thread = threading.Thread(target=hammer, args=(path, [data, bytes(len(data))], stop))
    thread.start()
    try:
        for _ in range(8):
            try:
                with open_bundle(path, trust=TRUST) as bundle:
                    bundle.load_weights()
                    assert bytes(bundle.tensor("a").buffer) == expected
            except SafemodelError:
                path.write_bytes(data)
    finally:
        stop.set()
        thread.join()


def test_copies_of_changing_files_are_exact_or_refused(path: Path, other: Path) -> None:
    """pack, unpack and sign work on files that change: nothing mixed comes out of them."""
    data = [path.read_bytes(), other.read_bytes()]
    originals = [verified(path, trust=TRUST), verified(other, trust=TRUST)]
    stop = threading.Event()
    thread = threading.Thread(target=hammer, args=(path, data, stop))
    thread.start()
    try:
        for number in range(60):
            target = path.parent / f"copy{number}"
            try:
                unpack(path, target)
            except SafemodelError:
                assert not target.exists()
                continue
            assert verified(target, trust=TRUST) in originals
    finally:
        stop.set()
        thread.join()


def test_mapped_tensors_are_verified_at_each_access(path: Path, other: Path) -> None:
    with open_bundle(path, trust=TRUST, mapped=True) as bundle:
        first = bundle.tensor("layer.0.bias")
        assert len(first.buffer) == 7
        path.write_bytes(other.read_bytes())
        with pytest.raises(DigestMismatchError) as caught:
            bundle.tensor("layer.0.bias")
    assert "tensor layer.0.bias" in str(caught.value)


def test_writing_to_a_mapped_tensor_never_reaches_the_file(path: Path) -> None:
    data = path.read_bytes()
    with open_bundle(path, trust=TRUST, mapped=True) as bundle:
        tensor_ = bundle.tensor("layer.0.bias")
        tensor_.buffer[:] = bytes(7)
    assert path.read_bytes() == data
    assert bytes(tensor_.buffer) == bytes(7)  # valid after close


def test_a_path_is_opened_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No check on a path that is followed by a second open."""
    opened = []
    real = os.open

    def spy(name: Any, *arguments: Any, **more: Any) -> int:
        opened.append(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(os, "open", spy)
    assert verified(path, trust=TRUST)
    inspect(path)
    assert opened == [str(path)] * 2


def test_bytes_that_the_caller_changes_afterwards_do_not_matter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    original = verified(path, trust=TRUST)
    with open_bundle(data, trust=TRUST) as bundle:  # type: ignore[arg-type]
        data[:] = bytes(len(data))
        assert facts(bundle) == original


def test_sources_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    with pytest.raises(ChangedFileError):
        BytesSource(b"abc").read_into(1, memoryview(bytearray(3)))
    source = open_file(__file__)
    source.close()
    with pytest.raises(SourceError, match="can't be read"):
        source.read_into(0, memoryview(bytearray(1)))
    with pytest.raises(SourceError, match="can't be mapped"):
        source.map()
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert bytes(open_file(str(empty)).map()) == b""
    with pytest.raises(SourceError, match="can't be opened"):
        open_file("a\0b")
    with pytest.raises(SourceError, match="can't be opened"):
        open_file("\ud800")
    with pytest.raises(SourceError, match="folder"):
        open_file(str(tmp_path))
