"""Calls of every operator of the table, as functions and modules of PyTorch make them.

`torch_operator_calls.json` has one line an operator: what `torch.export` and `make_fx` recorded of
public functions, layers and models. A tensor is its type, shape, and range or values.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import torch

FILE = Path(__file__).with_name("torch_operator_calls.json")
QUANTIZED = {"qint8": torch.qint8, "quint8": torch.quint8, "qint32": torch.qint32}


@cache
def recorded() -> dict[str, list[Any]]:
    """Operator -> its calls, each a list of positional arguments and a dict of named ones."""
    found: dict[str, list[Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def tensor(spec: dict[str, Any], rng: random.Random) -> Any:
    """A tensor of a type and shape, with values in a range."""
    shape = spec["s"]
    if "q" in spec:
        return torch.quantize_per_tensor(torch.rand(shape), 0.1, 0, QUANTIZED[spec["q"]])
    dtype = getattr(torch, spec["t"])
    if "v" in spec:
        return torch.tensor(spec["v"], dtype=dtype).reshape(shape)
    low, high = spec.get("r", (0, 1))
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    if dtype is torch.bool or not (dtype.is_floating_point or dtype.is_complex):
        return torch.randint(int(low), int(high) + 1, shape, generator=generator).to(dtype)
    if any(bound != bound or abs(bound) > 1e6 for bound in (low, high)):
        low, high = 0, 1
    return (torch.rand(shape, generator=generator) * (high - low) + low).to(dtype)


def made(value: Any, rng: random.Random) -> Any:
    """A value of a call from its description."""
    if isinstance(value, list):
        return [made(item, rng) for item in value]
    if not isinstance(value, dict):
        return value
    if "s" in value:
        return tensor(value, rng)
    ((kind, said),) = value.items()
    if kind == "dtype":
        return QUANTIZED.get(said) or getattr(torch, said)
    if kind == "device":
        return torch.device(said)
    if kind == "layout":
        return torch.strided
    if kind == "mf":
        return getattr(torch, said)
    return float(said) if kind == "f" else complex(*said)


def call(name: str, number: int, rng: random.Random) -> tuple[list[Any], dict[str, Any]]:
    """One recorded call of an operator: positional and named arguments."""
    args, kwargs = recorded()[name][number]
    return made(args, rng), {key: made(value, rng) for key, value in kwargs.items()}
