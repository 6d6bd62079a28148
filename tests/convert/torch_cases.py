"""State as people save it with `torch.save`: what conversions of it are compared by."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    "bits8",
)


def raw(dtype: str, *shape: int) -> torch.Tensor:
    """A tensor of any dtype, with bytes that count up."""
    kind = getattr(torch, dtype)
    count = int(np.prod(shape))
    size = torch.empty(0, dtype=kind).element_size()
    data = torch.arange(count * size, dtype=torch.int64).to(torch.uint8)
    if dtype == "bool":
        data %= 2
    return torch.empty(0, dtype=kind).set_(data.untyped_storage(), 0, shape)


def every_dtype() -> Any:
    return {name: raw(name, 2, 3) for name in DTYPES}


def shared() -> Any:
    base = torch.arange(24.0).reshape(4, 6)
    whole = torch.arange(12.0)
    return {
        "base": base,
        "row": base[1],
        "column": base[:, 2],
        "steps": base[::2, ::3],
        "transposed": base.t(),
        "part": whole[3:7],
        "other part": whole[5:11],
        "again": base,
    }


def strides() -> Any:
    image = torch.arange(120.0).reshape(2, 3, 4, 5)
    return [
        image.to(memory_format=torch.channels_last),
        torch.arange(6.0).reshape(2, 3).t(),
        torch.arange(3.0).expand(4, 3),
        torch.zeros(0, 3),
        torch.zeros(3, 0).t(),
        torch.tensor(2.5),
        torch.arange(100.0)[::7],
        torch.zeros(1, 5, 1).transpose(0, 2),
        torch.arange(10)[2:2],
        torch.arange(4_000_000, dtype=torch.uint8)[::4000],
        torch.tensor([True, False, True])[::2],
    ]


def views() -> Any:
    numbers = torch.randn(4, dtype=torch.complex64)
    return [numbers, numbers.conj(), torch.tensor([1 + 2j]).conj(), numbers.clone().conj().imag]


def parameters() -> Any:
    tied = nn.Parameter(torch.ones(2, 3))
    wanting = torch.ones(3, requires_grad=True)
    return {
        "tied": [tied, tied, nn.Parameter(tied)],
        "frozen": nn.Parameter(torch.arange(3), requires_grad=False),
        "wanting": wanting,
        "buffer": nn.Buffer(torch.ones(2)),
        "transient": nn.Buffer(torch.ones(2), persistent=False),
    }


def sparse() -> Any:
    dense = torch.tensor([[0.0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 5]])
    coo = dense.to_sparse()
    loose = torch.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (2, 2))
    return {
        "coo": coo,
        "loose": loose,
        "hybrid": torch.sparse_coo_tensor([[0, 2]], torch.ones(2, 3), (4, 3)).coalesce(),
        "csr": dense.to_sparse_csr(),
        "csc": dense.to_sparse_csc(),
        "bsr": dense.to_sparse_bsr((2, 2)),
        "bsc": dense.to_sparse_bsc((2, 2)),
        "batched": torch.stack([dense, dense]).to_sparse_csr(),
        "empty": torch.zeros(3, 3).to_sparse(),
        "parameter": nn.Parameter(coo),
    }


def quantized() -> Any:
    image = torch.randn(2, 3, 4, 5)
    last = image.to(memory_format=torch.channels_last)
    scales, zeros = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2])
    rows = torch.randn(3, 4)
    return {
        "int8": torch.quantize_per_tensor(rows, 0.1, 3, torch.qint8),
        "uint8": torch.quantize_per_tensor(image, 0.1, 3, torch.quint8),
        "int32": torch.quantize_per_tensor(rows, 0.1, 3, torch.qint32),
        "last": torch.quantize_per_tensor(last, 0.1, 3, torch.quint8),
        "strided": torch.quantize_per_tensor(rows, 0.1, 3, torch.qint8).t(),
        "channels": torch.quantize_per_channel(rows, scales, zeros, 0, torch.qint8),
        "floats": torch.quantize_per_channel(
            rows, scales, torch.tensor([0.5, 1.5, 2.5]), 0, torch.quint8
        ),
    }


def plain() -> Any:
    return {
        "numbers": [1, -(2**70), 2.5, float("nan"), 1j, True, None],
        "text": ["a", "é" * 3, "long" * 5000, b"bytes", bytearray(b"array")],
        "containers": [(1,), {1, 2}, frozenset([3]), {"k": {}}, collections.OrderedDict(a=1)],
        "counted": [collections.Counter("aab"), collections.defaultdict(list, a=[1])],
        "torch": [
            torch.Size([1, 2]),
            torch.device("cuda", 1),
            torch.device("cpu"),
            torch.float8_e5m2,
            torch.qint8,
            torch.sparse_csr,
            torch.strided,
        ],
        "numpy": [np.arange(5), np.float64(2.5), np.dtype("f4"), np.zeros((2, 2), order="F")],
        "generator": torch.Generator().manual_seed(7),
        "states": [torch.get_rng_state(), np.random.RandomState(3), np.random.default_rng(4)],
        "slice": slice(1, 2),
        "scalar": torch.tensor(3),
    }


def model() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4, 4),
        nn.LSTM(4, 3, 2, bidirectional=True),
    )
    net.register_buffer("table", torch.arange(3.0), persistent=False)
    net.register_buffer("kept", torch.arange(3.0))
    net.add_module("again", net[4])
    net.register_parameter("nothing", None)
    net.tied = net[4].weight
    return net


def state_dict() -> Any:
    return model().state_dict()


def optimizer_state() -> Any:
    net = nn.Linear(3, 2)
    adam = torch.optim.AdamW(net.parameters(), lr=0.1, amsgrad=True)
    for _ in range(2):
        net(torch.ones(4, 3)).sum().backward()
        adam.step()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(adam, 0.1, total_steps=9)
    return {
        "model": net.state_dict(),
        "optimizer": adam.state_dict(),
        "scheduler": {k: v for k, v in scheduler.state_dict().items() if k != "_anneal_func_type"},
        "scaler": torch.amp.GradScaler("cpu").state_dict(),
        "epoch": 3,
    }


def lightning() -> Any:
    state = optimizer_state()
    return {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": state["model"],
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': None}": {
                "best_model_score": torch.tensor(0.5),
                "best_k_models": {},
                "dirpath": "/tmp/x",
            }
        },
        "optimizer_states": [state["optimizer"]],
        "lr_schedulers": [state["scheduler"]],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "layers": [1, 2]},
    }


def typed() -> Any:
    """The dtypes that have a type of storage, which all releases write so."""
    named = (*DTYPES[:3], "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
    return {name: raw(name, 2, 3) for name in (*named, "complex64", "complex128")}


def large() -> Any:
    """More than is read at once, as one tensor and as parts."""
    numbers = torch.arange(6_000_000, dtype=torch.int64)
    return {"whole": numbers, "part": numbers[1000:-1000].clone(), "columns": numbers.view(-1, 6)}


CASES: dict[str, Callable[[], Any]] = {
    "every dtype": every_dtype,
    "typed": typed,
    "large": large,
    "shared": shared,
    "strides": strides,
    "views": views,
    "parameters": parameters,
    "sparse": sparse,
    "quantized": quantized,
    "plain": plain,
    "state dict": state_dict,
    "optimizer": optimizer_state,
    "lightning": lightning,
    "tensor": lambda: torch.arange(6.0).reshape(2, 3),
    "parameter": lambda: nn.Parameter(torch.ones(2)),
    "without tensors": lambda: {"a": [1, 2], "b": "c"},
    "arrays alone": lambda: {"a": np.arange(3)},
    "empty": dict,
    "no booleans": lambda: [torch.zeros(0, dtype=torch.bool), torch.ones(2, dtype=torch.bool)],
}
# What PyTorch itself can't read back from its old format.
NOT_LEGACY = {"every dtype", "plain"}
WHOLE: dict[str, Callable[[], Any]] = {
    "module": model,
    "linear": lambda: nn.Linear(2, 2),
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
    "list": lambda: nn.ModuleList([nn.Linear(1, 1), nn.ModuleDict({"a": nn.GRU(1, 1)})]),
    "parameters": lambda: nn.ParameterList([torch.ones(1), torch.zeros(2)]),
    "parameters by name": lambda: nn.ParameterDict({"a": torch.ones(1), "b": torch.zeros(2)}),
    "embedding": lambda: nn.EmbeddingBag(4, 3),
    "norms": lambda: nn.Sequential(nn.InstanceNorm1d(2, track_running_stats=True), nn.LayerNorm(2)),
}
