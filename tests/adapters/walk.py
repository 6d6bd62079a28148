"""Fitted models by the hundred, from scikit-learn's own list of estimators and from recipes.

`ESTIMATORS` has one recipe for each instance that scikit-learn's own tests make of each class of
`all_estimators()`; `COMPOSITIONS` nests estimators in one another. A recipe is a function without
arguments that gives a model that is not fitted yet, data and a target; `fitted` fits it.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_extraction,
    feature_selection,
    frozen,
    gaussian_process,
    impute,
    linear_model,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    semi_supervised,
    svm,
    tree,
)
from sklearn.base import BaseEstimator, clone
from sklearn.utils._test_common.instance_generator import _tested_estimators
from sklearn.utils._testing import set_random_state
from sklearn.utils.estimator_checks import _enforce_estimator_tags_X, _enforce_estimator_tags_y

from .sklearn_cases import CATFRAME, DICTS, DOCS, FRAME, XNAN, XS, Y2, Y3, YMULTI, YREG, YSTR, X


@dataclass(frozen=True, slots=True)
class Example:
    """A model, data for its outputs, and the target that goes with the data."""

    model: Any
    data: Any
    target: Any


Recipe = Callable[[], Example]
ESTIMATORS: dict[str, Recipe] = {}
COMPOSITIONS: dict[str, Recipe] = {}


def fitted(make: Recipe) -> Example:
    """Fit a recipe's model quietly, from the same global random state each time."""
    np.random.seed(11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = make()
        # Not on the very same array: X @ X.T is summed in another order than X @ Y.T
        _fit(example.model, copy.deepcopy(example.data), example.target)
    return example


def _fit(model: Any, data: Any, target: Any) -> None:
    model.fit(data) if target is None else model.fit(data, target)


def trained_on(found: Example) -> None:
    """Train on as far as the class knows a way: in parts, warm, or once more from the start."""
    model = found.model
    np.random.seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(model, "partial_fit"):
            model.partial_fit(found.data, found.target)
            return
        if "warm_start" in model.get_params(deep=False):
            model.set_params(warm_start=True)
            if "n_estimators" in model.get_params(deep=False):
                model.set_params(n_estimators=model.n_estimators + 2)
        _fit(model, found.data, found.target)


# One recipe for each instance of scikit-learn's own list


_OTHER_DATA: dict[str, Any] = {
    **dict.fromkeys(("CountVectorizer", "TfidfVectorizer"), DOCS),
    "DictVectorizer": DICTS,
    "LabelBinarizer": Y3,
    "LabelEncoder": Y3,
    "MultiLabelBinarizer": [["a", "b"], ["b"], []],
    "SparseCoder": np.random.RandomState(0).normal(size=(30, 3)),
}


def _own(estimator: Any) -> Recipe:
    def make() -> Example:
        model = clone(estimator)
        set_random_state(model)
        rng = np.random.RandomState(0)
        data: Any = _enforce_estimator_tags_X(model, rng.normal(loc=2, size=(30, 5)))
        target = _enforce_estimator_tags_y(model, rng.randint(0, 2, size=30))
        name = type(model).__name__
        if name in _OTHER_DATA:
            data, target = _OTHER_DATA[name], None if name != "SparseCoder" else target
        return Example(model, data, target)

    return make


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for _one in _tested_estimators():
        _names = (f"{type(_one).__name__}-{number}" for number in itertools.count())
        ESTIMATORS[next(name for name in _names if name not in ESTIMATORS)] = _own(_one)


# A tool around a fitted estimator, which scikit-learn's own list leaves out
ESTIMATORS["FrozenEstimator-0"] = lambda: Example(
    frozen.FrozenEstimator(linear_model.LogisticRegression().fit(X, Y3)), X, Y3
)


# Compositions


def _classifiers() -> dict[str, BaseEstimator]:
    return {
        "logistic": linear_model.LogisticRegression(),
        "sgd": linear_model.SGDClassifier(random_state=np.random.RandomState(1), average=True),
        "tree": tree.DecisionTreeClassifier(max_depth=4, random_state=0),
        "forest": ensemble.RandomForestClassifier(n_estimators=4, random_state=0),
        "svc": svm.SVC(kernel="rbf"),
        "neighbors": neighbors.KNeighborsClassifier(3),
        "boosting": ensemble.GradientBoostingClassifier(n_estimators=4, random_state=0),
        "histogram": ensemble.HistGradientBoostingClassifier(max_iter=4, random_state=0),
        "bayes": naive_bayes.GaussianNB(),
        "mlp": neural_network.MLPClassifier((5,), max_iter=8, random_state=0),
        "discriminant": discriminant_analysis.LinearDiscriminantAnalysis(),
    }


def _regressors() -> dict[str, BaseEstimator]:
    return {
        "ridge": linear_model.Ridge(),
        "elastic": linear_model.ElasticNet(alpha=0.1),
        "tree": tree.DecisionTreeRegressor(max_depth=4, random_state=0),
        "forest": ensemble.ExtraTreesRegressor(n_estimators=4, random_state=0),
        "svr": svm.SVR(),
        "neighbors": neighbors.KNeighborsRegressor(3, weights="distance"),
        "boosting": ensemble.GradientBoostingRegressor(n_estimators=4, random_state=0),
        "histogram": ensemble.HistGradientBoostingRegressor(max_iter=4, random_state=0),
        "process": gaussian_process.GaussianProcessRegressor(alpha=0.1),
        "mlp": neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=8, random_state=0),
    }


