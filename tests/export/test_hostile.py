"""Architectures of hostile signers: an export refuses them, or writes what a load gives."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from safemodel.adapters import tensors  # noqa: E402
from safemodel.adapters.torch import BUILDERS, HANDLERS, INLINES, PARSERS  # noqa: E402
from safemodel.errors import AdapterError, ArchitectureError, SafemodelError  # noqa: E402
from safemodel.export import safetensors_file, state, torch_file  # noqa: E402
from safemodel.export.opcodes import GLOBALS  # noqa: E402
from safemodel.export.values import View  # noqa: E402
from safemodel.format.manifest import Adapter  # noqa: E402
from tests.adapters.mutate import mutate  # noqa: E402
from tests.adapters.support import Codec, MemoryBundle  # noqa: E402

codec = Codec(HANDLERS, INLINES, BUILDERS, PARSERS)
WORDS = [
    *("tensor", "quantized", "sparse_coo", "OrderedDict", "dict", "list", "tuple", "set", "bool"),
    *("float32", "int64", "qint8", "U8", "Parameter", "Buffer", "sparse_csr", "a", "ref"),
]


class Bundle(MemoryBundle):
    """As much of a bundle as an export reads."""

    def __init__(self, graph: Any, stored: MemoryBundle) -> None:
        super().__init__(())
        self.tensors, self.buffers = stored.tensors, stored.buffers
        self.manifest = cast(Any, self)
        self.adapter = Adapter("torch", 1)
        self.architecture = {"graph": graph}
        self.chunk_size = 1 << 20

    def pieces(self, name: str, buffer: Any) -> Any:
        return [self.buffers[name]] if len(self.buffers[name]) else []


def states() -> dict[str, Any]:
    x = torch.arange(12.0).reshape(3, 4)
    return {
        "views": {"a": x, "b": x[1:], "c": x[:, ::2], "d": x.view(torch.int32)},
        "flat": {"a": x.t(), "b": torch.tensor([True, False]), "c": torch.ones(0, 3)},
        "nested": {"a": [x, (1, 2.5, "t", None)], "b": {1, 2}, "c": torch.Size([2]), 3: b"x"},
        "kinds": [
            *(torch.nn.Parameter(x.clone()), torch.nn.Buffer(torch.ones(2)), x.to_sparse()),
            *(torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), x.to_sparse_csr()),
            torch.quantize_per_channel(x, torch.ones(3), torch.zeros(3), 0, torch.qint8),
        ],
        "large": {"a": "x" * 5000, "b": b"y" * 2000, "c": x},
    }


@pytest.mark.parametrize("name", ["views", "flat", "nested", "kinds", "large"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_edits(name: str, seed: int, tmp_path_factory: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, stored = codec.save(states()[name])
        bundle = Bundle(mutate(graph, seed, WORDS), stored)
        folder = tmp_path_factory.getbasetemp()
        for module, target in ((torch_file, "x.pt"), (safetensors_file, "x.safetensors")):
            path = folder / target
            path.unlink(missing_ok=True)
            with contextlib.suppress(SafemodelError):
                module.write(cast(Any, bundle), str(path), overwrite=False)
            if path.exists():
                _check(path)


def _check(path: Path) -> None:
    """What was written can be loaded, or is refused by PyTorch's own checks of what is in it."""
    if path.suffix == ".pt":
        with contextlib.suppress(RuntimeError, ValueError, TypeError):
            torch.load(path, weights_only=True)
    else:
        pytest.importorskip("safetensors.torch").load_file(path)


