"""Fitted clusterers: what `sklearn.cluster` learns, in every form that its classes keep."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn import cluster

from .sklearn_cases import FRAME, XPOS, XS, XSA, X, fit

DISTANCES = np.abs(X[:, None] - X[None]).sum(-1)
NEAR = sp.csr_matrix(np.where(DISTANCES < 5, 1, 0))
X32 = X.astype(np.float32)


def _seed() -> np.random.RandomState:
    return np.random.RandomState(3)


def _means() -> None:
    for cls in (cluster.KMeans, cluster.MiniBatchKMeans, cluster.BisectingKMeans):
        again = "partial" if cls is cluster.MiniBatchKMeans else None
        fit("plain", cls, X, n_clusters=4, random_state=0, again=again)
        fit("sparse", cls, XS, n_clusters=3, random_state=0, again=again)
        fit("float32", cls, X32, n_clusters=3, random_state=_seed, again=again)
        fit("frame", cls, FRAME, n_clusters=3, random_state=0, init="random", n_init=2)
        fit("unfitted", cls, X, unfitted=True)
    fit("given", cluster.KMeans, X, n_clusters=3, init=X[:3].copy(), algorithm="elkan")
    given = {"init": X[:3].copy(), "n_init": 1, "compute_labels": False, "tol": 0.1}
    fit("given", cluster.MiniBatchKMeans, X, n_clusters=3, max_no_improvement=None, **given)
    fit("single", cluster.BisectingKMeans, X, n_clusters=1)
    fit(
        "largest",
        cluster.BisectingKMeans,
        X,
        n_clusters=7,
        bisecting_strategy="largest_cluster",
        algorithm="elkan",
        init="k-means++",
        random_state=_seed,
    )


def _merging() -> None:
    for cls in (cluster.AgglomerativeClustering, cluster.FeatureAgglomeration):
        fit("plain", cls, X, n_clusters=3)
        fit("frame", cls, FRAME, linkage="average", metric="l1", compute_distances=True)
        fit("threshold", cls, X, n_clusters=None, distance_threshold=1.0)
    fit("precomputed", cluster.AgglomerativeClustering, DISTANCES, metric="precomputed",
        linkage="single")  # fmt: skip
    fit("graph", cluster.AgglomerativeClustering, X, connectivity=NEAR, compute_full_tree=True)
    for name in ("median", "max", "min", "prod", "ptp", "std", "sum", "var"):
        fit(name, cluster.FeatureAgglomeration, X, n_clusters=3, pooling_func=getattr(np, name))
    for name, data in (("plain", X[:7]), ("frame", FRAME[:7]), ("float32", X32[:7])):
        fit(name, cluster.Birch, data, threshold=0.3, branching_factor=2, again="partial")
    fit("sparse", cluster.Birch, XSA[:6], threshold=0.3, branching_factor=2, n_clusters=None,
        again="partial")  # fmt: skip
    fit("wide", cluster.Birch, X[:6], threshold=50, compute_labels=False, again="partial")
    nested = cluster.KMeans(2, random_state=0, n_init=1)
    fit("kmeans", cluster.Birch, X[:6], threshold=0.6, n_clusters=nested, again="partial")
    fit("unfitted", cluster.Birch, X, unfitted=True)


def _density() -> None:
    for cls in (cluster.DBSCAN, cluster.OPTICS):
        fit("plain", cls, X, min_samples=3)
        fit("frame", cls, FRAME, min_samples=3, metric="minkowski", p=3, algorithm="kd_tree")
        fit("precomputed", cls, DISTANCES, min_samples=3, metric="precomputed", eps=3.0)
    fit("sparse", cluster.DBSCAN, XS, eps=1.5, metric="euclidean", metric_params=None)
    fit("params", cluster.DBSCAN, X, eps=1.0, metric="seuclidean", metric_params={"V": np.ones(5)})
    fit("dbscan", cluster.OPTICS, X, cluster_method="dbscan", eps=1.0, min_cluster_size=0.1)
    fit("sparse", cluster.OPTICS, XS, metric="euclidean", algorithm="brute", min_samples=3)
    fit("plain", cluster.HDBSCAN, X, min_cluster_size=3, copy=True)
    fit("sparse", cluster.HDBSCAN, XS, min_cluster_size=3, copy=True)
    fit("frame", cluster.HDBSCAN, FRAME, store_centers="both", min_cluster_size=3, copy=False)
    fit("precomputed", cluster.HDBSCAN, DISTANCES, metric="precomputed", min_cluster_size=3,
        copy=True)  # fmt: skip
    fit("tree", cluster.HDBSCAN, X, algorithm="kd_tree", store_centers="medoid", copy=True,
        min_cluster_size=3, metric="manhattan", min_samples=2)  # fmt: skip
    fit("single", cluster.HDBSCAN, X, algorithm="brute", allow_single_cluster=True, copy=True,
        cluster_selection_method="leaf")  # fmt: skip
    missing = X.copy()
    missing[0, 0], missing[1, 1] = np.nan, np.inf
    fit("missing", cluster.HDBSCAN, missing, min_cluster_size=3, copy=True)
    fit("plain", cluster.MeanShift, X)
    fit("bins", cluster.MeanShift, FRAME, bin_seeding=True, bandwidth=2.0, cluster_all=False)
    fit("seeds", cluster.MeanShift, X, seeds=X[:4].copy(), bandwidth=1.5)
    fit("plain", cluster.AffinityPropagation, X, random_state=0)
    fit("sparse", cluster.AffinityPropagation, XS, random_state=_seed)
    fit("precomputed", cluster.AffinityPropagation, -DISTANCES, affinity="precomputed",
        preference=np.full(len(X), -3.0))  # fmt: skip
    fit("short", cluster.AffinityPropagation, FRAME, max_iter=2, random_state=0)


def _spectral() -> None:
    similar = np.exp(-DISTANCES)
    fit("plain", cluster.SpectralClustering, X, n_clusters=3, random_state=0)
    fit("neighbors", cluster.SpectralClustering, FRAME, affinity="nearest_neighbors",
        assign_labels="discretize", random_state=0)  # fmt: skip
    fit("precomputed", cluster.SpectralClustering, similar, affinity="precomputed",
        assign_labels="cluster_qr", random_state=_seed)  # fmt: skip
    positive = {"plain": XPOS, "sparse": sp.csr_matrix(XPOS)}
    few = {"n_components": 3, "n_best": 2, "n_init": 1}
    for name, data in positive.items():
        fit(name, cluster.SpectralCoclustering, data, n_clusters=2, random_state=0)
        fit(name, cluster.SpectralBiclustering, data, n_clusters=2, random_state=0, **few)
    fit("log", cluster.SpectralBiclustering, XPOS, n_clusters=(3, 2), method="log",
        mini_batch=True, random_state=_seed, **few)  # fmt: skip


for _register in (_means, _merging, _density, _spectral):
    _register()
