"""State schemas of `sklearn.model_selection`: searches for parameters, and for thresholds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.containers import Anything
from safemodel.adapters.sklearn.grids import check_grids, check_resource
from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    FEATURE_NAMES,
    LABEL,
    N_JOBS,
    NAME,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    SPLITTERS,
    VERBOSE,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.scorers import NAMED_SCORER, SCORING, SCORINGS
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Real,
    Seq,
    Spec,
    describe,
    either,
    floats,
    one_of,
    optional,
)

# joblib works an expression out: more than this form could keep it busy for ever
_DISPATCH: Final = re.compile(r"all|n_jobs|[0-9]{1,4} ?\* ?n_jobs|[0-9]{1,6}")


@dataclass(frozen=True)
class _Dispatch:
    """How many jobs are dispatched ahead: a number, 'all', or a few times `n_jobs`."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is str and _DISPATCH.fullmatch(value):
            return
        optional(Int(1, 1_000_000)).check(value, scope)

    def __str__(self) -> str:
        return "'all', a number, or a number times n_jobs"


@dataclass(frozen=True)
class _Masked:
    """A masked array of one dimension: the values that one parameter had."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not np.ma.MaskedArray or value.ndim != 1:
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return "a masked array"


_GRID: Final[Spec] = Map(NAME, Anything())
_PARAMS: Final[Spec] = Map(NAME, Anything())
_RESULTS: Final[Spec] = Map(
    NAME,
    either(Array("fiub", (None,)), Array("fiub", (None, None)), _Masked(), Seq(_PARAMS)),
)
_KNOWN: Final[Mapping[str, Spec]] = {
    "estimator": Estimator(),
    "param_grid": either(_GRID, Seq(_GRID)),
    "param_distributions": either(_GRID, Seq(_GRID)),
    "n_iter": Int(1, 1_000_000),
    "random_state": RANDOM_STATE,
    "scoring": SCORINGS,
    "n_jobs": N_JOBS,
    "refit": either(BOOL, NAME),
    "cv": CV,
    "verbose": VERBOSE,
    "pre_dispatch": _Dispatch(),
    "error_score": either(REAL, one_of("raise")),
    "return_train_score": BOOL,
    # Halving
    "factor": Real(1),
    "resource": NAME,
    "max_resources": either(POSITIVE, one_of("auto")),
    "min_resources": either(POSITIVE, one_of("exhaust", "smallest")),
    "n_candidates": either(POSITIVE, one_of("exhaust")),
    "aggressive_elimination": BOOL,
    **each(
        "min_resources_ max_resources_ n_remaining_candidates_ n_required_iterations_"
        " n_possible_iterations_ n_iterations_ _n_samples_orig n_splits_",
        COUNT,
    ),
    "n_resources_": Seq(COUNT),
    "n_candidates_": Seq(COUNT),
    # What searching adds
    "_checked_cv_orig": part_kinds(*SPLITTERS),
    "multimetric_": BOOL,
    "best_index_": COUNT,
    "best_score_": REAL,
    "best_params_": _PARAMS,
    "best_estimator_": Estimator(),
    "refit_time_": REAL,
    "scorer_": either(
        part_kinds("_Scorer", "_PassthroughScorer", "_MultimetricScorer"),
        Map(NAME, part_kinds("_Scorer", "_PassthroughScorer")),
    ),
    "cv_results_": _RESULTS,
    # Thresholds
    "threshold": either(REAL, one_of("auto")),
    "thresholds": either(Int(1, 1_000_000), Array("f", (None,)), Seq(REAL)),
    "pos_label": optional(LABEL),
    "response_method": one_of("auto", "predict_proba", "decision_function"),
    "store_cv_results": BOOL,
    "estimator_": Estimator(),
    "best_threshold_": REAL,
    "_curve_scorer": part_kinds("_CurveScorer"),
}


def _grids(state: Mapping[str, Any]) -> tuple[str, list[Mapping[str, Any]]]:
    name = "param_grid" if "param_grid" in state else "param_distributions"
    given = state.get(name, [])
    return name, [given] if type(given) is dict else list(given)


def _values(state: Mapping[str, Any], scope: Scope) -> None:
    name, grids = _grids(state)
    try:
        check_grids(state["estimator"], grids, scope)
    except SpecError as error:
        raise error.below(f".{name}") from None


def _resource(state: Mapping[str, Any], scope: Scope) -> None:
    try:
        check_resource(state["estimator"], state["resource"], _grids(state)[1], scope)
    except SpecError as error:
        raise error.below(".resource") from None


def _best(state: Mapping[str, Any], scope: Scope) -> None:
    """The best candidate is one of those that were tried."""
    results = state.get("cv_results_")
    if results is None:
        return
    count = len(results.get("params", ()))
    if state.get("best_index_", 0) >= max(count, 1):
        raise SpecError(f"is none of {count} candidates", ".best_index_")
    for name, values in results.items():
        if len(values) != count:
            raise SpecError(f"has not one item for each of {count}", f".cv_results_[{name!r:.60}]")


_make = table("sklearn.model_selection._search", _KNOWN)
_SEARCH = "estimator scoring n_jobs refit cv verbose pre_dispatch error_score return_train_score"
_FOUND = (
    "_checked_cv_orig? n_splits_ multimetric_ best_index_? best_score_? best_params_?"
    " best_estimator_? refit_time_? scorer_ cv_results_"
)
_HALVING = "random_state max_resources resource factor min_resources aggressive_elimination"
_HALVED = (
    "_n_samples_orig min_resources_ max_resources_ n_resources_ n_candidates_"
    " n_remaining_candidates_ n_required_iterations_ n_possible_iterations_ n_iterations_"
)
_NAMES: Final[Mapping[str, Spec]] = {"feature_names_in_?": FEATURE_NAMES}
_FEATURES: Final[Mapping[str, Spec]] = {
    "n_features_in_?": COUNT,
    "feature_names_in_?": FEATURE_NAMES,
}

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make("GridSearchCV", f"{_SEARCH} param_grid", _FOUND, _values, _best, common=_NAMES),
    _make(
        "RandomizedSearchCV",
        f"{_SEARCH} param_distributions n_iter random_state",
        _FOUND,
        _values,
        _best,
        common=_NAMES,
    ),
    *(
        _make(
            name,
            f"{_SEARCH} {_HALVING} {more}",
            f"{_FOUND} {_HALVED}",
            _values,
            _resource,
            _best,
            within="sklearn.model_selection._search_successive_halving",
            common=_NAMES,
            scoring=SCORING,
        )
        for name, more in (
            ("HalvingGridSearchCV", "param_grid"),
            ("HalvingRandomSearchCV", "param_distributions n_candidates"),
        )
    ),
    _make(
        "FixedThresholdClassifier",
        "estimator threshold pos_label response_method",
        "estimator_",
        within="sklearn.model_selection._classification_threshold",
        common=_FEATURES,
    ),
    _make(
        "TunedThresholdClassifierCV",
        "estimator scoring response_method thresholds cv refit n_jobs random_state"
        " store_cv_results",
        "_curve_scorer estimator_ best_score_? best_threshold_ cv_results_?",
        within="sklearn.model_selection._classification_threshold",
        common=_FEATURES,
        scoring=NAMED_SCORER,
        cv=either(CV, one_of("prefit"), NON_NEGATIVE),
        cv_results_=Map(one_of("thresholds", "scores"), floats(None)),
    ),
)
