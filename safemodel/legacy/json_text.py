"""JSON as Python's `json.loads` reads it, bounded, and with what other parsers would read instead.

Models carry JSON that other tools wrote and other parsers read. So this accepts all that the
standard library accepts (UTF-8 with or without a byte order mark, UTF-16, UTF-32, NaN, lone
surrogates, keys that occur twice), says where a second parser may disagree, and bounds what
`json.loads` does not: size, values, nesting, digits. Never a RecursionError, never a ValueError.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

MAX_SIZE: Final = 128 << 20
MAX_DEPTH: Final = 200
MAX_VALUES: Final = 8_000_000
MAX_DIGITS: Final = 4300  # where `int()` itself refuses, and any Python loader with it

_NOT_MARKS: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_WHITE: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that occurred before in the same object.

    Attributes:
        key: the key.
        value: that it had there; the tree has only the last one.
    """

    key: str
    value: JsonValue


@dataclass(frozen=True, slots=True)
class JsonText:
    """What a text spells.

    Attributes:
        value: the tree; of keys that occur twice it has the last value, as in most parsers.
        duplicates: the values that were overwritten, in the order of the text.
        encoding: `utf-8`, or `utf-8-sig`, `utf-16-le`, ... where the bytes suggest it.
        constants: of `NaN`, `Infinity`, `-Infinity`, those that occur (no JSON, but common).
    """

    value: JsonValue
    duplicates: tuple[Duplicate, ...]
    encoding: str
    constants: tuple[str, ...]


def parse(
    data: bytes | memoryview,
    *,
    max_size: int = MAX_SIZE,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
) -> JsonText:
    """Read one JSON value that fills `data`, but for white space.

    Raises:
        DamagedError: not JSON, or an integer of more than 4300 digits.
        BudgetError: more than `max_size` bytes, `max_values` values or `max_depth` levels.
    """
    if len(data) > max_size:
        raise BudgetError(f"JSON of {len(data)} bytes, more than {max_size}")
    raw = bytes(data)
    encoding = json.detect_encoding(raw)
    try:
        text = raw.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        raise DamagedError(f"not {encoding.upper()}", offset=error.start) from None
    plain = raw if encoding.startswith("utf-8") else text.encode("utf-8", "surrogatepass")
    _check_cost(plain, max_depth=max_depth, max_values=max_values)
    return _decode(text, encoding)


def _decode(text: str, encoding: str) -> JsonText:
    duplicates: list[Duplicate] = []
    constants: dict[str, float] = {}

    def pairs(items: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        members = dict(items)
        if len(members) != len(items):
            seen: dict[str, JsonValue] = {}
            for key, value in items:
                if key in seen:
                    duplicates.append(Duplicate(key, seen[key]))
                seen[key] = value
        return members

    def constant(name: str) -> float:
        return constants.setdefault(name, float(name))

    decoder = json.JSONDecoder(object_pairs_hook=pairs, parse_int=_integer, parse_constant=constant)
    try:
        value: JsonValue = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = len(text[: error.pos].encode("utf-8", "surrogatepass"))
        raise DamagedError(
            f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", offset=place
        ) from None
    except RecursionError:  # called at the end of a deep stack
        raise BudgetError("JSON nested too deep") from None
    return JsonText(value, tuple(duplicates), encoding, tuple(constants))


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise DamagedError(f"an integer of {len(digits)} digits in JSON")
    return int(digits)


def _check_cost(data: bytes, *, max_depth: int, max_values: int) -> None:
    """Bound what parsing may cost before anything is parsed.

    An empty list costs 56 bytes for two of JSON, and the parser of the standard library recurses:
    neither is bounded by the size alone.
    """
    values = sum(map(data.count, (b",", b"[", b"{")))
    if values > max_values:
        raise BudgetError(f"JSON of more than {max_values} values")
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    # What lies between quotes is dropped, so no bracket in a string is counted. Two quotes side by
    # side change nothing and go first: there are not more pieces than brackets. (A regular
    # expression for strings would take quadratic time on quotes that never close.)
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    depth = 0
    marks = unescaped.translate(None, _NOT_MARKS).replace(b'""', b"")
    for bracket in b"".join(marks.split(b'"')[::2]):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise BudgetError(f"JSON nested deeper than {max_depth}")


def looks_like_json(head: bytes | memoryview) -> bool:
    """Whether the first bytes of a content can begin a JSON object or list (cheap, not certain)."""
    start = bytes(head[:4096])
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in start[:4]:
        start = start.replace(b"\x00", b"").lstrip(b"\xff\xfe")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip(_WHITE)
    after = text[1:].lstrip(_WHITE)[:1]
    if text[:1] == b"{":
        return after in b'"}'
    return text[:1] == b"[" and after in b'[]{"-0123456789tfnIN'
