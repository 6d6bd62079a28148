"""The bytes of a checkpoint, copied, so that training may go on while they are written.

The memory is kept for the next copy: fresh memory costs more than the copy itself. Knows no graph:
what an encoder made is copied as it is, so an asynchronous save writes the same bytes as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.torch.checkpoint.hosting import HostCopies
from safemodel.bundle import arena
from safemodel.bundle.chunks import in_parallel
from safemodel.bundle.contents import TensorData

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BLOCK: Final = 4 << 20  # one copy: many of them for the threads, and each worth the call
_BATCH: Final = 256 << 20  # of pieces at a time: some are made for the copy, and go after it
_PAGE: Final = 4096


class Snapshot:
    """Memory that holds one copy of the tensors of a checkpoint at a time.

    What `host` has copied from a device belongs to the save already: nothing changes it.
    """

    def __init__(self, host: HostCopies) -> None:
        self._host = host
        self._memory = memoryview(b"")

    def copy(self, tensors: Sequence[TensorData]) -> tuple[TensorData, ...]:
        """The tensors with their bytes in this memory, which must not be in use.

        Raises:
            LimitError: the machine has not enough memory.
        """
        kept = {tensor.spec.name for tensor in tensors if self._is_kept(tensor)}
        moved = [tensor for tensor in tensors if tensor.spec.name not in kept]
        target = self._room(sum(tensor.spec.nbytes for tensor in moved))
        copied: dict[str, TensorData] = {}
        jobs: list[tuple[int, Any]] = []
        start = waiting = 0
        for tensor in moved:
            begin = start
            for piece in tensor.pieces():
                source = _as_bytes(piece)
                jobs.append((start, source))
                start += source.size
            piece = self._memory[begin:start]
            copied[tensor.spec.name] = TensorData(tensor.spec, partial(_one, piece))
            waiting += start - begin
            if waiting > _BATCH:
                in_parallel(_copies(target, jobs), waiting)
                jobs, waiting = [], 0
        in_parallel(_copies(target, jobs), waiting)
        return tuple(copied.get(tensor.spec.name, tensor) for tensor in tensors)

    def _room(self, size: int) -> Any:
        if len(self._memory) < size:
            self._memory = memoryview(b"")  # the old one goes first
            self._memory = arena.allocate(-(-size // _PAGE) * _PAGE)
        return np.frombuffer(self._memory, np.uint8)

    def _is_kept(self, tensor: TensorData) -> bool:
        return self._host.used and all(
            self._host.owns(_as_bytes(piece).ctypes.data) for piece in tensor.pieces()
        )


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
