"""Which arrays share memory, and what must be stored so that they share it again.

Pure address arithmetic over `Part`s: knows neither NumPy nor a framework, reads no memory itself.
Arrays whose byte ranges overlap form a cluster. When one of them covers the cluster it is stored
under its own name and the others are views of it; otherwise the covered range is stored as a
one-dimensional tensor, bytes that belong to no array zeroed. Sorting by address makes that
O(n log n). Implements spec/object-graph.md, "Memory".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from safemodel import limits
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from safemodel.format.canonical_json import JsonValue

Pieces = Callable[[], "Iterable[ReadableBuffer]"]

# A lone array with more holes than this, one column of a large matrix, is stored without them.
_SPARSE: Final = 16


class Memory(Protocol):
    """The memory of one array, and how to read it when its turn to be written comes."""

    def dense(self) -> Iterable[ReadableBuffer]:
        """The bytes of an array without holes, in the order of memory."""

    def logical(self) -> Iterable[ReadableBuffer]:
        """The bytes of an array in the order of its indices."""

    def copy_into(self, buffer: bytearray, base: int) -> None:
        """Copy the array to its place in a buffer that stands for the memory from `base` on."""


@dataclass(slots=True, eq=False)
class Part:
    """One array: where it lies, how it would be stored alone, and the node that describes it.

    `address` is that of the first element, `strides` are bytes. `dtype` and `unit` say how an
    element is stored: `unit` is the shape of the stored items that make up one element, `()` for
    one. Its offset in what is stored must be a multiple of `quantum`. `logical`: if its axes are
    permuted and it shares no memory it is to be stored in its own shape. `padded`: its elements
    hold bytes that mean nothing.
    """

    name: str
    node: dict[str, JsonValue]
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int
    dtype: str
    unit: tuple[int, ...]
    alignment: int
    quantum: int
    memory: Memory
    logical: bool = False
    padded: bool = False
    start: int = field(init=False)
    stop: int = field(init=False)
    axes: tuple[int, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        low, high = extent(self.shape, self.strides, self.itemsize)
        self.start, self.stop = self.address + low, self.address + high
        self.axes = dense_axes(self.shape, self.strides, self.itemsize)

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def in_order(self) -> bool:
        """Whether the elements lie in the order of their indices, without holes."""
        return self.axes is not None and all(a == i for i, a in enumerate(self.axes))


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor to store, and the parts that lie in it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Pieces
    parts: tuple[Part, ...]


def extent(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> tuple[int, int]:
    """First and last byte (exclusive) of an array, relative to its first element."""
    if 0 in shape:
        return 0, 0
    low = high = 0
    for length, stride in zip(shape, strides, strict=True):
        if stride < 0:
            low += (length - 1) * stride
        else:
            high += (length - 1) * stride
    return low, high + itemsize


def c_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """The strides of a C-contiguous array, in bytes."""
    strides: list[int] = []
    step = itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def dense_axes(
    shape: Sequence[int], strides: Sequence[int], itemsize: int
) -> tuple[int, ...] | None:
    """The axes from slowest to fastest of an array without holes or overlap, else None."""
    if tuple(strides) == c_strides(shape, itemsize):
        return tuple(range(len(shape)))
    axes = sorted(
        range(len(shape)), key=lambda axis: (shape[axis] != 1, strides[axis]), reverse=True
    )
    # Axes of length one stand where they are: any stride of theirs addresses the same bytes.
    step = itemsize
    for axis in reversed(axes):
        if shape[axis] == 1:
            continue
        if strides[axis] != step:
            return None
        step *= shape[axis]
    if all(shape[a] == 1 for a in axes) or list(_long(shape, axes)) == sorted(_long(shape, axes)):
        return tuple(range(len(shape)))
    return tuple(axes)


def _long(shape: Sequence[int], axes: Iterable[int]) -> Iterator[int]:
    return (axis for axis in axes if shape[axis] != 1)


def plan(parts: Sequence[Part]) -> tuple[Stored, ...]:
    """What to store for these arrays. Completes the node of each with where it lies.

    Raises:
        UnsavableError: an array addresses far more than the memory it stands on.
    """
    stored: list[Stored] = []
    order = {id(part): index for index, part in enumerate(parts)}
    for cluster in _clusters(parts):
        cluster.sort(key=lambda part: order[id(part)])
        stored.append(_store(cluster))
    stored.sort(key=lambda item: order[id(item.parts[0])])
    return tuple(stored)


def _clusters(parts: Sequence[Part]) -> Iterator[list[Part]]:
    cluster: list[Part] = []
    stop = 0
    for part in sorted(parts, key=lambda part: part.start):
        if part.start == part.stop:
            yield [part]
        elif cluster and part.start < stop:
            cluster.append(part)
            stop = max(stop, part.stop)
        else:
            if cluster:
                yield cluster
            cluster, stop = [part], part.stop
    if cluster:
        yield cluster


def _store(cluster: list[Part]) -> Stored:
    start, stop = min(p.start for p in cluster), max(p.stop for p in cluster)
    if start == stop:
        empty = cluster[0]
        if empty.strides != c_strides(empty.shape, empty.itemsize):
            _describe(empty, start, stop)
        return _store_alone(empty, empty.memory.dense)
    first = cluster[0]
    if len(cluster) == 1 and first.strides == c_strides(first.shape, first.itemsize):
        return _store_alone(first, first.memory.dense)
    if len(cluster) == 1 and stop - start > max(_SPARSE * first.count * first.itemsize, limits.MIB):
        return _store_alone(first, first.memory.logical)
    cover = _cover(cluster, start, stop)
    if cover is None:
        return _store_range(cluster, start, stop)
    if len(cluster) == 1 and cover.logical and not cover.in_order:
        cover.node["layout"] = list(cover.strides)
        return _store_alone(cover, cover.memory.logical)
    whole = c_strides(cover.shape, cover.itemsize)
    for part in cluster:
        same = (part.shape, part.dtype, part.unit) == (cover.shape, cover.dtype, cover.unit)
        if not (same and cover.in_order and part.strides == whole):
            _describe(part, start, stop)
    shape = tuple(cover.shape[axis] for axis in cover.axes or ())
    memory = cover.memory.dense
    return Stored(cover.name, cover.dtype, shape + cover.unit, memory, (cover, *cluster))


def _store_alone(part: Part, pieces: Pieces) -> Stored:
    return Stored(part.name, part.dtype, part.shape + part.unit, pieces, (part,))


def _cover(cluster: list[Part], start: int, stop: int) -> Part | None:
    """The array that stands for all memory of its cluster, if there is one."""
    size = stop - start
    alignment = max(part.alignment for part in cluster)
    if len(cluster) > 1 and (size % alignment or start % alignment):
        return None
    candidates = [part for part in cluster if (part.start, part.stop) == (start, stop)]
    if any(not part.padded for part in cluster):
        # Another array may see the bytes that are padding in this one: they must be kept.
        candidates = [part for part in candidates if not part.padded]
    dense = [part for part in candidates if part.axes is not None]
    for part in dense:
        if part.in_order:
            return part
    return dense[0] if dense else None


def _store_range(cluster: list[Part], start: int, stop: int) -> Stored:
    """Store the range of memory itself, from one aligned address to the next."""
    alignment = max(part.alignment for part in cluster)
    start -= start % alignment
    stop += -stop % alignment
    dtypes = {(part.dtype, part.itemsize) for part in cluster if part.unit == ()}
    dtype, size = "U8", 1
    if len(dtypes) == 1 and all(part.unit == () and not part.padded for part in cluster):
        ((dtype, size),) = dtypes
        if (stop - start) % size or any((p.address - start) % size for p in cluster):
            dtype, size = "U8", 1
    for part in cluster:
        _describe(part, start, stop)
    # Padding goes in first: what is padding for one array may be data of another.
    writers = sorted(cluster, key=lambda part: not part.padded)

    def pieces() -> Iterable[ReadableBuffer]:
        buffer = bytearray(stop - start)
        for part in writers:
            part.memory.copy_into(buffer, start)
        yield buffer

    name = cluster[0].name + (".storage" if len(cluster) > 1 else "")
    return Stored(name, dtype, ((stop - start) // size,), pieces, tuple(cluster))


def _describe(part: Part, start: int, stop: int) -> None:
    if part.count * max(part.itemsize, 1) > max(stop - start, limits.MAX_BROADCAST):
        raise UnsavableError(
            f"a view that addresses {part.count * part.itemsize} bytes over {stop - start}",
            place=part.name,
            hint="save a copy of it instead",
        )
    if (part.address - start) % part.quantum:
        raise UnsavableError(
            "shares memory with another array, but not aligned to its own items",
            place=part.name,
            hint="save a copy of it instead",
        )
    part.node["offset"] = part.address - start
    part.node["shape"] = list(part.shape)
    part.node["strides"] = list(part.strides)