def _transformers() -> dict[str, BaseEstimator]:
    return {
        "scaler": preprocessing.StandardScaler(),
        "robust": preprocessing.RobustScaler(),
        "power": preprocessing.PowerTransformer(),
        "quantile": preprocessing.QuantileTransformer(n_quantiles=10, random_state=0),
        "splines": preprocessing.SplineTransformer(n_knots=4),
        "bins": preprocessing.KBinsDiscretizer(3, encode="onehot-dense"),
        "polynomial": preprocessing.PolynomialFeatures(2),
        "pca": decomposition.PCA(3),
        "svd": decomposition.TruncatedSVD(2, random_state=0),
        "best": feature_selection.SelectKBest(k=3),
        "variance": feature_selection.VarianceThreshold(),
        "projection": random_projection.GaussianRandomProjection(3, random_state=0),
        "log": preprocessing.FunctionTransformer(np.arctan),
        "kmeans": cluster.KMeans(3, n_init=2, random_state=0),
        "knn": impute.KNNImputer(),
        "simple": impute.SimpleImputer(add_indicator=True),
    }


def _add(name: str, make: Callable[[], tuple[Any, Any, Any]]) -> None:
    if name in COMPOSITIONS:
        raise ValueError(name)
    COMPOSITIONS[name] = lambda: Example(*make())


def _pipelines() -> None:
    classifiers, regressors = list(_classifiers()), list(_regressors())
    for number, first in enumerate(_transformers()):
        for offset in range(2):
            kind = classifiers[(number * 3 + offset) % len(classifiers)]
            _add(
                f"pipeline {first} {kind}",
                lambda first=first, kind=kind: (
                    pipeline.make_pipeline(_transformers()[first], _classifiers()[kind]),
                    XNAN if first in ("knn", "simple") else X,
                    Y3,
                ),
            )
        kind = regressors[number % len(regressors)]
        _add(
            f"pipeline {first} {kind} regression",
            lambda first=first, kind=kind: (
                pipeline.make_pipeline(_transformers()[first], _regressors()[kind]),
                XNAN if first in ("knn", "simple") else X,
                YREG,
            ),
        )


def _columns() -> compose.ColumnTransformer:
    return compose.ColumnTransformer(
        [
            ("numbers", preprocessing.StandardScaler(), ["n", "z"]),
            (
                "words",
                pipeline.make_pipeline(
                    impute.SimpleImputer(strategy="most_frequent"),
                    preprocessing.OneHotEncoder(handle_unknown="ignore"),
                ),
                ["m"],
            ),
        ],
        remainder="drop",
    )


