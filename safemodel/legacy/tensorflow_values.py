"""Tensors, shapes and attributes in TensorFlow's protobufs to facts: nothing of them is built.

Every message is read strictly: what protobuf would merge, or take the last of, is refused where it
is written twice, so that there is one reading of it. What a message has beyond its schema is gone
over, as TensorFlow does.

Sources: tensorflow/core/framework/{attr_value,tensor,tensor_shape,types}.proto.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    fields,
    numbers,
    signed,
    varint,
)
from safemodel.legacy.tensorflow_types import ITEM_SIZES, NAMES, STRING

MAX_RANK: Final = 254  # TensorFlow's own
MAX_TEXT: Final = 1 << 16  # bytes of a name
MAX_DEPTH: Final = 16  # functions with attributes that are functions, in one another
MAX_EXPANDED: Final = 1 << 28  # bytes of all constants that are written shorter than they are

Range = tuple[int, int]
Spend = Callable[[int], None]

# The field of a TensorProto that holds the values of a type: (number, wire type of one).
_HELD: Final[Mapping[str, tuple[int, int]]] = {
    "float32": (5, FIXED32), "complex64": (9, FIXED32),
    "float64": (6, FIXED64), "complex128": (12, FIXED64),
    **dict.fromkeys(("int32", "uint8", "int16", "int8", "uint16"), (7, VARINT)),
    **dict.fromkeys(("qint8", "quint8", "qint32", "qint16", "quint16"), (7, VARINT)),
    "int64": (10, VARINT), "bool": (11, VARINT), "float16": (13, VARINT), "bfloat16": (13, VARINT),
    "uint32": (16, VARINT), "uint64": (17, VARINT),
    "float8_e5m2": (18, BYTES), "float8_e4m3fn": (18, BYTES),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorFact:
    """A constant.

    Attributes:
        dtype: name of its type.
        shape: its sizes, all known.
        given: little-endian bytes of the items that are written, in C order; the last of them
            stands for all that follow, and none for zeros.
        strings: the items of a tensor of strings, written likewise; else None.
    """

    dtype: str
    shape: tuple[int, ...]
    given: bytes
    strings: tuple[bytes, ...] | None = None

    @property
    def count(self) -> int:
        """How many items it has."""
        return math.prod(self.shape)

    def data(self) -> bytes:
        """The bytes of all items of a tensor that is not of strings."""
        size = ITEM_SIZES[self.dtype]
        missing = self.count - len(self.given) // size
        return self.given + (self.given[-size:] or bytes(size)) * missing

    def texts(self) -> tuple[bytes, ...]:
        """All items of a tensor of strings."""
        found = self.strings or ()
        return found + (found[-1:] or (b"",)) * (self.count - len(found))


@dataclass(frozen=True, slots=True)
class CallFact:
    """A function among the attributes: its name, and attributes that are given to it."""

    name: str
    attributes: Mapping[str, AttributeFact]


@dataclass(frozen=True, slots=True)
class AttributeFact:
    """The value of an attribute.

    Attributes:
        kind: string, int, float, bool, type, shape, tensor, func; "" for a list without items.
        many: it is a list; the value is a tuple then.
        value: bytes, int, float, bool, the name of a type, a shape (None: no known number of
            axes; -1: any size), TensorFact, CallFact.
    """

    kind: str
    value: Any
    many: bool = False


# Of a field: (kind, wire types).
_KINDS: Final[Mapping[int, tuple[str, tuple[int, ...]]]] = {
    2: ("string", (BYTES,)), 3: ("int", (VARINT,)), 4: ("float", (FIXED32,)),
    5: ("bool", (VARINT,)), 6: ("type", (VARINT,)), 7: ("shape", (BYTES,)),
    8: ("tensor", (BYTES,)),
}  # fmt: skip
_PACKED: Final = ("int", "float", "bool", "type")


class ValueReader:
    """Reads the values of one content, and counts what they would be when written out."""

    def __init__(self, data: memoryview, spend: Spend | None = None) -> None:
        self.data = data
        self.spend = spend
        self._expanded = 0
        self._texts: dict[bytes, str] = {}

    def once(self, start: int, end: int, known: Mapping[int, int]) -> dict[int, Field]:
        """The fields of a message that has each of `known` (number to wire type) at most once.

        Raises:
            DamagedError: one is there twice, or has another wire type.
        """
        found: dict[int, Field] = {}
        for field in fields(self.data, start, end, spend=self.spend):
            wire = known.get(field[0])
            if wire is None:
                continue
            if field[0] in found or field[1] != wire:
                raise DamagedError(f"field {field[0]} twice, or of another type", offset=start)
            found[field[0]] = field
        return found

    def text(self, start: int, end: int) -> str:
        """A name.

        Raises:
            DamagedError: not UTF-8, or longer than any name.
        """
        raw = bytes(self.data[start : min(end, start + MAX_TEXT)])
        known = self._texts.get(raw)
        if known is not None:
            return known
        try:
            if end - start > MAX_TEXT:
                raise DamagedError("a name of more than 64 KiB", offset=start)
            return self._texts.setdefault(raw, raw.decode())
        except UnicodeDecodeError:
            raise DamagedError("a name that is not UTF-8", offset=start) from None

    def dtype(self, number: int, start: int) -> str:
        """The name of a type.

        Raises:
            DamagedError: no type that there is.
        """
        name = NAMES.get(number)
        if name is None:
            raise DamagedError(f"data type {number}", offset=start)
        return name

    def shape(self, start: int, end: int) -> tuple[int, ...] | None:
        """A TensorShapeProto.

        Raises:
            DamagedError: sizes that none has.
        """
        sizes: list[int] = []
        unknown = False
        for number, wire, value, here, after in fields(self.data, start, end, spend=self.spend):
            if number == 3 and wire == VARINT:
                unknown = bool(value)
            elif number == 2 and wire == BYTES:
                size = self.once(here, after, {1: VARINT}).get(1)
                sizes.append(signed(size[2]) if size else 0)
        if unknown and not sizes:
            return None
        if unknown or len(sizes) > MAX_RANK or any(size < -1 for size in sizes):
            raise DamagedError("not a shape", offset=start)
        return tuple(sizes)

    # -- attributes

    def attribute(self, start: int, end: int, depth: int = 0) -> AttributeFact:
        """An AttrValue.

        Raises:
            DamagedError: none, or several of what it can be.
        """
        known = {number: wires[0] for number, (_, wires) in _KINDS.items()}
        found = self.once(start, end, {1: BYTES, **known, 9: BYTES, 10: BYTES})
        if len(found) != 1 or 9 in found:
            raise DamagedError("an attribute without a value, or with several", offset=start)
        ((number, field),) = found.items()
        if number == 1:
            return self._list(field[3], field[4], depth)
        if number == 10:
            return AttributeFact("func", self._call(field[3], field[4], depth))
        kind = _KINDS[number][0]
        return AttributeFact(kind, self._value(kind, field[2], field[3], field[4]))

    def _value(self, kind: str, number: int, here: int, after: int) -> Any:
        if kind == "string":
            return bytes(self.data[here:after])
        if kind == "int":
            return signed(number)
        if kind == "float":
            return struct.unpack("<f", self.data[here:after])[0]
        if kind == "bool":
            return bool(number)
        if kind == "type":
            return self.dtype(number, here)
        return self.shape(here, after) if kind == "shape" else self.tensor(here, after)

    def _list(self, start: int, end: int, depth: int) -> AttributeFact:
        kinds: set[str] = set()
        values: list[Any] = []
        for field in fields(self.data, start, end, spend=self.spend):
            number, wire, _, here, after = field
            if number == 9 and wire == BYTES:
                kind = "func"
                values.append(self._call(here, after, depth))
            elif number in _KINDS:
                kind, wires = _KINDS[number]
                if wire == BYTES and kind in _PACKED:
                    values += self._packed(kind, field)
                elif wire in wires:
                    values.append(self._value(kind, field[2], here, after))
                else:
                    raise DamagedError("an item of another type", offset=here)
            else:
                continue
            kinds.add(kind)
        if len(kinds) > 1:
            raise DamagedError("a list of several kinds", offset=start)
        return AttributeFact("".join(kinds) if values else "", tuple(values), many=True)

    def _packed(self, kind: str, field: Field) -> list[Any]:
        if kind != "float":
            return [self._value(kind, value, field[3], field[4]) for value in self._numbers(field)]
        raw = self.data[field[3] : field[4]]
        if len(raw) % 4:
            raise DamagedError("ends inside of a number", offset=field[3])
        return [one for (one,) in struct.iter_unpack("<f", raw)]

    def _numbers(self, field: Field) -> list[int]:
        if self.spend is not None:
            self.spend(field[4] - field[3])
        return list(numbers(self.data, field))

    def _call(self, start: int, end: int, depth: int) -> CallFact:
        if depth >= MAX_DEPTH:
            raise DamagedError("functions among attributes nest too deeply", offset=start)
        name = ""
        given: dict[str, AttributeFact] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number == 1 and wire == BYTES and not name:
                name = self.text(here, after)
            elif number == 2 and wire == BYTES:
                self.entry(here, after, given, depth + 1)
            elif number in (1, 2):
                raise DamagedError("not a function", offset=here)
        return CallFact(name, given)

    def entry(self, start: int, end: int, into: dict[str, AttributeFact], depth: int = 0) -> None:
        """Add an entry of a map of attributes.

        Raises:
            DamagedError: not one, or the map has it already.
        """
        found = self.once(start, end, {1: BYTES, 2: BYTES})
        if 1 not in found or 2 not in found:
            raise DamagedError("not an attribute", offset=start)
        key = self.text(found[1][3], found[1][4])
        if key in into:
            raise DamagedError(f"attribute {key:.60} twice", offset=start)
        into[key] = self.attribute(found[2][3], found[2][4], depth)

    # -- tensors

    def tensor(self, start: int, end: int) -> TensorFact:
        """A TensorProto.

        Raises:
            DamagedError: not one, or of a type that no constant has.
            BudgetError: constants that are written in a few bytes and would be very large.
        """
        kind, shape, content = "", None, None
        held: list[Field] = []
        known = {1: VARINT, 2: BYTES, 4: BYTES}
        found = self.once(start, end, known)
        if 1 in found:
            kind = self.dtype(found[1][2], start)
        shape = self.shape(found[2][3], found[2][4]) if 2 in found else ()
        if 4 in found and found[4][4] > found[4][3]:
            content = found[4][3], found[4][4]
        if shape is None or -1 in shape or (kind not in ITEM_SIZES and kind != STRING):
            raise DamagedError(f"a constant {kind or 'without a type'} {shape}", offset=start)
        number = 8 if kind == STRING else _HELD[kind][0]
        for field in fields(self.data, start, end, spend=self.spend):
            if field[0] == number:
                held.append(field)
        if content is not None and held:
            raise DamagedError("a constant with two contents", offset=start)
        size = ITEM_SIZES.get(kind, 1)
        count = math.prod(shape)
        self._expanded += max(0, count * size - (end - start))
        if self._expanded > MAX_EXPANDED or count * size > MAX_EXPANDED + len(self.data):
            raise BudgetError("constants that are too large", offset=start)
        if kind == STRING:
            return self._strings(shape, content, held)
        given = self._content(kind, content, held, start)
        whole = len(given) == count * size
        if len(given) % size or len(given) > count * size or (content is not None and not whole):
            raise DamagedError("a constant of another size", offset=start)
        return TensorFact(kind, shape, given)

    def _content(self, kind: str, content: Range | None, held: list[Field], start: int) -> bytes:
        if content is not None:
            return bytes(self.data[content[0] : content[1]])
        _, wire = _HELD[kind]
        if wire != VARINT:
            if any(field[1] not in (BYTES, wire) for field in held):
                raise DamagedError("a constant of another type", offset=start)
            return b"".join([bytes(self.data[field[3] : field[4]]) for field in held])
        size = ITEM_SIZES[kind]
        mask = (1 << (8 * size)) - 1 if kind != "bool" else 1
        values: list[int] = []
        for field in held:
            values += self._numbers(field)
        if kind == "bool":
            return bytes([value != 0 for value in values])
        return b"".join([(value & mask).to_bytes(size, "little") for value in values])

    def _strings(
        self, shape: tuple[int, ...], content: Range | None, held: list[Field]
    ) -> TensorFact:
        count = math.prod(shape)
        if content is None:
            if len(held) > count or any(field[1] != BYTES for field in held):
                raise DamagedError("a constant of another size")
            items = [bytes(self.data[field[3] : field[4]]) for field in held]
            return TensorFact(STRING, shape, b"", tuple(items))
        position, end = content
        if count > end - position:
            raise DamagedError("a constant of another size", offset=position)
        sizes: list[int] = []
        for _ in range(count):
            size, position = varint(self.data, position, end)
            sizes.append(size)
        if position + sum(sizes) != end:
            raise DamagedError("a constant of another size", offset=position)
        items = []
        for size in sizes:
            items.append(bytes(self.data[position : position + size]))
            position += size
        return TensorFact(STRING, shape, b"", tuple(items))
