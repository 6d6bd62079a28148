"""The facts of the pickle machine as the events that `pickle_victim` records of the real thing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safemodel.legacy.content import View
from safemodel.legacy.pickle_facts import (
    Blob,
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

from .pickle_victim import DEPTH, LONG

# Where the real unpickler raises and the machine goes on, because only the values of this test
# are to blame, or because another loader or version would go on.
PERMITTED = (
    "assignment index out of range",  # a call may have made the list longer
    "bytearray index out of range",
    "Existing exports of data",  # a bytearray that a view of it keeps from growing
    "argument list must be a tuple",  # a stand-in is no tuple, the result of a call may be one
    "args argument must be a tuple, not Stand",
    "kwargs argument must be a dict, not Stand",
    "STACK_GLOBAL requires str",  # the same for strings
    "list indices must be integers or slices, not Stand",
    "bytearray indices must be integers or slices, not Stand",
    "'Stand' object cannot be interpreted as an integer",
    "memoryview: a bytes-like object is required, not 'Stand'",
    "a bytes-like object is required, not 'Stand'",
    "state is not a dictionary",  # a stand-in may be None
    "slot state is not a dictionary",
    "has no attribute '__dict__'",  # a state may be empty, whatever it looks like
    "Exceeds the limit",  # of digits: older versions have none
    "keywords must be strings",
    "unregistered extension code",
    "MemoryError",
    "can't set attribute",
)


ANY = None  # whatever the real unpickler has there


def same(events: list[list[Any]], happened: list[list[Any]]) -> bool:
    """Whether events are equal, but for what is not told."""
    return len(events) == len(happened) and all(
        len(one) == len(other) and all(a in (b, ANY) for a, b in zip(one, other, strict=True))
        for one, other in zip(events, happened, strict=True)
    )


class Teller:
    """Follows the facts of one trace."""

    def __init__(self) -> None:
        self.events: list[list[Any]] = []
        self.numbers: dict[int, tuple[int, object]] = {}
        self.extensions: dict[int, int] = {}

    def number(self, value: object) -> int:
        return self.numbers.setdefault(id(value), (len(self.numbers), value))[0]

    def describe(self, value: object, depth: int = DEPTH) -> str:
        if isinstance(value, Extension):
            return f"#{self.extensions[value.code]}"
        if isinstance(value, Global | Instance | Persistent):
            return f"#{self.number(value)}"
        if isinstance(value, str | bytes) and len(value) > LONG:
            return type(value).__name__
        if value is None or isinstance(value, bool | str | bytes | float):
            return f"{type(value).__name__}:{value!r}"
        if isinstance(value, int):
            if value.bit_length() > LONG:
                return "int"
            return f"int:{value:x}"
        if isinstance(value, Blob):
            return value.kind
        if isinstance(value, Pairs):
            if not depth:
                return "dict:"
            known = {
                key: self.describe(item, depth - 1) for key, item in value.items if type(key) is str
            }
            return "dict:" + json.dumps(known, sort_keys=True)
        assert isinstance(value, Items)
        if value.kind not in ("list", "tuple"):
            return value.kind
        return f"{value.kind}:" + (
            json.dumps([self.describe(item, depth - 1) for item in value.items]) if depth else ""
        )

    def tell(self, fact: object) -> None:
        if isinstance(fact, Global):
            raw = fact.raw or (fact.module, fact.name)
            self.events.append(["global", *raw, self.number(fact)])
        elif isinstance(fact, Extension):
            if fact.code not in self.extensions:
                self.extensions[fact.code] = self.number(fact)
                self.events.append(["extension", fact.code, self.number(fact)])
        elif isinstance(fact, Persistent):
            told = self.describe(fact.id)
            self.events.append(["persistent", told, self.number(fact)])
        elif isinstance(fact, Call):
            self._call(fact.result)
        elif isinstance(fact, Build):
            self.events.append(["build", self._target(fact), self.describe(fact.state)])
        elif isinstance(fact, Mutate):
            self._mutate(fact)

    def _target(self, fact: Build | Mutate) -> int:
        return int(self.describe(fact.target)[1:])

    def _call(self, result: Instance) -> None:
        arguments = result.arguments
        told = self._told(arguments)
        keywords = result.keywords
        named = isinstance(keywords, Pairs) and keywords.items
        words = self.describe(keywords) if named else ""
        callee = int(self.describe(result.callee)[1:])
        self.events.append(["call", callee, told, words, self.number(result)])

    def _told(self, arguments: object) -> str | None:
        """Arguments that are no tuple are what the Python unpickler takes from iterating."""
        if isinstance(arguments, Global | Instance | Persistent | Extension):
            return "tuple:[]"
        if isinstance(arguments, Items) and arguments.kind in ("list", "tuple"):
            return "tuple" + self.describe(arguments)[len(arguments.kind) :]
        if isinstance(arguments, str | bytes):
            return self.describe(Items("tuple", list(arguments), len(arguments)))
        return ANY

    def _mutate(self, fact: Mutate) -> None:
        if isinstance(fact.target, Items | Blob):
            return  # a list or a bytearray of the pickle's own: no event of the real thing
        target = self._target(fact)
        values = fact.arguments
        if fact.opcode.startswith("APPEND"):
            told = self.describe(Items("list", list(values), len(values)))
            self.events.append(["append", target, told])
        elif fact.opcode == "ADDITEMS":
            self.events += [["add", target, self.describe(value)] for value in values]
        else:
            pairs = zip(values[::2], values[1::2], strict=True)
            self.events += [["set", target, *map(self.describe, pair)] for pair in pairs]


def machine_events(data: bytes, dialect: str) -> tuple[list[list[Any]], Stop | Failure, str, bool]:
    """The events that the machine tells, its last fact, the value at the end, and whether there
    was a frame that the machine does not look for."""
    teller = Teller()
    huge = False
    end: Stop | Failure | None = None
    for fact in trace(View(data).reader(), dialect=dialect, values=True):  # type: ignore[arg-type]
        assert end is None, "a fact behind the end"
        if isinstance(fact, Stop | Failure):
            end = fact
        elif isinstance(fact, Oddity):
            huge = huge or "a frame of more than" in fact.message
        else:
            teller.tell(fact)
    assert end is not None
    value = teller.describe(end.value) if isinstance(end, Stop) else ""
    return teller.events, end, value, huge


def real_answers(
    samples: Iterable[tuple[str, bytes]], interpreter: str = sys.executable
) -> list[dict[str, Any]]:
    """What the real unpicklers do with samples, in one confined child."""
    lines = "".join(json.dumps([dialect, data.hex()]) + "\n" for dialect, data in samples)
    victim = Path(__file__).with_name("pickle_victim.py")
    done = subprocess.run(
        [interpreter, "-I", "-W", "ignore", str(victim)],
        input=lines.encode(),
        capture_output=True,
        timeout=250,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def difference(data: bytes, dialect: str, real: dict[str, Any]) -> str:
    """What the machine tells otherwise than the real unpickler; empty if nothing."""
    events, end, value, huge = machine_events(data, dialect)
    happened = real["events"]
    shown = f"{data!r} as {dialect}: real {real} machine {events} {end}"
    if real["ok"]:
        if not isinstance(end, Stop):
            return f"the machine fails: {shown}"
        if not same(events, happened):
            return f"other events: {shown}"
        if value != real["value"] or end.end != real["end"]:
            return f"another end {value!r} {end.end}: {shown}"
        return ""
    if not same(events[: len(happened)], happened):
        return f"events are missed: {shown}"
    permitted = any(reason in real["error"] for reason in PERMITTED)
    permitted |= huge and "pickle data was truncated" in real["error"]
    if not permitted and (isinstance(end, Stop) or len(events) > len(happened)):
        return f"the machine goes on: {shown}"
    return ""


def differences(
    samples: Sequence[tuple[str, bytes]], interpreter: str = sys.executable
) -> list[str]:
    """Every disagreement over samples."""
    answers = real_answers(samples, interpreter)
    assert len(answers) == len(samples)
    found = (
        difference(data, dialect, real)
        for (dialect, data), real in zip(samples, answers, strict=True)
    )
    return [text for text in found if text]
