"""Configurations as JSON of an architecture: written, read, checked.

`{"field": VALUE, ...}`. A VALUE is null, a boolean, an integer, a string, `{"float": hexadecimal}`,
a list of VALUEs, `{"pairs": [[VALUE, VALUE], ...]}` for a dictionary, or `{"fields": {...}}` for a
configuration within the configuration. Every field is hostile: its name is looked up in a table,
its kind checked, and numbers that become loops, modules or memory are bounded by what the archive
holds. Implements spec/transformers.md, "Configuration".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import float_text, parse_float
from safemodel.adapters.huggingface.fields import DTYPES, FIELDS
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

MAX_DEPTH: Final = 6
MAX_VALUES: Final = 400_000  # in all of a configuration: labels are many
MAX_LENGTH: Final = 1 << 31
MAX_COUNT: Final = 1 << 16  # where no tensor has more
MAX_SUM: Final = 1 << 20  # of a list of counts
MAX_ITEMS: Final = 4096
MAX_TEXT: Final = 200
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


def encode_fields(values: Mapping[str, object]) -> JsonValue:
    """The JSON of checked fields (`check_fields`)."""
    return {name: _encode(value) for name, value in values.items()}


def _encode(value: Any) -> JsonValue:
    if type(value) is float:
        return {"float": float_text(value)}
    if isinstance(value, Fields):
        return {"fields": encode_fields(value)}
    if isinstance(value, dict):
        return {"pairs": [[_encode(key), _encode(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value  # type: ignore[no-any-return]  # checked


class Fields(dict[str, object]):
    """The fields of a configuration within another."""


class _Reading:
    """One configuration under way: how many values it had."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def fields(self, value: JsonValue, depth: int) -> Fields:
        if type(value) is not dict:
            raise ArchitectureError("a configuration must be an object of fields")
        return Fields({name: self.value(item, depth + 1) for name, item in value.items()})

    def value(self, value: JsonValue, depth: int) -> object:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise ArchitectureError("a configuration of too many values, or nested too deeply")
        if value is None or type(value) in (bool, int):
            return value
        if type(value) is str:
            if len(value.encode()) > limits.MAX_ARCHITECTURE_STRING:
                raise ArchitectureError("a string of more than 4 KiB in a configuration")
            return value
        if type(value) is list:
            return [self.value(item, depth + 1) for item in value]
        if type(value) is dict and len(value) == 1:
            ((tag, content),) = value.items()
            if tag == "float":
                return parse_float(content)
            if tag == "fields":
                return self.fields(content, depth + 1)
            if tag == "pairs":
                return self._pairs(content, depth + 1)
        raise ArchitectureError(f"not a value of a configuration: {value!r:.60}")

    def _pairs(self, content: JsonValue, depth: int) -> dict[object, object]:
        result: dict[object, object] = {}
        for pair in content if type(content) is list else [None]:
            if type(pair) is not list or len(pair) != 2 or type(pair[0]) not in (int, str):
                raise ArchitectureError("not the pairs of a dictionary")
            key = self.value(pair[0], depth)
            if key in result:
                raise ArchitectureError(f"the key {key!r:.60} occurs twice")
            result[key] = self.value(pair[1], depth)
        return result


def decode_fields(
    value: JsonValue, largest: int, table: Mapping[str, str] = FIELDS
) -> dict[str, object]:
    """The fields of a configuration, checked; `largest` as for `check_fields`.

    Raises:
        ArchitectureError: not such JSON, or a field that must not be.
    """
    found = _Reading().fields(value, 0)
    check_fields(found, largest, table)
    return dict(found)


def check_fields(
    found: Mapping[str, object], largest: int, table: Mapping[str, str] = FIELDS, place: str = ""
) -> None:
    """Check that every field is in the table and holds what that says.

    `largest` is the largest number that the tensors of the model show: an extent, or how many they
    are. A size of the model is one of those.

    Raises:
        ArchitectureError: an unknown field, another kind, or a number out of all proportion.
    """
    for name, value in found.items():
        kind = table.get(name)
        here = f"{place}{name}"[:200]
        if kind is None:
            raise ArchitectureError(f"the configuration has a field {here!r}, which none may have")
        if value is None:
            continue
        if kind == "config":
            if not isinstance(value, Fields):
                raise ArchitectureError(f"{here} must be a configuration")
            check_fields(value, largest, table, f"{here}.")
        elif isinstance(value, Fields) or not _CHECKS[kind](value, max(largest, MAX_COUNT)):
            raise ArchitectureError(
                f"{here} of the configuration must be a {kind} within bounds: {value!r:.60}"
            )


def leaves(value: object) -> Iterator[object]:
    """The items of nested lists."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend(item)
        else:
            yield item


def _flag(value: object, largest: int) -> bool:
    return type(value) is bool or value == "never"  # early_stopping


def _number(value: object, largest: int) -> bool:
    if type(value) is int:
        return abs(value) <= limits.MAX_SAFE_INTEGER
    return type(value) is float and math.isfinite(value)


def _count(value: object, largest: int) -> bool:
    # A number without a fraction that a configuration spells as a float is none.
    return type(value) is int and -1 <= value <= largest


def _integers(value: object, bound: int) -> bool:
    items = list(leaves(value))
    return len(items) <= MAX_VALUES and all(
        item is None or (type(item) is int and -bound <= item <= bound) for item in items
    )


def _length(value: object, largest: int) -> bool:
    return _integers(value, MAX_LENGTH)


def _list(value: object, largest: int) -> bool:
    items = list(leaves(value))
    whole = [item for item in items if type(item) is int]
    return (
        len(items) <= MAX_ITEMS
        and all(
            item is None
            or type(item) is bool
            or _number(item, largest)
            or (type(item) is str and len(item) <= MAX_TEXT)
            for item in items
        )
        and all(abs(item) <= largest for item in whole)
        and sum(map(abs, whole)) <= max(MAX_SUM, largest)
    )


def _text(value: object, largest: int) -> bool:
    return type(value) is str and len(value) <= MAX_TEXT and value.isprintable()


def _labels(value: object, largest: int) -> bool:
    return isinstance(value, dict) and all(
        type(key) in (int, str) and type(item) in (int, str) for key, item in value.items()
    )


def _table(value: object, largest: int, depth: int = 0) -> bool:
    if not isinstance(value, dict) or len(value) > 64 or depth > 1:
        return False
    return all(
        type(key) is str
        and _NAME.fullmatch(key) is not None
        and (
            item is None
            or type(item) is bool
            or _number(item, largest)
            or _text(item, largest)
            or (isinstance(item, list) and _list(item, largest))
            or _table(item, largest, depth + 1)
        )
        for key, item in value.items()
    )


def _dtype(value: object, largest: int) -> bool:
    # Transformers looks it up among all names of torch.
    return type(value) is str and value in DTYPES


_CHECKS: Final[Mapping[str, Callable[[Any, int], bool]]] = {
    "count": _count,
    "dtype": _dtype,
    "flag": _flag,
    "labels": _labels,
    "length": _length,
    "list": _list,
    "number": _number,
    "table": _table,
    "text": _text,
    "token": _length,
}
