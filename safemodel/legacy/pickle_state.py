"""What the pickle machine holds between opcodes: the stack with its marks, and the memo."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel.legacy.pickle_facts import (
    Blob,
    Extension,
    Global,
    Instance,
    Items,
    Pairs,
    Persistent,
)
from safemodel.legacy.pickle_input import Input, StuckError

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value
    from safemodel.legacy.pickle_input import Dialect

KEEP: Final = 32  # items of a container that are kept, unless all are asked for
BLOB: Final = 4096  # bytes of a literal that are kept
BLOB_VALUES: Final = 1 << 16  # the same for a complete value tree
POOLED: Final = 40  # bytes of a string that the memo keeps as bytes
LENGTH_BITS: Final = 6
LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1
_EMPTY: Final = -1
_MAX_GAPS: Final = 1024
MAX_MEMO_INDEX: Final = (1 << 63) // 16  # the C unpickler's array of twice as many pointers
MAX_BESIDES: Final = 100_000  # pairs of an incomplete dictionary that are kept all the same
PLENTY: Final = 200_000  # memoized values, after which containers are only remembered as such
_LOOK_INTO: Final = 64  # tuples of a key that are looked into

OPAQUE: Final = frozenset({Global, Instance, Persistent, Extension})
_CONTAINERS: Final = frozenset({Items, Pairs, Blob})
CALLABLES: Final = frozenset({Global, Instance})
_NAMES: Final = frozenset({str, Instance})  # a call can return a string
_CHANGEABLE: Final = ("bytearray", "buffer")
NO_ITEMS: Final[list[Value]] = []  # of all empty lists and tuples; never changed
NO_PAIRS: Final[list[tuple[Value, Value]]] = []


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """What one pickle may take.

    Attributes:
        stack: values on the stack.
        marks: that are open at once.
        memo: entries.
        blocks: of memory that the interpreter hands out for values, about 100 bytes each.
    """

    stack: int = 16_000_000
    marks: int = 1_000_000
    memo: int = 32_000_000
    blocks: int = 6_000_000


DEFAULT: Final = MachineLimits()


def unhashable(key: Value) -> bool:
    """Whether a real unpickler raises where this is a key, or an element of a set."""
    if type(key) not in _CONTAINERS:
        return False
    pending = [key]
    for _ in range(_LOOK_INTO):
        if not pending:
            return False
        value = pending.pop()
        if type(value) is Items:
            if value.kind == "tuple":
                pending += value.items[:_LOOK_INTO]
            elif value.kind != "frozenset":
                return True
        elif type(value) is Pairs or (type(value) is Blob and value.kind in _CHANGEABLE):
            return True
    return False


def check_hashable(keys: list[Value]) -> None:
    """Raise `StuckError` if one of them can't be a key."""
    if not _CONTAINERS.isdisjoint(map(type, keys)):
        for key in keys:
            if unhashable(key):
                raise StuckError("unhashable type")


def _named(values: list[Value]) -> list[Value]:
    """The globals among what is not kept, and the pairs that have one."""
    kinds = set(map(type, values))
    if Global not in kinds and Items not in kinds:
        return []
    return [
        value
        for value in values
        if type(value) is Global
        or (
            type(value) is Items
            and value.count == 2
            and any(type(part) is Global for part in value.items)
        )
    ]