def _frames() -> None:
    table = pl.DataFrame({name: CATFRAME[name].to_list() for name in ("n", "m", "z")})
    for name, kind in itertools.product(("pandas", "polars"), ("logistic", "forest", "histogram")):
        _add(
            f"columns of {name} {kind}",
            lambda name=name, kind=kind: (
                pipeline.make_pipeline(
                    _columns(),
                    preprocessing.FunctionTransformer(),
                    preprocessing.MaxAbsScaler(),
                    *([] if kind != "histogram" else [_dense()]),
                    _classifiers()[kind],
                ),
                CATFRAME[["n", "m", "z"]] if name == "pandas" else table,
                YSTR,
            ),
        )
        _add(
            f"output as {name} {kind}",
            lambda name=name, kind=kind: (
                pipeline.make_pipeline(
                    preprocessing.StandardScaler(), decomposition.PCA(2), _classifiers()[kind]
                ).set_output(transform=name),
                FRAME,
                Y2,
            ),
        )
    for name in ("pandas", "polars"):
        _add(
            f"union as {name}",
            lambda name=name: (
                pipeline.FeatureUnion(
                    [("a", preprocessing.StandardScaler()), ("b", preprocessing.MinMaxScaler())]
                ).set_output(transform=name),
                FRAME,
                None,
            ),
        )


def _dense() -> BaseEstimator:
    return decomposition.TruncatedSVD(2, random_state=0)


def _searches() -> None:
    grids: dict[str, dict[str, list[Any]]] = {
        "logistic": {"C": [0.1, 1.0]},
        "tree": {"max_depth": [2, 3]},
        "svc": {"kernel": ["linear", "rbf"], "C": [0.5]},
        "neighbors": {"n_neighbors": [2, 4]},
        "mlp": {"alpha": [1e-4, 1e-2]},
        "histogram": {"max_leaf_nodes": [4, 8]},
    }
    for kind, grid in grids.items():
        _add(
            f"grid search {kind}",
            lambda kind=kind, grid=grid: (
                model_selection.GridSearchCV(_classifiers()[kind], grid, cv=2),
                X,
                Y3,
            ),
        )
        _add(
            f"random search {kind}",
            lambda kind=kind, grid=grid: (
                model_selection.RandomizedSearchCV(
                    _classifiers()[kind],
                    grid,
                    n_iter=2,
                    cv=model_selection.StratifiedKFold(2, shuffle=True, random_state=0),
                    random_state=0,
                    scoring=["accuracy", "f1_macro"],
                    refit="accuracy",
                    return_train_score=True,
                ),
                X,
                Y3,
            ),
        )
        _add(
            f"search in a pipeline {kind}",
            lambda kind=kind, grid=grid: (
                pipeline.Pipeline(
                    [
                        ("scale", preprocessing.StandardScaler()),
                        (
                            "search",
                            model_selection.GridSearchCV(
                                _classifiers()[kind], grid, cv=2, scoring="balanced_accuracy"
                            ),
                        ),
                    ]
                ),
                X,
                Y2,
            ),
        )


def _metas() -> None:
    for kind in _classifiers():
        wrap: dict[str, Callable[[Any], Any]] = {
            "bagging": lambda one: ensemble.BaggingClassifier(
                one, n_estimators=3, max_features=0.8, random_state=0
            ),
            "calibrated": lambda one: calibration.CalibratedClassifierCV(one, cv=2),
            "isotonic": lambda one: calibration.CalibratedClassifierCV(
                one, method="isotonic", cv=2, ensemble=False
            ),
            "one-vs-rest": multiclass.OneVsRestClassifier,
            "one-vs-one": multiclass.OneVsOneClassifier,
        }
        for name, meta in wrap.items():
            _add(
                f"{name} {kind}",
                lambda meta=meta, kind=kind: (meta(_classifiers()[kind]), X, Y3),
            )
    for kind in _regressors():
        metas: dict[str, tuple[Callable[[Any], Any], Any]] = {
            "bagging": (
                lambda one: ensemble.BaggingRegressor(one, n_estimators=3, random_state=0),
                YREG,
            ),
            "outputs": (multioutput.MultiOutputRegressor, YMULTI),
            "chain": (
                lambda one: multioutput.RegressorChain(one, order="random", random_state=0),
                YMULTI,
            ),
            "target": (
                lambda one: compose.TransformedTargetRegressor(
                    one, transformer=preprocessing.QuantileTransformer(n_quantiles=9)
                ),
                YREG,
            ),
        }
        for name, (wrapped, target) in metas.items():
            _add(
                f"{name} {kind} regression",
                lambda wrapped=wrapped, kind=kind, target=target: (
                    wrapped(_regressors()[kind]),
                    X,
                    target,
                ),
            )


