"""From bytes to a report: asks for their formats, and runs the handlers of these.

Whatever the bytes are, there is a report: an error of a handler is a finding of the content that
it was reading, and the other formats and members are scanned all the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from safemodel.errors import BudgetError, LegacyError
from safemodel.legacy.content import View
from safemodel.legacy.sniff import LAST_RESORT, PICKLES, TEXTS, formats
from safemodel.report.model import FileReport, Severity, Status
from safemodel.scan import formats as handlers
from safemodel.scan.budget import DEFAULT_LIMITS, Budget, Limits
from safemodel.scan.names import Tables
from safemodel.scan.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safemodel.legacy.content import Content

# Formats of which the first that fits is the one.
_FAMILIES: Final = (PICKLES, TEXTS, ("zstd", "lz4"))
_LARGE: Final = 64 << 20
_HASHED: Final = 8 << 20  # bytes between two looks at the clock


def scan_bytes(
    data: memoryview | bytes,
    path: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    names: Tables | None = None,
) -> FileReport:
    """Scan bytes that are called `path`. Never raises for anything that is in them."""
    view = memoryview(data)
    budget = Budget(limits, len(view), _relief(view))
    scope = Scope(path, budget, names or Tables(), scan_content)
    known = scan_content(View(view), scope, None)
    record = scope.record
    scope.summarise()
    unread = any(finding.unread for finding in record.findings)
    status = Status.UNREAD if unread else Status.SCANNED if known else Status.SKIPPED
    return FileReport(
        path,
        status,
        tuple(record.formats),
        len(view),
        None,
        budget.members,
        tuple(record.findings),
    )


def digest(data: memoryview, seconds: float = DEFAULT_LIMITS.seconds) -> str | None:
    """The SHA-256 of all bytes; None if that takes too long."""
    import hashlib

    budget = Budget(Limits(seconds=seconds), len(data), _relief(data))
    hasher = hashlib.sha256()
    try:
        for at in range(0, len(data), _HASHED):
            hasher.update(data[at : at + _HASHED])
            budget.check_time()
    except BudgetError:
        return None
    return hasher.hexdigest()


def _relief(view: memoryview) -> Callable[[], None] | None:
    """What lets go of the pages of a mapped file; they are read again if they are needed."""
    mapped: Any = view.obj
    if len(view) < _LARGE or not hasattr(mapped, "madvise"):
        return None
    import mmap

    return lambda: mapped.madvise(mmap.MADV_DONTNEED)


def scan_content(content: Content, scope: Scope, only: Sequence[str] | None) -> bool:
    """Run the handler of every format that the bytes suggest, or of `only` some.

    Returns whether any fitted. Never raises but for an interrupt.
    """
    fitted: list[str] = []
    try:
        candidates = formats(content) if only is None else only
    except LegacyError as error:
        scope.unread(error)
        return True
    known = False
    for name in candidates:
        if name not in handlers.HANDLERS or _is_taken(name, fitted):
            continue
        place = len(scope.record.formats)
        try:
            if handlers.handler(name).scan(content, scope):
                fitted.append(name)
                scope.fits(name, place)
        except LegacyError as error:
            known = True
            scope.unread(error)
        except (MemoryError, RecursionError) as error:
            known = True
            scope.unread(BudgetError(f"needs too much memory ({type(error).__name__})"))
        except Exception as error:  # the net below all handlers: a defect here is no verdict
            if os.environ.get("SAFEMODEL_DEBUG"):
                raise
            known = True
            scope.find("SM909", f"reading it as {name} failed with {type(error).__name__}")
    if not (known or fitted) and scope.budget.seconds_left < 0:
        known = True  # nobody can tell what it is in that time
        scope.unread(BudgetError(f"took longer than {scope.budget.limits.seconds:g} seconds"))
    if only is None and len(fitted) > 1:
        _several(fitted, content, scope)
    return known or bool(fitted)


def _is_taken(name: str, fitted: Sequence[str]) -> bool:
    """Whether what fitted already leaves no room for this."""
    if name == LAST_RESORT:
        return bool(fitted)
    return any(name in family and set(family) & set(fitted) for family in _FAMILIES)


def _several(fitted: Sequence[str], content: Content, scope: Scope) -> None:
    """The content is two things at once; quite so if one is not just embedded in the other."""
    message = f"is {' and '.join(fitted)} at once"
    head = bytes(content.head(2))
    # Readers of ZIP look for an end record near the end, and do not mind what is before: so an
    # archive that is the last member of a tar archive counts, or a literal in a pickle. Bytes that
    # are behind the end of the other format are a finding of that.
    embedded = len(fitted) == 2 and "zip" in fitted and head != b"PK"
    scope.find("SM413", message, severity=Severity.LOW if embedded else None)
