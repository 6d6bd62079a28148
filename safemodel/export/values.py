"""What stands for tensors and other values of a framework while a bundle is exported.

None of these holds bytes: a `View` says which bytes of the bundle an exported tensor is made of.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safemodel.adapters.memory import c_strides


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """What a tensor is besides its items: `kind` is `Parameter`, `Buffer` or empty."""

    kind: str = ""
    requires_grad: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A strided tensor or array: elements of a stored tensor.

    `strides` and `offset` are bytes. `dtype` is the name of PyTorch's type, also of an array if
    there is such a type, else empty. With `logical` the stored tensor has the elements in the order
    of their indices, and `strides` say how they lay in memory.
    """

    tensor: str
    nbytes: int
    dtype: str
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    logical: bool = False
    conj: bool = False
    neg: bool = False
    flags: Flags = Flags()
    array: str = ""

    @property
    def whole(self) -> bool:
        """Whether the stored bytes are its elements in the order of their indices."""
        return self.logical or (
            self.offset == 0
            and self.strides == c_strides(self.shape, self.itemsize)
            and self.count * self.itemsize == self.nbytes
        )

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A quantized tensor; `scale` and `zero_point` are numbers, or with an axis tensors."""

    dtype: str
    values: View
    scale: float | View
    zero_point: int | View
    axis: int | None
    flags: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A sparse tensor; `indices` are one tensor (COO), or the compressed and the plain ones."""

    layout: str
    shape: tuple[int, ...]
    indices: tuple[View, ...]
    values: View
    coalesced: bool
    flags: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One of PyTorch's small values: `kind` is `size`, `dtype`, `device` or `layout`."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """Something that no target has a place for; `what` names it."""

    what: str


class StateDict(OrderedDict[Any, Any]):
    """An ordered dictionary with the `_metadata` that the state dict of a module has."""

    _metadata: Mapping[Any, Any]


def described(value: object) -> str:
    """What to call a value in a message."""
    if isinstance(value, Foreign):
        return value.what
    if isinstance(value, Word):
        return f"a torch.{value.kind.capitalize() if value.kind == 'size' else value.kind}"
    if isinstance(value, Quantized):
        return "a quantized tensor"
    if isinstance(value, Sparse):
        return "a sparse tensor"
    if isinstance(value, View):
        return "an array" if value.array else f"a tensor of {value.dtype}"
    name = "dictionary" if type(value) in (dict, StateDict) else type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
