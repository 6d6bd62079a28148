"""PyTorch: state dicts, checkpoints, whole objects, old formats, TorchScript, exported programs."""

from __future__ import annotations

import argparse
import io
import pickle
import random
import warnings
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import Any

from .corpus import Corpus, Group
from .estimators import census_libraries


def _save(corpus: Corpus, name: str, thing: Any, *, legacy: bool = True, **options: Any) -> None:
    import torch

    corpus.add(f"{name}.pt", lambda path: torch.save(thing, path, **options), "torch_zip")
    if legacy:
        corpus.add(
            f"{name}-legacy.pth",
            lambda path: torch.save(thing, path, _use_new_zipfile_serialization=False),
            "torch_legacy",
        )


def _network() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )


def _trained(optimizer: str = "AdamW") -> tuple[Any, Any]:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=0.1)
    model(torch.ones(2, 4)).sum().backward()
    made.step(lambda: torch.tensor(0.0))
    return model, made


def states(corpus: Corpus) -> None:
    """What is saved in training: tensors, state dicts, checkpoints."""
    import numpy as np
    import torch

    model, optimizer = _trained()
    state = model.state_dict()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    checkpoint = {
        "epoch": 3,
        "model": state,
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule.state_dict(),
        "loss": torch.tensor(0.5),
        "best": float("inf"),
        "rng": torch.get_rng_state(),
        "numpy_rng": np.random.get_state(),
        "python_rng": random.getstate(),
        "args": argparse.Namespace(lr=0.1, layers=[1, 2], out=None),
        "metric": np.float32(0.5),
    }
    lightning = {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": OrderedDict(state),
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.1)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
        "hyper_parameters": {"lr": 0.1, "path": PurePosixPath("x"), "layers": [1, 2]},
    }
    eye = torch.eye(4)
    things: dict[str, Any] = {
        "state": state,
        "plain-state": dict(state),
        "half": {k: v.half() for k, v in state.items()},
        "bfloat": {k: v.bfloat16() for k, v in state.items()},
        "prefixed": {f"module.{k}": v for k, v in state.items()},
        "checkpoint": checkpoint,
        "lightning": lightning,
        "tensor": eye,
        "views": [eye[1:], eye.t(), eye],
        "parameter": torch.nn.Parameter(eye),
        "dtypes": {
            str(d): torch.zeros(3).to(d)
            for d in (torch.float64, torch.int8, torch.uint8, torch.bool, torch.complex64)
        },
        "sparse": {"coo": eye.to_sparse(), "csr": eye.to_sparse_csr()},
        "types": [torch.Size([1, 2]), torch.device("cpu"), torch.float16],
        "gradient": torch.ones(2, requires_grad=True),
        "lora": {"q.lora_A.weight": torch.ones(2, 4), "q.lora_B.weight": torch.ones(4, 2)},
        "embedding": {"emb_params": torch.ones(2, 8), "string_to_token": {"*": 265}, "step": 10},
        "empty": {},
        "arrays": {"x": np.eye(2), "meta": ["a", 1, None]},
    }  # fmt: skip
    for name, thing in things.items():
        _save(corpus, name, thing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = {
            "tensor": torch.quantize_per_tensor(eye, 0.1, 0, torch.qint8),
            "channel": torch.quantize_per_channel(
                eye, torch.ones(4).double(), torch.zeros(4).long(), 0, torch.quint8
            ),
        }
    _save(corpus, "quantized", quantized, legacy=False)
    float8 = {"w": eye.to(torch.float8_e4m3fn), "s": torch.zeros(3, dtype=torch.uint16)}
    _save(corpus, "float8", float8, legacy=False)
    for protocol in (3, 4, 5):
        _save(corpus, f"protocol{protocol}", checkpoint, legacy=False, pickle_protocol=protocol)
    for name in ("tensor", "parameter", "state", "checkpoint"):
        corpus.add(f"{name}.pkl", pickle.dumps(things[name], 4), "pickle")


OPTIMIZERS = (
    "SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "RMSprop", "Rprop", "NAdam", "RAdam",
    "ASGD", "LBFGS", "Adafactor",
)  # fmt: skip
SCHEDULES: dict[str, tuple[Any, ...]] = {
    "StepLR": (2,),
    "MultiStepLR": ([1, 2],),
    "ExponentialLR": (0.9,),
    "ConstantLR": (),
    "LinearLR": (),
    "CosineAnnealingLR": (5,),
    "ReduceLROnPlateau": (),
    "PolynomialLR": (),
}


def optimizers(corpus: Corpus) -> None:
    """Every optimizer and schedule as its state, and as a whole object."""
    import torch

    for index, name in enumerate(OPTIMIZERS):
        _, optimizer = _trained(name)
        _save(corpus, f"{name}-state", optimizer.state_dict(), legacy=index % 2 == 0)
        _save(corpus, f"{name}-object", optimizer, legacy=index % 2 == 1)
    _, optimizer = _trained()
    schedules = torch.optim.lr_scheduler
    for name, arguments in SCHEDULES.items():
        schedule = getattr(schedules, name)(optimizer, *arguments)
        _save(corpus, f"{name}-state", schedule.state_dict(), legacy=False)
        _save(corpus, f"{name}-object", schedule, legacy=False)


SKIPPED = (
    "torch.ao.",
    "hooked",
    "jit",
    "script",
    "export",
    "fx",
    "distributions",
    "pruned",
    "data",
)


def modules(corpus: Corpus) -> None:
    """Every class of torch.nn, saved whole."""
    with census_libraries():
        from libraries import networks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index, (name, made) in enumerate(networks.modules()):
            if name.startswith(SKIPPED) or any(word in name for word in SKIPPED[2:]):
                continue
            try:
                module = made() if callable(made) else made
            except Exception:  # noqa: S112  a guess of the census at arguments that was wrong
                continue
            _save(corpus, name.removeprefix("torch.nn."), module, legacy=index % 4 == 0)
    model, optimizer = _trained()
    _save(corpus, "training", {"model": model, "optimizer": optimizer, "epoch": 1})
    corpus.add("module.pkl", pickle.dumps(model), "pickle")


def programs(corpus: Corpus) -> None:
    """TorchScript, and torch.export."""
    import torch
    from torch import nn

    convolution = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    norm = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU(), nn.Dropout())
    embedding = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    linear = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    networks: dict[str, tuple[Any, Any]] = {
        "linear": (linear, torch.ones(2, 4)),
        "convolution": (convolution, torch.ones(1, 1, 8, 8)),
        "transformer": (layer, torch.ones(1, 3, 8)),
        "embedding": (embedding, torch.tensor([[1, 2]])),
        "norm": (norm, torch.ones(2, 4)),
        "lstm": (nn.LSTM(4, 3), torch.ones(2, 1, 4)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (network, data) in networks.items():
            network.eval()
            traced = torch.jit.trace(network, data, check_trace=False)
            corpus.add(
                f"{name}-traced.pt", lambda p, m=traced: torch.jit.save(m, p), "torch_script"
            )
            if name != "transformer":
                scripted = torch.jit.script(network)
                corpus.add(f"{name}-scripted.pt", lambda p, m=scripted: m.save(p), "torch_script")
            buffer = io.BytesIO()
            torch.export.save(torch.export.export(network, (data,)), buffer)
            corpus.add(f"{name}.pt2", buffer.getvalue(), "torch_export")


GROUPS = {
    "torch states": Group(states, ("torch",), 45),
    "torch optimizers": Group(optimizers, ("torch",), 55),
    "torch modules": Group(modules, ("torch",), 150),
    "torch programs": Group(programs, ("torch",), 14),
}
