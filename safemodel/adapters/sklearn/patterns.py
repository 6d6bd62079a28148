"""Which regular expressions can't take long: the shapes of `token_pattern` that need no leave.

A pattern is simple when it is a sequence of single characters, classes and positions with at most
one repetition without bound, no repetition of groups, no alternatives, look-arounds or back
references. Matching all of a text with one takes at most quadratic time.
"""

from __future__ import annotations

import re
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

_MOST_WAYS: Final = 64
_SINGLE: Final = (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY)


def pattern_is_simple(pattern: str) -> bool:
    """Whether matching takes at most quadratic time, whatever the text."""
    try:
        unbounded, ways = _repetitions(parser.parse(pattern))
    except (re.error, OverflowError, RecursionError):
        return False
    return unbounded <= 1 and ways <= _MOST_WAYS


def _repetitions(parsed: Any) -> tuple[int, int]:
    """How many repetitions have no bound, and in how many ways the others can go: they multiply."""
    unbounded, ways = 0, 1
    for op, argument in parsed:
        if op in _SINGLE or op is ops.AT:
            continue
        if op is ops.SUBPATTERN:
            inner = _repetitions(argument[3])
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            inner = _repeated(*argument)
        else:
            inner = (2, 1)
        unbounded, ways = unbounded + inner[0], min(ways * inner[1], _MOST_WAYS + 1)
    return unbounded, ways


def _repeated(low: int, high: int, item: Any) -> tuple[int, int]:
    if len(item) != 1 or item[0][0] not in _SINGLE or low > _MOST_WAYS:
        return 2, 1
    return (1, 1) if high - low > _MOST_WAYS else (0, high - low + 1)
