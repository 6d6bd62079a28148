"""Fitted XGBoost models for the tests: boosters, wrappers, in Pipelines and searches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn import (
    calibration,
    compose,
    ensemble,
    linear_model,
    model_selection,
    multioutput,
    pipeline,
    preprocessing,
)

from .sklearn_cases import FRAME, XNAN, XS, Y2, Y3, YLABELS, YMULTI, YPOS, YREG, Fitted, X, add

_RNG = np.random.RandomState(13)
_SIZE = 240
_WIDE = np.round(_RNG.normal(size=(_SIZE, 6)), 3).astype(np.float32)
_WIDE[_RNG.uniform(size=_WIDE.shape) < 0.1] = np.nan
_WIDE[:, 5] = _RNG.randint(0, 40, size=_SIZE)
_TARGET = (
    np.nan_to_num(_WIDE[:, 0]) * 3 + _WIDE[:, 5] % 7 + np.nan_to_num(_WIDE[:, 1] * _WIDE[:, 2])
)
_TYPES = ["q", "float", "q", "q", "q", "c"]
_NAMES = ["a", "b", "ü", "d", "e", "k"]
_QUERIES = np.repeat(np.arange(20), 12)
_RANKS = (_WIDE[:, 5] % 4).astype(int)
_CATEGORIES = pd.DataFrame(_WIDE[:, :3], columns=["a", "b", "c"])
_CATEGORIES["k"] = pd.Categorical([("x", "yy", "zü", "")[i % 4] for i in range(_SIZE)])
_CATEGORIES["n"] = pd.Categorical(_RNG.randint(0, 7, _SIZE) * 3)
_QUIET = {"n_jobs": 1, "max_depth": 3}


def _seed() -> np.random.RandomState:
    return np.random.RandomState(3)


def _fit(
    name: str,
    cls: type,
    data: Any,
    target: Any,
    *,
    fitting: dict[str, Any] | None = None,
    **params: Any,
) -> None:
    """Add a wrapper, whose training goes on from its own booster."""

    def make() -> Fitted:
        chosen = {"n_estimators": 4, **_QUIET, **params}
        if callable(chosen.get("random_state")):
            chosen["random_state"] = chosen["random_state"]()
        given = dict(fitting or {})
        model = cls(**chosen).fit(data, target, verbose=False, **given)
        return Fitted(model, data, functools.partial(_continue, data, target, given))

    add(f"{cls.__name__}-{name}", make)


def _reset() -> None:
    """Begin XGBoost's random numbers anew: a thread has one generator, which no model contains."""
    xgb.train({"seed": 5, "nthread": 1}, xgb.DMatrix(X[:4], YREG[:4]), 1)


def _continue(data: Any, target: Any, fitting: dict[str, Any], model: Any) -> Any:
    _reset()
    return model.fit(data, target, xgb_model=model.get_booster(), verbose=False, **fitting)


