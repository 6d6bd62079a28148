"""Fitted LightGBM models for the tests: boosters, wrappers, in Pipelines and searches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn import compose, model_selection, pipeline, preprocessing

from .sklearn_cases import CATFRAME, FRAME, XNAN, XS, Y2, Y3, YPOS, YREG, YSTR, Fitted, X, add

_RNG = np.random.RandomState(11)
_WIDE = np.round(_RNG.normal(size=(240, 6)), 3)
_WIDE[_RNG.uniform(size=_WIDE.shape) < 0.1] = np.nan
_WIDE[:, 5] = _RNG.randint(0, 40, size=len(_WIDE))
_TARGET = (
    np.nan_to_num(_WIDE[:, 0]) * 3 + _WIDE[:, 5] % 7 + np.nan_to_num(_WIDE[:, 1] * _WIDE[:, 2])
)
_KINDS = np.array(["u", "v", "w"])[(_WIDE[:, 5] % 3).astype(int)]
_QUIET = {"verbose": -1, "n_jobs": 1, "min_child_samples": 3, "num_leaves": 6}
_GROUPS = [12] * 20


def _fit(
    name: str,
    cls: type,
    data: Any,
    target: Any,
    *,
    fitting: dict[str, Any] | Callable[[], dict[str, Any]] | None = None,
    **params: Any,
) -> None:
    """Add a wrapper, whose training goes on from its own booster."""

    def make() -> Fitted:
        given = fitting() if callable(fitting) else dict(fitting or {})
        chosen = {"n_estimators": 4, **_QUIET, **params}
        if callable(chosen.get("random_state")):
            chosen["random_state"] = chosen["random_state"]()
        model = cls(**chosen).fit(data, target, **given)
        again = {
            key: value for key, value in given.items() if key in ("group", "categorical_feature")
        }
        return Fitted(model, data, functools.partial(_continue, "partial", data, target, again))

    add(f"{cls.__name__}-{name}", make)


def _continue(kind: str, data: Any, target: Any, fitting: dict[str, Any], model: Any) -> Any:
    del kind  # tells the confined child that it may train a little
    model.n_estimators = min(model.n_estimators, 40)  # training may take as long as it says
    if model.boosting_type == "rf":  # LightGBM has no way to grow a forest further
        return model.fit(data, target, **fitting)
    return model.fit(data, target, init_model=model, **fitting)


def _seed() -> np.random.RandomState:
    return np.random.RandomState(3)


def _wrappers() -> None:
    regressor, classifier = lgb.LGBMRegressor, lgb.LGBMClassifier
    for boosting in ("gbdt", "dart"):
        _fit(boosting, regressor, _WIDE, _TARGET, boosting_type=boosting, random_state=_seed)
    _fit("forest", regressor, _WIDE, _TARGET, boosting_type="rf", subsample=0.5, subsample_freq=1)
    _fit("goss", regressor, _WIDE, _TARGET, data_sample_strategy="goss", learning_rate=0.5)
    _fit("linear", regressor, _WIDE, _TARGET, linear_tree=True, linear_lambda=0.1)
    _fit("monotone", regressor, X, YREG, monotone_constraints=[1, 0, -1, 0, 0])
    _fit("zero", regressor, XS, YREG, zero_as_missing=True)
    _fit("sparse", regressor, XS, YREG, feature_fraction=0.6, seed=3)
    _fit("constant", regressor, X, YREG, min_child_samples=1000)
    for objective in ("l1", "huber", "fair", "quantile", "mape"):
        _fit(objective, regressor, X, YREG, objective=objective)
    for objective in ("poisson", "gamma", "tweedie"):
        _fit(objective, regressor, X, YPOS, objective=objective)
    _fit("sqrt", regressor, X, YREG, reg_sqrt=True)
    _fit("binary", classifier, X, Y2, random_state=7)
    _fit("multi", classifier, XNAN, Y3, class_weight="balanced")
    _fit("strings", classifier, FRAME, YSTR, class_weight={"ham": 2.0, "egg": 1.0, "spam": 1.5})
    _fit("ova", classifier, X, Y3, objective="multiclassova")
    _fit("entropy", classifier, X, Y2, objective="cross_entropy")
    _fit("lambda", classifier, X, Y2, objective="cross_entropy_lambda")
    fitting = {"categorical_feature": [5]}
    sets = {"min_data_per_group": 3, "cat_smooth": 1.0}
    _fit("categories", classifier, _WIDE, _KINDS, fitting=fitting, **sets)
    _fit(
        "frame",
        classifier,
        CATFRAME.assign(m=CATFRAME["m"].astype("category")),
        Y3,
        min_data_per_group=3,
    )
    _fit("early", classifier, X, Y3, fitting=_early, n_estimators=30, learning_rate=0.5)
    _fit("history", regressor, X, YREG, fitting=lambda: {"eval_X": X, "eval_y": YREG}, metric="l1")
    _fit("plain", lgb.LGBMRanker, _WIDE, (_WIDE[:, 5] % 4).astype(int), fitting={"group": _GROUPS})
    _fit(
        "xendcg",
        lgb.LGBMRanker,
        _WIDE,
        (_WIDE[:, 5] % 4).astype(int),
        fitting={"group": _GROUPS},
        objective="rank_xendcg",
    )
    _fit("everything", regressor, _WIDE, _TARGET, **_everything())
    _fit("plain", lgb.LGBMModel, X, YREG, objective="regression")
    add("LGBMClassifier-unfitted", lambda: Fitted(classifier(max_bin=63, n_jobs=1), X))


def _everything() -> dict[str, Any]:
    """Each parameter that is a number, as LightGBM itself would set it."""
    text = lgb.train(
        {"verbose": -1, "num_threads": 1}, lgb.Dataset(X, YREG), num_boost_round=1
    ).model_to_string()
    found = lgb.Booster(model_str=text).params
    own = ("num_iterations", "num_leaves", "num_threads", "verbosity", "min_data_in_leaf")
    shadowed = (*own, "learning_rate", "max_depth", "seed", "num_class", "two_round")
    return {
        name: value
        for name, value in found.items()
        if name not in shadowed and isinstance(value, bool | int | float)
    }


def _early() -> dict[str, Any]:
    stop = lgb.early_stopping(2, verbose=False)
    return {"eval_X": X[::2], "eval_y": Y3[::2], "eval_metric": "multi_error", "callbacks": [stop]}


def _booster(name: str, params: dict[str, Any], data: Any, target: Any, **given: Any) -> None:
    def make() -> Fitted:
        chosen = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "num_leaves": 6, **params}
        training = functools.partial(_train, chosen, data, target)
        return Fitted(training(None, **given), data, _BoosterTraining(training))

    add(f"Booster-{name}", make)


class _BoosterTraining:
    """Train on from a booster, and put what comes out into it."""

    def __init__(self, training: Callable[..., Any]) -> None:
        self._training = training

    def __call__(self, model: Any) -> Any:
        model.__setstate__(self._training(model).__getstate__())


def _train(params: dict[str, Any], data: Any, target: Any, model: Any, **given: Any) -> Any:
    dataset = lgb.Dataset(data, target, free_raw_data=False)
    return lgb.train(params, dataset, num_boost_round=3, init_model=model, **given)


def _boosters() -> None:
    _booster("plain", {"objective": "regression"}, X, YREG)
    _booster("forced", {"objective": "binary", "metric": ["auc", "binary_error"]}, X, Y2)
    _booster("multi", {"objective": "multiclass", "num_class": 3, "max_bin": 15}, XNAN, Y3)
    _booster("custom", {"objective": _gradients}, X, YREG)
    _booster("frame", {"objective": "regression", "seed": 5}, CATFRAME[["n", "z", "k"]], YREG)
    _booster("kept", {"objective": "regression"}, X, YREG, keep_training_booster=True)
    add("Booster-continued", _continued)


def _gradients(scores: Any, dataset: Any) -> tuple[Any, Any]:
    return scores - dataset.get_label(), np.ones_like(scores)


def _continued() -> Fitted:
    params = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3}
    first = _train(params, X, YREG, None)
    training = functools.partial(_train, params, X, YREG)
    return Fitted(training(first), X, _BoosterTraining(training))


def _nested() -> None:
    def scaled() -> Fitted:
        steps = [
            ("scale", preprocessing.StandardScaler()),
            ("model", lgb.LGBMClassifier(n_estimators=3, **_QUIET)),
        ]
        return Fitted(pipeline.Pipeline(steps).fit(X, YSTR), X)

    def columns() -> Fitted:
        chosen = compose.ColumnTransformer(
            [("n", preprocessing.StandardScaler(), ["n", "z"])], remainder="drop"
        )
        steps = [("columns", chosen), ("model", lgb.LGBMRegressor(n_estimators=3, **_QUIET))]
        return Fitted(pipeline.Pipeline(steps).fit(CATFRAME, YREG), CATFRAME)

    def searched() -> Fitted:
        search = model_selection.GridSearchCV(
            lgb.LGBMClassifier(n_estimators=2, **{**_QUIET, "num_leaves": 3}),
            {"num_leaves": [3, 4], "reg_lambda": [0.0, 1.0]},
            cv=2,
        )
        return Fitted(search.fit(pd.DataFrame(X, columns=list("abcde")), Y2), FRAME)

    add("Pipeline-lightgbm", scaled)
    add("Pipeline-lightgbm-frame", columns)
    add("GridSearchCV-lightgbm", searched)


_wrappers()
_boosters()
_nested()
