"""Tensors whose bytes are read and verified only when somebody asks for them.

What a codec builds from tells it which tensors there are; a reader that passes the bytes on, to a
file or to a device, takes them in pieces and never holds them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.weights import TensorInfo


class Unread:
    """A tensor as `Tensor` has it, but `buffer` is read and verified when it is first used."""

    def __init__(self, bundle: VerifiedBundle, info: TensorInfo) -> None:
        self._bundle = bundle
        self.name = info.name
        self.dtype = info.dtype
        self.shape = info.shape
        self.nbytes = info.nbytes

    @cached_property
    def buffer(self) -> memoryview:
        """All bytes, verified, in private memory."""
        return self._bundle.tensor(self.name).buffer


class UnreadTensors:
    """The tensors of a bundle for a graph codec, none of them read yet."""

    def __init__(self, bundle: VerifiedBundle) -> None:
        self._bundle = bundle

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every tensor by name."""
        return self._bundle.tensors

    def tensor(self, name: str) -> Tensor:
        """One of them, which stands for a `Tensor`."""
        return cast("Tensor", Unread(self._bundle, self._bundle.tensors[name]))
