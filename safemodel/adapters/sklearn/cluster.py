"""State schemas of `sklearn.cluster`, without those that grow trees of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.pairwise import (
    EIGEN_SOLVER,
    KERNEL_PARAMS,
    KERNELS,
    METRIC,
    METRIC_PARAMS,
    SEARCH,
    covariance_rule,
)
from safemodel.adapters.sklearn.parts import Function, FunctionFor
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    N_JOBS,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.sparse import ARRAYS, SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Int,
    Items,
    Seq,
    Spec,
    either,
    floats,
    ints,
    one_of,
    optional,
)

# So many threads run at each prediction: those of the machine that trained
THREADS: Final = Int(1, 1024)
_TRIES: Final = Int(1, 10_000)  # Birch trains its clusterer whenever it sees more rows
_GIVEN: Spec = either(Array("fiu", (None, None)), Seq(Seq(REAL)))
_ANY_SPARSE: Final = tuple(ARRAYS)
_LABELS: Spec = ints("samples")
_CENTERS: Spec = floats("clusters", "features")
KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "copy copy_x compute_labels compute_distances bin_seeding cluster_all mini_batch"
        " allow_single_cluster predecessor_correction",
        BOOL,
    ),
    **each("tol damping reassignment_ratio xi alpha cluster_selection_epsilon", REAL),
    **each("gamma degree eps max_eps min_samples", NON_NEGATIVE),
    **each(
        "max_iter convergence_iter max_no_improvement init_size n_best n_neighbors"
        " min_bin_freq leaf_size n_svd_vecs max_cluster_size batch_size",
        optional(COUNT),
    ),
    "coef0": REAL,
    "n_init": _TRIES,
    "n_clusters": optional(POSITIVE),
    "n_components": optional(POSITIVE),
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "n_jobs": N_JOBS,
    "memory": one_of(None),
    "init": either(one_of("k-means++", "random"), _GIVEN),
    "algorithm": SEARCH,
    "metric": METRIC,
    "metric_params": METRIC_PARAMS,
    "bandwidth": optional(NON_NEGATIVE),
    "seeds": optional(_GIVEN),
    "p": optional(NON_NEGATIVE),
    "linkage": one_of("ward", "complete", "average", "single"),
    "connectivity": optional(
        Array("biuf", (None, None)), SparseMatrix(None, None, _ANY_SPARSE), Seq(Seq(REAL))
    ),
    "compute_full_tree": either(BOOL, one_of("auto")),
    "distance_threshold": optional(NON_NEGATIVE),
    "svd_method": one_of("randomized", "arpack"),
    "eigen_solver": EIGEN_SOLVER,
    # What fitting adds
    "cluster_centers_": _CENTERS,
    "labels_": _LABELS,
    "_tol": REAL,
    **each("_n_init _batch_size _init_size n_iter_ n_steps_ _n_since_last_reassign", COUNT),
    "_n_threads": THREADS,
    "_n_features_out": Int(0, MAX_UNHELD, "clusters"),
    "_algorithm": one_of("lloyd", "elkan"),
    "inertia_": REAL,
    "_counts": floats("clusters"),
    **each("_ewa_inertia _ewa_inertia_min", optional(REAL)),
    "_no_improvement": COUNT,
    "_random_state": RANDOM_STATE,
}


def _merges(state: Mapping[str, Any], scope: Scope) -> None:
    """Each merge joins two clusters that are there already: children count from the leaves."""
    if "children_" not in state:
        return
    children, leaves = state["children_"], int(state["n_leaves_"])
    if len(children) and (children >= leaves + np.arange(len(children))[:, None]).any():
        raise SpecError("has children that come later", ".children_")


def _pooled(state: Mapping[str, Any], scope: Scope) -> None:
    """Transforming counts up to the largest label."""
    _merges(state, scope)
    if "labels_" in state:
        labels = state["labels_"]
        if len(labels) and labels.max() >= state["n_clusters_"]:
            raise SpecError("has labels beyond n_clusters_", ".labels_")
        if state["n_clusters_"] > len(labels):  # each sample gets a row as long as that
            raise SpecError("is more than there are features", ".n_clusters_")


_LINKS: Final = {"left_node", "right_node", "value", "cluster_size"}


def _linkage(state: Mapping[str, Any], scope: Scope) -> None:
    """Cutting the tree follows its numbers in compiled code."""
    if "_single_linkage_tree_" not in state:
        return
    tree, place = state["_single_linkage_tree_"], "._single_linkage_tree_"
    if set(tree.dtype.names or ()) != _LINKS:
        raise SpecError("has other columns", place)
    for name in ("left_node", "right_node", "cluster_size"):
        if tree.dtype[name] != np.int64:
            raise SpecError(f"has no 64-bit integers as {name}", place)
    if tree.dtype["value"] != np.float64 or tree.dtype.itemsize != 32:
        raise SpecError("has another layout", place)
    later = len(tree) + 1 + np.arange(len(tree))
    joined = np.concatenate([tree["left_node"], tree["right_node"]])
    if len(joined) and (joined.min() < 0 or (joined >= np.tile(later, 2)).any()):
        raise SpecError("joins clusters that are not there", place)
    if len(np.unique(joined)) != len(joined):
        raise SpecError("joins a cluster twice", place)
    if len(state["labels_"]) != len(tree) + 1:
        raise SpecError("has not one label a sample", ".labels_")


_C: Final = "sklearn.cluster."
_make = table(_C[:-1], KNOWN)
_MEANS: Final = "n_clusters init n_init max_iter tol verbose random_state"
_CENTERED: Final = "_tol _n_init _n_threads cluster_centers_ _n_features_out inertia_"
_MERGING: Final = (
    "n_clusters memory connectivity compute_full_tree linkage distance_threshold"
    " compute_distances metric"
)
_MERGED: Final = "n_clusters_ labels_ n_leaves_ n_connected_components_ children_ distances_?"
_BICLUSTERS: Final = "n_clusters svd_method n_svd_vecs mini_batch init n_init random_state"
_MERGE_SPECS: Final[dict[str, Spec]] = {
    "n_clusters_": Int(0, MAX_UNHELD),
    "n_leaves_": Int(0, MAX_UNHELD, "samples"),
    "n_connected_components_": COUNT,
    "children_": ints("merges", 2, low=0),
    "distances_": floats("merges"),
}
_TWO_WAYS: Final[dict[str, Spec]] = {
    "row_labels_": _LABELS,
    "column_labels_": ints("features"),
    "rows_": Array("b", ("biclusters", "samples")),
    "columns_": Array("b", ("biclusters", "features")),
    "n_clusters": either(POSITIVE, Items((POSITIVE, POSITIVE))),
}
_AFFINITY: Final = one_of(*KERNELS, "nearest_neighbors", "precomputed_nearest_neighbors")

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "KMeans",
        f"{_MEANS} copy_x algorithm",
        f"{_CENTERED} _algorithm labels_ n_iter_",
        within=f"{_C}_kmeans",
        algorithm=one_of("lloyd", "elkan", "auto", "full"),
        n_init=either(_TRIES, one_of("auto", "warn")),
    ),
    _make(
        "MiniBatchKMeans",
        f"{_MEANS} batch_size compute_labels max_no_improvement init_size reassignment_ratio",
        f"{_CENTERED.removesuffix(' inertia_')} _batch_size _init_size _counts"
        " _n_since_last_reassign n_steps_ inertia_? labels_? n_iter_? _ewa_inertia?"
        " _ewa_inertia_min? _no_improvement? _random_state?",
        within=f"{_C}_kmeans",
        n_init=either(_TRIES, one_of("auto", "warn")),
    ),
    _make(
        "AffinityPropagation",
        "damping max_iter convergence_iter copy preference affinity verbose random_state",
        "affinity_matrix_ cluster_centers_indices_ labels_ n_iter_ cluster_centers_?",
        within=f"{_C}_affinity_propagation",
        preference=optional(REAL, Array("fiu", (None,)), Seq(REAL)),
        affinity=one_of("euclidean", "precomputed"),
        affinity_matrix_=either(
            floats("samples", "samples"), SparseMatrix("samples", "samples", _ANY_SPARSE)
        ),
        cluster_centers_indices_=either(ints("clusters", low=0, high="samples"), Seq(COUNT, 0)),
        cluster_centers_=either(_CENTERS, SparseMatrix("clusters", "features")),
    ),
    _make(
        "AgglomerativeClustering",
        _MERGING,
        _MERGED,
        _merges,
        within=f"{_C}_agglomerative",
        **_MERGE_SPECS,
    ),
    _make(
        "FeatureAgglomeration",
        f"{_MERGING} pooling_func",
        f"{_MERGED} _n_features_out",
        _pooled,
        within=f"{_C}_agglomerative",
        **{**_MERGE_SPECS, "n_leaves_": Int(0, MAX_UNHELD, "features")},
        pooling_func=FunctionFor("pooling"),
        labels_=ints("features", low=0),
        _n_features_out=Int(0, MAX_UNHELD),
    ),
    _make(
        "DBSCAN",
        "eps min_samples metric metric_params algorithm leaf_size p n_jobs",
        "labels_ core_sample_indices_ components_",
        covariance_rule,
        within=f"{_C}_dbscan",
        core_sample_indices_=ints("cores", low=0, high="samples"),
        components_=either(floats("cores", "features"), SparseMatrix("cores", "features")),
    ),
    _make(
        "HDBSCAN",
        "min_cluster_size min_samples cluster_selection_epsilon max_cluster_size metric"
        " metric_params alpha algorithm leaf_size n_jobs cluster_selection_method"
        " allow_single_cluster store_centers copy",
        "_metric_params _min_samples _single_linkage_tree_ labels_ probabilities_ _raw_data?"
        " centroids_? medoids_?",
        _linkage,
        covariance_rule,
        within=f"{_C}_hdbscan.hdbscan",
        min_cluster_size=Int(2, 2**31 - 1),
        min_samples=optional(POSITIVE),
        algorithm=either(SEARCH, one_of("kdtree", "balltree")),
        cluster_selection_method=one_of("eom", "leaf"),
        store_centers=optional(one_of("centroid", "medoid", "both")),
        copy=either(BOOL, one_of("warn")),
        _metric_params=METRIC_PARAMS,
        _min_samples=COUNT,
        _raw_data=either(floats("samples", "features"), SparseMatrix("samples", "features")),
        _single_linkage_tree_=Array("V", (None,)),
        probabilities_=floats("samples"),
        **each("centroids_ medoids_", floats("clusters", "features")),
    ),
    _make(
        "MeanShift",
        "bandwidth seeds bin_seeding min_bin_freq cluster_all n_jobs max_iter",
        "n_iter_ cluster_centers_ labels_",
        within=f"{_C}_mean_shift",
    ),
    _make(
        "OPTICS",
        "min_samples max_eps metric p metric_params cluster_method eps xi predecessor_correction"
        " min_cluster_size algorithm leaf_size memory n_jobs",
        "ordering_ core_distances_ reachability_ predecessor_ labels_ cluster_hierarchy_?",
        covariance_rule,
        within=f"{_C}_optics",
        cluster_method=one_of("xi", "dbscan"),
        eps=optional(NON_NEGATIVE),
        min_cluster_size=optional(NON_NEGATIVE),
        ordering_=ints("samples", low=0, high="samples"),
        **each("core_distances_ reachability_", floats("samples")),
        predecessor_=ints("samples", low=-1, high="samples"),
        cluster_hierarchy_=ints(None, 2, low=0),
    ),
    _make(
        "SpectralClustering",
        "n_clusters eigen_solver n_components random_state n_init gamma affinity n_neighbors"
        " eigen_tol assign_labels degree coef0 kernel_params n_jobs verbose",
        "affinity_matrix_ labels_",
        within=f"{_C}_spectral",
        affinity=either(_AFFINITY, FunctionFor("kernel")),
        eigen_tol=either(NON_NEGATIVE, one_of("auto")),
        assign_labels=one_of("kmeans", "discretize", "cluster_qr"),
        kernel_params=KERNEL_PARAMS,
        affinity_matrix_=either(
            floats("samples", "samples"), SparseMatrix("samples", "samples", _ANY_SPARSE)
        ),
    ),
    _make(
        "SpectralBiclustering",
        f"{_BICLUSTERS} method n_components n_best",
        "row_labels_ column_labels_ rows_ columns_",
        within=f"{_C}_bicluster",
        method=one_of("bistochastic", "scale", "log"),
        **_TWO_WAYS,
    ),
    _make(
        "SpectralCoclustering",
        _BICLUSTERS,
        "row_labels_ column_labels_ rows_ columns_",
        within=f"{_C}_bicluster",
        **_TWO_WAYS,
    ),
)

# They reduce an array along an axis, and nothing else is given to them
FUNCTIONS: Final[tuple[Function, ...]] = tuple(
    Function("numpy", name, roles=("pooling",))
    for name in ("mean", "median", "max", "min", "sum", "std", "var", "prod", "ptp")
)
