"""One line of progress on a terminal, for work that takes longer than half a second."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from safemodel.cli.output import escape, is_terminal, size_text

_DELAY = 0.5
_INTERVAL = 0.1


class Progress:
    """Call it with numbers of bytes done. Shows nothing to anyone but a person who waits.

    `size` is asked once, and only when something is shown: counting a folder takes time too.
    """

    def __init__(self, action: str, path: str, size: Callable[[], int | None], quiet: bool) -> None:
        self._label = f"{action} {escape(path)}"
        self._size = size
        self._total: int | None = None
        self._done = 0
        self._begun = time.monotonic()
        self._next = self._begun + _DELAY
        self._shown = False
        self._lock = threading.Lock()
        self._active = not quiet and is_terminal(sys.stderr)

    def __call__(self, count: int) -> None:
        if not self._active:
            return
        now = time.monotonic()
        with self._lock:  # called from several threads
            self._done += count
            if now >= self._next:
                self._next = now + _INTERVAL
                self._show(now - self._begun)

    def _show(self, seconds: float) -> None:
        done = size_text(self._done)
        if not self._shown:
            self._total = self._size()
        if self._total:
            percent = min(100, 100 * self._done // self._total)
            done = f"{percent} %, {done} of {size_text(self._total)}"
        rate = size_text(int(self._done / seconds))
        self._write(f"\r\x1b[K{self._label}: {done}, {rate}/s")
        self._shown = True

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._write("\r\x1b[K")
