"""A report as JSON, and file reports back from it (spec/schemas/scan-report.schema.json).

The way back is for the cache and for worker processes: both are read as if they were hostile.
"""

from __future__ import annotations

import json
from typing import Final

from safemodel.errors import DamagedError
from safemodel.report.model import (
    FileReport,
    Finding,
    Location,
    Report,
    Severity,
    Status,
    Suppressed,
)
from safemodel.report.summary import summarize

SCHEMA: Final = "safemodel.scan-report/1"
_SEVERITIES: Final = {severity.label: severity for severity in Severity}

Fields = dict[str, object]


def render(report: Report) -> str:
    """The document, as ASCII: every control and bidi character is escaped on its way."""
    return json.dumps(fields(report), indent=2, ensure_ascii=True) + "\n"


def fields(report: Report) -> Fields:
    """The members of the document."""
    summary = summarize(report)
    return {
        "schema": SCHEMA,
        "tool": {"name": "safemodel", "version": report.version, "ruleset": report.ruleset},
        "summary": {
            "findings": summary.findings,
            "by_severity": {severity.label: count for severity, count in summary.by_severity},
            "files": summary.files,
            "files_with_findings": summary.files_with_findings,
            "scanned": summary.scanned,
            "unread": summary.unread,
            "skipped": summary.skipped,
            "suppressed": summary.suppressed,
        },
        "notes": list(report.notes),
        "files": [file_fields(file) for file in report.files],
    }


def file_fields(file: FileReport) -> Fields:
    """One file."""
    return {
        "path": file.path,
        "status": file.status.value,
        "formats": list(file.formats),
        "size": file.size,
        "sha256": file.sha256,
        "members": file.members,
        "findings": [_finding_fields(finding) for finding in file.findings],
        "suppressed": [
            {
                "finding": _finding_fields(one.finding),
                "reason": one.reason,
                "expires": one.expires,
            }
            for one in file.suppressed
        ],
    }


def _finding_fields(finding: Finding) -> Fields:
    location = finding.location
    return {
        "rule": finding.rule,
        "severity": finding.severity.label,
        "message": finding.message,
        "inside": list(location.inside),
        "offset": location.offset,
        "length": location.length,
        "evidence": [{"name": name, "value": value} for name, value in finding.evidence],
        "remedy": finding.remedy,
    }


# And back


def file_of(value: object, path: str) -> FileReport:
    """The report on the file `path` that these fields were made of.

    Raises:
        DamagedError: they were not, or were changed.
    """
    found = _Object(value)
    return FileReport(
        path,
        _status(found.text("status")),
        tuple(_text(item) for item in found.list("formats")),
        found.number("size"),
        found.optional("sha256"),
        found.number("members") or 0,
        tuple(_finding_of(item, path) for item in found.list("findings")),
        tuple(_suppressed_of(item, path) for item in found.list("suppressed")),
    )


def _suppressed_of(value: object, path: str) -> Suppressed:
    found = _Object(value)
    finding = _finding_of(found.get("finding"), path)
    return Suppressed(finding, found.text("reason"), found.optional("expires"))


def _finding_of(value: object, path: str) -> Finding:
    found = _Object(value)
    severity = _SEVERITIES.get(found.text("severity"))
    if severity is None:
        raise DamagedError("not a severity")
    evidence = [_Object(item) for item in found.list("evidence")]
    return Finding(
        found.text("rule"),
        severity,
        found.text("message"),
        Location(
            path,
            tuple(_text(item) for item in found.list("inside")),
            found.number("offset"),
            found.number("length"),
        ),
        tuple((item.text("name"), item.text("value")) for item in evidence),
        found.text("remedy"),
    )


class _Object:
    """A JSON object whose members have the types that are asked for."""

    __slots__ = ("_members",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise DamagedError("not an object")
        self._members: dict[object, object] = value

    def get(self, name: str) -> object:
        return self._members.get(name)

    def text(self, name: str) -> str:
        return _text(self._members.get(name))

    def optional(self, name: str) -> str | None:
        value = self._members.get(name)
        return None if value is None else _text(value)

    def number(self, name: str) -> int | None:
        value = self._members.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise DamagedError(f"{name} is not a whole number")
        return value

    def list(self, name: str) -> list[object]:
        value = self._members.get(name)
        if not isinstance(value, list):
            raise DamagedError(f"{name} is not a list")
        return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise DamagedError("not text")
    return value


def _status(value: str) -> Status:
    try:
        return Status(value)
    except ValueError:
        raise DamagedError("not a status") from None
