"""Clusterers, decompositions, embeddings, networks: what their schemas keep, and refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sklearn import (
    cluster,
    decomposition,
    isotonic,
    kernel_approximation,
    kernel_ridge,
    manifold,
    mixture,
    neural_network,
    random_projection,
    semi_supervised,
)
from sklearn.feature_extraction.image import PatchExtractor

from safemodel import limits
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.graph import renumber
from safemodel.adapters.sklearn.library import Entry
from safemodel.adapters.sklearn.parts import Part
from safemodel.errors import ArchitectureError, UnsavableError

from .sklearn_all import CASES
from .sklearn_cases import XPOS, Y2, Y3, YREG, X
from .sklearn_support import fingerprint, in_memory, train

pytestmark = pytest.mark.filterwarnings("ignore")


def again(model: Any) -> Any:
    return adapter.load(in_memory(adapter.save(model)))  # type: ignore[arg-type]


def stored(model: Any) -> tuple[Any, Any]:
    bundle = in_memory(adapter.save(model))
    return bundle.architecture, bundle.stored


@contextmanager
def unchecked() -> Iterator[None]:
    """What a hostile writer does: save without a look at the schemas."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Entry, "check", lambda *_: None)
        patch.setattr(Part, "check", lambda *_: None)
        yield


# Clusterers without predict are compared by what they keep
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in CASES
        if name.partition("-")[0]
        in (
            *("DBSCAN", "OPTICS", "HDBSCAN", "AgglomerativeClustering", "SpectralClustering"),
            *("SpectralBiclustering", "SpectralCoclustering", "MDS", "ClassicalMDS", "TSNE"),
            "SpectralEmbedding",
        )
    ],
)
def test_what_is_fitted_again_is_the_same(name: str) -> None:
    case = CASES[name]()
    copy = again(case.model)
    assert case.train is not None
    train(case.train, case.model)
    train(case.train, copy)
    assert stored(copy) == stored(case.model)


# Birch


def _birch(**given: Any) -> Any:
    return cluster.Birch(threshold=0.3, branching_factor=4, n_clusters=None, **given).fit(X.copy())


def _chain(model: Any) -> list[Any]:
    leaves = [model.dummy_leaf_]
    while leaves[-1].next_leaf_ is not None:
        assert leaves[-1].next_leaf_.prev_leaf_ is leaves[-1]
        leaves.append(leaves[-1].next_leaf_)
    return leaves


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for subcluster in node.subclusters_:
        if subcluster.child_ is not None:
            yield from _nodes(subcluster.child_)


def test_leaves_of_birch_are_those_of_its_tree() -> None:
    model = _birch()
    copy = again(model)
    assert len(_chain(copy)) == len(_chain(model)) > 5
    in_tree = {id(node) for node in _nodes(copy.root_) if node.is_leaf}
    assert {id(leaf) for leaf in _chain(copy)[1:]} == in_tree
    for node in _nodes(copy.root_):
        assert np.shares_memory(node.centroids_, node.init_centroids_)
        assert not hasattr(node, "leaves")
    more = np.random.RandomState(0).normal(size=(200, 5))
    model.partial_fit(more)
    copy.partial_fit(more.copy())
    assert fingerprint(copy.predict(X)) == fingerprint(model.predict(X))
    assert fingerprint(copy.subcluster_centers_) == fingerprint(model.subcluster_centers_)


def test_a_chain_of_many_leaves_is_no_deep_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_GRAPH_CHAIN", 60)
    data = np.random.RandomState(0).normal(size=(200, 2))
    model = cluster.Birch(threshold=1e-6, branching_factor=2, n_clusters=None).fit(data)
    assert len(_chain(model)) > 100
    assert fingerprint(again(model).predict(data)) == fingerprint(model.predict(data))


def _two_parents(model: Any) -> None:
    first, second = _chain(model)[1:3]
    first.is_leaf = False
    for subcluster in first.subclusters_:
        subcluster.child_ = second


