"""Fields of JSON, with their types: what all that reads a program uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.adapters.graph_decode import integer as integer
from safemodel.adapters.graph_decode import text as text
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


def fields(value: JsonValue, required: str, what: str, optional: str = "") -> dict[str, JsonValue]:
    """An object with exactly these fields; of the optional ones, any.

    Raises:
        ArchitectureError: something else.
    """
    needed = set(required.split())
    if type(value) is not dict or not needed <= value.keys() <= needed | set(optional.split()):
        raise ArchitectureError(f"{what} with other fields than {required.replace(' ', ', ')}")
    return value


def listed(value: JsonValue, most: int, what: str) -> list[JsonValue]:
    """A list of at most so many.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not list or len(value) > most:
        raise ArchitectureError(f"{what or 'something'} must be a list of at most {most}")
    return value


def pairs(value: JsonValue, most: int, what: str) -> list[tuple[JsonValue, JsonValue]]:
    """A list of pairs.

    Raises:
        ArchitectureError: something else.
    """
    found = []
    for item in listed(value, most, what):
        if type(item) is not list or len(item) != 2:
            raise ArchitectureError(f"{what} must be a list of pairs")
        found.append((item[0], item[1]))
    return found


def boolean(value: JsonValue, what: str) -> bool:
    """True or false.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not bool:
        raise ArchitectureError(f"{what} must be true or false: {value!r:.60}")
    return value
