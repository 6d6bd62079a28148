"""A last bound of time for a scan in this very process: a signal that raises where it is.

The handlers count seconds themselves; this is for the one that has a defect. Only the main thread
of a program can have it, and only on POSIX.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from safemodel.errors import BudgetError

_AGAIN: Final = 1.0  # seconds until the next one, if somebody caught the first


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise BudgetError in what runs longer than this."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise BudgetError(f"took longer than {seconds:g} seconds and was stopped")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
