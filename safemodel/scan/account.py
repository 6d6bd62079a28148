"""What the pickles in a file would do, opcode by opcode, for people: `safemodel explain FILE`.

The facts are those that the judge sees, of every pickle that some loader would read, wherever in
the file it is. An account judges nothing; the report beside it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel.legacy.content import View
from safemodel.legacy.pickle_facts import (
    Build,
    Call,
    Extension,
    Failure,
    Global,
    Mutate,
    Oddity,
    Persistent,
    Stop,
)
from safemodel.scan import engine
from safemodel.scan.budget import Budget
from safemodel.scan.evidence import describe
from safemodel.scan.names import Tables
from safemodel.scan.scope import Record, Scope

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Fact
    from safemodel.scan.single import Settings

MAX_PICKLES: Final = 1_000
MAX_STEPS: Final = 10_000  # of all pickles together
_MAX_TEXT: Final = 400


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an unpickler would do. The text is not yet escaped.

    Attributes:
        offset: of the opcode; None at the end of the pickle, and for what has no place.
        verdict: "known" where a table knows the name, "dangerous" where it is known to do harm,
            "unknown" where a name is neither, "" for what has no name.
    """

    offset: int | None
    text: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Pickle:
    """The account of one pickle.

    Attributes:
        inside: the way into nested members.
        steps: in the order in which they would happen.
        left_out: how many more there are.
    """

    inside: tuple[str, ...]
    steps: tuple[Step, ...]
    left_out: int = 0


def account(data: memoryview, path: str, settings: Settings) -> tuple[Pickle, ...]:
    """The pickles of some bytes, in the order in which the scanner reads them."""
    names = Tables(settings.policy)
    found: list[Pickle] = []
    left = MAX_STEPS

    def observe(scope: Scope, facts: Sequence[Fact]) -> None:
        nonlocal left
        if len(found) >= MAX_PICKLES:
            return
        shown = facts[:left]
        left -= len(shown)
        steps = tuple(_step(fact, names) for fact in shown)
        found.append(Pickle(scope.inside, steps, len(facts) - len(shown)))

    budget = Budget(settings.limits, len(data))
    scope = Scope(path, budget, names, engine.scan_content, record=Record(observe=observe))
    engine.scan_content(View(data), scope, None)
    return tuple(found)


def _step(fact: Fact, names: Tables) -> Step:
    text, verdict = _text(fact, names)
    offset = None if isinstance(fact, Stop) else fact.offset
    return Step(offset, text, verdict)


def _text(fact: Fact, names: Tables) -> tuple[str, str]:
    """What happens at a site, and what is known of the name in it."""
    if isinstance(fact, Global):
        return f"imports {fact.full_name}", _verdict(fact, names)
    if isinstance(fact, Call):
        callee = fact.result.callee
        verb = "makes" if fact.result.opcode.startswith("NEWOBJ") else "calls"
        verdict = _verdict(callee, names) if isinstance(callee, Global) else "unknown"
        return f"{verb} {describe(fact.result, _MAX_TEXT)}", verdict
    if isinstance(fact, Build):
        target, state = describe(fact.target, 100), describe(fact.state, _MAX_TEXT)
        return f"sets state of {target}: {state}", ""
    if isinstance(fact, Mutate):
        shown = ", ".join(describe(value, 100) for value in fact.arguments)
        return f"adds to {describe(fact.target, 100)}: {shown}", ""
    if isinstance(fact, Persistent):
        return f"asks the loader for what it calls {describe(fact.id, _MAX_TEXT)}", ""
    if isinstance(fact, Extension):
        return f"looks up the extension {fact.code} of the copyreg registry", "unknown"
    if isinstance(fact, Oddity):
        return f"odd: {fact.message}", ""
    if isinstance(fact, Failure):
        return f"stops here: {fact.message}", ""
    return f"returns {describe(fact.value, _MAX_TEXT)}", ""


def _verdict(name: Global, names: Tables) -> str:
    if names.danger(name.module, name.name) is not None:
        return "dangerous"
    return "unknown" if names.lookup(name.module, name.name) is None else "known"
