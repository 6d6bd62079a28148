"""What the checks of one load share: dimensions, what the caller allows, how much was looked at.

An archive may refer to one object a million times, and every place that it stands in is checked.
So each look at items is counted, over all estimators of a load, and there is an end to it. Knows
NumPy, and nothing of scikit-learn, bundles or JSON. Implements "State schemas" of docs/sklearn.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from safemodel.adapters.sklearn.library import Library

Dim = str | int | None
ITEM: Final = 16  # what a look at an object costs, where a number in an array costs 1
MAX_UNHELD: Final = 10_000_000
_FREE: Final = 64 << 20
_PER_BYTE: Final = 8
_MOST_PATTERNS: Final = 1000


class SpecError(Exception):
    """A value that its spec does not permit, and the path to it below the checked attribute."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def below(self, part: str) -> SpecError:
        """Return the same mismatch as seen from one level further up."""
        return SpecError(self.message, part + self.path)


class TooMuchError(SpecError):
    """There is more to look at than in any model of this size: no other spec may be tried."""

    def below(self, part: str) -> TooMuchError:
        """Return the same as seen from one level further up."""
        return TooMuchError(self.message, part + self.path)


class NotAllowedSpecError(SpecError):
    """Something that only the caller can permit, by the string `allow`."""

    def __init__(self, message: str, allow: str, path: str = "") -> None:
        super().__init__(message, path)
        self.allow = allow

    def below(self, part: str) -> NotAllowedSpecError:
        """Return the same as seen from one level further up."""
        return NotAllowedSpecError(self.message, self.allow, part + self.path)


class Audit:
    """All checks of one load or save: what the caller allows, and how much they may look at.

    `stored` is the number of bytes of all tensors; without it, at save, there is no end.
    """

    def __init__(self, allows: Callable[[str], bool], stored: int | None = None) -> None:
        self.allows = allows
        self._left = None if stored is None else _FREE + _PER_BYTE * stored
        self._patterns: dict[str, bool] = {}

    def look(self, items: int) -> None:
        """Account for a look at `items` numbers of an array, or ITEM times as many objects."""
        if self._left is None:
            return
        self._left -= items
        if self._left < 0:
            raise TooMuchError("refers to the same items far more often than models do")

    def once(self, pattern: str, is_simple: Callable[[str], bool]) -> bool:
        """Whether a pattern is simple: each is parsed once, and not too many are."""
        if pattern not in self._patterns:
            if self._left is not None and len(self._patterns) >= _MOST_PATTERNS:
                raise TooMuchError(f"is one of more than {_MOST_PATTERNS} patterns")
            self._patterns[pattern] = is_simple(pattern)
        return self._patterns[pattern]


SAVING: Final = Audit(lambda _: True)


@dataclass(slots=True)
class Scope:
    """The dimensions bound so far while the state of one estimator is checked."""

    library: Library  # which objects are of the classes that specs name
    audit: Audit = SAVING
    dims: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)  # those that something in memory has

    def arguments(self, value: Any) -> Mapping[str, Any]:
        """The arguments that rebuild a part, for rules: they must not look at the part itself.

        Raises:
            SpecError: it is no part of the table.
        """
        part = self.library.part(type(value))
        if part is None:
            raise SpecError("is no part that is known")
        if part.is_unfinished(value):
            return dict(vars(value))
        return part.read(self.library.reduced(value))

    def is_own(self, value: Any) -> bool:
        """Whether it is of a class outside the tables that the caller allows.

        Raises:
            SpecError: it could not be rebuilt.
        """
        own = self.library.own(value)
        return own is not None and self.audit.allows(own.qualified)

    def is_own_function(self, value: Any) -> bool:
        """Whether it is a function outside the tables that the caller allows.

        Raises:
            SpecError: it has no name to import it by.
        """
        name = self.library.own_function(value)
        return name is not None and self.audit.allows(name)

    def unify(self, dim: Dim, size: int) -> None:
        """Bind `dim` to `size`, or compare with what it is bound to."""
        if dim is None:
            return
        if isinstance(dim, int):
            expected = dim
        else:
            name, _, more = dim.partition("+")
            expected = self.dims.setdefault(name, size - int(more or 0)) + int(more or 0)
        if size != expected:
            raise SpecError(f"size {size} where {dim} is {expected}")

    def hold(self, dim: Dim, size: int) -> None:
        """Unify with the size of something that is there, and not only claimed."""
        self.unify(dim, size)
        if isinstance(dim, str):
            self.held.add(dim.partition("+")[0])

    def check_unheld(self) -> None:
        """Refuse large dimensions that cost an archive nothing, but whoever counts to them.

        Raises:
            SpecError: a number of features, outputs, ... that is only claimed.
        """
        for name, size in self.dims.items():
            if size > MAX_UNHELD and name not in self.held:
                raise SpecError(f"says {size} {name}, and nothing in it has as many")


def overlaps_itself(array: np.ndarray[Any, Any]) -> bool:
    """Whether several items of an array may lie in the same memory: few bytes for many items."""
    reach = max(array.itemsize, 1)
    if array.size < 2:
        return False
    for step, size in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if size > 1 and step < reach:
            return True
        reach += (size - 1) * step
    return False
