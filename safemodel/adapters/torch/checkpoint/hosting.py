"""Copies of what lies on a device, in memory of the host that is kept for the next save.

For CUDA it is pinned, so the copies run while the next ones are asked for, and end together. They
belong to the save alone: an asynchronous one need not copy them again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from safemodel.adapters.torch.staging import Lane, lane_of


class HostCopies:
    """Memory of the host for storages of devices, for one save at a time."""

    def __init__(self, lanes: Callable[[torch.device], Lane] = lane_of) -> None:
        self._lanes = lanes
        self._free: list[Any] = []
        self._used: list[Any] = []
        self._waits: list[Callable[[], object]] = []

    def begin(self) -> None:
        """Take all memory back: the save before has ended."""
        self._free += self._used
        self._used = []

    def copy(self, storage: Any) -> Any:
        """Begin to copy a storage; what is returned is filled when `finish` has returned."""
        size = storage.nbytes()
        lane = self._lanes(storage.device)
        target = self._buffer(size, lane)
        source = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
        self._waits.append(lane.copy(target[:size], source))
        return target.untyped_storage()

    def _buffer(self, size: int, lane: Lane) -> Any:
        # The same tensors come again, in the same order, so the first that is large enough is it.
        for index, buffer in enumerate(self._free):
            if size <= buffer.numel() <= 2 * size:
                self._used.append(self._free.pop(index))
                return buffer
        self._used.append(lane.buffer(size))
        return self._used[-1]

    def finish(self) -> None:
        """Wait for all copies; memory that nothing was copied to is given back."""
        for wait in self._waits:
            wait()
        self._waits = []
        self._free = []

    @property
    def used(self) -> bool:
        """Whether there are any copies."""
        return bool(self._used)

    def owns(self, address: int) -> bool:
        """Whether memory at this address is a copy."""
        return any(one.data_ptr() <= address < one.data_ptr() + one.numel() for one in self._used)
