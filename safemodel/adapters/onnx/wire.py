"""ModelProto bytes to a tree of messages, and back: our own reader, before any other sees a byte.

Strict, as at load, it takes exactly one writing of a message: known fields in the order of their
numbers, the shortest writing of each number, repeated numbers packed or not as the schema says,
text that is UTF-8, and no field that is there twice or is not known. So no two parsers can see
different models in it. At save it takes any writing that is unambiguous. Knows no ONNX beyond the
table of messages. Implements spec/onnx.md, "Encoding".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.onnx import varints
from safemodel.adapters.onnx.schema import BY_NUMBER, BY_TAG, BYTES, FIELDS, VARINT, Field
from safemodel.adapters.onnx.varints import Numbers, varint
from safemodel.errors import DamagedError, LimitError

Pieces = list[bytes | memoryview]
_WIDTHS: Final = {0: 0, 1: 8, 5: 4}


class Message:
    """One message: its kind, its fields by name, and from where to where it lay in the bytes.

    A field is an int (floats as their bits), str, memoryview or Message, or a list of those;
    many numbers are an array. Absent fields have no entry.
    """

    __slots__ = ("end", "kind", "start", "values")

    def __init__(self, kind: str, start: int = 0, end: int = 0, **values: Any) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.values: dict[str, Any] = values

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, or `default`."""
        return self.values.get(name, default)

    def all(self, name: str) -> Any:
        """The values of a repeated field."""
        return self.values.get(name, ())

    def __contains__(self, name: str) -> bool:
        return name in self.values


def read(data: memoryview, *, strict: bool) -> Message:
    """Read a ModelProto.

    Raises:
        DamagedError: not one, cut off, or written otherwise than it must be.
        LimitError: messages too deep in one another, or too many of them.
    """
    return _Reader(data, strict).message("Model", 0, len(data), 0)


