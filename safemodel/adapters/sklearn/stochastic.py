"""State schemas of the estimators of `sklearn.linear_model` that stochastic gradients train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.linear import COEF, KNOWN
from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import NON_NEGATIVE, POSITIVE, Schema, table
from safemodel.adapters.sklearn.spec import (
    Scope,
    Spec,
    SpecError,
    either,
    floats,
    one_of,
    optional,
)


def _sgd(state: Mapping[str, Any], scope: Scope) -> None:
    """Training goes on in compiled code over these arrays: their shapes must agree."""
    if "coef_" not in state:
        return
    coef = state["coef_"]
    if not isinstance(coef, np.ndarray):
        return
    rows = coef.shape[0] if coef.ndim == 2 else 1
    if "classes_" in state:
        classes = len(state["classes_"])
        if classes < 2 or rows != (1 if classes == 2 else classes):
            raise SpecError(f"has {rows} rows for {classes} classes", ".coef_")
        if len(state["_expanded_class_weight"]) != classes:
            raise SpecError(f"must have {classes} items", "._expanded_class_weight")
    for name in ("coef_", "_standard_coef", "_average_coef"):
        array = state.get(name)
        if array is not None and array.size != coef.size:
            raise SpecError(f"has {array.size} items where coef_ has {coef.size}", f".{name}")
    for name in ("intercept_", "offset_", "_standard_intercept", "_average_intercept"):
        array = state.get(name)
        if array is not None and np.size(array) != rows:
            raise SpecError(f"has {np.size(array)} items where coef_ has {rows} rows", f".{name}")


_M = "sklearn.linear_model."
_make = table(_M[:-1], KNOWN)
_SGD = (
    "loss penalty learning_rate epsilon alpha l1_ratio fit_intercept shuffle random_state verbose"
    " eta0 power_t early_stopping validation_fraction n_iter_no_change warm_start average max_iter"
    " tol"
)
_AVERAGED = "_standard_coef? _average_coef? _standard_intercept? _average_intercept?"
_LEARNED = f"coef_ intercept_ t_ n_iter_ {_AVERAGED}"
_OLD = "C?"  # up to scikit-learn 1.7 all of them have it
_STOCHASTIC: dict[str, Spec] = {
    "loss": one_of(
        *("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "squared_error"),
        *("huber", "epsilon_insensitive", "squared_epsilon_insensitive"),
    ),
    "learning_rate": one_of("constant", "optimal", "invscaling", "adaptive", "pa1", "pa2"),
    "tol": optional(NON_NEGATIVE),
    "max_iter": POSITIVE,
    "_expanded_class_weight": floats(None),
    "_loss_function_": part_kinds(
        *("Hinge", "SquaredHinge", "ModifiedHuber", "EpsilonInsensitive", "CyHalfBinomialLoss"),
        *("SquaredEpsilonInsensitive", "CyHalfSquaredError", "CyHuberLoss"),
    ),
    "offset_": floats(1),
    **dict.fromkeys(("_standard_coef", "_average_coef"), either(floats("features"), COEF)),
    **dict.fromkeys(("_standard_intercept", "_average_intercept"), floats(None)),
}


def _classifier(name: str, params: str, module: str, *rules: Any) -> Schema:
    learned = f"{_LEARNED} classes_ _expanded_class_weight _loss_function_"
    if name != "PassiveAggressiveClassifier":
        learned = f"{learned} {_OLD}"
    return _make(name, params, learned, _sgd, *rules, within=f"{_M}{module}", **_STOCHASTIC)


SCHEMAS: Final[tuple[Schema, ...]] = (
    _classifier("SGDClassifier", f"{_SGD} class_weight n_jobs", "_stochastic_gradient"),
    _classifier("Perceptron", f"{_SGD} class_weight n_jobs", "_perceptron"),
    _classifier(
        "PassiveAggressiveClassifier", f"{_SGD} class_weight n_jobs C", "_passive_aggressive"
    ),
    _make(
        "SGDRegressor",
        _SGD,
        f"{_LEARNED} {_OLD}",
        _sgd,
        within=f"{_M}_stochastic_gradient",
        **_STOCHASTIC,
    ),
    _make(
        "PassiveAggressiveRegressor",
        f"{_SGD} C",
        _LEARNED,
        _sgd,
        within=f"{_M}_passive_aggressive",
        **_STOCHASTIC,
    ),
    _make(
        "SGDOneClassSVM",
        f"{_SGD} nu",
        f"coef_ offset_ t_ _loss_function_ n_iter_ {_AVERAGED} {_OLD}",
        _sgd,
        within=f"{_M}_stochastic_gradient",
        **_STOCHASTIC,
    ),
)
