"""Indices that an operator gets a copy of, since its backward trusts what forward has checked.

Two tensors of an archive can have the same memory, and autograd does not see that one is written
to through the other. A graph could so change indices between forward and backward, whose kernels
then read and write outside of their tensors; or those of a sparse gradient, which an optimizer
adds up unchecked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

# operator -> (arguments, of these flags one must be true for it to matter)
PRIVATE: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "aten::cross_entropy_loss": (("target",), ()),
    "aten::ctc_loss.IntList": (("targets",), ()),
    "aten::ctc_loss.Tensor": (("targets", "input_lengths", "target_lengths"), ()),
    "aten::embedding": (("indices",), ("scale_grad_by_freq", "sparse")),
    "aten::embedding_bag": (("indices", "offsets"), ()),
    "aten::embedding_bag.padding_idx": (("indices", "offsets"), ()),
    "aten::gather": (("index",), ("sparse_grad",)),
    "aten::multi_margin_loss": (("target",), ()),
    "aten::multilabel_margin_loss": (("target",), ()),
    "aten::multilabel_margin_loss_forward": (("target",), ()),
    "aten::nll_loss": (("target",), ()),
    "aten::nll_loss2d_forward": (("target",), ()),
    "aten::nll_loss_forward": (("target",), ()),
    "aten::nll_loss_nd": (("target",), ()),
}


def with_copies(
    name: str, names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The arguments of a call, with copies of what backward will trust, if there may be one."""
    copied, flags = PRIVATE[name]
    if not torch.is_grad_enabled():
        return args, kwargs
    given = dict(zip(names, args, strict=False)) | kwargs
    if flags and not any(given.get(flag) for flag in flags):
        return args, kwargs
    taken = [_copy(v) if n in copied else v for n, v in zip(names, args, strict=False)]
    return taken, {n: _copy(v) if n in copied else v for n, v in kwargs.items()}


def _copy(value: Any) -> Any:
    whole = isinstance(value, torch.Tensor) and not value.is_floating_point()
    return value.clone() if whole else value
