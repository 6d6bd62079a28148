"""Specs of parameters that are strings, as XGBoost keeps all of them.

Its own parser of numbers takes what `strtof` takes, and stops at whatever comes behind it; these
are forms that it writes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from safemodel.adapters.sklearn.spec import Scope, SpecError, Text, describe

_DECIMAL: Final = re.compile(r"-?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?|-?inf|-?nan")
_DIGITS: Final = re.compile(r"-?\d{1,20}")


@dataclass(frozen=True)
class Digits:
    """An integer written as a string."""

    low: int = 0
    high: int = 2**31 - 1
    also: tuple[int, ...] = ()

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not str or not _DIGITS.fullmatch(value) or not value.isascii():
            raise SpecError(f"is {describe(value)}, but must be {self}")
        if not self.low <= int(value) <= self.high and int(value) not in self.also:
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return f"an integer from {self.low} to {self.high} as a string"


@dataclass(frozen=True)
class Decimal:
    """A number written as a string."""

    low: float = -math.inf
    high: float = math.inf

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not str or not value.isascii() or not _DECIMAL.fullmatch(value):
            raise SpecError(f"is {describe(value)}, but must be {self}")
        found = float(value)
        if not self.low <= found <= self.high and not (self.low == -math.inf and math.isnan(found)):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return f"a number from {self.low} to {self.high} as a string"


@dataclass(frozen=True)
class Decimals:
    """Numbers written as one string, `[1E-1,5E-1]`."""

    low: float = -math.inf
    high: float = math.inf

    def check(self, value: Any, scope: Scope) -> None:
        Text().check(value, scope)
        for item in decimals(value):
            Decimal(self.low, self.high).check(item, scope)

    def __str__(self) -> str:
        return "numbers in brackets, as a string"


def decimals(value: str) -> list[str]:
    """Return the numbers of a list that is written as a string, each as a string."""
    if value[:1] != "[":
        return [value]
    if value[-1:] != "]":
        raise SpecError(f"is {describe(value)}, and no list of numbers")
    return value[1:-1].split(",") if value != "[]" else []


@dataclass(frozen=True)
class Matching:
    """A string of a regular form."""

    pattern: str
    longest: int = 1 << 20

    def check(self, value: Any, scope: Scope) -> None:
        Text(self.longest).check(value, scope)
        if not value.isascii() or not re.fullmatch(self.pattern, value):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return f"a string like {self.pattern}"
