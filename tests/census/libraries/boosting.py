"""XGBoost, LightGBM and CatBoost: estimators and boosters."""

from __future__ import absolute_import, print_function

import importlib

import numpy as np

RNG = np.random.RandomState(0)
X = RNG.rand(60, 4)
Y2 = (X[:, 0] > 0.5).astype(int)
Y3 = (3 * X[:, 0]).astype(int)
YREG = X.sum(axis=1)
SMALL = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}


def xgboost():
    xgb = importlib.import_module("xgboost")
    classifier, regressor = xgb.XGBClassifier, xgb.XGBRegressor
    yield "xgb classifier", lambda: classifier(**SMALL).fit(X, Y2)
    yield "xgb classes", lambda: classifier(**SMALL).fit(X, Y3)
    yield "xgb regressor", lambda: regressor(**SMALL).fit(X, YREG)
    yield "xgb unfitted", lambda: [classifier(**SMALL), regressor()]
    yield "xgb dart", lambda: regressor(booster="dart", **SMALL).fit(X, YREG)
    yield "xgb linear", lambda: regressor(booster="gblinear", n_estimators=3).fit(X, YREG)
    yield "xgb ranker", lambda: xgb.XGBRanker(**SMALL).fit(X, Y2, group=[30, 30])
    yield (
        "xgb forest",
        lambda: [xgb.XGBRFClassifier(**SMALL).fit(X, Y2), xgb.XGBRFRegressor(**SMALL).fit(X, YREG)],
    )
    yield "xgb eval", lambda: classifier(**SMALL).fit(X, Y2, eval_set=[(X, Y2)], verbose=False)
    yield "xgb hist", lambda: classifier(tree_method="hist", **SMALL).fit(X, Y2)
    parameters = {"max_depth": 2, "objective": "binary:logistic", "nthread": 1}
    yield "xgb booster", lambda: xgb.train(parameters, xgb.DMatrix(X, Y2), 3)
    yield "xgb callbacks", lambda: xgb.callback.EarlyStopping(3)
    yield (
        "xgb early",
        lambda: classifier(
            callbacks=[xgb.callback.EarlyStopping(3)], eval_metric="logloss", **SMALL
        ).fit(X, Y2, eval_set=[(X, Y2)], verbose=False),
    )
    yield "xgb frame", lambda: classifier(**SMALL).fit(_frame(), Y2)
    yield "xgb pipeline", lambda: _pipeline(classifier(**SMALL))


def lightgbm():
    lgb = importlib.import_module("lightgbm")
    small = dict(SMALL, min_child_samples=5, verbose=-1)
    classifier, regressor = lgb.LGBMClassifier, lgb.LGBMRegressor
    yield "lgb classifier", lambda: classifier(**small).fit(X, Y2)
    yield "lgb classes", lambda: classifier(**small).fit(X, Y3)
    yield "lgb text classes", lambda: classifier(**small).fit(X, np.array(["a", "b"])[Y2])
    yield "lgb regressor", lambda: regressor(**small).fit(X, YREG)
    yield "lgb unfitted", lambda: [classifier(**small), regressor()]
    yield "lgb dart", lambda: classifier(boosting_type="dart", **small).fit(X, Y2)
    yield (
        "lgb forest",
        lambda: regressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **small).fit(
            X, YREG
        ),
    )
    yield "lgb ranker", lambda: lgb.LGBMRanker(**small).fit(X, Y2, group=[30, 30])
    yield "lgb model", lambda: lgb.LGBMModel(objective="regression", **small).fit(X, YREG)
    yield "lgb eval", lambda: classifier(**small).fit(X, Y2, eval_set=[(X, Y2)])
    yield "lgb frame", lambda: classifier(**small).fit(_frame(), Y2)
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    yield "lgb booster", lambda: lgb.train(parameters, lgb.Dataset(X, Y2), 3)
    yield (
        "lgb categorical",
        lambda: classifier(**small).fit(np.c_[X, Y3], Y2, categorical_feature=[4]),
    )
    yield "lgb pipeline", lambda: _pipeline(classifier(**small))


def catboost():
    cb = importlib.import_module("catboost")
    small = {
        "iterations": 3,
        "depth": 2,
        "verbose": False,
        "allow_writing_files": False,
        "thread_count": 1,
    }
    yield "cat classifier", lambda: cb.CatBoostClassifier(**small).fit(X, Y2)
    yield "cat classes", lambda: cb.CatBoostClassifier(**small).fit(X, Y3)
    yield "cat regressor", lambda: cb.CatBoostRegressor(**small).fit(X, YREG)
    yield "cat ranker", lambda: cb.CatBoostRanker(**small).fit(X, Y2, group_id=np.arange(60) // 30)
    yield "cat model", lambda: cb.CatBoost(small).fit(X, YREG)
    yield "cat unfitted", lambda: [cb.CatBoostClassifier(**small), cb.CatBoostRegressor()]
    text = np.array(["a", "b", "c"], dtype=object)[Y3]
    yield (
        "cat features",
        lambda: cb.CatBoostClassifier(cat_features=[1], **small).fit(
            np.c_[X[:, :1].astype(object), text], Y2
        ),
    )
    yield "cat pipeline", lambda: _pipeline(cb.CatBoostClassifier(**small))
    yield "cat to regressor", lambda: cb.to_regressor(cb.CatBoost(small).fit(X, YREG))


def _frame():
    return importlib.import_module("pandas").DataFrame(X, columns=list("abcd"))


def _pipeline(model):
    pipeline = importlib.import_module("sklearn.pipeline")
    preprocessing = importlib.import_module("sklearn.preprocessing")
    return pipeline.make_pipeline(preprocessing.StandardScaler(), model).fit(X, Y2)


def cases():
    for group in (xgboost, lightgbm, catboost):
        try:
            for name, thunk in group():
                yield name, thunk
        except Exception as error:  # an import can fail in many ways
            yield group.__name__, lambda error=error: _again(error)


def _again(error):
    raise error
