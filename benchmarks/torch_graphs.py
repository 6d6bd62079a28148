"""PyTorch: a transformer of 12 layers as a graph, rebuilt and run, against the module itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.groups import Group, Operation, own_signer, trusted
from benchmarks.measure import in_page_cache

GROUPS = (
    Group(
        "graph_load",
        "Load a transformer of 12 layers with its graph, after imports",
        ("load_graph_safemodel", "load_graph_torch_export"),
    ),
    Group(
        "graph_forward",
        "Run it ten times, in training mode",
        ("forward_eager", "forward_safemodel"),
    ),
    Group(
        "graph_backward",
        "Run it ten times, forward and backward",
        ("backward_eager", "backward_safemodel"),
    ),
)
_WORDS = 1000
_WIDTH = 256
_TIMES = 10


def _prepared(folder: Path) -> tuple[Any, Any, Path]:
    """The model, what to call it with, and a folder with it in both formats."""
    import torch
    from torch import nn

    import safemodel as sm

    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(_WIDTH, 8, 4 * _WIDTH, batch_first=True)
            self.words = nn.Embedding(_WORDS, _WIDTH)
            self.layers = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
            self.head = nn.Linear(_WIDTH, _WORDS, bias=False)
            self.head.weight = self.words.weight

        def forward(self, words: Any) -> Any:
            return self.head(self.layers(self.words(words)))

    torch.manual_seed(0)
    model, words = Language(), torch.randint(0, _WORDS, (4, 64))
    target = folder / "graph"
    if not (target / "m.pt2").exists():
        target.mkdir(exist_ok=True)
        sizes = ({0: torch.export.Dim("batch", max=64), 1: torch.export.Dim("length", max=512)},)
        sm.save(
            model,
            target / "m.safemodel",
            example_inputs=(words,),
            dynamic_shapes=sizes,
            signer=own_signer(folder),
        )
        program = torch.export.export(model, (words,), dynamic_shapes=sizes)
        torch.export.save(program, target / "m.pt2")
    return model, words, target


def load_graph_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    path, trust = in_page_cache(_prepared(folder)[2] / "m.safemodel"), trusted(folder)
    return lambda: sm.load(path, trust=trust)


def load_graph_torch_export(folder: Path) -> Operation:
    import torch

    path = in_page_cache(_prepared(folder)[2] / "m.pt2")
    return lambda: torch.export.load(path).module()


def _forward(model: Any, words: Any) -> Operation:
    def operation() -> None:
        for _ in range(_TIMES):
            model(words)

    operation()
    return operation


def _backward(model: Any, words: Any) -> Operation:
    def operation() -> None:
        for _ in range(_TIMES):
            model.zero_grad()
            model(words).sum().backward()

    operation()
    return operation


def _rebuilt(folder: Path) -> tuple[Any, Any]:
    words = _prepared(folder)[1]
    return load_graph_safemodel(folder)(), words


def forward_eager(folder: Path) -> Operation:
    return _forward(*_prepared(folder)[:2])


def forward_safemodel(folder: Path) -> Operation:
    return _forward(*_rebuilt(folder))


def backward_eager(folder: Path) -> Operation:
    return _backward(*_prepared(folder)[:2])


def backward_safemodel(folder: Path) -> Operation:
    return _backward(*_rebuilt(folder))
