"""Several files at a time, each in a process that may die or hang without ending the run.

A worker is forked where that is quick and allowed, else started anew; a thread for each reads its
replies. A file during which a worker died, or that took longer than its budget and some grace, is
unread (SM909); what else that worker was to do goes to another one.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from safemodel.errors import DamagedError
from safemodel.report import json_report
from safemodel.report.model import FileReport
from safemodel.scan import worker
from safemodel.scan.single import GRACE, Settings, unread
from safemodel.scan.walk import Item

BATCH_FILES: Final = 32
BATCH_BYTES: Final = 1 << 20
_POLL: Final = 0.25

PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[1]); from safemodel.scan import worker; worker.main()"
)

Job = tuple[int, Item]


@dataclass(slots=True)
class _Worker:
    """A process, and what it has still to answer, in order."""

    requests: BinaryIO
    replies: BinaryIO
    forked: int = 0  # its process id
    started: subprocess.Popen[bytes] | None = None
    pending: deque[Job] = field(default_factory=deque)
    since: float = 0.0  # when it began with the first of them
    late: bool = False

    def kill(self) -> None:
        if self.started is not None:
            self.started.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.forked, signal.SIGKILL)

    def end(self) -> None:
        """Let go of it, whether or not it has ended."""
        self.kill()
        with contextlib.suppress(OSError):
            self.requests.close()
        if self.started is not None:
            self.started.wait()
        else:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.forked, 0)


class Pool:
    """Scans files in up to `jobs` processes at a time."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        self._settings = settings
        self._jobs = jobs
        self._replies: queue.SimpleQueue[tuple[_Worker, str | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._waiting: deque[list[Job]] = deque()
        self._allowed = settings.limits.seconds + GRACE

    def run(self, items: Sequence[Item]) -> Iterator[tuple[int, FileReport]]:
        """The reports as they come, each with the index of its item."""
        self._waiting.extend(_batches(items))
        left = len(items)
        try:
            self._start(min(self._jobs, len(self._waiting)))
            while left:
                for found in self._next():
                    left -= 1
                    yield found
        finally:
            for one in self._workers:
                one.end()
            for thread in self._threads:
                thread.join(1.0)

    def _start(self, count: int) -> None:
        """The first workers, all before any thread: a fork takes along only the one it is in."""
        fork = _may_fork()
        for _ in range(count):
            self._workers.append(self._forked() if fork else self._anew())
        for one in self._workers:
            self._listen(one)
            self._give(one)

    def _listen(self, one: _Worker) -> None:
        thread = threading.Thread(target=_read_replies, args=(one, self._replies), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _forked(self) -> _Worker:
        request_end, requests = os.pipe()
        replies, reply_end = os.pipe()
        process = os.fork()
        if not process:
            _serve_and_exit(request_end, reply_end, self._settings, (requests, replies))
        os.close(request_end)
        os.close(reply_end)
        return _Worker(_writing(requests), os.fdopen(replies, "rb"), forked=process)

    def _anew(self) -> _Worker:
        import safemodel

        # -P: nothing is imported from the current folder, which may be the one that is scanned.
        root = os.path.dirname(os.path.dirname(os.path.abspath(safemodel.__file__)))
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            [sys.executable, "-P", "-c", PROGRAM, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if process.stdin is None or process.stdout is None:
            raise OSError("a worker without pipes")
        replies = os.fdopen(os.dup(process.stdout.fileno()), "rb")
        process.stdout.close()
        one = _Worker(process.stdin, replies, started=process)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):  # if it is gone already, its replies end
            worker.write_frame(one.requests, self._settings.dump())
        return one

    def _give(self, one: _Worker) -> None:
        """The next batch, if there is one."""
        if self._waiting:
            batch = self._waiting.popleft()
            one.pending.extend(batch)
            one.since = time.monotonic()
            with contextlib.suppress(OSError):
                worker.write_frame(one.requests, _request(batch))

    def _next(self) -> Iterator[tuple[int, FileReport]]:
        """What the next event brings: a report, or the end of a worker, or nothing."""
        try:
            one, reply = self._replies.get(timeout=_POLL)
        except queue.Empty:
            self._stop_late()
            return
        report = None if reply is None or not one.pending else _parse(reply, one.pending[0][1])
        if report is not None:
            index, _ = one.pending.popleft()
            one.since = time.monotonic()
            if not one.pending:
                self._give(one)
            yield index, report
        elif one in self._workers:
            yield from self._lost(one)

    def _stop_late(self) -> None:
        now = time.monotonic()
        for one in self._workers:
            if one.pending and now - one.since > self._allowed:
                one.late = True
                one.kill()

    def _lost(self, one: _Worker) -> Iterator[tuple[int, FileReport]]:
        """A worker ended: its file is unread, the others go to a new one."""
        self._workers.remove(one)
        one.end()
        left, one.pending = one.pending, deque()  # what else it may say comes too late
        if left:
            index, item = left.popleft()
            what = "its process died"
            if one.late:
                what = f"took longer than {self._settings.limits.seconds:g} seconds and was stopped"
            yield index, unread(item.path, "SM909", f"the scan failed: {what}", item.size)
        # One by one, so that another death costs one file, too.
        self._waiting.extendleft([job] for job in reversed(left))
        if self._waiting:
            new = self._anew()
            self._workers.append(new)
            self._listen(new)
            self._give(new)


def _may_fork() -> bool:
    """Whether a copy of this process would work: with one thread only, and not on macOS."""
    return hasattr(os, "fork") and sys.platform != "darwin" and threading.active_count() == 1


def _serve_and_exit(
    requests: int, replies: int, settings: Settings, others: tuple[int, int]
) -> None:
    """What a forked child does. It never returns, and runs nothing of its parent's at exit."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for descriptor in others:
            os.close(descriptor)
        with os.fdopen(requests, "rb") as source, _writing(replies) as sink:
            worker.serve(source, sink, settings)
    finally:
        os._exit(0)


def _writing(descriptor: int) -> BinaryIO:
    return os.fdopen(descriptor, "wb", buffering=0)


def _read_replies(one: _Worker, found: queue.SimpleQueue[tuple[_Worker, str | None]]) -> None:
    """Pass on what a worker says, in a thread; None when it has ended."""
    try:
        with one.replies:
            while (reply := worker.read_frame(one.replies)) is not None:
                found.put((one, reply))
    except (OSError, ValueError, DamagedError):
        pass  # as if it had ended
    found.put((one, None))


def _request(batch: Sequence[Job]) -> str:
    import json

    return json.dumps([(item.path, item.size) for _, item in batch])


def _parse(reply: str, item: Item) -> FileReport | None:
    """A file report; None where the worker has gone mad."""
    import json

    try:
        return json_report.file_of(json.loads(reply), item.path)
    except (ValueError, RecursionError, DamagedError):
        return None


def _batches(items: Sequence[Item]) -> Iterator[list[Job]]:
    batch: list[Job] = []
    total = 0
    for index, item in enumerate(items):
        size = item.size or 0
        if batch and (len(batch) >= BATCH_FILES or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append((index, item))
        total += size
    if batch:
        yield batch
