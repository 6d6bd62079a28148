"""What trains in the tests of training state: models, optimizers, what else goes with them.

A Training is made from seeds, goes step by step, and gives all of its state as plain containers
and tensors (`state`), or the objects that have it (`parts`) and the rest (`extra`).
"""

from __future__ import annotations

import collections
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

Make = Callable[..., Any]
STEPS = 3


def net() -> Any:
    """A model with dropout and running means."""
    return nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Tanh(), nn.Linear(6, 2)
    )


class Training:
    """A model, an optimizer, perhaps a scheduler, and data in an order of its own."""

    def __init__(
        self, optimizer: Make, *, scheduler: Make | None = None, model: Make = net
    ) -> None:
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        self.model = model()
        self.optimizer = optimizer(self.model)
        self.scheduler = None if scheduler is None else scheduler(self.optimizer)
        self.data = torch.Generator().manual_seed(5)
        self.extra: dict[str, Any] = {"step": 0}

    def parts(self) -> dict[str, Any]:
        """All objects with a state dict, by name."""
        found = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {name: part for name, part in found.items() if part is not None}

    def batch(self) -> Any:
        return torch.randn(5, 4, generator=self.data)

    def loss(self, x: Any) -> Any:
        return (self.model(x).float() - x[:, :2]).square().mean()

    def update(self) -> Any:
        x = self.batch()

        def closure() -> Any:
            self.optimizer.zero_grad()
            loss = self.loss(x)
            loss.backward()
            return loss

        return self.optimizer.step(closure)

    def schedule(self, loss: float) -> None:
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif self.scheduler is not None:
            self.scheduler.step()

    def step(self) -> str:
        """One step; its loss in hexadecimal."""
        loss = float(torch.as_tensor(self.update()).detach())
        self.schedule(loss)
        self.extra["step"] += 1
        return loss.hex()

    def rest(self) -> dict[str, Any]:
        """What has to be kept beside the parts."""
        return {
            "data": self.data,
            "extra": self.extra,
            "random": {
                "torch": torch.get_rng_state(),
                "numpy": np.random.get_state(),
                "python": random.getstate(),
            },
        }

    def state(self) -> dict[str, Any]:
        """Everything that has to be kept, as containers and tensors."""
        return {**{name: part.state_dict() for name, part in self.parts().items()}, **self.rest()}

    def prepare(self, rest: dict[str, Any]) -> None:
        """Make the parts such that their state fits."""

    def restore_rest(self, rest: dict[str, Any]) -> None:
        self.data, self.extra = rest["data"], rest["extra"]

    def restore(self, state: dict[str, Any]) -> None:
        """Take all of the state over."""
        self.prepare(state)
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.restore_rest(state)
        self.restore_random(state["random"])

    def restore_random(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["torch"])
        np.random.set_state(state["numpy"])
        random.setstate(state["python"])

    def arguments(self) -> dict[str, Any]:
        """What `save_checkpoint` and `load_checkpoint` take."""
        found: dict[str, Any] = {"generators": {"data": self.data}}
        for name, part in self.parts().items():
            found.setdefault(_argument(part), {})[name] = part
        return found


def _argument(part: Any) -> str:
    if isinstance(part, nn.Module):
        return "model"
    if isinstance(part, torch.optim.Optimizer):
        return "optimizer"
    return "scaler" if isinstance(part, torch.amp.GradScaler) else "scheduler"


class Scaled(Training):
    """Half precision with a gradient scaler."""

    dtype = torch.bfloat16

    def __init__(self, optimizer: Make, **options: Any) -> None:
        super().__init__(optimizer, **options)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=2)

    def parts(self) -> dict[str, Any]:
        return {**super().parts(), "scaler": self.scaler}

    def update(self) -> Any:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", self.dtype):
            loss = self.loss(self.batch())
        # Once the gradients are infinite: the step is left out and the scale goes down.
        self.scaler.scale(loss * (torch.inf if self.extra["step"] == 1 else 1)).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss


class HalfScaled(Scaled):
    dtype = torch.float16


class Averaged(Training):
    """Keeps an average of the weights: of the last steps, or exponential."""

    def __init__(self, optimizer: Make, *, decay: float | None = None, **options: Any) -> None:
        super().__init__(optimizer, **options)
        average = None if decay is None else torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=average, use_buffers=decay is not None
        )

    def parts(self) -> dict[str, Any]:
        return {**super().parts(), "average": self.average}

    def update(self) -> Any:
        loss = super().update()
        self.average.update_parameters(self.model)
        return loss.detach() + self.average(torch.ones(2, 4)).sum().detach()


class Adversarial(Training):
    """Two models against each other, with an optimizer and a scheduler each."""

    def __init__(self, optimizer: Make, **options: Any) -> None:
        super().__init__(optimizer, **options)
        self.critic = nn.Sequential(nn.Linear(2, 4), nn.LeakyReLU(), nn.Linear(4, 1))
        self.second = torch.optim.RMSprop(self.critic.parameters(), 0.01, momentum=0.5)
        self.second_scheduler = torch.optim.lr_scheduler.StepLR(self.second, 2)

    def parts(self) -> dict[str, Any]:
        return {
            **super().parts(),
            "critic": self.critic,
            "critic_optimizer": self.second,
            "critic_scheduler": self.second_scheduler,
        }

    def update(self) -> Any:
        x = self.batch()
        self.second.zero_grad()
        judged = self.critic(self.model(x).detach()).sigmoid().mean()
        judged = judged - self.critic(x[:, :2]).sigmoid().mean()
        judged.backward()
        self.second.step()
        self.second_scheduler.step()
        self.optimizer.zero_grad()
        loss = -self.critic(self.model(x)).sigmoid().mean()
        loss.backward()
        self.optimizer.step()
        return loss + judged


