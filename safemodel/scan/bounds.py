"""The last bounds of a scan, in seconds and bytes: for the handler that has a defect.

The handlers count what they spend themselves. Where one does not, memory runs out here before it
does on the machine, and a signal raises where the program is. Both need POSIX, and the alarm the
main thread.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from safemodel.errors import BudgetError

MEMORY: Final = 960 << 20  # beyond what the process has; mapped files do not count
_AGAIN: Final = 1.0  # seconds until the next alarm, if somebody caught the first


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise BudgetError in what runs longer than this, MemoryError in what needs too much."""
    before = bound_memory()
    try:
        with _alarm(seconds):
            yield
    finally:
        if before is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_DATA, before)


def bound_memory() -> tuple[int, int] | None:
    """Make allocations fail before the machine does, where it can (Linux); the limits so far."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[5])  # data and stack
    except (ImportError, OSError, ValueError, IndexError):
        return None
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if any(bound != resource.RLIM_INFINITY and bound <= limit for bound in (soft, hard)):
        return None  # there is a tighter one
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return soft, hard


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
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