def _ring(model: Any) -> None:
    leaf = _chain(model)[1]
    leaf.subclusters_[0].child_ = model.root_


def _forgotten(model: Any) -> None:
    first, second = _chain(model)[:2]
    first.next_leaf_ = second.next_leaf_
    first.next_leaf_.prev_leaf_ = first


def _short_norms(model: Any) -> None:
    model._subcluster_norms = model._subcluster_norms[:3]


def _narrow(model: Any) -> None:
    subcluster = _chain(model)[1].subclusters_[0]
    subcluster.linear_sum_ = subcluster.linear_sum_[:2]


def _no_cluster(model: Any) -> None:
    _chain(model)[1].subclusters_.pop()


# Bisecting k-means


def _bisected() -> Any:
    return cluster.BisectingKMeans(4, random_state=0).fit(X)


def _narrow_center(model: Any) -> None:
    model._bisecting_tree.left.center = model._bisecting_tree.left.center[:1]


def _own_child(model: Any) -> None:
    model._bisecting_tree.left.left = model._bisecting_tree.left.right


def _wrong_label(model: Any) -> None:
    node = model._bisecting_tree
    while node.left is not None:
        node = node.left
    node.label = 3


def _threads(model: Any) -> None:
    model._n_threads = 2**31 - 1


# HDBSCAN


def _density() -> Any:
    return cluster.HDBSCAN(min_cluster_size=3, copy=True).fit(X)


def test_a_tree_of_hdbscan_can_be_cut_again() -> None:
    model = _density()
    copy = again(model)
    for distance in (0.5, 1.5, 3.0):
        cut = model.dbscan_clustering(distance)
        assert fingerprint(copy.dbscan_clustering(distance)) == fingerprint(cut)


