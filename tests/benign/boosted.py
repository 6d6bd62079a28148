"""Boosted trees and statistics: XGBoost, LightGBM, CatBoost, statsmodels."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

from .corpus import Corpus, Group
from .estimators import census_libraries


def _data() -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.RandomState(0)
    x = rng.rand(80, 4)
    return x, (x[:, 0] > 0.5).astype(int)


def _pickles(corpus: Corpus, name: str, models: dict[str, Any]) -> None:
    import joblib
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = _data()
    for index, (key, model) in enumerate(models.items()):
        corpus.add(f"{name}-{key}.pkl", pickle.dumps(model, 2 + index % 4), "pickle")
        corpus.add(
            f"{name}-{key}.joblib", lambda p, m=model: joblib.dump(m, p, compress=3), "pickle"
        )
        if hasattr(model, "get_params"):
            pipeline = make_pipeline(StandardScaler(), model)
            pipeline.steps[0][1].fit(x, y)
            corpus.add(f"{name}-{key}-pipeline.pkl", pickle.dumps(pipeline), "pickle")


def xgboost(corpus: Corpus) -> None:
    import xgboost as xgb

    x, y = _data()
    options: dict[str, Any] = {"n_estimators": 5, "max_depth": 3, "n_jobs": 1}
    booster = xgb.train({"max_depth": 2, "nthread": 1}, xgb.DMatrix(x, y), 3)
    _pickles(
        corpus,
        "xgb",
        {
            "classifier": xgb.XGBClassifier(**options).fit(x, y),
            "regressor": xgb.XGBRegressor(booster="dart", **options).fit(x, y),
            "linear": xgb.XGBRegressor(booster="gblinear", n_estimators=3).fit(x, y),
            "ranker": xgb.XGBRanker(**options).fit(x, y, group=[40, 40]),
            "forest": xgb.XGBRFClassifier(**options).fit(x, y),
            "early": xgb.XGBClassifier(
                callbacks=[xgb.callback.EarlyStopping(3)], eval_metric="logloss", **options
            ).fit(x, y, eval_set=[(x, y)], verbose=False),
            "unfitted": xgb.XGBClassifier(),
            "booster": booster,
        },
    )
    for ending in ("json", "ubj"):
        corpus.add(f"native.{ending}", booster.save_model, "")


def lightgbm(corpus: Corpus) -> None:
    import lightgbm as lgb
    import numpy as np

    x, y = _data()
    options: dict[str, Any] = {
        "n_estimators": 5,
        "min_child_samples": 5,
        "n_jobs": 1,
        "verbose": -1,
    }
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lgb.train(parameters, lgb.Dataset(x, y), 3)
    words = np.array(["no", "yes"])[y]
    _pickles(
        corpus,
        "lgb",
        {
            "classifier": lgb.LGBMClassifier(**options).fit(x, y),
            "words": lgb.LGBMClassifier(**options).fit(x, words),
            "regressor": lgb.LGBMRegressor(boosting_type="dart", **options).fit(x, y),
            "ranker": lgb.LGBMRanker(**options).fit(x, y, group=[40, 40]),
            "evaluated": lgb.LGBMClassifier(**options).fit(x, y, eval_set=[(x, y)]),
            "unfitted": lgb.LGBMRegressor(),
            "booster": booster,
        },
    )
    corpus.add("native.txt", booster.save_model, "")


def catboost(corpus: Corpus) -> None:
    import catboost as cb

    x, y = _data()
    options: dict[str, Any] = {"iterations": 3, "depth": 2, "verbose": False, "thread_count": 1}
    options["allow_writing_files"] = False
    classifier = cb.CatBoostClassifier(**options).fit(x, y)
    _pickles(
        corpus,
        "cat",
        {
            "classifier": classifier,
            "regressor": cb.CatBoostRegressor(**options).fit(x, y),
            "model": cb.CatBoost(options).fit(x, y),
            "unfitted": cb.CatBoostRegressor(),
        },
    )
    for form in ("cbm", "json"):
        corpus.add(f"native.{form}", lambda p, f=form: classifier.save_model(p, f), "")


def statsmodels(corpus: Corpus) -> None:
    with census_libraries():
        from libraries import statistics
    for name, thunk in statistics.statsmodels():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = thunk()
            except Exception:  # noqa: S112  a case of the census that this version refuses
                continue
        corpus.add(f"{name}.pkl", pickle.dumps(model, 2 + len(corpus.items) % 4), "pickle")
    import statsmodels.api as sm

    x, y = _data()
    results = sm.OLS(y, sm.add_constant(x)).fit()
    corpus.add("saved.pickle", results.save, "pickle")


def polars(corpus: Corpus) -> None:
    import polars as pl

    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None], "c": [[1.5], [2.5]]})
    corpus.add("frame.pkl", pickle.dumps(frame), "pickle")
    corpus.add("series.pkl", pickle.dumps(frame["a"]), "pickle")


GROUPS = {
    "xgboost": Group(xgboost, ("xgboost", "sklearn"), 22),
    "lightgbm": Group(lightgbm, ("lightgbm", "sklearn"), 19),
    "catboost": Group(catboost, ("catboost", "sklearn"), 12),
    "statsmodels": Group(statsmodels, ("statsmodels",), 20),
    "polars": Group(polars, ("polars",), 2),
}
