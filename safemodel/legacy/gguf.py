"""GGUF files (llama.cpp) to facts: versions 1 to 3, in both byte orders.

    magic "GGUF"; version; count of tensors; count of metadata
    metadata: key, type, value; ...
    tensors: name, number of dimensions, dimensions, type, offset; ...
    padding; the data of the tensors, each at a multiple of the alignment

Templates of chats are among the metadata, and are rendered by what loads the file. The numbers are
what readers in C allocate and copy by: those that no honest file has are `Oddity`s, of the kinds
that made llama.cpp write past its heap (CVE-2024-21802, -21825, -21836, -23496, -23605,
CVE-2025-53630). A file that merely ends too early is damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError, LegacyError

MAGIC: Final = b"GGUF"
# Files of before GGUF, of which nothing but tensors was ever read: "ggml", "ggmf", "ggjt", ...
OLD_MAGICS: Final = (b"lmgg", b"fmgg", b"tjgg", b"algg", b"nsgg")

MAX_DIMENSIONS: Final = 4  # GGML_MAX_DIMS
MAX_NESTING: Final = 4
MAX_ITEMS: Final = 20_000_000  # of arrays of strings, together; vocabularies have 300,000
MAX_TEXT: Final = 1 << 20
MAX_ODDITIES: Final = 50
SPEND_EVERY: Final = 1 << 16

_STRING: Final = 8
_ARRAY: Final = 9
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 7: "?", 10: "Q", 11: "q"}

# type of a tensor -> (items of a block, bytes of a block); of ggml.h
BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36),
    41: (128, 18),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Oddity:
    """A number or name that no honest writer produces.

    Attributes:
        weight: 2 if readers in C are known to corrupt memory by its like; 1 if readers differ
            over it; 0 if it may as well be newer than this table.
    """

    message: str
    offset: int
    weight: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string among the metadata that may be a template: one whose key says so.

    `text` ends after `MAX_TEXT` bytes; `size` is that of the whole.
    """

    key: str
    text: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """What a file says.

    Attributes:
        version: 1 to 3.
        big_endian: whether its numbers are.
        keys: of the metadata, in the order of the file.
        templates: strings whose key names a template, also those in arrays.
        tensors: how many.
        oddities: at most `MAX_ODDITIES`.
        data: the first byte of the tensors' data.
        end: one past the last byte that a tensor takes; more than the file has if it was cut off.
        damage: what ended the head early; None if it was read to its end.
    """

    version: int
    big_endian: bool
    keys: tuple[str, ...]
    templates: tuple[Text, ...]
    tensors: int
    oddities: tuple[Oddity, ...]
    data: int
    end: int
    damage: LegacyError | None


def parse_gguf(data: memoryview, *, spend: Callable[[int], None] | None = None) -> GgufFacts:
    """Read the head of a GGUF file; the data of tensors are not looked at.

    What was read before the head turned out to be damaged, or too large, is kept.

    Raises:
        DamagedError: not GGUF, or a version that is not known.
    """
    return _Parser(data, spend).parse()


