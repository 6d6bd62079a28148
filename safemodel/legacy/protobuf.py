"""The protobuf wire format, without a schema: the fields of a message, one after another.

Knows varints, fixed numbers, length-delimited fields and (skipped) groups; which number means what
is the caller's business. A message is a range of one buffer, so every offset is one of the file.

What a schema makes of the fields, and callers must mind (protobuf, "Encoding"): fields may come in
any order; of a singular number the last one counts; a singular *message* that comes several times
is merged, so all of them count; a repeated number may be packed or not; a known number with
another wire type is an unknown field, and parsers go over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from safemodel.errors import DamagedError

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2  # length-delimited: bytes, text, a message, packed numbers
GROUP: Final = 3
END_GROUP: Final = 4
FIXED32: Final = 5

MAX_GROUPS: Final = 100  # in one another; what protobuf's own parsers take
SPEND_EVERY: Final = 4096

# number, wire type, value (of a number; else 0), first and one-past-last byte of the content
Field = tuple[int, int, int, int, int]


def varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    """The unsigned 64-bit number at `position`, and the position behind it.

    Raises:
        DamagedError: it ends early, or has more than ten bytes.
    """
    value = shift = 0
    start = position
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift >= 70:
            raise DamagedError("a number has more than ten bytes", offset=start)
    raise DamagedError("ends inside of a number", offset=start)


def fields(
    data: memoryview,
    start: int = 0,
    end: int | None = None,
    *,
    spend: Callable[[int], None] | None = None,
) -> Iterator[Field]:
    """Yield each field of the message in `data[start:end]`: (number, wire type, value, from, to).

    `value` is the unsigned number of a VARINT, FIXED64 or FIXED32 field, else 0; `data[from:to]` is
    the content of a BYTES field, and of a GROUP everything between its tags (no schema of today
    has groups; parsers go over them). `spend` is told after every `SPEND_EVERY` fields, and raises
    BudgetError where that is too many.

    Raises:
        DamagedError: not a message, or one that no parser takes. What was yielded before is what
            a parser would have seen.
    """
    position = start
    stop = len(data) if end is None else end
    count = 0
    while position < stop:
        first = position
        tag = data[position]
        if tag < 0x80:
            position += 1
        else:
            tag, position = varint(data, position, stop)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise DamagedError(f"field number {number}", offset=first)
        if wire == VARINT:
            value, after = varint(data, position, stop)
            yield number, wire, value, position, after
        elif wire == BYTES:
            size, position = varint(data, position, stop)
            after = position + size
            if after > stop:
                raise DamagedError(
                    f"field {number} has {size} bytes where {stop - position} are left",
                    offset=first,
                )
            yield number, wire, 0, position, after
        elif wire in (FIXED32, FIXED64):
            after = position + (4 if wire == FIXED32 else 8)
            if after > stop:
                raise DamagedError(f"ends inside of field {number}", offset=first)
            yield number, wire, int.from_bytes(data[position:after], "little"), position, after
        elif wire == GROUP:
            content_end, after = _group(data, position, stop, number)
            yield number, wire, 0, position, content_end
        else:
            raise DamagedError(f"wire type {wire} where a field should begin", offset=first)
        position = after
        count += 1
        if spend is not None and not count % SPEND_EVERY:
            spend(SPEND_EVERY)


def _group(data: memoryview, position: int, stop: int, number: int) -> tuple[int, int]:
    """Go over a group: where its content ends, and the position behind its end tag."""
    start = position
    opened = [number]
    while opened:
        first = position
        tag, position = varint(data, position, stop)
        inner, wire = tag >> 3, tag & 7
        if wire == VARINT:
            _, position = varint(data, position, stop)
        elif wire == BYTES:
            size, position = varint(data, position, stop)
            position += size
        elif wire in (FIXED32, FIXED64):
            position += 4 if wire == FIXED32 else 8
        elif wire == GROUP:
            opened.append(inner)
            if len(opened) > MAX_GROUPS:
                raise DamagedError(f"more than {MAX_GROUPS} groups in one another", offset=start)
        elif wire == END_GROUP and opened.pop() == inner:
            if not opened:
                return first, position
        else:
            raise DamagedError(f"field {inner} of wire type {wire} in a group", offset=first)
        if position > stop:
            break
    raise DamagedError("ends inside of a group", offset=start)


def numbers(data: memoryview, field: Field) -> Iterator[int]:
    """The numbers of a repeated varint field, packed or not.

    Raises:
        DamagedError: the packed content ends inside of a number.
    """
    _, wire, value, position, end = field
    if wire == VARINT:
        yield value
    elif wire == BYTES:
        while position < end:
            value, position = varint(data, position, end)
            yield value


def text(data: memoryview, start: int, end: int, *, limit: int = 1 << 20) -> str:
    """The UTF-8 text of a BYTES field; what is no UTF-8 is escaped, so that it stays readable.

    At most `limit` bytes are turned into text; a longer one ends with "…".
    """
    found = bytes(data[start : min(end, start + limit)]).decode("utf-8", "backslashreplace")
    return found if end - start <= limit else found + "…"


def signed(value: int) -> int:
    """The number as the int32 or int64 that it was before it became unsigned."""
    return value - (1 << 64) if value >= 1 << 63 else value
