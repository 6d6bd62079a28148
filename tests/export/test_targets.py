"""State leaves a verified bundle for other tools, to the last bit, or is refused by name."""

from __future__ import annotations

import collections
import math
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.errors import (  # noqa: E402
    ArchitectureError,
    DigestMismatchError,
    SourceError,
    UnsavableError,
    UntrustedSignerError,
    UsageError,
    WrongModelError,
)
from safemodel.scan import scan  # noqa: E402

from ..adapters.torch_training_cases import TRAININGS  # noqa: E402


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def exported(obj: Any, folder: Path, to: str) -> Path:
    sm.save(obj, folder / "x.safemodel")
    sm.export(folder / "x.safemodel", folder / f"x.{to}", to=to)
    return folder / f"x.{to}"


def check_pt(obj: Any, folder: Path) -> Any:
    """Export, load with PyTorch, save again: the same bundle, so everything is the same."""
    before = sm.save(obj, folder / "x.safemodel", signer=None)
    sm.export(folder / "x.safemodel", folder / "x.pt", to="pt", trust=sm.UNSIGNED)
    back = torch.load(folder / "x.pt", weights_only=True)
    assert sm.save(back, folder / "y.safemodel", signer=None) == before
    return back


def tied() -> Any:
    module = torch.nn.Sequential(
        torch.nn.Linear(6, 6), torch.nn.Linear(6, 6), torch.nn.Conv2d(2, 3, 2)
    )
    module[1].weight = module[0].weight
    module.to(memory_format=torch.channels_last)
    module.register_buffer("mask", torch.tensor([True, False, True]))
    return module


TYPES = """
bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex32 complex64 complex128
uint16 uint32 uint64 float8_e4m3fn float8_e5m2 float8_e8m0fnu
"""


def everything() -> dict[str, Any]:
    x = torch.arange(100, dtype=torch.float32).reshape(10, 10)
    z = torch.randn(3, dtype=torch.complex64)
    shared = [1, 2]
    return {
        "views": [x, x[1:], x[::2, 1:3], x.t(), x.view(torch.int32)[3], x[0, 0]],
        "alone": torch.randn(4, 5).t(),
        "types": [torch.tensor([0, 1, 0, 1]).to(getattr(torch, name)) for name in TYPES.split()],
        "empty": [torch.empty(0), torch.empty(3, 0, 2), torch.tensor(7)],
        "bits": [z.clone().conj(), z.conj().imag],
        "flags": [
            torch.nn.Parameter(torch.ones(2)),
            torch.nn.Parameter(torch.ones(2), requires_grad=False),
            torch.ones(2, requires_grad=True),
        ],
        "buffers": [
            torch.nn.Buffer(torch.ones(1)),
            torch.nn.Buffer(torch.ones(1), persistent=False),
        ],
        "sparse": [
            *(x.to_sparse(), x.to_sparse().coalesce(), x.to_sparse_csr(), x.to_sparse_csc()),
            *(x.to_sparse_bsr((2, 5)), x.to_sparse_bsc((2, 5))),
        ],
        "quantized": [
            torch.quantize_per_tensor(x, 0.1, 3, torch.qint8),
            torch.quantize_per_channel(x, torch.rand(10) + 1, torch.arange(10), 1, torch.quint8),
            torch.quantize_per_channel(x, torch.rand(10) + 1, torch.rand(10), 0, torch.quint8),
        ],
        "integers": [0, 255, 256, 65536, -1, 2**31, -(2**31), 2**70, -(2**70), True, False],
        "floats": [0.1, -0.0, math.inf, math.nan, 1 + 2j, None],
        "text": ["", "\u2603", "a\ud800", "x" * 5000],
        "bytes": [b"", b"\xff\x00", b"y" * 2000, bytearray(b"z")],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),)],
        "sets": [set(), {1, 2, "a"}, collections.Counter("aab"), collections.OrderedDict(a=1)],
        "sizes": [torch.Size([1, 2]), torch.Size([])],
        "torch": [torch.float16, torch.qint8, torch.sparse_coo, torch.strided],
        "devices": [torch.device("cpu"), torch.device("cuda", 1)],
        "shared": [shared, shared],
        3: {(1, "a"): {}},
    }


