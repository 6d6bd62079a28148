"""State schemas of XGBoost's estimators, and of the booster inside of them.

They hand most parameters to XGBoost as strings: names are from closed lists, numbers bounded where
training would take memory or time without end. A metric or an objective may be a name, never code.
Implements spec/sklearn.md, "Boosted trees".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.native import Table
from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    N_JOBS,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import ITEM, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Const,
    Int,
    Map,
    Seq,
    Spec,
    Text,
    describe,
    either,
    one_of,
    optional,
)
from safemodel.adapters.sklearn.xgboost_strings import Matching
from safemodel.adapters.sklearn.xgboost_tables import (
    BOOSTERS,
    MAX_PARALLEL,
    METRIC,
    OBJECTIVES,
    UPDATER_SEQUENCE,
)

MODULE: Final = "xgboost.sklearn"
_NAME: Final = Text(4096)


@dataclass(frozen=True)
class History:
    """Scores of each round, by data set and metric; the inner dict may be ordered."""

    def check(self, value: Any, scope: Scope) -> None:
        self._dict(value, scope, (dict, OrderedDict))
        for one in value.values():
            self._dict(one, scope, (dict, OrderedDict))
            for key, scores in one.items():
                try:
                    Seq(REAL, kinds=(list,)).check(scores, scope)
                except SpecError as error:
                    raise error.below(f"[{key!r:.60}]") from None

    def _dict(self, value: Any, scope: Scope, kinds: tuple[type, ...]) -> None:
        if type(value) not in kinds:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        scope.audit.look(2 * ITEM * len(value))
        for key in value:
            _NAME.check(key, scope)

    def __str__(self) -> str:
        return "a dict of data sets, each a dict from metrics to lists of scores"


_REAL: Final = optional(REAL)
_COUNT: Final = optional(COUNT)
_TYPES: Final = optional(
    one_of("q", "c", "i", "int", "float"), Seq(one_of("q", "c", "i", "int", "float"))
)
# What else can be given as a keyword: parameters of XGBoost without one of their own
_KEYWORDS: Final[Mapping[str, Spec]] = {
    **each(
        "eta lambda alpha rate_drop skip_drop tweedie_variance_power huber_slope"
        " aft_loss_distribution_scale max_delta_step sketch_eps sketch_ratio scale_pos_weight"
        " lambdarank_bias_norm opt_dense_col tolerance min_split_loss",
        _REAL,
    ),
    **each("lambdarank_num_pair_per_sample num_pairsample", optional(Int(1, 1_000_000))),
    **each("top_k seed num_class num_target max_cached_hist_node refresh_leaf", _COUNT),
    **each(
        "lambdarank_unbiased lambdarank_normalization lambdarank_score_normalization"
        " ndcg_exp_gain one_drop seed_per_iteration disable_default_eval_metric"
        " fail_on_invalid_gpu_id use_label_encoder silent",
        optional(BOOL, one_of(0, 1, "0", "1", "true", "false")),
    ),
    "nthread": N_JOBS,
    "lambdarank_pair_method": one_of("mean", "topk"),
    "sample_type": one_of("uniform", "weighted"),
    "normalize_type": one_of("tree", "forest"),
    "feature_selector": one_of("cyclic", "shuffle", "thrifty", "greedy", "random"),
    "aft_loss_distribution": one_of("normal", "logistic", "extreme"),
    "process_type": one_of("default", "update"),
    "default_direction": one_of("learn", "left", "right"),
    "updater": either(UPDATER_SEQUENCE, one_of("shotgun", "coord_descent", "gpu_coord_descent")),
    "quantile_alpha": either(REAL, Seq(REAL), Array("f", (None,))),
}


_KNOWN: Final[Mapping[str, Spec]] = {
    **each("n_estimators max_depth max_leaves early_stopping_rounds", _COUNT),
    **each("max_cat_to_onehot max_cat_threshold", optional(POSITIVE)),
    **each(
        "learning_rate gamma min_child_weight max_delta_step subsample colsample_bytree"
        " colsample_bylevel colsample_bynode reg_alpha reg_lambda scale_pos_weight",
        _REAL,
    ),
    "missing": REAL,
    "base_score": optional(REAL, Seq(REAL), Array("f", (None,))),
    "max_bin": optional(Int(2, 1 << 24)),
    "num_parallel_tree": optional(Int(1, MAX_PARALLEL)),
    "verbosity": optional(Int(0, 3)),
    "objective": optional(one_of(*OBJECTIVES)),
    "booster": optional(one_of(*BOOSTERS)),
    "grow_policy": optional(one_of("depthwise", "lossguide")),
    "tree_method": optional(one_of("auto", "exact", "approx", "hist", "gpu_hist")),
    "sampling_method": optional(one_of("uniform", "gradient_based")),
    "multi_strategy": optional(one_of("one_output_per_tree", "multi_output_tree")),
    "importance_type": optional(one_of("weight", "gain", "cover", "total_gain", "total_cover")),
    "device": optional(Matching(r"cpu|(cuda|gpu)(:\d{1,3})?")),
    "gpu_id": optional(Int(-1, 999)),
    "predictor": optional(one_of("auto", "cpu_predictor", "gpu_predictor")),
    "n_jobs": N_JOBS,
    "random_state": RANDOM_STATE,
    "validate_parameters": optional(BOOL, one_of(0, 1)),
    "enable_categorical": BOOL,
    "use_label_encoder": optional(BOOL),
    "callbacks": Const((None,)),
    "feature_types": _TYPES,
    "feature_weights": optional(Array("fiu", (None,)), Seq(REAL)),
    "monotone_constraints": optional(
        Matching(r"\((-?[01](, ?-?[01])*)?,?\)"),
        Map(_NAME, Int(-1, 1)),
        Seq(Int(-1, 1), kinds=(tuple, list)),
    ),
    "interaction_constraints": optional(
        Matching(r"(\[\]|\[\[[\d, \[\]]*\]\])?"), Seq(Seq(either(COUNT, _NAME)))
    ),
    "eval_metric": optional(METRIC, Seq(METRIC)),
    "kwargs": Table({}, _KEYWORDS, "a dict of XGBoost's parameters"),
    # What fitting adds
    "_Booster": part_kinds("Booster"),
    "n_classes_": Int(0, 1_000_000),
    "evals_result_": History(),
}


def _classes(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare the number of classes with the booster's: probabilities are taken apart by it."""
    if "_Booster" not in state or "n_classes_" not in state:
        return
    params = scope.arguments(state["_Booster"])["table"]["learner_model_param"]
    classes, found = int(params["num_class"]), int(state["n_classes_"])
    if found != classes and not (classes <= 1 and found <= 2):
        raise SpecError(f"is {found}, and the booster has {classes}", ".n_classes_")


