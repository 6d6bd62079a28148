"""How arguments and results are nested, written: tuples, lists, dictionaries, and constants.

Implements spec/tensorflow-graph.md, "Entries".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safemodel import limits
from safemodel.adapters.graph import float_text
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor: an input or an output, by its number."""

    kind: str
    number: int


def tree(value: Any, place: str) -> JsonValue:
    """A container as plain ones: named tuples as tuples, mappings as dictionaries.

    Raises:
        UnsavableError: it has no plain form.
    """
    if isinstance(value, Leaf):
        return {value.kind: value.number}
    if isinstance(value, Mapping):
        return {"dict": [[_key(key, place), tree(item, place)] for key, item in value.items()]}
    if isinstance(value, list):
        return {"list": [tree(item, place) for item in value]}
    if isinstance(value, tuple):
        return {"tuple": [tree(item, place) for item in value]}
    return {"constant": _constant(value, place)}


def _constant(value: Any, place: str) -> JsonValue:
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return value if abs(value) <= limits.MAX_SAFE_INTEGER else {"int": str(value)}
    if type(value) is float:
        return {"float": float_text(value)}
    if type(value) is str and len(value.encode()) <= limits.MAX_ARCHITECTURE_STRING:
        return value
    kind = type(value)
    raise UnsavableError(
        f"inputs or results in a {kind.__module__}.{kind.__qualname__}",
        place=place,
        hint="take and give tensors in tuples, lists and dictionaries",
    )


def _key(key: object, place: str) -> JsonValue:
    if type(key) is str or (type(key) is int and abs(key) <= 10_000):
        return key
    raise UnsavableError(f"a dictionary with the key {key!r:.60}", place=place)