def _set(name: str, row: int, value: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model._single_linkage_tree_[name][row] = value

    return change


def _other_layout(model: Any) -> None:
    tree = model._single_linkage_tree_
    model._single_linkage_tree_ = tree.astype(
        [("left_node", "<i4"), ("right_node", "<i4"), ("value", "<f8"), ("cluster_size", "<i8")]
    )


# Networks


def _network(**given: Any) -> Any:
    model = neural_network.MLPClassifier((4, 3), random_state=0, max_iter=3, **given)
    return model.fit(X, Y3)


def test_the_best_weights_of_a_network_stay_the_weights() -> None:
    copy = again(_network(early_stopping=True))
    assert copy.coefs_ is copy._best_coefs
    assert copy.coefs_[0] is copy._best_coefs[0]
    other = again(_network())
    assert other.coefs_ is not other._best_coefs


def test_an_optimizer_goes_on_where_it_was() -> None:
    for solver in ("adam", "sgd"):
        model = _network(solver=solver, warm_start=True)
        copy = again(model)
        assert vars(copy._optimizer).keys() == vars(model._optimizer).keys()
        for one in (model, copy):
            one.partial_fit(X, Y3)
            one.fit(X, Y3)
        assert stored(copy) == stored(model)


def _layer(model: Any) -> None:
    model.coefs_[1] = model.coefs_[1][:2]


def _moments(model: Any) -> None:
    model._optimizer.ms[0] = model._optimizer.ms[0][:2]


def _layers(model: Any) -> None:
    model.n_layers_ = 9


# Isotonic regression


def test_the_function_of_an_isotonic_regression_is_made_again() -> None:
    model = isotonic.IsotonicRegression(out_of_bounds="clip").fit(X[:, 0], YREG)
    saved = in_memory(adapter.save(model))
    assert "f_" not in saved.architecture["graph"]["nodes"][0]["state"]
    copy: Any = adapter.load(saved)  # type: ignore[arg-type]
    assert type(copy.f_) is type(model.f_)
    assert not hasattr(again(isotonic.IsotonicRegression()), "f_")
    saved.architecture["graph"]["nodes"][0]["state"]["f_"] = None
    with pytest.raises(ArchitectureError, match="f_"):
        adapter.load(saved)  # type: ignore[arg-type]


def _thresholds(model: Any) -> None:
    model.y_thresholds_ = model.y_thresholds_[:2]


# Others


def _labels(model: Any) -> None:
    model.labels_ = np.array([0, 1, 2**40, 1, 0])


def _children(model: Any) -> None:
    model.children_[0] = 10**6


def _prior(model: Any) -> None:
    model._centerer.n_features_in_ = 3


def _kind(model: Any) -> None:
    model.covariance_type = "diag"


def _hashes(model: Any) -> None:
    model.indexHash_[0, 0] = 10**6


def _state(name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model, name, value)


def _network_of_few() -> Any:
    return decomposition.LatentDirichletAllocation(2, max_iter=2, random_state=0).fit(XPOS)


HOSTILE: dict[str, tuple[Callable[[], Any], Callable[[Any], None], str]] = {
    "a node of two clusters": (_birch, _two_parents, "is no tree"),
    "a leaf that is left out": (_birch, _forgotten, "other leaves"),
    "fewer norms than centers": (_birch, _short_norms, "_subcluster_norms"),
    "a cluster of fewer features": (_birch, _narrow, "linear_sum_|features"),
    "a node with other centroids": (_birch, _no_cluster, "one row a cluster"),
    "a function for the root": (_birch, _state("root_", np.mean), "root_"),
    "a center of one feature": (_bisected, _narrow_center, "center"),
    "a node of two parents": (_bisected, _own_child, "no tree"),
    "a label twice": (_bisected, _wrong_label, "one leaf a label"),
    "a billion threads": (_bisected, _threads, "_n_threads"),
    "a function to train with": (_bisected, _state("_kmeans_single", np.log), "_kmeans_single"),
    "a cluster that comes later": (_density, _set("left_node", 0, 48), "not there"),
    "a negative cluster": (_density, _set("right_node", 3, -1), "not there"),
    "a cluster joined twice": (_density, _set("left_node", 1, 0), "twice"),
    "links of 32 bits": (_density, _other_layout, "64-bit"),
    "a layer that does not fit": (_network, _layer, "inputs"),
    "moments of other weights": (_network, _moments, "_optimizer.ms"),
    "more layers than weights": (_network, _layers, "n_layers_"),
    "an optimizer that is none": (_network, _state("_optimizer", None), "_optimizer"),
    "thresholds without values": (
        lambda: isotonic.IsotonicRegression().fit(X[:, 0], YREG),
        _thresholds,
        "y_thresholds_",
    ),
    "labels to count to": (
        lambda: cluster.FeatureAgglomeration(3).fit(X),
        _labels,
        "labels_",
    ),
    "children that come later": (
        lambda: cluster.AgglomerativeClustering(3).fit(X),
        _children,
        "come later",
    ),
    "a centerer of other rows": (
        lambda: decomposition.KernelPCA(2).fit(X),
        _prior,
        "samples",
    ),
    "covariances of another type": (
        lambda: mixture.GaussianMixture(2, random_state=0).fit(X),
        _kind,
        "another shape",
    ),
    "an infinite mean": (
        lambda: decomposition.IncrementalPCA(2).fit(X),
        _state("mean_", np.full(5, np.inf)),
        "has items beyond",
    ),
    "a component that is no direction": (
        lambda: decomposition.IncrementalPCA(2).fit(X.astype(np.float32)),
        _state("components_", np.full((2, 5), 1e30, np.float32)),
        "has items beyond",
    ),
    "hashes out of range": (
        lambda: kernel_approximation.PolynomialCountSketch(n_components=8, random_state=0).fit(X),
        _hashes,
        "indexHash_",
    ),
    "a billion turns": (_network_of_few, _state("max_doc_update_iter", 2**31 - 1), "max_doc"),
    "a patch of no size": (
        lambda: PatchExtractor(patch_size=(3, 3)),
        _state("patch_size", (-1, 3)),
        "patch_size",
    ),
    "a million samples of steps": (
        lambda: kernel_approximation.AdditiveChi2Sampler().fit(XPOS),
        _state("sample_steps", 10**6),
        "sample_steps",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_state_is_refused(name: str) -> None:
    make, change, said = HOSTILE[name]
    model = make()
    again(model)
    change(model)
    with unchecked():
        bundle = in_memory(adapter.save(model))
    with pytest.raises(ArchitectureError, match=said):
        adapter.load(bundle)  # type: ignore[arg-type]


def test_a_node_below_itself_is_refused() -> None:
    model = _birch()
    _ring(model)
    with pytest.raises(UnsavableError), unchecked():
        adapter.save(model)
    with unchecked(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "check_nesting", lambda _: None)
        bundle = in_memory(adapter.save(model))
    with pytest.raises(ArchitectureError):
        adapter.load(bundle)  # type: ignore[arg-type]


def test_leaves_in_a_ring_are_refused() -> None:
    bundle = in_memory(adapter.save(_birch()))
    for node in bundle.architecture["graph"]["nodes"]:
        if node["kind"] == "tuple" and len(node["items"]) > 5:
            node["items"][-1] = node["items"][0]
    graph = bundle.architecture["graph"]
    graph["nodes"] = renumber(graph["root"], graph["nodes"])
    with pytest.raises(ArchitectureError, match="different nodes"):
        adapter.load(bundle)  # type: ignore[arg-type]


CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "centers that are code": (lambda: cluster.KMeans(init=lambda *_: X[:2]), "init"),
    "a cache of merges": (lambda: cluster.FeatureAgglomeration(memory="cache"), "memory"),
    "a cache of clusters": (lambda: cluster.AgglomerativeClustering(memory="cache"), "memory"),
    "a cache of distances": (lambda: cluster.OPTICS(memory="cache"), "memory"),
    "a function that saves": (lambda: cluster.FeatureAgglomeration(pooling_func=np.save), "pool"),
    "a function of another role": (
        lambda: cluster.FeatureAgglomeration(pooling_func=np.log),
        "pooling_func",
    ),
    "a graph that is code": (
        lambda: cluster.AgglomerativeClustering(connectivity=lambda data: data),
        "connectivity",
    ),
    "a contrast that is code": (lambda: decomposition.FastICA(fun=lambda x: (x, x)), "fun"),
    "a callback": (lambda: decomposition.DictionaryLearning(callback=print), "callback"),
    "a kernel that is code": (
        lambda: kernel_ridge.KernelRidge(kernel=lambda a, b: 1.0),
        "kernel",
    ),
    "a kernel of labels": (
        lambda: semi_supervised.LabelPropagation(kernel=lambda a, b: a),
        "kernel",
    ),
    "a metric that is code": (lambda: cluster.DBSCAN(metric=lambda a, b: 0.0), "metric"),
    "a metric of an embedding": (lambda: manifold.TSNE(metric=lambda a, b: 0.0), "metric"),
    "parameters of a metric": (lambda: cluster.DBSCAN(metric_params={"func": print}), "metric_par"),
    "a thousand jobs": (lambda: manifold.Isomap(n_jobs=1000), "n_jobs"),
    "a generator": (
        lambda: random_projection.GaussianRandomProjection(random_state=np.random.default_rng(0)),
        "random_state",
    ),
    "hidden layers of no size": (
        lambda: neural_network.MLPRegressor(hidden_layer_sizes=(0,)),
        "hidden_layer_sizes",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_could_run_code_is_refused_at_save(name: str) -> None:
    make, place = CALLS[name]
    with pytest.raises(UnsavableError) as caught:
        adapter.save(make())
    assert str(caught.value.place).startswith(place)


def test_a_network_of_two_classes_is_saved_unfitted_and_fitted() -> None:
    model = neural_network.MLPClassifier((3,), max_iter=2, random_state=0)
    copy = again(model)
    assert fingerprint(copy.fit(X, Y2).predict_proba(X)) == fingerprint(
        model.fit(X, Y2).predict_proba(X)
    )
