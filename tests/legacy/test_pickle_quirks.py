"""One row for each oddity of CPython's unpicklers: what the machine tells, in each dialect.

Each row is also run by the real unpicklers, so that the table can't be wrong about them.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass

import pytest

from safemodel.legacy.content import View
from safemodel.legacy.pickle_facts import (
    Blob,
    Build,
    Call,
    Extension,
    Fact,
    Failure,
    Global,
    Items,
    Mutate,
    Oddity,
    Pairs,
    Persistent,
    Stop,
)
from safemodel.legacy.pickle_input import DIALECTS, MAX_LINE
from safemodel.legacy.pickle_machine import trace

from .pickle_events import differences


def frame(size: int) -> bytes:
    return b"\x95" + struct.pack("<Q", size)


def text(value: bytes) -> bytes:
    return b"\x8c" + bytes((len(value),)) + value


def told(value: object) -> str:
    if isinstance(value, Items):
        return f"{value.kind}{value.count}"
    if isinstance(value, Pairs):
        return f"dict{value.count}"
    if isinstance(value, Blob):
        return f"{value.kind}*{value.size}"
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value)
    return type(value).__name__.lower()


def line(fact: Fact) -> str:
    match fact:
        case Global():
            return f"{fact.full_name}" + (f" for {'.'.join(fact.raw)}" if fact.raw else "")
        case Persistent():
            return f"persistent {told(fact.id)}"
        case Extension():
            return f"extension {fact.code}"
        case Call():
            return f"{fact.result.opcode} {told(fact.result.arguments)}"
        case Build():
            return f"BUILD {told(fact.state)}"
        case Mutate():
            return f"{fact.opcode} {' '.join(map(told, fact.arguments))}".strip()
        case Oddity():
            return "odd!" if fact.ambiguous else "odd"
        case Stop():
            return f"stop {told(fact.value)}"
        case Failure():
            return "cut" if fact.truncated else "fail"
    raise AssertionError(fact)


def lines(data: bytes, dialect: str) -> str:
    facts = trace(View(data).reader(), dialect=dialect)  # type: ignore[arg-type]
    return ", ".join(line(fact) for fact in facts)


@dataclass(frozen=True)
class Row:
    name: str
    data: bytes
    c: str
    python: str = ""  # where it is not as `c`
    file: str = ""


CALL = b"cos\nsystem\n)R"  # what may be hidden
ROWS = [
    # PROTO, STOP, and the end
    Row("protocol 6", b"\x80\x06N.", "fail"),
    Row("a later protocol counts", b"\x80\x02\x80\x04N.", "odd, stop None"),
    Row("nothing", b"", "cut"),
    Row("no stop", b"N", "cut"),
    Row("stop on nothing", b".", "fail"),
    Row("stop above a mark", b"N(.", "fail"),
    Row("stop leaves values", b"NN.", "odd, stop None"),
    Row("stop leaves marks", b"(N.", "odd, stop None"),
    Row("an unknown opcode", b"N\xffN.", "fail"),
    Row("the sites before an error", CALL + b"\xff", "os.system, REDUCE tuple0, fail"),
    # Frames
    Row("a frame", frame(2) + b"N.", "stop None"),
    Row("a frame of nothing", frame(0) + b"N.", "stop None"),
    Row("two frames", frame(1) + b"N" + frame(1) + b".", "stop None"),
    Row("opcodes outside of frames", b"N" + frame(1) + b"0N.", "stop None"),
    Row("a frame that is cut", frame(9) + CALL[:4], "cut", "os., cut", "cut"),
    Row(
        "the Python unpickler runs a frame that is longer than the file",
        frame(99) + CALL + b".",
        "cut",
        "os.system, REDUCE tuple0, odd!, stop instance",
        "cut",
    ),
    Row(
        "an argument across the end of a frame",
        frame(3) + text(b"abc") + b".",
        "odd!, stop 'abc'",
        "odd!, fail",
        "odd!, cut",
    ),
    Row(
        "the rest of a frame is lost to a file",
        frame(2) + b"I1\n.",
        "odd!, stop 1",
        "odd!, fail",
        "odd!, fail",
    ),
    Row(
        "bytes across the end of a frame are read in full",
        frame(3) + b"C\x03abc.",
        "odd!, stop b'abc'",
        "odd!, fail",
        "odd!, stop b'abc'",
    ),
    Row(
        "many bytes across the end of a frame",
        frame(100) + b"B\x88\x13\0\0" + b"a" * 5000 + b".",
        "odd!, stop bytes*5000",
        "odd!, fail",
    ),
    Row(
        "many characters across the end of a frame",
        frame(100) + b"X\x88\x13\0\0" + b"a" * 5000 + b"." * 200,
        "odd!, stop str*5000",
        "odd!, fail",
    ),
    Row(
        "a long line across the end of a frame",
        frame(5001) + b"V" + b"a" * 5000 + b"b" * 5000 + b"\n.",
        "odd!, stop str*10000",
        "odd!, fail",
        "odd!, stop str*5000",
    ),
    Row("an argument behind the frame", frame(1) + b"K\x05.", "stop 5"),
    Row(
        "a frame in a frame",
        frame(12) + b"N" + frame(1) + b"0N.",
        "odd!, stop None",
        "odd!, fail",
        "odd!, stop None",
    ),
    Row(
        "a frame that begins in another and ends behind it",
        frame(10) + frame(4) + b"N0N.",
        "odd!, stop None",
        "odd!, fail",
        "odd!, cut",
    ),
    Row("a stop within its frame", frame(3) + b"N.N", "odd!, stop None"),
    Row("a frame of a negative size", frame(1 << 63) + b"N.", "fail"),
    # Integers
    Row("INT", b"I12\n.", "stop 12"),
    Row("INT 00 and 01", b"I00\nI01\n\x86.", "stop tuple2"),
    Row("INT 01", b"I01\n.", "stop True"),
    Row("INT with a blank", b"I 1\n.", "stop True", "stop 1"),
    Row("INT with a sign", b"I+0\n.", "stop False", "stop 0"),
    Row("INT with a blank behind", b"I1 \n.", "stop 1"),
    Row("INT 001", b"I001\n.", "stop 1", "fail"),
    Row("INT octal", b"I010\n.", "stop 8", "fail"),
    Row("INT octal below zero", b"I-010\n.", "stop -8", "fail"),
    Row("INT that is no octal", b"I08\n.", "fail"),
    Row("INT octal that is too large", b"I0" + b"7" * 30 + b"\n.", "fail"),
    Row("INT hexadecimal", b"I0x1f\n.", "stop 31"),
    Row("INT binary", b"I0b11\n.", "stop 3"),
    Row("INT with underscores", b"I1_0\n.", "stop 10"),
    Row("INT with two underscores", b"I1__0\n.", "fail"),
    Row("INT ends at a NUL", b"I7\x00x\n.", "stop 7", "fail"),
    Row("INT of a NUL", b"I\x00x\n.", "stop False", "fail"),
    Row("INT of nothing", b"I\n.", "fail"),
    Row("INT without a newline", b"I1", "cut", "fail"),
    Row("INT of another alphabet", "I٣\n.".encode(), "fail"),
    Row("INT of many digits", b"I" + b"9" * 4200 + b"\n.", "stop int*4200"),
    Row("INT hexadecimal of many digits", b"I0x" + b"f" * 5000 + b"\n.", "stop int*5002"),
    Row("INT of many digits with an error", b"I0x" + b"g" * 5000 + b"\n.", "fail"),
    Row("LONG", b"L12L\n.", "stop 12"),
    Row("LONG without L", b"L12\n.", "stop 12"),
    Row("LONG with two", b"L12LL\n.", "fail"),
    Row("LONG of L", b"LL\n.", "fail"),
    Row("LONG octal", b"L010L\n.", "fail"),
    Row("LONG ends at a NUL", b"L1\x00xL\n.", "stop 1", "fail"),
    Row("LONG1 of nothing", b"\x8a\x00.", "stop 0"),
    Row("LONG1 below zero", b"\x8a\x01\xff.", "stop -1"),
    Row("LONG4 of a negative size", b"\x8b\xff\xff\xff\xffN.", "fail"),
    Row("LONG4 of many bytes", b"\x8b\x00\x10\x00\x00" + b"\x01" * 4096 + b".", "stop int*4096"),
    Row("LONG4 beyond the end", b"\x8b\xff\xff\xff\x7fN.", "cut"),
    Row("BININT below zero", b"J\xff\xff\xff\xff.", "stop -1"),
    Row("BININT2", b"M\xff\xff.", "stop 65535"),
    # Floats
    Row("FLOAT", b"F1.5\n.", "stop 1.5"),
    Row("FLOAT with blanks", b"F 1.5 \n.", "fail", "stop 1.5"),
    Row("FLOAT with underscores", b"F1_0.5\n.", "fail", "stop 10.5"),
    Row("FLOAT too large", b"F1e999\n.", "fail", "stop inf"),
    Row("FLOAT infinity", b"F-Infinity\n.", "stop -inf"),
    Row("FLOAT ends at a NUL", b"F1.5\x00x\n.", "stop 1.5", "fail"),
    Row("FLOAT hexadecimal", b"F0x1p3\n.", "fail"),
    Row("FLOAT with a carriage return", b"F1.5\r\n.", "fail", "stop 1.5"),
    Row("BINFLOAT", b"G?\xf8\x00\x00\x00\x00\x00\x00.", "stop 1.5"),
    # Strings
    Row("STRING", b"S'ab'\n.", "stop 'ab'"),
    Row("STRING of mixed quotes", b"S'ab\"\n.", "fail"),
    Row("STRING of one quote", b"S'\n.", "fail"),
    Row("STRING without quotes", b"Sab\n.", "fail"),
    Row("STRING with a quote within", b"S'a'b'\n.", 'stop "a\'b"'),
    Row("STRING escapes", b"S'\\x41\\101\\n\\\\\\q\\0'\n.", "stop 'AA\\n\\\\\\\\q\\x00'"),
    Row("STRING octal above 255", b"S'\\777'\n.", "stop 'ÿ'"),
    Row("STRING octal of 256", b"S'\\400'\n.", "stop '\\x00'"),
    Row("STRING half an escape", b"S'\\x4'\n.", "fail"),
    Row("STRING ends in a backslash", b"S'a\\'\n.", "fail"),
    Row("STRING long", b"S'" + b"a" * 5000 + b"'\n.", "stop bytes*5002"),
    Row("BINSTRING", b"T\x02\x00\x00\x00ab.", "stop 'ab'"),
    Row("BINSTRING beyond 2 GiB", b"T\x00\x00\x00\x80ab.", "cut", "fail"),
    Row("SHORT_BINSTRING not in ASCII", b"U\x01\xe9.", "stop 'é'"),
    Row("UNICODE", b"V\\u00e9\xe9\\U0001F600\n.", "stop 'éé😀'"),
    Row("UNICODE leaves other escapes", b"V\\n\\x41\n.", "stop '\\\\n\\\\x41'"),
    Row("UNICODE half an escape", b"V\\u12\n.", "fail"),
    Row("UNICODE beyond Unicode", b"V\\U00110000\n.", "fail"),
    Row("UNICODE of nothing", b"V\n.", "stop ''"),
    Row("UNICODE of a surrogate", b"V\\udc80\n.", "stop '\\udc80'"),
    Row("UNICODE long", b"V" + b"a" * 5000 + b"\n.", "stop str*5000"),
    Row("UNICODE longer", b"V" + b"a" * 500_000 + b"\n.", "stop str*500000"),
    Row("BINUNICODE of a surrogate", b"X\x03\x00\x00\x00\xed\xb2\x80.", "stop '\\udc80'"),
    Row("BINUNICODE not in UTF-8", b"X\x01\x00\x00\x00\xff.", "fail"),
    Row("SHORT_BINUNICODE not in UTF-8", text(b"\xff") + b"N" * 30 + b".", "fail"),
    Row("BINUNICODE8 beyond the end", b"\x8d" + struct.pack("<Q", 1 << 50) + b"N.", "cut"),
    Row("BINUNICODE8 beyond any system", b"\x8d" + struct.pack("<Q", 1 << 63) + b"N.", "fail"),
    Row("BINBYTES8 beyond any system", b"\x8e" + struct.pack("<Q", 1 << 63) + b"N.", "fail"),
    Row("BINBYTES long", b"B\x88\x13\x00\x00" + b"a" * 5000 + b".", "stop bytes*5000"),
    Row("BYTEARRAY8", b"\x96" + struct.pack("<Q", 2) + b"ab.", "stop bytearray*2"),
    Row("READONLY_BUFFER", b"\x96" + struct.pack("<Q", 2) + b"ab\x98.", "stop buffer*2"),
    Row("READONLY_BUFFER of bytes", b"C\x01a\x98.", "stop b'a'"),
    Row("READONLY_BUFFER of a list", b"]\x98.", "fail"),
    Row("NEXT_BUFFER", b"\x97.", "fail"),
    # Stack and marks
    Row("POP", b"NK\x010.", "stop None"),
    Row("POP of a mark", b"N(0.", "stop None"),
    Row("POP of nothing", b"0N.", "fail"),
    Row("POP_MARK", b"N(NNN1.", "stop None"),
    Row("POP_MARK without one", b"NNN1.", "fail"),
    Row("DUP", b"]2\x86.", "stop tuple2"),
    Row("DUP above a mark", b"N(2.", "fail"),
    Row("TUPLE2 across a mark", b"N(N\x86.", "fail"),
    Row("TUPLE without a mark", b"Nt.", "fail"),
    Row("TUPLE1 of nothing", b"\x85.", "fail"),
    Row("a mark in a mark", b"(((ttt.", "stop tuple1"),
    # The memo
    Row("MEMOIZE counts", b"N\x94K\x01\x94h\x01.", "odd, stop 1"),
    Row("MEMOIZE of nothing", b"\x94N.", "fail"),
    Row("GET of nothing", b"h\x05.", "fail"),
    Row("GET below zero", b"Nq\x00g-1\n.", "fail"),
    Row("PUT below zero", b"Np-1\n.", "fail"),
    Row("PUT far away", b"Np12345\nK\x010g12345\n.", "odd, stop None"),
    Row(
        "MEMOIZE goes by how many there are",
        b"Np1\nK\x07\x94h\x01.",
        "odd, odd, stop 7",
    ),
    Row(
        "MEMOIZE over a gap",
        b"Nr\x05\x00\x00\x00K\x07\x94h\x01.",
        "odd, stop 7",
    ),
    Row(
        "a string is PUT elsewhere",
        text(b"a") + b"r\x05\0\0\0" + text(b"b") + b"\x94h\x01.",
        "odd, stop 'b'",
    ),
    Row(
        "a string is PUT elsewhere, shortly",
        text(b"a") + b"q\x05" + text(b"b") + b"\x94h\x01.",
        "odd, stop 'b'",
    ),
    Row(
        "a string after an object that is PUT elsewhere",
        b"Nq\x05" + text(b"b") + b"\x94" + text(b"c") + b"q\x07h\x01.",
        "odd, stop 'b'",
    ),
    Row("a string is where it was PUT", text(b"a") + b"q\x05K\x01h\x05.", "odd, stop 'a'"),
    Row("a string is where it was PUT, far", text(b"a") + b"r\x05\0\0\0h\x05.", "odd, stop 'a'"),
    Row(
        "a string after a gap and a site",
        b"Np5\ncos\nsystem\n" + text(b"b") + b"\x94h\x01.",
        "os.system, odd, stop 'b'",
    ),
    Row("a string that is not PUT at 0", text(b"a") + b"q\x01h\x00.", "fail"),
    Row("a string that is not PUT at 0, far", text(b"a") + b"r\x01\0\0\0h\x00.", "fail"),
    Row(
        "a sparse memo is counted",
        b"Np5000\np5000\np6000\nK\x07\x94h\x02.",
        "odd, odd, stop 7",
    ),
    Row("PUT over an entry", b"Nq\x00K\x07q\x00h\x00.", "odd, odd, stop 7"),
    Row("PUT with blanks", b"Np 0 \ng+0\n.", "odd, stop None"),
    Row("PUT in octal", b"Np010\nh\n.", "odd, stop None"),
    Row("PUT with underscores", b"Np1_0\nh\n.", "odd, stop None"),
    Row("PUT ends at a NUL", b"Np0\x00x\n.", "stop None", "fail"),
    Row("PUT of nothing", b"Np\n.", "fail"),
    Row("PUT beyond memory", b"Np" + str(1 << 62).encode() + b"\n.", "fail", "stop None"),
    # Globals
    Row("GLOBAL", b"cos\nsystem\n.", "os.system, stop global"),
    Row(
        "GLOBAL of Python 2",
        b"c__builtin__\neval\n.",
        "builtins.eval for __builtin__.eval, stop global",
    ),
    Row(
        "GLOBAL renamed",
        b"c__builtin__\nxrange\n.",
        "builtins.range for __builtin__.xrange, stop global",
    ),
    Row(
        "a module of Python 2", b"cHTMLParser\nx\n.", "html.parser.x for HTMLParser.x, stop global"
    ),
    Row(
        "protocol 2 maps",
        b"\x80\x02ccommands\ngetoutput\n.",
        "subprocess.getoutput for commands.getoutput, stop global",
    ),
    Row(
        "protocol 3 does not", b"\x80\x03ccommands\ngetoutput\n.", "commands.getoutput, stop global"
    ),
    Row(
        "the protocol so far counts",
        b"\x80\x04\x80\x02" + text(b"commands") + text(b"x") + b"\x93.",
        "odd, subprocess.x for commands.x, stop global",
    ),
    Row("GLOBAL in UTF-8", "cé\nx\n.".encode(), "é.x, stop global"),
    Row("GLOBAL not in UTF-8", b"c\xff\nx\n.", "fail"),
    Row("GLOBAL with a carriage return", b"cos\r\nsystem\n.", "os\r.system, stop global"),
    Row("GLOBAL of nothing", b"c\nx\n.", "fail", ".x, stop global"),
    Row("GLOBAL at the end", b"cos\nsystemx", "cut", "os.system, cut"),
    Row("GLOBAL without a name", b"cos\n", "cut", "os., cut"),
    Row("STACK_GLOBAL", text(b"os") + text(b"a.b") + b"\x93.", "os.a.b, stop global"),
    Row("STACK_GLOBAL of 8-bit strings", b"U\x02osU\x01a\x93.", "os.a, stop global"),
    Row("STACK_GLOBAL of bytes", b"C\x02osC\x01a\x93.", "fail"),
    Row("STACK_GLOBAL of one string", text(b"os") + b"\x93.", "fail"),
    Row(
        "STACK_GLOBAL by memo",
        text(b"x") + b"\x940" + text(b"os") + b"h\x00\x93.",
        "os.x, stop global",
    ),
    Row("INST", b"(K\x01ios\nsystem\n.", "os.system, INST tuple1, stop instance"),
    Row("INST without a mark", b"ios\nsystem\n.", "fail", "os.system, fail"),
    Row("INST not in ASCII", b"(i\xc3\xa9\nx\n.", "fail"),
    Row("INST at the end", b"(ios\nsystemx", "cut", "os.system, INST tuple0, cut"),
    # Calls
    Row("REDUCE", b"cos\nsystem\n(K\x01tR.", "os.system, REDUCE tuple1, stop instance"),
    Row(
        "REDUCE with a list",
        b"cos\nsystem\n]R.",
        "os.system, fail",
        "os.system, REDUCE list0, stop instance",
    ),
    Row(
        "REDUCE with a string",
        b"cos\nsystem\nU\x01aR.",
        "os.system, fail",
        "os.system, REDUCE 'a', stop instance",
    ),
    Row("REDUCE with a number", b"cos\nsystem\nK\x01R.", "os.system, fail"),
    Row("REDUCE of a string", b"U\x02os)R.", "fail"),
    Row(
        "REDUCE of what a call returned",
        CALL + b")R.",
        "os.system, REDUCE tuple0, REDUCE tuple0, stop instance",
    ),
    Row(
        "REDUCE of a persistent object", b"Pa\n)R.", "persistent 'a', REDUCE tuple0, stop instance"
    ),
    Row("REDUCE across a mark", b"cos\nsystem\n()R.", "os.system, fail"),
    Row("POP hides no call", CALL + b"0N.", "os.system, REDUCE tuple0, stop None"),
    Row("OBJ", b"(cos\nsystem\nK\x01o.", "os.system, OBJ tuple1, stop instance"),
    Row("OBJ of nothing", b"(o.", "fail"),
    Row("OBJ of a number", b"(K\x01o.", "fail"),
    Row("NEWOBJ", b"cos\nsystem\n)\x81.", "os.system, NEWOBJ tuple0, stop instance"),
    Row(
        "NEWOBJ with a list",
        b"cos\nsystem\n]\x81.",
        "os.system, fail",
        "os.system, NEWOBJ list0, stop instance",
    ),
    Row("NEWOBJ_EX", b"cos\nsystem\n)}\x92.", "os.system, NEWOBJ_EX tuple0, stop instance"),
    Row(
        "NEWOBJ_EX with what may be keywords",
        b"cos\nsystem\n)Pa\n\x92.",
        "os.system, persistent 'a', NEWOBJ_EX tuple0, stop instance",
    ),
    Row("NEWOBJ_EX without keywords", b"cos\nsystem\n)N\x92.", "os.system, fail"),
    Row("PERSID", b"Pa b\n.", "persistent 'a b', stop persistent"),
    Row("PERSID of nothing", b"P\n.", "persistent '', stop persistent"),
    Row("PERSID not in ASCII", b"P\xe9\n.", "fail"),
    Row("PERSID at the end", b"Pabc", "cut", "persistent 'ab', cut"),
    Row("BINPERSID", b"]Q.", "persistent list0, stop persistent"),
    Row("EXT1", b"\x82\x05.", "extension 5, stop extension"),
    Row("EXT2", b"\x83\x05\x00.", "extension 5, stop extension"),
    Row("EXT4", b"\x84\x05\x00\x00\x00.", "extension 5, stop extension"),
    Row("EXT1 of zero", b"\x82\x00.", "fail"),
    Row("EXT4 below zero", b"\x84\xff\xff\xff\xff.", "fail"),
    # State and items
    Row("BUILD", CALL + b"}b.", "os.system, REDUCE tuple0, BUILD dict0, stop instance"),
    Row("BUILD on a global", b"cos\nsystem\n}b.", "os.system, BUILD dict0, stop global"),
    Row("BUILD on a list", b"]}b.", "fail", "stop list0"),
    Row("BUILD of None on a list", b"]Nb.", "stop list0"),
    Row("BUILD of what may be None on a list", b"]Pa\nb.", "persistent 'a', stop list0"),
    Row("BUILD of a pair on a list", b"]N}\x86b.", "stop list0"),
    Row("BUILD of a wrong pair on a list", b"]NN\x86b.", "fail", "stop list0"),
    Row("BUILD of a number on a list", b"]K\x01b.", "fail"),
    Row("BUILD without a state", b"}b.", "fail"),
    Row("APPEND", b"]K\x01a.", "stop list1"),
    Row(
        "APPEND to an object",
        CALL + b"K\x01a.",
        "os.system, REDUCE tuple0, APPEND 1, stop instance",
    ),
    Row("APPEND to a global", b"csys\npath\nK\x01a.", "sys.path, APPEND 1, stop global"),
    Row("APPEND to a tuple", b")K\x01a.", "fail"),
    Row(
        "APPEND to bytes that change",
        b"\x96" + struct.pack("<Q", 0) + b"K\x01a.",
        "APPEND 1, stop bytearray*0",
    ),
    Row("APPEND without a value", b"]a.", "fail"),
    Row("APPENDS", b"](K\x01K\x02e.", "stop list2"),
    Row("APPENDS of nothing to None", b"N(e.", "stop None", "fail"),
    Row(
        "APPENDS of nothing to an object",
        b"Pa\n(e.",
        "persistent 'a', stop persistent",
        "persistent 'a', APPENDS, stop persistent",
    ),
    Row(
        "APPENDS to an object", b"Pa\n(K\x01K\x02e.", "persistent 'a', APPENDS 1 2, stop persistent"
    ),
    Row("APPENDS without a list", b"(Ne.", "fail"),
    Row("SETITEM", b"}K\x01K\x02s.", "stop dict1"),
    Row("SETITEM in a list", b"]K\x05aK\x00K\x02s.", "stop list1"),
    Row("SETITEM in a list by name", b"]K\x05aU\x00K\x02s.", "fail"),
    Row(
        "SETITEM in a list by what may be a number or a slice",
        b"]Pa\nNs.",
        "persistent 'a', SETITEM persistent None, stop list0",
    ),
    Row("SETITEM of a list as key", b"}]K\x02s.", "fail"),
    Row("SETITEM of a tuple with a list as key", b"}]\x85\x85K\x02s.", "fail"),
    Row(
        "SETITEM of bytes that change as key", b"}\x96" + struct.pack("<Q", 0) + b"K\x02s.", "fail"
    ),
    Row("SETITEM in a tuple", b")K\x01K\x02s.", "fail"),
    Row(
        "SETITEM in an object", b"Pa\nK\x01K\x02s.", "persistent 'a', SETITEM 1 2, stop persistent"
    ),
    Row("SETITEMS of nothing on None", b"N(u.", "stop None"),
    Row(
        "SETITEMS of an odd number",
        b"Pa\n(K\x01K\x02K\x03u.",
        "persistent 'a', fail",
        "persistent 'a', SETITEMS 1 2, fail",
    ),
    Row("DICT of an odd number", b"(K\x01d.", "fail"),
    Row("DICT of an unhashable key", b"(]Nd.", "fail"),
    Row("ADDITEMS", b"\x8f(K\x01K\x02\x90.", "stop set2"),
    Row("ADDITEMS to a frozenset", b"(\x91(K\x01\x90.", "fail"),
    Row("ADDITEMS of nothing to None", b"N(\x90.", "stop None", "fail"),
    Row(
        "ADDITEMS to an object",
        b"Pa\n(K\x01K\x02\x90.",
        "persistent 'a', ADDITEMS 1 2, stop persistent",
    ),
    Row("ADDITEMS of a list", b"\x8f(]\x90.", "fail"),
    Row("FROZENSET of a list", b"(]\x91.", "fail"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_quirk(row: Row) -> None:
    assert lines(row.data, "c") == row.c
    if "stop" in row.c:  # what is far from the end is done in another way
        assert lines(row.data + b"N" * 64, "c") == row.c
    assert lines(row.data, "python") == (row.python or row.c)
    assert lines(row.data, "file") == (row.file or row.c)


@pytest.mark.skipif(sys.platform == "win32", reason="the child is confined by rlimits")
def test_the_real_unpicklers_do_the_same() -> None:
    found = differences([(dialect, row.data) for row in ROWS for dialect in DIALECTS])
    assert not found, "\n".join(found)


def test_a_name_that_is_computed_is_not_literal() -> None:
    facts = [*trace(View(text(b"os") + CALL + b"\x93.").reader())]
    found = facts[-2]
    assert isinstance(found, Global)
    assert not found.literal
    assert found.module == "os"
    assert found.name == "<instance at offset 16>"


def test_a_name_that_is_long_is_not_kept() -> None:
    data = b"X\x00\x20\x00\x00" + b"o" * 8192 + text(b"x") + b"\x93."
    found = next(trace(View(data).reader()))
    assert isinstance(found, Global)
    assert not found.literal
    assert found.full_name == "<8192 bytes at offset 5>.x"


def test_a_line_that_is_long_is_not_read() -> None:
    for size in (MAX_LINE, MAX_LINE + 1, MAX_LINE * 9):
        data = b"c" + b"a" * size + b"\nb\n."
        end = [*trace(View(data).reader())][-1]
        assert (isinstance(end, Failure) and end.budget) == (size > MAX_LINE)


def test_what_a_container_holds_beyond_the_first_is_counted() -> None:
    data = b"](" + b"K\x01" * 1000 + b"e(" + b"K\x01" * 50 + b"e."
    stop = [*trace(View(data).reader())][-1]
    assert isinstance(stop, Stop)
    assert isinstance(stop.value, Items)
    assert (stop.value.count, len(stop.value.items), stop.value.complete) == (1050, 32, False)
    stop = [*trace(View(data).reader(), values=True)][-1]
    assert isinstance(stop, Stop)
    assert isinstance(stop.value, Items)
    assert (stop.value.count, len(stop.value.items), stop.value.complete) == (1050, 1050, True)
