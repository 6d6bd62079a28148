"""All tables of the adapter as one: schemas of estimators, parts, functions, by qualified name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from safemodel.adapters.sklearn import (
    boosting,
    catboost_estimators,
    category,
    cluster,
    cluster_trees,
    compose,
    containers,
    covariance,
    decomposition,
    distributions,
    ensembles,
    ensembles_meta,
    functions,
    gaussian_process,
    histogram,
    imbalanced,
    lightgbm_booster,
    lightgbm_wrappers,
    linear,
    losses,
    manifold,
    meta,
    metrics,
    mixture,
    neighbors,
    neural,
    preprocessing,
    projections,
    scorers,
    search,
    selection,
    splitters,
    stochastic,
    svm,
    text,
    xgboost_booster,
    xgboost_wrappers,
)
from safemodel.adapters.sklearn.parts import Function, Part
from safemodel.adapters.sklearn.schema import Schema

_MODULES: Final = (
    boosting,
    category,
    catboost_estimators,
    cluster,
    cluster_trees,
    compose,
    containers,
    covariance,
    decomposition,
    distributions,
    ensembles,
    ensembles_meta,
    functions,
    gaussian_process,
    histogram,
    imbalanced,
    lightgbm_booster,
    lightgbm_wrappers,
    linear,
    losses,
    manifold,
    meta,
    metrics,
    mixture,
    neighbors,
    neural,
    preprocessing,
    projections,
    scorers,
    search,
    selection,
    splitters,
    stochastic,
    svm,
    text,
    xgboost_booster,
    xgboost_wrappers,
)

SCHEMAS: Final[Mapping[str, Schema]] = {
    schema.qualified: schema for module in _MODULES for schema in getattr(module, "SCHEMAS", ())
}
PARTS: Final[Mapping[str, Part]] = {
    part.qualified: part for module in _MODULES for part in getattr(module, "PARTS", ())
}
FUNCTIONS: Final[Mapping[str, Function]] = {
    function.qualified: function
    for module in _MODULES
    for function in getattr(module, "FUNCTIONS", ())
}
