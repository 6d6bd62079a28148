"""Cases of `sklearn.neighbors` and `KNNImputer`: every class, tree, metric and form of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import impute, neighbors
from sklearn.metrics import DistanceMetric

from .sklearn_cases import (
    FRAME,
    XNAN,
    XPOS,
    XS,
    Y2,
    Y3,
    YMULTI,
    YMULTICLASS,
    YOBJ,
    YREG,
    YSTR,
    Fitted,
    X,
    _seed,
    add,
    fit,
)

nb = neighbors
SQUARE = np.abs(np.round(X @ X.T, 3))
BITS = X > 0
ANGLES = np.clip(X[:, :2] / 3, -1.5, 1.5)
KEYWORDS = {
    "seuclidean": {"V": np.arange(1.0, 6)},
    "mahalanobis": {"VI": np.diag(np.arange(1.0, 6))},
}
REAL = ("braycurtis", "canberra", "chebyshev", "euclidean", "hamming", "manhattan", "minkowski")
BOOLEAN = ("dice", "jaccard", "rogerstanimoto", "russellrao", "sokalsneath", "yule")
OTHER = ("correlation", "cosine", "sqeuclidean", "cityblock", "l1", "l2", "nan_euclidean")
PAIRS = (nb.KNeighborsClassifier, nb.RadiusNeighborsClassifier)

for cls in (*PAIRS, nb.KNeighborsRegressor, nb.RadiusNeighborsRegressor):
    target = Y3 if cls in PAIRS else YREG
    more = {"outlier_label": 1} if cls is nb.RadiusNeighborsClassifier else {}
    wide = {"radius": 3.0} if "Radius" in cls.__name__ else {"n_neighbors": 4}
    for algorithm in ("auto", "ball_tree", "kd_tree", "brute"):
        fit(algorithm, cls, X, target, algorithm=algorithm, leaf_size=4, **wide, **more)
    fit("sparse", cls, XS, target, weights="distance", **wide, **more)
    fit("frame", cls, FRAME, target, p=1, n_jobs=2, **wide, **more)
    fit("float32", cls, X.astype(np.float32), target, **wide, **more)
    fit("precomputed", cls, SQUARE, target, metric="precomputed", **wide, **more)
    fit("unfitted", cls, X, unfitted=True)
for cls in PAIRS:
    fit("strings", cls, X, YSTR, algorithm="brute")
    fit("objects", cls, XS, YOBJ)
    fit("multi", cls, X, YMULTICLASS, weights="distance")
    fit("multi-brute", cls, X, YMULTICLASS, algorithm="brute")
fit("frequent", nb.RadiusNeighborsClassifier, X, YSTR, radius=0.5, outlier_label="most_frequent")
fit("labels", nb.RadiusNeighborsClassifier, X, YMULTICLASS, radius=0.5, outlier_label=[1, 0])
for cls in (nb.KNeighborsRegressor, nb.RadiusNeighborsRegressor):
    fit("multi", cls, X, YMULTI)

tree = nb.KNeighborsClassifier
for metric in (*REAL, *KEYWORDS):
    given = {"metric": metric, "metric_params": KEYWORDS.get(metric), "leaf_size": 3}
    fit(f"ball-{metric}", tree, XPOS, Y3, algorithm="ball_tree", p=3, **given)
    if metric != "mahalanobis":  # refused: without a tree nothing compares VI with the data
        fit(f"brute-{metric}", tree, XPOS, Y3, algorithm="brute", p=3, **given)
for metric in ("chebyshev", "l1", "l2", "infinity", "p"):
    fit(f"kd-{metric}", tree, X, Y3, algorithm="kd_tree", metric=metric)
fit("kd-minkowski", tree, X, Y3, algorithm="kd_tree", p=1.5, leaf_size=2)
fit("ball-haversine", tree, ANGLES, Y3, algorithm="ball_tree", metric="haversine", leaf_size=5)
fit("brute-haversine", tree, ANGLES, Y3, algorithm="brute", metric="haversine")
fit("weights", tree, X, Y3, algorithm="ball_tree", p=3, metric_params={"w": np.arange(1.0, 6)})
fit("weights-brute", tree, X, Y3, algorithm="brute", p=0.5, metric_params={"w": [1, 2, 3, 4, 5]})
fit("covariance", tree, X, Y3, metric="mahalanobis", metric_params={"V": np.diag([1.0] * 5)})
for metric in BOOLEAN:
    if metric != "russellrao":  # its distances to the very array that it was fitted on are others
        fit(f"brute-{metric}", tree, BITS, Y3, algorithm="brute", metric=metric)
    if metric != "yule":
        fit(f"ball-{metric}", tree, BITS, Y3, algorithm="ball_tree", metric=metric)
for metric in OTHER:
    fit(f"brute-{metric}", tree, X, Y3, algorithm="brute", metric=metric)
fit("nan", tree, XNAN, Y3, algorithm="brute", metric="nan_euclidean")

for algorithm in ("kd_tree", "ball_tree", "brute"):
    fit(algorithm, nb.NearestNeighbors, X, algorithm=algorithm, leaf_size=2)
fit("sparse", nb.NearestNeighbors, XS, metric="cosine")
fit("graph", nb.NearestNeighbors, sp.csr_matrix(SQUARE), metric="precomputed")
fit("integers", nb.NearestNeighbors, np.arange(60).reshape(20, 3), p=np.inf)
fit("object", nb.NearestNeighbors, X, metric=DistanceMetric.get_metric("minkowski", p=3))
_SINGLES: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("braycurtis", "canberra", "chebyshev", "dice", "euclidean")},
    **{name: {} for name in ("hamming", "haversine", "jaccard", "manhattan", "rogerstanimoto")},
    **{name: {} for name in ("russellrao", "sokalsneath")},
    "mahalanobis": {"VI": np.eye(5)},
    "minkowski": {"p": 3},
    "seuclidean": {"V": np.ones(5)},
}
for name, more in _SINGLES.items():
    single = DistanceMetric.get_metric(name, dtype=np.float32, **more)
    data = X.astype("f4")[:, : 2 if name == "haversine" else None]
    fit(f"object32-{name}", nb.NearestNeighbors, data, metric=single, algorithm="brute")
for cls in (nb.KNeighborsTransformer, nb.RadiusNeighborsTransformer):
    fit("plain", cls, X)
    fit("connectivity", cls, FRAME, mode="connectivity", algorithm="ball_tree")
    fit("sparse", cls, XS)
fit("plain", nb.LocalOutlierFactor, X)
fit("novelty", nb.LocalOutlierFactor, X, novelty=True, contamination=0.1, n_neighbors=5)
fit("brute", nb.LocalOutlierFactor, XS, novelty=True, n_neighbors=3)
fit("precomputed", nb.LocalOutlierFactor, SQUARE, metric="precomputed", novelty=True)
for kernel in ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"):
    fit(kernel, nb.KernelDensity, X, kernel=kernel, leaf_size=4)
fit("ball", nb.KernelDensity, X, algorithm="ball_tree", bandwidth="scott", rtol=1e-3, leaf_size=3)
fit("depth", nb.KernelDensity, FRAME, breadth_first=False, bandwidth="silverman", leaf_size=3)
fit("haversine", nb.KernelDensity, ANGLES, metric="haversine", algorithm="ball_tree")
fit("metric", nb.KernelDensity, X, metric="minkowski", metric_params={"p": 3}, leaf_size=6)
fit("plain", nb.NearestCentroid, X, YSTR)
fit("shrunk", nb.NearestCentroid, X, Y3, shrink_threshold=0.1, priors="empirical")
fit("manhattan", nb.NearestCentroid, XS, Y2, metric="manhattan", priors=[0.3, 0.7])
analysis = nb.NeighborhoodComponentsAnalysis
fit("plain", analysis, X, Y3, max_iter=3, random_state=0)
fit("warm", analysis, FRAME, YSTR, max_iter=3, n_components=2, random_state=_seed, again="warm")
fit("init", analysis, X, Y3, max_iter=2, init=np.eye(5)[:3], n_components=3)
fit("plain", impute.KNNImputer, XNAN)
fit("indicator", impute.KNNImputer, XNAN, add_indicator=True, weights="distance", n_neighbors=2)
fit("frame", impute.KNNImputer, FRAME.mask(FRAME > 1), keep_empty_features=True)
fit("number", impute.KNNImputer, np.where(XNAN > 1, -1, X), missing_values=-1)


def _weighted() -> Fitted:
    model = nb.KernelDensity(leaf_size=5)
    return Fitted(model.fit(X, sample_weight=np.arange(1.0, len(X) + 1)), X)


def _shared() -> Fitted:
    """One tree for two estimators, the second of which never saw the data."""
    first = nb.NearestNeighbors(algorithm="kd_tree", leaf_size=5).fit(X)
    second = nb.NearestNeighbors(algorithm="kd_tree", leaf_size=5).fit(first)
    return Fitted(second, X)


def _russellrao() -> Fitted:
    return Fitted(tree(algorithm="brute", metric="russellrao").fit(BITS, Y3), BITS.copy())


add("KNeighborsClassifier-brute-russellrao", _russellrao)
add("KernelDensity-weighted", _weighted)
add("NearestNeighbors-shared", _shared)
