"""Live objects of what an archive holds: variables, tensors, parts of modules, and trees of them.

Implements spec/tensorflow.md, "Modules".
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np

from safemodel.adapters.tensorflow.facts import StoredModule
from safemodel.adapters.tensorflow.parts import Part
from safemodel.adapters.tensorflow.values import tensor_of, variable_of
from safemodel.adapters.tensorflow.variables import Stored

_LISTS: Final = (list, deque)


class Maker:
    """Makes each object once, whatever refers to it."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._waiting: list[Any] = []

    def live(self, root: Any, *, into: Part | None = None) -> Any:
        """The live object of a fact, and of everything below it.

        `into` is the part that a module becomes, else it is a new one. Lists and dictionaries of a
        tree stay the objects that they are, with live objects in the place of facts.

        Raises:
            ArchitectureError: values that must not be.
        """
        if into is not None:
            self._made[id(root)] = into
            self._waiting.append(root)
        made = self.one(root)
        while self._waiting:
            self._fill(self._waiting.pop())
        return made

    def one(self, fact: Any) -> Any:
        """The live object of one fact; what it holds may still be missing."""
        known = self._made.get(id(fact))
        if known is not None:
            return known
        kind = type(fact)
        if kind is Stored:
            made = variable_of(fact) if fact.is_variable else tensor_of(fact)
        elif kind is StoredModule:
            made = Part(fact.class_name, fact.container)
            self._waiting.append(fact)
        elif kind is tuple:
            made = self._tuple(fact)
        elif isinstance(fact, dict) or kind in _LISTS or _has_objects(fact):
            made = fact
            self._waiting.append(fact)
        else:
            return fact
        self._made[id(fact)] = made
        return made

    def _tuple(self, fact: tuple[Any, ...]) -> tuple[Any, ...]:
        # Tuples nest at most MAX_FROZEN_DEPTH deep, and can't hold themselves.
        made = tuple(self.one(item) for item in fact)
        return fact if all(a is b for a, b in zip(made, fact, strict=True)) else made

    def _fill(self, fact: Any) -> None:
        if type(fact) is StoredModule:
            part: Part = self._made[id(fact)]
            part.put({name: self.one(inner) for name, inner in fact.parts.items()})
        elif isinstance(fact, dict):
            for key, value in fact.items():
                fact[key] = self.one(value)
        elif isinstance(fact, np.ndarray):
            self._fill_array(fact)
        else:
            for place, value in enumerate(fact):
                fact[place] = self.one(value)

    def _fill_array(self, fact: Any) -> None:
        frozen = not fact.flags.writeable
        fact.flags.writeable = True
        for place in np.ndindex(fact.shape):
            fact[place] = self.one(fact[place])
        fact.flags.writeable = not frozen


def _has_objects(fact: object) -> bool:
    return isinstance(fact, np.ndarray) and fact.dtype == object
