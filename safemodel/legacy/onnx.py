"""ONNX models to facts: operators, tensors outside of the file, metadata; wherever they are.

A ModelProto has a graph; its nodes have attributes that are graphs or tensors; so do the bodies of
functions and of training. ONNX Runtime reads external data for all of them (FACTS: also for models
given as bytes), so all are walked, each occurrence of a field by itself: where protobuf would merge
two or take the last, both are looked at. Data of tensors are gone over, never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

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
    text,
)

MAX_DEPTH: Final = 100  # messages in one another; what protobuf's own parsers take
MAX_TEXT: Final = 4096
MAX_DIMENSIONS: Final = 1024

# (wire types, whether repeated, what message it is)
_Schema = dict[int, tuple[tuple[int, ...], bool, str]]
_V: Final = ((VARINT,), False, "")
_S: Final = ((BYTES,), False, "")
_R: Final = ((BYTES,), True, "")
_FLOAT: Final = ((FIXED32,), False, "")
_FLOATS: Final = ((FIXED32, BYTES), True, "")
_DOUBLES: Final = ((FIXED64, BYTES), True, "")
_NUMBERS: Final = ((VARINT, BYTES), True, "")


def _one(kind: str) -> tuple[tuple[int, ...], bool, str]:
    return (BYTES,), False, kind


def _many(kind: str) -> tuple[tuple[int, ...], bool, str]:
    return (BYTES,), True, kind


# onnx.proto of ONNX 1.23
SCHEMAS: Final[dict[str, _Schema]] = {
    "model": {
        **dict.fromkeys((1, 5), _V), **dict.fromkeys((2, 3, 4, 6), _S), 7: _one("graph"), 8: _R,
        14: _many("metadata"), 20: _many("training"), 25: _many("function"), 26: _R,
    },
    "training": {1: _one("graph"), 2: _one("graph"), 3: _R, 4: _R},
    "graph": {
        1: _many("node"), 2: _S, 5: _many("tensor"), 10: _S, 15: _many("sparse"),
        **dict.fromkeys((11, 12, 13, 14, 16), _R),
    },
    "function": {
        1: _S, **dict.fromkeys((4, 5, 6, 9, 12, 14), _R), 7: _many("node"), 8: _S, 10: _S,
        11: _many("attribute"), 13: _S,
    },
    "node": {
        1: _R, 2: _R, 3: _S, 4: _S, 5: _many("attribute"), 6: _S, 7: _S, 8: _S, 9: _R, 10: _R,
    },
    "attribute": {
        1: _S, 2: _FLOAT, 3: _V, 4: _S, 5: _one("tensor"), 6: _one("graph"),
        7: _FLOATS, 8: _NUMBERS, 9: _R, 10: _many("tensor"), 11: _many("graph"),
        13: _S, 14: _S, 15: _R, 20: _V, 21: _S, 22: _one("sparse"), 23: _many("sparse"),
    },
    "tensor": {
        1: _NUMBERS, 2: _V, 3: _S, 4: _FLOATS, 5: _NUMBERS, 6: _R, 7: _NUMBERS,
        8: _S, 9: _S, 10: _DOUBLES, 11: _NUMBERS, 12: _S, 13: _R, 14: _V, 16: _R,
    },
    "sparse": {1: _one("tensor"), 2: _one("tensor"), 3: _NUMBERS},
    "entry": {1: _S, 2: _S},
}  # fmt: skip

# data_type -> bits of an item
_BITS: Final = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64,
    15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operator:
    """A node. `texts` has the string and number attributes of a node that keeps files."""

    domain: str
    name: str
    offset: int
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the model itself defines; nodes may be calls of it."""

    domain: str
    name: str


