"""From paths to a report: folders are walked, each file is scanned, and none ends the run.

The work is done here where there is little of it, else in processes (`pool`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from safemodel.errors import BudgetError
from safemodel.report.model import FileReport, Report
from safemodel.scan.engine import digest
from safemodel.scan.opening import opened
from safemodel.scan.rules import RULESET
from safemodel.scan.single import GRACE, Scanner, Settings, unread, unrecognised
from safemodel.scan.walk import Item, reason, walk

# More than this, and processes pay for themselves.
POOL_FILES: Final = 48
POOL_BYTES: Final = 4 << 20
# A file of this size is read for long enough to be watched, where that is asked for.
WATCHED_BYTES: Final = 1 << 20

STDIN: Final = "<stdin>"  # what a file without a name is called

# Called with each report as it comes, and the bytes of all files together.
Progress = Callable[[FileReport, int], None]


def scan_paths(
    paths: Iterable[str],
    settings: Settings,
    *,
    jobs: int | None = None,
    strict: bool = False,
    skip_unknown: bool = False,
    watched: bool = False,
    exclude: Callable[[str], bool] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Scan files and folders. Never raises for anything that is in them.

    Args:
        paths: files of a folder are called what the folder is called here, and their place in it.
        jobs: processes at a time; None is as many as there are processors.
        strict: a file of no known format is unread also where a folder holds it.
        skip_unknown: it is skipped also where it is named, as a program names all files.
        watched: nothing in a file may end or hold up this process: a large one is scanned in a
            process of its own even if it is alone, a small one under an alarm and a bound of
            memory. For programs that do nothing else.
        exclude: which files and folders below a folder to leave out, by relative path.

    Raises:
        SourceError: the cache that was asked for can't be used.
    """
    import safemodel

    named: set[str] = set()
    items: list[Item] = []
    for path in dict.fromkeys(paths):
        if os.path.isdir(path):
            items += walk(path, exclude)
        else:
            named.add(path)
            items.append(_named(path))
    scanned = _scan(items, settings, jobs or processors(), watched, progress)
    walked = len(items) > len(named)
    if skip_unknown:
        named.clear()
    files = tuple(unrecognised(file) if strict or file.path in named else file for file in scanned)
    if walked:
        from safemodel.scan.formats.huggingface import check_folders

        files = check_folders(files)
    return Report(files, safemodel.__version__, RULESET, frozenset(named))


def with_digests(report: Report) -> Report:
    """The report with the SHA-256 of each file that has findings: what a baseline is bound to.

    Most have it. What was found out without reading the file, such as that it is of no known
    format, leaves it out.
    """
    return replace(report, files=tuple(map(_with_digest, report.files)))


def _with_digest(file: FileReport) -> FileReport:
    if not file.findings or file.sha256 is not None or file.path == STDIN:
        return file
    try:
        with opened(file.path) as data:
            if data is None or file.size != len(data):
                return file
            return replace(file, sha256=digest(data))
    except (OSError, ValueError):
        return file


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _named(path: str) -> Item:
    """A path that the caller named: links are followed, and what is missing is unread."""
    try:
        return Item(path, os.stat(path).st_size)
    except FileNotFoundError:
        return Item(path, unread="there is no such file or folder")
    except (OSError, ValueError) as error:
        return Item(path, unread=reason(error))


def _scan(
    items: Sequence[Item],
    settings: Settings,
    jobs: int,
    watched: bool,
    progress: Progress | None,
) -> list[FileReport]:
    """Reports in the order of the items."""
    total = sum(item.size or 0 for item in items)
    found: dict[int, FileReport] = {}
    for index, file in _as_they_come(items, settings, jobs, total, watched):
        found[index] = file
        if progress is not None:
            progress(file, total)
    return [found[index] for index in range(len(items))]


def _as_they_come(
    items: Sequence[Item], settings: Settings, jobs: int, total: int, watched: bool
) -> Iterator[tuple[int, FileReport]]:
    scanner = Scanner(settings)
    readable = [
        (index, item)
        for index, item in enumerate(items)
        if item.unread is None and not item.skipped
    ]
    much = len(readable) > POOL_FILES or (len(readable) > 1 and total > POOL_BYTES)
    if not (much and jobs > 1) and not (watched and total >= WATCHED_BYTES):
        scan = _bounded(scanner) if watched else scanner.scan
        yield from ((index, scan(item)) for index, item in enumerate(items))
        return
    from safemodel.scan.pool import Pool

    yield from (
        (index, scanner.scan(item))
        for index, item in enumerate(items)
        if item.unread is not None or item.skipped
    )
    pool = Pool(settings, jobs)
    for index, file in pool.run([item for _, item in readable]):
        yield readable[index][0], file


def _bounded(scanner: Scanner) -> Callable[[Item], FileReport]:
    """A scan that no defect can prolong for ever."""
    from safemodel.scan.bounds import bounded

    seconds = scanner.settings.limits.seconds + GRACE

    def scan(item: Item) -> FileReport:
        try:
            with bounded(seconds):
                return scanner.scan(item)
        except (BudgetError, MemoryError) as error:
            what = str(error) or "needs too much memory"
            return unread(item.path, "SM902", what, item.size)

    return scan
