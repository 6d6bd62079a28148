"""Typed reading of decoded JSON objects, field by field (spec/format.md, "Manifest").

Every field is taken once with its type and its grammar; what is left at the end is refused, except
keys under `x-`. A field that has nothing to say is absent: null, the empty string, list and object
are refused, so that a value has one encoding. Knows the shapes of fields, not their meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from safemodel.errors import ManifestError
from safemodel.format.canonical_json import JsonValue


@dataclass(frozen=True, slots=True)
class Grammar:
    """A kind of string, and how to call it in a message."""

    words: str
    pattern: re.Pattern[str]


def grammar(words: str, pattern: str) -> Grammar:
    """Return the grammar of the strings that `pattern` matches as a whole."""
    return Grammar(words, re.compile(pattern))


def line(length: int) -> Grammar:
    """Return the grammar of text in one line: no control characters (C0, DEL, C1)."""
    pattern = rf"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{length}}}"
    return grammar(f"one line of 1 to {length} characters", pattern)


EXTENSION: Final = grammar(
    "'x-', then 1 to 62 of a-z, 0-9, '.', '_', '-'", r"x-[a-z0-9][a-z0-9._-]{0,61}"
)


class Fields:
    """One JSON object of which the fields are taken out one after the other."""

    __slots__ = ("_left", "place")

    def __init__(self, value: JsonValue, place: str) -> None:
        if not isinstance(value, dict):
            raise ManifestError("not an object", place=place)
        self._left = dict(value)
        self.place = place

    def fail(self, key: str, message: str) -> ManifestError:
        """Return the error that says `message` of the field `key`."""
        return ManifestError(message, place=f"{self.place}.{key}")

    def value(self, key: str) -> JsonValue:
        """Take a field of any type; None if it is absent."""
        if key not in self._left:
            return None
        value = self._left.pop(key)
        if value is None:
            raise self.fail(key, "null, where the field must be absent")
        return value

    def string(self, key: str, rule: Grammar) -> str | None:
        """Take a string that follows the grammar."""
        value = self.value(key)
        return None if value is None else self._string(key, value, rule)

    def required_string(self, key: str, rule: Grammar) -> str:
        """Take a string that follows the grammar and must be there."""
        value = self.string(key, rule)
        if value is None:
            raise self.fail(key, "missing")
        return value

    def integer(self, key: str, minimum: int, maximum: int) -> int | None:
        """Take an integer within bounds, which are included."""
        value = self.value(key)
        if value is None:
            return None
        if type(value) is not int or not minimum <= value <= maximum:
            raise self.fail(key, f"not an integer from {minimum} to {maximum}")
        return value

    def required_integer(self, key: str, minimum: int, maximum: int) -> int:
        """Take an integer within bounds that must be there."""
        value = self.integer(key, minimum, maximum)
        if value is None:
            raise self.fail(key, "missing")
        return value

    def items(self, key: str) -> list[JsonValue]:
        """Take a list; an absent one is the empty one."""
        value = self.value(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(key, "not a list")
        if not value:
            raise self.fail(key, "an empty list, where the field must be absent")
        return value

    def names(self, key: str, rule: Grammar) -> tuple[str, ...]:
        """Take a list of distinct strings in order, each of which follows the grammar."""
        found = [self._string(f"{key}[{i}]", v, rule) for i, v in enumerate(self.items(key))]
        if found != sorted(set(found)):
            raise self.fail(key, "not sorted, or not distinct")
        return tuple(found)

    def object(self, key: str) -> Fields | None:
        """Take an object."""
        value = self.value(key)
        if value is None:
            return None
        if value == {}:
            raise self.fail(key, "an empty object, where the field must be absent")
        return Fields(value, f"{self.place}.{key}")

    def map(self, key: str, key_rule: Grammar, rule: Grammar) -> dict[str, str]:
        """Take an object of strings under keys that follow a grammar too."""
        fields = self.object(key)
        if fields is None:
            return {}
        return {name: fields.required_string(name, rule) for name in fields.keys(key_rule)}

    def left(self) -> list[str]:
        """Return the keys that were not taken yet."""
        return list(self._left)

    def keys(self, rule: Grammar) -> list[str]:
        """Return the keys of what is left, all of which must follow the grammar."""
        for key in self._left:
            if not rule.pattern.fullmatch(key):
                raise ManifestError(f"key {key[:80]!r} is not {rule.words}", place=self.place)
        return list(self._left)

    def extensions(self) -> dict[str, JsonValue]:
        """Take what is left, which may only be keys under `x-`."""
        return {key: self.value(key) for key in self.keys(EXTENSION)}

    def end(self) -> None:
        """Refuse anything that is left."""
        for key in self._left:
            raise ManifestError(f"unknown key {key[:80]!r}", place=self.place)

    def _string(self, key: str, value: JsonValue, rule: Grammar) -> str:
        if not isinstance(value, str) or not rule.pattern.fullmatch(value):
            raise self.fail(key, f"not {rule.words}")
        return value
