"""A report as one HTML page that needs nothing else: no script, no font, no connection.

Names and messages come from hostile files. Each is escaped twice: what can't be printed becomes
visible (`escape`), then what HTML would read becomes text. Should that ever fail, the page's
content security policy permits nothing but its own style sheet, by its digest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape as _quoted
from typing import TYPE_CHECKING, Final

from safemodel.report.escaping import count_text, escape, size_text
from safemodel.report.html_style import STYLE
from safemodel.report.model import Severity, Status
from safemodel.report.summary import Summary, summarize

if TYPE_CHECKING:
    from safemodel.report.model import FileReport, Finding, Report, Rule, Suppressed

MAX_FINDINGS: Final = 5_000
MAX_FILES: Final = 2_000  # of those without findings
_KINDS: Final = (*(severity.label for severity in sorted(Severity, reverse=True)), "unread")


def render(report: Report, rules: Mapping[str, Rule]) -> str:
    """The page."""
    return "\n".join(_page(report, rules)) + "\n"


def _text(value: str) -> str:
    """Untrusted text as HTML, in an element or in a quoted attribute."""
    return _quoted(escape(value), quote=True)


def _page(report: Report, rules: Mapping[str, Rule]) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    summary = summarize(report)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{_headline(summary)}: safemodel scan</title>"
    yield f"<style>{STYLE}</style>\n</head>\n<body>"
    yield from _header(report, summary)
    yield from _filters(report)
    yield "<main>"
    yield from _findings(report, rules)
    yield from _suppressed(report)
    yield from _others(report, summary)
    yield "</main>"
    yield (
        f"<footer>safemodel {_text(report.version)}, rules {_text(report.ruleset)}. "
        "A file without findings is one in which these rules found nothing.</footer>"
    )
    yield "</body>\n</html>"


def _headline(summary: Summary) -> str:
    if summary.findings:
        files = count_text(summary.files_with_findings, "file")
        return f"{count_text(summary.findings, 'finding')} in {files}"
    return "No findings" + (f", {summary.unread:,} unread" if summary.unread else "")


def _header(report: Report, summary: Summary) -> Iterator[str]:
    yield "<header>"
    yield '<p class="tool">safemodel scan</p>'
    yield f"<h1>{_headline(summary)}</h1>"
    yield '<ul class="tiles">'
    counts = dict(summary.by_severity)
    for severity in sorted(Severity, reverse=True):
        if count := counts.get(severity, 0):
            label = severity.label
            yield f'<li class="tile {label}"><b>{count:,}</b><span>{label}</span></li>'
    for count, label in (
        (summary.unread, "unread"),
        (summary.scanned, "scanned"),
        (summary.skipped, "skipped"),
        (summary.suppressed, "suppressed"),
    ):
        if count or label == "scanned":
            yield f'<li class="tile {label}"><b>{count:,}</b><span>{label}</span></li>'
    yield "</ul>"
    for note in report.notes:
        yield f'<p class="note">{_text(note)}</p>'
    yield "</header>"


def _filters(report: Report) -> Iterator[str]:
    """Radio buttons before `main`: the style sheet hides what the chosen one excludes."""
    present = {_kind(finding) for finding in report.findings}
    if len(present) < 2:
        return
    yield '<input type="radio" name="show" id="show-all" checked><label for="show-all">all</label>'
    for kind in _KINDS:
        if kind in present:
            yield (
                f'<input type="radio" name="show" id="show-{kind}">'
                f'<label for="show-{kind}">{kind}</label>'
            )


def _kind(finding: Finding) -> str:
    return "unread" if finding.unread else finding.severity.label


def _findings(report: Report, rules: Mapping[str, Rule]) -> Iterator[str]:
    left = MAX_FINDINGS
    for file in sorted(report.files, key=_gravity):  # worst first, else in the order of paths
        if not file.findings:
            continue
        shown = sorted(file.findings, key=lambda f: (f.unread, -f.severity))[:left]
        left -= len(shown)
        kinds = " ".join(f"has-{kind}" for kind in sorted({_kind(f) for f in shown}))
        if shown:
            yield f'<section class="file {kinds}">'
            yield from _file_head(file)
            for finding in shown:
                yield from _finding(finding, rules)
            yield "</section>"
    total = len(report.findings)
    if total > MAX_FINDINGS:
        yield f'<p class="note">{total - MAX_FINDINGS:,} more findings are not on this page.</p>'


def _gravity(file: FileReport) -> int:
    return -1 - file.worst if file.worst is not None else 0


def _file_head(file: FileReport) -> Iterator[str]:
    facts = [*file.formats[:8]]
    if file.size is not None:
        facts.append(size_text(file.size))
    if file.members:
        facts.append(count_text(file.members, "nested member"))
    yield f"<h2>{_text(file.path)}</h2>"
    yield f'<p class="facts">{" · ".join(map(_text, facts))}</p>'
    if file.sha256:
        yield f'<p class="facts">SHA-256 <code>{_text(file.sha256)}</code></p>'


def _finding(finding: Finding, rules: Mapping[str, Rule]) -> Iterator[str]:
    kind = _kind(finding)
    rule = rules.get(finding.rule)
    yield f'<article class="finding {kind}">'
    yield f'<p class="what"><span class="badge">{kind}</span> {_text(finding.message)}</p>'
    yield from _place(finding)
    if finding.evidence:
        yield '<table class="evidence">'
        for name, value in finding.evidence:
            yield f"<tr><th>{_text(name)}</th><td><code>{_text(value)}</code></td></tr>"
        yield "</table>"
    remedy = finding.remedy or ("" if rule is None else rule.remedy)
    if remedy:
        yield f'<p class="remedy"><b>What to do:</b> {_text(remedy)}</p>'
    title = "" if rule is None else f": {_text(rule.title)}"
    yield f"<details><summary><code>{_text(finding.rule)}</code>{title}</summary>"
    if rule is not None:
        yield f"<p>{_text(rule.what)}</p><p>{_text(rule.why)}</p>"
    yield "</details></article>"


def _place(finding: Finding) -> Iterator[str]:
    place = finding.location
    parts = [f"<li><code>{_text(name)}</code></li>" for name in place.inside]
    if place.offset is not None:
        parts.append(f"<li>byte {place.offset:,}</li>")
    if parts:
        yield f'<ol class="place">{"".join(parts)}</ol>'


def _suppressed(report: Report) -> Iterator[str]:
    rows = [(file, one) for file in report.files for one in file.suppressed]
    if not rows:
        return
    yield f'<details class="rest"><summary>{count_text(len(rows), "suppressed finding")}</summary>'
    yield "<table><tr><th>file</th><th>rule</th><th>finding</th><th>reason</th><th>until</th></tr>"
    for file, one in rows[:MAX_FINDINGS]:
        yield _suppressed_row(file, one)
    yield "</table></details>"


def _suppressed_row(file: FileReport, one: Suppressed) -> str:
    finding = one.finding
    cells = (file.path, finding.rule, finding.message, one.reason, one.expires or "")
    return f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"


def _others(report: Report, summary: Summary) -> Iterator[str]:
    """The files that have nothing to show, so that one sees what was scanned at all."""
    for status, count, title in (
        (Status.SCANNED, summary.scanned, "without findings"),
        (Status.SKIPPED, summary.skipped, "skipped: nothing that a supported loader opens"),
    ):
        files = [file for file in report.files if file.status is status and not file.findings]
        if not files or not count:
            continue
        title = f"{count_text(len(files), 'file')} {title}"
        yield f'<details class="rest"><summary>{title}</summary><table>'
        for file in files[:MAX_FILES]:
            formats = _text(" · ".join(file.formats[:8]))
            size = "" if file.size is None else size_text(file.size)
            yield f"<tr><td>{_text(file.path)}</td><td>{formats}</td><td>{size}</td></tr>"
        yield "</table>"
        if len(files) > MAX_FILES:
            yield f"<p>and {len(files) - MAX_FILES:,} more</p>"
        yield "</details>"
