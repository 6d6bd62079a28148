"""State schemas of gradient boosting over decision trees (`sklearn.ensemble._gb`).

Compiled code adds what each tree says to a matrix with a row a sample, and looks at no bound: a
column of trees more than the matrix has was heap corruption. The matrix is as wide as what the
initial estimator predicts, so that this is part of what must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.ensembles import KNOWN as _TREES
from safemodel.adapters.sklearn.losses import LOSSES
from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import (
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    Labels,
    Schema,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Estimator,
    Int,
    Objects,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

_SIMPLE: Final = ("DummyClassifier", "DummyRegressor")
_TREE: Final = Estimator(("DecisionTreeRegressor",), (("n_features_in_", "features"),))

_KNOWN: Final[Mapping[str, Spec]] = {
    **_TREES,
    **dict.fromkeys(("learning_rate", "validation_fraction", "tol"), NON_NEGATIVE),
    "alpha": NON_NEGATIVE,
    "criterion": one_of("friedman_mse", "squared_error", "mse", "mae", "deprecated"),
    "init": optional(one_of("zero"), Estimator()),
    "loss": one_of(
        *("log_loss", "exponential", "deviance"),
        *("squared_error", "absolute_error", "huber", "quantile"),
    ),
    "max_features": optional(NON_NEGATIVE, one_of("sqrt", "log2", "auto")),
    "n_iter_no_change": optional(POSITIVE),
    "subsample": NON_NEGATIVE,
    # What fitting adds
    "classes_": Labels("classes"),
    "n_classes_": Int(1, dim="classes"),
    "_loss": part_kinds(*LOSSES),
    "init_": either(one_of("zero"), Estimator()),
    "estimators_": Objects(_TREE, ("stages", "trees")),
    "n_trees_per_iteration_": Int(1, dim="trees"),
    "n_estimators_": Int(1, dim="stages"),
    "train_score_": floats("stages"),
    "oob_improvement_": floats("stages"),
    "oob_scores_": floats("stages"),
    "oob_score_": REAL,
    "_rng": RANDOM_STATE,
}


def _trees(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare each tree with the ensemble: nothing else looks before its nodes are followed."""
    if "estimators_" not in state:
        return
    estimators = state["estimators_"]
    if estimators.size == 0:
        raise SpecError("has no trees", ".estimators_")
    for index, estimator in enumerate(estimators.ravel().tolist()):
        place = f".estimators_[{index // estimators.shape[1]}][{index % estimators.shape[1]}]"
        tree = vars(estimator).get("tree_")
        if not scope.library.is_tree(type(tree)):
            raise SpecError("is not fitted", place)
        if tree.n_features != state["n_features_in_"]:
            raise SpecError(f"has {tree.n_features} features", place)
        if tree.n_outputs != 1 or tree.n_classes.tolist() != [1]:
            raise SpecError("has other outputs or classes", place)
    _columns(state, scope)


def _columns(state: Mapping[str, Any], scope: Scope) -> None:
    """Check that loss, classes and initial estimator make a matrix with a column for each tree."""
    classes = len(state["classes_"]) if "classes_" in state else 1
    columns = classes if classes > 2 else 1
    if state["estimators_"].shape[1] != columns:
        raise SpecError(f"must have {columns} trees a stage", ".estimators_")
    part = scope.library.part(type(state["_loss"]))
    many = part is not None and part.name == "HalfMultinomialLoss"
    if many is not (columns > 1):
        raise SpecError("is not for as many classes", "._loss")
    if many and scope.arguments(state["_loss"])["n_classes"] != columns:
        raise SpecError(f"must be for {columns} classes", "._loss")
    init = state["init_"]
    entry = scope.library.entry(type(init))
    if entry is None or entry.schema.name not in _SIMPLE:
        return  # either zeros, or tried when all else is checked
    fitted = vars(init)
    if (entry.schema.name == _SIMPLE[0]) is not ("classes_" in state):
        raise SpecError("does not predict what this class needs", ".init_")
    if fitted.get("n_outputs_") != 1:
        raise SpecError("must have one output", ".init_.n_outputs_")
    if "classes_" in state and fitted["n_classes_"] != classes:
        raise SpecError(f"must be {classes}", ".init_.n_classes_")


def _try_initial(model: Any) -> None:
    """Ask an initial estimator of any other class once how many columns it predicts.

    Raises:
        ValueError: it is not as many as there are trees a stage.
    """
    state = vars(model)
    init = state.get("init_")
    if init is None or type(init) is str or type(init).__module__ == "sklearn.dummy":
        return
    import joblib

    rows = np.ones((2, state["n_features_in_"]), dtype=np.float32)
    classes = len(state["classes_"]) if "classes_" in state else 0
    try:
        with joblib.parallel_config(backend="sequential"):
            found = np.asarray(init.predict_proba(rows) if classes else init.predict(rows))
    except (AttributeError, AssertionError) as error:
        raise ValueError(f"init_ can't predict: {error}") from error
    expected = (2, classes) if classes else (2, 1)
    if found.shape != expected and not (classes == 0 and found.shape == (2,)):
        raise ValueError(f"init_ predicts the shape {found.shape}, which must be {expected}")


_make = table("sklearn.ensemble._gb", _KNOWN)
_PARAMS = (
    "loss learning_rate n_estimators subsample criterion min_samples_split min_samples_leaf"
    " min_weight_fraction_leaf max_depth min_impurity_decrease init random_state max_features"
    " alpha verbose max_leaf_nodes warm_start validation_fraction n_iter_no_change tol ccp_alpha"
)
_FITTED = (
    "n_trees_per_iteration_ max_features_ _loss init_ estimators_ train_score_ oob_improvement_?"
    " oob_scores_? oob_score_? _rng n_estimators_"
)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "GradientBoostingClassifier",
        _PARAMS,
        f"{_FITTED} classes_ n_classes_",
        _trees,
        rebuild=_try_initial,
    ),
    _make("GradientBoostingRegressor", _PARAMS, _FITTED, _trees, rebuild=_try_initial),
)
