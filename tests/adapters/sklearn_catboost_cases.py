"""Fitted CatBoost models for the tests: those of numeric features, in every shape of tree."""

from __future__ import annotations

import functools
from typing import Any

import catboost
import numpy as np
from sklearn import pipeline, preprocessing

from .sklearn_cases import FRAME, XNAN, Y2, Y3, YMULTI, YREG, YSTR, Fitted, X, add

_QUIET = {"iterations": 4, "verbose": False, "allow_writing_files": False, "thread_count": 1}
_EVERYTHING = {
    **dict.fromkeys(("langevin", "posterior_sampling"), False),
    **dict.fromkeys(("has_time", "allow_const_label", "store_all_simple_ctr"), True),
    **{"depth": 3, "border_count": 32, "fold_permutation_block": 2, "od_wait": 3, "od_pval": 0.0},
    **{"leaf_estimation_iterations": 2, "random_seed": 1, "metric_period": 2, "l2_leaf_reg": 3.0},
    **{"ctr_leaf_count_limit": 100, "max_ctr_complexity": 2, "one_hot_max_size": 2, "rsm": 0.9},
    **{"snapshot_interval": 600, "ctr_target_border_count": 2, "model_size_reg": 0.5},
    **{"dev_score_calc_obj_block_size": 5000, "dev_efb_max_buckets": 1024, "random_strength": 1.0},
    **{"fold_len_multiplier": 2.0, "sparse_features_conflict_fraction": 0.0, "subsample": 0.9},
    **{"penalties_coefficient": 1.0, "model_shrink_rate": 0.1, "diffusion_temperature": 10.0},
    **{
        "bootstrap_type": "MVS",
        "mvs_reg": 0.5,
        "boost_from_average": False,
        "ignored_features": [1],
    },
    **{"feature_weights": [1.0, 1.0, 0.5, 1.0, 1.0], "first_feature_use_penalties": [0.0, 1.0]},
    **{"per_object_feature_penalties": [0.0, 0.1], "approx_on_full_history": False},
}
_GROWING = {
    **{"grow_policy": "Lossguide", "max_leaves": 6, "depth": 5, "min_data_in_leaf": 2},
    **{"bootstrap_type": "Bayesian", "bagging_temperature": 0.5, "fixed_binary_splits": []},
    **{"langevin": True, "diffusion_temperature": 100.0, "monotone_constraints": [0, 0, 0, 0, 0]},
}
_GROUPS = np.arange(len(X)) // 8


def _fit(
    name: str, cls: type, data: Any, target: Any, fitting: dict[str, Any] | None = None, **more: Any
) -> None:
    given = fitting or {}

    def make() -> Fitted:
        model = cls(**{**_QUIET, **more}).fit(data, target, **given)
        return Fitted(model, data, functools.partial(_continue, "partial", data, target, given))

    add(f"{cls.__name__}-{name}", make)


def _continue(kind: str, data: Any, target: Any, given: dict[str, Any], model: Any) -> Any:
    del kind  # tells the confined child that it may train a little
    wanted = model._init_params.get("iterations")
    if isinstance(wanted, int):  # training may take as long as it says
        model._init_params["iterations"], model._canonized_params = min(wanted, 20), None
    once: dict[str, Any] = dict(given)
    if "eval_set" not in once:
        once["init_model"] = model.copy()
    return model.fit(data, target, **once)


def _cases() -> None:
    classifier, regressor = catboost.CatBoostClassifier, catboost.CatBoostRegressor
    _fit("binary", classifier, X, Y2, random_seed=3)
    _fit("multi", classifier, XNAN, Y3, depth=3)
    _fit("strings", classifier, FRAME, YSTR, class_weights=[1, 2, 1.5])
    _fit("balanced", classifier, X, Y2, auto_class_weights="Balanced", border_count=16)
    _fit("lossguide", classifier, X, Y3, grow_policy="Lossguide", max_leaves=7)
    _fit("eval", classifier, X, Y2, {"eval_set": (X[::2], Y2[::2])}, early_stopping_rounds=2)
    _fit("plain", regressor, XNAN, YREG)
    _fit("depthwise", regressor, X, YREG, grow_policy="Depthwise", depth=4)
    _fit("quantile", regressor, X, YREG, loss_function="Quantile:alpha=0.3", learning_rate=0.3)
    _fit("multirmse", regressor, X, YMULTI, loss_function="MultiRMSE")
    _fit("nans", regressor, XNAN, YREG, nan_mode="Max", monotone_constraints=[1, 0, 0, 0, 0])
    _fit("everything", regressor, X, YREG, **_EVERYTHING)
    _fit("growing", regressor, X, YREG, **_GROWING)
    _fit("plain", catboost.CatBoostRanker, X, Y3, {"group_id": _GROUPS})
    add("CatBoost-plain", _plain)
    add("CatBoostRegressor-unfitted", lambda: Fitted(regressor(depth=3), X))
    add("Pipeline-catboost", _nested)


def _plain() -> Fitted:
    model = catboost.CatBoost({**_QUIET, "loss_function": "RMSE"}).fit(X, YREG)
    return Fitted(model, X, functools.partial(_continue, "partial", X, YREG, {}))


def _nested() -> Fitted:
    scaled = preprocessing.StandardScaler()
    steps = [("scale", scaled), ("model", catboost.CatBoostClassifier(**_QUIET))]
    return Fitted(pipeline.Pipeline(steps).fit(X, YSTR), X)


_cases()
