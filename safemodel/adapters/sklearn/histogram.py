"""State schemas of histogram-based gradient boosting and of what it is made of.

Whatever comes between the caller's data and the trees decides how wide the data are that compiled
code reads: so the encoder of categories is compared with the trees, as their nodes are
(`predictors.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import predictors
from safemodel.adapters.sklearn.losses import LOSSES
from safemodel.adapters.sklearn.parts import DTYPE, PARTIAL, Function, part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    CLASS_WEIGHT,
    COUNT,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.scorers import SCORING
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Exactly,
    Int,
    Map,
    Seq,
    Spec,
    Text,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_MAX_BINS: Final = 256
# As many as the machine had that fitted the model; binning starts them, or ends the process
_MAX_THREADS: Final = 1024
_H: Final = "sklearn.ensemble._hist_gradient_boosting"
_COLUMN: Final = either(BOOL, Int(), Text())
_GROUPS: Final = (list, tuple, set, frozenset)


def _generators() -> tuple[type, ...]:
    return (np.random.Generator,)


_KNOWN: Final[Mapping[str, Spec]] = {
    **each("learning_rate l2_regularization tol max_features", NON_NEGATIVE),
    **each("max_iter min_samples_leaf n_iter_no_change", POSITIVE),
    **each("max_leaf_nodes max_depth", optional(POSITIVE)),
    **each("warm_start do_early_stopping_ _use_validation_data _fitted_with_sw", BOOL),
    **each("is_categorical_ _is_categorical_remapped", optional(Array("b", ("features",)))),
    "categorical_features": optional(
        one_of("from_dtype"), Seq(_COLUMN), Array("biuU", (None,)), Labels()
    ),
    "class_weight": CLASS_WEIGHT,
    "early_stopping": either(BOOL, one_of("auto")),
    "interaction_cst": optional(
        one_of("pairwise", "no_interactions"), Seq(Seq(Int(), None, _GROUPS))
    ),
    "loss": either(
        one_of(
            *("log_loss", "squared_error", "absolute_error", "gamma", "poisson", "quantile"),
            *("auto", "binary_crossentropy", "categorical_crossentropy"),
        ),
        part_kinds(*LOSSES),
    ),
    "max_bins": Int(2, _MAX_BINS - 1),
    "monotonic_cst": optional(
        Seq(Int(-1, 1)), Array("iuf", (None,), -1, 1), Map(Text(), Int(-1, 1))
    ),
    "quantile": optional(NON_NEGATIVE),
    "random_state": RANDOM_STATE,
    "scoring": optional(one_of("loss"), SCORING),
    "validation_fraction": optional(NON_NEGATIVE),
    "verbose": VERBOSE,
    # What fitting adds
    "classes_": Labels("classes"),
    "n_trees_per_iteration_": Int(1, dim="trees"),
    "_baseline_prediction": floats(1, "trees"),
    "_bin_mapper": Estimator(("_BinMapper",)),
    "_feature_subsample_rng": Exactly(_generators, "a numpy.random.Generator"),
    "_label_encoder": Estimator(("LabelEncoder",)),
    "_loss": part_kinds(*LOSSES),
    "_n_features": Int(1, dim="features"),
    "_predictors": Seq(Seq(part_kinds(predictors.PREDICTOR.name), "trees", (list,)), kinds=(list,)),
    "_preprocessor": optional(Estimator(("ColumnTransformer",), (("n_features_in_", "features"),))),
    "_random_seed": Int(0, 2**32),
    "_scorer": SCORING,
    "train_score_": floats(None),
    "validation_score_": floats(None),
    # The bin mapper's
    "n_bins": Int(3, _MAX_BINS),
    "subsample": optional(POSITIVE),
    "is_categorical": optional(Array("b", ("features",))),
    "known_categories": optional(Seq(optional(floats(None)), "features")),
    "n_threads": optional(Int(1, _MAX_THREADS)),
    "missing_values_bin_idx_": Int(2, _MAX_BINS - 1),
    "bin_thresholds_": Seq(floats(None), "features", (list,)),
    "n_bins_non_missing_": ints("features", low=0, high=_MAX_BINS),
}


def _mapper(state: Mapping[str, Any], scope: Scope) -> None:
    """Categories become bits: those of a feature are numbered from 0, and fit into a bit set."""
    if "bin_thresholds_" not in state:
        return
    if state["missing_values_bin_idx_"] != state["n_bins"] - 1:
        raise SpecError("must be that of the last bin", ".missing_values_bin_idx_")
    flags = state["is_categorical_"]
    if flags.dtype != np.uint8 or (len(flags) and flags.max() > 1):
        raise SpecError("must hold 8-bit flags", ".is_categorical_")
    for index, thresholds in enumerate(state["bin_thresholds_"]):
        place = f".bin_thresholds_[{index}]"
        if len(thresholds) >= _MAX_BINS or thresholds.dtype != np.float64:
            raise SpecError(f"must be fewer than {_MAX_BINS} 64-bit numbers", place)
        if flags[index] and (thresholds != np.arange(len(thresholds))).any():
            raise SpecError("must number categories", place)


def _fitted(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare trees, bins, classes and the encoder of categories with one another."""
    if "_predictors" not in state:
        return
    features = int(state["_n_features"])
    flags = vars(state["_bin_mapper"]).get("is_categorical_")
    if type(flags) is not np.ndarray or flags.shape != (features,):
        raise SpecError(f"must be fitted to {features} features", "._bin_mapper")
    trees = [scope.arguments(one) for row in state["_predictors"] for one in row]
    if not trees:
        raise SpecError("has no trees", "._predictors")
    scope.audit.look(4 * sum(len(tree["nodes"]) for tree in trees))
    try:
        predictors.audit(trees, features, flags == 1)
    except SpecError as error:
        raise error.below("._predictors") from None
    _classes(state, scope)
    _encoded(state, scope)


