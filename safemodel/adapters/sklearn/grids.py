"""The values that a search may set on its estimator: each must be one that could be saved there.

`fit` sets them with `set_params` on a clone, and no schema would see them: `memory` set to a folder
would unpickle what lies there. So each name is followed to the estimators that may stand at its
place, those of the search itself and those among the values, and each value is checked against the
schemas of all of them. Implements "State schemas" of docs/sklearn.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.containers import Anything
from safemodel.adapters.sklearn.distributions import DISTRIBUTION
from safemodel.adapters.sklearn.parts import PARTIAL
from safemodel.adapters.sklearn.schema import Schema
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import Estimator, Spec, either, one_of

_STEPS: Final = ("steps", "transformer_list", "transformers", "estimators")
_STEP: Final[Spec] = either(one_of(None, "passthrough", "drop"), Estimator())
_NUMBERS: Final = (1, 0.5, 2, 10, -1)
_COUNTED: Final = frozenset({"n_jobs", "verbose"})  # a distribution may draw any number
_MOST_CANDIDATES: Final = 1_000_000
_DEPTH: Final = 16
_MOST_TRIALS: Final = 10_000
_NONE: Final = object()
_LISTS: Final = frozenset({list, tuple, np.ndarray})
_GRIDS: Final = ("param_grid", "param_distributions")
# Rules compare them with what the estimator has already: keywords of a metric, its features
_RELATED: Final = frozenset({"algorithm", "neighbors_algorithm", "interaction_constraints"})

Grid = Mapping[str, Any]


def check_grids(estimator: Any, grids: Iterable[Grid], scope: Scope) -> None:
    """Check all values of all grids.

    Raises:
        SpecError: names the parameter.
    """
    grids = list(grids)
    candidates = 0
    for grid in grids:
        size = 1
        for name, values in grid.items():
            try:
                size *= max(_check_values(estimator, name, values, grids, scope), 1)
            except SpecError as error:
                raise error.below(f"[{name!r:.60}]") from None
        _check_together(estimator, grid, grids, scope)
        candidates += size
    if candidates > _MOST_CANDIDATES:
        raise SpecError(f"stands for more than {_MOST_CANDIDATES} candidates")


def check_resource(estimator: Any, name: str, grids: Iterable[Grid], scope: Scope) -> None:
    """Check the parameter that a halving search sets to larger and larger numbers.

    Raises:
        SpecError: it is no number that may grow.
    """
    if name != "n_samples":
        _check_drawn(name, list(_specs(estimator, name, list(grids), scope)), scope)


def _check_values(estimator: Any, name: str, values: Any, grids: list[Grid], scope: Scope) -> int:
    """Check the values of one name; return how many there are, 1 for a distribution."""
    specs = list(_specs(estimator, name, grids, scope))
    if not specs:
        raise SpecError("is no parameter of the estimator")
    if type(values) not in _LISTS:
        DISTRIBUTION.check(values, scope)
        _check_drawn(name, specs, scope)
        return 1
    if type(values) is np.ndarray and values.ndim != 1:
        raise SpecError("is an array of several dimensions")
    scope.audit.look(len(values) * len(specs))
    for index, value in enumerate(values):
        for spec in specs:
            try:
                spec.check(value, Scope(scope.library, scope.audit))
            except SpecError as error:
                raise error.below(f"[{index}]") from None
    return len(values)


def _check_drawn(name: str, specs: list[Spec], scope: Scope) -> None:
    if name.rpartition("__")[2] in _COUNTED or not specs:
        raise SpecError("is no parameter that may be any number")
    if not all(any(_fits(spec, number, scope) for number in _NUMBERS) for spec in specs):
        raise SpecError("is no parameter that is a number")


def _fits(spec: Spec, value: Any, scope: Scope) -> bool:
    try:
        spec.check(value, Scope(scope.library, scope.audit))
    except SpecError:
        return False
    return True


def _specs(estimator: Any, name: str, grids: list[Grid], scope: Scope) -> Iterator[Spec]:
    """What a parameter may be, in each of the objects that may have it."""
    *path, last = name.split("__")
    if len(path) > _DEPTH:
        raise SpecError("is a parameter too deep inside")
    for owner in _at(estimator, path, grids, scope):
        found = _params(owner, scope).get(last)
        if found is not None:
            yield found
        elif _step(owner, last) is not _NONE:
            yield _STEP
        elif scope.is_own(owner):
            yield Anything()


def _at(estimator: Any, path: list[str], grids: list[Grid], scope: Scope) -> list[Any]:
    """The objects that may stand at a path: those of the estimator, and those of the grids."""
    if not path:
        return [estimator]
    found = []
    for owner in _at(estimator, path[:-1], grids, scope):
        child = _values_of(owner, scope).get(path[-1])
        child = _step(owner, path[-1]) if child is None else child
        found.append(child)
    name = "__".join(path)
    for grid in grids:
        if type(grid.get(name)) in _LISTS:
            found.extend(grid[name])
    unique = {id(one): one for one in found}
    known = [one for one in unique.values() if _params(one, scope) or scope.is_own(one)]
    scope.audit.look(len(found))
    return known


def _schema(owner: Any, scope: Scope) -> Schema | None:
    """The schema of an object, or the one that an own class is derived from."""
    entry = scope.library.entry(type(owner))
    if entry is None and (own := scope.library.own(owner)) is not None:
        entry = own.base
    return None if entry is None else entry.schema


def _params(owner: Any, scope: Scope) -> Mapping[str, Spec]:
    if (schema := _schema(owner, scope)) is not None:
        return schema.params
    part = scope.library.part(type(owner))
    if part is None:
        return {}
    return part.parameters if part.estimator else part.arguments


def _values_of(owner: Any, scope: Scope) -> Mapping[str, Any]:
    if scope.library.part(type(owner)) is not None:
        return scope.arguments(owner)
    return {name: value for name, value in vars(owner).items() if name[-1:] != "_"}


def _step(owner: Any, name: str) -> Any:
    """A step, transformer or estimator of a list with names; _NONE if there is none."""
    state = vars(owner) if hasattr(owner, "__dict__") else {}
    for key in _STEPS:
        steps: Any = state.get(key)
        if type(steps) in (list, tuple):
            for step in steps:
                if type(step) in (list, tuple) and len(step) > 1 and step[0] == name:
                    return step[1]
    return _NONE


def _check_together(estimator: Any, grid: Grid, grids: list[Grid], scope: Scope) -> None:
    """Keywords are keywords of something: try them with the functions and names beside them."""
    for name, values in grid.items():
        if type(values) not in _LISTS:
            continue
        _check_searches(estimator, name, values, grids, scope)
        head, _, last = name.rpartition("__")
        if last not in _RELATED and not any(map(_holds_dict, values)):
            continue
        beside = {
            other.rpartition("__")[2]: [*items]
            for other, items in grid.items()
            if other != name and other.rpartition("__")[0] == head and _is_named(items, scope)
        }
        trials = math.prod(map(len, beside.values())) * len(values)
        if trials > _MOST_TRIALS:
            raise SpecError("has keywords for more functions than can be tried", f"[{name!r:.60}]")
        scope.audit.look(trials)
        for owner in _at(estimator, head.split("__") if head else [], grids, scope):
            schema = _schema(owner, scope)
            if schema is None:
                continue
            state = {key: one for key, one in vars(owner).items() if key in schema.params}
            for chosen in itertools.product(*beside.values(), values):
                trial = {**state, **dict(zip([*beside, last], chosen, strict=True))}
                for rule in schema.rules:
                    rule(trial, scope)


def _holds_dict(value: Any) -> bool:
    """Whether a value is a dict, or a list of such: keywords, or the grids of another search."""
    if type(value) in (list, tuple):
        return any(type(one) is dict for one in value)
    return type(value) is dict


def _check_searches(
    estimator: Any, name: str, values: Any, grids: list[Grid], scope: Scope
) -> None:
    """Compare new estimators with the grids of the searches that they are put into."""
    if not any(_params(one, scope) for one in values):
        return
    path = name.split("__")
    for index, part in enumerate(path):
        if part != "estimator":
            continue
        for owner in _at(estimator, path[:index], grids, scope):
            given = _inner_grids(owner, path[:index], grids)
            below = "__".join(path[index + 1 :])
            if not given:
                continue
            for one in [vars(owner).get("estimator")] if below else values:
                check_grids(one, [*given, *([{below: values}] if below else [])], scope)


def _inner_grids(owner: Any, path: list[str], grids: list[Grid]) -> list[Grid]:
    """The grids of a search at a path: its own, and those that it may be given."""
    state = vars(owner) if hasattr(owner, "__dict__") else {}
    found: list[Any] = [state[key] for key in _GRIDS if key in state]
    if not found:
        return []
    for grid in grids:
        for key in _GRIDS:
            given = grid.get("__".join([*path, key]))
            found.extend(given if isinstance(given, list | tuple) else [])
    flat = [one for each in found for one in (each if type(each) in (list, tuple) else [each])]
    return [one for one in flat if type(one) is dict]


def _is_named(values: Any, scope: Scope) -> bool:
    """Whether values are functions, or names of something that takes keywords."""
    if type(values) not in _LISTS:
        return False
    named = (str, np.str_)
    return any(type(one) in named or _is_function(one, scope) for one in values)


def _is_function(value: Any, scope: Scope) -> bool:
    part = scope.library.part(type(value))
    if part is not None:
        return part.qualified == PARTIAL
    return scope.library.function(value) is not None or scope.is_own_function(value)