class _Reader:
    def __init__(self, data: memoryview, strict: bool) -> None:
        self.data = data
        self.strict = strict
        self.left = limits.MAX_ONNX_FIELDS

    def message(self, kind: str, start: int, end: int, depth: int) -> Message:
        if depth > limits.MAX_ONNX_DEPTH:
            raise LimitError(f"messages more than {limits.MAX_ONNX_DEPTH} deep in one another")
        made = Message(kind, start, end)
        values = made.values
        by_tag = BY_TAG[kind]
        data, strict = self.data, self.strict
        position, last = start, 0
        while position < end:
            first = position
            self.left -= 1
            if self.left < 0:
                raise LimitError(f"more than {limits.MAX_ONNX_FIELDS} fields")
            tag = data[position]
            if tag < 0x80:
                position += 1
            else:
                tag, position = self.varint(position, end)
                if tag < 0x80:
                    raise DamagedError("a tag that is not written shortest", offset=first)
            field = by_tag.get(tag)
            if field is None:
                field = self.other_writing(kind, tag, first)
            if strict:
                if field.number < last:
                    raise DamagedError(f"fields of a {kind} out of order", offset=first)
                last = field.number
            name = field.name
            if field.repeated and not field.is_message and field.kind != "text":
                read = self.numbers if field.is_number else self.strings
                position = read(values, field, tag, first, position, end)
                continue
            value: Any
            if field.is_number:
                value, position = self.number(field, position, end)
            else:
                start, position = self.content(field, position, end)
                if field.is_message:
                    value = self.message(field.kind, start, position, depth + 1)
                else:
                    value = data[start:position]
                    if field.kind == "text":
                        value = self.text(field, value, start)
            if field.repeated:
                if name in values:
                    values[name].append(value)
                else:
                    values[name] = [value]
            elif name in values:
                raise DamagedError(f"a {kind} has {name} twice", offset=first)
            else:
                values[name] = value
                if field.choice:
                    self.check_choice(made, field, first)
        return made

    def check_choice(self, made: Message, field: Field, first: int) -> None:
        others = (one for one in FIELDS[made.kind] if one.choice == field.choice)
        if any(one is not field and one.name in made for one in others):
            raise DamagedError(f"a {made.kind} that is two things at once", offset=first)

    def other_writing(self, kind: str, tag: int, first: int) -> Field:
        """The repeated field that a tag means in its other writing: packed, or not."""
        field = BY_NUMBER[kind].get(tag >> 3)
        if field is None:
            raise DamagedError(f"a {kind} has field {tag >> 3}, which is not known", offset=first)
        other = field.wire if field.packed else BYTES
        if self.strict or not (field.is_number and field.repeated and tag & 7 == other):
            raise DamagedError(f"{field.name} of a {kind} is not written as it must", offset=first)
        return field

    def number(self, field: Field, position: int, end: int) -> tuple[int, int]:
        if field.wire == VARINT:
            value = self.data[position] if position < end else 0x80
            if value < 0x80:
                return value, position + 1
            value, after = self.varint(position, end)
            return self.signed(field, value, position), after
        after = position + _WIDTHS[field.wire]
        if after > end:
            raise DamagedError(f"ends inside of {field.name}", offset=position)
        return int.from_bytes(self.data[position:after], "little"), after

    def text(self, field: Field, value: memoryview, start: int) -> str:
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise DamagedError(f"{field.name} is not UTF-8", offset=start) from None

    def strings(
        self, values: dict[str, Any], field: Field, tag: int, first: int, position: int, end: int
    ) -> int:
        """Read byte strings that follow one another: a forest has one for each node."""
        found = values.setdefault(field.name, [])
        data, left = self.data, self.left + 1
        position = first
        while position < end and data[position] == tag:
            start, position = self.content(field, position + 1, end)
            found.append(data[start:position])
            left -= 1
            if left < 0:
                raise LimitError(f"more than {limits.MAX_ONNX_FIELDS} fields")
        self.left = left
        return position

    def content(self, field: Field, position: int, end: int) -> tuple[int, int]:
        size = self.data[position] if position < end else 0x80
        if size < 0x80:
            first = position + 1
        else:
            size, first = self.varint(position, end)
        if first + size > end:
            raise DamagedError(
                f"{field.name} has {size} bytes where {end - first} are left", offset=position
            )
        return first, first + size

    def varint(self, position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        first = position
        while position < end:
            byte = self.data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64 or (self.strict and not byte and shift):
                    raise DamagedError("a number that is not written shortest", offset=first)
                return value, position
            shift += 7
            if shift > 63:
                break
        raise DamagedError("not a number", offset=first)

    def signed(self, field: Field, value: int, position: int) -> int:
        if field.kind == "uint64":
            return value
        value -= (value >> 63) << 64
        if field.kind == "int32" and not -(1 << 31) <= value < 1 << 31:
            raise DamagedError(f"{field.name} is no number of 32 bits", offset=position)
        return value

    def numbers(
        self, values: dict[str, Any], field: Field, tag: int, first: int, position: int, end: int
    ) -> int:
        """Read what follows a tag of repeated numbers: packed ones, or all that have this tag."""
        width = _WIDTHS[field.wire]
        found: Any
        if tag & 7 == BYTES:
            begin, after = self.content(field, position, end)
            if self.strict and (begin == after or field.name in values):
                raise DamagedError(f"{field.name} is packed in several parts", offset=first)
            found = varints.unpack(self.data[begin:after], field.kind, width, strict=self.strict)
            self.check_range(field, found, first)
        else:
            found = []
            after = first
            while after < end and self.data[after] == tag:
                if len(found) == varints.MANY:
                    matched = varints.run(tag, width, self.strict).match(self.data, after, end)
                    if matched is None:
                        raise DamagedError(f"not a number in {field.name}", offset=after)
                    rest = varints.untag(self.data[after : matched.end()], field.kind, width)
                    self.check_range(field, rest, after)
                    after = matched.end()
                    found = np.concatenate((np.array(found, rest.dtype), rest))
                    continue
                value, after = self.number(field, after + 1, end)
                found.append(value)
        before = values.get(field.name)
        values[field.name] = found if before is None else [*before, *found]
        return after

    def check_range(self, field: Field, found: Numbers, offset: int) -> None:
        if field.kind == "int32" and len(found):
            array = np.asarray(found)
            if array.min() < -(1 << 31) or array.max() >= 1 << 31:
                raise DamagedError(f"{field.name} has no numbers of 32 bits", offset=offset)


def write(message: Message) -> bytes:
    """The one writing of a message."""
    pieces: Pieces = []
    _write(message, pieces)
    return b"".join(pieces)


def _write(message: Message, pieces: Pieces) -> int:
    """Append the bytes of a message; return how many they are."""
    size = 0
    values = message.values
    for field in FIELDS[message.kind]:
        if field.name not in values:
            continue
        value = values[field.name]
        if field.is_number and field.repeated:
            if len(value):
                pieces.append(_numbers(field, value))
                size += len(pieces[-1])
            continue
        for item in value if field.repeated else (value,):
            size += _one(field, item, pieces)
    return size


def _one(field: Field, value: Any, pieces: Pieces) -> int:
    tag = varint(field.number << 3 | field.wire)
    if field.wire == VARINT:
        pieces.append(tag + varint(value))
        return len(pieces[-1])
    if field.wire != BYTES:
        pieces.append(tag + value.to_bytes(_WIDTHS[field.wire], "little"))
        return len(pieces[-1])
    content: Pieces = []
    if field.is_message:
        size = _write(value, content)
    else:
        content.append(value.encode() if field.kind == "text" else value)
        size = len(content[0])
    pieces.append(tag + varint(size))
    head = len(pieces[-1])
    pieces += content
    return head + size


def _numbers(field: Field, values: Numbers) -> bytes:
    array = np.asarray(values, varints.DTYPES[field.kind])
    tag = field.number << 3 | field.wire
    encode = varints.encode_fixed if field.wire != VARINT else varints.encode_varints
    if not field.packed:
        return encode(array, tag)
    content = encode(array, None)
    return varint(field.number << 3 | BYTES) + varint(len(content)) + content
