"""A report as lines for people: what, where, how bad, what to do. Everything untrusted is escaped.

models/resnet.pt: SM101 critical: calls posix.system
    in archive/data.pkl, at byte 28
    global: posix.system
    help: do not load it; `safemodel explain SM101`
1 finding (1 critical) in 1 of 14 files
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from safemodel.report.escaping import count_text, escape, size_text
from safemodel.report.model import Status
from safemodel.report.summary import summarize

if TYPE_CHECKING:
    from safemodel.report.model import FileReport, Finding, Location, Report, Rule

SHOWN_FINDINGS: Final = 20  # of one file, unless all are asked for
_INDENT: Final = "    "
_MAX_EVIDENCE: Final = 200

# How a word is shown: its text, and "critical" ... "info", "unread", "good", "strong" or "dim".
Paint = Callable[[str, str], str]


def plain(text: str, role: str) -> str:
    """No colour."""
    return text


def render(report: Report, rules: Mapping[str, Rule]) -> str:
    """The whole report, without colour and with all findings."""
    return "".join(f"{line}\n" for line in lines(report, rules, everything=True))


def lines(
    report: Report, rules: Mapping[str, Rule], *, paint: Paint = plain, everything: bool = False
) -> Iterator[str]:
    """The report line by line."""
    for file in report.files:
        yield from _file(file, rules, paint, everything)
        if not file.findings and file.path in report.named and len(report.files) > 1:
            yield f"{escape(file.path)}: {_nothing(file, paint)}"
    for note in report.notes:
        yield f"note: {escape(note)}"
    yield conclusion(report, paint)


def _file(
    file: FileReport, rules: Mapping[str, Rule], paint: Paint, everything: bool
) -> Iterator[str]:
    # Worst first; among equals in the order in which a loader gets there.
    ordered = sorted(file.findings, key=lambda finding: (finding.unread, -finding.severity))
    shown = ordered if everything else ordered[:SHOWN_FINDINGS]
    for index, finding in enumerate(shown):
        following = shown[index + 1] if index + 1 < len(shown) else None
        yield from _finding(finding, rules, paint)
        if following is None or _help(following, rules) != _help(finding, rules):
            yield f"{_INDENT}{paint('help', 'strong')}: {_help(finding, rules)}"
    if len(shown) < len(ordered):
        yield f"{_INDENT}and {len(ordered) - len(shown):,} more findings: --all shows them"


def _finding(finding: Finding, rules: Mapping[str, Rule], paint: Paint) -> Iterator[str]:
    label = "unread" if finding.unread else finding.severity.label
    path = paint(escape(finding.location.path), "strong")
    yield f"{path}: {finding.rule} {paint(label, label)}: {escape(finding.message)}"
    if place := place_text(finding.location):
        yield f"{_INDENT}{place}"
    for name, value in finding.evidence:
        yield f"{_INDENT}{escape(name)}: {escape(_clip(value))}"


def _help(finding: Finding, rules: Mapping[str, Rule]) -> str:
    rule = rules.get(finding.rule)
    remedy = escape(finding.remedy or ("" if rule is None else rule.remedy))
    return f"{remedy} (`safemodel explain {finding.rule}`)"


def place_text(location: Location) -> str:
    """Where in the file: `in archive/data.pkl, at byte 28`; empty for the file as a whole."""
    inside = " > ".join(map(escape, location.inside))
    parts = (
        f"in {inside}" if inside else "",
        "" if location.offset is None else f"at byte {location.offset:,}",
    )
    return ", ".join(part for part in parts if part)


def _clip(text: str) -> str:
    return text if len(text) <= _MAX_EVIDENCE else f"{text[: _MAX_EVIDENCE - 3]}..."


def _nothing(file: FileReport, paint: Paint) -> str:
    facts = [" in ".join(reversed(file.formats[:3]))] if file.formats else []
    if file.size is not None:
        facts.append(size_text(file.size))
    covered = f", {len(file.suppressed)} suppressed" if file.suppressed else ""
    return f"{paint('no findings', 'good')}{covered} ({', '.join(facts)})"


def conclusion(report: Report, paint: Paint = plain) -> str:
    """The last line: how many findings, how many files, and what is left out of both."""
    summary = summarize(report)
    if len(report.files) == 1 and report.files[0].status is Status.SCANNED and not summary.findings:
        return f"{escape(report.files[0].path)}: {_nothing(report.files[0], paint)}"
    if summary.findings:
        kinds = ", ".join(
            paint(f"{count:,} {severity.label}", severity.label)
            for severity, count in summary.by_severity
        )
        text = f"{count_text(summary.findings, 'finding')} ({kinds})"
        text += f" in {summary.files_with_findings:,} of {count_text(summary.files, 'file')}"
    else:
        role = "strong" if summary.unread else "good"
        text = f"{paint('no findings', role)} in {count_text(summary.scanned, 'file')}"
    rest = (
        (summary.unread, "could not be read", "unread"),
        (summary.skipped, "skipped", "dim"),
        (summary.suppressed, "suppressed", "dim"),
    )
    return text + "".join(f"; {paint(f'{n:,} {word}', role)}" for n, word, role in rest if n)