class Unfreezing(Training):
    """Trains the last layer first, and later the others in a group of their own."""

    def __init__(self, optimizer: Make, **options: Any) -> None:
        super().__init__(optimizer, **options)
        self.model[0].requires_grad_(False)

    def update(self) -> Any:
        if self.extra["step"] == 2:
            self.unfreeze()
        return super().update()

    def unfreeze(self) -> None:
        self.model[0].requires_grad_(True)
        self.optimizer.add_param_group({"params": self.model[0].parameters(), "lr": 0.001})

    def prepare(self, rest: dict[str, Any]) -> None:
        if rest["extra"]["step"] > 2:
            self.unfreeze()


class Augmented(Training):
    """Draws from the generators of Python, NumPy and PyTorch."""

    def batch(self) -> Any:
        x = super().batch() * random.uniform(0.5, 2.0) + float(np.random.normal())
        return x.roll(random.randrange(4), 1) + 0.1 * torch.randn(5, 4)


class Loading(Training):
    """Goes through a data set in an order that a loader shuffles anew each time."""

    def __init__(self, optimizer: Make, **options: Any) -> None:
        super().__init__(optimizer, **options)
        data = torch.utils.data.TensorDataset(torch.randn(20, 4))
        self.loader = torch.utils.data.DataLoader(data, 5, shuffle=True, generator=self.data)

    def update(self) -> Any:
        losses = []
        for (x,) in self.loader:
            self.optimizer.zero_grad()
            loss = self.loss(x)
            loss.backward()
            self.optimizer.step()
            losses.append(loss)
        return torch.stack(losses).mean()

    def restore_rest(self, rest: dict[str, Any]) -> None:
        super().restore_rest(rest)
        self.loader.generator = self.loader.sampler.generator = self.data  # type: ignore[attr-defined]


class Remembering(Training):
    """Learns from what it has seen before, and keeps notes of it in containers of all sorts."""

    def __init__(self, optimizer: Make, **options: Any) -> None:
        super().__init__(optimizer, **options)
        self.extra |= {
            "memory": collections.deque(maxlen=4),
            "history": collections.defaultdict(list),
            "counts": collections.Counter(),
            "best": (float("inf"), None),
            "seen": set(),
            "generator": np.random.default_rng(3),
        }

    def update(self) -> Any:
        extra = self.extra
        x = self.batch()
        extra["memory"].append((x, {"reward": float(x.sum()), "at": extra["step"]}))
        pick = int(extra["generator"].integers(len(extra["memory"])))
        loss = self.loss(extra["memory"][pick][0])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        extra["history"]["loss"].append(float(loss))
        extra["counts"][pick] += 1
        extra["seen"].add(round(float(loss), 3))
        if float(loss) < extra["best"][0]:
            copied = {name: value.clone() for name, value in self.model.state_dict().items()}
            extra["best"] = (float(loss), copied)
        return loss


class Anchored(Training):
    """Stays near earlier weights, as far as they mattered: Fisher information by name."""

    def __init__(self, optimizer: Make, **options: Any) -> None:
        super().__init__(optimizer, **options)
        self.extra["anchor"] = {name: p.detach() * 0.9 for name, p in self.model.named_parameters()}
        self.extra["fisher"] = {name: p.detach() ** 2 for name, p in self.model.named_parameters()}

    def loss(self, x: Any) -> Any:
        anchor, fisher = self.extra["anchor"], self.extra["fisher"]
        parts = [
            (fisher[name] * (value - anchor[name]) ** 2).sum()
            for name, value in self.model.named_parameters()
        ]
        return super().loss(x) + torch.stack(parts).sum()


class Accumulating(Training):
    """Adds up gradients over two steps: they are state too."""

    def update(self) -> Any:
        loss = self.loss(self.batch())
        loss.backward()
        if self.extra["step"] % 2:
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.extra["gradients"] = [parameter.grad for parameter in self.model.parameters()]
        return loss

    def restore_rest(self, rest: dict[str, Any]) -> None:
        super().restore_rest(rest)
        gradients = rest["extra"]["gradients"]
        for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
            parameter.grad = gradient


class Words(Training):
    """Trains an embedding, whose gradients are sparse."""

    def batch(self) -> Any:
        return torch.randint(0, 10, (5,), generator=self.data)

    def loss(self, x: Any) -> Any:
        return (self.model(x) - 1).square().mean()


class Complex(Training):
    def batch(self) -> Any:
        return torch.randn(5, 4, generator=self.data, dtype=torch.complex64)

    def loss(self, x: Any) -> Any:
        return (self.model(x) - x[:, :2]).abs().mean()


class Pictures(Training):
    def batch(self) -> Any:
        return torch.randn(5, 2, 4, 4, generator=self.data)

    def loss(self, x: Any) -> Any:
        return (self.model(x).flatten(1)[:, :2] - 1).square().mean()


class Lookahead(torch.optim.Optimizer):
    """An optimizer of somebody's own: slow weights, counts and lists in its state."""

    def __init__(self, params: Any, lr: float = 0.1, every: int = 2) -> None:
        super().__init__(params, {"lr": lr, "every": every, "name": "slow", "betas": (0.5, 0.9)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state.update(count=0, slow=parameter.clone(), norms=[], nested={"last": None})
                parameter.sub_(parameter.grad, alpha=group["lr"])
                state["count"] += 1
                state["norms"].append(float(parameter.grad.norm()))
                state["nested"]["last"] = parameter.grad.clone()
                if state["count"] % group["every"] == 0:
                    state["slow"].lerp_(parameter, 0.5)
                    parameter.copy_(state["slow"]).sub_(state["nested"]["last"], alpha=1e-3)
        return loss
