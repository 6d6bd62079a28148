"""The writer: one pass, one encoding, and nothing left behind when it fails."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from safemodel import limits
from safemodel.bundle import inspect, pack, sign, stream, unpack
from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import (
    AdapterError,
    JsonError,
    LimitError,
    ManifestError,
    MemberNameError,
    SafemodelError,
    SourceError,
    UsageError,
    WeightsError,
)
from safemodel.format.weights import TensorSpec
from safemodel.trust.keys import Signer
from safemodel.trust.policy import UNSIGNED

from .attacks import TRUST
from .samples import content, contents, signer, small, tensor, verified

MIB = 1 << 20
LAYOUTS = ["archive", "folder"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Determinism

CHILD = """
import sys
sys.path.insert(0, {root!r})
from tests.bundle.samples import small
from safemodel.bundle.write import write
from safemodel.trust.keys import Signer
key = Signer.load({key!r})
write({path!r}, small(), signers=[key] if {sign!r} else (), oms={oms!r}, digest={digest!r})
"""
ROOT = str(Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("algorithm", "oms", "digest"),
    [("ecdsa-p256", False, "blake3"), ("ecdsa-p384", True, "sha256"), ("ed25519", False, "blake3")],
)
def test_two_processes_write_identical_bytes(
    tmp_path: Path, algorithm: str, oms: bool, digest: str
) -> None:
    key = tmp_path / "key.pem"
    Signer.generate(algorithm).save(key)
    written = []
    for number, seed in enumerate(["0", "12345"]):
        path = tmp_path / f"m{number}"
        code = CHILD.format(
            root=ROOT, key=str(key), path=str(path), sign=True, oms=oms, digest=digest
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC{number}", "LANG": "C"}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        written.append(path.read_bytes())
    assert written[0] == written[1]  # signatures too: they are deterministic


def test_order_of_what_is_given_does_not_matter(tmp_path: Path) -> None:
    one = small()
    other = Contents(
        one.framework,
        one.adapter,
        dict(reversed(one.libraries.items())),
        one.architecture,
        one.training_state,
        one.metadata,
        tuple(reversed(one.tensors)),
        dict(reversed(one.members.items())),
    )
    assert write(tmp_path / "a", one) == write(tmp_path / "b", other)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_pieces_do_not_matter(tmp_path: Path) -> None:
    """However the bytes of a tensor arrive, and on however many threads they are hashed."""
    data = content("a", 9 * MIB + 5)

    def cut(size: int) -> Iterator[memoryview]:
        for start in range(0, len(data), size):
            yield memoryview(data)[start : start + size]

    spec = TensorSpec("a", "U8", (len(data),))
    expected = write(tmp_path / "whole", contents(TensorData(spec, lambda: [data])))
    for size in (1023, 65_536, MIB - 1, MIB, MIB + 1, 5 * MIB):
        path = tmp_path / f"cut{size}"
        assert write(path, contents(TensorData(spec, lambda size=size: cut(size)))) == expected
        assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_buffers_of_any_item_type_are_bytes(tmp_path: Path) -> None:
    import array

    items = array.array("d", [1.5, -2.5])
    spec = TensorSpec("a", "F64", (2,))
    write(tmp_path / "m", contents(TensorData(spec, lambda: [b"", items, bytearray()])))
    found = verified(tmp_path / "m", trust=UNSIGNED)["tensors"]["a"]
    assert found == ("F64", (2,), items.tobytes())


def test_threads_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = contents(tensor("a", (21 * MIB + 3,)), tensor("b", (5 * MIB,)))
    written = []
    for count in (1, 2, 5):
        monkeypatch.setattr(stream, "threads", lambda count=count: count)
        path = tmp_path / f"m{count}"
        write(path, model)
        written.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(set(written)) == 1


# One pass, few chunks


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_the_writer_holds_few_chunks_and_asks_once(
    tmp_path: Path, delay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the threads that compute digests are slower than the disk."""
    real = stream._digest_block

    def slow(*arguments: Any) -> Any:
        time.sleep(delay)
        return real(*arguments)

    monkeypatch.setattr(stream, "_digest_block", slow)
    alive = peak = made = 0

    class Piece(bytearray):
        def __init__(self, size: int) -> None:
            nonlocal alive, peak, made
            super().__init__(size)
            alive += 1
            made += 1
            peak = max(peak, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def pieces(count: int) -> Iterator[bytearray]:
        for _ in range(count):
            yield Piece(MIB)

    specs = [TensorSpec(name, "U8", (64 * MIB,)) for name in ("a", "b")]
    model = contents(*(TensorData(spec, lambda: pieces(64)) for spec in specs))
    tracemalloc.start()
    try:
        write(tmp_path / "m", model)
        _, memory = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made == 128  # each asked for once
    assert alive == 0
    # The threads' blocks of 4 chunks, twice each, and what is being filled and written
    assert peak <= 4 * (2 * stream.threads() + 3)
    assert memory < 48 * MIB


def test_tensors_are_asked_for_in_canonical_order(tmp_path: Path) -> None:
    asked: list[str] = []

    def make(name: str, size: int) -> TensorData:
        def pieces() -> list[bytes]:
            asked.append(name)
            return [bytes(size)]

        return TensorData(TensorSpec(name, "U8", (size,)), pieces)

    write(tmp_path / "m", contents(make("odd", 7), make("z", 64), make("a", 64), make("none", 0)))
    assert asked == ["a", "none", "z", "odd"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([], "its pieces are 128 bytes, not 228"),
        ([bytes(99)], "its pieces are 227 bytes, not 228"),
        ([bytes(50), bytes(51)], "at least 229 bytes, not 228"),
        ([bytes(101)], "at least 229 bytes, not 228"),
        ([memoryview(bytes(200))[::2]], "a piece of a tensor is not C-contiguous"),
    ],
)
def test_pieces_of_another_size_are_refused(
    tmp_path: Path, pieces: list[bytes], message: str, layout: str
) -> None:
    spec = TensorSpec("a", "U8", (100,))
    # The header takes 128 bytes.
    with pytest.raises(AdapterError) as caught:
        write(
            tmp_path / "m",
            contents(TensorData(spec, lambda: pieces)),
            layout=layout,  # type: ignore[arg-type]
        )
    assert message in caught.value.message
    assert names(tmp_path) == []


