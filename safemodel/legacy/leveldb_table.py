"""LevelDB's tables, as TensorFlow writes the index of a checkpoint: keys and values, sorted.

A table is blocks, each with a type and a CRC-32C behind it; an index block that says where the
others are; and a footer. Blocks are not compressed in any file that TensorFlow writes today.

Programs look keys up in different ways: one reads all of them in order, another searches the
index, a third the restart points of a block. So everything that decides what these find must
agree, or the file is refused. Source: tensorflow/core/lib/io/{format,block,table}.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy.crc32c import crc32c, masked
from safemodel.legacy.protobuf import varint

MAGIC: Final = 0xDB4775248B80FB57.to_bytes(8, "little")
FOOTER: Final = 48
MAX_TABLE: Final = 64 << 20
MAX_ENTRIES: Final = 1_000_000
MAX_KEY: Final = 8192
MAX_KEYS: Final = 64 << 20  # bytes of all of them
_TRAILER: Final = 5  # a type and a CRC
_SNAPPY: Final = 1

Spend = Callable[[int], None]
Entry = tuple[bytes, int, int]  # key, and where its value is


def is_table(data: memoryview) -> bool:
    """Whether the bytes end as a table does."""
    return len(data) >= FOOTER and bytes(data[-8:]) == MAGIC


def parse_table(data: memoryview, *, spend: Spend | None = None) -> Iterator[Entry]:
    """Each key of a table in order, with where its value begins and ends.

    `spend` is told of the bytes of each block.

    Raises:
        DamagedError: not a table, or one in which two ways of looking find different things.
        UnreadableError: compressed.
        BudgetError: larger, or with more entries, than may be read.
    """
    if not is_table(data):
        raise DamagedError("does not end as a table", offset=max(0, len(data) - 8))
    if len(data) > MAX_TABLE:
        raise BudgetError(f"a table of {len(data)} bytes, and {MAX_TABLE} at the most")
    footer = len(data) - FOOTER
    meta, position = _handle(data, footer, len(data) - 8)
    index, position = _handle(data, position, len(data) - 8)
    if any(data[position:-8]):
        raise DamagedError("a footer with more than two places", offset=position)
    for _ in _block(data, meta, footer, spend):
        pass
    return _entries(data, index, footer, spend)


def _entries(
    data: memoryview, index: tuple[int, int], footer: int, spend: Spend | None
) -> Iterator[Entry]:
    last: bytes | None = None
    end = count = size = 0
    for separator, start, stop in _block(data, index, footer, spend):
        handle, after = _handle(data, start, stop)
        if after != stop:
            raise DamagedError("more than the place of a block", offset=after)
        if handle[0] < end:
            raise DamagedError("blocks that overlap, or are out of order", offset=start)
        end = handle[0] + handle[1] + _TRAILER
        for entry in _block(data, handle, footer, spend):
            key = entry[0]
            if (last is not None and key <= last) or key > separator:
                raise DamagedError("keys that are out of order", offset=entry[1])
            last = key
            count += 1
            size += len(key)
            if count > MAX_ENTRIES or size > MAX_KEYS:
                raise BudgetError(f"more than {MAX_ENTRIES} entries", offset=entry[1])
            yield entry
        last = separator if last is None else max(last, separator)
    if end > index[0]:
        raise DamagedError("an index that a block lies over", offset=index[0])


def _handle(data: memoryview, position: int, end: int) -> tuple[tuple[int, int], int]:
    """First byte and length of a block, and the position behind what says them."""
    start, position = varint(data, position, end)
    size, position = varint(data, position, end)
    return (start, size), position


def _block(
    data: memoryview, handle: tuple[int, int], footer: int, spend: Spend | None
) -> Iterator[Entry]:
    """The entries of a block, once its digest and its restart points are as they must be."""
    start, size = handle
    stop = start + size
    if size < 4 or stop + _TRAILER > footer:
        raise DamagedError(f"a block of {size} bytes at {start}", offset=footer)
    if spend is not None:
        spend(size)
    stored = int.from_bytes(data[stop + 1 : stop + _TRAILER], "little")
    if masked(crc32c(data[start : stop + 1])) != stored:
        raise DamagedError("a block with another CRC-32C than is stored", offset=start)
    if data[stop] == _SNAPPY:
        raise UnreadableError("a table that is compressed with snappy", offset=stop)
    if data[stop]:
        raise DamagedError(f"a block of the type {data[stop]}", offset=stop)
    restarts = int.from_bytes(data[stop - 4 : stop], "little")
    end = stop - 4 - 4 * restarts
    if not restarts or end < start:
        raise DamagedError(f"a block with {restarts} restart points", offset=stop - 4)
    points = memoryview(bytes(data[end : stop - 4]))
    wanted = [int.from_bytes(points[at : at + 4], "little") for at in range(0, len(points), 4)]
    return _within(data, start, end, wanted)


def _within(data: memoryview, start: int, end: int, restarts: list[int]) -> Iterator[Entry]:
    """The entries between two positions. Whoever starts at a restart point finds the same."""
    due = iter(restarts)
    following = next(due, None)
    if following != 0:
        raise DamagedError("a block whose first entry is no restart point", offset=end)
    key = b""
    position = start
    while position < end:
        first = position
        shared, position = varint(data, position, end)
        own, position = varint(data, position, end)
        size, position = varint(data, position, end)
        if following == first - start:
            following = next(due, None)
            if shared:
                raise DamagedError("a restart point that needs the entry before", offset=first)
        if shared > len(key) or own + size > end - position:
            raise DamagedError("an entry that leaves its block", offset=first)
        if shared + own > MAX_KEY:
            raise BudgetError(f"a key of {shared + own} bytes", offset=first)
        key = key[:shared] + bytes(data[position : position + own])
        position += own
        yield key, position, position + size
        position += size
    if following is not None and (following or position != start):
        raise DamagedError("a restart point that is no entry", offset=end)
