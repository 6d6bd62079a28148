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

_UNBOUNDED: Final = 10**6
_MOST_WAYS: Final = 64 * _UNBOUNDED
_SINGLE: Final = (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY)


def pattern_is_simple(pattern: str) -> bool:
    """Whether matching takes at most quadratic time, whatever the text."""
    try:
        return _ways(parser.parse(pattern)) <= _MOST_WAYS
    except (re.error, OverflowError, RecursionError):
        return False


def _ways(parsed: Any) -> int:
    """In how many ways the repetitions can share a text: they multiply."""
    ways = 1
    for op, argument in parsed:
        if op in _SINGLE or op is ops.AT:
            continue
        if op is ops.SUBPATTERN:
            ways *= _ways(argument[3])
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            low, high, item = argument
            if len(item) != 1 or item[0][0] not in _SINGLE or low > _UNBOUNDED // 1000:
                return 2 * _MOST_WAYS
            ways *= min(int(high) - int(low) + 1, _UNBOUNDED)
        else:
            return 2 * _MOST_WAYS
        if ways > _MOST_WAYS:
            break
    return ways