def _wrappers() -> None:
    regressor, classifier, ranker = xgb.XGBRegressor, xgb.XGBClassifier, xgb.XGBRanker
    _fit("plain", regressor, _WIDE, _TARGET, subsample=0.5, random_state=7)
    _fit("state", regressor, X, YREG, subsample=0.5, colsample_bytree=0.5, random_state=_seed)
    _fit("sparse", regressor, XS, YREG, tree_method="approx")
    _fit("exact", regressor, XNAN, YREG, tree_method="exact", gamma=3.0, max_depth=6)
    _fit("quantiles", regressor, X, YREG, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9])
    _fit("linear", regressor, X, YREG, booster="gblinear", feature_selector="cyclic")
    _fit("dart", regressor, X, YREG, booster="dart", rate_drop=0.5, n_estimators=6)
    _fit("targets", regressor, X, YMULTI, multi_strategy="one_output_per_tree")
    _fit("vectors", regressor, X, YMULTI, multi_strategy="multi_output_tree", tree_method="hist")
    _fit("poisson", regressor, X, YPOS, objective="count:poisson", base_score=0.4)
    _fit("tweedie", regressor, X, YPOS, objective="reg:tweedie", tweedie_variance_power=1.3)
    _fit("huber", regressor, X, YREG, objective="reg:pseudohubererror", huber_slope=2.0)
    _fit("absolute", regressor, X, YREG, objective="reg:absoluteerror")
    _fit("monotone", regressor, FRAME, YREG, monotone_constraints={"a": 1, "c": -1})
    _fit("interactions", regressor, X, YREG, interaction_constraints="[[0,1],[2,3,4]]")
    _fit("frame", regressor, _CATEGORIES, _TARGET, enable_categorical=True, max_cat_to_onehot=1)
    _fit("weighted", regressor, X, YREG, feature_weights=np.arange(5.0), colsample_bynode=0.4)
    _fit("binary", classifier, X, Y2, scale_pos_weight=2.0, eval_metric=["auc", "error@0.7"])
    _fit("multi", classifier, XNAN, Y3, grow_policy="lossguide", max_leaves=4, max_depth=0)
    _fit("labels", classifier, X, YLABELS)
    _fit("hinge", classifier, X, Y2, objective="binary:hinge")
    evals = {"eval_set": [(X[::2], Y3[::2]), (X[1::2], Y3[1::2])]}
    _fit("early", classifier, X, Y3, fitting=evals, n_estimators=30, early_stopping_rounds=2)
    for objective in ("rank:ndcg", "rank:pairwise"):
        fitting = {"qid": _QUERIES}
        _fit(objective[5:], ranker, _WIDE, _RANKS, fitting=fitting, objective=objective)
    _fit("map", ranker, _WIDE, _RANKS > 2, fitting={"qid": _QUERIES}, objective="rank:map")
    add("XGBRFClassifier-plain", lambda: _forest(xgb.XGBRFClassifier, Y3))
    add("XGBRFRegressor-plain", lambda: _forest(xgb.XGBRFRegressor, YREG))
    add("XGBModel-plain", lambda: _forest(xgb.XGBModel, YREG, objective="reg:squarederror"))
    add("XGBClassifier-unfitted", lambda: Fitted(classifier(max_bin=63, n_jobs=1), X))


def _forest(cls: Any, target: Any, **params: Any) -> Fitted:
    model = cls(n_estimators=4, random_state=3, **_QUIET, **params).fit(X, target, verbose=False)
    return Fitted(model, X, functools.partial(_again, target))


def _again(target: Any, model: Any) -> Any:
    _reset()
    return model.fit(X, target, verbose=False)


def _booster(name: str, params: dict[str, Any], data: Any, target: Any, **matrix: Any) -> None:
    """Add a booster, which is trained on in place."""

    def make() -> Fitted:
        chosen = {"nthread": 1, "max_depth": 4, **params}
        trained = xgb.train(chosen, xgb.DMatrix(data, target, **matrix), num_boost_round=3)
        return Fitted(trained, data, functools.partial(_update, data, target, matrix))

    add(f"XGBoost-{name}", make)


def _update(data: Any, target: Any, matrix: dict[str, Any], model: Any) -> None:
    _reset()
    training = xgb.DMatrix(data, target, **matrix)
    for _ in range(2):
        model.update(training, model.num_boosted_rounds())


def _boosters() -> None:
    categories = {"feature_types": _TYPES, "enable_categorical": True}
    _booster("plain", {}, _WIDE, _TARGET)
    _booster("names", {}, _WIDE, _TARGET, feature_names=_NAMES, feature_types=["q"] * 6)
    for method in ("hist", "approx"):
        params = {"tree_method": method, "max_cat_to_onehot": 1, "max_depth": 6}
        _booster(f"partition-{method}", params, _WIDE, _TARGET, **categories)
    _booster("onehot", {"max_cat_to_onehot": 100}, _WIDE, _TARGET, **categories)
    _booster("frame", {}, _CATEGORIES, _TARGET, enable_categorical=True)
    _booster("pruned", {"tree_method": "exact", "gamma": 40.0}, _WIDE, _TARGET)
    _booster("vectors", {"multi_strategy": "multi_output_tree"}, X, YMULTI)
    _booster("softmax", {"objective": "multi:softmax", "num_class": 3}, X, Y3)
    _booster("parallel", {"num_parallel_tree": 3, "objective": "binary:logistic"}, X, Y2)
    _booster("dart", {"booster": "dart", "objective": "multi:softprob", "num_class": 3}, X, Y3)
    _booster(
        "linear", {"booster": "gblinear", "objective": "multi:softprob", "num_class": 3}, X, Y3
    )
    _booster("cox", {"objective": "survival:cox"}, X, YPOS)
    add("XGBoost-unbiased", _unbiased)
    add("XGBoost-aft", _aft)
    add("XGBoost-early", _early)
    add("XGBoost-refreshed", _refreshed)
    add("XGBoost-slice", _sliced)
    add("XGBoost-none", lambda: Fitted(xgb.train({"nthread": 1}, xgb.DMatrix(X, YREG), 0), X))
    add("XGBoost-custom", _custom)
    add("XGBoost-file", _from_file)


