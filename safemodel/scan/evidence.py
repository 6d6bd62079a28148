"""Abstract values as short text for a finding. Never longer than asked, whatever the value."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value

MAX_NAME: Final = 200
_MAX_DEPTH: Final = 5
_MAX_ITEMS: Final = 8
_BRACKETS: Final = {"list": "[]", "tuple": "()", "set": "{}", "frozenset": "{}"}


def bounded(text: str, limit: int = MAX_NAME) -> str:
    """`text`, cut in the middle where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2 - 2
    return f"{text[:half]} ... {text[-half:]}"


def describe(value: Value, limit: int = 300) -> str:
    """How a value would look in Python, as far as `limit` characters go."""
    parts: list[str] = []
    _write(value, parts, [limit], 0)
    return bounded("".join(parts), limit)


def _put(text: str, parts: list[str], left: list[int]) -> None:
    if left[0] > 0:
        parts.append(text)
        left[0] -= len(text)


def _write(value: Value, parts: list[str], left: list[int], depth: int) -> None:
    if left[0] <= 0:
        return
    if depth > _MAX_DEPTH:
        _put("...", parts, left)
    elif isinstance(value, Items):
        _items(value, parts, left, depth)
    elif isinstance(value, Pairs):
        _pairs(value, parts, left, depth)
    elif isinstance(value, Instance):
        _write(value.callee, parts, left, depth + 1)
        if isinstance(value.arguments, Items):
            _items(value.arguments, parts, left, depth)
        else:
            _put("(*", parts, left)
            _write(value.arguments, parts, left, depth + 1)
            _put(")", parts, left)
    else:
        _put(_leaf(value), parts, left)


def _leaf(value: Value) -> str:
    if isinstance(value, Global):
        return bounded(value.full_name)
    if isinstance(value, Blob):
        return f"<{value.kind} of {value.size} bytes>"
    if isinstance(value, Persistent):
        return "<persistent id>"
    if isinstance(value, Extension):
        return f"<extension {value.code}>"
    if isinstance(value, str | bytes):
        return repr(value[:MAX_NAME]) + ("..." if len(value) > MAX_NAME else "")
    if isinstance(value, int) and value.bit_length() > 512:
        return f"<integer of {value.bit_length()} bits>"
    return repr(value)


def _items(value: Items, parts: list[str], left: list[int], depth: int) -> None:
    brackets = _BRACKETS[value.kind]
    _put(brackets[0], parts, left)
    for index, item in enumerate(value.items[:_MAX_ITEMS]):
        if index:
            _put(", ", parts, left)
        _write(item, parts, left, depth + 1)
    if value.count > _MAX_ITEMS:
        _put(f", ... {value.count} in all", parts, left)
    elif value.kind == "tuple" and value.count == 1 and depth:
        _put(",", parts, left)
    _put(brackets[1], parts, left)


def _pairs(value: Pairs, parts: list[str], left: list[int], depth: int) -> None:
    _put("{", parts, left)
    for index, (key, item) in enumerate(value.items[:_MAX_ITEMS]):
        if index:
            _put(", ", parts, left)
        _write(key, parts, left, depth + 1)
        _put(": ", parts, left)
        _write(item, parts, left, depth + 1)
    if value.count > _MAX_ITEMS:
        _put(f", ... {value.count} in all", parts, left)
    _put("}", parts, left)
