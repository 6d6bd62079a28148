"""Specs that the native models of boosted trees share: columns, and dicts with a table of keys.

The native libraries look at nothing: what no table lists does not get to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from safemodel.adapters.sklearn.scope import Scope, SpecError, overlaps_itself
from safemodel.adapters.sklearn.spec import Spec, describe


@dataclass(frozen=True)
class Column:
    """A one-dimensional array of exactly one data type."""

    kind: str

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not np.ndarray or value.dtype != self.kind or value.ndim != 1:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        if overlaps_itself(value):
            raise SpecError("repeats its items: make a copy of it")

    def __str__(self) -> str:
        return f"an array of {self.kind} with one dimension"


@dataclass(frozen=True)
class Table:
    """A dict with exactly the listed keys; those of `optional` may be missing."""

    fields: Mapping[str, Spec]
    optional: Mapping[str, Spec] = field(default_factory=dict)
    label: str = ""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not dict:
            raise SpecError(f"is {describe(value)}, but must be a dict")
        for key in value:
            if key not in self.fields and key not in self.optional:
                raise SpecError("is no parameter that safemodel knows", f"[{key!r:.60}]")
        for key in self.fields:
            if key not in value:
                raise SpecError("is missing", f"[{key!r}]")
        for key, item in value.items():
            spec = self.fields.get(key) or self.optional[key]
            try:
                spec.check(item, scope)
            except SpecError as error:
                raise error.below(f"[{key!r}]") from None

    def __str__(self) -> str:
        if self.label:
            return self.label
        return f"a dict with {', '.join(self.fields)}"


def optional_table(**fields: Spec) -> Table:
    """Return a table whose keys may all be missing, as releases differ."""
    return Table({}, fields)
