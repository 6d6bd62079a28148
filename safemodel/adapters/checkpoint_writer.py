"""One checkpoint written at a time, in a thread if the caller likes; no error of it gets lost.

The thread is no daemon: Python waits for it at the end. An error is logged when it happens, and
raised by whatever is called next. Implements spec/checkpoints.md, "Writing".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger("safemodel")


class SavedCheckpoint:
    """A checkpoint that is saved, or is being saved in a thread. `path` is its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._finished = threading.Event()
        self._digest = ""
        self._error: BaseException | None = None
        self._raised = False

    @property
    def done(self) -> bool:
        """Whether the save is over, well or not."""
        return self._finished.is_set()

    def wait(self) -> str:
        """Wait until the checkpoint is on disk and return its bundle digest.

        Raises:
            SafemodelError: what went wrong while it was written.
        """
        self._finished.wait()
        if self._error is not None:
            self._raised = True
            raise self._error
        return self._digest

    @property
    def digest(self) -> str:
        """The bundle digest; waits for it."""
        return self.wait()

    def run(self, work: Callable[[], str], log: bool = False) -> None:
        """Do the work and note how it ended; `log` an error at once."""
        try:
            self._digest = work()
        except BaseException as error:
            self._error = error
            if log:
                _log.error("safemodel: the checkpoint %s was not saved: %s", self.path, error)
        finally:
            self._finished.set()

    def settle(self) -> None:
        """Wait, and raise what went wrong if nobody has been told yet."""
        self._finished.wait()
        if self._error is not None and not self._raised:
            self.wait()

    def __repr__(self) -> str:
        state = "being saved" if not self.done else "failed" if self._error else "saved"
        return f"<SavedCheckpoint {str(self.path)!r}, {state}>"


# Held by a call that saves: what several threads save must not get into one copy.
calls = threading.RLock()

_lock = threading.Lock()
_last: list[SavedCheckpoint] = []


def settle() -> None:
    """Wait for the save that is under way, if there is one.

    Raises:
        SafemodelError: it failed, and nobody has been told yet.
    """
    with _lock:
        under_way = list(_last)
    for saved in under_way:
        saved.settle()


def write(path: Path, work: Callable[[], str]) -> SavedCheckpoint:
    """Do the work of a save now.

    Raises:
        SafemodelError: what the work raises.
    """
    saved = SavedCheckpoint(path)
    saved.run(work)
    saved.wait()
    return saved


def write_later(path: Path, work: Callable[[], str]) -> SavedCheckpoint:
    """Do the work of a save in a thread, or here if there can't be one.

    The save before must be settled.
    """
    saved = SavedCheckpoint(path)
    thread = threading.Thread(
        target=saved.run, args=(work, True), name="safemodel-checkpoint", daemon=False
    )
    with _lock:
        _last[:] = [saved]
    try:
        thread.start()
    except RuntimeError:  # no more threads, or the process is about to end
        saved.run(work, True)
    return saved
