"""Checkpoints that a thread writes: the bytes of the moment of the call, and no error gets lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safemodel as sm
from safemodel import errors
from safemodel.bundle import write as bundle_write

torch = pytest.importorskip("torch")

from safemodel.adapters.torch import checkpoint as saving  # noqa: E402


def network() -> Any:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.Conv2d(3, 5, 3))
    model.to(memory_format=torch.channels_last)
    model.register_buffer("view", model[0].weight.detach().T[::2])
    return model


def test_the_bytes_are_those_of_the_moment_of_the_call(tmp_path: Path) -> None:
    model = network()
    extra = {"array": np.arange(1000), "tensor": torch.ones(5), "big": torch.ones(3_000_000)}
    now = sm.save_checkpoint(tmp_path / "now", model=model, extra=extra)
    later = sm.save_checkpoint(tmp_path / "later", model=model, extra=extra, asynchronous=True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    extra["array"][:] = 0
    extra["big"].zero_()
    torch.rand(3)
    assert later.wait() == now.digest == later.digest
    assert later.done
    assert (tmp_path / "now").stat().st_size == (tmp_path / "later").stat().st_size


def test_the_memory_of_the_copy_is_used_again() -> None:
    from safemodel.adapters.torch.checkpoint import saving
    from safemodel.adapters.torch.checkpoint.hosting import HostCopies
    from safemodel.adapters.torch.checkpoint.snapshot import Snapshot

    tensors = saving.save({"model": network()}).tensors
    snapshot = Snapshot(HostCopies())
    pieces = [next(iter(tensor.pieces())) for tensor in snapshot.copy(tensors)]
    first = [np.frombuffer(piece, np.uint8).ctypes.data for piece in pieces if len(piece)]
    again = [next(iter(tensor.pieces())) for tensor in snapshot.copy(tensors[1:])]
    second = [np.frombuffer(piece, np.uint8).ctypes.data for piece in again if len(piece)]
    assert second[0] == first[0]
    for tensor, piece in zip(tensors[1:], again, strict=True):
        assert b"".join(bytes(memoryview(one).cast("B")) for one in tensor.pieces()) == piece


def test_copies_of_a_device_are_not_copied_again_and_their_memory_is_kept() -> None:
    from safemodel.adapters.torch.checkpoint.hosting import HostCopies
    from safemodel.adapters.torch.checkpoint.snapshot import Snapshot
    from safemodel.adapters.torch.staging import PlainLane
    from safemodel.bundle.contents import TensorData
    from safemodel.format.weights import TensorSpec

    asked: list[int] = []

    class Lane(PlainLane):
        """As one to a device, whose copies end when they are waited for."""

        def buffer(self, size: int) -> Any:
            asked.append(size)
            return super().buffer(size)

        def copy(self, target: Any, source: Any) -> Any:
            return lambda: target.copy_(source)

    host = HostCopies(lambda device: Lane())
    values = [torch.arange(float(size)) for size in (1000, 3000, 10)]
    memory: list[list[int]] = []
    for _ in range(2):
        host.begin()
        copies = [host.copy(value.untyped_storage()) for value in values]
        host.finish()
        memory.append([copy.data_ptr() for copy in copies])
        tensors = [
            torch.empty(0).set_(copy, 0, v.shape) for copy, v in zip(copies, values, strict=True)
        ]
        assert all(torch.equal(one, other) for one, other in zip(tensors, values, strict=True))
        given = [
            TensorData(TensorSpec(str(i), "F32", tuple(t.shape)), lambda t=t: (t.numpy(),))
            for i, t in enumerate([*tensors, torch.ones(7)])
        ]
        found = Snapshot(host).copy(given)
        places = [np.frombuffer(next(iter(t.pieces())), np.uint8).ctypes.data for t in found]
        assert places[:3] == memory[-1]
        assert not host.owns(places[3])
    assert memory[0] == memory[1]
    assert asked == [4000, 12000, 40]
    host.begin()
    host.copy(torch.ones(5000).untyped_storage())
    host.finish()
    assert not any(host.owns(address) for address in memory[0])


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes wait until they are released."""
    release, entered, write = threading.Event(), threading.Event(), bundle_write.write

    def slow(*args: Any, **options: Any) -> str:
        entered.set()
        assert release.wait(60)
        return write(*args, **options)

    monkeypatch.setattr(bundle_write, "write", slow)
    yield entered, release
    release.set()


