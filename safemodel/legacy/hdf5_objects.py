"""HDF5 object headers: their messages, and what the messages that matter say.

Knows section IV of the "HDF5 File Format Specification" version 3.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy.hdf5_source import Range, Source

DATASPACE: Final = 0x01
LINK_INFO: Final = 0x02
DATATYPE: Final = 0x03
LINK: Final = 0x06
EXTERNAL_FILES: Final = 0x07
LAYOUT: Final = 0x08
FILTERS: Final = 0x0B
ATTRIBUTE: Final = 0x0C
CONTINUATION: Final = 0x10
SYMBOL_TABLE: Final = 0x11
ATTRIBUTE_INFO: Final = 0x15

STRING: Final = 3
VARIABLE: Final = 9
MAX_RANK: Final = 32
MAX_BLOCKS: Final = 10_000  # of one object header


@dataclass(frozen=True, slots=True)
class Message:
    """A message of an object header; `start` and `size` are those of its body."""

    kind: int
    start: int
    size: int


def messages(source: Source, position: int) -> list[Message]:
    """The messages of the object at `position`, of all blocks of its header; shared ones resolved.

    Raises:
        DamagedError: not an object header.
        UnreadableError: messages that are shared through a table of the whole file.
    """
    found: list[Message] = []
    second = bytes(source.take(position, 4)) == b"OHDR"
    extra, waiting = (_start2 if second else _start1)(source, position)
    blocks = 0
    while waiting:
        start, size = waiting.pop(0)
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise BudgetError("an HDF5 object in too many pieces", offset=position)
        source.take(start, size)
        for kind, flags, body, count in _block(source, start, size, second=second, extra=extra):
            if kind == CONTINUATION:
                waiting += _continuation(source, body, second=second)
            elif flags & 2:
                found += _shared(source, kind, body)
            elif kind:
                found.append(Message(kind, body, count))
    return found


def _start1(source: Source, position: int) -> tuple[int, list[Range]]:
    if source.number(position, 1) != 1:
        raise DamagedError("no object header where one should be", offset=position)
    return 0, [(position + 16, source.number(position + 8, 4))]


def _start2(source: Source, position: int) -> tuple[int, list[Range]]:
    flags = source.number(position + 5, 1)
    here = position + 6
    if flags & 0x20:
        here += 16
    if flags & 0x10:
        here += 4
    width = 1 << (flags & 3)
    return 2 if flags & 4 else 0, [(here + width, source.number(here, width))]


def _continuation(source: Source, body: int, *, second: bool) -> list[Range]:
    start = source.address(body)
    size = source.length(body + source.offsets)
    if start is None:
        raise DamagedError("an object header that goes on nowhere", offset=body)
    if not source.visit(start, "block"):
        return []
    if second:
        source.expect(start, b"OCHK", "continuation of an object header")
        return [(start + 4, max(0, size - 8))]
    return [(start, size)]


def _block(
    source: Source, start: int, size: int, *, second: bool, extra: int
) -> Iterator[tuple[int, int, int, int]]:
    """Kind, flags, start and size of each message in one block."""
    header = 4 + extra if second else 8
    end = start + size
    while start + header <= end:
        if second:
            kind, count = source.number(start, 1), source.number(start + 1, 2)
            flags = source.number(start + 3, 1)
        else:
            kind, count = source.number(start, 2), source.number(start + 2, 2)
            flags = source.number(start + 4, 1)
        start += header
        if start + count > end:
            raise DamagedError("a message that passes the end of its header", offset=start)
        source.visit(start, "message")
        yield kind, flags, start, count
        start += count


def _shared(source: Source, kind: int, body: int) -> list[Message]:
    """The message that a shared one stands for, in the object that has it."""
    version, how = source.number(body, 1), source.number(body + 1, 1)
    if version == 3 and how not in (0, 2):
        raise UnreadableError("HDF5 messages in a table of shared messages", offset=body)
    owner = source.address(body + (8 if version == 1 else 2))
    if owner is None or version not in (1, 2, 3):
        raise DamagedError("a shared message nowhere", offset=body)
    second = bytes(source.take(owner, 4)) == b"OHDR"
    extra, blocks = (_start2 if second else _start1)(source, owner)
    for start, size in blocks:  # a named type has its type in the first block
        source.take(start, size)
        for other, flags, place, count in _block(source, start, size, second=second, extra=extra):
            if other == kind and not flags & 2:
                return [Message(kind, place, count)]
    raise DamagedError("a shared message that its owner does not have", offset=body)


@dataclass(frozen=True, slots=True)
class Datatype:
    """The part of a datatype that says how to find a text.

    Attributes:
        text: whether it is one: of fixed length, or a variable-length string.
        padding: of a fixed string: 0 ends at a NUL, 1 padded with NULs, 2 with spaces.
    """

    kind: int
    size: int
    text: bool
    padding: int


def datatype(source: Source, start: int) -> Datatype:
    """Read the datatype message at `start` (IV.A.2.d)."""
    head = source.number(start, 1)
    bits = source.number(start + 1, 3)
    kind = head & 15
    text = kind == STRING or (kind == VARIABLE and bits & 15 == 1)
    return Datatype(kind, source.number(start + 4, 4), text, bits & 15)


def shape(source: Source, start: int) -> tuple[int, ...] | None:
    """Read the dataspace message at `start` (IV.A.2.b); None for one without values."""
    version, rank = source.number(start, 1), source.number(start + 1, 1)
    if rank > MAX_RANK:
        raise DamagedError(f"an array of rank {rank}", offset=start)
    if version == 1:
        first = start + 8
    elif version == 2:
        if source.number(start + 3, 1) == 2:
            return None
        first = start + 4
    else:
        raise DamagedError(f"a dataspace of version {version}", offset=start)
    return tuple(source.length(first + axis * source.lengths) for axis in range(rank))


@dataclass(frozen=True, slots=True)
class RawAttribute:
    """An attribute message taken apart (IV.A.2.m)."""

    name: bytes
    type: Datatype
    shape: tuple[int, ...] | None
    data: int


def attribute(source: Source, start: int) -> RawAttribute:
    """Read the attribute message at `start`.

    Raises:
        DamagedError: not one.
        UnreadableError: its type is shared through a table of the whole file.
    """
    version, flags = source.number(start, 1), source.number(start + 1, 1)
    if version not in (1, 2, 3):
        raise DamagedError(f"an attribute of version {version}", offset=start)
    sizes = [source.number(start + 2 + 2 * index, 2) for index in range(3)]
    here = start + (9 if version == 3 else 8)
    name_at = here
    places = []
    for size in sizes:
        places.append(here)
        here += size + 7 & ~7 if version == 1 else size
    name = source.text(name_at, name_at + sizes[0])
    type_at, space_at = places[1], places[2]
    if version > 1 and flags & 1:
        type_at = _shared(source, DATATYPE, type_at)[0].start
    if version > 1 and flags & 2:
        space_at = _shared(source, DATASPACE, space_at)[0].start
    return RawAttribute(name, datatype(source, type_at), shape(source, space_at), here)


def text_value(source: Source, found: RawAttribute) -> tuple[bytes, bool] | None:
    """The single text of an attribute as readers hand it out; None if it is something else.

    The second value says whether it is of variable length.
    """
    if not found.type.text or found.shape is None:
        return None
    if any(size != 1 for size in found.shape):
        return None
    if found.type.kind == VARIABLE:
        size = source.number(found.data, 4)
        if not size:
            return b"", True
        collection = source.address(found.data + 4)
        index = source.number(found.data + 4 + source.offsets, 4)
        start, there = source.global_object(collection, index)
        return bytes(source.take(start, min(size, there))).partition(b"\0")[0], True
    raw = bytes(source.take(found.data, found.type.size))
    if found.type.padding == 0:
        return raw.partition(b"\0")[0], False
    return raw.rstrip(b"\0" if found.type.padding == 1 else b" \0"), False
