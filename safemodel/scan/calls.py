"""The judgement of calls: of what, with what, and whether a table permits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from safemodel.legacy.pickle_facts import Global, Instance, Items, Pairs
from safemodel.scan.evidence import bounded, describe
from safemodel.scan.nested import Nested, literal_bytes
from safemodel.scan.schema import matching
from safemodel.scan.special import SPECIAL
from safemodel.scan.values import anything, made_by, resolve

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value
    from safemodel.scan.names.entry import Entry
    from safemodel.scan.sightings import Sightings, Verdict

MAX_DEPTH: Final = 8  # of functions that call functions for the pickle

_HANDED: Final = "and hands it a name that is only harmless in some uses"


class Calls:
    """Judges the calls of one pickle.

    Attributes:
        nested: bytes that the pickle hands to functions that unpickle them.
    """

    def __init__(self, sightings: Sightings, lookup: Callable[[str, str], Entry | None]) -> None:
        self.nested: list[Nested] = []
        self._depth = 0
        self._sightings = sightings
        self._lookup = lookup

    def judge(self, result: Instance) -> None:
        callee = result.callee
        if type(callee) is not Global:
            found = resolve(callee)
            if found is None:
                self._computed_callee(result)
                return
            callee = found
        verdict = self._sightings.verdict(callee)
        entry = verdict.entry
        if entry is None:
            verdict.called(result, callee)
            if verdict.danger is not None and verdict.danger.family == "unpickle":
                self._nest("any", result)
            return
        arguments = result.arguments
        if type(arguments) is not Items or arguments.kind != "tuple":
            verdict.misused(result, "with arguments that are no tuple")
            return
        if result.opcode in ("NEWOBJ", "NEWOBJ_EX"):
            schema = entry.new
            if schema == "" and not arguments.items and result.keywords is None:
                return
        elif result.opcode != "REDUCE" and not arguments.count and entry.new is not None:
            return  # INST and OBJ of a class without arguments are NEWOBJ
        else:
            schema = entry.call
        why = self._refused(result, entry, schema, arguments)
        if why:
            verdict.misused(result, why)

    def _refused(self, result: Instance, entry: Entry, schema: str | None, arguments: Items) -> str:
        """Why a call of a known name is not one of its known uses; "" if it is."""
        if schema is None:
            return "where it is only known to be harmless in other uses"
        if not arguments.complete or (_has_items(result.keywords) and schema != "*any"):
            return "with more arguments than it is known to be harmless with"
        if schema.startswith("@"):
            why = SPECIAL[schema](arguments.items, self._permits)
            if why:
                return why
        elif not matching(schema)(arguments.items, self._lookup):
            return "with arguments that it is not known to be harmless with"
        if entry.nested and not self._nest(entry.nested, result):
            return "with bytes that are not in the pickle as a literal"
        return ""

    def _permits(self, callee: Value, arguments: Value, use: str) -> str:
        """Why a known function may not use something for the pickle; "" if it may."""
        if use == "method":
            return self._permits_method(callee, arguments)
        if use == "any":
            return "" if anything(callee, self._lookup) else _HANDED
        found = resolve(callee)
        if found is None:
            return "where what it uses is computed"
        entry = self._lookup(found.module, found.name)
        why = f"where what it uses is {bounded(found.full_name)}"
        if entry is None:
            # A class that no table knows is a finding of its own, and no worse for being made so.
            return why if use != "class" else self._no_class(found, why)
        if use == "known":
            return ""
        if use == "enum":
            return "" if "enum" in entry.gives else why
        if use in ("class", "constant"):
            return "" if entry.role == use else why
        if type(arguments) is not Items or arguments.kind not in ("tuple", "list"):
            return "with arguments that are no tuple"
        if self._depth >= MAX_DEPTH:
            return "too many times in one another"
        schema = entry.new if use == "new" else entry.call
        inner = Instance(found, arguments, None, found.offset, "REDUCE")
        self._depth += 1
        why = self._refused(inner, entry, schema, arguments)
        self._depth -= 1
        return why

    def _no_class(self, found: Global, why: str) -> str:
        verdict = self._sightings.verdict(found)
        return why if verdict.covered or verdict.danger is not None else ""

    def _permits_method(self, owner: Value, name: Value) -> str:
        found = self.given(owner) if type(owner) is Instance else None
        if found is not None and type(name) is str and "." + name in found[1].gives:
            return ""
        return "to get at an attribute when the pickle runs"

    def _nest(self, format_name: str, result: Instance) -> bool:
        """Remember the bytes that a call unpickles; whether they are a literal."""
        arguments = result.arguments
        if type(arguments) is not Items or not arguments.items:
            return False
        found = literal_bytes(arguments.items[0])
        if found is None:
            return False
        self.nested.append(Nested(format_name, found, result.offset))
        return True

    def _computed_callee(self, result: Instance) -> None:
        if self._is_partial(result):
            return
        shown = describe(result.callee)
        self._sightings.harmful = True
        self._sightings.note(
            "SM107",
            f"calls what is only known when the pickle runs: {bounded(shown, 120)}",
            result.offset,
            evidence=(("callee", shown), ("arguments", describe(result.arguments))),
        )

    def _is_partial(self, result: Instance) -> bool:
        """Whether a partial of something known is called, with nothing more, in a known use.

        Protocols 2 and 3 write NEWOBJ_EX so: `partial(cls.__new__, cls, *args, **kwargs)()`.
        """
        made = result.callee
        if type(made) is not Instance or made_by(made) != "functools.partial":
            return False
        state, arguments = made.state, result.arguments
        if type(state) is not Items or state.count != 4 or type(arguments) is not Items:
            return False
        function, inner = resolve(state.items[0]), state.items[1]
        if function is None or arguments.count or type(inner) is not Items:
            return False
        if function.name.endswith(".__new__"):
            return self._is_new(function, inner, state.items[2])
        entry = self._lookup(function.module, function.name)
        call = Instance(function, inner, state.items[2], function.offset, "REDUCE")
        return entry is not None and not self._refused(call, entry, entry.call, inner)

    def _is_new(self, function: Global, arguments: Items, keywords: Value) -> bool:
        owner = Global(
            function.module, function.name.removesuffix(".__new__"), function.offset, "REDUCE"
        )
        first = resolve(arguments.items[0]) if arguments.items and arguments.complete else None
        if first is None or self._permits(owner, None, "class"):
            return False
        entry = self._lookup(first.module, first.name)
        if _has_items(keywords) and (entry is None or entry.new != "*any"):
            return False
        rest = Items("tuple", arguments.items[1:], arguments.count - 1)
        return not self._permits(first, rest, "new")

    def given(self, target: Instance) -> tuple[Verdict, Entry] | None:
        """What says what an instance may be given; None where what made it is a finding."""
        callee = resolve(target.callee)
        if callee is None:
            return None
        verdict = self._sightings.verdict(callee)
        entry = verdict.entry
        if entry is None or "class" not in entry.gives:
            return None if entry is None else (verdict, entry)
        arguments = target.arguments
        if type(arguments) is not Items or not arguments.items:
            return None
        made = resolve(arguments.items[0])
        if made is None:
            return None
        verdict = self._sightings.verdict(made)
        return None if verdict.entry is None else (verdict, verdict.entry)


def _has_items(keywords: Value) -> bool:
    """Whether there are keyword arguments, or could be."""
    return keywords is not None and not (isinstance(keywords, Pairs) and not keywords.count)
