"""Finding byte strings in memory that is too large to copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

_FIRST_STEP: Final = 1 << 12
_STEP: Final = 1 << 20


def no_tick() -> None:
    """Nobody watches the clock."""


def occurrences(
    data: memoryview,
    needle: bytes,
    start: int,
    stop: int,
    tick: Callable[[], None] = no_tick,
) -> Iterator[int]:
    """Where `needle` lies wholly in `data[start:stop]`, in rising order, overlaps included.

    `tick` is called now and then: it may look at the clock, and raise.
    """
    overlap = len(needle) - 1
    at = start
    step = _FIRST_STEP  # most searches end soon, and there may be many
    while at < stop:
        window = bytes(data[at : min(at + step + overlap, stop)])
        found = window.find(needle)
        while found >= 0:
            yield at + found
            found = window.find(needle, found + 1)
        tick()
        at += step
        step = min(2 * step, _STEP)


def is_filler(data: memoryview, start: int, stop: int, tick: Callable[[], None] = no_tick) -> bool:
    """Whether all of `data[start:stop]` is zero bytes."""
    for at in range(start, stop, _STEP):
        if bytes(data[at : min(at + _STEP, stop)]).strip(b"\0"):
            return False
        tick()
    return True
