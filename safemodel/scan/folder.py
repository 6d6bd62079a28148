"""From paths to a report: folders are walked, each file is scanned, and one never ends the run.

The work is done here where there is little of it, else in processes (`pool`). What a baseline
covers is taken out at the end, and counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safemodel.report.model import FileReport, Finding, Location, Report, Severity, Status
from safemodel.scan import engine
from safemodel.scan.budget import DEFAULT_LIMITS, Limits
from safemodel.scan.rules import RULES, RULESET
from safemodel.scan.walk import Item, reason, walk

if TYPE_CHECKING:
    from safemodel.scan.names import Tables


@dataclass(frozen=True, slots=True)
class Settings:
    """What a scan is told, besides what to scan.

    Attributes:
        limits: of each file.
        names: the tables of known names, with the user's policy; None is without one.
    """

    limits: Limits = DEFAULT_LIMITS
    names: Tables | None = None


# Called with each file report as it arrives, for progress.
Progress = Callable[[FileReport], None]


def scan_paths(
    paths: Sequence[str],
    settings: Settings,
    *,
    strict: bool = False,
    exclude: Callable[[str], bool] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Scan files and folders. Never raises for anything that is in them.

    Args:
        paths: what a folder holds is named below it as the folder is named here.
        strict: a file of no known format is a finding also where a folder holds it.
        exclude: which files and folders below a folder to leave out, by relative path.
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
    files = [
        _unrecognised(file) if strict or file.path in named else file
        for file in _scan(items, settings, progress)
    ]
    return Report(tuple(files), safemodel.__version__, RULESET, frozenset(named))


def _named(path: str) -> Item:
    """A path that the caller named: links are followed, and a device is no file."""
    try:
        return Item(path, os.stat(path).st_size)
    except FileNotFoundError:
        return Item(path, unread="there is no such file or folder")
    except (OSError, ValueError) as error:
        return Item(path, unread=reason(error))


def _scan(
    items: Iterable[Item], settings: Settings, progress: Progress | None
) -> Iterable[FileReport]:
    for item in items:
        file = scan_item(item, settings)
        if progress is not None:
            progress(file)
        yield file


def scan_item(item: Item, settings: Settings) -> FileReport:
    """Scan one file, or say why not."""
    if item.unread is not None:
        return unread(item.path, "SM904", f"could not be opened: {item.unread}")
    if item.skipped:
        return FileReport(item.path, Status.SKIPPED)
    try:
        return engine.scan_file(item.path, limits=settings.limits, names=settings.names)
    except (OSError, ValueError) as error:
        return unread(item.path, "SM904", f"could not be opened: {reason(error)}")


def unread(path: str, rule: str, message: str, size: int | None = None) -> FileReport:
    """A file of which nothing was read."""
    finding = Finding(rule, RULES[rule].severity, message, Location(path))
    return FileReport(path, Status.UNREAD, size=size, findings=(finding,))


def _unrecognised(file: FileReport) -> FileReport:
    """A file that was to be scanned, and is of no format that is known here."""
    if file.status is not Status.SKIPPED:
        return file
    what = "is empty" if file.size == 0 else "is of no format that is known here"
    finding = Finding("SM905", Severity.MEDIUM, what, Location(file.path))
    return FileReport(
        file.path, Status.UNREAD, size=file.size, sha256=file.sha256, findings=(finding,)
    )
