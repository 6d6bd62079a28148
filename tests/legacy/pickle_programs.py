"""Random pickles that mostly stay valid: a generator that knows what is on the stack."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from safemodel.legacy import pickle_opcodes as op

from .pickle_victim import EXTENSIONS

OPCODES = sorted(value for name, value in vars(op).items() if name.isupper() and name[0] != "_")
NAMES = (b"os", b"system", b"a.b", b"", b"__builtin__", b"\xc3\xa9", b"x y", b"copy_reg")
NUMBERS = (b"0", b"1", b"00", b"01", b"-7", b" 5", b"1_0", b"010", b"0x1F", b"7L", b"9" * 30)
BAD_NUMBERS = (b"", b"x", b"08", b"1\x002", b"+1", b"- 1", b"1 ", b"0b11", b"1__0", b"\xb2", b"L")
FLOATS = (b"1.5", b"-0.0", b"1e5", b"inf", b"nan", b".5", b"5.")
BAD_FLOATS = (b" 1.5", b"1_0.5", b"1e999", b"1.5 ", b"1.5\x00x", b"", b"0x1p3", b"infinit", b"1e")
STRINGS = (b"'a'", b'"b"', b"'\\x41\\n\\101\\q'", b"''", b"'\\\\'", b"'\\777'", b"'a'b'")
BAD_STRINGS = (b"'a", b"a", b"'", b"'\\'", b"'\\x4'", b"'a\"", b"")
UNICODES = (b"abc", b"\\u00e9", b"\\U0001F600", b"", b"\xe9", b"\\udc80", b"\\x")
BAD_UNICODES = (b"\\u12", b"\\U00110000")
KEYS = {"int", "str", "bytes", "none", "opaque", "bool", "float"}


class Program:
    """One pickle that is being written."""

    def __init__(self, chance: random.Random, *, wild: float) -> None:
        self.chance = chance
        self.wild = wild  # how often something is written that may not be valid
        self.out = bytearray()
        self.stacks: list[list[str]] = [[]]
        self.memo: dict[int, str] = {}
        if chance.random() < 0.7:
            self.out += bytes((op.PROTO, chance.choice((0, 1, 2, 2, 3, 4, 4, 5))))

    @property
    def stack(self) -> list[str]:
        return self.stacks[-1]

    def write(self, length: int) -> bytes:
        chance = self.chance
        for _ in range(length):
            if chance.random() < self.wild:
                self.wildly()
            else:
                chance.choice(STEPS)(self)
            if chance.random() < 0.03:
                self.frame()
        while len(self.stacks) > 1 and chance.random() < 0.9:
            self.out.append(op.TUPLE)
            self.stacks.pop()
            self.stack.append("tuple")
        if not self.stack:
            self.literal()
        self.out.append(op.STOP)
        return self.finish()

    def finish(self) -> bytes:
        """Mostly as it is; otherwise cut, changed, or in a frame."""
        chance = self.chance
        out = self.out
        kind = chance.random()
        if kind < 0.05:
            del out[chance.randrange(len(out)) :]
        elif kind < 0.10:
            out[chance.randrange(len(out))] = chance.randrange(256)
        elif kind < 0.2:
            start = 2 if out[:1] == b"\x80" else 0
            size = len(out) - start + chance.choice((0, 0, 0, 0, -1, 1, -5, 20))
            out[start:start] = bytes((op.FRAME,)) + struct.pack("<Q", max(0, size))
        if chance.random() < 0.6:  # the machine goes faster far from the end
            out += b"]0K\x01." * chance.choice((1, 20))
        return bytes(out)

    def frame(self) -> None:
        size = self.chance.choice((0, 1, 2, 3, 5, 8, 13, 30, 100, 1 << 40))
        self.out += bytes((op.FRAME,)) + struct.pack("<Q", size)

    def wildly(self) -> None:
        """An opcode that may not fit, with an argument that it may take."""
        chance = self.chance
        code = chance.choice(OPCODES)
        if code == op.STOP and chance.random() < 0.8:
            return
        self.out.append(code)
        kind = chance.random()
        if kind < 0.3:
            self.out += chance.choice(
                (*NUMBERS, *BAD_NUMBERS, *BAD_FLOATS, *BAD_STRINGS, *BAD_UNICODES, *NAMES)
            )
            self.out += b"\n"
            if code in (op.GLOBAL, op.INST):
                self.out += chance.choice(NAMES) + b"\n"
        elif kind < 0.6:
            self.out += struct.pack("<I", chance.choice((0, 1, 2, 3, 5, 1 << 31)))
            self.out += chance.randbytes(chance.randrange(4))

    # Steps that fit

    def push(self, data: bytes, kind: str) -> None:
        self.out += data
        self.stack.append(kind)

    def literal(self) -> None:
        chance = self.chance
        self.push(*chance.choice(LITERALS)(chance))

    def text(self) -> None:
        raw = self.chance.choice(NAMES)
        self.push(bytes((op.SHORT_BINUNICODE, len(raw))) + raw, "str")

    def empty(self) -> None:
        code, kind = self.chance.choice(
            (
                (op.EMPTY_LIST, "list"),
                (op.EMPTY_DICT, "dict"),
                (op.EMPTY_SET, "set"),
                (op.EMPTY_TUPLE, "tuple"),
            )
        )
        self.push(bytes((code,)), kind)

    def mark(self) -> None:
        if len(self.stacks) < 8:
            self.out.append(op.MARK)
            self.stacks.append([])

    def close(self) -> None:
        """An opcode that takes what is above the mark."""
        if len(self.stacks) < 2:
            self.mark()
            return
        chance = self.chance
        items = self.stacks[-1]
        below = self.stacks[-2]
        choices = [(op.TUPLE, "tuple"), (op.LIST, "list"), (op.POP_MARK, "")]
        keys_fit = len(items) % 2 == 0 and KEYS.issuperset(items[::2])
        if keys_fit:
            choices.append((op.DICT, "dict"))
        if KEYS.issuperset(items):
            choices.append((op.FROZENSET, "frozenset"))
        if items[:1] == ["opaque"]:
            choices += [(op.OBJ, "opaque")] * 3
        target = below[-1] if below else ""
        if target in ("list", "opaque"):
            choices += [(op.APPENDS, "")] * 3
        if target in ("set", "opaque") and KEYS.issuperset(items):
            choices += [(op.ADDITEMS, "")] * 3
        if target in ("dict", "opaque") and keys_fit:
            choices += [(op.SETITEMS, "")] * 3
        code, kind = chance.choice(choices)
        self.stacks.pop()
        self.out.append(code)
        if kind:
            self.stack.append(kind)

    def inst(self) -> None:
        if len(self.stacks) > 1:
            self.stacks.pop()
            names = self.chance.choices(NAMES[:3], k=2)
            self.push(b"i" + b"\n".join(names) + b"\n", "opaque")

    def few(self) -> None:
        count = self.chance.randrange(1, 4)
        if len(self.stack) >= count:
            del self.stack[-count:]
            self.push(bytes((op.TUPLE1 + count - 1,)), "tuple")

    def name(self) -> None:
        if self.stack[-2:] == ["str", "str"] or self.chance.random() < 0.3:
            if self.stack[-2:] != ["str", "str"]:
                self.text()
                self.text()
            del self.stack[-2:]
            self.push(bytes((op.STACK_GLOBAL,)), "opaque")
        else:
            names = self.chance.choices([name for name in NAMES if name], k=2)
            self.push(b"c" + b"\n".join(names) + b"\n", "opaque")

    def call(self) -> None:
        if "opaque" not in self.stack[-1:]:
            self.name()
        chance = self.chance
        kind = chance.random()
        if kind < 0.3:
            self.push(b")", "tuple")
        else:
            self.literal()
            self.stack.pop()
            self.push(bytes((op.TUPLE1,)), "tuple")
        if kind < 0.6:
            code = op.REDUCE
        elif kind < 0.8:
            code = op.NEWOBJ
        else:
            code = op.NEWOBJ_EX
            self.push(b"}", "dict")
            if kind < 0.9:
                self.push(b"\x8c\x01aK\x01s"[:-1], "")
                self.out.append(op.SETITEM)
                self.stack.pop()
            self.stack.pop()
        del self.stack[-2:]
        self.push(bytes((code,)), "opaque")

    def build(self) -> None:
        if self.stack and self.stack[-1] == "opaque":
            self.literal() if self.chance.random() < 0.5 else self.empty()
            self.stack.pop()
            self.out.append(op.BUILD)

    def change(self) -> None:
        """APPEND or SETITEM."""
        if not self.stack:
            return
        target = self.stack[-1]
        if target in ("list", "opaque", "bytearray") and self.chance.random() < 0.5:
            self.push(b"K\x05", "int") if target == "bytearray" else self.literal()
            self.out.append(op.APPEND)
            self.stack.pop()
        elif target in ("dict", "opaque", "list"):
            self.push(b"K\x00", "int") if target == "list" else self.text()
            self.literal()
            self.out.append(op.SETITEM)
            del self.stack[-2:]

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
            self.out.append(op.POP)
        elif len(self.stacks) > 1:
            self.stacks.pop()
            self.out.append(op.POP)

    def dup(self) -> None:
        if self.stack:
            self.push(bytes((op.DUP,)), self.stack[-1])

    def put(self) -> None:
        if not self.stack:
            return
        chance = self.chance
        index = chance.choice((0, 1, 2, 3, 5, 40, 300, len(self.memo)))
        kind = chance.random()
        if kind < 0.5:
            index = len(self.memo)
            self.out.append(op.MEMOIZE)
        elif kind < 0.65:
            self.out += b"p%d\n" % index
        elif kind < 0.85 and index < 256:
            self.out += bytes((op.BINPUT, index))
        else:
            self.out += bytes((op.LONG_BINPUT,)) + struct.pack("<I", index)
        self.memo[index] = self.stack[-1]

    def get(self) -> None:
        if not self.memo:
            return
        chance = self.chance
        index = chance.choice(list(self.memo))
        kind = chance.random()
        if kind < 0.5 and index < 256:
            data = bytes((op.BINGET, index))
        elif kind < 0.75:
            data = bytes((op.LONG_BINGET,)) + struct.pack("<I", index)
        else:
            data = b"g%d\n" % index
        self.push(data, self.memo[index])

    def persist(self) -> None:
        if self.stack and self.chance.random() < 0.5:
            self.stack.pop()
            self.push(bytes((op.BINPERSID,)), "opaque")
        else:
            self.push(b"Pid\n", "opaque")

    def extend(self) -> None:
        code = self.chance.randrange(1, EXTENSIONS + 1)
        self.push(
            self.chance.choice(
                (
                    bytes((op.EXT1, code)),
                    bytes((op.EXT2,)) + struct.pack("<H", code),
                    bytes((op.EXT4,)) + struct.pack("<i", code),
                )
            ),
            "opaque",
        )

    def protocol(self) -> None:
        self.out += bytes((op.PROTO, self.chance.randrange(6)))

    def readonly(self) -> None:
        if self.stack and self.stack[-1] in ("bytes", "bytearray"):
            self.out.append(op.READONLY_BUFFER)
            self.stack[-1] = "bytes"


def _sized(code: int, layout: str, raw: bytes, kind: str) -> tuple[bytes, str]:
    return bytes((code,)) + struct.pack(layout, len(raw)) + raw, kind


LITERALS: tuple[Callable[[random.Random], tuple[bytes, str]], ...] = (
    lambda chance: (b"N", "none"),
    lambda chance: (b"\x88", "bool"),
    lambda chance: (b"\x89", "bool"),
    lambda chance: (b"K" + chance.randbytes(1), "int"),
    lambda chance: (b"M" + chance.randbytes(2), "int"),
    lambda chance: (b"J" + chance.randbytes(4), "int"),
    lambda chance: (b"I" + chance.choice(NUMBERS[:9]) + b"\n", "int"),
    lambda chance: (b"L" + chance.choice(NUMBERS) + b"\n", "int"),
    lambda chance: (b"F" + chance.choice(FLOATS) + b"\n", "float"),
    lambda chance: (b"G" + chance.randbytes(8), "float"),
    lambda chance: _sized(op.LONG1, "<B", chance.randbytes(chance.randrange(12)), "int"),
    lambda chance: _sized(op.LONG4, "<I", chance.randbytes(chance.randrange(12)), "int"),
    lambda chance: (b"S" + chance.choice(STRINGS) + b"\n", "str"),
    lambda chance: (b"V" + chance.choice(UNICODES) + b"\n", "str"),
    lambda chance: _sized(op.BINSTRING, "<I", chance.randbytes(chance.randrange(5)), "str"),
    lambda chance: _sized(op.SHORT_BINSTRING, "<B", chance.randbytes(3), "str"),
    lambda chance: _sized(op.BINUNICODE, "<I", chance.choice(NAMES), "str"),
    lambda chance: _sized(op.BINUNICODE8, "<Q", chance.choice(NAMES), "str"),
    lambda chance: _sized(op.SHORT_BINUNICODE, "<B", chance.choice(NAMES) * 9, "str"),
    lambda chance: _sized(op.SHORT_BINUNICODE, "<B", b"\xed\xb2\x80", "str"),
    lambda chance: _sized(op.SHORT_BINBYTES, "<B", chance.randbytes(3), "bytes"),
    lambda chance: _sized(op.BINBYTES, "<I", chance.randbytes(3), "bytes"),
    lambda chance: _sized(op.BINBYTES8, "<Q", chance.randbytes(3), "bytes"),
    lambda chance: _sized(op.BYTEARRAY8, "<Q", chance.randbytes(3), "bytearray"),
)

STEPS: tuple[Callable[[Program], None], ...] = (
    *(Program.literal,) * 6,
    Program.text,
    Program.text,
    Program.empty,
    Program.empty,
    Program.mark,
    Program.mark,
    Program.close,
    Program.close,
    Program.close,
    Program.inst,
    Program.few,
    Program.name,
    Program.name,
    Program.call,
    Program.call,
    Program.build,
    Program.build,
    Program.change,
    Program.change,
    Program.pop,
    Program.dup,
    *(Program.put,) * 3,
    *(Program.get,) * 3,
    Program.persist,
    Program.extend,
    Program.protocol,
    Program.readonly,
)


def program(seed: int) -> bytes:
    """One random pickle."""
    chance = random.Random(seed)
    wild = chance.choice((0.0, 0.0, 0.02, 0.1, 0.5))
    return Program(chance, wild=wild).write(chance.randrange(1, 60))
