"""Expressions to pickles: one meaning, many opcode forms.

An expression is plain data, or a `Name` (looked up), `Call`, `Build`, ... that a real unpickler
would evaluate. `FORMS` are the ways to write it down.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Name:
    """A global. A dotted `name` needs protocol 4."""

    module: str
    name: str

    def __call__(self, *arguments: Any) -> Call:
        return Call(self, arguments)


@dataclass(frozen=True)
class Call:
    """REDUCE of `callee`, any expression."""

    callee: Any
    arguments: tuple[Any, ...]

    def __call__(self, *arguments: Any) -> Call:
        return Call(self, arguments)


@dataclass(frozen=True)
class New:
    """NEWOBJ, or NEWOBJ_EX where there are keywords."""

    cls: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """BUILD of `state` on `target`, any number of times."""

    target: Any
    states: tuple[Any, ...]


@dataclass(frozen=True)
class Appended:
    """APPEND, APPENDS or ADDITEMS of `items` on `target`."""

    target: Any
    items: tuple[Any, ...]
    opcode: bytes = b"a"


@dataclass(frozen=True)
class SetItems:
    """SETITEM or SETITEMS of `pairs` on `target`."""

    target: Any
    pairs: tuple[tuple[Any, Any], ...]
    opcode: bytes = b"s"


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are; they push one value."""

    opcodes: bytes


@dataclass(frozen=True)
class StackGlobal:
    """STACK_GLOBAL of two expressions."""

    module: Any
    name: Any


