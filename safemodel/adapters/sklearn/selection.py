"""State schemas of `sklearn.feature_selection`.

Score functions are those listed in `metrics.py`. The way to a model's importances is a path of
attributes: scikit-learn follows it with `attrgetter`, so no part of it is private.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import FunctionFor
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    FEATURE_NAMES,
    N_JOBS,
    NAME,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    REAL,
    VERBOSE,
    Schema,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.scorers import SCORING
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Real,
    Seq,
    Spec,
    Text,
    describe,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,15}")


@dataclass(frozen=True)
class AttributePath:
    """A path of attributes, none of which begins with an underscore."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not str or len(value) > 1000 or not _PATH.fullmatch(value):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return "'auto' or a path of public attributes"


_SOME: Final[Spec] = either(POSITIVE, Real(0, 1))
_BOOLS: Final[Spec] = Array("b", ("features",))
_KNOWN: Final[Mapping[str, Spec]] = {
    "score_func": FunctionFor("score"),
    "mode": one_of("percentile", "k_best", "fpr", "fdr", "fwe"),
    "param": either(NON_NEGATIVE, one_of("all")),
    "alpha": NON_NEGATIVE,
    "k": either(COUNT, one_of("all")),
    "percentile": NON_NEGATIVE,
    "scores_": Array("fiu", ("features",)),
    "pvalues_": optional(floats("features")),
    # Around an estimator
    "cv": CV,
    "direction": one_of("forward", "backward"),
    "estimator": Estimator(),
    "importance_getter": AttributePath(),
    "max_features": optional(COUNT),
    "min_features_to_select": POSITIVE,
    "n_features_to_select": optional(_SOME, one_of("auto", "warn")),
    "n_jobs": N_JOBS,
    "norm_order": either(Int(), one_of(float("inf"), -float("inf"))),
    "prefit": BOOL,
    "scoring": SCORING,
    "step": _SOME,
    "threshold": optional(REAL, Text(200)),
    "tol": optional(REAL),
    "verbose": VERBOSE,
    "estimator_": Estimator(),
    "max_features_": COUNT,
    "n_features_": COUNT,
    "n_features_to_select_": COUNT,
    "ranking_": ints("features", low=0),
    "support_": _BOOLS,
    "cv_results_": Map(NAME, either(Array("fiub", (None,)), Array("fiub", (None, None)))),
    "variances_": floats("features"),
    "step_n_features_": Seq(COUNT),
    "step_scores_": Seq(REAL),
    "step_support_": Seq(_BOOLS),
    "step_ranking_": Seq(ints("features")),
}


def _chosen(state: Mapping[str, Any], scope: Scope) -> None:
    for name in ("n_features_", "n_features_to_select_"):
        if name in state and state[name] != np.count_nonzero(state["support_"]):
            raise SpecError("is not the number of selected features", f".{name}")


_make = table("sklearn.feature_selection._univariate_selection", _KNOWN)
_SCORED = "scores_ pvalues_"
_STEPS = "step_n_features_? step_scores_? step_support_? step_ranking_?"
_SELECTING = "estimator step verbose importance_getter"

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make("GenericUnivariateSelect", "score_func mode param", _SCORED),
    *(
        _make(name, f"score_func {param}", _SCORED)
        for name, param in (
            ("SelectFdr", "alpha"),
            ("SelectFpr", "alpha"),
            ("SelectFwe", "alpha"),
            ("SelectKBest", "k"),
            ("SelectPercentile", "percentile"),
        )
    ),
    _make(
        "SelectFromModel",
        "estimator threshold prefit norm_order max_features importance_getter",
        "estimator_ max_features_?",
        within="sklearn.feature_selection._from_model",
        common={"feature_names_in_?": FEATURE_NAMES, **OUTPUT},
    ),
    _make(
        "RFE",
        f"{_SELECTING} n_features_to_select",
        f"support_ n_features_ ranking_ estimator_ {_STEPS}",
        _chosen,
        within="sklearn.feature_selection._rfe",
    ),
    _make(
        "RFECV",
        f"{_SELECTING} min_features_to_select cv scoring n_jobs",
        "support_ n_features_ ranking_ estimator_ cv_results_",
        _chosen,
        within="sklearn.feature_selection._rfe",
    ),
    _make(
        "SequentialFeatureSelector",
        "estimator n_features_to_select tol direction scoring cv n_jobs",
        "n_features_to_select_ support_",
        _chosen,
        within="sklearn.feature_selection._sequential",
    ),
    _make(
        "VarianceThreshold",
        "threshold",
        "variances_",
        within="sklearn.feature_selection._variance_threshold",
        threshold=REAL,
    ),
)
