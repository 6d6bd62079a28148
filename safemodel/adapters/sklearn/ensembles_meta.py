"""State schemas of the ensembles over any estimator: boosting, bagging, voting, stacking.

They call public methods of their children, which check their input themselves. What is checked here
is what the ensembles do with the answers: lists that belong together, features that exist, and
labels that a vote is counted by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.containers import BunchOf
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    FEATURE_NAMES,
    MAX_FEATURES,
    N_JOBS,
    NAME,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Attributes,
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
    Seq,
    Spec,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_NAMED: Final[Spec] = Seq(Items((NAME, either(one_of("drop", None), Estimator())), (tuple, list)))
# A child may say nothing of features; then neither does its owner
INHERITED: Final[Attributes] = {
    "n_features_in_?": Int(0, MAX_FEATURES, "features"),
    "feature_names_in_?": FEATURE_NAMES,
    **OUTPUT,
}
# Where the number of features is a property
_NAMED_FEATURES: Final[Attributes] = {"feature_names_in_?": FEATURE_NAMES, **OUTPUT}
_RESPONSES: Final = ("predict_proba", "decision_function", "predict")

_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "bootstrap bootstrap_features flatten_transform oob_score passthrough warm_start",
        BOOL,
    ),
    "estimator": optional(Estimator()),
    "estimators": _NAMED,
    "estimator_params": Items(()),
    "n_estimators": POSITIVE,
    "learning_rate": NON_NEGATIVE,
    "algorithm": one_of("SAMME", "SAMME.R", "deprecated"),
    "loss": one_of("linear", "square", "exponential"),
    "max_samples": optional(NON_NEGATIVE),
    "max_features": NON_NEGATIVE,
    "n_jobs": N_JOBS,
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "voting": one_of("hard", "soft"),
    "weights": optional(Seq(REAL), Array("fiu", (None,))),
    "final_estimator": optional(Estimator()),
    "cv": either(CV, one_of("prefit")),
    "stack_method": one_of("auto", *_RESPONSES),
    # What fitting adds
    "classes_": Labels("classes"),
    "n_classes_": Int(1, MAX_FEATURES, "classes"),
    "estimator_": Estimator(),
    "estimators_": Seq(Estimator(), kinds=(list,)),
    "estimator_weights_": floats(None),
    "estimator_errors_": floats(None),
    "estimators_features_": Seq(ints(None, low=0, high="features"), kinds=(list,)),
    "named_estimators_": BunchOf(either(one_of("drop"), Estimator())),
    "le_": Estimator(("LabelEncoder",)),
    "final_estimator_": Estimator(),
    "stack_method_": Seq(one_of(*_RESPONSES)),
    "oob_score_": REAL,
    "oob_decision_function_": floats(None, "classes"),
    "oob_prediction_": floats(None),
    **each("_n_samples _max_samples", COUNT),
    "_max_features": POSITIVE,
    "_sample_weight": optional(Array("fiu", (None,))),
    "_seeds": either(ints(None), Seq(Int())),
    "_n_feature_outs": Seq(COUNT),
}


def _weights(state: Mapping[str, Any], scope: Scope) -> None:
    """Boosting may stop early: then there are more weights than estimators, never fewer."""
    for name in ("estimator_weights_", "estimator_errors_"):
        if name in state and len(state[name]) < len(state["estimators_"]):
            raise SpecError("has fewer items than there are estimators", f".{name}")


def _features(state: Mapping[str, Any], scope: Scope) -> None:
    """Each child of a bagging ensemble gets the features that were drawn for it."""
    if "estimators_" not in state:
        return
    if len(state["estimators_features_"]) != len(state["estimators_"]):
        raise SpecError("has not one item an estimator", ".estimators_features_")
    for index, features in enumerate(state["estimators_features_"]):
        width = vars(state["estimators_"][index]).get("n_features_in_", len(features))
        if len(features) != state["_max_features"] or width != len(features):
            raise SpecError("has another number of features", f".estimators_features_[{index}]")


def _bagged(state: Mapping[str, Any], scope: Scope) -> None:
    """Children of a bagging classifier know their classes by number, and perhaps not all."""
    if "estimators_" not in state:
        return
    count = int(state["n_classes_"])
    for index, child in enumerate(state["estimators_"]):
        _check_numbers(child, count, f".estimators_[{index}]", required=False)


def _names(state: Mapping[str, Any], scope: Scope) -> None:
    """The named estimators are the very estimators of the list, in its order."""
    if "named_estimators_" not in state:
        return
    named = [one for one in dict.values(state["named_estimators_"]) if type(one) is not str]
    fitted = state["estimators_"]
    same = len(named) == len(fitted)
    if not same or any(one is not other for one, other in zip(named, fitted, strict=True)):
        raise SpecError("has other estimators than estimators_", ".named_estimators_")


def _votes(state: Mapping[str, Any], scope: Scope) -> None:
    """Votes are counted in an array as long as the largest label that a child predicts."""
    if "classes_" not in state:
        return
    count = len(state["classes_"])
    known = vars(state["le_"]).get("classes_")
    if not isinstance(known, np.ndarray) or len(known) != count:
        raise SpecError("does not fit classes_", ".le_")
    for index, child in enumerate(state["estimators_"]):
        _check_numbers(child, count, f".estimators_[{index}]", required=True)


# Where an estimator keeps the one that answers for it
_ANSWERING: Final = ("best_estimator_", "estimator_", "estimator")
_CLASSES: Final = ("classes_", "_classes")
_DEPTH: Final = 100


def _classes_of(child: Any) -> Any:
    """The classes that an estimator predicts, its own or of the one within it, or None."""
    for _ in range(_DEPTH):
        state = vars(child)
        for name in _CLASSES:
            if name in state:
                return state[name]
        steps = state.get("steps")
        if type(steps) in (list, tuple):
            inner = [step[1] for step in steps if step[1] not in (None, "passthrough")]
            inner = inner[-1:]
        else:
            inner = [state[name] for name in _ANSWERING if state.get(name) is not None]
        if not inner or not hasattr(inner[0], "__dict__"):
            return None
        child = inner[0]
    return None


def _check_numbers(child: Any, count: int, place: str, *, required: bool) -> None:
    """Check that the labels of a child are numbers below the number of classes."""
    classes = _classes_of(child)
    foreign = not type(child).__module__.startswith("sklearn.")
    if classes is None and (foreign or not required):
        return  # not a classifier of scikit-learn: its own schema says what it may answer
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or classes.dtype.kind not in "iub":
        raise SpecError("predicts no numbered classes", place)
    if classes.size and not 0 <= int(classes.min()) <= int(classes.max()) < count:
        raise SpecError(f"predicts other classes than 0 to {count - 1}", place)


def _stacked(state: Mapping[str, Any], scope: Scope) -> None:
    if "estimators_" not in state:
        return
    if len(state["stack_method_"]) != len(state["estimators_"]):
        raise SpecError("has not one item an estimator", ".stack_method_")
    if sum(map(int, state["_n_feature_outs"])) > MAX_UNHELD:  # as many names are made of it
        raise SpecError(f"adds up to more than {MAX_UNHELD}", "._n_feature_outs")
    if "classes_" in state:
        encoders = state["_label_encoder"]
        encoders = encoders if isinstance(encoders, list) else [encoders]
        classes = state["classes_"] if isinstance(state["classes_"], list) else [state["classes_"]]
        known: list[Any] = [vars(one).get("classes_") for one in encoders]
        if [np.shape(one) for one in known] != [np.shape(one) for one in classes]:
            raise SpecError("does not fit classes_", "._label_encoder")


_make = table("sklearn.ensemble._weight_boosting", _KNOWN)
_BOOSTED = "estimator_ estimators_ estimator_weights_ estimator_errors_"
_BAGGING = (
    "estimator n_estimators max_samples max_features bootstrap bootstrap_features oob_score"
    " warm_start n_jobs random_state verbose estimator_params"
)
_BAGGED = (
    "estimator_ estimators_ estimators_features_ _n_samples _max_samples _max_features"
    " _sample_weight? _seeds oob_score_?"
)
_STACKED = "estimators_ final_estimator_ named_estimators_ stack_method_ _n_feature_outs"

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "AdaBoostClassifier",
        "estimator n_estimators learning_rate algorithm random_state estimator_params",
        f"{_BOOSTED} classes_ n_classes_",
        _weights,
    ),
    _make(
        "AdaBoostRegressor",
        "estimator n_estimators learning_rate loss random_state estimator_params",
        _BOOSTED,
        _weights,
    ),
    _make(
        "BaggingClassifier",
        _BAGGING,
        f"{_BAGGED} classes_ n_classes_ oob_decision_function_?",
        _features,
        _bagged,
        within="sklearn.ensemble._bagging",
    ),
    _make(
        "BaggingRegressor",
        _BAGGING,
        f"{_BAGGED} oob_prediction_?",
        _features,
        within="sklearn.ensemble._bagging",
    ),
    _make(
        "VotingClassifier",
        "estimators voting weights n_jobs flatten_transform verbose",
        "le_ classes_ estimators_ named_estimators_",
        _names,
        _votes,
        within="sklearn.ensemble._voting",
        common=_NAMED_FEATURES,
    ),
    _make(
        "VotingRegressor",
        "estimators weights n_jobs verbose",
        "estimators_ named_estimators_",
        _names,
        within="sklearn.ensemble._voting",
        common=_NAMED_FEATURES,
    ),
    _make(
        "StackingClassifier",
        "estimators final_estimator cv stack_method n_jobs passthrough verbose",
        f"{_STACKED} _label_encoder classes_",
        _names,
        _stacked,
        within="sklearn.ensemble._stacking",
        common=_NAMED_FEATURES,
        _label_encoder=either(Estimator(("LabelEncoder",)), Seq(Estimator(("LabelEncoder",)))),
        classes_=either(Labels("classes"), Seq(Labels(), kinds=(list,))),
    ),
    _make(
        "StackingRegressor",
        "estimators final_estimator cv stack_method n_jobs passthrough verbose",
        _STACKED,
        _names,
        _stacked,
        within="sklearn.ensemble._stacking",
        common=_NAMED_FEATURES,
    ),
)
