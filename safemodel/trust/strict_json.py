"""JSON that other tools wrote: any spelling, but one meaning (spec/signing.md, "Strict JSON").

Signature files and the trust store need not be canonical. Still refused is everything that two
parsers could read differently or that costs more than its size: duplicate keys, numbers that are
not small integers, deep nesting, too many values. Then each value is taken out by a function that
names the type it must have: nothing of the wrong shape gets further than this module.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Final, NoReturn

from safemodel import limits
from safemodel.errors import JsonError, LimitError
from safemodel.format.canonical_json import JsonValue

_NOT_MARKS: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_MAX_DIGITS: Final = 17
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def parse(data: bytes, *, max_size: int) -> JsonValue:
    """The value that `data` spells, in UTF-8 without a byte order mark; else `JsonError`."""
    if len(data) > max_size:
        raise LimitError(f"{len(data)} bytes of JSON, more than the limit of {max_size}")
    _check_cost(data)
    try:
        value: JsonValue = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON at character {error.pos}: {error.msg.lower()}") from None
    return value


def _check_cost(data: bytes) -> None:
    """Bound what parsing may cost before anything is parsed.

    A list costs 56 bytes of memory for two of JSON, and the parser of the standard library
    recurses: neither is bounded by the size of the file alone.
    """
    tokens = sum(map(data.count, (b",", b"[", b"]", b"{", b"}")))
    if tokens > limits.MAX_SIGNATURE_TOKENS:
        raise LimitError(f"JSON of more than {limits.MAX_SIGNATURE_TOKENS} values")
    # What lies between quotes is dropped, so no bracket in a string is counted; two quotes side by
    # side change nothing and go first, so there are not more pieces than brackets. (A regular
    # expression for strings would take quadratic time on quotes that never close.)
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    depth = 0
    marks = unescaped.translate(None, _NOT_MARKS).replace(b'""', b"")
    for bracket in b"".join(marks.split(b'"')[::2]):
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.MAX_SIGNATURE_DEPTH:
            raise LimitError(f"JSON nested deeper than {limits.MAX_SIGNATURE_DEPTH}")


def _no_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonError("an object that has the same key twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise JsonError("an integer that is too large")
    return int(digits)


def _refuse_float(_: str) -> NoReturn:
    raise JsonError("a number that is not an integer")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_no_duplicates,
    parse_int=_integer,
    parse_float=_refuse_float,
    parse_constant=_refuse_float,
)


def members(
    value: JsonValue, what: str, *, required: frozenset[str], optional: frozenset[str] = frozenset()
) -> dict[str, JsonValue]:
    """The members of an object that has all `required` keys, and none but the `optional` else."""
    if not isinstance(value, dict):
        raise JsonError(f"{what} is not an object")
    for key in sorted(required - value.keys()):
        raise JsonError(f"{what} has no {key!r}")
    for key in sorted(value.keys() - required - optional):
        raise JsonError(f"{what} has {_short(key)}, which is not known here")
    return value


def items(value: JsonValue, what: str) -> list[JsonValue]:
    """The items of a list."""
    if not isinstance(value, list):
        raise JsonError(f"{what} is not a list")
    return value


def text(value: JsonValue, what: str, *, max_size: int) -> str:
    """A string of at most `max_size` bytes of UTF-8."""
    if not isinstance(value, str):
        raise JsonError(f"{what} is not a string")
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise JsonError(f"{what} holds a lone surrogate, which UTF-8 does not carry") from None
    if size > max_size:
        raise LimitError(f"{what} has {size} bytes, more than {max_size}")
    return value


def constant(value: JsonValue, what: str, expected: JsonValue) -> None:
    """Nothing, if the value is exactly the one that it must be (`True` is not 1)."""
    if type(value) is not type(expected) or value != expected:
        raise JsonError(f"{what} is not {expected!r}")


def hex_digest(value: JsonValue, what: str) -> str:
    """A SHA-256 as 64 lower-case hexadecimal digits."""
    if not isinstance(value, str) or not _HEX_DIGEST.fullmatch(value):
        raise JsonError(f"{what} is not 64 lower-case hexadecimal digits")
    return value


def integer(value: JsonValue, what: str) -> int:
    """An integer; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise JsonError(f"{what} is not an integer")
    return value


def base64_bytes(value: JsonValue, what: str) -> bytes:
    """The bytes of a standard, padded base64 string, in its only spelling."""
    if not isinstance(value, str) or not value.isascii():
        raise JsonError(f"{what} is not base64")
    try:
        data = binascii.a2b_base64(value, strict_mode=True) if value else b""
    except binascii.Error:
        raise JsonError(f"{what} is not base64") from None
    if base64.b64encode(data).decode("ascii") != value:
        # The unused low bits of the last digit: they could hide data or make two files of one.
        raise JsonError(f"{what} is base64, but not in its canonical spelling")
    return data


def to_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def _short(key: str) -> str:
    return repr(key if len(key) <= 40 else key[:40] + "…")
