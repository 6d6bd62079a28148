"""Regular expressions in models: which can't take long, and so need no leave of the caller.

A pattern is simple when it is a sequence of single characters, classes and positions with at most
one repetition without bound, no repetition of groups, no alternatives, look-arounds or back
references. Matching all of a text with one takes at most quadratic time. Compiling may take long
too: flags make it look at each character of a range, and each wide range takes a millisecond. So
a simple pattern has no flags and few wide ranges, and nothing is compiled to find that out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import describe

MAX_PATTERN: Final = 500
_MOST_WAYS: Final = 64
_MOST_WIDE: Final = 8
_REPEATS: Final = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_SINGLE: Final = (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY)


def pattern_is_simple(pattern: str) -> bool:
    """Whether matching takes at most quadratic time, whatever the text, and compiling little."""
    try:
        parsed = parser.parse(pattern)
        unbounded, ways = _repetitions(parsed)
    except (re.error, OverflowError, RecursionError):
        return False
    usual = parsed.state.flags in (0, re.UNICODE)
    return usual and unbounded <= 1 and ways <= _MOST_WAYS and _wide(parsed) <= _MOST_WIDE


def _wide(parsed: Any) -> int:
    """How many ranges go beyond the first 256 characters."""
    count = 0
    for op, argument in parsed:
        if op is ops.IN:
            count += sum(kind is ops.RANGE and value[1] > 255 for kind, value in argument)
        elif op is ops.SUBPATTERN:
            count += _wide(argument[3])
        elif op in _REPEATS:
            count += _wide(argument[2])
    return count


def _repetitions(parsed: Any) -> tuple[int, int]:
    """How many repetitions have no bound, and in how many ways the others can go: they multiply."""
    unbounded, ways = 0, 1
    for op, argument in parsed:
        if op in _SINGLE or op is ops.AT:
            continue
        if op is ops.SUBPATTERN and not argument[1] and not argument[2]:
            inner = _repetitions(argument[3])
        elif op in _REPEATS:
            inner = _repeated(*argument)
        else:
            inner = (2, 1)
        unbounded, ways = unbounded + inner[0], min(ways * inner[1], _MOST_WAYS + 1)
    return unbounded, ways


def _repeated(low: int, high: int, item: Any) -> tuple[int, int]:
    if len(item) != 1 or item[0][0] not in _SINGLE or low > _MOST_WAYS:
        return 2, 1
    return (1, 1) if high - low > _MOST_WAYS else (0, high - low + 1)


@dataclass(frozen=True)
class Pattern:
    """A regular expression; those that may be slow only with the caller's leave, `key:pattern`."""

    key: str
    groups: int | None = None

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not str or len(value) > MAX_PATTERN:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        if not scope.audit.once(value, pattern_is_simple):
            if not scope.audit.allows(f"{self.key}:{value}"):
                raise NotSimpleError(self.key, value)
            try:
                re.compile(value)
            except (re.error, OverflowError, RecursionError) as error:
                raise SpecError(f"does not compile: {error}") from None
        if self.groups is not None and parser.parse(value).state.groups - 1 > self.groups:
            raise SpecError(f"has more than {self.groups} groups")

    def __str__(self) -> str:
        return f"a regular expression of at most {MAX_PATTERN} characters"


class NotSimpleError(SpecError):
    """A pattern that may take exponential time: only the caller can allow it."""

    def __init__(self, key: str, pattern: str, path: str = "") -> None:
        super().__init__(f"{pattern!r} is a pattern that may be slow without bound", path)
        self.key = key
        self.pattern = pattern

    def below(self, part: str) -> NotSimpleError:
        """Return the same as seen from one level further up."""
        return NotSimpleError(self.key, self.pattern, part + self.path)
