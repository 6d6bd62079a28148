"""Train in one process, or begin in one and go on in another; print the losses.

python -m tests.adapters.training RECIPE begin FOLDER   first half, then save
python -m tests.adapters.training RECIPE go-on FOLDER   load, then second half
python -m tests.adapters.training RECIPE whole FOLDER   both halves, no file between
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from safemodel import adapters

STEPS = 8


def _adam(p: Any) -> Any:
    return torch.optim.Adam(p, 0.01, amsgrad=True)


RECIPES = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "adam": _adam,
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.5, max_iter=4, line_search_fn="strong_wolfe"),
    "amp": lambda p: torch.optim.AdamW(p, 0.01, fused=True),
}


class Training:
    """A model with dropout, permuted weights and tied layers, and all that trains it."""

    def __init__(self, recipe: str) -> None:
        torch.manual_seed(1)
        torch.set_num_threads(1)
        self.recipe = recipe
        self.model = torch.nn.Sequential(
            torch.nn.Conv2d(2, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.Dropout(0.2),
            torch.nn.Flatten(),
            torch.nn.Linear(64, 8),
            torch.nn.Linear(8, 8),
        )
        if recipe != "lbfgs":  # which demands contiguous gradients
            self.model.to(memory_format=torch.channels_last)
        self.model.append(torch.nn.Linear(8, 8))
        self.model[6].weight = self.model[5].weight
        self.optimizer = RECIPES[recipe](self.model.parameters())
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, 0.05, total_steps=4 * STEPS, cycle_momentum=recipe != "lbfgs"
        )
        self.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3)
        self.data = torch.Generator().manual_seed(5)

    def loss(self, x: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe == "amp"):
            return (self.model(x).float() - 1).square().mean()

    def step(self) -> str:
        x = torch.randn(4, 2, 6, 6, generator=self.data)

        def closure() -> Any:
            self.optimizer.zero_grad()
            loss = self.loss(x)
            loss.backward()
            return loss

        if self.recipe == "amp":
            self.optimizer.zero_grad()
            loss = self.loss(x)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            loss = self.optimizer.step(closure)
        self.scheduler.step()
        return float(loss.detach()).hex()

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rng": torch.get_rng_state(),
            "data": self.data,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["rng"])
        self.data = state["data"]


def main(recipe: str, part: str, folder: str) -> None:
    path = Path(folder) / "state.safemodel"
    training = Training(recipe)
    if part == "go-on":
        torch.rand(3)  # any other state than the saved one
        training.restore(adapters.load(path))  # type: ignore[arg-type]
    losses = [training.step() for _ in range(2 * STEPS if part == "whole" else STEPS)]
    if part == "begin":
        adapters.save(training.state(), path)
    print(json.dumps(losses))


if __name__ == "__main__":
    main(*sys.argv[1:])
