"""What attributes of operators may be, beyond their kind: by role, with bounds.

Bounds are for what a file writes; what is computed when the graph runs is checked by TensorFlow,
and where it does not check, by `guards.py`. Implements spec/tensorflow-operators.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

INT64: Final = 2**63
# Dimensions of a tensor, in TensorFlow.
MAX_RANK: Final = 254
MAX_TEXT: Final = 10_000
# Inputs or outputs that an attribute asks for, and items of a list.
MAX_COUNT: Final = 10_000
# Kernels, strides, dilations, paddings.
MAX_WINDOW: Final = 2**20
# Of a tensor whose sizes are values of another.
MAX_ELEMENTS: Final = 2**40
# Of squares, and what else is allocated for one number.
MAX_EDGE: Final = 2**15
_INT32: Final = 2**31
_EQUATION: Final = re.compile(r"[A-Za-z.,]{0,300}->[A-Za-z.]{0,300}")


@dataclass(frozen=True, slots=True)
class Role:
    """What values of an attribute may be; `holds` gets the list, or one value as a list of it."""

    text: str
    holds: Callable[[Sequence[Any]], bool]


def _between(low: int, high: int) -> Callable[[Sequence[Any]], bool]:
    return lambda values: all(low <= value <= high for value in values)


def _window(count: int) -> Role:
    def holds(values: Sequence[Any]) -> bool:
        return len(values) == count and all(1 <= value <= MAX_WINDOW for value in values)

    return Role(f"{count} integers, 1 to {MAX_WINDOW}", holds)


def _paddings(values: Sequence[Any]) -> bool:
    return len(values) in (0, 8) and all(0 <= value <= MAX_WINDOW for value in values)


def _short(values: Sequence[Any]) -> bool:
    return all(len(value) <= 1000 for value in values)


ROLES: Final[Mapping[str, Role]] = {
    "axis": Role(f"-{MAX_RANK} to {MAX_RANK - 1}", _between(-MAX_RANK, MAX_RANK - 1)),
    "bits": Role("2 to 63", _between(2, 63)),
    "character": Role("at most one character", lambda values: all(len(one) < 2 for one in values)),
    "count": Role(f"at most {MAX_COUNT}", _between(-1, MAX_COUNT)),
    "edge": Role(f"0 to {MAX_EDGE}", _between(0, MAX_EDGE)),
    "equation": Role(
        "letters, commas, points and an arrow",
        lambda values: all(_EQUATION.fullmatch(value) is not None for value in values),
    ),
    "int32": Role("an integer of 32 bits", _between(-_INT32, _INT32 - 1)),
    "mask": Role("the bits of an integer of 32 bits", _between(0, _INT32 - 1)),
    "paddings": Role(f"none, or 8 integers, 0 to {MAX_WINDOW}", _paddings),
    "pair": Role("two integers", lambda values: len(values) == 2),
    "pattern": Role("at most 1000 characters", _short),
    "rounds": Role("4 to 1000", _between(4, 1000)),
    "text": Role("at most 1000 characters", _short),
    "width": Role("-1 to 1000", _between(-1, 1000)),
    "window4": _window(4),
    "window5": _window(5),
}
