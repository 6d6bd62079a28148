"""Fitted scikit-learn models for the tests: every class of the table in several variants.

A case is a name and a function without arguments that fits a model and says what may be done with
it: the calls whose outputs must not change, and how training goes on. Everything is seeded.
"""

from __future__ import annotations

import functools
import re
import unittest
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn
from sklearn import (
    compose,
    dummy,
    ensemble,
    feature_extraction,
    impute,
    linear_model,
    naive_bayes,
    pipeline,
    preprocessing,
    tree,
)
from sklearn.feature_extraction import text
from sklearn.utils._param_validation import InvalidParameterError

_RNG = np.random.RandomState(7)
N, F = 48, 5
X = np.round(_RNG.normal(size=(N, F)), 3)
X[:, 3] = np.abs(X[:, 3])
XPOS = np.abs(X) + 0.1
XS = sp.csr_matrix(np.where(np.abs(X) > 0.6, X, 0.0))
XSA = sp.csc_array(np.where(np.abs(X) > 0.6, X, 0.0))
XNAN = np.where(_RNG.uniform(size=X.shape) < 0.15, np.nan, X)
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d", "e"])
Y3 = (np.arange(N) + (X[:, 0] > 0)) % 3
Y2 = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
YSTR = np.array(["ham", "spam", "egg"])[Y3]
YOBJ = YSTR.astype(object)
YREG = X @ np.arange(1.0, F + 1) + 0.1 * _RNG.normal(size=N)
YPOS = np.exp(0.3 * YREG / F) + 0.01
YMULTI = np.column_stack([YREG, X[:, 0] - X[:, 2]])
YMULTICLASS = np.column_stack([Y3, Y2])
YLABELS = np.column_stack([Y2, 1 - Y2, X[:, 2] > 0]).astype(int)
XCAT = np.column_stack([Y3, Y2, np.arange(N) % 4]).astype(float)
XCATOBJ = np.array([["u", "v", "w"][i % 3] for i in range(N)] + ["p", "q"] * (N // 2), dtype=object)
XCATOBJ = XCATOBJ.reshape(2, N).T.copy()
CATFRAME = pd.DataFrame({"k": XCATOBJ[:, 0], "n": X[:, 0], "m": XCATOBJ[:, 1], "z": X[:, 1]})
CATFRAME["k"] = CATFRAME["k"].astype("category")
DOCS = [
    f"The {'quick' if i % 2 else 'lazy'} fox number{i % 5} jumps over {i % 3} dogs, über {i}"
    for i in range(N)
]
DICTS = [{"city": "abc"[i % 3], "t": float(i), "n": 1.0} for i in range(N)]

Train = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, the data for its outputs, and a function that trains it further."""

    model: Any
    data: Any
    train: Train | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A named recipe for a fitted model."""

    name: str
    make: Callable[[], Fitted] = field(compare=False)

    def __call__(self) -> Fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.make()
            except (AttributeError, InvalidParameterError, TypeError) as error:
                # So says an older release of a newer option, or of a newer pandas or polars
                if sklearn.__version__ >= "1.9":
                    raise
                raise unittest.SkipTest(f"{sklearn.__version__}: {error!s:.200}") from None


CASES: dict[str, Case] = {}
METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
    "apply",
    "decision_path",
    "inverse_transform",
    "get_feature_names_out",
    "inplace_predict",
    "get_dump",
    "save_raw",
    "save_config",
)
_ALONE = ("get_feature_names_out", "get_dump", "save_raw", "save_config")


def outputs(model: Any, data: Any) -> dict[str, Any]:
    """Call every method that `model` has and return what comes out, errors included."""
    found: dict[str, Any] = {}
    for name in METHODS:
        try:
            method = getattr(model, name)
        except AttributeError:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if name in _ALONE:
                    found[name] = method()
                elif name == "inverse_transform":
                    found[name] = method(model.transform(data))
                else:
                    found[name] = method(data)
        except Exception as error:
            # XGBoost tells the time
            said = re.sub(r"\[[\d:]+\]", "", str(error).partition("\n")[0])
            found[name] = f"{type(error).__name__}: {said}"
    return found


def add(name: str, make: Callable[[], Fitted]) -> None:
    if name in CASES:
        raise ValueError(name)
    CASES[name] = Case(name, make)


def fit(
    name: str,
    cls: type,
    data: Any,
    target: Any = None,
    *,
    again: str | None = None,
    unfitted: bool = False,
    setup: Callable[[Any], Any] | None = None,
    **params: Any,
) -> None:
    def make() -> Fitted:
        # RandomState arguments are made afresh for each fit: they are mutable
        real = {k: v() if k == "random_state" and callable(v) else v for k, v in params.items()}
        model = cls(**real)
        if setup is not None:
            setup(model)
        if not unfitted:
            model.fit(data) if target is None else model.fit(data, target)
        train = None if unfitted else functools.partial(_train, again, data, target)
        return Fitted(model, data, train)

    add(f"{cls.__name__}-{name}", make)


def _train(again: str | None, data: Any, target: Any, model: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if again == "partial":
            return model.partial_fit(data) if target is None else model.partial_fit(data, target)
        if again == "warm":
            model.set_params(warm_start=True)
            if "n_estimators" in model.get_params():
                model.set_params(n_estimators=model.n_estimators + 2)
        return model.fit(data) if target is None else model.fit(data, target)


def _seed() -> np.random.RandomState:
    return np.random.RandomState(3)


def _linear() -> None:
    lm = linear_model
    for cls in (lm.ARDRegression, lm.BayesianRidge):
        fit("plain", cls, X, YREG)
        fit("scores", cls, FRAME, YREG, compute_score=True, fit_intercept=False)
    for cls in (lm.LinearRegression, lm.Ridge, lm.ElasticNet, lm.Lasso):
        fit("plain", cls, X, YREG)
        fit("multi", cls, X, YMULTI)
        fit("sparse", cls, XS, YREG)
        fit("frame", cls, FRAME, YREG, fit_intercept=False)
        fit("unfitted", cls, X, unfitted=True)
    fit("float32", lm.LinearRegression, X.astype(np.float32), YREG.astype(np.float32))
    fit("positive", lm.LinearRegression, X, YREG, positive=True, n_jobs=2)
    fit("alphas", lm.Ridge, X, YMULTI, alpha=np.array([0.5, 1.5]))
    for solver in ("sag", "lsqr", "svd"):
        fit(solver, lm.Ridge, X, YREG, solver=solver, random_state=1)
    fit("warm", lm.ElasticNet, X, YREG, again="warm", warm_start=True, precompute=True)
    fit("random", lm.Lasso, X, YREG, selection="random", random_state=_seed, again="warm")
    for cls in (lm.ElasticNetCV, lm.LassoCV, lm.LarsCV, lm.LassoLarsCV):
        fit("plain", cls, X, YREG, cv=3)
    fit("grid", lm.ElasticNetCV, X, YREG, cv=3, l1_ratio=[0.1, 0.9], n_jobs=1)
    fit("sparse", lm.LassoCV, XS, YREG, cv=3, alphas=[0.1, 1.0])
    for cls in (lm.MultiTaskElasticNet, lm.MultiTaskLasso):
        fit("plain", cls, X, YMULTI)
    for cls in (lm.MultiTaskElasticNetCV, lm.MultiTaskLassoCV):
        fit("plain", cls, X, YMULTI, cv=3)
    for cls in (lm.Lars, lm.LassoLars, lm.OrthogonalMatchingPursuit):
        fit("plain", cls, X, YREG)
        fit("multi", cls, X, YMULTI)
    fit("nopath", lm.Lars, X, YREG, fit_path=False, jitter=1e-4, random_state=1)
    fit("plain", lm.LassoLarsIC, X, YREG)
    fit("bic", lm.LassoLarsIC, FRAME, YREG, criterion="bic")
    fit("tol", lm.OrthogonalMatchingPursuit, X, YREG, tol=0.5)
    fit("plain", lm.OrthogonalMatchingPursuitCV, X, YREG, cv=3)
    for cls in (lm.GammaRegressor, lm.PoissonRegressor, lm.TweedieRegressor):
        fit("plain", cls, X, YPOS)
        fit("cholesky", cls, FRAME, YPOS, solver="newton-cholesky", again="warm")
    for power in (0, 1.5, 3):
        fit(f"power{power}", lm.TweedieRegressor, X, YPOS, power=power)
    fit("plain", lm.HuberRegressor, X, YREG)
    fit("sparse", lm.HuberRegressor, XS, YREG, warm_start=True, again="warm")
    fit("plain", lm.QuantileRegressor, X, YREG)
    fit("plain", lm.RidgeCV, X, YREG)
    fit("store", lm.RidgeCV, X, YMULTI, store_cv_results=True, alpha_per_target=True)
    fit("cv", lm.RidgeCV, X, YREG, cv=3, scoring="r2", alphas=[0.1, 1.0])
    fit("plain", lm.RidgeClassifierCV, X, Y3)
    fit("store", lm.RidgeClassifierCV, X, YSTR, store_cv_results=True)
    fit("plain", lm.RidgeClassifier, X, Y3)
    fit("strings", lm.RidgeClassifier, XS, YSTR, class_weight="balanced")
    fit("labels", lm.RidgeClassifier, X, YLABELS)
    fit("binary", lm.RidgeClassifier, X, Y2)
    fit("plain", lm.LogisticRegression, X, Y3)
    fit("strings", lm.LogisticRegression, X, YSTR, class_weight={"ham": 2, "egg": 1.5, "spam": 1})
    fit("objects", lm.LogisticRegression, FRAME, YOBJ)
    fit("binary", lm.LogisticRegression, X, Y2 == 1, solver="liblinear")
    fit("sparse", lm.LogisticRegression, XS, Y2, again="warm", max_iter=5)
    fit("saga", lm.LogisticRegression, X, Y3, solver="saga", l1_ratio=0.5, random_state=_seed)
    fit("array", lm.LogisticRegression, XSA, Y3)
    add("LogisticRegression-sparsified", _sparsified)
    fit("unfitted", lm.LogisticRegression, X, unfitted=True, C=np.float64(2), max_iter=np.int64(7))
    fit("plain", lm.LogisticRegressionCV, X, Y3, cv=3, Cs=3)
    fit("binary", lm.LogisticRegressionCV, X, Y2, cv=3, Cs=[0.1, 1.0], scoring="roc_auc")
    fit(
        "elastic",
        lm.LogisticRegressionCV,
        X,
        YSTR,
        cv=3,
        Cs=2,
        l1_ratios=[0.0, 1.0],
        solver="saga",
        random_state=0,
        use_legacy_attributes=False,
    )
    fit("plain", lm.TheilSenRegressor, X, YREG, random_state=0, max_subpopulation=60)
    fit("plain", lm.RANSACRegressor, X, YREG, random_state=0)
    fit("ridge", lm.RANSACRegressor, X, YREG, estimator=lm.Ridge(), min_samples=0.5)
    _sgd()


def _sgd() -> None:
    lm = linear_model
    losses = ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "huber")
    for loss in (*losses, "squared_error", "epsilon_insensitive", "squared_epsilon_insensitive"):
        fit(loss, lm.SGDClassifier, X, Y3, loss=loss, random_state=_seed, again="partial")
    for loss in (losses[-1], "squared_error", "epsilon_insensitive", "squared_epsilon_insensitive"):
        fit(loss, lm.SGDRegressor, X, YREG, loss=loss, random_state=1, again="partial")
    fit("average", lm.SGDClassifier, X, Y3, average=True, random_state=2, again="partial")
    fit("binary", lm.SGDClassifier, XS, Y2, average=5, random_state=2, again="warm")
    fit("strings", lm.SGDClassifier, FRAME, YSTR, early_stopping=True, random_state=2)
    fit("weights", lm.SGDClassifier, X, Y2, class_weight={0: 1, 1: 2.5}, l1_ratio=None)
    fit("adaptive", lm.SGDClassifier, X, Y2, learning_rate="adaptive", eta0=0.1, tol=None)
    fit("average", lm.SGDRegressor, X, YREG, average=True, random_state=_seed, again="partial")
    fit("warm", lm.SGDRegressor, XS, YREG, early_stopping=True, random_state=4, again="warm")
    for cls in (lm.Perceptron, lm.PassiveAggressiveClassifier):
        fit("plain", cls, X, Y3, random_state=0, again="partial")
        fit("strings", cls, XS, YSTR, random_state=_seed, again="warm")
    fit("plain", lm.PassiveAggressiveRegressor, X, YREG, random_state=0, again="partial")
    fit("average", lm.PassiveAggressiveRegressor, X, YREG, average=True, random_state=0)
    fit("plain", lm.SGDOneClassSVM, X, random_state=0, again="partial")
    fit("average", lm.SGDOneClassSVM, XS, random_state=0, average=True, again="partial")


def _sparsified() -> Fitted:
    model = linear_model.LogisticRegression(l1_ratio=1, solver="liblinear", C=0.5)
    return Fitted(model.fit(X, Y2).sparsify(), X)


def _preprocessing() -> None:
    pp = preprocessing
    for cls in (pp.StandardScaler, pp.MinMaxScaler, pp.MaxAbsScaler):
        fit("plain", cls, X, again="partial")
        fit("nan", cls, XNAN, again="partial")
        fit("frame", cls, FRAME, setup=lambda m: m.set_output(transform="pandas"))
        fit("unfitted", cls, X, unfitted=True)
    fit("sparse", pp.StandardScaler, XS, with_mean=False, again="partial")
    fit("nothing", pp.StandardScaler, X, with_mean=False, with_std=False)
    fit("range", pp.MinMaxScaler, X.astype(np.float32), feature_range=(-1, 2.5), clip=True)
    fit("sparse", pp.MaxAbsScaler, XS)
    fit("plain", pp.RobustScaler, X)
    fit("unit", pp.RobustScaler, XNAN, unit_variance=True, quantile_range=(10.0, 90))
    fit("sparse", pp.RobustScaler, XS, with_centering=False)
    fit("plain", pp.Normalizer, X, norm="l1")
    fit("plain", pp.Binarizer, FRAME, threshold=0.5)
    fit("plain", pp.KernelCenterer, X @ X.T)
    fit("plain", pp.PolynomialFeatures, X)
    fit("range", pp.PolynomialFeatures, XS, degree=(2, 3), interaction_only=True, order="F")
    ohe = pp.OneHotEncoder
    fit("plain", ohe, XCAT)
    fit("objects", ohe, XCATOBJ, handle_unknown="ignore", dtype=np.float32)
    fit("drop", ohe, XCATOBJ, drop="first", sparse_output=False)
    fit("binary", ohe, XCAT, drop="if_binary")
    fit("droplist", ohe, XCATOBJ, drop=np.array(["u", "q"], dtype=object))
    fit("infrequent", ohe, XCATOBJ, min_frequency=20, handle_unknown="infrequent_if_exist")
    fit("max", ohe, XCAT, max_categories=2, drop="first")
    fit("given", ohe, XCATOBJ, categories=[["u", "v", "w", "x"], ["p", "q"]])
    fit("frame", ohe, CATFRAME[["k", "m"]])
    fit("integers", ohe, XCAT.astype(int))
    fit("missing", ohe, np.where(XCATOBJ == "w", None, XCATOBJ))
    fit("nan", ohe, np.where(XCAT == 2, np.nan, XCAT))
    fit("unicode", ohe, XCATOBJ.astype(str))
    enc = pp.OrdinalEncoder
    fit("plain", enc, XCAT)
    fit("objects", enc, XCATOBJ, handle_unknown="use_encoded_value", unknown_value=np.nan)
    fit("unknown", enc, XCATOBJ, handle_unknown="use_encoded_value", unknown_value=-1)
    fit("missing", enc, np.where(XCAT == 2, np.nan, XCAT), encoded_missing_value=-2)
    fit("infrequent", enc, CATFRAME[["k", "m"]], max_categories=2, dtype=np.float32)
    fit("int", enc, XCATOBJ, dtype=np.int32)
    fit("plain", pp.TargetEncoder, XCATOBJ, YREG)
    fit("classes", pp.TargetEncoder, XCATOBJ, YSTR, random_state=0, smooth=1.5)
    fit("binary", pp.TargetEncoder, CATFRAME[["k", "m"]], Y2, target_type="binary")
    for name, y in (("ints", Y3), ("strings", YSTR), ("objects", YOBJ), ("bools", Y2 > 0)):
        add(f"LabelEncoder-{name}", functools.partial(_labels, pp.LabelEncoder, y))
        add(f"LabelBinarizer-{name}", functools.partial(_labels, pp.LabelBinarizer, y))
    add(
        "LabelBinarizer-sparse",
        functools.partial(_labels, pp.LabelBinarizer, Y3, sparse_output=True),
    )
    sets = [(i % 3, 3 + i % 2) for i in range(N)]
    words = [("a", "bc")[: i % 3] for i in range(N)]
    add("MultiLabelBinarizer-ints", functools.partial(_labels, pp.MultiLabelBinarizer, sets))
    add("MultiLabelBinarizer-strings", functools.partial(_labels, pp.MultiLabelBinarizer, words))
    classes = ["bc", "a"]
    given = functools.partial(_labels, pp.MultiLabelBinarizer, words, classes=classes)
    add("MultiLabelBinarizer-given", given)
    bins = pp.KBinsDiscretizer
    quiet = {"quantile_method": "averaged_inverted_cdf"}
    fit("plain", bins, X, n_bins=3, **quiet)
    fit("ordinal", bins, X, n_bins=3, encode="ordinal", strategy="uniform")
    fit("array", bins, FRAME, n_bins=np.array([2, 3, 4, 2, 3]), encode="onehot-dense", **quiet)
    fit("kmeans", bins, X, n_bins=3, strategy="kmeans", random_state=0, dtype=np.float32)
    quantile = pp.QuantileTransformer
    fit("plain", quantile, X, n_quantiles=10)
    fit("normal", quantile, XNAN, n_quantiles=10, output_distribution="normal", random_state=_seed)
    fit("sparse", quantile, abs(XS), n_quantiles=10, ignore_implicit_zeros=True)
    fit("plain", pp.PowerTransformer, X)
    fit("boxcox", pp.PowerTransformer, XPOS, method="box-cox")
    fit("raw", pp.PowerTransformer, FRAME, standardize=False)
    spline = pp.SplineTransformer
    fit("plain", spline, X)
    for how in ("error", "linear", "continue", "periodic"):
        fit(how, spline, X, degree=2, n_knots=4, extrapolation=how)
    fit("sparse", spline, X, sparse_output=True, knots="quantile", include_bias=False)
    fit("knots", spline, X, knots=np.linspace(-3, 3, 4)[:, None] * np.ones(F))
    function = pp.FunctionTransformer
    fit("identity", function, X)
    fit("log1p", function, XPOS, func=np.log1p, inverse_func=np.expm1, validate=True)
    for ufunc in (np.log, np.exp, np.sqrt, np.square, np.abs):
        fit(f"ufunc-{ufunc.__name__}", function, XPOS, func=ufunc)
    fit("names", function, FRAME, func=np.log1p, feature_names_out="one-to-one")
    fit("keywords", function, X, func=np.clip, kw_args={"a_min": -1, "a_max": 0.5})


def _labels(cls: type, y: Any, **params: Any) -> Fitted:
    return Fitted(cls(**params).fit(y), y)


def _impute() -> None:
    simple = impute.SimpleImputer
    for strategy in ("mean", "median", "most_frequent", "constant"):
        fit(strategy, simple, XNAN, strategy=strategy)
    fit("indicator", simple, XNAN, add_indicator=True, keep_empty_features=True)
    fit("objects", simple, XCATOBJ, strategy="most_frequent", missing_values="u")
    fit(
        "none",
        simple,
        np.where(XCATOBJ == "u", None, XCATOBJ),
        missing_values=None,
        strategy="constant",
    )
    fit("fill", simple, XCATOBJ, strategy="constant", fill_value="x", missing_values="u")
    fit("sparse", simple, XS, strategy="mean", missing_values=-1)
    fit("frame", simple, FRAME.mask(FRAME > 1), strategy="median")
    fit("plain", impute.MissingIndicator, XNAN)
    fit("all", impute.MissingIndicator, XNAN, features="all", sparse=True)


def _trees() -> None:
    classifiers = (tree.DecisionTreeClassifier, tree.ExtraTreeClassifier)
    regressors = (tree.DecisionTreeRegressor, tree.ExtraTreeRegressor)
    for cls in classifiers:
        fit("plain", cls, X, Y3, random_state=0)
        fit("strings", cls, XNAN, YSTR, max_depth=3, criterion="entropy", random_state=_seed)
        fit("multi", cls, FRAME, YMULTICLASS, max_features="sqrt", random_state=0)
        fit("weights", cls, XS, Y2, class_weight="balanced", max_leaf_nodes=5, random_state=0)
        fit("pruned", cls, X, Y3, ccp_alpha=0.02, min_samples_leaf=0.05, random_state=0)
        fit("unfitted", cls, X, unfitted=True)
    multi = [np.array(["x", "y"])[Y2], np.array(["aa", "b", "c"])[Y3]]
    each = [{"x": 1, "y": 2}, {"aa": 1, "b": 2, "c": 0.5}]
    fit("mixed", classifiers[0], X, np.column_stack(multi), class_weight=each, random_state=0)
    fit("monotonic", classifiers[0], X, Y2, monotonic_cst=[1, 0, -1, 0, 0], random_state=0)
    for cls in regressors:
        fit("plain", cls, X, YREG, random_state=0)
        fit("multi", cls, X, YMULTI, random_state=0)
        fit("sparse", cls, XS, YREG, max_features=0.5, random_state=_seed)
        fit("stump", cls, X, np.zeros(N), random_state=0)
    fit("poisson", regressors[0], FRAME, YPOS, criterion="poisson", random_state=0)
    fit("absolute", regressors[0], X, YREG, criterion="absolute_error", random_state=0)
    _forests()


def _forests() -> None:
    few = {"n_estimators": 5, "random_state": 0}
    for cls in (ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier):
        fit("plain", cls, X, Y3, again="warm", **few)
        fit(
            "strings",
            cls,
            XNAN,
            YSTR,
            n_estimators=4,
            random_state=_seed,
            again="warm",
            max_depth=3,
        )
        fit("multi", cls, FRAME, YMULTICLASS, **few)
        fit("oob", cls, FRAME, Y3, bootstrap=True, oob_score=True, **few)
        fit("labels", cls, XS, YLABELS, max_samples=0.5, bootstrap=True, **few)
        fit("weights", cls, X, Y2, class_weight="balanced_subsample", n_jobs=2, **few)
        fit("unfitted", cls, X, unfitted=True)
    for cls in (ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor):
        fit("plain", cls, X, YREG, again="warm", **few)
        fit("multi", cls, XS, YMULTI, oob_score=True, bootstrap=True, **few)
        fit("poisson", cls, FRAME, YPOS, criterion="poisson", max_leaf_nodes=6, **few)
    fit("plain", ensemble.RandomTreesEmbedding, X, max_depth=3, **few)
    fit("dense", ensemble.RandomTreesEmbedding, X, sparse_output=False, **few)
    fit("plain", ensemble.IsolationForest, X, again="warm", **few)
    fit("features", ensemble.IsolationForest, FRAME, max_features=0.6, contamination=0.1, **few)


def _pipelines() -> None:
    add("Pipeline-logistic", _pipeline)
    add("Pipeline-text", _text_pipeline)
    add("Pipeline-nested", _nested)
    add("ColumnTransformer-frame", _columns)
    add("ColumnTransformer-arrays", _array_columns)
    add("ColumnTransformer-selector", _selected)
    add("FeatureUnion-plain", _union)
    add("Pipeline-shared", _shared)
    add("Pipeline-unfitted", _unfitted)


def _unfitted() -> Fitted:
    steps = [("s", preprocessing.StandardScaler()), ("m", linear_model.Ridge())]
    return Fitted(pipeline.Pipeline(steps, verbose=True), X)


def _pipeline() -> Fitted:
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression()
    )
    return Fitted(model.fit(X, YSTR), X, functools.partial(_train, None, X, YSTR))


