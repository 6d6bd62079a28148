"""Trainings that are interrupted by a checkpoint, and go on in this process, a fresh one.

python -m tests.adapters.checkpoint_runs FOLDER     prints losses and weights of each run, as JSON
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import safemodel as sm

EPOCHS = 2  # before the checkpoint, and as many after it


def _network() -> Any:
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
    )


class Run:
    """A training whose data come from a shuffling loader, with noise of every generator."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(len(name))
        random.seed(1)
        np.random.seed(2)
        self.name = name
        self.model = _network()
        data = torch.utils.data.TensorDataset(torch.arange(96.0).reshape(24, 4) / 50)
        order = torch.Generator().manual_seed(5) if name != "global order" else None
        self.loader = torch.utils.data.DataLoader(data, 8, shuffle=True, generator=order)
        self.noise = np.random.default_rng(7)
        self.parts: dict[str, Any] = {"model": self.model, **RECIPES[name](self.model)}

    @property
    def everything(self) -> dict[str, Any]:
        return {**self.parts, "generators": {"order": self.loader, "noise": self.noise}}

    def epoch(self) -> list[float]:
        return [self._step(x) for (x,) in self.loader]

    def _loss(self, x: Any, shift: float) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled="scaler" in self.parts):
            return (self.model(x).float() - shift).square().mean()

    def _step(self, x: Any) -> float:
        shift = random.random() + np.random.rand() + self.noise.normal()
        optimizers = self.parts["optimizer"]
        several = list(optimizers.values()) if isinstance(optimizers, dict) else [optimizers]
        scaler = self.parts.get("scaler")

        def closure() -> Any:
            for optimizer in several:
                optimizer.zero_grad()
            loss = self._loss(x, shift)
            (loss if scaler is None else scaler.scale(loss)).backward()
            return loss

        if isinstance(several[0], torch.optim.LBFGS):
            loss = several[0].step(closure)
        else:
            loss = closure()
            for optimizer in several:
                optimizer.step() if scaler is None else scaler.step(optimizer)
            if scaler is not None:
                scaler.update()
        for scheduler in _values(self.parts.get("scheduler")):
            plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            scheduler.step(*([loss.item()] if plateau else []))
        return loss.item()

    def weights(self) -> str:
        data = hashlib.sha256()
        for value in self.model.state_dict().values():
            data.update(value.numpy().tobytes())
        return data.hexdigest()


def _values(one_or_several: Any) -> list[Any]:
    if isinstance(one_or_several, dict):
        return list(one_or_several.values())
    return [] if one_or_several is None else [one_or_several]


def _adamw(model: Any) -> dict[str, Any]:
    optimizer = torch.optim.AdamW(model.parameters(), 0.05, amsgrad=True)
    return {
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=50),
    }


def _groups(model: Any) -> dict[str, Any]:
    groups = [
        {"params": model[0].parameters(), "lr": 0.01},
        {"params": [*model[1].parameters(), *model[3].parameters()], "weight_decay": 0.1},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    first = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=4)
    then = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    return {
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.SequentialLR(optimizer, [first, then], [4]),
    }


def _two(model: Any) -> dict[str, Any]:
    optimizers = {
        "body": torch.optim.RMSprop(model[0].parameters(), 0.01, momentum=0.5),
        "head": torch.optim.Adam(model[3].parameters(), 0.05),
    }
    schedulers = {
        "body": torch.optim.lr_scheduler.ReduceLROnPlateau(optimizers["body"], patience=1),
        "head": torch.optim.lr_scheduler.LambdaLR(optimizers["head"], lambda step: 0.9**step),
    }
    return {"optimizer": optimizers, "scheduler": schedulers}


def _amp(model: Any) -> dict[str, Any]:
    return {
        "optimizer": torch.optim.Adam(model.parameters(), 0.05, fused=True),
        "scaler": torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3),
    }


def _lbfgs(model: Any) -> dict[str, Any]:
    search = "strong_wolfe"
    return {
        "optimizer": torch.optim.LBFGS(model.parameters(), 0.1, max_iter=4, line_search_fn=search)
    }


RECIPES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "sgd": lambda m: {"optimizer": torch.optim.SGD(m.parameters(), 0.05, momentum=0.9)},
    "adamw": _adamw,
    "groups": _groups,
    "two": _two,
    "amp": _amp,
    "lbfgs": _lbfgs,
    "global order": lambda m: {"optimizer": torch.optim.Adagrad(m.parameters(), 0.05)},
}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    found = {}
    for name in RECIPES:
        run = Run(name)
        run.epoch()  # what is in the objects before a load makes no difference
        report = sm.load_checkpoint(folder / f"{name}.safemodel", **run.everything)
        losses = [loss for _ in range(EPOCHS) for loss in run.epoch()]
        found[name] = {"step": report.step, "losses": losses, "weights": run.weights()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
