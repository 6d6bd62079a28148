"""`safemodel scan`: what would these files do, if something loaded them?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from safemodel.cli.output import Output

if TYPE_CHECKING:
    from safemodel.report.model import Report, Severity

EXAMPLES = """\
  safemodel scan model.pkl
  safemodel scan downloads/ --fail-on high
  safemodel scan models/ --format sarif -o safemodel.sarif --exit-zero
  curl -s $URL | safemodel scan -
"""

FORMATS = ("text", "json", "sarif", "html")
SEVERITIES = ("info", "low", "medium", "high", "critical")

# How each role of a word is painted (report/text.py).
_COLOURS = {
    "critical": "1;31",
    "high": "31",
    "medium": "33",
    "low": "36",
    "info": "2",
    "unread": "35",
    "good": "32",
    "strong": "1",
    "dim": "2",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or a folder; - is stdin")
    answer = parser.add_argument_group("the answer")
    answer.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        default="medium",
        metavar="SEVERITY",
        help="exit code 1 from here: info, low, medium (default), high, critical",
    )
    answer.add_argument("--exit-zero", action="store_true", help="exit code 0, whatever is found")
    answer.add_argument(
        "--strict", action="store_true", help="a file of no known format is unread, also in folders"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    output.add_argument(
        "-o", "--output", dest="destination", metavar="FILE", help="write the result to FILE"
    )
    output.add_argument("--all", action="store_true", help="list every finding of a file")
    output.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: auto"
    )
    output.add_argument("-q", "--quiet", action="store_true", help="no notes, no text result")


def run(options: argparse.Namespace, out: Output) -> int:
    """Scan and report."""
    from safemodel.report.model import Severity
    from safemodel.scan.folder import scan_paths
    from safemodel.scan.single import Settings

    fail_on = Severity[options.fail_on.upper()]
    report = scan_paths(options.paths, Settings(), strict=options.strict)
    code = report.exit_code(fail_on, strict=options.strict)
    _show(report, fail_on, code, options, out)
    return 0 if options.exit_zero else code


def _show(
    report: Report, fail_on: Severity, code: int, options: argparse.Namespace, out: Output
) -> None:
    """Only the renderer that is asked for is imported."""
    from safemodel.scan.rules import RULES

    if options.format == "json":
        from safemodel.report import json_report

        out.document({"ok": not code, "fail_on": fail_on.label, **json_report.fields(report)})
    elif options.format == "sarif":
        import os

        from safemodel.report import sarif

        out.whole(sarif.render(report, RULES, os.getcwd()))
    elif options.format == "html":
        from safemodel.report import html_report

        out.whole(html_report.render(report, RULES))
    elif not options.quiet:
        from safemodel.report import text

        def paint(word: str, role: str) -> str:
            return out.paint(word, _COLOURS[role])

        for line in text.lines(report, RULES, paint=paint, everything=options.all):
            out.line(line)
