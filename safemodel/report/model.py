"""The result of a scan: a `Report` of files, each with its `Finding`s. Frozen, and pure data.

Rules are described by `Rule`; their table is `safemodel.scan.rules`. The words are those of
docs/architecture.md: a file without findings has "no findings", it is never called safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum


class Severity(IntEnum):
    """How bad it is if the file is loaded by what usually loads such files."""

    INFO = 0  # worth knowing
    LOW = 1  # unusual, and harmless as far as it was read
    MEDIUM = 2  # something that no table of ours knows, or that a stranger should not do
    HIGH = 3  # would run code of the file's choice, or can hide that it does
    CRITICAL = 4  # runs a known way to execute commands, read, write or connect

    @property
    def label(self) -> str:
        """The lower-case word of options and reports."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of spec/rules.md. Texts are plain, one paragraph each.

    Attributes:
        id: `SM` and three digits. 1xx pickle, 2xx Keras and HDF5, 3xx graphs, 4xx containers,
            5xx text and templates, 9xx unread.
        name: a short slug for SARIF and `--rule`, such as `dangerous-global`.
        severity: of a finding, unless the finding says otherwise.
        title: at most 80 characters.
        what: what the scanner saw.
        why: what a loader would do with it; CVE or paper where there is one.
        example: bytes, code or JSON that triggers it.
        remedy: what to do.
        since: the version that introduced it.
    """

    id: str
    name: str
    severity: Severity
    title: str
    what: str
    why: str
    example: str
    remedy: str
    since: str = "0.1.0"

    @property
    def unread(self) -> bool:
        """Whether it says that something could not be read, rather than what was read."""
        return self.id.startswith("SM9")


@dataclass(frozen=True, slots=True)
class Location:
    """Where: the file, the way into nested members, and bytes of the innermost one.

    Attributes:
        path: of the file, as the caller named it, or relative to the folder that was scanned.
        inside: names of nested members, outermost first; empty for the file itself.
        offset: of the first byte, in the innermost member; None where there is no such place.
        length: bytes; None where unknown.
    """

    path: str
    inside: tuple[str, ...] = ()
    offset: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that someone should look at.

    Attributes:
        rule: the id of a rule.
        message: one sentence, lower case, no full stop; untrusted text in it is not yet escaped.
        evidence: names and values, such as ("global", "os.system"), as text, each bounded.
        remedy: what to do about this one; the rule's where empty.
    """

    rule: str
    severity: Severity
    message: str
    location: Location
    evidence: tuple[tuple[str, str], ...] = ()
    remedy: str = ""

    @property
    def unread(self) -> bool:
        """Whether it says that something could not be read."""
        return self.rule.startswith("SM9")


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that a baseline entry covers: still counted, with the reason that was given."""

    finding: Finding
    reason: str
    expires: str | None = None


class Status(Enum):
    """What became of one file."""

    SCANNED = "scanned"  # every byte that some loader would use was read
    UNREAD = "unread"  # part of it, or all, could not be read: a 9xx finding says why
    SKIPPED = "skipped"  # nothing that a supported loader opens


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one file.

    Attributes:
        formats: every interpretation that was scanned, outermost first, such as
            ("gzip", "joblib"); empty where none fits.
        size: bytes; None where it could not be told.
        sha256: hexadecimal, where it was computed (a file with findings, or on request).
        members: how many nested members were scanned.
    """

    path: str
    status: Status
    formats: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    members: int = 0
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The highest severity of what was read; None without findings. 9xx do not count."""
        return max((f.severity for f in self.findings if not f.unread), default=None)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in all files, in the order of their paths.

    Attributes:
        version, ruleset: of safemodel and of its rules and tables.
        named: paths that the caller named, rather than a folder that they are in.
        notes: what to know of the scan as a whole, such as a baseline entry that has expired.
    """

    files: tuple[FileReport, ...]
    version: str
    ruleset: str
    named: frozenset[str] = field(default=frozenset())
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings of all files."""
        return tuple(finding for file in self.files for finding in file.findings)

    def exit_code(self, fail_on: Severity = Severity.MEDIUM, *, strict: bool = False) -> int:
        """0 yes, 1 no, 2 not answered (spec/cli.md, "Exit codes").

        1 if what was read has a finding at or above `fail_on`, else 2 if something was unread, or
        was skipped although it was named directly or `strict` was asked for, else 0. A baseline
        that covers all that is unread of a file stands for having read it.
        """
        if any(f.severity >= fail_on and not f.unread for f in self.findings):
            return 1
        for file in self.files:
            covered = file.suppressed and not any(f.unread for f in file.findings)
            if file.status is Status.UNREAD and not covered:
                return 2
            if file.status is Status.SKIPPED and (strict or file.path in self.named):
                return 2
        return 0
