"""Literals of the text opcodes, as CPython's two unpicklers read them.

The C one hands the line to C library functions, which end it at a NUL and know octal numbers; the
Python one hands it to `int` and `float`. Each function takes the line without its newline, and
raises `ValueError` where the unpickler raises.
"""

from __future__ import annotations

from typing import Final

MAX_DIGITS: Final = 2400  # below MAX_INT_BITS; Python itself refuses 4301 (CVE-2020-10735)
MAX_INT_BITS: Final = 8192  # below 2,467 digits: printing one never raises
_SPACE: Final = b" \t\n\v\f\r"
_LONG_MAX: Final = (1 << 63) - 1
_ESCAPES: Final = {
    0x5C: 0x5C,
    0x27: 0x27,
    0x22: 0x22,
    0x62: 0x08,
    0x66: 0x0C,
    0x74: 0x09,
    0x6E: 0x0A,
    0x72: 0x0D,
    0x76: 0x0B,
    0x61: 0x07,
}


def int_literal(line: bytes, *, c: bool) -> int | None:
    """The argument of INT; None for a number that is too long to convert."""
    if line.isdigit() and line[0] != 0x30 and len(line) < MAX_DIGITS:
        return int(line)
    if not c:
        if line == b"00":
            return False
        if line == b"01":
            return True
        return _number(line, 0)
    if not line:
        raise ValueError("an empty line")
    text = line.partition(b"\0")[0]
    value = _octal(text) if text else 0
    if value is None:
        value = _number(text, 0)
        if value is None or not _strtol_takes(text):
            return value
    if len(line) == 2 and value in (0, 1):
        return bool(value)
    return value


def long_literal(line: bytes, *, c: bool) -> int | None:
    """The argument of LONG; None for a number that is too long to convert."""
    if line[-1:] == b"L":
        line = line[:-1]
    return _number(line.partition(b"\0")[0] if c else line, 0)


def index_literal(line: bytes, *, c: bool) -> int:
    """The argument of PUT or GET."""
    if line.isdigit() and len(line) < MAX_DIGITS:
        return int(line)
    value = _number(line.partition(b"\0")[0] if c else line, 10)
    if value is None:
        raise ValueError("an index that is too large")
    return value


def float_literal(line: bytes, *, c: bool) -> float:
    """The argument of FLOAT."""
    if not c:
        return float(line)
    text = line.partition(b"\0")[0]
    if b"_" in text or text.strip(_SPACE) != text:
        raise ValueError("could not convert string to float")
    value = float(text)
    if value in (float("inf"), float("-inf")) and b"n" not in text.lower():
        raise ValueError("value too large to convert to float")
    return value


def string_literal(line: bytes) -> bytes:
    """The argument of STRING: quoted, with the escapes of a bytes literal."""
    if len(line) < 2 or line[0] != line[-1] or line[0] not in b"\"'":
        raise ValueError("the STRING opcode argument must be quoted")
    text = line[1:-1]
    return _unescape(text) if b"\\" in text else text


def _unescape(text: bytes) -> bytes:
    """As `codecs.escape_decode`, without its warnings."""
    parts = text.split(b"\\")
    found = bytearray(parts[0])
    index = 1
    while index < len(parts):
        part = parts[index]
        index += 1
        if not part:  # an escaped backslash, unless nothing follows
            if index == len(parts):
                raise ValueError("trailing \\ in string")
            found += b"\\" + parts[index]
            index += 1
            continue
        first = part[0]
        if first == 0x0A:
            found += part[1:]
        elif first in _ESCAPES:
            found.append(_ESCAPES[first])
            found += part[1:]
        elif first == 0x78:
            found.append(_hexadecimal(part[1:3]))
            found += part[3:]
        elif 0x30 <= first <= 0x37:
            digits = part[:3]
            while not (digits.isdigit() and b"8" not in digits and b"9" not in digits):
                digits = digits[:-1]
            found.append(int(digits, 8) & 0xFF)
            found += part[len(digits) :]
        else:
            found += b"\\" + part
    return bytes(found)


def _hexadecimal(digits: bytes) -> int:
    if len(digits) != 2 or not all(byte in b"0123456789abcdefABCDEF" for byte in digits):
        raise ValueError("invalid \\x escape")
    return int(digits, 16)


def _number(text: bytes, base: int) -> int | None:
    """As `int(text, base)`; None for a decimal number of more than `MAX_DIGITS` digits."""
    if len(text) > MAX_DIGITS:
        digits = text.strip(_SPACE).lstrip(b"+-").replace(b"_", b"")
        if digits.isdigit():
            return None
        if len(digits) > MAX_DIGITS and digits[:1] == b"0" and digits[1:2] in b"xXoObB":
            _check_digits(digits)
            return None
    value = int(text, base)
    return None if value.bit_length() > MAX_INT_BITS else value


def _check_digits(digits: bytes) -> None:
    allowed = {b"x": b"0123456789abcdef", b"o": b"01234567", b"b": b"01"}[digits[1:2].lower()]
    if digits[2:].lower().strip(allowed):
        raise ValueError("invalid digit")


def _octal(text: bytes) -> int | None:
    """What `strtol` makes of a number that begins with a zero and is no valid Python literal."""
    digits = text.lstrip(_SPACE)
    sign = -1 if digits[:1] == b"-" else 1
    digits = digits.lstrip(b"+-") if digits[:2] not in (b"+-", b"-+", b"++", b"--") else b""
    if len(digits) < 2 or digits[0] != 0x30 or digits.strip(b"01234567"):
        return None
    value = int(digits, 8)
    return sign * value if value <= _LONG_MAX else None


def _strtol_takes(text: bytes) -> bool:
    """Whether `strtol` reads a whole number of at most one digit: no space behind it."""
    return not text or text[-1:].isalnum()
