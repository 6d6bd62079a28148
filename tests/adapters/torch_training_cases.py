"""The cases of training state: every optimizer and scheduler of PyTorch, and what people add."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from . import torch_training as training
from .torch_case import marks
from .torch_training import STEPS, Make, Training, net

optim = torch.optim


def over(kind: Any, *args: Any, **options: Any) -> Make:
    return lambda model: kind(model.parameters(), *args, **options)


def groups(model: Any) -> Any:
    """Groups with options of their own, one of them without weight decay."""
    decay = [value for value in model.parameters() if value.dim() > 1]
    plain = [value for value in model.parameters() if value.dim() <= 1]
    return optim.AdamW(
        [
            {"params": decay, "weight_decay": 0.1, "label": "weights"},
            {"params": plain, "weight_decay": 0.0, "lr": 0.003, "betas": (0.8, 0.95)},
        ],
        lr=0.01,
    )


def scheduled(kind: Any, *args: Any, **options: Any) -> Make:
    return lambda optimizer: kind(optimizer, *args, **options)


def sequence(optimizer: Any) -> Any:
    parts = [
        lr_scheduler.LinearLR(optimizer, 0.1, total_iters=2),
        lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2),
        lr_scheduler.CosineAnnealingLR(optimizer, 5),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[2, 4])


def chained(optimizer: Any) -> Any:
    return lr_scheduler.ChainedScheduler(
        [lr_scheduler.ExponentialLR(optimizer, 0.9), lr_scheduler.StepLR(optimizer, 2, 0.5)]
    )


class Rate:
    """A function for LambdaLR that is an object: what it holds is state."""

    def __init__(self) -> None:
        self.warm, self.seen = 3, [0]

    def __call__(self, epoch: int) -> float:
        self.seen.append(epoch)
        return min(1.0, (epoch + 1) / self.warm) / len(self.seen) ** 0.1


def matrices() -> Any:
    return nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 2, bias=False))


def normed() -> Any:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)), nn.Linear(6, 2))


def tied() -> Any:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    return model


def pictures() -> Any:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 2))
    return model.to(memory_format=torch.channels_last)


def named(model: Any) -> Any:
    return optim.AdamW(model.named_parameters(), 0.01)


def tensor_rate(model: Any) -> Any:
    return optim.Adam(model.parameters(), torch.tensor(0.01), capturable=False, foreach=False)


def embedding() -> Any:
    return nn.Embedding(10, 3, sparse=True)


def half() -> Any:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).to(torch.bfloat16)


class Tied(Training):
    def loss(self, x: Any) -> Any:
        return (self.model(x) - x.flip(1)).square().mean()


def head(model: Any) -> Any:
    return optim.Adam(model[4].parameters(), 0.01)


class Low(Training):
    def batch(self) -> Any:
        return super().batch().to(torch.bfloat16)


class Exact(Training):
    def batch(self) -> Any:
        return super().batch().double()


def sgd(model: Any) -> Any:
    return optim.SGD(model.parameters(), 0.05, momentum=0.9)


_EACH = {
    "adadelta": over(optim.Adadelta),
    "adafactor": over(optim.Adafactor),
    "adagrad": over(optim.Adagrad, 0.1, lr_decay=0.1, initial_accumulator_value=0.2),
    "adam": over(optim.Adam, 0.01),
    "adamax": over(optim.Adamax),
    "adamw": over(optim.AdamW, 0.01),
    "asgd": over(optim.ASGD, t0=2),
    "nadam": over(optim.NAdam, decoupled_weight_decay=True, weight_decay=0.1),
    "radam": over(optim.RAdam),
    "rmsprop": over(optim.RMSprop),
    "rprop": over(optim.Rprop),
    "sgd": over(optim.SGD, 0.1),
    "adam_amsgrad": over(optim.Adam, 0.01, amsgrad=True, weight_decay=0.1),
    "adam_foreach": over(optim.Adam, 0.01, foreach=True),
    "adam_fused": over(optim.Adam, 0.01, fused=True),
    "adam_maximize": over(optim.Adam, 0.001, maximize=True),
    "adamw_fused_amsgrad": over(optim.AdamW, 0.01, fused=True, amsgrad=True),
    "rmsprop_centered": over(optim.RMSprop, 0.01, centered=True, momentum=0.9),
    "sgd_momentum": sgd,
    "sgd_nesterov": over(optim.SGD, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "sgd_dampened": over(optim.SGD, 0.05, momentum=0.9, dampening=0.1),
    "sgd_fused": over(optim.SGD, 0.05, momentum=0.9, fused=True),
    "adagrad_fused": over(optim.Adagrad, 0.05, fused=True),
    "groups": groups,
    "named": named,
    "tensor_rate": tensor_rate,
    "lookahead": lambda model: training.Lookahead(model.parameters()),
    "lbfgs": over(optim.LBFGS, 0.5, max_iter=3, history_size=3),
    "lbfgs_wolfe": over(optim.LBFGS, max_iter=4, line_search_fn="strong_wolfe"),
}

_RATES = {
    "lambda": lambda optimizer: lr_scheduler.LambdaLR(optimizer, Rate()),
    "lambda_plain": scheduled(lr_scheduler.LambdaLR, lambda epoch: 0.9**epoch),
    "multiplicative": scheduled(lr_scheduler.MultiplicativeLR, lambda epoch: 0.9),
    "step": scheduled(lr_scheduler.StepLR, 2),
    "multi_step": scheduled(lr_scheduler.MultiStepLR, [1, 3, 3, 5], 0.5),
    "constant": scheduled(lr_scheduler.ConstantLR, 0.5, 4),
    "linear": scheduled(lr_scheduler.LinearLR, 0.5, total_iters=4),
    "exponential": scheduled(lr_scheduler.ExponentialLR, 0.9),
    "sequential": sequence,
    "cosine": scheduled(lr_scheduler.CosineAnnealingLR, 4),
    "chained": chained,
    "plateau": scheduled(lr_scheduler.ReduceLROnPlateau, patience=0, threshold=0.5, cooldown=1),
    "cyclic": scheduled(lr_scheduler.CyclicLR, 0.01, 0.1, 2, mode="exp_range", gamma=0.9),
    "warm_restarts": scheduled(lr_scheduler.CosineAnnealingWarmRestarts, 2, 2),
    "one_cycle": scheduled(lr_scheduler.OneCycleLR, 0.1, total_steps=12),
    "polynomial": scheduled(lr_scheduler.PolynomialLR, 4, 2.0),
    "swa_rate": scheduled(optim.swa_utils.SWALR, 0.01, anneal_epochs=4),
}

adam = over(optim.Adam, 0.01)

TRAININGS: dict[str, Any] = {
    **{f"optimizer_{name}": lambda make=make: Training(make) for name, make in _EACH.items()},
    **{
        f"scheduler_{name}": lambda make=make: Training(sgd, scheduler=make)
        for name, make in _RATES.items()
    },
    "muon": lambda: Training(over(optim.Muon, 0.02), model=matrices),
    "sparse_adam": lambda: training.Words(over(optim.SparseAdam), model=embedding),
    "sparse_sgd": lambda: training.Words(over(optim.SGD, 0.1), model=embedding),
    "sparse_adagrad": lambda: training.Words(over(optim.Adagrad, 0.1), model=embedding),
    "bfloat16": lambda: Low(adam, model=half),
    "bfloat16_fused": lambda: Low(over(optim.AdamW, 0.01, fused=True), model=half),
    "float64": lambda: Exact(adam, model=lambda: net().double()),
    "complex": lambda: training.Complex(adam, model=lambda: nn.Linear(4, 2, dtype=torch.complex64)),
    "weight_norm": lambda: Training(sgd, model=normed),
    "tied": lambda: Tied(adam, model=tied),
    "channels_last": lambda: training.Pictures(adam, model=pictures),
    "channels_last_fused": lambda: training.Pictures(
        over(optim.AdamW, 0.01, fused=True, amsgrad=True), model=pictures
    ),
    "scaler": lambda: training.Scaled(adam),
    "scaler_half": lambda: training.HalfScaled(sgd, scheduler=_RATES["one_cycle"]),
    "scaler_fused": lambda: training.Scaled(over(optim.Adam, 0.01, fused=True)),
    "average": lambda: training.Averaged(sgd, scheduler=_RATES["swa_rate"]),
    "average_exponential": lambda: training.Averaged(adam, decay=0.9),
    "adversarial": lambda: training.Adversarial(adam, scheduler=_RATES["cosine"]),
    "unfreezing": lambda: training.Unfreezing(head),
    "augmented": lambda: training.Augmented(adam),
    "loader": lambda: training.Loading(adam, scheduler=_RATES["step"]),
    "remembering": lambda: training.Remembering(adam),
    "anchored": lambda: training.Anchored(sgd),
    "accumulating": lambda: training.Accumulating(adam),
}


def begun(make: Any) -> Training:
    """A training that is three steps old."""
    training: Training = make()
    for _ in range(STEPS):
        training.step()
    return training


def following(training: Training) -> dict[str, list[str]]:
    """The losses of the next three steps, and digests of all state then."""
    losses = [training.step() for _ in range(STEPS)]
    parts = {name: part.state_dict() for name, part in training.parts().items()}
    return {"losses": losses, "state": marks(parts), "rest": marks(training.rest())}
