"""Fewer garbage collections while a model is read or written.

After every 700 new containers the collector looks for cycles among the young ones. A state of many
tensors is a million containers that stay and have no cycles; looking at them again and again took
half of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

_SELDOM: Final = 50_000

_lock = Lock()
_blocks = 0  # that are running now, in all threads
_before: tuple[int, int, int] = (0, 0, 0)


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect less often inside this block, or this function; then as before.

    It still collects, so nothing that runs beside it fills the memory. Who collects less often, or
    never, goes on so.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _blocks, _before
    with _lock:
        _blocks += 1
        if _blocks == 1:
            _before = gc.get_threshold()
            if 0 < _before[0] < _SELDOM:
                gc.set_threshold(_SELDOM, *_before[1:])


def _leave() -> None:
    global _blocks
    with _lock:
        _blocks -= 1
        if _blocks == 0 and gc.get_threshold() == (_SELDOM, *_before[1:]):
            gc.set_threshold(*_before)