def _committees() -> None:
    for final, passthrough in itertools.product(("logistic", "tree", "mlp"), (False, True)):
        _add(
            f"stacking {final} {passthrough}",
            lambda final=final, passthrough=passthrough: (
                ensemble.StackingClassifier(
                    [(name, _classifiers()[name]) for name in ("tree", "svc", "neighbors")],
                    _classifiers()[final],
                    cv=2,
                    passthrough=passthrough,
                ),
                X,
                YSTR,
            ),
        )
    for voting in ("hard", "soft"):
        _add(
            f"voting {voting}",
            lambda voting=voting: (
                ensemble.VotingClassifier(
                    [(name, _classifiers()[name]) for name in ("logistic", "bayes", "forest")],
                    voting=voting,
                    weights=[1, 2, 1],
                ),
                X,
                YSTR,
            ),
        )
    _add(
        "voting regression",
        lambda: (
            ensemble.VotingRegressor([(name, _regressors()[name]) for name in ("ridge", "tree")]),
            X,
            YREG,
        ),
    )
    for kind in ("tree", "logistic"):
        _add(
            f"adaboost {kind}",
            lambda kind=kind: (
                ensemble.AdaBoostClassifier(_classifiers()[kind], n_estimators=3, random_state=0),
                X,
                Y3,
            ),
        )
        _add(
            f"codes {kind}",
            lambda kind=kind: (
                multiclass.OutputCodeClassifier(_classifiers()[kind], random_state=0),
                X,
                Y3,
            ),
        )
        _add(
            f"self-training {kind}",
            lambda kind=kind: (
                semi_supervised.SelfTrainingClassifier(_classifiers()[kind]),
                X,
                np.where(np.arange(len(Y2)) % 3 == 0, -1, Y2),
            ),
        )


def _texts() -> None:
    text = feature_extraction.text
    vectorizers: dict[str, Callable[[], Any]] = {
        "counts": text.CountVectorizer,
        "tfidf": lambda: text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        "hashing": lambda: text.HashingVectorizer(n_features=64),
        "characters": lambda: text.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)),
    }
    ends: dict[str, Callable[[], Any]] = {
        "logistic": linear_model.LogisticRegression,
        "bayes": naive_bayes.BernoulliNB,
        "linear svc": svm.LinearSVC,
        "topics": lambda: decomposition.LatentDirichletAllocation(2, max_iter=2, random_state=0),
    }
    for (first, vectorizer), (last, end) in itertools.product(vectorizers.items(), ends.items()):
        if first == "hashing" and last == "topics":
            continue
        _add(
            f"text {first} {last}",
            lambda vectorizer=vectorizer, end=end: (
                pipeline.make_pipeline(vectorizer(), end()),
                DOCS,
                Y3,
            ),
        )


def _sparse() -> None:
    for kind in ("logistic", "forest", "svc", "neighbors", "sgd", "boosting"):
        _add(
            f"sparse {kind}",
            lambda kind=kind: (
                pipeline.make_pipeline(
                    preprocessing.MaxAbsScaler(),
                    feature_selection.SelectKBest(feature_selection.chi2, k=4),
                    _classifiers()[kind],
                ),
                sp.csr_matrix(abs(XS)),
                Y3,
            ),
        )


def _deep() -> None:
    def nested(depth: int) -> Any:
        if depth == 0:
            return linear_model.LogisticRegression()
        inner = nested(depth - 1)
        wrappers: Iterator[Callable[[Any], Any]] = itertools.cycle(
            [
                lambda one: pipeline.make_pipeline(preprocessing.StandardScaler(), one),
                lambda one: ensemble.BaggingClassifier(one, n_estimators=2, random_state=0),
                lambda one: calibration.CalibratedClassifierCV(one, cv=2),
            ]
        )
        return next(itertools.islice(wrappers, depth, None))(inner)

    for depth in range(2, 6):
        _add(f"nested {depth} deep", lambda depth=depth: (nested(depth), X, Y2))


for _family in (*(_pipelines, _frames, _searches, _metas, _committees, _texts, _sparse, _deep),):
    _family()

FAMILIES = {"estimators": ESTIMATORS, "compositions": COMPOSITIONS}


def frame_of(data: Any) -> Any:
    """The first rows of data of any kind."""
    return data.iloc[:5] if isinstance(data, pd.DataFrame) else data[:5]