def _text_pipeline() -> Fitted:
    sgd = linear_model.SGDClassifier(random_state=np.random.RandomState(0))
    model = pipeline.make_pipeline(text.TfidfVectorizer(ngram_range=(1, 2)), sgd)
    return Fitted(model.fit(DOCS, Y3), DOCS, functools.partial(_train, None, DOCS, Y3))


def _nested() -> Fitted:
    union = pipeline.FeatureUnion(
        [
            ("scale", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.RobustScaler())),
            ("drop", "drop"),
            ("keep", "passthrough"),
        ],
        transformer_weights={"scale": 2.0},
    )
    forest = ensemble.RandomForestClassifier(n_estimators=3, random_state=0)
    steps = [
        ("prepare", impute.SimpleImputer()),
        ("union", union),
        ("none", "passthrough"),
        ("f", forest),
    ]
    model = pipeline.Pipeline(steps)
    return Fitted(model.fit(XNAN, Y3), XNAN, functools.partial(_train, None, XNAN, Y3))


def _columns() -> Fitted:
    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    model = compose.ColumnTransformer(
        [
            ("numbers", numbers, ["n", "z"]),
            ("kinds", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["k"]),
            ("skip", "drop", ["m"]),
        ],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    steps = pipeline.make_pipeline(model, linear_model.LogisticRegression())
    return Fitted(steps.fit(CATFRAME, Y2), CATFRAME, functools.partial(_train, None, CATFRAME, Y2))


def _array_columns() -> Fitted:
    model = compose.ColumnTransformer(
        [
            ("slice", preprocessing.StandardScaler(), slice(0, 2)),
            ("mask", preprocessing.MinMaxScaler(), np.array([False, False, True, False, False])),
            ("list", "passthrough", [3]),
        ],
        remainder=preprocessing.MaxAbsScaler(),
        sparse_threshold=0.5,
        transformer_weights={"slice": 2},
        n_jobs=1,
    )
    return Fitted(model.fit(X), X, functools.partial(_train, None, X, None))


def _selected() -> Fitted:
    selector = compose.make_column_selector(dtype_include="number")
    model = compose.ColumnTransformer(
        [
            ("numbers", preprocessing.StandardScaler(), selector),
            ("text", text.CountVectorizer(analyzer="char"), "m"),
        ]
    )
    return Fitted(model.fit(CATFRAME), CATFRAME, functools.partial(_train, None, CATFRAME, None))


def _union() -> Fitted:
    shared = np.random.RandomState(5)
    union = pipeline.FeatureUnion(
        [
            (
                "a",
                preprocessing.QuantileTransformer(n_quantiles=9, subsample=20, random_state=shared),
            ),
            (
                "b",
                preprocessing.QuantileTransformer(n_quantiles=7, subsample=20, random_state=shared),
            ),
        ],
        verbose=True,
    )
    return Fitted(union.fit(X), X, functools.partial(_train, None, X, None))


def _shared() -> Fitted:
    state = np.random.RandomState(11)
    quantile = preprocessing.QuantileTransformer(n_quantiles=9, subsample=20, random_state=state)
    sgd = linear_model.SGDClassifier(random_state=state)
    model = pipeline.Pipeline([("q", quantile), ("m", sgd)])
    return Fitted(model.fit(X, Y3), X, functools.partial(_train, None, X, Y3))


def _text() -> None:
    for cls in (text.CountVectorizer, text.TfidfVectorizer):
        fit("plain", cls, DOCS)
        fit("ngrams", cls, DOCS, ngram_range=(1, 3), min_df=2, max_df=0.9, max_features=20)
        fit("chars", cls, DOCS, analyzer="char_wb", ngram_range=(2, 3), binary=True)
        fit("stop", cls, DOCS, stop_words="english", strip_accents="unicode", dtype=np.float32)
        fit("words", cls, DOCS, stop_words=["the", "over"], lowercase=False)
        fit("given", cls, DOCS, vocabulary={"fox": 0, "quick": 1, "lazy": 2})
        fit("list", cls, DOCS, vocabulary=["fox", "quick"])
        fit("unfitted", cls, DOCS, unfitted=True)
    many = [" ".join(f"word{i}" for i in range(k, k + 40)) for k in range(0, 1200, 25)]
    fit("large", text.TfidfVectorizer, many)
    fit("large", feature_extraction.DictVectorizer, [dict.fromkeys(d.split(), 1) for d in many])
    fit("pattern", text.CountVectorizer, DOCS, token_pattern=r"(?u)\b\w+\b")
    fit("sublinear", text.TfidfVectorizer, DOCS, sublinear_tf=True, norm="l1", smooth_idf=False)
    fit("noidf", text.TfidfVectorizer, DOCS, use_idf=False, norm=None)
    counts = sp.csr_matrix(np.arange(N * F).reshape(N, F) % 4)
    fit("plain", text.TfidfTransformer, counts)
    fit("noidf", text.TfidfTransformer, counts, use_idf=False)
    fit("plain", text.HashingVectorizer, DOCS, n_features=64)
    fit("signed", text.HashingVectorizer, DOCS, n_features=64, alternate_sign=False, norm="l1")
    fit("plain", feature_extraction.DictVectorizer, DICTS)
    fit(
        "dense",
        feature_extraction.DictVectorizer,
        DICTS,
        sparse=False,
        sort=False,
        dtype=np.float32,
    )
    fit("plain", feature_extraction.FeatureHasher, DICTS, n_features=16)


def _simple() -> None:
    for strategy in ("prior", "most_frequent", "stratified", "uniform"):
        fit(strategy, dummy.DummyClassifier, X, YSTR, strategy=strategy, random_state=0)
    fit("constant", dummy.DummyClassifier, X, Y3, strategy="constant", constant=1)
    fit("multi", dummy.DummyClassifier, X, YMULTICLASS, random_state=0)
    for strategy in ("mean", "median"):
        fit(strategy, dummy.DummyRegressor, X, YREG, strategy=strategy)
    fit("quantile", dummy.DummyRegressor, X, YMULTI, strategy="quantile", quantile=0.3)
    fit("constant", dummy.DummyRegressor, X, YREG, strategy="constant", constant=2.0)
    nb = naive_bayes
    fit("plain", nb.GaussianNB, X, Y3, again="partial")
    fit("priors", nb.GaussianNB, FRAME, YSTR, priors=[0.2, 0.3, 0.5])
    for cls in (nb.BernoulliNB, nb.ComplementNB, nb.MultinomialNB):
        fit("plain", cls, XPOS, Y3, again="partial")
        fit("strings", cls, abs(XS), YSTR, again="partial", fit_prior=False)
    fit("prior", nb.MultinomialNB, XPOS, Y2, class_prior=[0.4, 0.6], alpha=np.ones(F))
    fit("plain", nb.CategoricalNB, XCAT, Y3, again="partial")
    fit("min", nb.CategoricalNB, XCAT, YSTR, min_categories=[5, 5, 5])


def _all() -> Iterator[Callable[[], None]]:
    yield from (_linear, _preprocessing, _impute, _trees, _pipelines, _text, _simple)


for _register in _all():
    _register()