def test_endless_pieces_are_refused(tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(MIB)

    spec = TensorSpec("a", "U8", (30 * MIB,))
    with pytest.raises(AdapterError, match="at least"):
        write(tmp_path / "m", contents(TensorData(spec, endless)))
    assert names(tmp_path) == []


# Failures leave nothing behind


class BoomError(Exception):
    pass


@pytest.mark.parametrize("size", [10, 3 * MIB, 40 * MIB])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("error", [BoomError, KeyboardInterrupt, MemoryError])
def test_exception_in_pieces_leaves_nothing_behind(
    tmp_path: Path, size: int, layout: Any, error: type[BaseException]
) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(size // 2)
        raise error

    def model() -> Contents:
        return contents(TensorData(TensorSpec("a", "U8", (size,)), pieces), tensor("b", (64,)))

    if layout == "archive":
        write(tmp_path / "m", small(), signers=[signer()])
        before = (tmp_path / "m").read_bytes()
    with pytest.raises(error):
        write(tmp_path / "m", model(), layout=layout)
    assert names(tmp_path) == (["m"] if layout == "archive" else [])
    if layout == "archive":
        assert (tmp_path / "m").read_bytes() == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exception_while_signing_leaves_nothing_behind(tmp_path: Path, layout: Any) -> None:
    class Broken:
        public_key = signer().public_key

        def sign(self, data: bytes) -> bytes:
            raise BoomError

    with pytest.raises(BoomError):
        write(tmp_path / "m", small(), signers=[Broken()], layout=layout)
    assert names(tmp_path) == []


ACTIONS = ["write archive", "write folder", "pack", "unpack", "sign archive", "sign folder"]


def act(action: str, tmp_path: Path, folder: Path, archive: Path, target: Path) -> None:
    if action == "write archive":
        write(target, contents(tensor("a", (MIB,))))
    elif action == "write folder":
        write(target, contents(tensor("a", (MIB,))), layout="folder")
    elif action == "pack":
        pack(folder, target)
    elif action == "unpack":
        unpack(archive, target)
    elif action == "sign archive":
        sign(archive, signer("second"))
    else:
        sign(folder, signer("second"))


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    folder, archive = tmp_path / "in" / "folder", tmp_path / "in" / "archive"
    folder.parent.mkdir()
    model = contents(tensor("a", (MIB,)))
    write(folder, model, signers=[signer()], layout="folder")
    write(archive, model, signers=[signer()])
    return folder, archive


@pytest.mark.parametrize("action", ACTIONS)
def test_full_disk_leaves_nothing_behind(
    tmp_path: Path, sources: tuple[Path, Path], action: str
) -> None:
    """A limit on the size of files fails the write as a full disk does."""
    folder, archive = sources
    (tmp_path / "out").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for limit in (0, 100, 200_000, MIB + 4096):
        if action == "sign folder" and limit > 100:
            continue
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
        try:
            if action.endswith("folder") and limit > MIB:
                continue  # no file of it is so large
            if action == "unpack" and limit > MIB:
                continue
            with pytest.raises(SourceError) as caught:
                act(action, tmp_path, folder, archive, tmp_path / "out" / "m")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert "can't be written: File too large" in str(caught.value)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before
        assert names(tmp_path / "out") == []


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_failing_system_calls_leave_nothing_behind(
    tmp_path: Path,
    sources: tuple[Path, Path],
    action: str,
    call: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, archive = sources
    out = tmp_path / "out"
    out.mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        for name in {
            "write": ["pwritev"],
            "fsync": ["fsync"],
            "replace": ["replace", "rename", "link"],
        }[call]:
            patch.setattr(os, name, fail)
        with pytest.raises(SourceError) as caught:
            act(action, tmp_path, folder, archive, out / "m")
    assert "No space left on device" in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert names(out) == []


def test_no_permission_no_folder_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be written: No such file or directory"):
        write(tmp_path / "nowhere" / "m", small())
    with pytest.raises(SourceError, match="can't be written"):
        write("/proc/m", small())
    with pytest.raises(SourceError, match="can't be written"):
        write("/proc/m", small(), layout="folder")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SourceError):
        write(tmp_path / "file" / "m", small())
    assert names(tmp_path) == ["file"]


def test_permission_denied(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {ROOT!r})
from tests.bundle.samples import small
from safemodel.bundle.write import write
from safemodel.errors import SourceError
write({str(tmp_path / "first")!r}, small())
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
else:
    os.chmod({str(tmp_path)!r}, 0o500)
try:
    write({str(tmp_path / "m")!r}, small())
except SourceError as error:
    print(error)
"""
    for place in tmp_path.parents[:2]:
        place.chmod(0o755)
    tmp_path.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'm'}: can't be written: Permission denied\n"
    tmp_path.chmod(0o700)
    assert names(tmp_path) == ["first"]


# What is at the target already


def test_targets_that_are_there_already(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    before = names(tmp_path)
    for arguments in ({"layout": "folder"}, {"overwrite": False}):
        for name in ("folder", "file"):
            with pytest.raises(SourceError, match=r"is there already|is a folder"):
                write(tmp_path / name, small(), **arguments)
    with pytest.raises(SourceError, match="is a folder"):
        write(tmp_path / "folder", small())
    with pytest.raises(SourceError, match="not a regular file"):
        write(tmp_path / "fifo", small())
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("links", [True, False])
def test_a_target_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:  # a file system without hard links

        def link(*_: Any) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "m"

    def pieces() -> Iterator[bytes]:
        path.write_bytes(b"somebody else's")
        yield bytes(3)

    late = contents(TensorData(TensorSpec("a", "U8", (3,)), pieces))
    with pytest.raises(SourceError, match="File exists"):
        write(path, late, overwrite=False)
    assert path.read_bytes() == b"somebody else's"
    assert names(tmp_path) == ["m"]
    path.unlink()
    write(path, small(), overwrite=False)
    assert names(tmp_path) == ["m"]


def test_permissions_stay_and_follow_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "m"
    old = os.umask(0o027)
    try:
        write(path, small(), signers=[signer()])
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o600)
    write(path, small(), signers=[signer()])
    sign(path, signer("second"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_links_are_followed_to_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write(tmp_path / "real" / "m", small())
    (tmp_path / "link").symlink_to("real/m")
    write(tmp_path / "link", small(seed=1))
    assert (tmp_path / "link").is_symlink()
    assert verified(tmp_path / "real" / "m", trust=UNSIGNED) == verified(
        tmp_path / "link", trust=UNSIGNED
    )
    assert names(tmp_path / "real") == ["m"]


@pytest.mark.parametrize("name", ["m" * 255, "\u00e9" * 127, "\U0001f600" * 63, "-rf", " "])
def test_long_and_strange_file_names(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, small(), signers=[signer()])
    sign(tmp_path / name, signer("second"))
    assert names(tmp_path) == [name]
    assert verified(tmp_path / name, trust=TRUST)


# Contents that can't be a bundle


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"members": {"../x": Payload(b"", "text/plain")}}, MemberNameError),
        ({"members": {"manifest.json": Payload(b"", "text/plain")}}, MemberNameError),
        ({"members": {"signatures/x": Payload(b"", "text/plain")}}, MemberNameError),
        ({"members": {"weights.safetensors": Payload(b"", "text/plain")}}, UsageError),
        ({"members": {"weights.bin": Payload(b"", "text/plain")}}, UsageError),
        (
            {"members": {"a": Payload(b"", "text/plain"), "A": Payload(b"", "text/plain")}},
            MemberNameError,
        ),
        (
            {"members": {"a": Payload(b"", "text/plain"), "a/b": Payload(b"", "text/plain")}},
            MemberNameError,
        ),
        ({"members": {"a": Payload(b"", "not a media type")}}, ManifestError),
        ({"architecture": {"a": 1.5}}, JsonError),
        ({"architecture": {"a": "x" * 5000}}, LimitError),
        ({"framework": "no such framework!"}, ManifestError),
        ({"tensors": (tensor("a", (1,)), tensor("a", (2,)))}, WeightsError),
        ({"tensors": (tensor("\u00e9", (1,)),)}, WeightsError),
        ({"tensors": (tensor("a", (1,), dtype="C128"),)}, WeightsError),
        ({"tensors": (TensorData(TensorSpec("a", "U8", (1 << 51,)), list),)}, LimitError),
    ],
)
def test_contents_that_no_reader_would_accept(
    tmp_path: Path, bad: dict[str, Any], error: type[SafemodelError], layout: Any
) -> None:
    model = Contents(**bad) if "tensors" in bad else None
    with pytest.raises(error):
        write(tmp_path / "m", model or contents(tensor("w", (3,)), **bad), layout=layout)
    assert names(tmp_path) == []


def test_senseless_arguments(tmp_path: Path) -> None:
    ed = Signer.generate("ed25519")
    for arguments in (
        {"digest": "md5"},
        {"layout": "tar"},
        {"oms": True, "note": "x", "signers": [signer()]},
        {"oms": True, "signers": [ed]},
    ):
        with pytest.raises(UsageError):
            write(tmp_path / "m", small(), **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        sign(tmp_path / "m", [])
    with pytest.raises(UsageError):
        sign(tmp_path / "m", [signer(), ed], signature=tmp_path / "s")
    assert names(tmp_path) == []


def test_empty_bundle(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        write(tmp_path / layout, Contents(), signers=[signer()], layout=layout)  # type: ignore[arg-type]
        found = verified(tmp_path / layout, trust=TRUST)
        assert found["tensors"] == {} == found["members"]
        with open_bundle(tmp_path / layout, trust=TRUST) as bundle:
            bundle.load_weights()
    pack(tmp_path / "folder", tmp_path / "packed")
    assert (tmp_path / "packed").read_bytes() == (tmp_path / "archive").read_bytes()


# Shards


def test_more_tensors_than_a_shard_holds(tmp_path: Path) -> None:
    """50,001 tensors are two shards, in every encoding, and nothing is lost."""
    count = limits.SHARD_TENSORS + 1
    model = contents(*(tensor(f"t{i:06}", (1,)) for i in range(count)))
    path = tmp_path / "m"
    write(path, model, signers=[signer()])
    shown = inspect(path)
    assert list(shown.manifest.files) == [
        "weights-00001-of-00002.safetensors",
        "weights-00002-of-00002.safetensors",
    ]
    assert len(shown.tensors) == count
    with open_bundle(path, trust=TRUST) as bundle:
        bundle.load_weights()
        assert len(bundle.tensors) == count
        for name in ("t000000", "t025000", "t049999", "t050000"):
            assert bytes(bundle.tensor(name).buffer) == content(name, 1)


def test_shards_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHARD_SIZE", 5000)
    model = contents(*(tensor(f"t{i}", (1000 * (i + 1),)) for i in range(8)))
    expected = {f"t{i}": content(f"t{i}", 1000 * (i + 1)) for i in range(8)}
    for layout in LAYOUTS:
        path = tmp_path / layout
        write(path, model, signers=[signer()], layout=layout)  # type: ignore[arg-type]
        found = verified(path, trust=TRUST)
        assert {name: data for name, (_, _, data) in found["tensors"].items()} == expected
        with open_bundle(path, trust=TRUST) as bundle:
            assert len(bundle.weights) > 5
            bundle.load_weights()
            bundle.load_weights()
            for name, data in expected.items():
                assert bytes(bundle.tensor(name).buffer) == data
    unpack(tmp_path / "archive", tmp_path / "unpacked")
    assert verified(tmp_path / "unpacked", trust=TRUST) == found


# Crashes

CRASH = """
import sys
sys.path.insert(0, {root!r})
from tests.bundle.samples import contents, content
from safemodel.bundle import sign
from safemodel.bundle.contents import TensorData
from safemodel.bundle.write import write
from safemodel.format.weights import TensorSpec
from safemodel.trust.keys import Signer
key = Signer.load({key!r})
datas = [bytes([i]) * {size} for i in range(2)]
print("ready", flush=True)
i = 0
while True:
    i += 1
    data = datas[i % 2]
    model = contents(TensorData(TensorSpec("a", "U8", ({size},)), lambda data=data: [data]))
    write({path!r}, model, signers=[key])
    sign({path!r}, key, note=str(i))
"""


@pytest.mark.parametrize(
    ("size", "rounds"),
    [(1000, 12), (6 * MIB, 8), pytest.param(3 * MIB, 100, marks=pytest.mark.slow)],
)
def test_killed_at_any_point_leaves_the_old_file_or_the_new(
    tmp_path: Path, size: int, rounds: int
) -> None:
    key = tmp_path / "key.pem"
    signer().save(key)
    path = tmp_path / "m.safemodel"
    write(path, contents(tensor("old", (10,))), signers=[signer()])
    code = CRASH.format(root=ROOT, key=str(key), path=str(path), size=size)
    outcomes = set()
    for number in range(rounds):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.002 + 0.0137 * (number % 20) + 0.0007 * (number // 20))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = verified(path, trust=TRUST)["tensors"]
        if "old" in found:
            assert found["old"][2] == content("old", 10)
            outcomes.add("old")
        else:
            data = found["a"][2]
            assert data in (bytes(size), b"\1" * size)
            outcomes.add(data[0])
        for left in tmp_path.glob(".*.partial"):  # only under names that nobody mistakes
            left.unlink()
        assert names(tmp_path) == ["key.pem", "m.safemodel"]
    assert outcomes


def test_killed_while_signing_leaves_a_bundle_that_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a folder: what a crash leaves behind does not lie in the bundle."""
    path = tmp_path / "m"
    write(path, small(), signers=[signer()], layout="folder")
    expected = verified(path, trust=TRUST)

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    for call in ("pwritev", "fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, killed)
            patch.setattr(os, "unlink", killed)  # a dead process cleans nothing up
            with pytest.raises(Killed):
                sign(path, signer("second"))
        assert verified(path, trust=TRUST) == expected
    sign(path, signer("second"))
    assert verified(path, trust=TRUST)["tensors"] == expected["tensors"]


def test_order_of_flush_and_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data are on the disk before the name changes, and the name after it."""
    calls: list[str] = []
    for name in ("fsync", "replace", "rename", "pwritev"):
        real = getattr(os, name)

        def spy(*arguments: Any, name: str = name, real: Any = real) -> Any:
            calls.append(name)
            return real(*arguments)

        monkeypatch.setattr(os, name, spy)
    write(tmp_path / "m", small(), signers=[signer()])
    assert [c for c in calls if c != "pwritev"] == ["fsync", "replace", "fsync"]
    assert calls.index("fsync") > max(i for i, c in enumerate(calls) if c == "pwritev")
    calls.clear()
    write(tmp_path / "f", small(), signers=[signer()], layout="folder")
    moved = calls.index("rename")
    assert "pwritev" not in calls[moved:]
    files, folders = 5, 3  # the files, and each folder of the temporary one
    assert calls[:moved].count("fsync") == files + folders
    assert calls[moved:].count("fsync") == 1
    calls.clear()
    sign(tmp_path / "m", signer("second"))
    assert [c for c in calls if c != "pwritev"] == ["fsync", "replace", "fsync"]
