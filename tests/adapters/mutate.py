"""Random edits of an architecture: what a hostile signer would try, at every place."""

from __future__ import annotations

import copy
import random
from typing import Any

INTEGERS = [-1, 0, 1, 2, 3, 7, 8, 63, 64, 2**31, 2**32, 2**40, 2**53 - 1, -(2**53) + 1]


def mutate(graph: Any, seed: int, words: list[str]) -> Any:
    """A copy with one to three edits. `words` are strings that mean something to the adapter."""
    rng = random.Random(seed)
    result = copy.deepcopy(graph)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = list(_places(result))
        if not places:
            break
        holder, key = rng.choice(places)
        _edit(holder, key, rng, places, words)
    return result


def _places(value: Any) -> Any:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key in item:
                yield item, key
            stack += item.values()
        elif isinstance(item, list):
            for index in range(len(item)):
                yield item, index
            stack += item


def _edit(holder: Any, key: Any, rng: random.Random, places: Any, words: list[str]) -> None:
    old = holder[key]
    choice = rng.randrange(6)
    if choice == 0:
        del holder[key]
    elif choice == 1:
        other, other_key = rng.choice(places)
        if other_key in other if isinstance(other, dict) else other_key < len(other):
            holder[key] = copy.deepcopy(other[other_key])
    elif choice == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(old))
    elif isinstance(old, bool) or old is None:
        holder[key] = rng.choice([True, False, None, 1, "true", []])
    elif isinstance(old, int):
        near = old + rng.choice([-1, 1, 8, -8])
        holder[key] = rng.choice([*INTEGERS, near, near, old * 2, -old, str(old), None])
    elif isinstance(old, str):
        holder[key] = rng.choice([*words, old + "x", old[:-1], "", 0, None, {"ref": 0}])
    else:
        holder[key] = rng.choice([[], {}, None, 1, "x", {"ref": rng.randrange(8)}, [old], True])
