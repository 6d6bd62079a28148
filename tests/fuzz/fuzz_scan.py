"""Fuzz target: any bytes are a report, and every rendering of it.

python -m pip install atheris
PYTHONPATH=. python tests/fuzz/fuzz_scan.py tests/fuzz/corpus/scan -max_total_time=60
"""

from __future__ import annotations

import sys


def run(data: bytes) -> None:
    """One input."""
    from safemodel.report import html_report, json_report, sarif
    from safemodel.report.model import Report, Status
    from safemodel.scan.budget import Limits
    from safemodel.scan.engine import scan_bytes
    from safemodel.scan.rules import RULES

    limits = Limits(seconds=10.0, inflated=64 << 20, ratio=100, members=2000, opcodes=1 << 22)
    file = scan_bytes(data, "fuzz", limits=limits)
    assert file.size == len(data)
    unread = any(finding.unread for finding in file.findings)
    assert unread == (file.status is Status.UNREAD)
    report = Report((file,), "0", "0", frozenset({"fuzz"}))
    assert report.exit_code() or file.status is Status.SCANNED
    assert all(finding.rule in RULES for finding in file.findings)
    json_report.render(report)
    sarif.render(report, RULES)
    html_report.render(report, RULES)


def main() -> None:
    """Run under libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["safemodel"]):
        import safemodel.scan.engine
        import safemodel.scan.formats  # noqa: F401
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
