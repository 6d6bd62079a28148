"""Tensors on their way to a device: verified piece by piece, through two pinned buffers.

While one piece is copied to the device, the next is read and verified in the other buffer, so the
host holds two of them and never the model. Without a device there is nothing to do here: tensors
are views of the verified memory itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import torch

from safemodel import limits
from safemodel.bundle.unread import UnreadTensors
from safemodel.errors import LimitError, UsageError

if TYPE_CHECKING:
    from safemodel.adapters.graph_decode import TensorSource
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

_PIECE: Final = 32 * limits.MIB  # of which each is hashed on all cores
_SLOTS: Final = 2

# Kinds whose parts are checked on the host, whatever device the result goes to.
_CHECKED: Final = frozenset({"quantized", "sparse_coo", "sparse_compressed", "torch_generator"})


def device_of(value: object) -> torch.device | None:
    """The device that a caller named; None is the CPU.

    Raises:
        UsageError: it is none, or none that this machine has.
    """
    if value is None:
        return None
    try:
        device = torch.device(value)  # type: ignore[call-overload]  # from the caller
    except (RuntimeError, TypeError) as error:
        raise UsageError(f"not a device: {value!r}") from error
    try:
        torch.empty(0, device=device)
    except (AssertionError, ImportError, NotImplementedError, RuntimeError) as error:
        reason = str(error).split("\n", 1)[0]
        raise UsageError(f"there is no device {device} here: {reason:.200}") from error
    return None if device.type == "cpu" else device  # type: ignore[no-any-return]


def opened(
    bundle: VerifiedBundle, device: torch.device | None, graph: JsonValue, *, whole: bool = True
) -> tuple[TensorSource, dict[str, Any]]:
    """What to decode the graph of a bundle from, and the context for the builders.

    Without a device all tensors are loaded into one block of memory, if the graph is the whole one,
    else each when it is asked for. With one, those that the graph takes as they are stored are on
    it already; the others are read when a builder asks for them.

    Raises:
        DigestMismatchError: bytes differ from the manifest.
        LimitError: the device has not enough memory.
    """
    if device is None:
        if whole:
            bundle.load_weights()
        return bundle, {"device": None}
    staging = Staging(bundle, device, lane_of(device))
    host = _host_nodes(graph)
    context: dict[str, Any] = {"device": device, "host": {id(node) for node in host}}
    context["storages"] = staging.storages(_names(graph, host))
    return UnreadTensors(bundle), context


class Lane(Protocol):
    """How bytes get from a buffer of the host to the device."""

    def buffer(self, size: int) -> Any:
        """A tensor of so many bytes on the host."""

    def copy(self, target: Any, source: Any) -> Callable[[], object]:
        """Begin to copy; the result waits until `source` may be written to again."""


class PlainLane:
    """Copies that have ended when they return."""

    def buffer(self, size: int) -> Any:
        return torch.empty(size, dtype=torch.uint8)

    def copy(self, target: Any, source: Any) -> Callable[[], object]:
        target.copy_(source)
        return _nothing


class CudaLane:
    """Copies from pinned memory, in the order of the device's current stream."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device)

    def buffer(self, size: int) -> Any:
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def copy(self, target: Any, source: Any) -> Callable[[], object]:
        target.copy_(source, non_blocking=True)
        event: Any = self._stream.record_event()
        wait: Callable[[], object] = event.synchronize
        return wait


def lane_of(device: torch.device) -> Lane:
    """How to get to a device: ROCm is `cuda`, too; others copy from any memory."""
    return CudaLane(device) if device.type == "cuda" else PlainLane()


def _nothing() -> None:
    return None


class Staging:
    """Storages of a bundle's tensors on one device."""

    def __init__(
        self, bundle: VerifiedBundle, device: torch.device, lane: Lane, size: int = _PIECE
    ) -> None:
        self._bundle = bundle
        self._device = device
        self._lane = lane
        largest = max((info.nbytes for info in bundle.tensors.values()), default=0)
        self._size = max(min(size, largest), bundle.manifest.chunk_size)
        self._slots: list[_Slot] = []
        self._turn = 0

    def storages(self, names: set[str]) -> dict[str, Any]:
        """The untyped storage of each of these tensors, filled.

        They are read in the order in which they lie in the file, so that each chunk is read once.
        """
        done: dict[str, Any] = {}
        for header in self._bundle.headers.values():
            for info in header.tensors:
                if info.name in names:
                    with _enough_memory(self._device, info.nbytes):
                        done[info.name] = self._storage(info.name, info.nbytes)
        for slot in self._slots:
            slot.wait()
        return done

    def _storage(self, name: str, nbytes: int) -> Any:
        target = torch.empty(nbytes, dtype=torch.uint8, device=self._device)
        start = 0
        for piece in self._bundle.pieces(name, self._next):
            slot = self._slots[self._turn]
            slot.wait = self._lane.copy(target[start : start + len(piece)], slot.of(piece))
            start += len(piece)
        return target.untyped_storage()

    def _next(self) -> memoryview:
        """The buffer whose turn it is, when the copy out of it has ended."""
        if len(self._slots) < _SLOTS:
            self._slots.append(_Slot(self._lane.buffer(self._size)))
        self._turn = (self._turn + 1) % len(self._slots)
        slot = self._slots[self._turn]
        slot.wait()
        return slot.memory


class _Slot:
    """A buffer, and how to wait for the copy out of it."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor
        self._array = tensor.numpy()
        self.memory = memoryview(self._array)
        self.wait: Callable[[], object] = _nothing

    def of(self, piece: memoryview) -> Any:
        """A piece as part of the buffer: put there, if it came out of memory that was mapped."""
        given = np.frombuffer(piece, np.uint8)
        if given.ctypes.data != self._array.ctypes.data:
            self._array[: len(piece)] = given
        return self._tensor[: len(piece)]


@contextmanager
def _enough_memory(device: torch.device, nbytes: int) -> Iterator[None]:
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise LimitError(
            f"{device} has not enough memory for {nbytes} bytes more", hint="load to the CPU"
        ) from error


# What the graph says, before it is audited: everything about it may be wrong


def _nodes(graph: JsonValue) -> list[dict[str, JsonValue]]:
    nodes = graph.get("nodes") if type(graph) is dict else None
    return [n for n in nodes if type(n) is dict] if type(nodes) is list else []


def _host_nodes(graph: JsonValue) -> list[dict[str, JsonValue]]:
    """Nodes of tensors that are parts of what is checked on the host."""
    nodes = graph.get("nodes") if type(graph) is dict else None
    if type(nodes) is not list:
        return []
    found = []
    for node in _nodes(graph):
        if str(node.get("kind")) in _CHECKED:
            for value in node.values():
                index = value.get("ref") if type(value) is dict else None
                if type(index) is int and 0 <= index < len(nodes) and type(nodes[index]) is dict:
                    found.append(nodes[index])
    return found  # type: ignore[return-value]  # each was looked at


def _names(graph: JsonValue, host: list[dict[str, JsonValue]]) -> set[str]:
    """Tensors that go to the device as they are stored."""
    left_out = {id(node) for node in host}
    return {
        str(node["data"])
        for node in _nodes(graph)
        if node.get("kind") == "tensor"
        and type(node.get("data")) is str
        and "layout" not in node
        and id(node) not in left_out
    }
