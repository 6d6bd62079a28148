"""The bytes of a checkpoint, copied, so that training may go on while they are written.

The memory is kept for the next copy: fresh memory costs more than the copy itself. Knows no graph:
what an encoder made is copied as it is, so an asynchronous save writes the same bytes as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.bundle import arena
from safemodel.bundle.chunks import in_parallel
from safemodel.bundle.contents import TensorData

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BLOCK: Final = 4 << 20  # one copy: many of them for the threads, and each worth the call
_PAGE: Final = 4096


class Snapshot:
    """Memory that holds one copy of the tensors of a checkpoint at a time.

    `owns` says of an address whether it belongs to the save already, so that nothing changes it.
    """

    def __init__(self, owns: Callable[[int], bool]) -> None:
        self._owns = owns
        self._memory = memoryview(b"")

    def copy(self, tensors: Sequence[TensorData]) -> tuple[TensorData, ...]:
        """The tensors with their bytes in this memory, which must not be in use.

        Raises:
            LimitError: the machine has not enough memory.
        """
        sources = [[_as_bytes(piece) for piece in tensor.pieces()] for tensor in tensors]
        kept = [all(self._owns(one.ctypes.data) for one in found) for found in sources]
        total = sum(
            one.size
            for found, is_kept in zip(sources, kept, strict=True)
            if not is_kept
            for one in found
        )
        if len(self._memory) < total:
            self._memory = memoryview(b"")  # the old one goes first
            self._memory = arena.allocate(-(-total // _PAGE) * _PAGE)
        copied = []
        jobs: list[tuple[int, Any]] = []
        start = 0
        for tensor, found, is_kept in zip(tensors, sources, kept, strict=True):
            if is_kept:
                copied.append(TensorData(tensor.spec, partial(tuple, found)))
                continue
            begin = start
            for source in found:
                jobs.append((start, source))
                start += source.size
            copied.append(TensorData(tensor.spec, partial(_one, self._memory[begin:start])))
        target = np.frombuffer(self._memory, np.uint8)
        in_parallel(_copies(target, jobs), total)
        return tuple(copied)


def _one(piece: memoryview) -> tuple[memoryview]:
    return (piece,)


def _as_bytes(piece: ReadableBuffer) -> Any:
    view = memoryview(piece)
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


def _copies(target: Any, jobs: Sequence[tuple[int, Any]]) -> Iterator[Callable[[], None]]:
    """Jobs of about one block each: large pieces are cut, small ones copied together."""
    batch: list[tuple[Any, Any]] = []
    size = 0
    for start, source in jobs:
        for first in range(0, source.size, _BLOCK):
            part = source[first : first + _BLOCK]
            batch.append((target[start + first : start + first + part.size], part))
            size += part.size
            if size >= _BLOCK:
                yield partial(_copy, batch)
                batch, size = [], 0
    if batch:
        yield partial(_copy, batch)


def _copy(batch: Sequence[tuple[Any, Any]]) -> None:
    for target, source in batch:
        np.copyto(target, source)
