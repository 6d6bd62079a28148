"""FlatBuffers: tables and vectors at offsets of a buffer, read by a schema of ours.

Only what files of models need: tables, vectors of scalars, strings, vectors of tables and strings.
Everything is looked up with its bounds; a field that the schema does not have is refused, and no
more tables are read than the buffer has room for. Nothing is decoded: vectors are slices.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from safemodel.errors import DamagedError

_SIZES: Final = {"?": 1, "b": 1, "B": 1, "H": 2, "i": 4, "I": 4, "f": 4, "d": 8}
_NO_ITEMS: Final = b""


@dataclass(slots=True)
class Buffer:
    """Bytes and how many tables may still be read from them."""

    data: bytes
    tables: int = field(init=False)

    def __post_init__(self) -> None:
        self.tables = len(self.data) // 4

    def number(self, at: int, kind: str) -> int:
        """The integer at an offset."""
        if not 0 <= at <= len(self.data) - _SIZES[kind]:
            raise DamagedError("a FlatBuffer with an offset beyond its end")
        found: int = struct.unpack_from(f"<{kind}", self.data, at)[0]
        return found

    def slice(self, at: int, length: int) -> bytes:
        """Bytes from an offset on."""
        if not 0 <= at <= len(self.data) - length:
            raise DamagedError("a FlatBuffer with a vector beyond its end")
        return self.data[at : at + length]

    def root(self, fields: int) -> Table:
        """The table that the buffer begins with, which has at most so many fields."""
        return Table(self, self.number(0, "I"), fields)


class Table:
    """One table: fields by number, each absent or at an offset."""

    def __init__(self, buffer: Buffer, at: int, fields: int) -> None:
        buffer.tables -= 1
        if buffer.tables < 0:
            raise DamagedError("a FlatBuffer that refers to the same tables again and again")
        self._buffer, self._at = buffer, at
        start = at - buffer.number(at, "i")
        size, self._length = buffer.number(start, "H"), buffer.number(start + 2, "H")
        if size < 4 or size % 2:
            raise DamagedError("a FlatBuffer with a malformed table")
        count = (size - 4) // 2
        self._offsets = struct.unpack(f"<{count}H", buffer.slice(start + 4, size - 4))
        buffer.slice(at, self._length)
        if any(self._offsets[fields:]):
            raise DamagedError("a FlatBuffer with fields that its schema does not have")

    def _place(self, number: int, size: int) -> int | None:
        offset = self._offsets[number] if number < len(self._offsets) else 0
        if offset == 0:
            return None
        if not 4 <= offset <= self._length - size:
            raise DamagedError("a FlatBuffer with a field outside of its table")
        return self._at + offset

    def scalar(self, number: int, kind: str, default: float) -> float:
        """A number, or its default."""
        place = self._place(number, _SIZES[kind])
        if place is None:
            return default
        found: float = struct.unpack(f"<{kind}", self._buffer.slice(place, _SIZES[kind]))[0]
        return found

    def _target(self, number: int) -> int | None:
        place = self._place(number, 4)
        return None if place is None else place + self._buffer.number(place, "I")

    def table(self, number: int, fields: int) -> Table | None:
        """Another table."""
        target = self._target(number)
        return None if target is None else Table(self._buffer, target, fields)

    def _items(self, number: int, size: int) -> tuple[int, int] | None:
        """Where a vector begins, and how many items it has, all of which are there."""
        target = self._target(number)
        if target is None:
            return None
        count = self._buffer.number(target, "I")
        self._buffer.slice(target + 4, count * size)
        return target + 4, count

    def vector(self, number: int, size: int) -> bytes:
        """The bytes of a vector of numbers or structures; empty if it is absent."""
        found = self._items(number, size)
        return _NO_ITEMS if found is None else self._buffer.slice(found[0], found[1] * size)

    def string(self, number: int) -> str | None:
        """A string."""
        found = self._items(number, 1)
        return None if found is None else _decoded(self._buffer.slice(*found))

    def tables(self, number: int, fields: int) -> list[Table]:
        """A vector of tables."""
        start, count = self._items(number, 4) or (0, 0)
        places = range(start, start + 4 * count, 4)
        return [
            Table(self._buffer, place + self._buffer.number(place, "I"), fields) for place in places
        ]

    def count(self, number: int) -> int:
        """How many items a vector of references has."""
        return (self._items(number, 4) or (0, 0))[1]


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DamagedError("a FlatBuffer with a string that is not UTF-8") from None
