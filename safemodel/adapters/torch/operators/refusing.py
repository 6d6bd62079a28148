"""What the guards of operators share: to take values apart, and to refuse them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch

Guard = Callable[[dict[str, Any]], None]


def refuse(why: str) -> NoReturn:
    """Stop the call of an operator.

    Raises:
        ValueError: always.
    """
    raise ValueError(why)


def tensor(given: dict[str, Any], name: str) -> torch.Tensor:
    """The tensor that an argument must be."""
    value = given.get(name)
    if not isinstance(value, torch.Tensor):
        refuse(f"{name} is not a tensor")
    return value


def tensors(given: dict[str, Any], name: str) -> list[torch.Tensor]:
    """The tensors that an argument must be a list of."""
    values = given.get(name)
    if not isinstance(values, list | tuple):
        refuse(f"{name} is not a list of tensors")
    for value in values:
        if not isinstance(value, torch.Tensor):
            refuse(f"{name} is not a list of tensors")
    return list(values)


def integers(value: Any) -> list[int]:
    """The integers of a list, or of a tensor of integers; one stands for a list of it."""
    if type(value) is int:
        return [value]
    if isinstance(value, torch.Tensor):
        if value.dtype not in (torch.int64, torch.int32, torch.uint8, torch.int16, torch.int8):
            refuse("lengths are not integers")
        found: list[int] = value.reshape(-1).tolist()
        return found
    if not isinstance(value, list | tuple):
        refuse("lengths are not a list")
    return list(value)


def within(values: torch.Tensor, low: int, high: int, what: str) -> None:
    """Refuse a tensor of indices with one that is outside of a range."""
    if values.is_floating_point() or values.is_complex() or values.dtype is torch.bool:
        refuse(f"{what} are not integers")
    if values.device.type != "cpu" or values.numel() == 0:
        return
    least, most = torch.aminmax(values.detach())
    if int(least) < low or int(most) > high:
        refuse(f"{what} are outside of {low} to {high}")
