"""Small tensors, read in the order of the file before a graph asks for them in its own order.

A model with trees is not loaded whole. To read a small tensor, the whole chunk around it is read
and verified: an archive could ask for its neighbours in a random order, and each chunk would be
verified once a tensor. Implements spec/sklearn.md, "Trees".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from safemodel.bundle.tensor import Tensor

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.weights import TensorInfo

_SMALL: Final = 256 << 10


class Ahead:
    """A source of tensors that has read the small ones; each is handed out once, then forgotten."""

    def __init__(self, bundle: VerifiedBundle) -> None:
        self._bundle = bundle
        self._read: dict[str, Tensor] = {}

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every tensor by name, in the order of the file."""
        return self._bundle.tensors

    def read(self) -> None:
        """Read the small tensors."""
        for name, info in self.tensors.items():
            if info.nbytes <= _SMALL:
                self._read[name] = self._bundle.tensor(name)

    def tensor(self, name: str) -> Tensor:
        """Return a whole tensor."""
        return self._read.pop(name, None) or self._bundle.tensor(name)

    def rows(self, name: str, start: int, stop: int, into: memoryview) -> memoryview:
        """Return some rows of a tensor, which may lie in `into` or in memory of their own."""
        tensor = self._read.get(name)
        if tensor is None:
            return self._bundle.rows(name, start, stop, into=into).buffer
        if stop == tensor.shape[0]:
            self._read.pop(name, None)
        row = tensor.buffer.nbytes // tensor.shape[0]
        return tensor.buffer[start * row : stop * row]
