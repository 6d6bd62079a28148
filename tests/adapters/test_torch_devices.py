"""Tensors go to a device as they are verified, through two buffers; the same code without one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402
from safemodel.adapters.graph_decode import decode  # noqa: E402
from safemodel.adapters.torch import BUILDERS, PARSERS, staging  # noqa: E402
from safemodel.bundle import open_bundle  # noqa: E402
from safemodel.errors import DigestMismatchError, UsageError  # noqa: E402

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class LateLane:
    """Copies that happen as late as they may: when somebody waits for them.

    What a device does behind the back of the host, so a buffer that is used again too early would
    be seen.
    """

    def __init__(self) -> None:
        self.buffers = self.copies = self.waiting = self.most = 0

    def buffer(self, size: int) -> Any:
        self.buffers += 1
        return torch.full((size,), 0xAA, dtype=torch.uint8)

    def copy(self, target: Any, source: Any) -> Callable[[], object]:
        self.copies += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        pending = [lambda: target.copy_(source)]

        def wait() -> None:
            while pending:
                pending.pop()()
                self.waiting -= 1

        return wait


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    x = torch.randn(3 * MIB // 4 + 17)
    rows = torch.randn(10, 10)
    return {
        "large": torch.randn(9 * MIB // 4),
        "views": [x, x[1:], x[5:1005:2]],
        "small": [torch.randn(n) for n in range(40)],
        "bool": torch.tensor([True, False, True]),
        "permuted": torch.randn(4, 5).t(),
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "sparse": [rows.to_sparse().coalesce(), rows.to_sparse_csr()],
        "quantized": torch.quantize_per_channel(rows, rows[0], torch.arange(10), 0, torch.qint8),
        "generator": torch.Generator().manual_seed(3),
        "text": "x" * 5000,
        "bytes": b"y" * 5000,
        "half": torch.randn(7).half(),
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    sm.save(state(), tmp_path / "x.safemodel", signer=None)
    return tmp_path / "x.safemodel"


@pytest.mark.parametrize("piece", [1, 2 * MIB, 64 * MIB])
def test_no_buffer_is_used_before_its_copy_has_ended(piece: int, saved: Path) -> None:
    lane = LateLane()
    with open_bundle(saved, trust=sm.UNSIGNED) as bundle:
        names = set(bundle.tensors)
        storages = staging.Staging(bundle, torch.device("cpu"), lane, piece).storages(names)
        assert storages.keys() == names
        for name, storage in storages.items():
            found = torch.empty(0, dtype=torch.uint8).set_(storage).numpy()
            assert found.tobytes() == bundle.tensor(name).buffer, name
    assert (lane.buffers, lane.most, lane.waiting) == (2, 2, 0)
    assert lane.copies >= len([t for t in bundle.tensors.values() if t.nbytes])


@pytest.mark.parametrize("mapped", [False, True])
def test_a_state_through_the_buffers_is_the_same_state(mapped: bool, saved: Path) -> None:
    """As for a device that happens to be the CPU: what is not copied there is built here."""
    with open_bundle(saved, trust=sm.UNSIGNED, mapped=mapped) as bundle:
        graph = bundle.manifest.architecture["graph"]
        source, context = staging.opened(bundle, torch.device("cpu"), graph)
        assert context["storages"].keys() < bundle.tensors.keys()
        back = decode(graph, source, builders=BUILDERS, parsers=PARSERS, context=context)
    digest = sm.inspect(saved).digest
    assert sm.save(back, saved.with_name("y.safemodel"), signer=None) == digest


def test_a_changed_chunk_stops_it(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[5 * MIB] ^= 1
    saved.write_bytes(data)
    with (
        open_bundle(saved, trust=sm.UNSIGNED) as bundle,
        pytest.raises(DigestMismatchError, match="tensor"),
    ):
        staging.Staging(bundle, torch.device("cpu"), LateLane()).storages(set(bundle.tensors))


@pytest.mark.parametrize(
    "graph",
    [
        None,
        [],
        {"nodes": 3},
        {"nodes": [3, None, {"kind": "tensor"}, {"kind": "tensor", "data": 1}]},
        {"nodes": [{"kind": "sparse_coo", "values": {"ref": 9}, "indices": {"ref": True}}]},
        {"nodes": [{"kind": "sparse_coo", "values": {"ref": -1}, "indices": {"ref": []}}]},
        {"nodes": [{"kind": [], "values": {"ref": 0}}]},
        {"nodes": [{"kind": "tensor", "data": "nothing"}]},
    ],
)
def test_a_graph_that_is_none(graph: Any, saved: Path) -> None:
    with open_bundle(saved, trust=sm.UNSIGNED) as bundle:
        _, context = staging.opened(bundle, torch.device("meta"), graph)
    assert context["storages"] == {}


def test_a_load_to_a_device(saved: Path) -> None:
    with pytest.raises(sm.errors.ArchitectureError, match="quantized"):  # there is none on meta
        sm.load(saved, trust=sm.UNSIGNED, device="meta")
    plain = {name: value for name, value in state().items() if name != "quantized"}
    sm.save(plain, saved)
    back = sm.load(saved, device="meta")
    assert back["large"].device == back["sparse"][0].device == torch.device("meta")
    assert back["permuted"].stride() == plain["permuted"].stride()
    assert back["generator"].get_state().equal(plain["generator"].get_state())
    assert back["text"] == plain["text"]


def test_parts_of_a_state_to_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    sm.save(module, tmp_path / "m.safemodel")
    taken: list[str] = []
    real = staging.Staging.storages
    monkeypatch.setattr(
        staging.Staging, "storages", lambda self, names: (taken.extend(names), real(self, names))[1]
    )
    back = sm.load(tmp_path / "m.safemodel", into=dict, prefix="1.", device="meta")
    assert list(back) == ["weight", "bias"]
    assert sorted(taken) == ["1.bias", "1.weight"]
    assert {tensor.device.type for tensor in back.values()} == {"meta"}


def test_a_graph_on_a_device(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    sm.save(module, tmp_path / "m.safemodel", example_inputs=(torch.ones(4, 3),))
    back = sm.load(tmp_path / "m.safemodel", device="meta")
    assert back(torch.ones(4, 3, device="meta")).device == torch.device("meta")


def test_devices_that_are_none() -> None:
    assert staging.device_of(None) is staging.device_of("cpu") is None
    assert staging.device_of("meta") == torch.device("meta")
    for wrong in ("toaster", 3.5, "privateuseone:7"):
        with pytest.raises(UsageError):
            staging.device_of(wrong)
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="there is no device cuda"):
            staging.device_of("cuda")