def _aft() -> Fitted:
    training = xgb.DMatrix(X, label_lower_bound=YPOS, label_upper_bound=YPOS + 1)
    params = {"objective": "survival:aft", "aft_loss_distribution": "extreme", "nthread": 1}
    metrics = {"eval_metric": ["aft-nloglik", "interval-regression-accuracy"]}
    return Fitted(xgb.train({**params, **metrics}, training, 3), X)


def _unbiased() -> Fitted:
    """A ranking that learns the bias of positions: XGBoost can't go on with one that it loaded."""
    params = {"objective": "rank:ndcg", "lambdarank_unbiased": True, "nthread": 1}
    metrics = {"eval_metric": ["ndcg@5", "pre@2", "map@3-"]}
    training = xgb.DMatrix(_WIDE, _RANKS, qid=_QUERIES)
    return Fitted(xgb.train({**params, **metrics}, training, 3), _WIDE)


def _early() -> Fitted:
    training, other = xgb.DMatrix(X, YREG), xgb.DMatrix(X[::-1], YREG)
    evals = [(training, "training"), (other, "other")]
    model = xgb.train(
        {"nthread": 1}, training, 20, evals=evals, early_stopping_rounds=2, verbose_eval=False
    )
    model.set_attr(author="someone", note="ü")
    return Fitted(model, X, functools.partial(_update, X, YREG, {}))


def _refreshed() -> Fitted:
    """Trees with deleted nodes: pruned after they were grown."""
    training = xgb.DMatrix(_WIDE, _TARGET)
    first = xgb.train({"nthread": 1}, training, 3)
    params = {"process_type": "update", "updater": "refresh,prune", "gamma": 30, "nthread": 1}
    return Fitted(xgb.train(params, training, 3, xgb_model=first), _WIDE)


def _sliced() -> Fitted:
    params = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    return Fitted(xgb.train(params, xgb.DMatrix(X, Y3), 6)[1:5:2], X)


def _custom() -> Fitted:
    """An objective of the user's own, of which nothing is in the booster."""
    params = {"nthread": 1, "disable_default_eval_metric": True}
    return Fitted(xgb.train(params, xgb.DMatrix(X, YREG), 3, obj=_gradients), X)


def _gradients(scores: Any, training: Any) -> tuple[Any, Any]:
    return scores - training.get_label(), np.ones_like(scores)


def _from_file() -> Fitted:
    """A model without the configuration of its training."""
    trained = xgb.train({"nthread": 1, "eta": 0.1}, xgb.DMatrix(X, YREG), 3)
    model = xgb.Booster()
    model.load_model(bytearray(trained.save_raw("ubj")))
    return Fitted(model, X, functools.partial(_update, X, YREG, {}))


def _nested() -> None:
    def case(name: str, make: Callable[[], Any], data: Any, target: Any) -> None:
        add(f"{name}-xgboost", lambda: Fitted(make().fit(data, target), data))

    def classifier() -> Any:
        return xgb.XGBClassifier(n_estimators=3, **_QUIET)

    def regressor() -> Any:
        return xgb.XGBRegressor(n_estimators=3, **_QUIET)

    def columns() -> Any:
        return compose.ColumnTransformer([("n", preprocessing.StandardScaler(), ["a", "c"])])

    case(
        "Pipeline",
        lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), classifier()),
        X,
        Y3,
    )
    case("Pipeline-frame", lambda: pipeline.make_pipeline(columns(), regressor()), FRAME, YREG)
    grid = {"max_depth": [2, 3], "reg_lambda": [0.0, 1.0]}
    case("GridSearchCV", lambda: model_selection.GridSearchCV(classifier(), grid, cv=2), X, Y2)
    models = [("xgb", classifier()), ("log", linear_model.LogisticRegression())]
    case("VotingClassifier", lambda: ensemble.VotingClassifier(models, voting="soft"), X, Y3)
    case("StackingClassifier", lambda: ensemble.StackingClassifier(models, cv=2), X, Y3)
    case("BaggingRegressor", lambda: ensemble.BaggingRegressor(regressor(), 2), X, YREG)
    case("MultiOutputRegressor", lambda: multioutput.MultiOutputRegressor(regressor()), X, YMULTI)
    case(
        "CalibratedClassifierCV",
        lambda: calibration.CalibratedClassifierCV(classifier(), cv=2),
        X,
        Y2,
    )


_wrappers()
_boosters()
_nested()
