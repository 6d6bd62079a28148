"""State schemas of `sklearn.covariance` and `sklearn.discriminant_analysis`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.linear import rows_rule
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    N_JOBS,
    NAME,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Items,
    Map,
    Seq,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

_SQUARE: Spec = floats("features", "features")
_NUMBERS: Spec = either(Seq(REAL), Array("fiu", (None,)))
_KNOWN: Final[Mapping[str, Spec]] = {
    **each("store_precision assume_centered store_covariance", BOOL),
    **each("alpha tol enet_tol eps contamination reg_param", NON_NEGATIVE),
    **each("max_iter n_refinements", COUNT),
    "support_fraction": optional(NON_NEGATIVE),
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "n_jobs": N_JOBS,
    "block_size": POSITIVE,
    "mode": one_of("cd", "lars"),
    "covariance": optional(one_of("precomputed")),
    "alphas": either(COUNT, _NUMBERS),
    "cv": CV,
    "shrinkage": optional(one_of("auto"), NON_NEGATIVE),
    "covariance_estimator": optional(Estimator()),
    "n_components": optional(POSITIVE),
    "priors": optional(_NUMBERS),
    "solver": one_of("svd", "lsqr", "eigen"),
    # What fitting adds
    **each("location_ raw_location_ xbar_", floats("features")),
    **each("covariance_ raw_covariance_", _SQUARE),
    "precision_": optional(_SQUARE),
    **each("support_ raw_support_", Array("b", ("samples",))),
    "dist_": floats("samples"),
    **each("shrinkage_ offset_ alpha_", REAL),
    "costs_": Seq(Items((REAL, REAL), (tuple, list))),
    "n_iter_": COUNT,
    "cv_results_": Map(NAME, floats("alphas")),
    "classes_": Labels("classes"),
    "priors_": floats("classes"),
    "means_": floats("classes", "features"),
    "_max_components": COUNT,
    "explained_variance_ratio_": floats(None),
    "coef_": floats("rows", "features"),
    "intercept_": floats("rows"),
    "_n_features_out": Int(0, MAX_UNHELD),
}

_C: Final = "sklearn.covariance."
_make = table(_C[:-1], _KNOWN)
_BASE: Final = "store_precision assume_centered"
_ROBUST: Final = "raw_location_ raw_covariance_ raw_support_ location_ support_ dist_"
_GRAPH: Final = "mode tol enet_tol max_iter verbose eps"


def _discriminants(state: Mapping[str, Any], scope: Scope) -> None:
    """Deciding visits the rotation and the scaling of each class."""
    for name in ("scalings_", "rotations_", "covariance_"):
        if name in state and len(state[name]) != len(state["classes_"]):
            raise SpecError("has not one item a class", f".{name}")


SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "EmpiricalCovariance",
        _BASE,
        "location_ covariance_ precision_",
        within=f"{_C}_empirical_covariance",
    ),
    *(
        _make(
            name,
            f"{_BASE} {params}",
            f"location_ covariance_ precision_ {fitted}",
            within=f"{_C}_shrunk_covariance",
        )
        for name, params, fitted in (
            ("ShrunkCovariance", "shrinkage", ""),
            ("LedoitWolf", "block_size", "shrinkage_"),
            ("OAS", "", "shrinkage_"),
        )
    ),
    _make(
        "MinCovDet",
        f"{_BASE} support_fraction random_state",
        f"covariance_ precision_ {_ROBUST}",
        within=f"{_C}_robust_covariance",
    ),
    _make(
        "EllipticEnvelope",
        f"{_BASE} support_fraction random_state contamination",
        f"covariance_ precision_ offset_ {_ROBUST}",
        within=f"{_C}_elliptic_envelope",
    ),
    _make(
        "GraphicalLasso",
        f"{_BASE} alpha covariance {_GRAPH}",
        "location_ covariance_ precision_ costs_ n_iter_",
        within=f"{_C}_graph_lasso",
    ),
    _make(
        "GraphicalLassoCV",
        f"{_BASE} alphas n_refinements cv n_jobs {_GRAPH}",
        "location_ covariance_ precision_ costs_ n_iter_ cv_results_ alpha_",
        within=f"{_C}_graph_lasso",
    ),
    _make(
        "LinearDiscriminantAnalysis",
        "solver shrinkage priors n_components store_covariance tol covariance_estimator",
        "classes_ priors_ means_ _max_components coef_ intercept_ _n_features_out covariance_?"
        " xbar_? explained_variance_ratio_? scalings_?",
        rows_rule,
        within="sklearn.discriminant_analysis",
        scalings_=floats("features", None),
    ),
    _make(
        "QuadraticDiscriminantAnalysis",
        "solver shrinkage priors reg_param store_covariance tol covariance_estimator",
        "classes_ priors_ means_ scalings_ rotations_ covariance_?",
        _discriminants,
        within="sklearn.discriminant_analysis",
        covariance_=Seq(_SQUARE),
        scalings_=Seq(floats(None)),
        rotations_=Seq(floats("features", None)),
    ),
)
