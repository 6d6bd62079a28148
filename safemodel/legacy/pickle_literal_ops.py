"""What the opcodes of literals do, and PROTO and FRAME.

A handler begins behind its opcode byte, and raises `StuckError` where the unpickler raises; taking
from an empty stack raises `IndexError`, which the machine turns into the same.
"""

from __future__ import annotations

from struct import unpack
from typing import TYPE_CHECKING, Final

from safemodel.legacy import pickle_opcodes as op
from safemodel.legacy.pickle_facts import Blob, Items, Pairs
from safemodel.legacy.pickle_input import StuckError
from safemodel.legacy.pickle_literals import (
    MAX_INT_BITS,
    float_literal,
    int_literal,
    long_literal,
    string_literal,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from safemodel.legacy.pickle_state import State

    Handler: TypeAlias = Callable[[State], None]

_MAX_SIZE: Final = (1 << 63) - 1


# Sizes and lines


def size_of(state: State, width: int) -> int:
    """An unsigned size argument."""
    size = int.from_bytes(state.source.take(width), "little")
    if size > _MAX_SIZE:
        raise StuckError(f"a size of {size} bytes exceeds what any system can hold")
    return size


def signed_of(state: State) -> int:
    """A signed argument of four bytes."""
    return int.from_bytes(state.source.take(4), "little", signed=True)


def line_of(state: State) -> bytes:
    """A line that the C unpickler wants to be not empty."""
    line = state.source.line()
    if not line and state.c:
        raise StuckError("pickle data was truncated")
    return line


def _literal(
    state: State,
    kind: Literal["str", "bytes", "bytearray"],
    size: int,
    form: Literal["plain", "latin1"] = "plain",
) -> bytes | None:
    """The bytes of a literal; None if it is too long to keep, and a `Blob` was pushed."""
    source = state.source
    into = kind != "str"
    if size <= state.blob:
        return source.take(size, into=into)
    offset = source.offset
    source.skip(size, into=into)
    state.stack.append(Blob(kind, offset, size, None, form))
    return None


# Numbers


def proto(state: State) -> None:
    version = state.source.take(1)[0]
    if version > op.HIGHEST_PROTOCOL:
        raise StuckError(f"unsupported pickle protocol: {version}")
    if state.at != state.start:
        state.source.odd("a protocol is announced in the middle", state.at)
    state.proto = version


def frame(state: State) -> None:
    state.source.enter_frame(size_of(state, 8))


def int_text(state: State) -> None:
    _number(state, int_literal)


def long_text(state: State) -> None:
    _number(state, long_literal)


def _number(state: State, parse: Callable[..., int | None]) -> None:
    offset = state.source.offset
    line = line_of(state)
    value = parse(line, c=state.c)
    number = Blob("int", offset, len(line), None, "digits") if value is None else value
    state.stack.append(number)


def float_text(state: State) -> None:
    state.stack.append(float_literal(line_of(state), c=state.c))


def binint(state: State) -> None:
    state.stack.append(signed_of(state))


def binint1(state: State) -> None:
    state.stack.append(state.source.take(1)[0])


def binint2(state: State) -> None:
    state.stack.append(int.from_bytes(state.source.take(2), "little"))


def binfloat(state: State) -> None:
    state.stack.append(unpack(">d", state.source.take(8))[0])


def long1(state: State) -> None:
    _long(state, state.source.take(1)[0])


def long4(state: State) -> None:
    size = signed_of(state)
    if size < 0:
        raise StuckError("LONG pickle has negative byte count")
    _long(state, size)


def _long(state: State, size: int) -> None:
    if size * 8 > MAX_INT_BITS:
        offset = state.source.offset
        state.source.skip(size)
        state.stack.append(Blob("int", offset, size))
    else:
        state.stack.append(int.from_bytes(state.source.take(size), "little", signed=True))


def none(state: State) -> None:
    state.stack.append(None)


def true(state: State) -> None:
    state.stack.append(True)


def false(state: State) -> None:
    state.stack.append(False)


# Text and bytes


def string_text(state: State) -> None:
    """Not ASCII is an error by default only: loaders of old files say encoding="latin1"."""
    offset, size, line = state.source.text_line(state.blob)
    if line is None:
        state.stack.append(Blob("bytes", offset, size, None, "quoted"))
    else:
        state.stack.append(string_literal(line).decode("latin1"))


def unicode_text(state: State) -> None:
    offset, size, line = state.source.text_line(state.blob)
    if line is None:
        state.stack.append(Blob("str", offset, size, None, "escaped"))
    else:
        state.stack.append(line.decode("raw-unicode-escape"))


def binstring(state: State) -> None:
    size = int.from_bytes(state.source.take(4), "little", signed=not state.c)
    if size < 0:
        raise StuckError("BINSTRING pickle has negative byte count")
    _string(state, size)


def short_binstring(state: State) -> None:
    _string(state, state.source.take(1)[0])


def _string(state: State, size: int) -> None:
    raw = _literal(state, "str", size, "latin1")
    if raw is not None:
        state.stack.append(raw.decode("latin1"))


def short_binunicode(state: State) -> None:
    _unicode(state, state.source.take(1)[0])


def binunicode(state: State) -> None:
    _unicode(state, size_of(state, 4))


def binunicode8(state: State) -> None:
    _unicode(state, size_of(state, 8))


def _unicode(state: State, size: int) -> None:
    raw = _literal(state, "str", size)
    if raw is not None:
        state.stack.append(raw.decode("utf-8", "surrogatepass"))


def short_binbytes(state: State) -> None:
    _bytes(state, state.source.take(1)[0])


def binbytes(state: State) -> None:
    _bytes(state, size_of(state, 4))


def binbytes8(state: State) -> None:
    _bytes(state, size_of(state, 8))


def _bytes(state: State, size: int) -> None:
    raw = _literal(state, "bytes", size)
    if raw is not None:
        state.stack.append(raw)


def bytearray8(state: State) -> None:
    size = size_of(state, 8)
    raw = _literal(state, "bytearray", size)
    if raw is not None:
        state.stack.append(Blob("bytearray", state.source.offset - size, size, raw))


def next_buffer(state: State) -> None:
    raise StuckError("pickle stream refers to out-of-band data but no buffers argument was given")


def readonly_buffer(state: State) -> None:
    top = state.stack[-1]
    if type(top) is Blob and top.kind == "bytearray":
        state.stack[-1] = Blob("buffer", top.offset, top.size, top.data)
    elif type(top) in _NO_BUFFER or (type(top) is Blob and top.kind in ("str", "int")):
        raise StuckError("a bytes-like object is required")


_NO_BUFFER: Final = frozenset({type(None), bool, int, float, str, Items, Pairs})


HANDLERS: Final[dict[int, Handler]] = {
    op.PROTO: proto,
    op.FRAME: frame,
    op.INT: int_text,
    op.LONG: long_text,
    op.FLOAT: float_text,
    op.BININT: binint,
    op.BININT1: binint1,
    op.BININT2: binint2,
    op.BINFLOAT: binfloat,
    op.LONG1: long1,
    op.LONG4: long4,
    op.NONE: none,
    op.NEWTRUE: true,
    op.NEWFALSE: false,
    op.STRING: string_text,
    op.UNICODE: unicode_text,
    op.BINSTRING: binstring,
    op.SHORT_BINSTRING: short_binstring,
    op.SHORT_BINUNICODE: short_binunicode,
    op.BINUNICODE: binunicode,
    op.BINUNICODE8: binunicode8,
    op.SHORT_BINBYTES: short_binbytes,
    op.BINBYTES: binbytes,
    op.BINBYTES8: binbytes8,
    op.BYTEARRAY8: bytearray8,
    op.NEXT_BUFFER: next_buffer,
    op.READONLY_BUFFER: readonly_buffer,
}
