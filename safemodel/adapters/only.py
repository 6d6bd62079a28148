"""What `only=` chooses of a state: patterns of paths. Knows no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final

from safemodel.errors import StateMismatchError, UsageError

_SHOWN: Final = 4


def chosen(only: Sequence[str], example: str) -> Callable[[str], bool]:
    """Whether a path is chosen; `example` is a pattern that an error shows.

    Raises:
        UsageError: they are no patterns.
    """
    if isinstance(only, str) or not all(isinstance(pattern, str) for pattern in only):
        raise UsageError(f"only= is a list of patterns of paths, such as [{example!r}]")
    patterns = tuple(only)
    return lambda path: any(fnmatchcase(path, pattern) for pattern in patterns)


def nothing_chosen(paths: Iterable[str]) -> StateMismatchError:
    """What to raise if no path of an object is chosen; `paths` are all that it has."""
    shown = list(islice(paths, _SHOWN + 1))
    more = ", ..." if len(shown) > _SHOWN else ""
    return StateMismatchError(
        "only= names no variable of into=",
        hint=f"it has {', '.join(shown[:_SHOWN])}{more}" if shown else "it has no variables",
    )