@dataclass(frozen=True, slots=True)
class External:
    """A tensor whose data are elsewhere: what `external_data` says, in the order of the file."""

    entries: tuple[tuple[str, str], ...]
    tensor: str
    offset: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """One entry of the model's metadata."""

    key: str
    value: str
    offset: int


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that no writer produces.

    Attributes:
        weight: 2 if sizes computed from it overflow; 1 if parsers differ over it; 0 if it may as
            well be newer than this table.
    """

    message: str
    offset: int
    weight: int


Fact = Operator | Function | External | Metadata | Oddity


def is_onnx(data: memoryview) -> bool:
    """Whether the bytes are an ONNX model, or the beginning of one: by its graph or functions."""
    try:
        for number, wire, _, start, end in fields(data):
            if wire != BYTES:
                continue
            if number == 7 and _is_graph(data, start, end):
                return True
            if number in (20, 25) and _has_graph(data, number, start, end):
                return True
    except BudgetError:
        return False
    except DamagedError as error:
        # Cut off inside of the graph: behind its tag and length, all that is left is graph.
        at = error.offset or 0
        if bytes(data[at : at + 1]) == b"\x3a":
            size = bytes(data[at + 1 : at + 11])
            skip = next((n for n, byte in enumerate(size, 1) if byte < 0x80), len(size))
            return _is_graph(data, at + 1 + skip, len(data))
    return False


def _has_graph(data: memoryview, number: int, start: int, end: int) -> bool:
    try:
        for inner, wire, _, first, last in fields(data, start, end):
            if wire == BYTES and number == 20 and inner < 3 and _is_graph(data, first, last):
                return True
            if wire == BYTES and number == 25 and inner == 7 and _is_node(data, first, last):
                return True
    except (DamagedError, BudgetError):
        pass
    return False


def _is_graph(data: memoryview, start: int, end: int) -> bool:
    """Whether the first node or initializer of a message is one."""
    try:
        for number, wire, _, first, last in fields(data, start, end):
            if number == 1:
                return wire == BYTES and _is_node(data, first, last)
            if number in (5, 15) and wire == BYTES:
                return all(
                    wire in SCHEMAS["tensor"].get(inner, ((wire,),))[0]
                    for inner, wire, *_ in fields(data, first, last)
                )
    except (DamagedError, BudgetError):
        pass
    return False


def _is_node(data: memoryview, start: int, end: int) -> bool:
    named = False
    try:
        for number, wire, _, first, last in fields(data, start, end):
            if wire not in SCHEMAS["node"].get(number, ((wire,),))[0]:
                return False
            if number == 4:
                named = bytes(data[first : min(last, first + 200)]).isascii() and last > first
    except (DamagedError, BudgetError):
        return named
    return named


def walk(data: memoryview, *, spend: Callable[[int], None] | None = None) -> Iterator[Fact]:
    """Yield the facts of a ModelProto.

    Raises:
        DamagedError: not a message, or cut off; facts before that were yielded.
        BudgetError: messages more than `MAX_DEPTH` deep in one another.
    """
    yield from _Walk(data, spend).run()


class _Walk:
    def __init__(self, data: memoryview, spend: Callable[[int], None] | None) -> None:
        self.data = data
        self.spend = spend
        self.stack: list[tuple[str, int, int, int]] = [("model", 0, len(data), 0)]
        self.oddities: list[Oddity] = []
        self.work = 0

    def run(self) -> Iterator[Fact]:
        damage: DamagedError | None = None
        while self.stack:
            kind, start, end, depth = self.stack.pop()
            if depth > MAX_DEPTH:
                raise BudgetError(
                    f"messages more than {MAX_DEPTH} deep in one another", offset=start
                )
            self.account()
            try:
                if kind == "node":
                    yield self.node(start, end, depth)
                elif kind == "function":
                    yield self.function(start, end, depth)
                elif kind == "metadata":
                    yield self.metadata(start, end)
                elif kind == "tensor":
                    yield from self.tensor(start, end)
                else:
                    for field, child in self.read(kind, start, end):
                        self.push(child, field, depth)
            except DamagedError as error:
                damage = damage or error
            yield from self.oddities
            self.oddities.clear()
        if damage is not None:
            raise damage

    def account(self) -> None:
        self.work += 1
        if self.spend is not None and not self.work % 4096:
            self.spend(4096)

    def push(self, kind: str, field: Field, depth: int) -> None:
        if kind:
            self.stack.append((kind, field[3], field[4], depth + 1))

    def read(self, kind: str, start: int, end: int) -> Iterator[tuple[Field, str]]:
        """The fields of a message that its schema has, each with the kind of its content."""
        schema = SCHEMAS[kind]
        seen = 0
        for field in fields(self.data, start, end, spend=self.spend):
            number, wire = field[0], field[1]
            known = schema.get(number)
            if known is None:
                self.odd(f"a {kind} has field {number}, which is not known here", field, 0)
                continue
            wires, repeated, child = known
            if wire not in wires:
                self.odd(f"field {number} of a {kind} is of wire type {wire}", field, 1)
                continue
            if not repeated:
                if seen >> number & 1:
                    self.odd(f"a {kind} has field {number} twice", field, 1)
                seen |= 1 << number
            yield field, child

    def odd(self, message: str, field: Field, weight: int) -> None:
        if len(self.oddities) < 100:
            self.oddities.append(Oddity(message, field[3], weight))

    def text(self, field: Field) -> str:
        return text(self.data, field[3], field[4], limit=MAX_TEXT)

    def node(self, start: int, end: int, depth: int) -> Operator:
        domain = name = ""
        attributes: list[Field] = []
        for field, child in self.read("node", start, end):
            if field[0] == 4:
                name = self.text(field)
            elif field[0] == 7:
                domain = self.text(field)
            elif child:
                self.push(child, field, depth)
                attributes.append(field)
        texts: tuple[tuple[str, str], ...] = ()
        if name == "EPContext":
            texts = tuple(map(self.plain_attribute, attributes))
        return Operator(domain, name, start, texts)

    def plain_attribute(self, attribute: Field) -> tuple[str, str]:
        """The name of an attribute, with its string or number."""
        name = value = ""
        for field in fields(self.data, attribute[3], attribute[4]):
            if field[:2] == (1, BYTES):
                name = self.text(field)
            elif field[:2] == (4, BYTES):
                value = self.text(field)
            elif field[:2] == (3, VARINT):
                value = str(signed(field[2]))
        return name, value

    def function(self, start: int, end: int, depth: int) -> Function:
        domain = name = ""
        for field, child in self.read("function", start, end):
            if field[0] == 1:
                name = self.text(field)
            elif field[0] == 10:
                domain = self.text(field)
            self.push(child, field, depth)
        return Function(domain, name)

    def entry(self, start: int, end: int) -> tuple[str, str]:
        key = value = ""
        for field, _ in self.read("entry", start, end):
            if field[0] == 1:
                key = self.text(field)
            else:
                value = self.text(field)
        return key, value

    def metadata(self, start: int, end: int) -> Metadata:
        return Metadata(*self.entry(start, end), start)

    def tensor(self, start: int, end: int) -> Iterator[Fact]:
        name = ""
        kind = 0
        raw = -1
        dimensions: list[int] = []
        entries: list[tuple[str, str]] = []
        external = segmented = False
        for field, _ in self.read("tensor", start, end):
            number, _, value, first, last = field
            if number == 1:
                for dimension in numbers(self.data, field):
                    if len(dimensions) < MAX_DIMENSIONS:
                        dimensions.append(signed(dimension))
            elif number == 2:
                kind = value
            elif number == 3:
                segmented = True
            elif number == 8:
                name = self.text(field)[:200]
            elif number == 9:
                raw = last - first
            elif number == 13:
                entries.append(self.entry(first, last))
            elif number == 14:
                external = external or value == 1
        if entries or external:
            yield External(tuple(entries), name, start)
        elif not segmented:
            yield from _size(name, dimensions, _BITS.get(kind), raw, start)


def _size(
    name: str, dimensions: list[int], bits: int | None, raw: int, offset: int
) -> Iterator[Oddity]:
    total = 1
    for dimension in dimensions:
        if dimension < 0:
            yield Oddity(f"the tensor {name} has a dimension of {dimension}", offset, 2)
            return
        total = min(total * dimension, 1 << 62)
    if total >= 1 << 60:
        yield Oddity(f"the dimensions of the tensor {name} overflow", offset, 2)
    elif raw > 0 and bits is not None and -(-total * bits // 8) != raw:
        yield Oddity(f"the tensor {name} has {raw} bytes, not what its shape needs", offset, 1)