class Memo:
    """What was memoized: short strings as bytes in one pool, the rest by reference.

    A vocabulary of a million words takes a third of what its strings would. `entries` has, for
    each index: -1 for nothing, a smaller number for an object, otherwise the place in the pool.
    """

    __slots__ = ("dense", "entries", "filled", "limit", "objects", "pool", "shared", "sparse")

    def __init__(self, limit: int) -> None:
        self.entries = array("q")
        self.pool = bytearray()
        self.objects: list[Value] = []
        self.shared: set[int] = set()  # entries that several indexes have
        self.sparse: dict[int, Value] = {}
        self.filled = 0  # while not dense
        self.dense = True  # no index was left out so far
        self.limit = limit

    def __len__(self) -> int:
        return len(self.entries) if self.dense else self.filled

    def get(self, index: int) -> Value:
        """What is there; raises `StuckError` where there is nothing."""
        if not 0 <= index < len(self.entries):
            if index not in self.sparse:
                raise StuckError(f"memo value not found at index {index}")
            return self.sparse[index]
        entry = self.entries[index]
        if entry < _EMPTY:
            return self.objects[_EMPTY - 1 - entry]
        if entry == _EMPTY:
            raise StuckError(f"memo value not found at index {index}")
        start = entry >> LENGTH_BITS
        text = self.pool[start : start + (entry & LENGTH_MASK)]
        return text.decode("utf-8", "surrogatepass")

    def put(self, index: int, value: Value) -> bool:
        """Store a value; whether there was one before."""
        entries = self.entries
        gap = index - len(entries)
        if gap < 0:
            return self._replace(index, value)
        if len(entries) + len(self.sparse) >= self.limit:
            raise StuckError(f"more than {self.limit} memo entries", budget=True)
        if self.dense and gap:
            self.dense = False
            self.filled = len(entries)
        if not self.dense and (self.sparse or self._gaps + gap > _MAX_GAPS):
            known = index in self.sparse
            self.sparse[index] = value
            self.filled += not known
            return known
        if gap:
            entries.extend([_EMPTY] * gap)
        self.objects.append(value)
        entries.append(_EMPTY - len(self.objects))
        self.filled += 1
        return False

    @property
    def _gaps(self) -> int:
        """How many entries are empty."""
        return len(self.entries) + len(self.sparse) - self.filled

    def _replace(self, index: int, value: Value) -> bool:
        entry = self.entries[index]
        if entry < _EMPTY and entry not in self.shared:
            self.objects[_EMPTY - 1 - entry] = value
            return True
        self.objects.append(value)
        self.entries[index] = _EMPTY - len(self.objects)
        if entry == _EMPTY:
            self.filled += 1
        return entry != _EMPTY


