"""Canonical JSON: one value, one encoding (spec/format.md, "Canonical JSON").

RFC 8785, restricted: UTF-8; the keys of objects are printable ASCII (possibly empty) and sorted;
no floats; integers within +-(2^53 - 1); no lone surrogates; at most 64 containers inside each
other (the outermost counts as one). Knows nothing of what the values mean.

`decode` accepts exactly the bytes that `encode` produces. It parses with the standard library,
re-encodes and compares, so that duplicate keys, whitespace, byte order marks, other orders,
other escapes and `-0` need no rule of their own, and no two parsers can disagree about a value.
"""

from __future__ import annotations

import json
from typing import Final, NoReturn, TypeAlias, cast

from safemodel import limits
from safemodel.errors import JsonError, LimitError
from safemodel.format import Buffer

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"

_TYPES: Final = frozenset({type(None), bool, int, str, list, dict})

# No legal integer is longer, sign included. Python's own limit on digits can be switched off by
# the program around us, and then int() of a long text takes quadratic time.
_MAX_DIGITS: Final = 17

_MARKS: Final = b'"[]{}'
_NOT_MARKS: Final = bytes(byte for byte in range(256) if byte not in _MARKS)
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


def encode(value: JsonValue) -> bytes:
    """Return the only encoding of `value`, or raise JsonError or LimitError."""
    checked(value)
    try:
        data = _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonError("a string holds a lone surrogate, which UTF-8 does not carry") from None
    _check_tokens(data)
    return data


def decode(data: Buffer, *, max_size: int) -> JsonValue:
    """Return the value that `data` is the canonical encoding of.

    `max_size` bounds `data` in bytes.
    """
    size = memoryview(data).nbytes
    if size > max_size:
        raise LimitError(f"{size} bytes of JSON, more than the limit of {max_size}")
    raw = bytes(data)
    _check_tokens(raw)
    _check_depth(raw)
    try:
        value: JsonValue = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON at character {error.pos}: {error.msg.lower()}") from None
    if encode(value) != raw:
        raise JsonError("JSON that is not in its canonical encoding")
    return value


def checked(value: object) -> JsonValue:
    """Return `value` if it has the types and bounds of canonical JSON.

    Goes level by level and so without recursion. Types are compared exactly: True is not 1, and a
    subclass could print itself as it likes.
    """
    keys: set[object] = set()
    level = [value]
    depth = 0
    while level:
        unknown = set(map(type, level)) - _TYPES
        if unknown:
            names = ", ".join(sorted(kind.__name__ for kind in unknown))
            raise JsonError(f"a value of type {names}, which canonical JSON does not have")
        numbers = [item for item in level if type(item) is int]
        if numbers and max(max(numbers), -min(numbers)) > limits.MAX_SAFE_INTEGER:
            raise JsonError("an integer beyond +-(2^53 - 1)")
        objects = [item for item in level if type(item) is dict]
        arrays = [item for item in level if type(item) is list]
        if objects or arrays:
            depth += 1
        if depth > limits.MAX_JSON_DEPTH:
            raise LimitError(f"JSON nested deeper than {limits.MAX_JSON_DEPTH}")
        keys.update(*objects)
        level = [item for entries in objects for item in entries.values()]
        level += [item for items in arrays for item in items]
    _check_keys(keys)
    return cast(JsonValue, value)


def _check_keys(keys: set[object]) -> None:
    names = [key for key in keys if type(key) is str]
    if len(names) < len(keys):
        raise JsonError("a key that is not a string")
    joined = "".join(names)
    if not (joined.isascii() and joined.isprintable()):
        raise JsonError("a key that is not printable ASCII")


def _check_tokens(raw: bytes) -> None:
    """Bound what parsing allocates: three bytes `[],` become a list of 64, so size is no bound.

    Marks inside of strings count too; that keeps the rule as simple as it is.
    """
    tokens = sum(raw.count(mark) for mark in (b",", b"[", b"{"))
    if tokens > limits.MAX_JSON_TOKENS:
        raise LimitError(f"JSON of {tokens} values, more than {limits.MAX_JSON_TOKENS}")


def _check_depth(raw: bytes) -> None:
    """Refuse deep nesting before the recursive parser of the standard library sees it.

    Its own guard is the interpreter's recursion limit, which programs raise until the C stack
    overflows. What is left of `raw` without its strings is brackets; each round takes the
    innermost pairs away, so the number of rounds is the depth.
    """
    if b"\\" in raw:  # no escaped quote must count as the end of a string
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = raw.translate(_ONE_KIND, _NOT_MARKS)
    # Two quotes side by side leave every bracket as far inside or outside of strings as it was.
    brackets = b"".join(marks.replace(b'""', b"").split(b'"')[::2])
    depth = 0
    while brackets:
        depth += 1
        if depth > limits.MAX_JSON_DEPTH:
            raise LimitError(f"JSON nested deeper than {limits.MAX_JSON_DEPTH}")
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            raise JsonError("not JSON: its brackets do not match")
        brackets = outer


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise JsonError("an integer beyond +-(2^53 - 1)")
    return int(digits)


def _refuse_float(_: str) -> NoReturn:
    raise JsonError("a number that is not an integer")


_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)
_DECODER: Final = json.JSONDecoder(
    parse_int=_integer, parse_float=_refuse_float, parse_constant=_refuse_float
)
