"""The small type language of the state schemas: what one attribute may hold.

A spec is checked against a live value, at save and at load alike, so that what is audited is what
is constructed. Checks read values and never call into them: no attribute of an unknown object is
touched, no `__eq__` but that of plain values and arrays. Named dimensions ("features", "classes")
unify over all attributes of one estimator.

Knows NumPy, and nothing of scikit-learn, bundles or JSON. Implements "State schemas" of
docs/sklearn.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from safemodel.adapters.sklearn.scope import (
    ITEM,
    Audit,
    Dim,
    Scope,
    SpecError,
    TooMuchError,
    overlaps_itself,
)

MAX_INT: Final = 2**63 - 1


class Spec(Protocol):
    """What a value may be."""

    def check(self, value: Any, scope: Scope) -> None:
        """Raise SpecError unless `value` is permitted."""

    def __str__(self) -> str: ...


def describe(value: Any) -> str:
    """Describe a value for a message, without calling its own code."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    if value is None or type(value) in (bool, int, float):
        return repr(value)[:60]
    if type(value) is str:
        return repr(value[:60])
    kind = type(value)
    return f"an object of {kind.__module__}.{kind.__qualname__}"


def _refuse(value: Any, spec: object) -> SpecError:
    return SpecError(f"is {describe(value)}, but must be {spec}")


@dataclass(frozen=True)
class Const:
    """Exactly one of a few plain values."""

    values: tuple[Any, ...]

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is np.str_:
            value = str(value)
        if not any(type(value) is type(one) and value == one for one in self.values):
            raise _refuse(value, self)

    def __str__(self) -> str:
        return " or ".join(repr(one) for one in self.values)


