"""State schemas of estimators around others: calibration, targets, imputation, many outputs.

They call public methods of their children, which check their input themselves. The rules are about
what the owners do with the answers: one child for each class or output, in an order that exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.ensembles_meta import INHERITED
from safemodel.adapters.sklearn.parts import FunctionFor, Part, attributes, part_kinds, positional
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    FITTED,
    LABEL,
    N_JOBS,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Real,
    Seq,
    Spec,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_FUNCTION: Final[Spec] = optional(FunctionFor("transform"))
_METHOD: Final[Spec] = one_of("sigmoid", "isotonic", "temperature")
_CALIBRATORS: Final = ("_SigmoidCalibration", "IsotonicRegression", "_TemperatureScaling")
_RESPONSE: Final[Spec] = one_of(
    "predict", "predict_proba", "predict_log_proba", "decision_function"
)
_LIMIT: Final[Spec] = optional(REAL, Array("fiu", (None,)), Seq(REAL))
_CHILDREN: Final[Spec] = Seq(Estimator())

_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "add_indicator check_inverse keep_empty_features sample_posterior skip_complete",
        BOOL,
    ),
    "estimator": Estimator(),
    "base_estimator": one_of("deprecated", None),
    "n_jobs": N_JOBS,
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "cv": either(CV, one_of("prefit")),
    "estimator_": Estimator(),
    "estimators_": _CHILDREN,
    "classes_": Labels("classes"),
    # Calibration
    "ensemble": either(BOOL, one_of("auto")),
    "method": _METHOD,
    "calibrated_classifiers_": Seq(part_kinds("_CalibratedClassifier"), kinds=(list,)),
    # Targets
    "regressor": optional(Estimator()),
    "transformer": optional(Estimator()),
    "func": _FUNCTION,
    "inverse_func": _FUNCTION,
    "regressor_": Estimator(),
    "transformer_": Estimator(),
    "_training_dim": Int(0, 64),
    # Chains
    "order": optional(one_of("random"), Seq(COUNT), ints(None, low=0)),
    "order_": either(Seq(COUNT), ints(None, low=0)),
    "chain_method": either(_RESPONSE, Seq(_RESPONSE)),
    "chain_method_": _RESPONSE,
    # Self-training
    "threshold": NON_NEGATIVE,
    "criterion": one_of("threshold", "k_best"),
    "k_best": POSITIVE,
    "max_iter": optional(COUNT),
    "transduction_": Labels(),
    "labeled_iter_": Array("iuf", (None,)),
    "n_iter_": COUNT,
    "termination_condition_": one_of("max_iter", "no_change", "all_labeled"),
}


def _one_a_class(state: Mapping[str, Any], scope: Scope) -> None:
    """One against the rest: one child for each class, or one alone for two classes."""
    if "estimators_" not in state:
        return
    known = vars(state["label_binarizer_"]).get("classes_")
    count = len(state["classes_"]) if "classes_" in state else np.size(known)
    if not isinstance(known, np.ndarray) or len(known) != count:
        raise SpecError("does not fit classes_", ".label_binarizer_")
    if len(state["estimators_"]) not in ({1, 2} if count == 2 else {count}):
        raise SpecError(f"has not one item for each of {count} classes", ".estimators_")


def _one_a_pair(state: Mapping[str, Any], scope: Scope) -> None:
    """One against one: a child for each pair of classes."""
    if "estimators_" not in state:
        return
    count = len(state["classes_"])
    pairs = count * (count - 1) // 2
    if len(state["estimators_"]) != pairs:
        raise SpecError(f"has not one item for each of {pairs} pairs", ".estimators_")
    indices = state["pairwise_indices_"]
    if indices is not None and len(indices) != pairs:
        raise SpecError(f"has not one item for each of {pairs} pairs", ".pairwise_indices_")


def _one_an_output(state: Mapping[str, Any], scope: Scope) -> None:
    if "estimators_" not in state or not isinstance(state.get("classes_"), list):
        return
    if len(state["classes_"]) != len(state["estimators_"]):
        raise SpecError("has not one item an estimator", ".classes_")


def _permutation(state: Mapping[str, Any], scope: Scope) -> None:
    """A chain inverts its order: what is missing from it would be memory that nobody wrote."""
    if "order_" not in state:
        return
    order = np.asarray(state["order_"])
    if order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(len(order))):
        raise SpecError("is not an order of the numbers from 0 on", ".order_")
    if len(order) != len(state["estimators_"]):
        raise SpecError("has not one item an estimator", ".order_")


def _calibrators(arguments: Mapping[str, Any], scope: Scope) -> None:
    count, classes = len(arguments["calibrators"]), len(arguments["classes"])
    if count not in (1, classes):
        raise SpecError(f"has {count} items for {classes} classes", ".calibrators")


def _calibrated(state: Mapping[str, Any], scope: Scope) -> None:
    count = len(state.get("classes_", ()))
    for index, one in enumerate(state.get("calibrated_classifiers_", ())):
        if len(scope.arguments(one)["classes"]) != count:
            raise SpecError("has other classes", f".calibrated_classifiers_[{index}]")


def _sequence(state: Mapping[str, Any], scope: Scope) -> None:
    """Each step of an imputation is about features that exist."""
    features = state.get("n_features_in_", 0)
    for index, one in enumerate(state.get("imputation_sequence_", ())):
        step = scope.arguments(one)
        neighbors = step["neighbor_feat_idx"]
        high = max(int(step["feat_idx"]), int(neighbors.max()) if neighbors.size else 0)
        if high >= features:
            raise SpecError(f"has no feature {high}", f".imputation_sequence_[{index}]")


PARTS: Final[tuple[Part, ...]] = (
    Part(
        "sklearn.calibration",
        "_CalibratedClassifier",
        {
            "estimator": Estimator(),
            "calibrators": Seq(Estimator(_CALIBRATORS)),
            "classes": Labels(),
            "method": _METHOD,
        },
        attributes,
        late=True,
        check_more=_calibrators,
    ),
    Part(
        "sklearn.impute._iterative",
        "_ImputerTriplet",
        {
            "feat_idx": COUNT,
            "neighbor_feat_idx": ints(None, low=0),
            "estimator": Estimator(),
        },
        positional("feat_idx", "neighbor_feat_idx", "estimator"),
    ),
)

_make = table("sklearn.multiclass", _KNOWN)
_NOTHING: Final[Mapping[str, Spec]] = {}

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "CalibratedClassifierCV",
        "estimator method cv n_jobs ensemble",
        "calibrated_classifiers_ classes_",
        _calibrated,
        within="sklearn.calibration",
        common=INHERITED,
        estimator=optional(Estimator()),
    ),
    _make(
        "_SigmoidCalibration",
        "",
        "a_ b_",
        within="sklearn.calibration",
        common=_NOTHING,
        a_=REAL,
        b_=REAL,
    ),
    _make(
        "_TemperatureScaling",
        "",
        "beta_",
        within="sklearn.calibration",
        common=_NOTHING,
        beta_=REAL,
    ),
    _make(
        "TransformedTargetRegressor",
        "regressor transformer func inverse_func check_inverse",
        "_training_dim transformer_ regressor_",
        within="sklearn.compose._target",
        common={"feature_names_in_?": INHERITED["feature_names_in_?"]},
    ),
    _make("FrozenEstimator", "estimator", within="sklearn.frozen._frozen", common=OUTPUT),
    _make(
        "IterativeImputer",
        "estimator missing_values sample_posterior max_iter tol n_nearest_features"
        " initial_strategy fill_value imputation_order skip_complete min_value max_value verbose"
        " random_state add_indicator keep_empty_features",
        "random_state_ _estimator imputation_sequence_ initial_imputer_ _is_empty_feature?"
        " indicator_ n_iter_ _min_value? _max_value? n_features_with_missing_?",
        _sequence,
        within="sklearn.impute._iterative",
        common={**FITTED, **OUTPUT},
        estimator=optional(Estimator()),
        missing_values=optional(LABEL),
        tol=NON_NEGATIVE,
        max_iter=COUNT,
        n_nearest_features=optional(POSITIVE),
        initial_strategy=one_of("mean", "median", "most_frequent", "constant"),
        fill_value=optional(LABEL),
        imputation_order=one_of("ascending", "descending", "roman", "arabic", "random"),
        min_value=_LIMIT,
        max_value=_LIMIT,
        random_state_=RANDOM_STATE,
        _estimator=Estimator(),
        imputation_sequence_=Seq(part_kinds("_ImputerTriplet"), kinds=(list,)),
        initial_imputer_=Estimator(("SimpleImputer",), (("n_features_in_", "features"),)),
        indicator_=optional(
            Estimator(("MissingIndicator",), (("n_features_in_", "features"),)),
        ),
        _is_empty_feature=Array("b", ("features",)),
        _min_value=Array("fiu", (None,)),
        _max_value=Array("fiu", (None,)),
        n_features_with_missing_=COUNT,
    ),
    _make(
        "_ConstantPredictor",
        "",
        "y_",
        common=FITTED,
        y_=Array("fiub", (1,)),  # it is repeated for each sample
    ),
    _make(
        "OneVsRestClassifier",
        "estimator n_jobs verbose",
        "label_binarizer_ classes_? estimators_",
        _one_a_class,
        common=INHERITED,
        label_binarizer_=Estimator(("LabelBinarizer",)),
    ),
    _make(
        "OneVsOneClassifier",
        "estimator n_jobs",
        "classes_ estimators_ pairwise_indices_",
        _one_a_pair,
        common=INHERITED,
        pairwise_indices_=optional(Seq(ints(None, low=0))),
    ),
    _make(
        "OutputCodeClassifier",
        "estimator code_size random_state n_jobs",
        "classes_ code_book_ estimators_",
        common=INHERITED,
        code_size=Real(0, 1000),
        code_book_=floats("classes", "code"),
        estimators_=Seq(Estimator(), "code"),
    ),
    _make(
        "MultiOutputClassifier",
        "estimator n_jobs",
        "estimators_ classes_?",
        _one_an_output,
        within="sklearn.multioutput",
        common=INHERITED,
        classes_=Seq(either(Labels(), Seq(Labels())), kinds=(list,)),
    ),
    _make(
        "MultiOutputRegressor",
        "estimator n_jobs",
        "estimators_",
        within="sklearn.multioutput",
        common=INHERITED,
    ),
    _make(
        "ClassifierChain",
        "estimator order cv chain_method random_state verbose base_estimator",
        "order_ estimators_ chain_method_ classes_",
        _permutation,
        _one_an_output,
        within="sklearn.multioutput",
        classes_=Seq(either(Labels(), Seq(Labels())), kinds=(list,)),
    ),
    _make(
        "RegressorChain",
        "estimator order cv random_state verbose base_estimator",
        "order_ estimators_",
        _permutation,
        within="sklearn.multioutput",
    ),
    _make(
        "SelfTrainingClassifier",
        "estimator base_estimator threshold criterion k_best max_iter verbose",
        "estimator_ transduction_ labeled_iter_ n_iter_ termination_condition_ classes_",
        within="sklearn.semi_supervised._self_training",
        estimator=optional(Estimator()),
        common=INHERITED,
    ),
)
