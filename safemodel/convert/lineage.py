"""What a converted model says of the file that it was made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import safemodel
from safemodel.convert.sources import Source
from safemodel.format import metadata as metadata_format
from safemodel.format.metadata import Metadata, Reference
from safemodel.report.escaping import escape
from safemodel.report.model import FileReport
from safemodel.scan.rules import RULESET

_MAX_NAME: Final = 1024
_MAX_FINDINGS: Final = 100


def described(
    given: Mapping[str, object] | Metadata | None, source: Source, report: FileReport
) -> Metadata:
    """The metadata with the file, its digest and the result of its scan as lineage.

    Raises:
        UsageError: the metadata make no sense.
    """
    metadata = metadata_format.make(given or {})
    origin = reference(source)
    lineage = replace(
        metadata.lineage,
        sources=(*metadata.lineage.sources, origin),
        tool=f"safemodel {safemodel.__version__}",
        scan=scan_result(report),
    )
    return replace(metadata, lineage=lineage)


def reference(source: Source) -> Reference:
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
