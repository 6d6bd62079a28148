"""What a converted model says of the files that it was made from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import safemodel
from safemodel.convert.sources import Source
from safemodel.format.metadata import Metadata, Reference
from safemodel.report.escaping import escape
from safemodel.report.model import FileReport
from safemodel.scan.rules import RULESET

_MAX_NAME: Final = 1024
_MAX_FINDINGS: Final = 100


def described(given: Metadata, used: Sequence[tuple[Source, FileReport]]) -> Metadata:
    """The metadata with the files, their digests and the results of their scans as lineage.

    For contents that are written: it waits until the files were read to their ends.

    Raises:
        ChangedFileError: one was written to meanwhile.
    """
    origins = [_reference(source) for source, _ in used]
    for source, _ in used:
        source.check_unchanged()
    scans = [scan_result(report) for _, report in used]
    lineage = replace(
        given.lineage,
        sources=(*given.lineage.sources, *origins),
        tool=f"safemodel {safemodel.__version__}",
        scan=scans[0] if len(scans) == 1 else scans,
    )
    return replace(given, lineage=lineage)


def _reference(source: Source) -> Reference:
    """A file by its name, its size and its digest."""
    name = escape(os.path.basename(source.path))[-_MAX_NAME:] or "-"
    return Reference(name=name, size=source.size, digest={"sha256": source.digest()})


def scan_result(report: FileReport) -> Any:
    """The result of a scan as JSON; what it found is below the severity that is refused."""
    findings = [
        {
            "rule": finding.rule,
            "severity": finding.severity.label,
            "message": escape(finding.message),
        }
        for finding in report.findings[:_MAX_FINDINGS]
    ]
    return {
        "ruleset": RULESET,
        "status": report.status.value,
        "formats": list(report.formats),
        "findings": findings,
    }
