"""The two halves of an estimator: its parameters, and what fitting added to them.

The architecture alone is what `sklearn.base.clone` gives. The weights are every attribute that is
no parameter, of an estimator and of the estimators in its parameters (the steps of a pipeline are
fitted in their places). They are put into an estimator of the user's when both have the same
classes and equal parameters. Implements docs/sklearn.md, "Architecture and weights apart".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from safemodel.adapters.protocol import LoadReport, Mismatch
from safemodel.adapters.sklearn.spec import describe
from safemodel.errors import StateMismatchError, UsageError

# Parameters that say how to compute and not what: each side keeps its own.
FREE: Final = frozenset({"n_jobs", "random_state", "verbose", "warm_start"})
_MAX_DEPTH: Final = 50

Pair = tuple[str, Any, Any]


def is_estimator(value: object) -> bool:
    """Whether it has parameters, as estimators have and what stands in for them."""
    return hasattr(value, "get_params") and not isinstance(value, type)


def unfitted(model: object) -> Any:
    """Return the same estimator with its parameters alone.

    Raises:
        UsageError: it is no estimator.
    """
    if not is_estimator(model):
        raise UsageError(
            "an architecture without weights is that of one estimator",
            hint="save or load containers and arrays whole",
        )
    from sklearn.base import clone

    return clone(model)


def put(loaded: Any, into: Any, *, strict: bool) -> LoadReport:
    """Give `into` what fitting added to `loaded`, a model of the same classes and parameters.

    Raises:
        StateMismatchError: a class or (if strict) a parameter differs; `into` is unchanged.
        UsageError: `into` is no estimator.
    """
    if not is_estimator(into):
        raise UsageError(
            "into= must be an estimator, fitted or not",
            hint="make one with the parameters of the model, or use safemodel.load_architecture()",
        )
    pairs: list[Pair] = []
    differences: list[Mismatch] = []
    for place, one, other in _walk("", loaded, into):
        pairs.append((place, one, other))
        _compare(place, one, other, differences)
    if strict and differences:
        report = LoadReport(mismatched=tuple(differences))
        raise StateMismatchError(
            str(report), hint="set these parameters to the same values, or pass strict=False"
        )
    learned = [_learned(one) for _, one, _ in pairs]
    if not any(learned):
        raise StateMismatchError(
            "the archive holds an estimator that was not fitted: there are no weights in it",
            hint="load it with safemodel.load()",
        )
    for (_, _, other), attributes in zip(pairs, learned, strict=True):
        state: dict[str, Any] = other.__dict__
        for name in [*_learned(other)]:
            del state[name]
        state.update(attributes)
    return LoadReport(mismatched=tuple(differences))


def _params(estimator: Any) -> dict[str, Any]:
    return dict(estimator.get_params(deep=False))


def _learned(estimator: Any) -> dict[str, Any]:
    """What is no parameter and not configuration."""
    names = _params(estimator).keys() | {"_sklearn_output_config", "_metadata_request"}
    return {name: value for name, value in vars(estimator).items() if name not in names}


def _walk(place: str, one: Any, other: Any, depth: int = 0) -> Iterator[Pair]:
    """The estimator and those in its parameters, beside those in the same places of another.

    Raises:
        StateMismatchError: they are of different classes.
    """
    if type(one) is not type(other):
        found, expected = type(one).__name__, type(other).__name__
        raise StateMismatchError(f"the archive holds a {found}, into= is a {expected}", place=place)
    if depth > _MAX_DEPTH:
        raise StateMismatchError("estimators nested too deeply", place=place)
    yield place, one, other
    mine, theirs = _params(one), _params(other)
    for name in sorted(mine.keys() & theirs.keys()):
        path = f"{place}.{name}" if place else name
        yield from _children(path, mine[name], theirs[name], depth + 1)


def _children(path: str, one: Any, other: Any, depth: int) -> Iterator[Pair]:
    if is_estimator(one) and is_estimator(other) and hasattr(one, "fit"):
        yield from _walk(path, one, other, depth)
    elif isinstance(one, list | tuple) and type(one) is type(other) and len(one) == len(other):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _children(f"{path}.{index}", first, second, depth + 1)


def _compare(place: str, one: Any, other: Any, differences: list[Mismatch]) -> None:
    mine, theirs = _params(one), _params(other)
    for name in sorted(mine.keys() | theirs.keys()):
        if name in FREE:
            continue
        path = f"{place}.{name}" if place else name
        if name not in mine or name not in theirs:
            shown = [describe(side[name]) if name in side else "none" for side in (theirs, mine)]
            differences.append(Mismatch(path, *shown))
        elif not _same(mine[name], theirs[name]):
            differences.append(Mismatch(path, describe(theirs[name]), describe(mine[name])))


def _same(one: Any, other: Any, depth: int = 0) -> bool:
    """Whether two parameters are equal; of estimators with `fit` that is asked elsewhere."""
    if one is other:
        return True
    if type(one) is not type(other) or depth > _MAX_DEPTH:
        return False
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype) and _same_items(one, other, depth)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            _same(first, second, depth + 1) for first, second in zip(one, other, strict=True)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _same(one[key], other[key], depth + 1) for key in one
        )
    if is_estimator(one) and hasattr(one, "fit"):
        return True
    if hasattr(one, "__dict__") and not callable(one) and not _has_equality(type(one)):
        return _same(vars(one), vars(other), depth + 1)
    equal = one == other
    if isinstance(equal, bool | np.bool_):
        return bool(equal) or bool(one != one and other != other)  # NaN
    return bool(np.all(equal))


def _has_equality(kind: type) -> bool:
    return any("__eq__" in vars(base) for base in kind.__mro__[:-1])


def _same_items(one: Any, other: Any, depth: int) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "O":
        return _same(one.ravel().tolist(), other.ravel().tolist(), depth + 1)
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
