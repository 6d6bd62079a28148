"""From the facts of a pickle to findings: every site is judged, by exact name and use.

A site is harmless only if a table says so: the callee is a literal global that is known good in
this role, with arguments that its schema permits. Everything else is a finding; one for each rule
and name, with how often and where first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy.pickle_facts import (
    Build,
    Call,
    Extension,
    Failure,
    Global,
    Instance,
    Items,
    Mutate,
    Oddity,
    Pairs,
    Persistent,
    Stop,
)
from safemodel.legacy.pickle_machine import trace
from safemodel.scan.calls import Calls
from safemodel.scan.evidence import bounded, describe
from safemodel.scan.schema import matching
from safemodel.scan.sightings import Sightings
from safemodel.scan.states import STATES, is_special, key_text, replaces_method
from safemodel.scan.values import anything

if TYPE_CHECKING:
    from safemodel.legacy.content import Content, Reader
    from safemodel.legacy.pickle_facts import Fact, Value
    from safemodel.legacy.pickle_input import Dialect
    from safemodel.scan.names.entry import Entry
    from safemodel.scan.scope import Scope
    from safemodel.scan.sightings import Verdict

_ITEMS: Final = {
    "APPEND": "list",
    "APPENDS": "list",
    "ADDITEMS": "set",
    "SETITEM": "dict",
    "SETITEMS": "dict",
}


@dataclass(frozen=True, slots=True)
class Loader:
    """How some loader's unpickler differs from the plain one.

    Attributes:
        name: of the format.
        persistent: whether an id is one that the loader's `persistent_load` expects. None: the
            loader has none.
        after_build: how many raw bytes after a BUILD belong to the object; it may scan them.
        known: names that are known good in this loader, besides the tables.
        values: whether its hooks need all that containers hold, not only the first items.
    """

    name: str = "pickle"
    persistent: Callable[[Persistent, Scope], bool] | None = None
    after_build: Callable[[Build, Reader, Scope], int] | None = None
    known: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    values: bool = False


PLAIN: Final = Loader()
MAX_OBSERVED: Final = 10_000  # facts of one pickle


def judge(
    reader: Reader, scope: Scope, *, loader: Loader = PLAIN, content: Content | None = None
) -> Stop | Failure:
    """Judge one pickle, from where the reader is, and report what is found.

    Args:
        content: what the reader reads, to scan what the pickle nests in its literals.

    Returns:
        How it ended. A failure is reported, too.
    """
    judged = Judge(scope, loader)
    end = judged.run(reader)
    judged.report(content)
    return end


class Judge:
    """The judgement of one pickle.

    Attributes:
        sightings: what was met, until it is reported.
        ambiguous: whether unpicklers disagree on how to go on somewhere.
        exhausted: whether a budget ended it.
    """

    def __init__(self, scope: Scope, loader: Loader = PLAIN) -> None:
        self._scope = scope
        self._loader = loader
        self._reader: Reader | None = None
        self._failure: LegacyError | None = None
        self._facts: list[Fact] = []
        self.ambiguous = False
        self.exhausted = False
        self.sightings = Sightings(self._lookup, scope.names)
        self._calls = Calls(self.sightings, self._lookup)

    def _lookup(self, module: str, name: str) -> Entry | None:
        return self._loader.known.get((module, name)) or self._scope.names.lookup(module, name)

    def run(self, reader: Reader, *, dialect: Dialect = "c") -> Stop | Failure:
        """Judge every site up to the end of the pickle. Reports nothing yet."""
        self._reader = reader
        reader.tick = self._scope.budget.check_time
        facts = trace(
            reader,
            dialect=dialect,
            values=self._loader.values,
            spend=self._scope.budget.spend_opcodes,
        )
        if self._scope.record.observe is not None:
            facts = self._kept(facts)
        end: Stop | Failure
        try:
            end = self._follow(facts)
        except LegacyError as error:
            self._failure = error
            self.exhausted = True
            return Failure(error.message, error.offset or 0, 0, budget=True)
        if isinstance(end, Failure):
            kind = BudgetError if end.budget else DamagedError
            self._failure = kind(end.message, offset=end.offset)
            self.ambiguous |= not end.budget  # another unpickler may go on
            self.exhausted = end.budget and self._scope.budget.seconds_left < 0
        return end

    def _kept(self, facts: Generator[Fact, int | None, None]) -> Generator[Fact, int | None, None]:
        """The same facts; the first of them are kept for whoever observes."""
        reply: int | None = None
        while True:
            try:
                fact = facts.send(reply)
            except StopIteration:
                return
            if len(self._facts) < MAX_OBSERVED:
                self._facts.append(fact)
            reply = yield fact

    def _follow(self, facts: Generator[Fact, int | None, None]) -> Stop | Failure:
        send = facts.send
        verdict = self.sightings.verdict
        call = self._calls.judge
        hook = self._loader.after_build
        reply: int | None = None
        while True:
            fact = send(reply)
            reply = None
            kind = type(fact)
            if kind is Global:
                verdict(fact).met(fact)  # type: ignore[arg-type]
            elif kind is Call:
                call(fact.result)  # type: ignore[union-attr]
            elif kind is Build:
                self._build(fact)  # type: ignore[arg-type]
                if hook is not None:
                    reply = hook(fact, self._reader, self._scope) or None  # type: ignore[arg-type]
            elif kind is Mutate:
                self._mutate(fact)  # type: ignore[arg-type]
            elif kind is Stop or kind is Failure:
                return fact  # type: ignore[return-value]
            else:
                self._other(fact)

    # Sites.

    def _build(self, fact: Build) -> None:
        target = fact.target
        if type(target) is Instance:
            found = self._calls.given(target)
            if found is not None:
                self._state(fact, *found)
            elif fact.again:
                self._second(fact.offset)
            else:
                self._attributes(fact)
        elif type(target) is Global:
            verdict = self.sightings.verdict(target)
            verdict.noted("SM110", "is changed itself, by state", fact.offset, describe(fact.state))
        else:
            self.sightings.note(
                "SM110",
                f"sets state on {describe(target)}",
                fact.offset,
                evidence=(("state", describe(fact.state)),),
            )

    def _second(self, offset: int) -> None:
        self.sightings.note("SM111", "an object is changed again after it got its state", offset)

    def _state(self, fact: Build, verdict: Verdict, entry: Entry) -> None:
        state = fact.state
        if fact.again:
            verdict.noted("SM111", "gets state a second time", fact.offset)
        elif "object" not in entry.gives:
            verdict.noted("SM110", "gets state", fact.offset, describe(state))
        elif entry.state:
            if not self._fits(entry.state, state):
                what = "gets a state that it is not known to be harmless with"
                verdict.noted("SM110", what, fact.offset, describe(state))
        elif type(state) is Items and state.count == 2 and state.kind == "tuple":
            self._attributes(fact)
            if "slots" not in entry.gives:
                verdict.noted("SM110", "gets state for slots", fact.offset, describe(state))
            elif not _plain_slots(state.items[1]):
                verdict.noted("SM110", "gets state for odd slots", fact.offset, describe(state))
        else:
            self._attributes(fact)

    def _fits(self, schema: str, state: Value) -> bool:
        if schema.startswith("@"):
            return STATES[schema](state)
        return matching(schema)([state], self._lookup)

    def _attributes(self, fact: Build) -> None:
        """A state can put a function where `__setstate__`, or `__del__`, calls a method.

        So what is only harmless in some uses must not be an attribute, and nothing that can be
        called may take the place of a method that runs while the object is loaded.
        """
        self._hands(fact.state, fact.offset)
        parts = fact.state.items if type(fact.state) is Items else (fact.state,)
        for part in parts:
            if type(part) is Pairs:
                for key, value in part.items:
                    self._attribute(key, value, fact.offset)
        if any(_unseen(part) for part in (fact.state, *parts)):
            what = "gets a state that was put away among so many values that it is not known"
            self.sightings.note("SM110", f"an object {what}", fact.offset)

    def _hands(self, value: Value, offset: int) -> None:
        """What is only harmless in some uses must not be anywhere in a state, or be an item."""
        if self.sightings.lent and not anything(value, self._lookup):
            self.sightings.note(
                "SM110",
                "a name that is only harmless in some uses becomes part of an object",
                offset,
                evidence=(("value", describe(value)),),
            )

    def _attribute(self, key: Value, value: Value, offset: int) -> None:
        if replaces_method(key, value):
            what = f"an attribute takes the place of the method {key_text(key)}"
            self.sightings.note("SM110", what, offset, evidence=(("value", describe(value)),))

    def _mutate(self, fact: Mutate) -> None:
        target = fact.target
        shown = describe(fact.arguments[0]) if fact.arguments else ""
        for value in fact.arguments:
            self._hands(value, fact.offset)
        if _ITEMS[fact.opcode] == "dict":  # of which some make attributes
            for key, value in zip(fact.arguments[::2], fact.arguments[1::2], strict=False):
                if is_special(key):
                    self._attribute(key, value, fact.offset)
        if type(target) is Instance:
            found = self._calls.given(target)
            if found is None:
                if target.state is not None:
                    self._second(fact.offset)
                return
            verdict, entry = found
            if target.state is not None:
                verdict.noted("SM111", "gets items after its state", fact.offset, shown)
            elif _ITEMS[fact.opcode] not in entry.gives:
                verdict.noted("SM110", f"gets items by {fact.opcode}", fact.offset, shown)
        elif type(target) is Global:
            verdict = self.sightings.verdict(target)
            verdict.noted("SM110", "is changed itself, by items", fact.offset, shown)
        else:
            self.sightings.note("SM110", f"puts items into {describe(target)}", fact.offset)

    def _other(self, fact: Fact) -> None:
        if isinstance(fact, Persistent):
            hook = self._loader.persistent
            if hook is None:
                self.sightings.note(
                    "SM112",
                    "asks its loader for objects by persistent id",
                    fact.offset,
                    evidence=(("id", describe(fact.id)),),
                )
            elif not hook(fact, self._scope):
                self.sightings.note(
                    "SM113",
                    f"asks for a persistent id that {self._loader.name} has no such object for",
                    fact.offset,
                    evidence=(("id", describe(fact.id)),),
                )
        elif isinstance(fact, Extension):
            self.sightings.note(
                "SM109",
                "uses a code of the copyreg extension registry",
                fact.offset,
                evidence=(("code", str(fact.code)),),
            )
        elif isinstance(fact, Oddity):
            self.ambiguous |= fact.ambiguous
            rule = "SM116" if fact.ambiguous else "SM115"
            self.sightings.note(rule, bounded(fact.message), fact.offset)

    # The end.

    @property
    def harmful(self) -> bool:
        """Whether something was reached that no text which only looks like a pickle reaches."""
        return self.sightings.harmful

    def report(self, content: Content | None, *, failure: bool = True) -> None:
        """Report what was met, scan what is nested, and say if the pickle could not be read.

        Args:
            failure: whether to say the last: not where another reading of it is the usual one.
        """
        observe = self._scope.record.observe
        if observe is not None:
            observe(self._scope, self._facts)
        self.sightings.report(self._scope)
        for nested in self._calls.nested:
            nested.scan(self._scope, content)
        if failure and self._failure is not None:
            self._scope.unread(self._failure)


def _unseen(value: Value) -> bool:
    """Whether it stands for a container that was memoized when there were too many."""
    return isinstance(value, Items | Pairs) and bool(value.count) and not value.items


def _plain_slots(slots: Value) -> bool:
    """Whether a state for slots sets no special attribute, such as `__class__`."""
    if type(slots) is not Pairs:
        return True  # not an object with slots, but a class that takes a pair
    return slots.complete and not any(
        type(key) is not str or key.startswith("__") for key, _ in slots.items
    )