class Assembler:
    """Writes one expression with binary opcodes; subclasses write some parts in other ways."""

    protocol = 4

    def __init__(self) -> None:
        self.out = io.BytesIO()

    def pickle(self, expression: Any) -> bytes:
        self.start()
        self.push(expression)
        self.end()
        return self.out.getvalue()

    def start(self) -> None:
        if self.protocol >= 2:
            self.emit(b"\x80", bytes([self.protocol]))

    def end(self) -> None:
        self.emit(b".")

    def emit(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.out.write(piece)

    def push(self, value: Any) -> None:
        getattr(self, self.METHODS[type(value)])(value)

    def text(self, value: str) -> None:
        data = value.encode("utf-8", "surrogatepass")
        if self.protocol >= 4 and len(data) < 256:
            self.emit(b"\x8c", bytes([len(data)]), data)
        else:
            self.emit(b"X", struct.pack("<I", len(data)), data)

    def data(self, value: bytes) -> None:
        if self.protocol < 3:
            self.push(Name("_codecs", "encode")(value.decode("latin1"), "latin1"))
        elif len(value) < 256:
            self.emit(b"C", bytes([len(value)]), value)
        else:
            self.emit(b"B", struct.pack("<I", len(value)), value)

    def integer(self, value: int) -> None:
        if 0 <= value < 256:
            self.emit(b"K", bytes([value]))
        elif -(2**31) <= value < 2**31:
            self.emit(b"J", struct.pack("<i", value))
        else:
            size = (value.bit_length() + 8) // 8
            self.emit(b"\x8a", bytes([size]), value.to_bytes(size, "little", signed=True))

    def boolean(self, value: bool) -> None:
        self.emit(b"\x88" if value else b"\x89")

    def number(self, value: float) -> None:
        self.emit(b"G", struct.pack(">d", value))

    def none(self, _: None) -> None:
        self.emit(b"N")

    def name(self, value: Name) -> None:
        if self.protocol >= 4:
            self.text(value.module)
            self.text(value.name)
            self.emit(b"\x93")
        else:
            self.emit(b"c", value.module.encode(), b"\n", value.name.encode(), b"\n")

    def sequence(self, value: tuple[Any, ...]) -> None:
        if 0 < len(value) < 4 and self.protocol >= 2:
            for item in value:
                self.push(item)
            self.emit(b"_\x85\x86\x87"[len(value) : len(value) + 1])
            return
        self.emit(b"(")
        for item in value:
            self.push(item)
        self.emit(b"t")

    def items(self, value: list[Any]) -> None:
        self.emit(b"]")
        if value:
            self.emit(b"(")
            for item in value:
                self.push(item)
            self.emit(b"e")

    def mapping(self, value: dict[Any, Any]) -> None:
        self.emit(b"}")
        if value:
            self.emit(b"(")
            for pair in value.items():
                for item in pair:
                    self.push(item)
            self.emit(b"u")

    def call(self, value: Call) -> None:
        self.push(value.callee)
        self.sequence(value.arguments)
        self.emit(b"R")

    def new(self, value: New) -> None:
        self.push(value.cls)
        self.sequence(value.arguments)
        if value.keywords:
            self.mapping(value.keywords)
            self.emit(b"\x92")
        else:
            self.emit(b"\x81")

    def built(self, value: Built) -> None:
        self.push(value.target)
        for state in value.states:
            self.push(state)
            self.emit(b"b")

    def appended(self, value: Appended) -> None:
        self.push(value.target)
        if value.opcode == b"a":
            for item in value.items:
                self.push(item)
                self.emit(b"a")
            return
        self.emit(b"(")
        for item in value.items:
            self.push(item)
        self.emit(value.opcode)

    def set_items(self, value: SetItems) -> None:
        self.push(value.target)
        if value.opcode != b"s":
            self.emit(b"(")
        for pair in value.pairs:
            for item in pair:
                self.push(item)
            if value.opcode == b"s":
                self.emit(b"s")
        if value.opcode != b"s":
            self.emit(value.opcode)

    def raw(self, value: Raw) -> None:
        self.emit(value.opcodes)

    def stack_global(self, value: StackGlobal) -> None:
        self.push(value.module)
        self.push(value.name)
        self.emit(b"\x93")

    METHODS: ClassVar[dict[type, str]] = {
        Name: "name",
        Call: "call",
        New: "new",
        Built: "built",
        Appended: "appended",
        SetItems: "set_items",
        Raw: "raw",
        StackGlobal: "stack_global",
        str: "text",
        bytes: "data",
        bool: "boolean",
        int: "integer",
        float: "number",
        type(None): "none",
        tuple: "sequence",
        list: "items",
        dict: "mapping",
    }


class Protocol0(Assembler):
    """Text opcodes only."""

    protocol = 0

    def text(self, value: str) -> None:
        escaped = value.replace("\\", "\\u005c").replace("\n", "\\u000a")
        self.emit(b"V", escaped.encode("raw-unicode-escape"), b"\n")

    def integer(self, value: int) -> None:
        self.emit(b"I", str(value).encode(), b"\n")

    def boolean(self, value: bool) -> None:
        self.emit(b"I01\n" if value else b"I00\n")

    def number(self, value: float) -> None:
        self.emit(b"F", repr(value).encode(), b"\n")

    def items(self, value: list[Any]) -> None:
        self.emit(b"(l")
        for item in value:
            self.push(item)
            self.emit(b"a")

    def mapping(self, value: dict[Any, Any]) -> None:
        self.emit(b"(d")
        for pair in value.items():
            for item in pair:
                self.push(item)
            self.emit(b"s")


class Protocol1(Protocol0):
    """A few binary opcodes, strings as bytes that are decoded."""

    protocol = 1

    def text(self, value: str) -> None:
        data = value.encode()
        if value.isascii() and len(data) < 256:
            self.emit(b"U", bytes([len(data)]), data)
        else:
            self.emit(b"X", struct.pack("<I", len(data)), data)


class Quoted(Protocol0):
    """STRING, with every character escaped."""

    def text(self, value: str) -> None:
        self.emit(b"S'", "".join(f"\\x{ord(c):02x}" for c in value).encode(), b"'\n")


class Protocol2(Assembler):
    protocol = 2


class Protocol3(Assembler):
    protocol = 3


class Protocol5(Assembler):
    protocol = 5


class Unannounced(Assembler):
    """Opcodes of protocol 4 without a PROTO."""

    def start(self) -> None:
        pass


class Framed(Assembler):
    """One frame around everything, as Python writes it."""

    def pickle(self, expression: Any) -> bytes:
        self.push(expression)
        self.end()
        body = self.out.getvalue()
        return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body


class TinyFrames(Assembler):
    """A frame for each few opcodes."""

    def name(self, value: Name) -> None:
        inner = Assembler()
        inner.name(value)
        body = inner.out.getvalue()
        self.emit(b"\x95", struct.pack("<Q", len(body)), body)


class Instances(Protocol2):
    """INST where the callee is a name."""

    def call(self, value: Call) -> None:
        if not isinstance(value.callee, Name):
            super().call(value)
            return
        self.emit(b"(")
        for item in value.arguments:
            self.push(item)
        self.emit(b"i", value.callee.module.encode(), b"\n", value.callee.name.encode(), b"\n")


class Objects(Assembler):
    """OBJ for every call."""

    def call(self, value: Call) -> None:
        self.emit(b"(")
        self.push(value.callee)
        for item in value.arguments:
            self.push(item)
        self.emit(b"o")


class Memoised(Assembler):
    """Both strings of a name from the memo, put there in another order than they are used."""

    def name(self, value: Name) -> None:
        self.text(value.name)
        self.emit(b"r", struct.pack("<I", 70_001), b"0")  # LONG_BINPUT, POP
        self.text(value.module)
        self.emit(b"q\x07", b"0")  # BINPUT, POP
        self.text("collections")
        self.emit(b"p7000\n", b"0")  # PUT: noise
        self.emit(b"h\x07", b"j", struct.pack("<I", 70_001), b"\x93")


class MemoTextual(Assembler):
    """PUT and GET by text, the index written with leading zeros."""

    def name(self, value: Name) -> None:
        self.text(value.module)
        self.emit(b"p00012\n")
        self.text(value.name)
        self.emit(b"p13\n", b"00", b"g12\n", b"g0013\n", b"\x93")


class MemoisedFunction(Assembler):
    """The callee goes through MEMOIZE, and what is under it on the stack is a decoy."""

    def call(self, value: Call) -> None:
        self.push(value.callee)
        self.emit(b"\x94", b"0")
        self.push(Name("collections", "OrderedDict"))
        self.emit(b"0")
        # MEMOIZE numbers by the size of the memo, which is one at the first call
        index = self.count
        self.count += 1
        self.emit(b"h", bytes([index]))
        self.sequence(value.arguments)
        self.emit(b"R")

    def start(self) -> None:
        super().start()
        self.count = 0


class Overwritten(Assembler):
    """A memo slot that holds a harmless name first."""

    def name(self, value: Name) -> None:
        self.text("collections")
        self.emit(b"q\x01", b"0")
        self.text("OrderedDict")
        self.emit(b"q\x02", b"0")
        self.text(value.module)
        self.emit(b"q\x01", b"0")
        self.text(value.name)
        self.emit(b"q\x02", b"0")
        self.emit(b"h\x01h\x02\x93")


class Duplicated(Assembler):
    """DUP and POP around every name."""

    def name(self, value: Name) -> None:
        super().name(value)
        self.emit(b"2", b"0", b"2", b"2", b"0", b"0")


class Marked(Assembler):
    """POP_MARK throws decoys away before each name."""

    def name(self, value: Name) -> None:
        self.emit(b"(")
        self.text("collections")
        self.text("OrderedDict")
        self.emit(b"1")
        super().name(value)


class WideText(Assembler):
    """BINUNICODE8, and TUPLE after MARK."""

    def text(self, value: str) -> None:
        data = value.encode()
        self.emit(b"\x8d", struct.pack("<Q", len(data)), data)

    def sequence(self, value: tuple[Any, ...]) -> None:
        self.emit(b"(")
        for item in value:
            self.push(item)
        self.emit(b"t")


class UnicodeEscapes(Protocol3):
    """UNICODE with every character as an escape, in protocol 3."""

    def text(self, value: str) -> None:
        self.emit(b"V", "".join(f"\\u{ord(c):04x}" for c in value).encode(), b"\n")

    def name(self, value: Name) -> None:
        self.text(value.module)
        self.text(value.name)
        self.emit(b"\x93")


class Interned(Assembler):
    """The arguments are built before the callee, and fetched from the memo."""

    index = 500

    def call(self, value: Call) -> None:
        self.sequence(value.arguments)
        self.index += 1
        index = struct.pack("<I", self.index)
        self.emit(b"r", index, b"0")
        self.push(value.callee)
        self.emit(b"j", index, b"R")


class Discarded(Assembler):
    """The result is popped; what the pickle returns is an empty dictionary."""

    def end(self) -> None:
        self.emit(b"0}.")


class Buried(Assembler):
    """Deep in a structure of harmless data."""

    def pickle(self, expression: Any) -> bytes:
        noise = {f"layer{index}": [index, float(index), "weights"] for index in range(50)}
        return super().pickle([noise, {"optimizer": ({"state": [expression]},)}, noise])


class Unfinished(Assembler):
    """No STOP."""

    def end(self) -> None:
        pass


class Broken(Assembler):
    """An opcode that does not exist, after the call."""

    def end(self) -> None:
        self.emit(b"\xff\xfe.")


class Underflow(Assembler):
    """The stack underflows after the call."""

    def end(self) -> None:
        self.emit(b"000000.")


class Trailing(Assembler):
    """Text behind STOP."""

    def end(self) -> None:
        self.emit(b".\nThis is the model card.\n")


class Upgraded(Assembler):
    """PROTO again in the middle: dotted names and Python 2 names change their meaning."""

    def start(self) -> None:
        self.emit(b"\x80\x00\x80\x02\x80\x05")


class KeyOfDict(Assembler):
    """The call makes a key of a dictionary."""

    def pickle(self, expression: Any) -> bytes:
        self.start()
        self.emit(b"}")
        self.push(expression)
        self.emit(b"K\x01s")
        self.end()
        return self.out.getvalue()


class Setitem(Assembler):
    """The call makes a value of a dictionary, by SETITEM."""

    def pickle(self, expression: Any) -> bytes:
        self.start()
        self.emit(b"}")
        self.text("weights")
        self.push(expression)
        self.emit(b"s")
        self.end()
        return self.out.getvalue()


class InSet(Assembler):
    """The call makes a member of a frozenset."""

    def pickle(self, expression: Any) -> bytes:
        self.start()
        self.emit(b"(")
        self.push(expression)
        self.emit(b"\x91")
        self.end()
        return self.out.getvalue()


FORMS: dict[str, type[Assembler]] = {
    "protocol0": Protocol0,
    "protocol1": Protocol1,
    "quoted": Quoted,
    "protocol2": Protocol2,
    "protocol3": Protocol3,
    "protocol4": Assembler,
    "protocol5": Protocol5,
    "unannounced": Unannounced,
    "framed": Framed,
    "tiny-frames": TinyFrames,
    "inst": Instances,
    "obj": Objects,
    "memoised": Memoised,
    "memo-textual": MemoTextual,
    "memoised-function": MemoisedFunction,
    "overwritten-memo": Overwritten,
    "dup": Duplicated,
    "pop-mark": Marked,
    "binunicode8": WideText,
    "unicode-escapes": UnicodeEscapes,
    "arguments-first": Interned,
    "discarded": Discarded,
    "buried": Buried,
    "unfinished": Unfinished,
    "broken-tail": Broken,
    "underflow": Underflow,
    "trailing-text": Trailing,
    "proto-again": Upgraded,
    "dict-key": KeyOfDict,
    "setitem": Setitem,
    "frozenset": InSet,
}


def assemble(expression: Any, form: str = "protocol4") -> bytes:
    """The pickle of an expression in one of `FORMS`."""
    return FORMS[form]().pickle(expression)
