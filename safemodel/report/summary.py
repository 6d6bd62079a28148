"""Counts over a report, and what follows from them, for all renderers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safemodel.report.model import Severity, Status

if TYPE_CHECKING:
    from safemodel.report.model import Report


@dataclass(frozen=True, slots=True)
class Summary:
    """How much of what a report has.

    Attributes:
        findings: of what was read: 9xx and suppressed ones are not among them.
        by_severity: the same for each severity, worst first, without those that have none.
        files: all of them, `scanned` + `unread` + `skipped`.
        files_with_findings: how many have a finding of what was read.
        suppressed: findings that a baseline covers.
    """

    findings: int
    by_severity: tuple[tuple[Severity, int], ...]
    files: int
    files_with_findings: int
    scanned: int
    unread: int
    skipped: int
    suppressed: int


def summarize(report: Report) -> Summary:
    """Count."""
    counts = dict.fromkeys(sorted(Severity, reverse=True), 0)
    statuses = dict.fromkeys(Status, 0)
    with_findings = suppressed = 0
    for file in report.files:
        statuses[file.status] += 1
        suppressed += len(file.suppressed)
        read = [finding for finding in file.findings if not finding.unread]
        with_findings += bool(read)
        for finding in read:
            counts[finding.severity] += 1
    return Summary(
        sum(counts.values()),
        tuple((severity, count) for severity, count in counts.items() if count),
        len(report.files),
        with_findings,
        statuses[Status.SCANNED],
        statuses[Status.UNREAD],
        statuses[Status.SKIPPED],
        suppressed,
    )
