"""What a format's handler is given: where it is, what it may spend, and where findings go.

One `Scope` for each content that is scanned: the file itself, and every member nested in it. All
scopes of one file share its budget, its findings and its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, LegacyError, UnreadableError
from safemodel.report.model import Finding, Location, Severity
from safemodel.scan import rules

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.legacy.pickle_facts import Fact
    from safemodel.scan.budget import Budget
    from safemodel.scan.names import Tables

MAX_EVIDENCE: Final = 500  # characters of one value


@dataclass(slots=True)
class Record:
    """What all scopes of one file write to."""

    findings: list[Finding] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    dropped: int = 0  # findings above the limit
    counts: list[int] = field(default_factory=lambda: [0, 0])  # below HIGH, and from HIGH on
    seen: set[tuple[object, ...]] = field(default_factory=set)
    # Told of each pickle that was judged: where, and its facts (`safemodel explain`).
    observe: Callable[[Scope, Sequence[Fact]], None] | None = None

    def recount(self) -> None:
        """Count the findings that there are."""
        grave = sum(finding.severity >= Severity.HIGH for finding in self.findings)
        self.counts[:] = len(self.findings) - grave, grave


class Scope:
    """The context of one content.

    Attributes:
        path: of the file.
        inside: names of the members that lead here, outermost first.
        names: the tables of known names.
    """

    __slots__ = ("_record", "_scan", "budget", "inside", "names", "path")

    def __init__(
        self,
        path: str,
        budget: Budget,
        names: Tables,
        scan: Callable[[Content, Scope, Sequence[str] | None], bool],
        *,
        inside: tuple[str, ...] = (),
        record: Record | None = None,
    ) -> None:
        self.path = path
        self.inside = inside
        self.budget = budget
        self.names = names
        self._scan = scan
        self._record = Record() if record is None else record

    @property
    def record(self) -> Record:
        """The findings and formats of the whole file so far."""
        return self._record

    def find(
        self,
        rule: str,
        message: str,
        *,
        offset: int | None = None,
        length: int | None = None,
        severity: Severity | None = None,
        evidence: Sequence[tuple[str, str]] = (),
        remedy: str = "",
    ) -> None:
        """Report a finding here. The same one at the same place is reported once."""
        severity = rules.RULES[rule].severity if severity is None else severity
        key = (rule, message, self.inside, offset)
        record = self._record
        if key in record.seen:
            return
        # Many harmless findings must not leave out one that is not.
        grave = severity >= Severity.HIGH
        if record.counts[grave] >= self.budget.limits.findings:
            record.dropped += 1
            return
        record.counts[grave] += 1
        record.seen.add(key)
        record.findings.append(
            Finding(
                rule,
                severity,
                message,
                Location(self.path, self.inside, offset, length),
                tuple((name, value[:MAX_EVIDENCE]) for name, value in evidence),
                remedy,
            )
        )

    def summarise(self) -> None:
        """Report how many findings were left out, if any."""
        dropped = self._record.dropped
        if dropped:
            rule = rules.RULES["SM906"]
            where = Location(self.path)
            self._record.findings.append(
                Finding(rule.id, rule.severity, f"{dropped} more findings are left out", where)
            )

    def unread(self, error: LegacyError) -> None:
        """Report that something here could not be read, and why."""
        rule = "SM901"
        if isinstance(error, BudgetError):
            rule = "SM902"
        elif isinstance(error, UnreadableError):
            rule = "SM903"
        message = error.message if error.place is None else f"{error.place}: {error.message}"
        self.find(rule, message, offset=error.offset, remedy=error.hint or "")

    def fits(self, name: str, place: int | None = None) -> None:
        """Note that the content is of a format, for `FileReport.formats`.

        `place`: where in the list, if formats of what is inside were noted first.
        """
        formats = self._record.formats
        if name not in formats:
            formats.insert(len(formats) if place is None else place, name)

    def scan(self, name: str, content: Content, formats: Sequence[str] | None = None) -> bool:
        """Scan a member: by every format that its bytes suggest, or by `formats` alone.

        Never raises: what goes wrong inside is a finding of the member. Returns whether any format
        fitted.
        """
        try:
            child = self.enter(name)
        except BudgetError as error:
            self.unread(error)
            return True
        return self._scan(content, child, formats)

    def enter(self, name: str) -> Scope:
        """The scope of a member, for a handler that reads the member itself.

        Raises:
            BudgetError: too many members, or too deeply nested.
        """
        self.budget.member()
        if len(self.inside) >= self.budget.limits.depth:
            raise BudgetError(f"more than {self.budget.limits.depth} containers in one another")
        return Scope(
            self.path,
            self.budget,
            self.names,
            self._scan,
            inside=(*self.inside, name),
            record=self._record,
        )
