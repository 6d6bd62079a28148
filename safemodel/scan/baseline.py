"""Findings that someone has looked at and accepted, for exactly these bytes and not for ever.

An entry is bound to content, not to a path: whoever can change the file can't change what the
entry says of it. Entries that have expired do not count, and the report says so. The format is
in docs/ci.md and spec/schemas/baseline.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from safemodel.errors import UsageError
from safemodel.report.model import Suppressed
from safemodel.scan.user_file import read_user_file

if TYPE_CHECKING:
    from safemodel.report.model import FileReport, Finding, Report

MAX_BASELINE: Final = 16 << 20
VERSION: Final = 1
_HINT: Final = "docs/ci.md shows the format"
_MEMBERS: Final = frozenset({"sha256", "rule", "reason", "expires", "path"})
_HEXADECIMAL: Final = frozenset("0123456789abcdef")
_NEVER: Final = frozenset({"SM909"})  # a defect of the scanner is nobody's to accept


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted kind of finding in one content.

    Attributes:
        sha256: of the whole file, hexadecimal.
        expires: the last day on which it counts, as `2027-01-31`; None is without end.
    """

    sha256: str
    rule: str
    reason: str
    expires: str | None = None


def load(path: str) -> tuple[Entry, ...]:
    """Read a baseline: JSON, or TOML where the name ends so.

    Raises:
        SourceError: it can't be read.
        UsageError: it is no baseline, or an entry has no reason.
    """
    try:
        data = read_user_file(path, what="baseline", limit=MAX_BASELINE)
        return parse(data, toml=path.endswith(".toml"))
    except UsageError as error:
        error.path = path
        error.hint = error.hint or _HINT
        raise


def parse(data: bytes, *, toml: bool = False) -> tuple[Entry, ...]:
    """A baseline from its bytes.

    Raises:
        UsageError: it is none, or an entry has no reason.
    """
    document = _document(data, toml)
    if not isinstance(document, dict) or document.keys() - {"version", "entries"}:
        raise UsageError("a baseline has a version and entries, and nothing else")
    if document.get("version") != VERSION:
        raise UsageError(f"the version of a baseline must be {VERSION}")
    entries = document.get("entries", [])
    if not isinstance(entries, list):
        raise UsageError("the entries are not a list")
    return tuple(_entry(entry, number) for number, entry in enumerate(entries, 1))


def _document(data: bytes, toml: bool) -> object:
    try:
        text = data.decode("utf-8")
        if toml:
            import tomllib

            return tomllib.loads(text)
        import json

        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if toml else "JSON"
        raise UsageError(f"is not {kind}: {error}") from error
    return document


def _entry(value: object, number: int) -> Entry:
    """One entry of a document; TOML has dates of its own."""

    def wrong(what: str) -> UsageError:
        return UsageError(f"entry {number} {what}")

    if not isinstance(value, dict) or value.keys() - _MEMBERS:
        raise wrong(f"has something else than {', '.join(sorted(_MEMBERS))}")
    digest, rule, reason = (value.get(name) for name in ("sha256", "rule", "reason"))
    if not isinstance(digest, str) or len(digest) != 64 or set(digest) - _HEXADECIMAL:
        raise wrong("has no sha256 of 64 hexadecimal digits in lower case")
    if not isinstance(rule, str) or not rule.startswith("SM"):
        raise wrong("has no rule, such as SM105")
    if rule in _NEVER:
        raise wrong(f"is for {rule}, which can't be accepted")
    if not isinstance(reason, str) or not reason.strip():
        raise wrong("has no reason: write down why this finding is accepted")
    expires = value.get("expires")
    return Entry(digest, rule, reason, None if expires is None else _day(str(expires), number))


def _day(text: str, number: int) -> str:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"entry {number} expires on {text!r}, which is no day") from None


def today() -> str:
    """The day, here."""
    from datetime import date

    return date.today().isoformat()


def apply(report: Report, entries: Sequence[Entry], today: str) -> Report:
    """The report with what the entries cover moved to `suppressed`, and notes on those that don't.

    Args:
        today: as `2027-01-31`.
    """
    valid: dict[tuple[str, str], Entry] = {}
    expired: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        over = entry.expires is not None and entry.expires < today
        (expired if over else valid)[entry.sha256, entry.rule] = entry
    files = tuple(_covered(file, valid) if file.findings else file for file in report.files)
    notes = tuple(_notes(report, files, valid, expired))
    return replace(report, files=files, notes=(*report.notes, *notes))


def _covered(file: FileReport, valid: dict[tuple[str, str], Entry]) -> FileReport:
    left: list[Finding] = []
    suppressed = list(file.suppressed)
    for finding in file.findings:
        entry = valid.get((file.sha256 or "", finding.rule))
        if entry is None:
            left.append(finding)
        else:
            suppressed.append(Suppressed(finding, entry.reason, entry.expires))
    return replace(file, findings=tuple(left), suppressed=tuple(suppressed))


def _notes(
    report: Report,
    files: Sequence[FileReport],
    valid: dict[tuple[str, str], Entry],
    expired: dict[tuple[str, str], Entry],
) -> Iterator[str]:
    used = {(file.sha256, one.finding.rule) for file in files for one in file.suppressed}
    for file in report.files:
        for rule in sorted({finding.rule for finding in file.findings}):
            entry = expired.get((file.sha256 or "", rule))
            if entry is not None and (file.sha256, rule) not in used:
                yield (f"{file.path}: {rule} was accepted until {entry.expires}, and counts again")
    unused = sum(key not in used for key in valid)
    if unused:
        entries = "1 baseline entry fits" if unused == 1 else f"{unused} baseline entries fit"
        yield f"{entries} nothing that was found"


def made_of(report: Report) -> dict[str, object]:
    """A baseline that would cover every finding of a report, once its reasons are filled in.

    Paths are for people; nothing compares them.
    """
    entries: dict[tuple[str, str], dict[str, object]] = {}
    for file in report.files:
        for finding in file.findings:
            if file.sha256 is not None and finding.rule not in _NEVER:
                entries.setdefault(
                    (file.sha256, finding.rule),
                    {
                        "sha256": file.sha256,
                        "rule": finding.rule,
                        "reason": "",
                        "expires": None,
                        "path": file.path,
                    },
                )
    return {"version": VERSION, "entries": list(entries.values())}
