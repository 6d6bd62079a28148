"""UBJSON, as XGBoost writes it: the values of a document, arrays of numbers left as bytes.

A subset of Universal Binary JSON (draft 12): lengths are always `L`, arrays are plain, counted or
typed, objects are never counted. XGBoost's own reader compares no length with its buffer and goes
as deep as a document says. This one takes any bytes, uses no recursion and makes a bounded number
of objects. `write` gives the one form that XGBoost writes, so that what it wrote comes out of
`parse` and `write` as it was, byte for byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from safemodel.errors import BudgetError, DamagedError

MAX_DEPTH: Final = 64
MAX_ITEMS: Final = 1 << 24

# Bytes of a number, by its marker: typed arrays have these, too
SIZES: Final = {"i": 1, "U": 1, "I": 2, "l": 4, "L": 8, "d": 4, "D": 8}

_NUMBERS: Final = {
    ord(marker): (struct.Struct(f">{code}").unpack_from, SIZES[marker])
    for marker, code in zip("iUIlLdD", "bBhiqfd", strict=True)
}
_ITEMS: Final = {ord(marker): (marker, size) for marker, size in SIZES.items()}
_CONSTANTS: Final = {ord("Z"): None, ord("T"): True, ord("F"): False}
_LENGTH: Final = struct.Struct(">q").unpack_from
_OBJECT, _OBJECT_END, _ARRAY, _ARRAY_END, _TEXT, _L, _TYPED, _COUNTED = b"{}[]SL$#"
_UNTIL_ITS_END: Final = -1
_MAX_KEYS: Final = 1000
_MAX_KNOWN: Final = 64


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Typed:
    """An array of numbers of one type, in the byte order of the file: the highest first."""

    marker: str
    data: memoryview | bytes

    def __len__(self) -> int:
        return len(self.data) // SIZES[self.marker]


def parse(data: bytes | bytearray | memoryview, *, max_items: int = MAX_ITEMS) -> Any:
    """Return the value of a document: None, bool, int, float, str, Typed, lists and dicts of such.

    Typed arrays refer to `data`.

    Raises:
        DamagedError: not a document that XGBoost could have written.
        BudgetError: more than `max_items` values.
    """
    reader = _Reader(memoryview(data).cast("B"))
    try:
        value = reader.document(max_items)
    except (IndexError, struct.error):
        raise DamagedError("ends inside of a value", offset=len(reader.data)) from None
    if reader.position != len(reader.data):
        raise DamagedError("has bytes behind its end", offset=reader.position)
    return value


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.position = 0
        self._keys: dict[bytes, str] = {}

    def document(self, budget: int) -> Any:
        """Read one value, of at most `budget` values."""
        data, stack, root = self.data, [], []  # type: ignore[var-annotated]
        top: Any = root
        left = 1
        while True:
            if left == 0 or (left == _UNTIL_ITS_END and self._is_end(type(top) is dict)):
                if not stack:
                    return root[0]
                top, left = stack.pop()
                continue
            budget -= 1
            if budget < 0:
                raise BudgetError("has more values than any model", offset=self.position)
            key = self._key() if type(top) is dict else None
            marker = data[self.position]
            self.position += 1
            count = 0
            value: Any
            if marker == _OBJECT:
                value, count = {}, _UNTIL_ITS_END
            elif marker == _ARRAY:
                value, count = self._array()
            else:
                value = self._plain(marker)
            if key is None:
                top.append(value)
                left -= left > 0
            elif key in top:
                raise DamagedError(f"has the key {key!r:.60} twice", offset=self.position)
            else:
                top[key] = value
            if count:
                if len(stack) >= MAX_DEPTH:
                    raise DamagedError("is nested too deeply", offset=self.position)
                stack.append((top, left))
                top, left = value, count

    def _is_end(self, of_object: bool) -> bool:
        if self.data[self.position] != (_OBJECT_END if of_object else _ARRAY_END):
            return False
        self.position += 1
        return True

    def _plain(self, marker: int) -> Any:
        if marker == _TEXT:
            return self.text()
        if marker in _NUMBERS:
            read, size = _NUMBERS[marker]
            self.position += size
            return read(self.data, self.position - size)[0]
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        raise DamagedError(f"unknown marker {chr(marker)!r}", offset=self.position - 1)

    def _array(self) -> tuple[Any, int]:
        """Read the head of an array, and its items if they are typed; and how many are to come."""
        marker = self.data[self.position]
        if marker == _COUNTED:
            self.position += 1
            count = self._length(1)  # each item takes at least a byte
            return [], count
        if marker != _TYPED:
            return [], _UNTIL_ITS_END
        kind = self.data[self.position + 1]
        if kind not in _ITEMS or self.data[self.position + 2] != _COUNTED:
            raise DamagedError("an array of an unknown type", offset=self.position)
        self.position += 3
        name, size = _ITEMS[kind]
        nbytes = self._length(size) * size
        start = self.position
        self.position += nbytes
        return Typed(name, self.data[start : start + nbytes]), 0

    def _length(self, size: int) -> int:
        """Read a length of items of `size` bytes, which must be there."""
        if self.data[self.position] != _L:
            raise DamagedError("a length that is not of 64 bits", offset=self.position)
        length: int = _LENGTH(self.data, self.position + 1)[0]
        self.position += 9
        if not 0 <= length <= (len(self.data) - self.position) // size:
            raise DamagedError(f"a length of {length}", offset=self.position - 8)
        return length

    def _key(self) -> str:
        """Read a key: the trees of a model have the same few, a million times."""
        start = self.position
        length: int = _LENGTH(self.data, start + 1)[0]
        if self.data[start] == _L and 0 <= length <= _MAX_KNOWN:
            known = self._keys.get(found := bytes(self.data[start + 9 : start + 9 + length]))
            if known is not None and len(found) == length:
                self.position += 9 + length
                return known
            key = self.text()
            if len(self._keys) < _MAX_KEYS:
                self._keys[found] = key
            return key
        return self.text()

    def text(self) -> str:
        """Read a string without its marker, as keys are."""
        length = self._length(1)
        self.position += length
        try:
            return str(self.data[self.position - length : self.position], "utf-8")
        except UnicodeDecodeError:
            raise DamagedError("text that is no UTF-8", offset=self.position - length) from None


# Writing

_BYTE, _SHORT, _INT, _LONG = (struct.Struct(f">c{code}").pack for code in "bhiq")


def write(value: Any, pieces: list[bytes | memoryview]) -> None:
    """Append the bytes of a value as XGBoost would write it; keys are sorted by their bytes.

    Lists of `Typed` or lists already written (`bytes`) may stand anywhere. Recursive: only for
    values that were checked.
    """
    kind = type(value)
    if kind is str:
        pieces.append(b"S" + text(value))
    elif kind is dict:
        pieces.append(b"{")
        for key in sorted(value, key=_bytes):
            pieces.append(text(key))
            write(value[key], pieces)
        pieces.append(b"}")
    elif kind is list:
        pieces.append(list_head(len(value)))
        for item in value:
            write(item, pieces)
    elif kind is Typed:
        pieces.append(array_head(value.marker, len(value)))
        pieces.append(value.data)
    elif kind is Written:
        pieces.extend(value.pieces)
    else:
        pieces.append(scalar(value))


@dataclass(slots=True)
class Written:
    """A value that is bytes already."""

    pieces: list[bytes]


def scalar(value: Any) -> bytes:
    """Return a value that is neither text nor a container."""
    if value is None:
        return b"Z"
    if type(value) is bool:
        return b"T" if value else b"F"
    if type(value) is float:
        return b"d" + struct.pack(">f", value)
    # The ends of each range go to the next wider type, as XGBoost has it
    if -128 < value < 127:
        return _BYTE(b"i", value)
    if -32768 < value < 32767:
        return _SHORT(b"I", value)
    if -(1 << 31) < value < (1 << 31) - 1:
        return _INT(b"l", value)
    return _LONG(b"L", value)


def _bytes(key: str) -> bytes:
    return key.encode()


def text(value: str) -> bytes:
    """Return a string without its marker, as keys are."""
    encoded = _bytes(value)
    return b"L" + struct.pack(">q", len(encoded)) + encoded


def array_head(marker: str, count: int) -> bytes:
    """Return what stands before the numbers of a typed array."""
    return b"[$" + marker.encode() + b"#L" + struct.pack(">q", count)


def list_head(count: int) -> bytes:
    """Return what stands before the items of a list."""
    return b"[#L" + struct.pack(">q", count)