class State:
    """The machine between two opcodes.

    As in `pickle._Unpickler`, each MARK begins a new stack: `stack` is the part above the last
    mark, `below` holds the others.
    """

    __slots__ = (
        "_blocks",
        "_buried",
        "_light",
        "at",
        "below",
        "blob",
        "c",
        "ending",
        "failing",
        "keep",
        "limits",
        "memo",
        "nothing",
        "opcodes",
        "plenty",
        "proto",
        "source",
        "stack",
        "start",
        "unknown",
        "value",
        "values",
    )

    def __init__(
        self, source: Input, dialect: Dialect, limits: MachineLimits, *, values: bool
    ) -> None:
        self.source = source
        self.c = dialect != "python"
        self.limits = limits
        self.values = values
        self.keep = sys.maxsize if values else KEEP
        self.blob = BLOB_VALUES if values else BLOB
        self.plenty = sys.maxsize if values else PLENTY
        self.nothing = Items("tuple", NO_ITEMS, 0)  # the empty tuple, which is always the same
        self.unknown: dict[str, Value] = {}
        self._light: dict[str, int] = {}
        self.stack: list[Value] = []
        self.below: list[list[Value]] = []
        self.memo = Memo(limits.memo)
        self.proto = 0
        self.failing: StuckError | None = None
        self.opcodes = 0
        self.ending = False  # after STOP, or if `failing`
        self.value: Value = None  # what STOP took
        self.start = self.at = source.offset  # of the pickle, and of the opcode
        self._buried = 0
        self._blocks = sys.getallocatedblocks()

    def fail_later(self, message: str) -> None:
        """Make the unpickler raise once the facts of this opcode are handed on."""
        self.failing = StuckError(message)
        self.ending = True

    def mark(self) -> None:
        """MARK: begin a new stack."""
        below = self.below
        if len(below) >= self.limits.marks:
            raise StuckError(f"more than {self.limits.marks} open marks", budget=True)
        self._buried += len(self.stack)
        below.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Value]:
        """Everything above the last mark, which is taken away."""
        if not self.below:
            raise StuckError("could not find MARK")
        found = self.stack
        self.stack = self.below.pop()
        self._buried -= len(self.stack)
        return found

    def remember(self, index: int) -> None:
        """Put the top of the stack into the memo."""
        top = self.stack[-1]
        if len(self.memo.objects) >= self.plenty:
            top = self.lighter(top)
        if self.memo.put(index, top):
            self.source.odd(f"memo entry {index} is replaced", self.at)

    def light_entry(self, value: Items | Pairs) -> int:
        """The memo entry of what stands in for a container; all of a kind share one."""
        kind = value.kind if type(value) is Items else "dict"
        entry = self._light.get(kind)
        if entry is None:
            self.memo.objects.append(self.lighter(value))
            entry = self._light[kind] = _EMPTY - len(self.memo.objects)
            self.memo.shared.add(entry)
        return entry

    def lighter(self, value: Value) -> Value:
        """What stands in for a container where there are too many: one whose items are unknown.

        A pickle of a million small objects has a memo entry for each of their parts, and looks
        into hardly one of them again.
        """
        kind = value.kind if type(value) is Items else "dict" if type(value) is Pairs else None
        if kind is None:
            return value
        if kind not in self.unknown:
            many = KEEP + 1
            self.unknown[kind] = (
                Pairs(NO_PAIRS, many, False)
                if kind == "dict"
                else Items(kind, NO_ITEMS, many, False)
            )
        return self.unknown[kind]

    def check(self) -> None:
        """Raise `StuckError` if the stack, the memo or the memory in use is beyond its limit."""
        if len(self.memo.entries) > self.limits.memo:
            raise StuckError(f"more than {self.limits.memo} memo entries", budget=True)
        if self._buried + len(self.stack) > self.limits.stack:
            raise StuckError(f"more than {self.limits.stack} values on the stack", budget=True)
        if sys.getallocatedblocks() - self._blocks > self.limits.blocks:
            raise StuckError("needs too much memory", budget=True)

    def items(self, kind: str, values: list[Value]) -> Items:
        """A list, tuple, set or frozenset of values; takes the list over."""
        count = len(values)
        if count <= self.keep:
            return Items(kind, values or NO_ITEMS, count)  # type: ignore[arg-type]
        kept = values[: self.keep] + _named(values[self.keep :])
        return Items(kind, kept, count, False)  # type: ignore[arg-type]

    def extend(self, target: Items, values: list[Value]) -> None:
        """Add values to a list or set."""
        room = self.keep - target.count
        target.count += len(values)
        if len(values) > room:
            target.complete = False
            room = max(room, 0)
            few = len(target.items) <= MAX_BESIDES
            values = values[:room] + (_named(values[room:]) if few else [])
        if not target.items:
            target.items = values or NO_ITEMS
        else:
            target.items += values

    def set_pairs(self, target: Pairs, values: list[Value]) -> None:
        """Set keys and values, which alternate, in a dictionary."""
        check_hashable(values[::2])
        room = self.keep - target.count
        target.count += len(values) // 2
        beyond: list[tuple[Value, Value]] = []
        if len(values) // 2 > room:
            target.complete = False
            first = 2 * max(room, 0)
            few = len(target.items) <= MAX_BESIDES
            if few and not CALLABLES.isdisjoint(map(type, values[first + 1 :: 2])):
                rest = zip(values[first::2], values[first + 1 :: 2], strict=True)
                beyond = [
                    pair for pair in rest if type(pair[0]) in _NAMES and type(pair[1]) in CALLABLES
                ]
            values = values[:first]
        pairs = list(zip(values[::2], values[1::2], strict=True)) + beyond
        if not target.items:
            target.items = pairs or NO_PAIRS
        else:
            target.items += pairs
