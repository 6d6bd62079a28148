"""Scans what comes on standard input: bounded, in memory or in a file that has no name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from safemodel.errors import BudgetError
from safemodel.scan.bounds import bounded
from safemodel.scan.folder import STDIN as NAME
from safemodel.scan.single import GRACE, Scanner, unread, unrecognised
from safemodel.scan.walk import reason

if TYPE_CHECKING:
    from safemodel.report.model import FileReport
    from safemodel.scan.single import Settings

MAX_STDIN: Final = 16 << 30
IN_MEMORY: Final = 64 << 20
_PIECE: Final = 1 << 20


def scan_stdin(settings: Settings, *, skip_unknown: bool = False) -> FileReport:
    """Scan it. Too much of it is unread, and so is what can't be read."""
    found = _scan_stdin(settings)
    return found if skip_unknown else unrecognised(found)


def _scan_stdin(settings: Settings) -> FileReport:
    limit = min(MAX_STDIN, settings.max_size or MAX_STDIN)
    scanner = Scanner(settings)
    stream = sys.stdin.buffer
    data = bytearray()
    try:
        while len(data) <= IN_MEMORY and (piece := stream.read(_PIECE)):
            data += piece
            if len(data) > limit:
                return _too_long(limit)
        if len(data) > IN_MEMORY:
            return _from_file(scanner, stream, data, limit)
    except OSError as error:
        return unread(NAME, "SM904", f"could not be read: {reason(error)}")
    return _scan(scanner, memoryview(bytes(data)))


def _from_file(scanner: Scanner, stream: BinaryIO, data: bytearray, limit: int) -> FileReport:
    import mmap
    import tempfile

    with tempfile.TemporaryFile() as file:
        size = len(data)
        file.write(data)
        data.clear()
        while piece := stream.read(_PIECE):
            file.write(piece)
            size += len(piece)
            if size > limit:
                return _too_long(limit)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _scan(scanner, memoryview(mapped))


def _scan(scanner: Scanner, data: memoryview) -> FileReport:
    try:
        with bounded(scanner.settings.limits.seconds + GRACE):
            return scanner.scan_bytes(data, NAME)
    except (BudgetError, MemoryError) as error:
        return unread(NAME, "SM902", str(error) or "needs too much memory", len(data))


def _too_long(limit: int) -> FileReport:
    return unread(NAME, "SM902", f"more than {limit:,} bytes on standard input")