KEYS = st.sampled_from([*WORDS, "kind", "nodes", "root", "state", "data", "program", "graph"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**53) | st.sampled_from([*WORDS, ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_any_json(architecture: Any) -> None:
    bundle = Bundle(None, MemoryBundle(()))
    bundle.architecture = architecture
    with contextlib.suppress(AdapterError):
        state.read(cast(Any, bundle))


@pytest.mark.parametrize(
    "node",
    [
        {"dtype": "float32", "data": "a", "shape": [13], "strides": [4], "offset": 0},
        {"dtype": "float32", "data": "a", "shape": [3], "strides": [4], "offset": 40},
        {"dtype": "float32", "data": "a", "shape": [3], "strides": [-4], "offset": 8},
        {"dtype": "float32", "data": "a", "shape": [3], "strides": [2], "offset": 0},
        {"dtype": "float64", "data": "a"},
        {"dtype": "float33", "data": "a"},
        {"dtype": "float32", "data": "a", "layout": [4, 4]},
        {"dtype": "float32", "data": "a", "class": "Module"},
        {"dtype": "float32", "data": "a", "persistent": True},
        {"dtype": "float32", "data": "b"},
        {"dtype": ["float32"], "data": "a"},
        {"dtype": "float32", "data": "a", "conj": False},
    ],
)
def test_tensors_that_are_none(node: Any) -> None:
    graph, stored = codec.save({"a": torch.arange(12.0).reshape(3, 4)})
    assert isinstance(state.read(cast(Any, Bundle(graph, stored)))["a"], View)
    graph["nodes"][1] = {"kind": "tensor", **node}
    with pytest.raises(AdapterError):
        state.read(cast(Any, Bundle(graph, stored)))


def test_one_tensor_quantized_many_times_is_refused_as_by_a_load(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.quantize_per_tensor(torch.zeros(1 << 20), 0.1, 0, torch.qint8)
        graph, stored = codec.save({"a": made})
        _, quantized, values = graph["nodes"]
        count = 100
        items = [[str(number), {"ref": 1 + number}] for number in range(count)]
        copies = [{**quantized, "values": {"ref": 1 + count}} for _ in range(count)]
        graph["nodes"] = [{"kind": "dict", "items": items}, *copies, values]
        with pytest.raises(ArchitectureError, match="copies of far more"):
            codec.load(graph, stored)
        bundle = cast(Any, Bundle(graph, stored))
        with pytest.raises(ArchitectureError, match="bytes of copies"):
            torch_file.write(bundle, str(tmp_path / "a.pt"), overwrite=False)
    assert not list(tmp_path.iterdir())


def test_every_name_that_a_program_may_have_is_one_that_weights_only_takes() -> None:
    names = [
        *GLOBALS.values(),
        *(f"ctorch\n{name}\n".encode() for name in torch_file._STORAGES.values()),
    ]
    names += [f"ctorch\n{name}\n".encode() for name in (*tensors.STORED, *tensors.QUANTIZED)]
    for opcode in names:
        state = torch._weights_only_unpickler.load(io.BytesIO(b"\x80\x02" + opcode + b"."))
        assert state is not None


def test_views_of_one_tensor_are_cut_from_one_read_of_it(tmp_path: Path) -> None:
    """And not each from its own: a million views of a large tensor would take forever."""
    x, y = torch.arange(100.0), torch.arange(100.0) + 1
    views = {f"{letter}{i}": z[i : i + 1] for letter, z in (("a", x), ("b", y)) for i in range(99)}
    graph, stored = codec.save({**views, "x": x, "y": y})
    bundle = cast(Any, Bundle(graph, stored))
    reads: list[str] = []
    read = bundle.tensor
    bundle.tensor = lambda name: (reads.append(name), read(name))[1]
    safetensors_file.write(bundle, str(tmp_path / "a.safetensors"), overwrite=False)
    assert len(reads) == 2
    loaded = pytest.importorskip("safetensors.torch").load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(loaded[name], value) for name, value in views.items())


def test_tensors_that_are_read_in_turns_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safemodel.export.bytes_of._FREE", 0)
    x, y = torch.arange(100.0), torch.arange(100.0) + 1
    views = {f"{i:03}": (x, y)[i % 2][i // 2 : i // 2 + 1] for i in range(190)}
    graph, stored = codec.save({**views, "x": x, "y": y})
    bundle, path = cast(Any, Bundle(graph, stored)), str(tmp_path / "a.safetensors")
    with pytest.raises(ArchitectureError, match="in turns"):
        safetensors_file.write(bundle, path, overwrite=False)
    assert not list(tmp_path.iterdir())