def test_a_call_waits_for_the_save_before(held: Any, tmp_path: Path) -> None:
    entered, release = held
    model = network()
    first = sm.save_checkpoint(tmp_path, model=model, step=1, keep=1, asynchronous=True)
    assert entered.wait(60)
    assert not first.done
    assert sm.latest_checkpoint(tmp_path) is None
    threading.Timer(0.2, release.set).start()
    assert sm.load_checkpoint(first.path, model=model).step == 1
    second = sm.save_checkpoint(tmp_path, model=model, step=2, keep=1, asynchronous=True)
    second.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000002.safemodel"]


def test_an_error_is_raised_by_the_next_call_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = network()
    saved = sm.save_checkpoint(tmp_path / "no" / "c", model=model, asynchronous=True)
    with pytest.raises(errors.SourceError, match="can't be written"):
        sm.save_checkpoint(tmp_path / "c", model=model)
    assert not (tmp_path / "c").exists()
    assert "was not saved" in caplog.text
    sm.save_checkpoint(tmp_path / "c", model=model)
    with pytest.raises(errors.SourceError):
        saved.wait()
    sm.save_checkpoint(tmp_path / "no" / "c", model=model, asynchronous=True)
    with pytest.raises(errors.SourceError):
        sm.load_checkpoint(tmp_path / "c", model=model)
    failed = sm.save_checkpoint(tmp_path / "no" / "c", model=model, asynchronous=True)
    with pytest.raises(errors.SourceError):
        failed.wait()
    sm.load_checkpoint(tmp_path / "c", model=model)


def test_what_two_threads_save_does_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One memory takes the copies of all saves; the first waits in the middle of its own."""
    taking, copy = threading.Event(), saving.SNAPSHOT.copy
    models = [torch.nn.Linear(2, 2) for _ in range(2)]
    for number, model in enumerate(models):
        for parameter in model.parameters():
            parameter.data.fill_(number)

    def slow(tensors: Any) -> Any:
        first = not taking.is_set()
        taking.set()
        copied = copy(tensors)
        if first:
            time.sleep(0.3)
        return copied

    monkeypatch.setattr(saving.SNAPSHOT, "copy", slow)

    def save(number: int) -> None:
        path = tmp_path / str(number)
        sm.save_checkpoint(path, model=models[number], rng=False, asynchronous=True).wait()

    threads = [threading.Thread(target=save, args=(number,)) for number in range(2)]
    threads[0].start()
    assert taking.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join()
    for number in range(2):
        assert sm.load(tmp_path / str(number))["model"]["weight"].unique().tolist() == [number]


def test_without_a_thread_the_call_itself_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refusing(thread: threading.Thread) -> None:
        if thread.name == "safemodel-checkpoint":
            raise RuntimeError("can't start new thread")
        start(thread)

    model = network()
    monkeypatch.setattr(threading.Thread, "start", refusing)
    saved = sm.save_checkpoint(tmp_path / "c", model=model, asynchronous=True)
    assert saved.done
    assert sm.load_checkpoint(tmp_path / "c", model=model).digest == saved.digest


def test_what_can_not_be_saved_is_refused_by_the_call_itself(tmp_path: Path) -> None:
    with pytest.raises(errors.UnsavableError, match=r"extra\.f"):
        sm.save_checkpoint(tmp_path / "c", model=network(), extra={"f": print}, asynchronous=True)


END = """
import sys, torch, safemodel as sm
model = torch.nn.Linear(2000, 2000)
sm.save_checkpoint(sys.argv[1], model=model, asynchronous=True, extra=torch.ones(5_000_000))
"""


def test_the_end_of_the_process_waits_for_the_save(tmp_path: Path, config_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", END, str(tmp_path / "c")],
        env={**os.environ, "SAFEMODEL_CONFIG": str(config_dir)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "was not saved" not in done.stderr
    sm.verify(tmp_path / "c").close()
