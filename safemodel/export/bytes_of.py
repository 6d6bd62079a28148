"""The bytes of exported tensors: streamed from verified chunks, or put in order first.

A tensor that lies in its bundle as it must lie in the file is passed on in pieces. Any other, a
view with steps or a permuted tensor, is read whole and put in order: that one tensor is all that is
in memory then.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.memory import c_strides
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.export.values import View

# How often tensors are read whole, for views of them: a million could take forever.
_FREE: Final = 1 << 30
_TIMES: Final = 64
_BUFFER: Final = 32 * limits.MIB  # a multiple of every size of chunks; hashed on all cores


class Reader:
    """Reads tensors of a bundle one after the other, into one buffer."""

    def __init__(self, bundle: VerifiedBundle) -> None:
        self._bundle = bundle
        self._buffer = memoryview(bytearray(max(bundle.manifest.chunk_size, self._largest())))
        self._last: tuple[str, Any] = "", None
        stored = sum(info.nbytes for info in bundle.tensors.values())
        self._left = _FREE + _TIMES * stored

    def _largest(self) -> int:
        return min(_BUFFER, max((t.nbytes for t in self._bundle.tensors.values()), default=0))

    def logical(self, view: View) -> Iterator[memoryview]:
        """The elements in the order of their indices.

        Raises:
            ArchitectureError: a boolean that is neither 0 nor 1.
        """
        if view.whole:
            yield from self._stream(view)
        elif view.count:
            array = self._array(view)
            step = max(1, limits.MIB // max(1, math.prod(array.shape[1:]) * view.itemsize))
            rows = array if array.ndim else array.reshape(1)
            for start in range(0, len(rows), step):
                block = np.ascontiguousarray(rows[start : start + step]).reshape(-1)
                yield _checked(view, block.view(np.uint8).data)

    def memory(self, view: View) -> Iterator[memoryview]:
        """All bytes of the stored tensor, as the tensor lay in memory."""
        if not view.logical:
            yield from self._stream(view)
        elif view.count:
            flat = np.empty(view.count, _void(view))
            laid = np.ndarray(view.shape, flat.dtype, flat, 0, view.strides)
            laid[...] = self._array(view)
            yield _checked(view, flat.view(np.uint8).data)

    def _stream(self, view: View) -> Iterator[memoryview]:
        for piece in self._bundle.pieces(view.tensor, lambda: self._buffer):
            yield _checked(view, piece)

    def _array(self, view: View) -> Any:
        strides = c_strides(view.shape, view.itemsize) if view.logical else view.strides
        return np.ndarray(view.shape, _void(view), self._whole(view), view.offset, strides)

    def _whole(self, view: View) -> Any:
        """All of the tensor of a view. The last one is kept: views of one often follow another.

        Raises:
            ArchitectureError: views that need the same tensors far more often than models do.
        """
        if self._last[0] != view.tensor:
            self._last = "", None  # its memory goes first
            self._left -= view.nbytes
            if self._left < 0:
                raise ArchitectureError(
                    "views of the same tensors, in turns, far more than a model has"
                )
            self._last = view.tensor, self._bundle.tensor(view.tensor).buffer
        return self._last[1]


def _void(view: View) -> Any:
    return np.dtype((np.void, view.itemsize))


def _checked(view: View, piece: memoryview) -> memoryview:
    """Pass booleans on: PyTorch takes for granted that they are 0 or 1."""
    if view.dtype == "bool" and bytes(piece).translate(None, b"\0\1"):
        raise ArchitectureError("a boolean that is neither 0 nor 1", place=f"tensor {view.tensor}")
    return piece
