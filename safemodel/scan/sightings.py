"""What a pickle does with each name, gathered, so that a million uses make one finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded, describe

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Global, Instance
    from safemodel.scan.names import Tables
    from safemodel.scan.names.entry import Danger, Entry
    from safemodel.scan.scope import Scope

# Names in no table that are counted one by one, in one pickle.
MAX_NAMES: Final = 10_000

# What text that is no pickle may reach, too.
_HARMLESS: Final = frozenset({"SM109", "SM112", "SM115", "SM116"})

# Families whose calls do not by themselves run, read, write or connect.
_LESSER: Final = frozenset({"gadget", "exhaust", "introspect", "process", "unpickle", "denied"})


class Note:
    """A finding to be, with how often it was met."""

    __slots__ = ("count", "evidence", "message", "offset", "rule", "severity")

    def __init__(
        self,
        rule: str,
        message: str,
        offset: int,
        evidence: Sequence[tuple[str, str]],
        severity: Severity | None,
    ) -> None:
        self.rule = rule
        self.message = message
        self.offset = offset
        self.evidence = evidence
        self.severity = severity
        self.count = 1


class Verdict:
    """One name in one pickle: what is known of it, and what the pickle does with it."""

    __slots__ = (
        "_called",
        "_count",
        "_first",
        "_made",
        "_sightings",
        "covered",
        "danger",
        "entry",
        "name",
    )

    def __init__(
        self,
        name: str,
        entry: Entry | None,
        danger: Danger | None,
        covered: bool,
        sightings: Sightings,
    ) -> None:
        self.name = name
        self.entry = entry
        self.danger = danger
        self.covered = covered
        self._sightings = sightings
        self._first: Global | None = None
        self._called: Instance | None = None
        self._made: Instance | None = None
        self._count = 0

    def met(self, fact: Global) -> None:
        """The name was looked up."""
        self._count += 1
        if self._first is None:
            self._first = fact
            if self.danger is not None:
                self._sightings.harmful = True
            if self.entry is not None and (self.entry.nested or not self.entry.harmless):
                self._sightings.lent = True
        if not fact.literal:
            self.noted("SM108", "is looked up by a name that other opcodes made", fact.offset)

    def called(self, result: Instance, callee: Global) -> None:
        """The name was called, and no table knows it to be harmless."""
        if self._first is None:
            self._first = callee  # a method, which was got by `getattr`
        if result.opcode in ("NEWOBJ", "NEWOBJ_EX") and self.danger is None:
            if self._made is None:
                self._made = result
        elif self._called is None:
            self._called = result
            self._sightings.harmful = True

    def misused(self, result: Instance, why: str) -> None:
        """The name is known, and was called in another way than it is known to be harmless in."""
        self._sightings.harmful = True
        self._sightings.note(
            "SM106",
            f"calls {self.name} {why}",
            result.offset,
            evidence=(
                ("global", self.name),
                ("opcode", result.opcode),
                ("arguments", describe(result.arguments)),
            ),
        )

    def noted(self, rule: str, what: str, offset: int, shown: str = "") -> None:
        """Something else was done with it, or with an instance of it."""
        evidence = (("global", self.name),) + ((("with", shown),) if shown else ())
        self._sightings.note(rule, f"{self.name} {what}", offset, evidence=evidence)

    def report(self, scope: Scope) -> None:
        """The finding about the name itself, if it is one."""
        if self.entry is not None or self._first is None:
            return
        rule, message, severity = self._judgement()
        evidence = [("global", self.name), ("times looked up", str(self._count))]
        if self._first.raw is not None:
            evidence.append(("as written", bounded(".".join(self._first.raw))))
        use = self._called or self._made
        if use is not None:
            evidence += [("opcode", use.opcode), ("arguments", describe(use.arguments))]
        if self.danger is not None:
            evidence.append(("family", self.danger.family))
        offset = self._first.offset if use is None else use.offset
        scope.find(rule, message, offset=offset, evidence=evidence, severity=severity)

    def _judgement(self) -> tuple[str, str, Severity | None]:
        if self.danger is not None:
            return self._danger(self.danger)
        if self._called is not None:
            return "SM103", f"calls {self.name}, and no table knows it to be harmless", None
        does = "imports" if self._made is None else "makes an instance of"
        if self.covered:
            return "SM104", f"{does} {self.name}, which no model of its package is known to", None
        return "SM105", f"{does} {self.name}, which no table knows", None

    def _danger(self, danger: Danger) -> tuple[str, str, Severity | None]:
        if danger.family == "denied":
            return "SM120", f"uses {self.name}, which the policy denies: {danger.reason}", None
        if self._called is None:
            return "SM102", f"imports {self.name}, which {danger.reason} when called", None
        if danger.family == "carried":
            return "SM114", f"calls {self.name}, which {danger.reason}", None
        severity = Severity.HIGH if danger.family in _LESSER else None
        return "SM101", f"imports {self.name} and calls it, which {danger.reason}", severity


class Sightings:
    """All names and notes of one pickle, in the order in which they were met.

    Attributes:
        harmful: whether there was a call, or a name that is known to be dangerous.
        lent: whether a name was looked up that is only harmless in some uses.
    """

    def __init__(self, lookup: Callable[[str, str], Entry | None], names: Tables) -> None:
        self._lookup = lookup
        self._names = names
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._unknown = 0
        self._notes: dict[tuple[str, str], Note] = {}
        self.harmful = False
        self.lent = False

    def verdict(self, fact: Global) -> Verdict:
        """What is known of a name; the same object each time that it is met."""
        key = (fact.module, fact.name)
        found = self._verdicts.get(key)
        return found if found is not None else self._judge(fact, key)

    def _judge(self, fact: Global, key: tuple[str, str]) -> Verdict:
        entry = self._lookup(*key)
        danger = None
        if entry is None:
            danger = self._names.danger(*key)
            if danger is None and fact.raw is not None:
                danger = self._names.danger(*fact.raw)
            if danger is None:
                self._unknown += 1
                if self._unknown > MAX_NAMES:
                    key = ("", "")  # hostile: nothing has so many; the rest are judged as one
                    found = self._verdicts.get(key)
                    if found is not None:
                        return found
        covered = _odd(*key) or self._names.covers(key[0])
        verdict = Verdict(bounded(fact.full_name), entry, danger, covered, self)
        self._verdicts[key] = verdict
        return verdict

    def note(
        self,
        rule: str,
        message: str,
        offset: int,
        *,
        evidence: Sequence[tuple[str, str]] = (),
        severity: Severity | None = None,
    ) -> None:
        """Remember a finding, or count it if it was met before."""
        self.harmful |= rule not in _HARMLESS
        found = self._notes.get((rule, message))
        if found is not None:
            found.count += 1
        elif len(self._notes) < MAX_NAMES:
            self._notes[rule, message] = Note(rule, message, offset, evidence, severity)

    def report(self, scope: Scope) -> None:
        """Report everything, names first."""
        for verdict in self._verdicts.values():
            verdict.report(scope)
        for note in self._notes.values():
            evidence = list(note.evidence)
            if note.count > 1:
                evidence.append(("times", str(note.count)))
            scope.find(
                note.rule,
                note.message,
                offset=note.offset,
                evidence=evidence,
                severity=note.severity,
            )


def _odd(module: str, name: str) -> bool:
    """Whether no class or function that someone wrote for models is called so.

    Dotted names reach from one object to another at load, names with two underscores belong to the
    language, and what is no identifier was never written in a module.
    """
    return (
        "." in name
        or (name.startswith("__") and name.endswith("__"))
        or not name.isidentifier()
        or not module.replace(".", "_").isidentifier()
    )