class _Parser:
    def __init__(self, data: memoryview, spend: Callable[[int], None] | None) -> None:
        self.data = data
        self.end = len(data)
        self.position = 4
        self.spend = spend
        self.items = 0
        self.keys: list[str] = []
        self.seen: set[str] = set()
        self.unknown_types = False
        self.templates: list[Text] = []
        self.oddities: list[Oddity] = []
        self.alignment = 32
        self.version = 0
        self.order = "<"
        self.word = "<Q"

    def parse(self) -> GgufFacts:
        if bytes(self.data[:4]) != MAGIC:
            raise DamagedError("not a GGUF file", offset=0)
        self.order, self.version = self.read_version()
        self.word = f"{self.order}{'I' if self.version == 1 else 'Q'}"
        tensors = 0
        data = last = self.end
        damage: LegacyError | None = None
        try:
            tensors = self.count("tensors", 24)
            for _ in range(self.count("metadata entries", 13)):
                self.entry()
            ranges = [self.tensor() for _ in range(tensors)]
            data = self.position + -self.position % self.alignment
            last = data + self.lay_out(ranges) if ranges else self.position
        except (DamagedError, BudgetError) as error:
            damage = error
        return GgufFacts(
            self.version,
            self.order == ">",
            tuple(self.keys),
            tuple(self.templates),
            tensors,
            tuple(self.oddities),
            data,
            last,
            damage,
        )

    def read_version(self) -> tuple[str, int]:
        for order in "<>":
            self.position = 4
            (version,) = self.unpack(f"{order}I")
            if 1 <= version <= 3:
                return order, version
        raise DamagedError("a version of GGUF that is not known here", offset=4)

    def odd(self, message: str, offset: int, *, weight: int = 2) -> None:
        if len(self.oddities) < MAX_ODDITIES:
            self.oddities.append(Oddity(message, offset, weight))

    def take(self, count: int) -> int:
        start = self.position
        if count > self.end - start:
            raise DamagedError("ends inside of its head", offset=start)
        self.position = start + count
        return start

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack_from(form, self.data, self.take(struct.calcsize(form)))

    def count(self, what: str, least: int) -> int:
        """A count of things that have at least `least` bytes each."""
        at = self.position
        (value,) = self.unpack(self.word)
        if value >= 1 << 40:
            self.odd(f"{value} {what}, by which a reader's sizes overflow", at)
            raise DamagedError("the rest of the head was not read", offset=self.position)
        if value * least > self.end - self.position:
            raise DamagedError(f"{value} {what}, where no more than the file can be", offset=at)
        return value

    def string(self) -> tuple[int, int]:
        """First byte and size of a string, and go on behind it."""
        at = self.position
        (size,) = self.unpack(self.word)
        if size >= 1 << 40:
            self.odd(f"a string of {size} bytes, by which a reader's sizes overflow", at)
            raise DamagedError("the rest of the head was not read", offset=self.position)
        return self.take(size), size

    def text(self, start: int, size: int) -> str:
        raw = bytes(self.data[start : start + min(size, MAX_TEXT)])
        return raw.decode("utf-8", "backslashreplace")

    def work(self, count: int) -> None:
        before = self.items // SPEND_EVERY
        self.items += count
        if self.items > MAX_ITEMS:
            raise BudgetError(f"more than {MAX_ITEMS} strings", offset=self.position)
        if self.spend is not None and self.items // SPEND_EVERY > before:
            self.spend(count)

    def entry(self) -> None:
        """One key with its value."""
        at = self.position
        key = self.text(*self.string())[:200]
        if key in self.seen:
            self.odd(f"the key {key} occurs twice: readers take one or the other", at, weight=1)
        self.seen.add(key)
        self.keys.append(key)
        self.work(1)
        (kind,) = self.unpack(f"{self.order}I")
        start = self.position
        self.value(kind, key, 0)
        if key == "general.alignment":
            self.align(kind, start)

    def align(self, kind: int, start: int) -> None:
        value = 0
        if kind in _NUMBERS:
            (value,) = struct.unpack_from(self.order + _NUMBERS[kind], self.data, start)
        if value <= 0 or value & (value - 1) or value > 1 << 30:
            self.odd(f"an alignment of {value}", start)
            raise DamagedError("the rest of the head was not read", offset=self.position)
        self.alignment = value

    def value(self, kind: int, key: str, depth: int) -> None:
        if kind == _STRING:
            start, size = self.string()
            if "template" in key:
                self.templates.append(Text(key, self.text(start, size), start, size))
        elif kind == _ARRAY:
            self.array(key, depth)
        elif kind in _SIZES:
            self.take(_SIZES[kind])
        else:
            raise DamagedError(f"a value of type {kind}", offset=self.position)

    def array(self, key: str, depth: int) -> None:
        if depth >= MAX_NESTING:
            raise BudgetError(
                f"more than {MAX_NESTING} arrays in one another", offset=self.position
            )
        (kind,) = self.unpack(f"{self.order}I")
        if kind in _SIZES:
            at = self.position
            (count,) = self.unpack(self.word)
            if count >= 1 << 40:
                self.odd(f"an array of {count} numbers, by which a reader's sizes overflow", at)
                raise DamagedError("the rest of the head was not read", offset=self.position)
            self.take(count * _SIZES[kind])
            return
        count = self.count("items of an array", 8 if self.version > 1 else 4)
        if kind == _STRING and "template" not in key:
            self.skip_strings(count)
            return
        for _ in range(count):
            self.work(1)
            self.value(kind, key, depth + 1)

    def skip_strings(self, count: int) -> None:
        """Go over strings; a vocabulary has hundreds of thousands of them."""
        unpack = struct.Struct(self.word).unpack_from
        data, position, width = self.data, self.position, struct.calcsize(self.word)
        last = self.end - width
        while count:
            batch = min(count, SPEND_EVERY)
            self.work(batch)
            for _ in range(batch):
                if position > last:
                    break
                position += width + unpack(data, position)[0]
            count -= batch
            if position > self.end:
                raise DamagedError("ends inside of an array of strings", offset=self.position)
        self.position = position

    def tensor(self) -> tuple[int, int, int, str]:
        """Offset, size, place in the head, and name of one tensor."""
        at = self.position
        name = self.text(*self.string())[:200]
        self.work(1)
        (count,) = self.unpack(f"{self.order}I")
        if count > MAX_DIMENSIONS:
            self.odd(
                f"the tensor {name} has {count} dimensions, more than readers have room for", at
            )
            if count > 1 << 16:
                raise DamagedError("the rest of the head was not read", offset=self.position)
        shape = self.unpack(f"{self.order}{count}{'I' if self.version == 1 else 'Q'}")
        kind, offset = self.unpack(f"{self.order}IQ")
        if kind not in BLOCKS:
            self.odd(f"the tensor {name} has the type {kind}, which is not known", at, weight=0)
            self.unknown_types = True
        items, width = BLOCKS.get(kind, (1, 1))
        total = 1
        for dimension in shape:
            total *= dimension
        size = -(-total // items) * width
        if max((*shape, total, size, offset + size)) >= 1 << 62:
            self.odd(f"the tensor {name} has dimensions {shape}, which overflow", at)
            raise DamagedError("the rest of the head was not read", offset=self.position)
        return offset, size, at, name

    def lay_out(self, ranges: list[tuple[int, int, int, str]]) -> int:
        """Check that tensors lie side by side; the last byte that one of them takes."""
        last = 0
        names: set[str] = set()
        for offset, size, at, name in sorted(ranges):
            if name in names:
                self.odd(f"the tensor {name} occurs twice", at, weight=1)
            names.add(name)
            if offset % self.alignment:
                self.odd(f"the tensor {name} is not aligned", at, weight=1)
            if self.unknown_types:
                pass  # so their sizes are not known
            elif offset < last and size:
                self.odd(f"the tensor {name} shares bytes with another", at, weight=1)
            elif offset - last >= max(self.alignment, 32):
                self.odd(
                    f"{offset - last} bytes before the tensor {name} belong to none",
                    at,
                    weight=1,
                )
            last = max(last, offset + size)
        return last
