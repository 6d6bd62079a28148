"""Which nodes of a function matter, and in which order they are written.

A node matters if a result needs it, or if it changes something and runs. Of what a node must wait
for, only what touches variables or changes something is kept. Implements spec/tensorflow-graph.md,
"Writing".
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from safemodel.errors import UnsavableError


@dataclass(frozen=True, slots=True)
class Part:
    """A node, as far as order goes.

    `needs` are nodes whose outputs it takes, `waits` those that it only comes after; `changes`: it
    does something beside giving outputs; `ordered`: it also matters when it runs.
    """

    needs: tuple[str, ...]
    waits: tuple[str, ...]
    changes: bool
    ordered: bool


def order(
    parts: Mapping[str, Part],
    results: Sequence[str],
    roots: Iterable[str],
    spend: Callable[[int], None],
) -> dict[str, tuple[str, ...]]:
    """The names of nodes that matter, in order, each with the nodes that it must come after.

    `results` are nodes that the results are, `roots` nodes that run in any case. Of several orders
    it is the one that stays next to that of `parts`. `spend` is told how many were looked at.

    Raises:
        UnsavableError: nodes that wait for one another.
    """
    reached = _closure(parts, [*results, *roots], waits=True)
    changing = [name for name in parts if name in reached and parts[name].changes]
    live = _closure(parts, [*results, *changing], waits=False)
    after = {name: _after(parts, live, name, spend) for name in parts if name in live}
    return _sorted(parts, after)


def _closure(parts: Mapping[str, Part], start: Iterable[str], *, waits: bool) -> set[str]:
    found = set(start)
    stack = list(found)
    while stack:
        part = parts[stack.pop()]
        for name in (*part.needs, *part.waits) if waits else part.needs:
            if name not in found:
                found.add(name)
                stack.append(name)
    return found


def _after(
    parts: Mapping[str, Part], live: set[str], name: str, spend: Callable[[int], None]
) -> tuple[str, ...]:
    """What a node must come after: instead of nodes that don't matter, what these wait for."""
    found: set[str] = set()
    seen: set[str] = set()
    stack = list(parts[name].waits)
    while stack:
        one = stack.pop()
        if one in seen:
            continue
        seen.add(one)
        part = parts[one]
        if one in live and part.ordered:
            found.add(one)
        else:
            stack += [*part.needs, *part.waits]
            spend(len(part.needs) + len(part.waits))
    return tuple(found.difference(parts[name].needs))


def _sorted(
    parts: Mapping[str, Part], after: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Sort the live nodes so that each comes after what it needs, else as they were written."""
    places = {name: place for place, name in enumerate(after)}
    names = list(after)
    missing: dict[str, int] = {}
    users: dict[str, list[str]] = {name: [] for name in names}
    ready: list[int] = []
    for name, place in places.items():
        before = {*parts[name].needs, *after[name]}
        missing[name] = len(before)
        for one in before:
            users[one].append(name)
        if not before:
            ready.append(place)
    heapq.heapify(ready)
    found: dict[str, tuple[str, ...]] = {}
    while ready:
        name = names[heapq.heappop(ready)]
        found[name] = after[name]
        for user in users[name]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, places[user])
    if len(found) != len(names):
        raise UnsavableError("nodes that wait for one another")
    return found
