"""Checks of sizes and layouts, for kernels that trust what lies where.

They are guards like those of `guards.py`: of operators that read or write behind a tensor whose
size, or whose steps in memory, are not those of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch

from safemodel.adapters.torch.operators.refusing import Guard, refuse, tensor


def _observed(given: dict[str, Any]) -> None:
    """Of `fused_moving_avg_obs_fake_quant`: it writes as many ranges as there are rows."""
    values, axis = tensor(given, "self"), given["ch_axis"]
    ranges = [tensor(given, name) for name in ("running_min", "running_max")]
    rows = 1
    if given.get("per_row_fake_quant", False):
        if not 0 <= axis < values.dim():
            refuse("ch_axis is none of the tensor's")
        rows = values.shape[axis]
        if all(one.numel() == 0 for one in ranges):
            # The kernel makes them larger. What an optimizer holds memory for must stay.
            written = [*ranges, tensor(given, "scale"), tensor(given, "zero_point")]
            if any(one.requires_grad or isinstance(one, torch.nn.Parameter) for one in written):
                refuse("a parameter would have to grow")
            return
    if any(one.numel() != rows or not one.is_contiguous() for one in ranges):
        refuse("the ranges have not the size of the tensor's rows")


def _noise(given: dict[str, Any]) -> None:
    if not tensor(given, "noise").is_contiguous():
        refuse("the noise is not contiguous")


def _group_norm(given: dict[str, Any]) -> None:
    if given["N"] * given["C"] * given["HxW"] != tensor(given, "input").numel():
        refuse("N, C and HxW are not those of the input")
    for name in ("weight", "bias"):
        if given.get(name) is not None and not tensor(given, name).is_contiguous():
            refuse(f"{name} is not contiguous")


def _attention(given: dict[str, Any]) -> None:
    key, value = tensor(given, "key"), tensor(given, "value")
    if key.dim() < 2 or value.dim() < 2 or key.shape[-2] != value.shape[-2]:
        refuse("there are not as many keys as values")


def _some(given: dict[str, Any]) -> None:
    # The kernel leaves the memory of such a result as it was.
    if tensor(given, "self").numel() == 0 and given.get("reduction", 1) != 0:
        refuse("there is no loss of nothing")


LAYOUTS: Final[Mapping[str, Guard]] = {
    "aten::fused_moving_avg_obs_fake_quant": _observed,
    "aten::multi_margin_loss": _some,
    "aten::multilabel_margin_loss": _some,
    "aten::multilabel_margin_loss_forward": _some,
    "aten::native_group_norm": _group_norm,
    "aten::rrelu_with_noise": _noise,
    "aten::scaled_dot_product_attention": _attention,
}
