"""From a path to a report: opens the file, asks for its formats, runs their handlers."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from safemodel.errors import BudgetError, LegacyError
from safemodel.legacy.content import View
from safemodel.report.model import FileReport, Report, Status
from safemodel.scan import formats as handlers
from safemodel.scan.budget import DEFAULT_LIMITS, Budget, Limits
from safemodel.scan.names import Tables
from safemodel.scan.rules import RULESET
from safemodel.scan.scope import Scope

if TYPE_CHECKING:
    from safemodel.legacy.content import Content


def scan(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Report:
    """Say what a file, or every file of a folder, would do if something loaded it."""
    import safemodel

    name = os.fspath(path)
    return Report((scan_file(name, limits=limits),), safemodel.__version__, RULESET, frozenset({name}))


def scan_file(path: str, *, limits: Limits = DEFAULT_LIMITS, names: Tables | None = None) -> FileReport:
    """Scan one file. Never raises for anything that is in it."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        size = os.fstat(descriptor).st_size
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not size:
            return FileReport(path, Status.SKIPPED, size=size)
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                return scan_bytes(view, path, limits=limits, names=names)
            finally:
                view.release()
    finally:
        os.close(descriptor)


def scan_bytes(
    data: memoryview | bytes,
    path: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    names: Tables | None = None,
) -> FileReport:
    """Scan bytes that are called `path`."""
    budget = Budget(limits, len(data))
    scope = Scope(path, budget, names or Tables(), _scan_content)
    known = _scan_content(View(data), scope, None)
    record = scope.record
    unread = any(finding.unread for finding in record.findings)
    status = Status.UNREAD if unread else Status.SCANNED if known else Status.SKIPPED
    return FileReport(
        path,
        status,
        tuple(record.formats),
        len(data),
        None,
        budget.members,
        tuple(record.findings),
    )


def _scan_content(content: Content, scope: Scope, formats: Sequence[str] | None) -> bool:
    """Run every handler whose format the bytes suggest; whether any fitted."""
    known = False
    for name in _formats(content, scope) if formats is None else formats:
        try:
            if handlers.handler(name).scan(content, scope):
                known = True
                scope.record.formats.append(name)
        except LegacyError as error:
            known = True
            scope.unread(error)
        except (MemoryError, RecursionError) as error:
            known = True
            scope.unread(BudgetError(f"needs too much memory: {type(error).__name__}"))
    return known


def _formats(content: Content, scope: Scope) -> Iterable[str]:
    return ("pickle",)