def _classes(state: Mapping[str, Any], scope: Scope) -> None:
    classes = len(state["classes_"]) if "classes_" in state else 1
    columns = classes if classes > 2 else 1
    if state["n_trees_per_iteration_"] != columns:
        raise SpecError(f"must be {columns}", ".n_trees_per_iteration_")
    part = scope.library.part(type(state["_loss"]))
    many = part is not None and part.name == "HalfMultinomialLoss"
    if many and scope.arguments(state["_loss"])["n_classes"] != columns:
        raise SpecError(f"must be for {columns} classes", "._loss")


def _encoded(state: Mapping[str, Any], scope: Scope) -> None:
    """Check that the encoder gives as many columns as it gets, categories first."""
    flags, encoder = state.get("is_categorical_"), state.get("_preprocessor")
    remapped = state.get("_is_categorical_remapped")
    if (flags is None) != (encoder is None) or (flags is None) != (remapped is None):
        raise SpecError("does not fit is_categorical_", "._preprocessor")
    mapped = vars(state["_bin_mapper"])["is_categorical_"]
    if flags is None or remapped is None:
        if mapped.any():
            raise SpecError("has categories", "._bin_mapper.is_categorical_")
        return
    count = int(flags.sum())
    if (mapped != remapped).any() or (remapped != (np.arange(len(flags)) < count)).any():
        raise SpecError("must put categories first", "._is_categorical_remapped")
    _check_steps(vars(encoder), flags, scope)


def _check_steps(encoder: Mapping[str, Any], flags: Any, scope: Scope) -> None:
    place = "._preprocessor.transformers_"
    steps: Any = encoder.get("transformers_")
    named = type(steps) is list and all(type(step) is tuple and len(step) == 3 for step in steps)
    if not named or [step[0] for step in steps][:2] != ["encoder", "numerical"]:
        raise SpecError("has other steps than such a model has", place)
    if [step[:2] for step in steps[2:]] not in ([], [("remainder", "drop")]):
        raise SpecError("has other steps than such a model has", place)
    if encoder.get("transformer_weights") is not None:
        raise SpecError("must be None", "._preprocessor.transformer_weights")
    expected = (("OrdinalEncoder", flags), ("FunctionTransformer", ~flags))
    for (name, columns), (_, step, chosen) in zip(expected, steps, strict=False):
        entry = scope.library.entry(type(step))
        if entry is None or entry.schema.name != name:
            raise SpecError(f"must have a step that is a {name}", place)
        if type(chosen) is not np.ndarray or not np.array_equal(chosen, columns):
            raise SpecError("has a step with other columns", place)
        if vars(step).get("n_features_in_", columns.sum()) != columns.sum():
            raise SpecError("has a step with another number of columns", place)
    _checks_only(vars(steps[1][1]).get("func"), scope, place)


def _checks_only(function: Any, scope: Scope, place: str) -> None:
    part = scope.library.part(type(function))
    if part is not None and part.qualified == PARTIAL:
        function = scope.arguments(function)["function"]
    if scope.library.function(function) is not CHECK_ARRAY:
        raise SpecError("must only check its columns", place)


CHECK_ARRAY: Final = Function(
    "sklearn.utils.validation",
    "check_array",
    {
        "dtype": Seq(DTYPE),
        "ensure_all_finite": BOOL,
        "force_all_finite": BOOL,
    },
)
_make = table(f"{_H}.gradient_boosting", _KNOWN)
_PARAMS: Final = (
    "loss learning_rate max_iter max_leaf_nodes max_depth min_samples_leaf l2_regularization"
    " max_features max_bins categorical_features monotonic_cst interaction_cst warm_start"
    " early_stopping scoring validation_fraction n_iter_no_change tol verbose random_state"
)
_FITTED: Final = (
    "is_categorical_? _preprocessor? _is_categorical_remapped? n_trees_per_iteration_ _random_seed"
    " _feature_subsample_rng? _n_features _loss do_early_stopping_ _use_validation_data _bin_mapper"
    " _baseline_prediction _predictors _scorer train_score_ validation_score_ _fitted_with_sw?"
)
# Early stopping by a named score leaves a method of the instance in it: the class has the same
_PATCHED: Final = ("_raw_predict",)

PARTS = (predictors.PREDICTOR,)
FUNCTIONS = (CHECK_ARRAY,)
SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "HistGradientBoostingClassifier",
        f"{_PARAMS} class_weight",
        f"{_FITTED} classes_ _label_encoder?",
        _fitted,
        caches=_PATCHED,
    ),
    _make(
        "HistGradientBoostingRegressor", f"{_PARAMS} quantile", _FITTED, _fitted, caches=_PATCHED
    ),
    _make(
        "_BinMapper",
        "n_bins subsample is_categorical known_categories random_state n_threads",
        "missing_values_bin_idx_ is_categorical_ bin_thresholds_ n_bins_non_missing_",
        _mapper,
        within=f"{_H}.binning",
        common={},
        is_categorical_=Array("u", ("features",)),
        random_state=optional(RANDOM_STATE, COUNT, Int(0, 2**32)),
        private=("is_categorical_",),
    ),
)
