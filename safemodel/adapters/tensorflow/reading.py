"""Fields of JSON, with their types: what all that reads a program uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        raise ArchitectureError(f"{what} must be a list of at most {most}")
    return value
