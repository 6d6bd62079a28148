"""`[tool.safemodel.scan]` of the project that one works in: it may only make a scan stricter.

The pyproject.toml is the one found upward from the current folder. It is not read where it lies
in what is scanned: whoever wrote the models must have no say, not even that the scan be stricter
(spec/cli.md, "Scanning").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel.errors import SourceError, UsageError

if TYPE_CHECKING:
    from safemodel.report.model import Severity

NAME: Final = "pyproject.toml"
MAX_SIZE: Final = 4 << 20
_MARKS: Final = (b"tool.safemodel", b"\nsafemodel.scan.", b"\nsafemodel.scan=", b"\nsafemodel={")


@dataclass(frozen=True, slots=True)
class Project:
    """What a project asks for."""

    fail_on: Severity
    strict: bool


def read(paths: Sequence[str], note: Callable[[str], None]) -> Project:
    """What the project asks for; the loosest there is if there is none.

    Raises:
        SourceError: its file can't be read.
        UsageError: the section makes no sense, or would make the scan less strict.
    """
    from safemodel.report.model import Severity

    nothing = Project(Severity.CRITICAL, False)
    path = next(filter(os.path.isfile, _candidates()), None)
    if path is None:
        return nothing
    data = _read(path)
    if not _may_have_section(data):
        return nothing
    section = _section(path, data)
    if section is None:
        return nothing
    scanned = _scanned_folder(path, paths)
    if scanned is not None:
        note(f"{path} is part of {scanned}, which is scanned: [tool.safemodel] is ignored")
        return nothing
    return _project(path, section)


def _candidates() -> Iterator[str]:
    try:
        folder = os.getcwd()
    except OSError:  # it is gone
        return
    while True:
        yield os.path.join(folder, NAME)
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror or error}", path=path) from error
    if len(data) > MAX_SIZE:
        raise UsageError(f"has more than {MAX_SIZE} bytes", path=path)
    return data


def _may_have_section(data: bytes) -> bool:
    """Whether it is worth the import of a TOML parser, which takes longer than a small scan."""
    squeezed = data.translate(None, b" \t\"'")
    return any(mark in squeezed for mark in _MARKS)


def _section(path: str, data: bytes) -> dict[str, object] | None:
    import tomllib

    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"is not TOML: {error}", path=path) from error
    tool = document.get("tool")
    section = tool.get("safemodel") if isinstance(tool, dict) else None
    if section is None:
        return None
    if not isinstance(section, dict) or section.keys() - {"scan"}:
        raise UsageError("[tool.safemodel] has the table `scan` and nothing else", path=path)
    scan = section.get("scan", {})
    if not isinstance(scan, dict):
        raise UsageError("[tool.safemodel.scan] is no table", path=path)
    return scan


def _scanned_folder(path: str, paths: Sequence[str]) -> str | None:
    """Which of the scanned folders the file is in."""
    here = os.path.realpath(path)
    for one in paths:
        folder = os.path.realpath(one)
        if here == folder or here.startswith(folder.rstrip(os.sep) + os.sep):
            return one
    return None


def _project(path: str, section: dict[str, object]) -> Project:
    from safemodel.report.model import Severity

    if unknown := sorted(section.keys() - {"fail-on", "strict"}):
        raise UsageError(
            f"[tool.safemodel.scan] has no {unknown[0]!r}",
            path=path,
            hint="it may make a scan stricter: fail-on and strict; all else is an option",
        )
    word = section.get("fail-on", "medium")
    severities = {severity.label: severity for severity in Severity}
    if not isinstance(word, str) or word not in severities:
        raise UsageError(f"fail-on is one of {', '.join(severities)}", path=path)
    if severities[word] > Severity.MEDIUM:
        raise UsageError(
            f"fail-on may not be {word}: a file can only make scans stricter",
            path=path,
            hint=f"say --fail-on {word} on the command line",
        )
    strict = section.get("strict", False)
    if not isinstance(strict, bool):
        raise UsageError("strict is true or false", path=path)
    given = severities[word] if "fail-on" in section else Severity.CRITICAL
    return Project(given, strict)
