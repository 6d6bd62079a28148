"""Modules of PyTorch in two forms: several inputs, arguments by name, sizes that may differ."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.errors import MissingLibraryError, UnsavableError, UsageError  # noqa: E402


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Reader(torch.nn.Module):
    """Several inputs, some by name, constants among them; a dictionary and a tuple come back."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(50, 16)
        self.layer = torch.nn.LSTM(16, 16, batch_first=True)
        self.head = torch.nn.Linear(16, 3)

    def forward(
        self, words: Any, mask: Any = None, *, scale: Any = None, flip: bool = False
    ) -> Any:
        found, state = self.layer(self.words(words))
        if mask is not None:
            found = found * mask.unsqueeze(-1)
        if scale is not None:
            found = found * scale
        return {"found": self.head(-found if flip else found), "state": state}


def call(rows: int, length: int) -> Any:
    named = {"mask": torch.rand(rows, length), "scale": torch.rand(1), "flip": True}
    return (torch.randint(0, 50, (rows, length)),), named


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingLibraryError, match="onnx is not installed") as caught:
        sm.save(torch.nn.Linear(2, 2), tmp_path / "m.safemodel", onnx_inputs=torch.ones(1, 2))
    assert "onnx-export" in (caught.value.hint or "")


def test_arguments_by_name_and_sizes_that_differ(tmp_path: Path) -> None:
    module = Reader()
    sm.save(module, tmp_path / "m.safemodel", onnx_inputs=[call(2, 5), call(3, 7)])
    assert module.training
    session = sm.onnx_session(tmp_path / "m.safemodel")
    shapes = {item.name: item.shape for item in session.get_inputs()}
    assert shapes == {
        "input_0": ["batch", "input_0_1"],
        "mask": ["batch", "mask_1"],
        "scale": ["batch"],
    }
    (words,), named = call(4, 9)
    module.eval()
    wanted = module(words, **named)
    feeds = {"input_0": words, "mask": named["mask"], "scale": named["scale"]}
    found = session.run(None, {name: tensor.numpy() for name, tensor in feeds.items()})
    for one, other in zip(found, [wanted["found"], *wanted["state"]], strict=True):
        assert np.allclose(one, other.detach().numpy(), 1e-4, 1e-5)
    other = Reader()
    assert sm.load(tmp_path / "m.safemodel", into=other).complete
    assert torch.equal(other.head.weight, module.head.weight)


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    class Both(torch.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a + b, [a * 2, {"b": b.sum(1)}]

    sm.save(Both(), tmp_path / "m.safemodel", onnx_inputs=(torch.rand(2, 3), torch.rand(2, 3)))
    session = sm.onnx_session(tmp_path / "m.safemodel")
    a, b = np.ones((5, 3), "f4"), np.full((5, 3), 2, "f4")
    found = session.run(None, {"input_0": a, "input_1": b})
    assert [item.tolist() for item in found] == [[[3.0] * 3] * 5, [[2.0] * 3] * 5, [6.0] * 5]


def test_a_size_that_the_graph_holds_fast_is_refused(tmp_path: Path) -> None:
    class Fixed(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.reshape(x.shape[0], -1, 2) * int(x.shape[1])

    sm.save(Fixed(), tmp_path / "m.safemodel", onnx_inputs=[torch.rand(2, 4), torch.rand(3, 4)])
    with pytest.raises(UnsavableError, match="differs from the model's own"):
        sm.save(Fixed(), tmp_path / "n.safemodel", onnx_inputs=[torch.rand(2, 4), torch.rand(2, 6)])
    assert not (tmp_path / "n.safemodel").exists()


def test_a_module_that_raises_or_gives_another_number_of_outputs(tmp_path: Path) -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return (x,) if len(x) == 2 else (x, x)

    with pytest.raises(UnsavableError, match="other kinds of outputs"):
        sm.save(Odd(), tmp_path / "m.safemodel", onnx_inputs=[torch.rand(2, 4), torch.rand(3, 4)])
    with pytest.raises(UnsavableError, match="the module can't be called so"):
        sm.save(torch.nn.Linear(3, 3), tmp_path / "m.safemodel", onnx_inputs=torch.rand(2, 4))


X = torch.ones(2, 3)


@pytest.mark.parametrize(
    "inputs",
    [
        *(None.__class__, 3, "x", [], (), ((), {})),
        *((X, 3), ((X,), {"a": object()}), ((X,), {"input_0": X}), {"x": X}),
        *([X, torch.ones(2)], [X, X.int()], [X, (X, X)]),
        [((X,), {"flip": True}), ((X,), {"flip": False})],
    ],
)
def test_inputs_that_are_none(inputs: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="onnx_inputs="):
        sm.save(torch.nn.Linear(3, 3), tmp_path / "m.safemodel", onnx_inputs=inputs)
    assert not (tmp_path / "m.safemodel").exists()
