"""TensorFlow's StructuredValue to facts: the containers in which functions take and give tensors.

Plain values are those of Python. What TensorFlow would make objects of its own for (the specs of
ragged and sparse tensors, arrays) is an `Opaque`. Source: tensorflow/core/protobuf/struct.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.protobuf import BYTES, FIXED64, VARINT, fields
from safemodel.legacy.tensorflow_functions import Shape
from safemodel.legacy.tensorflow_values import ValueReader

MAX_VALUES: Final = 1_000_000
MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Spec:
    """A tensor that is expected or given; its name may be empty."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Items:
    """A list, or a tuple."""

    values: tuple[Value, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A named tuple: its class, for people, and its fields in order."""

    name: str
    fields: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A dictionary."""

    entries: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Shaped:
    """A shape."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Typed:
    """A data type."""

    dtype: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """What only TensorFlow knows, such as the spec of a ragged tensor."""

    what: str


Value = None | bool | int | float | str | Spec | Items | Named | Fields | Shaped | Typed | Opaque

_NONE: Final = 1
# Number of a field -> its wire type.
_KINDS: Final[Mapping[int, int]] = {
    _NONE: BYTES, 11: FIXED64, 12: VARINT, 13: BYTES, 14: VARINT, 31: BYTES, 32: VARINT, 33: BYTES,
    34: BYTES, 35: BYTES, 51: BYTES, 52: BYTES, 53: BYTES, 54: BYTES, 55: BYTES, 56: BYTES,
}  # fmt: skip


class StructureReader:
    """Reads the structures of one content, and counts their values."""

    def __init__(self, reader: ValueReader) -> None:
        self._reader = reader
        self._count = 0

    def value(self, start: int, end: int, depth: int = 0) -> Value:
        """A StructuredValue.

        Raises:
            DamagedError: it is none, or has several values.
            BudgetError: deeper or longer than any structure is.
        """
        self._count += 1
        if self._count > MAX_VALUES or depth > MAX_DEPTH:
            raise BudgetError("a structure that is too large, or too deep", offset=start)
        found = self._reader.once(start, end, _KINDS)
        if len(found) != 1:
            raise DamagedError("a structure without a value, or with several", offset=start)
        ((number, (_, _, value, here, after)),) = found.items()
        if number >= 51:
            return self._container(number, here, after, depth)
        if number >= 31:
            return self._described(number, value, here, after)
        if number == 13:
            return self._reader.text(here, after)
        if number == 11:
            (real,) = struct.unpack("<d", self._reader.data[here:after])
            return float(real)
        if number == 12:
            return value >> 1 ^ -(value & 1)
        return None if number == _NONE else bool(value)

    def _described(self, number: int, value: int, here: int, after: int) -> Value:
        """A shape, a type, a spec."""
        if number == 31:
            return Shaped(self._reader.shape(here, after))
        if number == 32:
            return Typed(self._reader.dtype(value, here))
        if number == 34:
            found = self._reader.once(here, after, {3: BYTES}).get(3)
            name = self._reader.text(found[3], found[4]) if found else ""
            return Opaque(name or "a spec")
        known = self._reader.once(here, after, {1: BYTES, 2: BYTES, 3: VARINT})
        name = self._reader.text(known[1][3], known[1][4]) if 1 in known else ""
        shape = self._reader.shape(known[2][3], known[2][4]) if 2 in known else ()
        return Spec(name, self._reader.dtype(known[3][2] if 3 in known else 0, here), shape)

    def _container(self, number: int, here: int, after: int, depth: int) -> Value:
        if number > 54:
            return Opaque("an array")
        data, spend = self._reader.data, self._reader.spend
        if number in (51, 52):
            values = [
                self.value(first, last, depth + 1)
                for field, wire, _, first, last in fields(data, here, after, spend=spend)
                if field == 1 and wire == BYTES
            ]
            return Items(tuple(values), is_list=number == 51)
        pairs: list[tuple[str, Value]] = []
        wanted = 1 if number == 53 else 2
        for field, wire, _, first, last in fields(data, here, after, spend=spend):
            if field == wanted and wire == BYTES:
                pairs.append(self._pair(first, last, depth))
        if len(dict(pairs)) != len(pairs):
            raise DamagedError("a structure with two entries of one name", offset=here)
        if number == 53:
            return Fields(dict(pairs))
        known = self._reader.once(here, after, {1: BYTES})
        name = self._reader.text(known[1][3], known[1][4]) if 1 in known else ""
        return Named(name, tuple(pairs))

    def _pair(self, start: int, end: int, depth: int) -> tuple[str, Value]:
        found = self._reader.once(start, end, {1: BYTES, 2: BYTES})
        if 2 not in found:
            raise DamagedError("an entry without a value", offset=start)
        key = self._reader.text(found[1][3], found[1][4]) if 1 in found else ""
        return key, self.value(found[2][3], found[2][4], depth + 1)
