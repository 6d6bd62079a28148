"""`safemodel scan`: what would these files do, if something loaded them?

Nothing is read from what is scanned but the bytes that are scanned (spec/cli.md, "Scanning").
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from safemodel.cli import scan_options
from safemodel.cli.output import Output
from safemodel.cli.source import STDIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safemodel.report.model import FileReport, Report, Severity
    from safemodel.scan.single import Settings

EXAMPLES = """\
  safemodel scan model.pkl
  safemodel scan downloads/ --fail-on high
  safemodel scan models/ --format sarif -o safemodel.sarif --exit-zero
  safemodel scan models/ --write-baseline accepted.json   then give the reasons, then --baseline
  curl -s $URL | safemodel scan -
"""

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
    scan_options.add(parser)


def run(options: argparse.Namespace, out: Output) -> int:
    """Scan and report."""
    from safemodel.cli import project

    asked = scan_options.Asked.of(options)
    settings = scan_options.settings(options)
    entries = scan_options.baseline(options)
    ours = project.read(options.paths, out.note)
    fail_on = min(asked.fail_on, ours.fail_on)
    strict = asked.strict or ours.strict
    report = _scan(options, settings, strict, out)
    if entries is not None or options.write_baseline is not None:
        from safemodel.scan.folder import with_digests

        report = with_digests(report)
    if entries is not None:
        report = scan_options.accept(report, entries)
    if options.write_baseline is not None:
        scan_options.write_baseline(options.write_baseline, report, out)
    code = report.exit_code(fail_on, strict=strict)
    _tell_missing(report, options, out)
    _show(report, fail_on, code, options, out)
    return 0 if options.exit_zero else code


def _scan(options: argparse.Namespace, settings: Settings, strict: bool, out: Output) -> Report:
    """Scan all paths, and standard input where that is among them."""
    from safemodel.scan.folder import scan_paths
    from safemodel.scan.walk import excluding

    def scan(paths: Sequence[str], progress: Callable[[FileReport, int], None] | None) -> Report:
        return scan_paths(
            paths,
            settings,
            jobs=options.jobs,
            strict=strict,
            skip_unknown=options.skip_unknown,
            watched=True,
            exclude=excluding(options.exclude),
            progress=progress,
        )

    paths = [path for path in options.paths if path != STDIN]
    report = _with_progress(paths, scan, out)
    if STDIN in options.paths:
        from dataclasses import replace

        from safemodel.cli.stdin import scan_stdin

        file = scan_stdin(settings, skip_unknown=options.skip_unknown)
        named = report.named if options.skip_unknown else report.named | {file.path}
        report = replace(report, files=(*report.files, file), named=named)
    return report


def _with_progress(
    paths: Sequence[str],
    scan: Callable[[Sequence[str], Callable[[FileReport, int], None] | None], Report],
    out: Output,
) -> Report:
    import sys

    from safemodel.cli.output import is_terminal

    if out.quiet or not is_terminal(sys.stderr):
        return scan(paths, None)
    from safemodel.cli.progress import Progress

    total = 0

    def scanned(file: FileReport, size: int) -> None:
        nonlocal total
        total = size
        progress(file.size or 0)

    label = paths[0] if len(paths) == 1 else f"{len(paths)} paths"
    with Progress("scanning", label, lambda: total, out.quiet) as progress:
        return scan(paths, scanned)


def _tell_missing(report: Report, options: argparse.Namespace, out: Output) -> None:
    """A path that was named and could not be opened is an error for people, too.

    In text it is part of the result, which is what people look at.
    """
    if options.format == "text" and options.destination is None and not out.quiet:
        return
    from safemodel.errors import SourceError

    for file in report.files:
        if file.path in report.named:
            for finding in file.findings:
                if finding.rule == "SM904":
                    out.error(SourceError(finding.message, path=file.path))


def _show(
    report: Report, fail_on: Severity, code: int, options: argparse.Namespace, out: Output
) -> None:
    """Only the renderer that is asked for is imported."""
    from safemodel.scan.rules import RULES

    if options.format == "json":
        from safemodel.report import json_report

        out.document({"ok": not code, "fail_on": fail_on.label, **json_report.fields(report)})
    elif options.format == "sarif":
        from safemodel.report import sarif

        out.whole(sarif.render(report, RULES, os.getcwd()))
    elif options.format == "html":
        from safemodel.report import html_report

        out.whole(html_report.render(report, RULES))
    elif not out.quiet:
        from safemodel.report import text

        def paint(word: str, role: str) -> str:
            return out.paint(word, _COLOURS[role])

        for line in text.lines(report, RULES, paint=paint, everything=options.all):
            out.line(line)
