"""Datasets of HDF5 that are cut into chunks, perhaps compressed: where these are, and their values.

Knows sections III.A.1, IV.A.2.i and IV.A.2.l of the "HDF5 File Format Specification" version 3.0.
A chunk inflates to its size or not at all, and each must be there, once.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy.hdf5_objects import Message
from safemodel.legacy.hdf5_source import Source

_DEFLATE: Final = 1
_SHUFFLE: Final = 2
_DIGEST: Final = 3  # Fletcher32
# Of a value, by its bytes
_FORMATS: Final[Mapping[int, Literal["B", "H", "I", "Q"]]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
MAX_RUNS: Final = 4_000_000  # pieces that chunks of one dataset are put together of


@dataclass(frozen=True, slots=True)
class Chunks:
    """How the values of a dataset are cut and packed: sizes of a chunk, filters, and where."""

    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    item: int
    filters: tuple[int, ...]
    places: dict[tuple[int, ...], tuple[int, int]]  # of a chunk's first value: position, bytes

    @property
    def stored(self) -> int:
        """Bytes of all chunks in the file."""
        return sum(size for _, size in self.places.values())

    @property
    def inflated(self) -> int:
        """Bytes of all chunks behind the filters, with what is beyond the ends of the dataset."""
        return len(self.places) * self.item * math.prod(self.sizes)


def filters(source: Source, message: Message | None) -> tuple[int, ...]:
    """The filters that values went through, first to last (IV.A.2.l).

    Raises:
        UnreadableError: others than deflate, shuffle and Fletcher32.
    """
    if message is None:
        return ()
    version, count = source.number(message.start, 1), source.number(message.start + 1, 1)
    here = message.start + (8 if version == 1 else 2)
    if version not in (1, 2) or count > 8:
        raise DamagedError("filters that can't be", offset=message.start)
    found = []
    for _ in range(count):
        kind = source.number(here, 2)
        if kind not in (_DEFLATE, _SHUFFLE, _DIGEST):
            raise UnreadableError(f"values behind the HDF5 filter {kind}", offset=here)
        named = version == 1
        length = source.number(here + 2, 2) if named else 0
        here += 4 if named else 2
        values = source.number(here + 2, 2)
        here += 4 + (length + 7 & ~7) + 4 * values + (4 if named and values & 1 else 0)
        found.append(kind)
    if len(set(found)) != len(found):
        raise UnreadableError("values that went through a filter twice", offset=message.start)
    return tuple(found)


def chunks(
    source: Source, layout: int, shape: tuple[int, ...], item: int, filters: tuple[int, ...]
) -> Chunks:
    """The chunks of a dataset with a layout of version 3 (IV.A.2.i): all, and each once."""
    rank = len(shape)
    first = layout + 3 + source.offsets
    sizes = tuple(source.number(first + 4 * axis, 4) for axis in range(rank + 1))
    if source.number(layout + 2, 1) != rank + 1 or sizes[-1] != item or 0 in sizes or not rank:
        raise DamagedError("chunks that do not fit their dataset", offset=layout)
    counts = [-(-size // step) for size, step in zip(shape, sizes, strict=False)]
    total, each = math.prod(counts), item * math.prod(sizes[:-1])
    if each > 2 * item * math.prod(shape) + (1 << 20) or total > len(source.data):
        raise DamagedError("chunks that are larger than their dataset", offset=layout)
    most = [min(step, size) for step, size in zip(sizes, shape, strict=False)]
    if total * math.prod(most) // max(most) > MAX_RUNS:
        raise BudgetError(f"chunks in more than {MAX_RUNS} pieces", offset=layout)
    places: dict[tuple[int, ...], tuple[int, int]] = {}
    for key, start, size, mask in _leaves(source, source.address(layout + 3), rank):
        axes = zip(key, sizes, shape, strict=False)
        outside = any(at % step or at >= whole for at, step, whole in axes)
        if outside or key in places or mask or (not filters and size != each):
            raise DamagedError("a chunk that has no place in its dataset", offset=start)
        source.take(start, size)
        places[key] = start, size
    if len(places) != total:
        raise DamagedError(f"{total - len(places)} chunks are missing", offset=layout)
    return Chunks(shape, sizes[:-1], item, filters, places)


def _leaves(
    source: Source, root: int | None, rank: int
) -> Iterator[tuple[tuple[int, ...], int, int, int]]:
    """First value, position, bytes and unused filters of each chunk (III.A.1)."""
    waiting = [] if root is None else [root]
    width = 8 + 8 * (rank + 1)
    while waiting:
        node = waiting.pop()
        if not source.visit(node, "chunks"):
            raise DamagedError("a B-tree that comes back to itself", offset=node)
        source.expect(node, b"TREE", "B-tree node")
        if source.number(node + 4, 1) != 1:
            raise DamagedError("a B-tree that is none of chunks", offset=node)
        level, used = source.number(node + 5, 1), source.number(node + 6, 2)
        here = node + 8 + 2 * source.offsets
        for _ in range(used):
            child = source.address(here + width)
            if child is None:
                raise DamagedError("a chunk that is nowhere", offset=here)
            if level:
                waiting.append(child)
            else:
                key = tuple(source.number(here + 8 + 8 * axis, 8) for axis in range(rank))
                yield key, child, source.number(here, 4), source.number(here + 4, 4)
            here += width + source.offsets


def joined(data: memoryview, chunks: Chunks) -> Iterator[memoryview]:
    """The values of all chunks, put together in C order."""
    shape, sizes, item = chunks.shape, chunks.sizes, chunks.item
    whole = bytearray(item * math.prod(shape))
    result = memoryview(whole).cast(_FORMATS[item])
    steps, inner = _steps(shape), _steps(sizes)
    for key, (start, size) in chunks.places.items():
        chunk = _unpacked(data[start : start + size], chunks).cast(_FORMATS[item])
        extent = _extent(key, chunks)
        along = extent.index(max(extent))  # copied in one go
        others = [axis for axis in range(len(shape)) if axis != along]
        first = sum(at * step for at, step in zip(key, steps, strict=True))
        for place in itertools.product(*(range(extent[axis]) for axis in others)):
            pairs = list(zip(place, others, strict=True))
            source = sum(at * inner[axis] for at, axis in pairs)
            target = first + sum(at * steps[axis] for at, axis in pairs)
            count = extent[along]
            result[target : target + count * steps[along] : steps[along]] = chunk[
                source : source + count * inner[along] : inner[along]
            ]
    yield memoryview(whole)


def _extent(key: tuple[int, ...], chunks: Chunks) -> list[int]:
    """How much of a chunk is within the dataset, by axis."""
    axes = zip(key, chunks.sizes, chunks.shape, strict=True)
    return [min(step, whole - at) for at, step, whole in axes]


def _steps(shape: tuple[int, ...]) -> list[int]:
    """Values from one to the next along each axis."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _unpacked(raw: memoryview, chunks: Chunks) -> memoryview:
    """One chunk as it was before the filters, which are undone last to first."""
    each = chunks.item * math.prod(chunks.sizes)
    for kind in reversed(chunks.filters):
        if kind == _DIGEST:
            raw = raw[:-4]
        elif kind == _DEFLATE:
            raw = _inflated(raw, each + 4)
        elif chunks.item > 1:
            raw = _unshuffled(raw, chunks.item)
    if len(raw) != each:
        raise DamagedError(f"a chunk of {len(raw)} bytes, which must have {each}")
    return raw


def _inflated(raw: memoryview, most: int) -> memoryview:
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(raw, most + 1)
    except zlib.error as error:
        raise DamagedError(f"a chunk that does not inflate: {error}") from None
    if len(found) > most or not stream.eof:
        raise DamagedError("a chunk that inflates to more or less than it must")
    return memoryview(found)


def _unshuffled(raw: memoryview, item: int) -> memoryview:
    """Bytes that were ordered by their place within an item, in the order of items again."""
    count = len(raw) // item
    result = bytearray(len(raw))
    for place in range(item):
        result[place : item * count : item] = raw[place * count : (place + 1) * count]
    result[item * count :] = raw[item * count :]
    return memoryview(result)
