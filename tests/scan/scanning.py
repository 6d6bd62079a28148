"""Bytes through the whole scanner, as the tests of formats want the answer."""

from __future__ import annotations

from safemodel.report.model import FileReport, Severity, Status
from safemodel.scan.budget import DEFAULT_LIMITS, Limits
from safemodel.scan.engine import scan_bytes


def scan(data: bytes, limits: Limits = DEFAULT_LIMITS) -> FileReport:
    """The report of some bytes."""
    return scan_bytes(data, "model.bin", limits=limits)


def rules(report: FileReport) -> dict[str, Severity]:
    """The rules that fired, and how severe their worst findings are."""
    found: dict[str, Severity] = {}
    for finding in report.findings:
        found[finding.rule] = max(finding.severity, found.get(finding.rule, Severity.INFO))
    return found


def worst(data: bytes) -> Severity | None:
    """The highest severity of what was read."""
    return scan(data).worst


def check_quiet(data: bytes, *formats: str) -> FileReport:
    """Scan a real file: read as a whole, by these formats, and nothing to say."""
    report = scan(data)
    assert report.status is Status.SCANNED, report.findings
    assert set(formats) <= set(report.formats), report.formats
    assert not report.findings, report.findings
    return report
