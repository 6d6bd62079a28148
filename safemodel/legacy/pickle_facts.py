"""What the pickle machine says of a pickle: abstract values, and the facts at each site.

A *site* is an opcode at which a real unpickler would run code: look up a global, call something,
set state on an object, or use a method of one. Facts come in the order in which a real unpickler
gets there. Values that are plain data are Python's own (None, bool, int, float, str, bytes);
everything else is one of the classes below, compared by identity, as the unpickler's objects are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """A literal that was not materialised: its kind, and where its bytes are.

    Attributes:
        data: the bytes of a short bytearray; None otherwise.
        form: how the bytes there say it: "plain" (text in UTF-8), "latin1", "escaped" (text with
            the escapes of UNICODE), "quoted" (with those of STRING), "digits" (of INT and LONG).
    """

    kind: Literal["str", "bytes", "bytearray", "int", "buffer"]
    offset: int
    size: int
    data: bytes | None = None
    form: Literal["plain", "latin1", "escaped", "quoted", "digits"] = "plain"


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A name that is looked up by import, as the unpickler gets it after Python 2 mapping.

    Attributes:
        module, name: after the mapping of Python 2 names (protocols below 3).
        raw: module and name as the pickle has them, where mapping changed them; else None.
        opcode: GLOBAL, STACK_GLOBAL, INST, or EXT1/2/4 for none of these.
        literal: whether both strings were pushed as literals; False where another opcode made
            them, or they were not text.
    """

    module: str
    name: str
    offset: int
    opcode: str
    raw: tuple[str, str] | None = None
    literal: bool = True

    @property
    def full_name(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Items:
    """A list, tuple, set or frozenset that the pickle builds itself.

    Attributes:
        items: the first of them; all where `complete`.
        count: how many there are.
    """

    kind: Literal["list", "tuple", "set", "frozenset"]
    items: list[Value] = field(default_factory=list)
    count: int = 0
    complete: bool = True


@dataclass(slots=True, eq=False)
class Pairs:
    """A dictionary that the pickle builds itself; `items` as in `Items`.

    A key that is set twice is there twice; the later value counts. Where it is not complete, the
    pairs of a string and a `Global` or an `Instance` are kept all the same: as attributes of an
    object they can take the place of methods.
    """

    items: list[tuple[Value, Value]] = field(default_factory=list)
    count: int = 0
    complete: bool = True


@dataclass(slots=True, eq=False)
class Instance:
    """What a call returns. `state` is the last that BUILD gave it.

    Attributes:
        mutations: of a complete value tree: what was appended, added or set on it, in order.
    """

    callee: Value
    arguments: Value  # an Items("tuple") where it is a well-formed call
    keywords: Value
    offset: int
    opcode: str
    state: Value = None
    mutations: list[Mutate] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """What `persistent_load` returns for an id."""

    id: Value
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Extension:
    """What the copyreg extension registry holds for a code: unknown to any scanner."""

    code: int
    offset: int


Value: TypeAlias = (
    "bool | int | float | str | bytes | Blob | Global | Items | Pairs | Instance"
    " | Persistent | Extension | None"
)

# Facts: what happens at a site. `Global`, `Persistent` and `Extension` are facts themselves.


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """REDUCE, INST, OBJ, NEWOBJ or NEWOBJ_EX: `result` says what is called with what."""

    result: Instance

    @property
    def offset(self) -> int:
        """Of the opcode."""
        return self.result.offset


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """BUILD: `__setstate__`, or an update of `__dict__` and slots, on `target`.

    The consumer may `send` the number of raw bytes that follow the opcode and belong to the
    object (joblib's arrays): the machine goes over them.

    Attributes:
        again: whether the target, an `Instance`, was given a state before.
    """

    target: Value
    state: Value
    offset: int
    end: int  # offset of the byte after the opcode
    again: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mutate:
    """APPEND(S), ADDITEMS or SETITEM(S) on what the pickle did not build as plain data itself.

    Also on a bytearray, and on a list at an index that is only known at load, which could be a
    slice: no pickler does that, and what they hold afterwards is not what it looks like.
    """

    target: Value
    opcode: str
    arguments: tuple[Value, ...]  # the first few
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Oddity:
    """Something that no pickler writes: a broken frame, opcodes after STOP in a frame, ...

    `ambiguous` where unpicklers disagree on what comes next; the machine went on as `dialect`.
    """

    message: str
    offset: int
    ambiguous: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """STOP: the pickle is complete. `end` is the offset of the byte after it."""

    value: Value
    protocol: int
    opcodes: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Where a real unpickler raises; all sites before it have run.

    `truncated`: the content ended. `budget`: the machine gave up, a real one would go on.
    """

    message: str
    offset: int
    opcodes: int
    truncated: bool = False
    budget: bool = False


Fact: TypeAlias = Global | Persistent | Extension | Call | Build | Mutate | Oddity | Stop | Failure