def _weights(state: Mapping[str, Any], scope: Scope) -> None:
    weights = state.get("feature_weights")
    if isinstance(weights, np.ndarray) and weights.size and not weights.min() >= 0:
        raise SpecError("has items below 0", ".feature_weights")


_PARAMS: Final = (
    "n_estimators objective max_depth max_leaves max_bin grow_policy learning_rate verbosity"
    " booster tree_method gamma min_child_weight max_delta_step subsample sampling_method"
    " colsample_bytree colsample_bylevel colsample_bynode reg_alpha reg_lambda scale_pos_weight"
    " base_score missing num_parallel_tree random_state n_jobs monotone_constraints"
    " interaction_constraints importance_type device validate_parameters enable_categorical"
    " feature_types feature_weights max_cat_to_onehot max_cat_threshold multi_strategy eval_metric"
    " early_stopping_rounds callbacks kwargs gpu_id predictor use_label_encoder"
)
# Properties today, which read the booster; attributes of releases before 2.0
_REPEATED: Final = ("classes_", "best_iteration", "best_score", "best_ntree_limit")

_make = table(MODULE, _KNOWN)
SCHEMAS: Final[tuple[Schema, ...]] = tuple(
    _make(
        name,
        _PARAMS,
        "_Booster? n_classes_? evals_result_?",
        _classes,
        _weights,
        caches=_REPEATED,
        common={},
    )
    for name in (
        *("XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier"),
        "XGBRFRegressor",
    )
)