def test_pt_keeps_everything(tmp_path) -> None:
    state = everything()
    state["itself"] = state
    back = check_pt(state, tmp_path)
    assert back["itself"] is back
    assert back["shared"][0] is back["shared"][1]
    assert back["views"][0].data_ptr() == back["views"][1].data_ptr() - 40
    assert list(back["buffers"][1].__dict__) == ["_is_buffer", "persistent"]


@pytest.mark.parametrize("name", sorted(TRAININGS)[::7])
def test_pt_keeps_training(name: str, tmp_path) -> None:
    training = TRAININGS[name]()
    training.step()
    check_pt({key: part.state_dict() for key, part in training.parts().items()}, tmp_path)


def test_pt_of_a_module(tmp_path) -> None:
    module = tied()
    path = exported(module, tmp_path, "pt")
    other = tied()
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    state = torch.load(path, weights_only=True)
    assert state._metadata == module.state_dict()._metadata
    assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
    assert all(map(torch.equal, other.parameters(), module.parameters()))
    assert state["2.weight"].stride() == module[2].weight.stride()
    assert state["0.weight"].data_ptr() == state["1.weight"].data_ptr()


class Graphed(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        self.register_buffer("temporary", torch.ones(3), persistent=False)
        self.constant = torch.tensor([1.0, 2, 3])

    def forward(self, x: Any) -> Any:
        return self.linear(x) + self.temporary + self.constant


def test_a_module_with_its_graph_leaves_its_state(tmp_path) -> None:
    module = Graphed()
    sm.save(module, tmp_path / "x.safemodel", example_inputs=(torch.ones(2, 3),))
    sm.export(tmp_path / "x.safemodel", tmp_path / "x.pt", to="pt")
    sm.export(tmp_path / "x.safemodel", tmp_path / "x.s", to="safetensors")
    state = torch.load(tmp_path / "x.pt", weights_only=True)
    assert list(state) == ["linear.weight", "linear.bias"]
    Graphed().load_state_dict(state)
    found = pytest.importorskip("safetensors.torch").load_file(tmp_path / "x.s")
    assert found.keys() == state.keys()


def test_a_checkpoint_leaves_all_but_its_random_states(tmp_path) -> None:
    training = TRAININGS["tied"]()
    training.step()
    sm.save_checkpoint(
        tmp_path / "c.safemodel",
        model={"net": training.model},
        optimizer=training.optimizer,
        generators=training.data,
        step=7,
        extra={"best": 0.5},
    )
    sm.export(tmp_path / "c.safemodel", tmp_path / "c.pt", to="pt")
    back = torch.load(tmp_path / "c.pt", weights_only=True)
    assert back.keys() == {"model.net", "optimizer", "extra", "step"}
    assert (back["step"], back["extra"]) == (7, {"best": 0.5})
    training.model.load_state_dict(back["model.net"])
    training.optimizer.load_state_dict(back["optimizer"])
    with pytest.raises(UnsavableError) as caught:
        sm.export(tmp_path / "c.safemodel", tmp_path / "c.s", to="safetensors")
    assert caught.value.place == "model.net"


def test_a_model_in_two_forms_leaves_its_own(tmp_path) -> None:
    pytest.importorskip("onnxruntime")
    module = torch.nn.Linear(300, 20)
    sm.save(module, tmp_path / "x.safemodel", onnx_inputs=torch.rand(2, 300))
    sm.export(tmp_path / "x.safemodel", tmp_path / "x.pt", to="pt")
    back = torch.load(tmp_path / "x.pt", weights_only=True)
    assert back.keys() == {"weight", "bias"}
    assert torch.equal(back["weight"], module.weight)


def test_pt_is_a_plain_file_of_pytorch(tmp_path) -> None:
    path = exported({"w": torch.randn(1000, 3)}, tmp_path, "pt")
    assert scan(path).files[0].findings == ()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "archive/data.pkl"
    mapped = torch.load(path, weights_only=True, mmap=True)["w"]
    assert mapped.data_ptr() % 64 == 0
    assert torch.equal(mapped, sm.load(tmp_path / "x.safemodel")["w"])
    first = path.read_bytes()
    assert exported(sm.load(tmp_path / "x.safemodel"), tmp_path, "pt").read_bytes() == first


def test_pt_of_nesting_deeper_than_python(tmp_path) -> None:
    value: Any = []
    for _ in range(900):
        value = [value]
    check_pt({"deep": value}, tmp_path)


REFUSED_PT = {
    "array": np.ones(3),
    "scalar": np.float32(1),
    "generator": torch.Generator(),
    "random": np.random.RandomState(1),
    "frozenset": frozenset({1}),
    "deque": collections.deque([1]),
    "defaultdict": collections.defaultdict(list),
    "slice": slice(1),
    "range": range(3),
    "format": torch.channels_last,
    "class": int,
    "long": 1 << 2100,
}


@pytest.mark.parametrize("name", REFUSED_PT)
def test_pt_refuses_by_name(name: str, tmp_path) -> None:
    with pytest.raises(UnsavableError, match="weights_only") as caught:
        exported({"a": [torch.ones(1), {name: REFUSED_PT[name]}]}, tmp_path, "pt")
    assert caught.value.place == f"a.1.{name}"
    assert {file.name for file in tmp_path.iterdir()} == {"x.safemodel"}


def test_pt_refuses_a_tuple_that_holds_itself(tmp_path) -> None:
    inner: list[Any] = []
    inner.append((inner, (inner,)))
    check_pt({"a": inner}, tmp_path)
    knot: Any = ([torch.ones(1)],)
    knot[0].append(knot)
    with pytest.raises(UnsavableError, match="holds itself"):
        exported({"a": knot}, tmp_path, "pt")


def test_safetensors_has_the_names_and_values(tmp_path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    module = tied()
    state = module.state_dict()
    state["pé"] = torch.randn(6, 4).t()[1::2]
    state["scalar"], state["empty"] = torch.tensor(2.5), torch.empty(0, 3)
    for name in ("uint16", "uint64", "bfloat16", "float8_e4m3fn", "complex64", "float64", "int8"):
        state[name] = torch.tensor([0, 1]).to(getattr(torch, name))
    path = exported(state, tmp_path, "safetensors")
    found = safetensors.load_file(path)
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert (
            bytes(found[name].contiguous().view(-1).view(torch.uint8).numpy())
            == bytes(tensor.contiguous().view(-1).view(torch.uint8).numpy())
            if tensor.numel()
            else True
        )
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_safetensors_of_arrays(tmp_path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(6)[::-2], "c": np.array(True)}
    found = safetensors.load_file(exported(arrays, tmp_path, "safetensors"))
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


REFUSED_SAFETENSORS = {
    "step": 3,
    "nested": {"a": torch.ones(1)},
    "sparse": torch.ones(2, 2).to_sparse(),
    "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    "complex128": torch.ones(1, dtype=torch.complex128),
    "structured": np.zeros(2, "i4,f4"),
    "conjugate": torch.randn(2, dtype=torch.complex64).conj(),
    "size": torch.Size([1]),
}


@pytest.mark.parametrize("name", REFUSED_SAFETENSORS)
def test_safetensors_refuses_by_name(name: str, tmp_path) -> None:
    with pytest.raises(UnsavableError) as caught:
        exported({"w": torch.ones(1), name: REFUSED_SAFETENSORS[name]}, tmp_path, "safetensors")
    assert caught.value.place == name
    assert 'to="pt"' in str(caught.value.hint)


NOT_NAMED = [torch.ones(1), [torch.ones(1)]]
NAMES = [1, "__metadata__", "a\ud800"]


@pytest.mark.parametrize("state", [*NOT_NAMED, *({name: torch.ones(1)} for name in NAMES)])
def test_safetensors_is_of_named_tensors(state: Any, tmp_path) -> None:
    with pytest.raises(UnsavableError):
        exported(state, tmp_path, "safetensors")


def test_few_bytes_do_not_fill_the_disk(tmp_path) -> None:
    wide = torch.ones(1).expand(1 << 27)  # 512 MB that are 4 bytes
    with pytest.raises(UnsavableError, match="each name is written in full"):
        exported({str(n): wide for n in range(4)}, tmp_path, "safetensors")


# Trust, and what is on the disk


def test_nothing_is_exported_that_is_not_trusted(tmp_path) -> None:
    stranger = sm.Signer.generate()
    path, target = tmp_path / "x.safemodel", tmp_path / "x.pt"
    sm.save({"w": torch.ones(3)}, path, signer=stranger, metadata={"name": "acme/x"})
    with pytest.raises(UntrustedSignerError):
        sm.export(path, target, to="pt")
    trust = sm.TrustedKeys(stranger.public_key)
    with pytest.raises(WrongModelError):
        sm.export(path, target, to="pt", trust=trust, name="acme/y")
    with pytest.raises(UsageError, match="no format"):
        sm.export(path, target, to="pickle", trust=trust)
    assert not target.exists()
    sm.export(path, target, to="pt", trust=trust, name="acme/x")
    with pytest.raises(SourceError, match="is there already"):
        sm.export(path, target, to="pt", trust=trust, overwrite=False)
    with pytest.raises(UsageError, match="over itself"):
        sm.export(path, path, to="pt", trust=trust)


@pytest.mark.parametrize("to", ["pt", "safetensors"])
def test_changed_bytes_leave_no_file(to: str, tmp_path) -> None:
    path = tmp_path / "x.safemodel"
    state = {"a": torch.randn(1 << 20), "b": torch.randn(1 << 20)}
    sm.save(state, path)
    data = bytearray(path.read_bytes())
    data[6 << 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(DigestMismatchError, match="tensor b"):
        sm.export(path, tmp_path / "out", to=to)
    assert {file.name for file in tmp_path.iterdir()} == {"x.safemodel"}


def test_large_tensors_are_streamed_in_order(tmp_path) -> None:
    state = {"a": torch.randn(20 << 20), "b": torch.randn(3), "c": torch.randn(5 << 20)}
    back = check_pt(state, tmp_path)
    assert all(torch.equal(back[name], state[name]) for name in state)
    safetensors = pytest.importorskip("safetensors.torch")
    sm.export(tmp_path / "x.safemodel", tmp_path / "x.s", to="safetensors", trust=sm.UNSIGNED)
    found = safetensors.load_file(tmp_path / "x.s")
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_only_state_is_exported(tmp_path) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    sm.save(linear.LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]), tmp_path / "x.safemodel")
    for to in ("pt", "safetensors"):
        with pytest.raises(UnsavableError, match="adapter sklearn"):
            sm.export(tmp_path / "x.safemodel", tmp_path / "out", to=to)


def test_booleans_are_booleans(tmp_path, monkeypatch) -> None:
    from safemodel.adapters.torch import encoding

    monkeypatch.setattr(encoding._TensorMemory, "dense", lambda self: iter([memoryview(b"\1\2")]))
    sm.save({"w": torch.tensor([True, False])}, tmp_path / "x.safemodel")
    for to in ("pt", "safetensors"):
        with pytest.raises(ArchitectureError, match="neither 0 nor 1"):
            sm.export(tmp_path / "x.safemodel", tmp_path / "out", to=to)


def test_no_framework_is_imported(tmp_path) -> None:
    sm.save(tied(), tmp_path / "x.safemodel", signer=None)
    code = (
        "import sys, safemodel as sm\n"
        "for to in ('pt', 'safetensors'):\n"
        "    sm.export('x.safemodel', 'x.' + to, to=to, trust=sm.UNSIGNED)\n"
        "print(sorted({'torch', 'safetensors'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
