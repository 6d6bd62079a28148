"""State schemas of Birch and BisectingKMeans, and the trees of clusters inside of them.

The nodes are plain Python objects. Those of Birch are linked from leaf to leaf: the links are kept
as one tuple of the first, so that a chain of a hundred thousand leaves is no deep graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.cluster import KNOWN, THREADS
from safemodel.adapters.sklearn.parts import Function, FunctionFor, Part, Reduced, part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    NON_NEGATIVE,
    POSITIVE,
    REAL,
    Schema,
    table,
)
from safemodel.adapters.sklearn.scope import ITEM, MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Estimator,
    Int,
    Seq,
    Spec,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_NODE: Final = "_CFNode"
_LINKS: Final = ("prev_leaf_", "next_leaf_")


def _leaves(state: Mapping[str, Any], reduced: Reduced) -> Iterator[Any]:
    """The leaves behind the first node of the chain."""
    leaf, seen = state.get("next_leaf_"), set()
    while leaf is not None:
        if id(leaf) in seen:
            raise SpecError("is a chain of leaves without an end", ".next_leaf_")
        seen.add(id(leaf))
        yield leaf
        leaf = reduced.of(leaf).state.get("next_leaf_")


def _read_node(reduced: Reduced) -> Mapping[str, Any]:
    state = reduced.state
    arguments = {name: value for name, value in state.items() if name not in _LINKS}
    is_first = state.get("prev_leaf_") is None and state.get("next_leaf_") is not None
    return {
        "centroids_": None,  # a node without clusters has none
        **arguments,
        "leaves": tuple(_leaves(state, reduced)) if is_first else None,
    }


def _fill_node(node: Any, leaves: Any = None, **arguments: Any) -> None:
    if arguments.keys() != _CF_NODE.keys() - {"leaves"}:
        raise SpecError("has other attributes")
    state = vars(node)
    state.update(arguments)
    if state["centroids_"] is None:
        del state["centroids_"]
    for name in _LINKS:
        state.setdefault(name, None)
    if leaves is None:
        return
    chain = [node, *leaves] if type(leaves) is tuple else [None]
    if any(type(leaf) is not type(node) for leaf in chain) or len(set(map(id, chain))) < len(chain):
        raise SpecError("must be different nodes", ".leaves")
    for leaf, following in zip(chain, [*chain[1:], None], strict=True):
        vars(leaf)["next_leaf_"] = following
        if following is not None:
            vars(following)["prev_leaf_"] = leaf


_CF_NODE: Final[Mapping[str, Spec]] = {
    "threshold": NON_NEGATIVE,
    "branching_factor": POSITIVE,
    "is_leaf": BOOL,
    "n_features": COUNT,
    "subclusters_": Seq(part_kinds("_CFSubcluster"), kinds=(list,)),
    "init_centroids_": floats("places", "features"),
    "init_sq_norm_": floats("places"),
    "centroids_": optional(floats("clusters", "features")),
    "squared_norm_": either(floats("clusters"), Seq(REAL, 0, (list,))),
    "leaves": optional(Seq(part_kinds(_NODE), kinds=(tuple,))),
}
_CF_SUBCLUSTER: Final[Mapping[str, Spec]] = {
    "n_samples_": COUNT,
    "squared_sum_": REAL,
    "linear_sum_": floats("features"),
    "centroid_": floats("features"),
    "sq_norm_": REAL,
    "child_": optional(part_kinds(_NODE)),
}


def _check_node(arguments: Mapping[str, Any], scope: Scope) -> None:
    """Clusters are looked up by the place of their centroid."""
    clusters = len(arguments["subclusters_"])
    places = int(arguments["branching_factor"]) + 1
    if len(arguments["init_centroids_"]) != places or clusters > places:
        raise SpecError(f"has not {places} places", ".init_centroids_")
    centroids = arguments["centroids_"]
    if (0 if centroids is None else len(centroids)) != clusters:
        raise SpecError("has not one row a cluster", ".centroids_")
    if len(arguments["squared_norm_"]) != clusters:
        raise SpecError("has not one item a cluster", ".squared_norm_")
    if arguments["init_centroids_"].shape[1] != arguments["n_features"]:
        raise SpecError("differs from the centroids", ".n_features")


def _birch(state: Mapping[str, Any], scope: Scope) -> None:
    """Training goes down from the root: nodes that are no tree would send it round for ever."""
    if "root_" not in state:
        return
    features = state["n_features_in_"]
    first = scope.arguments(state["dummy_leaf_"])
    if first["subclusters_"] or first["leaves"] is None:
        raise SpecError("is not the start of the leaves", ".dummy_leaf_")
    scope.audit.look(ITEM * len(first["leaves"]))
    open_nodes, seen, leaves = [state["root_"]], set(), set()
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            raise SpecError("is no tree", ".root_")
        seen.add(id(node))
        arguments = scope.arguments(node)
        scope.audit.look(ITEM * (1 + len(arguments["subclusters_"])))
        if arguments["leaves"] is not None:
            raise SpecError("starts the leaves", ".root_")
        if arguments["n_features"] != features:
            raise SpecError(f"has a node without {features} features", ".root_")
        if arguments["is_leaf"]:
            leaves.add(id(node))
        for cluster in arguments["subclusters_"]:
            found = scope.arguments(cluster)
            if len(found["linear_sum_"]) != features or len(found["centroid_"]) != features:
                raise SpecError(f"has a cluster without {features} features", ".root_")
            if (found["child_"] is None) != bool(arguments["is_leaf"]):
                raise SpecError("has leaves with children, or none without", ".root_")
            if found["child_"] is not None:
                open_nodes.append(found["child_"])
    if {id(leaf) for leaf in first["leaves"]} != leaves:
        raise SpecError("has other leaves than the tree", ".dummy_leaf_")


# Bisecting k-means


def _read_bisected(reduced: Reduced) -> Mapping[str, Any]:
    arguments = {"label": None, **reduced.state}
    # The mean of a sparse matrix is a numpy.matrix: it is that of the root, which nobody asks
    if isinstance(arguments.get("center"), np.ndarray):
        arguments["center"] = np.asarray(arguments["center"])
    return arguments


def _fill_bisected(node: Any, label: Any = None, **arguments: Any) -> None:
    if arguments.keys() != _BISECTED.keys() - {"label"}:
        raise SpecError("has other attributes")
    vars(node).update(arguments)
    if label is not None:
        vars(node)["label"] = label


_BISECTED: Final[Mapping[str, Spec]] = {
    "center": either(floats("features"), floats(1, "features")),
    "indices": optional(ints(None, low=0)),
    "score": REAL,
    **dict.fromkeys(("left", "right"), optional(part_kinds("_BisectingTree"))),
    "label": optional(Int(0, 2**31 - 1)),
}


def _bisected(state: Mapping[str, Any], scope: Scope) -> None:
    """Predicting compares with the centers of a tree, in compiled code without a look at shapes."""
    if "_bisecting_tree" not in state:
        return
    open_nodes, seen, place = [state["_bisecting_tree"]], set(), "._bisecting_tree"
    labels = []
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            raise SpecError("is no tree", place)
        seen.add(id(node))
        scope.audit.look(ITEM)
        arguments = scope.arguments(node)
        if arguments["center"].shape[-1] != state["n_features_in_"]:
            raise SpecError("has a center with other features", place)
        if arguments["center"].dtype != state["cluster_centers_"].dtype:
            raise SpecError("has a center of another type", place)
        children = [arguments["left"], arguments["right"]]
        if children == [None, None]:
            labels.append(arguments["label"])
        elif None in children:
            raise SpecError("has a node with one child", place)
        else:
            open_nodes.extend(children)
    if None in labels or sorted(labels) != list(range(len(state["cluster_centers_"]))):
        raise SpecError("has not one leaf a label", place)


_C: Final = "sklearn.cluster."
_make = table(_C[:-1], KNOWN)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "Birch",
        "threshold branching_factor n_clusters compute_labels copy",
        "root_ dummy_leaf_ subcluster_centers_ _n_features_out _subcluster_norms"
        " subcluster_labels_ labels_?",
        _birch,
        within=f"{_C}_birch",
        threshold=NON_NEGATIVE,
        branching_factor=POSITIVE,
        n_clusters=optional(POSITIVE, Estimator()),
        copy=either(BOOL, one_of("deprecated")),
        **dict.fromkeys(("root_", "dummy_leaf_"), part_kinds(_NODE)),
        subcluster_centers_=floats("clusters", "features"),
        _n_features_out=Int(0, MAX_UNHELD, "clusters"),
        # Compiled code reads one for each center
        _subcluster_norms=floats("clusters"),
        subcluster_labels_=ints("clusters"),
    ),
    _make(
        "BisectingKMeans",
        "n_clusters init n_init random_state max_iter verbose tol copy_x algorithm"
        " bisecting_strategy",
        "_tol _n_init _random_state _n_threads _kmeans_single _bisecting_tree labels_"
        " cluster_centers_ inertia_ _n_features_out _X_mean?",
        _bisected,
        within=f"{_C}_bisect_k_means",
        init=one_of("k-means++", "random"),
        algorithm=one_of("lloyd", "elkan"),
        bisecting_strategy=one_of("biggest_inertia", "largest_cluster"),
        _n_threads=THREADS,
        _kmeans_single=FunctionFor("k-means"),
        _bisecting_tree=part_kinds("_BisectingTree"),
        _X_mean=floats("features"),
    ),
)

PARTS: Final[tuple[Part, ...]] = (
    Part(
        f"{_C}_birch",
        _NODE,
        _CF_NODE,
        _read_node,
        _fill_node,
        late=True,
        check_more=_check_node,
    ),
    Part(
        f"{_C}_birch",
        "_CFSubcluster",
        _CF_SUBCLUSTER,
        lambda reduced: dict(reduced.state),
        late=True,
    ),
    Part(
        f"{_C}_bisect_k_means",
        "_BisectingTree",
        _BISECTED,
        _read_bisected,
        _fill_bisected,
        late=True,
    ),
)

FUNCTIONS: Final[tuple[Function, ...]] = tuple(
    Function(f"{_C}_kmeans", name, roles=("k-means",))
    for name in ("_kmeans_single_lloyd", "_kmeans_single_elkan")
)
