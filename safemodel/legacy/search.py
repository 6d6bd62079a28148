"""Finding byte strings in memory that is too large to copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_FIRST_STEP: Final = 1 << 12
_STEP: Final = 1 << 20


def occurrences(data: memoryview, needle: bytes, start: int, stop: int) -> Iterator[int]:
    """Where `needle` lies wholly in `data[start:stop]`, in rising order, overlaps included."""
    overlap = len(needle) - 1
    at = start
    step = _FIRST_STEP  # most searches end soon, and there may be many
    while at < stop:
        window = bytes(data[at : min(at + step + overlap, stop)])
        found = window.find(needle)
        while found >= 0:
            yield at + found
            found = window.find(needle, found + 1)
        at += step
        step = min(2 * step, _STEP)


def first(data: memoryview, needle: bytes, start: int, stop: int) -> int:
    """The first of `occurrences`, or -1."""
    return next(occurrences(data, needle, start, stop), -1)


def is_filler(data: memoryview, start: int, stop: int) -> bool:
    """Whether all of `data[start:stop]` is zero bytes."""
    for at in range(start, stop, _STEP):
        if bytes(data[at : min(at + _STEP, stop)]).strip(b"\0"):
            return False
    return True