@dataclass(frozen=True)
class Bool:
    """A truth value."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in (bool, np.bool_):
            raise _refuse(value, self)

    def __str__(self) -> str:
        return "a bool"


@dataclass(frozen=True)
class Int:
    """An integer in a range, Python's or NumPy's."""

    low: int = -MAX_INT
    high: int = MAX_INT
    dim: str | None = None

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not int and not isinstance(value, np.integer):
            raise _refuse(value, self)
        if not self.low <= int(value) <= self.high:
            raise _refuse(int(value), self)
        scope.unify(self.dim, int(value))

    def __str__(self) -> str:
        return f"an int from {self.low} to {self.high}"


@dataclass(frozen=True)
class Real:
    """A number: float or int, NaN only where the range is unbounded."""

    low: float = -np.inf
    high: float = np.inf

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in (int, float) and not isinstance(value, np.floating | np.integer):
            raise _refuse(value, self)
        unbounded = self.low == -np.inf and self.high == np.inf
        if not unbounded and not self.low <= value <= self.high:
            raise _refuse(value.item() if isinstance(value, np.generic) else value, self)

    def __str__(self) -> str:
        return f"a number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Text:
    """A string of bounded length."""

    longest: int = 1 << 20

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in (str, np.str_) or len(value) > self.longest:
            raise _refuse(value, self)

    def __str__(self) -> str:
        return f"a string of at most {self.longest} characters"


@dataclass(frozen=True)
class Either:
    """The first of several specs that fits."""

    specs: tuple[Spec, ...]

    def check(self, value: Any, scope: Scope) -> None:
        nearest: SpecError | None = None
        dims, held = dict(scope.dims), set(scope.held)
        for spec in self.specs:
            try:
                spec.check(value, scope)
            except TooMuchError:
                raise
            except SpecError as error:
                scope.dims, scope.held = dict(dims), set(held)
                inner = error.path or not error.message.startswith("is ")
                nearest = error if inner else nearest
            else:
                return
        raise nearest or _refuse(value, self)

    def __str__(self) -> str:
        return ", or ".join(str(spec) for spec in self.specs)


@dataclass(frozen=True)
class Array:
    """An ndarray: kinds of dtype, dimensions, bounds of its items; `high` may be a dimension."""

    kinds: str
    dims: tuple[Dim, ...]
    low: float | None = None
    high: float | str | None = None

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not np.ndarray or value.dtype.kind not in self.kinds:
            raise _refuse(value, self)
        if value.ndim != len(self.dims):
            raise _refuse(value, self)
        if overlaps_itself(value):
            raise SpecError("repeats its items: make a copy of it")
        for dim, size in zip(self.dims, value.shape, strict=True):
            (scope.hold if value.size else scope.unify)(dim, size)
        high = self.high
        if isinstance(high, str):
            high = scope.dims.get(high, 0) - 1
        if value.size == 0:
            return
        scope.audit.look(value.size * ((self.low is not None) + (high is not None)))
        if self.low is not None and not value.min() >= self.low:
            raise SpecError(f"has items below {self.low}")
        if high is not None and not value.max() <= high:
            raise SpecError(f"has items above {high}")

    def __str__(self) -> str:
        dims = ", ".join("any" if dim is None else str(dim) for dim in self.dims)
        return f"an array of dtype kind {'/'.join(self.kinds)} with shape ({dims})"


@dataclass(frozen=True)
class Objects:
    """An ndarray of objects, each of which has a spec."""

    item: Spec
    dims: tuple[Dim, ...]

    def check(self, value: Any, scope: Scope) -> None:
        Array("O", self.dims).check(value, scope)
        scope.audit.look(ITEM * value.size)
        for index, item in enumerate(value.ravel().tolist()):
            try:
                self.item.check(item, scope)
            except SpecError as error:
                raise error.below(f"[{index}]") from None

    def __str__(self) -> str:
        return f"an array of objects, each {self.item}"


@dataclass(frozen=True)
class Seq:
    """A list or tuple (or only one of them) of items with one spec."""

    item: Spec
    dim: Dim = None
    kinds: tuple[type, ...] = (list, tuple)

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in self.kinds:
            raise _refuse(value, self)
        scope.hold(self.dim, len(value))
        scope.audit.look(ITEM * len(value))
        for index, item in enumerate(value):
            try:
                self.item.check(item, scope)
            except SpecError as error:
                raise error.below(f"[{index}]") from None

    def __str__(self) -> str:
        return f"a {' or '.join(kind.__name__ for kind in self.kinds)} of items, each {self.item}"


@dataclass(frozen=True)
class Items:
    """A tuple of fixed length, each item with its own spec."""

    items: tuple[Spec, ...]
    kinds: tuple[type, ...] = (tuple,)

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in self.kinds or len(value) != len(self.items):
            raise _refuse(value, self)
        for index, (spec, item) in enumerate(zip(self.items, value, strict=True)):
            try:
                spec.check(item, scope)
            except SpecError as error:
                raise error.below(f"[{index}]") from None

    def __str__(self) -> str:
        return f"a tuple of {len(self.items)} items"


@dataclass(frozen=True)
class Map:
    """A dict with a spec for its keys and one for its values."""

    key: Spec
    value: Spec
    dim: Dim = None

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not dict:
            raise _refuse(value, self)
        scope.hold(self.dim, len(value))
        scope.audit.look(2 * ITEM * len(value))
        for key, item in value.items():
            try:
                self.key.check(key, scope)
                self.value.check(item, scope)
            except SpecError as error:
                raise error.below(f"[{describe(key)}]") from None

    def __str__(self) -> str:
        return f"a dict from {self.key} to {self.value}"


@dataclass(frozen=True)
class Distinct:
    """A sequence that fits another spec and whose items are all different."""

    spec: Spec

    def check(self, value: Any, scope: Scope) -> None:
        self.spec.check(value, scope)
        scope.audit.look(ITEM * len(value))
        items = value.tolist() if isinstance(value, np.ndarray) else value
        if len(set(items)) != len(items):
            raise SpecError("has the same item twice")

    def __str__(self) -> str:
        return f"{self.spec}, all different"


@dataclass(frozen=True)
class Exactly:
    """An object of exactly one of a few classes of ours to name, with a further check."""

    kinds: Callable[[], tuple[type, ...]]
    label: str
    more: Callable[[Any, Scope], None] | None = None

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in self.kinds():
            raise _refuse(value, self)
        if self.more is not None:
            self.more(value, scope)

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Among:
    """One of a few objects, by identity."""

    objects: Callable[[], tuple[Any, ...]]
    label: str

    def check(self, value: Any, scope: Scope) -> None:
        if not any(value is one for one in self.objects()):
            raise _refuse(value, self)

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Estimator:
    """An estimator of the table: any, or only of the named classes.

    `same` lists attributes that must equal a dimension of the owner; other relations between
    objects are rules of the owner's schema.
    """

    names: tuple[str, ...] = ()
    same: tuple[tuple[str, str], ...] = ()

    def check(self, value: Any, scope: Scope) -> None:
        kind = type(value)
        if scope.library.entry(kind) is None:
            part = scope.library.part(kind)
            if not self.names and part is not None and part.estimator:
                return
            if not self.names and scope.is_own(value):
                return
            raise SpecError(
                f"is of {kind.__module__}.{kind.__qualname__}, a class without a schema"
            )
        if self.names and kind.__name__ not in self.names:
            raise _refuse(value, self)
        for attribute, dim in self.same:
            size = vars(value).get(attribute)
            if isinstance(size, int | np.integer):
                try:
                    scope.unify(dim, int(size))
                except SpecError as error:
                    raise error.below(f".{attribute}") from None

    def __str__(self) -> str:
        return " or ".join(self.names) or "an estimator"


def optional(*specs: Spec) -> Spec:
    """Return a spec that also permits None."""
    return Either((Const((None,)), *specs))


def one_of(*values: Any) -> Const:
    """Return a spec of the given plain values."""
    return Const(values)


def either(*specs: Spec) -> Either:
    """Return a spec that permits what one of `specs` permits."""
    return Either(specs)


def floats(*dims: Dim) -> Array:
    """Return a spec of a floating-point array."""
    return Array("f", dims)


def ints(*dims: Dim, low: float | None = None, high: float | str | None = None) -> Array:
    """Return a spec of an array of integers."""
    return Array("iu", dims, low, high)


__all__ = [
    "Audit",
    "Dim",
    "Scope",
    "SpecError",
    "TooMuchError",
    "overlaps_itself",
]
