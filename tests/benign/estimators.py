"""scikit-learn and what is built like it: pickle, joblib, skops."""

from __future__ import annotations

import contextlib
import pickle
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .corpus import Corpus, Group

CENSUS = Path(__file__).parent.parent / "census"
CODECS: tuple[Any, ...] = (0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3))


@contextlib.contextmanager
def census_libraries() -> Iterator[None]:
    """Let the models that the census is taken of be imported."""
    sys.path.insert(0, str(CENSUS))
    try:
        yield
    finally:
        sys.path.remove(str(CENSUS))


def every_estimator(corpus: Corpus) -> None:
    """Every estimator of scikit-learn, fitted, each in two of the ways in which they are saved."""
    import joblib

    with census_libraries():
        from libraries import learning
    for index, (name, cls) in enumerate(learning.estimators()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = learning.fit(cls)
        protocol = index % 6
        corpus.add(f"{name}-{protocol}.pkl", pickle.dumps(model, protocol), "pickle")
        codec = CODECS[index % len(CODECS)]
        label = codec[0] if isinstance(codec, tuple) else "raw" if codec == 0 else "zlib"
        corpus.add(
            f"{name}-{label}.joblib",
            lambda p, m=model, c=codec: joblib.dump(m, p, compress=c),
            "pickle",
        )


def imbalanced(corpus: Corpus) -> None:
    with census_libraries():
        from libraries import learning
    from imblearn.utils.testing import all_estimators

    for index, (name, cls) in enumerate(all_estimators()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = learning.resample(cls)
            except RuntimeError:
                continue  # some need more than the few rows of the census
        corpus.add(f"{name}.pkl", pickle.dumps(model, index % 6), "pickle")


def _data() -> tuple[Any, ...]:
    import numpy as np
    import pandas as pd

    rng = np.random.RandomState(0)
    x = rng.rand(60, 4)
    y = (x[:, 0] > 0.5).astype(int)
    frame = pd.DataFrame(x, columns=list("abcd"))
    frame["city"] = np.array(["rome", "oslo", "lima"], dtype=object)[np.arange(60) % 3]
    texts = [f"the {'quick' if i % 2 else 'lazy'} fox {i}" for i in range(60)]
    return x, y, frame, texts


def pipelines() -> Iterator[tuple[str, Any]]:
    """Compositions as in tutorials and in production."""
    import numpy as np
    import scipy.stats
    from sklearn import (
        compose,
        ensemble,
        feature_selection,
        impute,
        linear_model,
        model_selection,
        naive_bayes,
        pipeline,
        preprocessing,
        svm,
    )
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels
    from sklearn.metrics import f1_score, make_scorer

    x, y, frame, texts = _data()
    logistic = linear_model.LogisticRegression()
    scaler = preprocessing.StandardScaler()
    forest = ensemble.RandomForestClassifier(5, random_state=0)
    columns = compose.make_column_transformer(
        (pipeline.make_pipeline(impute.SimpleImputer(), scaler), list("abcd")),
        (preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city"]),
    )
    yield "scaled", pipeline.make_pipeline(scaler, logistic).fit(x, y)
    yield "columns", pipeline.make_pipeline(columns, forest).fit(frame, y)
    yield (
        "text",
        pipeline.make_pipeline(TfidfVectorizer(stop_words="english"), svm.LinearSVC()).fit(
            texts, y
        ),
    )
    yield "svd", pipeline.make_pipeline(TfidfVectorizer(), TruncatedSVD(2), logistic).fit(texts, y)
    yield "union", pipeline.make_pipeline(pipeline.make_union(scaler, PCA(2)), logistic).fit(x, y)
    selector = compose.make_column_selector(dtype_include=np.number)
    yield (
        "selector",
        compose.make_column_transformer((scaler, selector), remainder="drop").fit(frame),
    )
    yield "select", feature_selection.SelectKBest(feature_selection.f_classif, k=2).fit(x, y)
    grid = {"C": [0.1, 1.0], "class_weight": [None, "balanced"]}
    yield "grid", model_selection.GridSearchCV(logistic, grid, cv=3).fit(x, y)
    yield "random", model_selection.RandomizedSearchCV(
        logistic, {"C": scipy.stats.loguniform(0.01, 1)}, n_iter=3, cv=3, random_state=0,
        scoring=make_scorer(f1_score, average="macro"),
    ).fit(x, y)  # fmt: skip
    yield (
        "folds",
        model_selection.GridSearchCV(
            forest,
            {"max_depth": [2, 3]},
            cv=model_selection.StratifiedKFold(3, shuffle=True),
            scoring="roc_auc",
        ).fit(x, y),
    )
    yield (
        "stacked",
        ensemble.StackingClassifier(
            [("f", forest), ("b", naive_bayes.GaussianNB())], logistic, cv=3
        ).fit(x, y),
    )
    yield (
        "voting",
        ensemble.VotingClassifier([("f", forest), ("l", logistic)], voting="soft").fit(x, y),
    )
    yield "bagging", ensemble.BaggingClassifier(svm.SVC(), 3, random_state=0).fit(x, y)
    yield "calibrated", CalibratedClassifierCV(forest, cv=3).fit(x, y)
    yield (
        "target",
        compose.TransformedTargetRegressor(
            linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1
        ).fit(x, y),
    )
    yield (
        "function",
        pipeline.make_pipeline(preprocessing.FunctionTransformer(np.log1p), logistic).fit(x, y),
    )
    kernel = kernels.ConstantKernel() * kernels.RBF() + kernels.WhiteKernel()
    yield "gaussian", GaussianProcessRegressor(kernel).fit(x, y)
    yield "seeded", ensemble.ExtraTreesRegressor(3, random_state=np.random.RandomState(1)).fit(x, y)
    yield (
        "weights",
        ensemble.RandomForestClassifier(3, class_weight={0: 1, 1: 2.5}).fit(frame[["a"]], y),
    )
    yield "names", ensemble.HistGradientBoostingClassifier(max_iter=3).fit(frame[["a", "b"]], y)
    yield "output", scaler.set_output(transform="pandas").fit(frame[["a", "b"]])
    yield (
        "bundle",
        {
            "model": logistic.fit(x, y),
            "features": list("abcd"),
            "version": "1.0",
            "means": x.mean(0),
        },
    )
    yield "list", [logistic, scaler, (forest, None)]


def pipeline_files(corpus: Corpus) -> None:
    import joblib

    for index, (name, model) in enumerate(pipelines()):
        corpus.add(f"{name}.pkl", pickle.dumps(model, 2 + index % 4), "pickle")
        corpus.add(f"{name}.joblib", lambda p, m=model: joblib.dump(m, p), "pickle")


def joblib_files(corpus: Corpus) -> None:
    """Every codec and level, large arrays inside, and the values that joblib treats apart."""
    import joblib
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.RandomState(0)
    forest = RandomForestClassifier(20, random_state=0).fit(rng.rand(200, 4), np.arange(200) % 3)
    things = {
        "forest": forest,
        "arrays": {
            "a": rng.rand(500, 20),
            "b": np.asfortranarray(rng.rand(30, 5)),
            "c": np.arange(9),
        },
        "objects": np.array([1, "a", None, [1]], dtype=object),
        "mixed": [np.zeros(3, "f4"), {"x": np.array(["a", "b"])}, np.zeros(0), np.float64(3)],
        "large": rng.rand(20000, 20),
    }
    for name, thing in things.items():
        for codec in CODECS:
            label = "-".join(map(str, codec)) if isinstance(codec, tuple) else f"zlib-{codec}"
            corpus.add(
                f"{name}-{label}.joblib",
                lambda p, t=thing, c=codec: joblib.dump(t, p, compress=c),
                "pickle",
            )
    for level in (1, 6, 9):
        corpus.add(
            f"forest-level{level}.pkl.z",
            lambda p, v=level: joblib.dump(forest, p, compress=v),
            "pickle",
        )
    for protocol in (2, 3, 4, 5):
        corpus.add(
            f"forest-protocol{protocol}.joblib",
            lambda p, v=protocol: joblib.dump(forest, p, protocol=v),
            "pickle",
        )


def skops_files(corpus: Corpus) -> None:
    import skops.io

    for name, model in pipelines():
        if name in ("random", "gaussian", "output", "list", "names"):
            continue
        try:
            content = skops.io.dumps(model)
        except (TypeError, NotImplementedError):  # skops cannot save everything
            continue
        corpus.add(f"{name}.skops", content, "skops")


GROUPS = {
    "estimators": Group(every_estimator, ("sklearn", "joblib", "pandas", "lz4"), 380),
    "imbalanced": Group(imbalanced, ("imblearn",), 25),
    "pipelines": Group(pipeline_files, ("sklearn", "joblib", "pandas"), 46),
    "joblib": Group(joblib_files, ("sklearn", "joblib", "lz4"), 42),
    "skops": Group(skops_files, ("skops", "pandas"), 10),
}
