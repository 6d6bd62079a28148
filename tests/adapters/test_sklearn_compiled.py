"""What compiled code would follow out of its memory: each number that it trusts, refused at load.

Each entry was run against scikit-learn itself: it crashed, hung, or read memory that is not there.
Loading never runs a model, so that a miss shows as a test that fails, and not as a crash.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, linear_model, neighbors, svm
from sklearn._loss import loss as sklearn_losses
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from safemodel.adapters import sklearn as adapter
from safemodel.adapters.graph import renumber
from safemodel.adapters.sklearn.losses import LOSSES
from safemodel.adapters.sklearn.predictors import NODE
from safemodel.errors import ArchitectureError, UnsavableError

from .sklearn_all import CASES
from .sklearn_cases import Y2, Y3, YREG, X
from .sklearn_support import MemoryBundle, Stored, in_memory

Change = Callable[[MemoryBundle], None]
_KINDS = {"I64": "<i8", "I32": "<i4", "F64": "<f8", "U8": "u1", "U32": "<u4", "BOOL": "?"}
SPLITS = np.dtype([("start", "<i8"), ("end", "<i8"), ("leaf", "<i8"), ("radius", "<f8")])


def number(name: str, position: Any, value: Any) -> Change:
    """Change an item of a tensor; `position` may be a slice."""

    def change(bundle: MemoryBundle) -> None:
        stored = bundle.stored[name]
        values = np.frombuffer(stored.data, _KINDS[stored.dtype]).copy()
        values[position] = value
        bundle.stored[name] = Stored(stored.dtype, stored.shape, values.tobytes())

    return change


def row(name: str, kind: Any, index: Any, key: str, value: Any) -> Change:
    """Change one field of a tensor that holds records."""

    def change(bundle: MemoryBundle) -> None:
        stored = bundle.stored[name]
        records = np.frombuffer(stored.data, kind).copy()
        records[key][index] = value
        bundle.stored[name] = Stored(stored.dtype, stored.shape, records.tobytes())

    return change


def shorter(*names: str) -> Change:
    """Leave out the last row of some tensors."""

    def change(bundle: MemoryBundle) -> None:
        for name in names:
            one = bundle.stored[name]
            size = len(one.data) // one.shape[0]
            shape = (one.shape[0] - 1, *one.shape[1:])
            bundle.stored[name] = Stored(one.dtype, shape, one.data[:-size])

    return change


def said(kind: str, key: str, value: Any) -> Change:
    """Change an attribute of an estimator, an argument of a part, or a field of `trees`."""

    def change(bundle: MemoryBundle) -> None:
        for node in bundle.architecture["graph"]["nodes"]:
            if str(node.get("class")).endswith(f".{kind}"):
                for field in ("state", "arguments", "trees", "predictors"):
                    if key in node.get(field, ()):
                        if value is None and field == "state":
                            del node[field][key]
                        else:
                            node[field][key] = value
                        return
        raise LookupError(key)

    return change


def both(*changes: Change) -> Change:
    def change(bundle: MemoryBundle) -> None:
        for one in changes:
            one(bundle)

    return change


KD, BALL = "KNeighborsClassifier-kd_tree", "KNeighborsClassifier-ball-mahalanobis"
SVC, SPARSE = "SVC-rbf", "SVC-probability-sparse"
GB, HGB, NODES = (
    "GradientBoostingClassifier-plain",
    "HistGradientBoostingClassifier-mixed",
    "_predictors.nodes",
)
KD_NODES = functools.partial(row, "_tree.node_data", SPLITS)
HGB_NODES = functools.partial(row, NODES, NODE)

REFUSED: dict[str, tuple[str, Change, str]] = {
    # Neighbours
    "a sample that does not exist": (KD, number("_tree.idx_array", 0, 48), "above 47"),
    "a negative sample": (KD, number("_tree.idx_array", 0, -1), "below 0"),
    "a sample twice": (KD, number("_tree.idx_array", slice(0, 2), 3), "each sample once"),
    "a range beyond the samples": (KD, KD_NODES(0, "end", 49), "other ranges"),
    "a range before the samples": (KD, KD_NODES(1, "start", -5), "other ranges"),
    "an inner node in the last level": (KD, KD_NODES(14, "leaf", 0), "leaves above"),
    "a leaf that is none": (KD, KD_NODES(0, "leaf", 1), "leaves above"),
    "a radius that is no number": (KD, KD_NODES(2, "radius", np.nan), "radius"),
    "a negative radius": (KD, KD_NODES(2, "radius", -1.0), "radius"),
    "more levels than nodes": (KD, said("KDTree", "n_levels", 5), "31 nodes"),
    "2^40 levels": (KD, said("KDTree", "n_levels", 2**40), "n_levels"),
    "more nodes than there are": (KD, said("KDTree", "n_nodes", 31), "15 nodes"),
    "bounds of fewer nodes": (
        KD,
        both(
            number("_tree.node_bounds", 0, 0.0),
            lambda bundle: bundle.stored.__setitem__(
                "_tree.node_bounds", Stored("F64", (2, 14, 5), bytes(8 * 2 * 14 * 5))
            ),
        ),
        "node_bounds",
    ),
    "no leaf size": (KD, said("KDTree", "leaf_size", 0), "leaf_size"),
    "a matrix for fewer features": (
        BALL,
        lambda bundle: bundle.stored.__setitem__(
            "effective_metric_params_.VI", Stored("F64", (4, 4), bytes(8 * 16))
        ),
        "for 4 features, not 5",
    ),
    "votes for a class that does not exist": (KD, number("_y", 7, 3), "does not exist"),
    "votes for a class below 0": (KD, number("_y", 7, -1), "does not exist"),
    "fewer votes than samples": (KD, shorter("_y"), "_y"),
    "another number of samples": (KD, said("KNeighborsClassifier", "n_samples_fit_", 49), "size"),
    "features that nobody counted": (
        "KNeighborsClassifier-brute",
        said("KNeighborsClassifier", "n_features_in_", None),
        "n_features_in_",
    ),
    "fewer features than samples have": (
        "KNeighborsClassifier-brute",
        said("KNeighborsClassifier", "n_features_in_", 4),
        "must be 5",
    ),
    "a tree that is searched as another": (
        KD,
        said("KNeighborsClassifier", "_fit_method", "ball_tree"),
        "_fit_method",
    ),
    "fewer weights than samples": (
        "KernelDensity-weighted",
        shorter("tree_.sample_weight"),
        "sample_weight",
    ),
    # Support vectors
    "a support beyond the kernel's columns": (
        "SVC-precomputed",
        number("support_", 3, 48),
        "support above 47",
    ),
    "a negative support": ("SVC-precomputed", number("support_", 3, -1), "below 0"),
    "supports that do not add up": (SVC, number("_n_support", 0, 99), "add up"),
    "a negative number of supports": (SVC, number("_n_support", slice(0, 2), [-5, 35]), "add up"),
    "another kernel than the vectors are for": (
        "SVC-precomputed",
        said("SVC", "kernel", "rbf"),
        "48 rows",
    ),
    "a kernel without vectors": (SVC, said("SVC", "kernel", "precomputed"), "must be empty"),
    "fewer intercepts": (SVC, shorter("_intercept_"), "3 items"),
    "fewer numbers of supports": (SVC, shorter("_n_support"), "3 32-bit items"),
    "fewer coefficients": (SVC, shorter("_dual_coef_"), "shape"),
    "fewer vectors": (SVC, shorter("support_vectors_"), "rows"),
    "other classes": (SVC, shorter("classes_"), "size"),
    "fewer class weights": (SVC, shorter("class_weight_"), "size"),
    "more features than vectors have": (SVC, said("SVC", "n_features_in_", 6), "n_features_in_"),
    "probabilities that are not there": (
        "SVC-linear-sparse",
        said("SVC", "_effective_probability", True),
        "_effective_probability",
    ),
    "probabilities of a regressor": (
        "NuSVR-poly-sparse",
        said("NuSVR", "_effective_probability", True),
        "_effective_probability",
    ),
    "probabilities that a regressor would learn": (
        "SVR-rbf",
        said("SVR", "probability", True),
        "must be False",
    ),
    "fewer probabilities": (SPARSE, shorter("_probA"), "must have 1 items"),
    "dense vectors that are said to be sparse": (SVC, said("SVC", "_sparse", True), "_sparse"),
    "a kernel of another size": (
        "SVR-precomputed",
        said("SVR", "n_features_in_", 49),
        "must be 48",
    ),
    # Boosting
    "a column of trees more": (
        "GradientBoostingClassifier-binary",
        both(
            said("GradientBoostingClassifier", "width", 2),
            said("GradientBoostingClassifier", "n_trees_per_iteration_", 2),
            said("GradientBoostingClassifier", "n_estimators_", 2),
            number("train_score_", 0, 0.0),
            shorter("train_score_"),
            shorter("train_score_"),
        ),
        "must have 1 trees a stage",
    ),
    "another number of columns": (GB, said("GradientBoostingClassifier", "width", 5), "rows of 5"),
    "columns of fewer classes": (
        GB,
        said("GradientBoostingClassifier", "n_trees_per_iteration_", 2),
        "size",
    ),
    "a loss for fewer classes": (GB, said("HalfMultinomialLoss", "n_classes", 2), "3 classes"),
    "an initial estimator for fewer classes": (
        GB,
        both(
            shorter("init_.class_prior_"),
            shorter("init_.classes_"),
            said("DummyClassifier", "n_classes_", 2),
        ),
        "must be 3",
    ),
    "trees of more features": (
        GB,
        said("GradientBoostingClassifier", "n_features_in_", 4),
        "features",
    ),
    # Histogram trees
    "a child that is its parent": (HGB, HGB_NODES(0, "left", 0), "behind its parent"),
    "a child in another tree": (HGB, HGB_NODES(0, "right", 60), "behind its parent"),
    "a child far away": (HGB, HGB_NODES(0, "left", 2**32 - 1), "behind its parent"),
    "a child of two parents": (HGB, HGB_NODES(0, "right", 1), "exactly one parent"),
    "a leaf that has children": (HGB, HGB_NODES(0, "is_leaf", 1), "exactly one parent"),
    "an inner node without children": (HGB, HGB_NODES(-1, "is_leaf", 0), "behind its parent"),
    "a flag that is neither": (HGB, HGB_NODES(0, "is_leaf", 2), "neither 0 nor 1"),
    "a feature that does not exist": (HGB, HGB_NODES(0, "feature_idx", 4), "outside 0 to 3"),
    "a negative feature": (HGB, HGB_NODES(0, "feature_idx", -1), "outside 0 to 3"),
    "categories of numbers": (
        "HistGradientBoostingClassifier-plain",
        HGB_NODES(0, "is_categorical", 1),
        "has none",
    ),
    "a bit set that does not exist": (
        HGB,
        both(HGB_NODES(slice(None), "is_categorical", 1), HGB_NODES(slice(None), "feature_idx", 0)),
        "bit set",
    ),
    "trees of another number of nodes": (HGB, number("_predictors.counts", 0, 8), "U8"),
    "a tree without nodes": (HGB, number("_predictors.counts", 0, 0), "outside 1"),
    "another number of trees an iteration": (
        HGB,
        said("HistGradientBoostingClassifier", "width", 9),
        "_predictors",
    ),
    "bins of fewer features": (
        HGB,
        shorter("_bin_mapper.is_categorical_"),
        "_bin_mapper",
    ),
    "categories beyond a bit set": (
        HGB,
        number("_bin_mapper.bin_thresholds_.0", 2, 256.0),
        "must number categories",
    ),
    "categories of a number": (
        HGB,
        number("_bin_mapper.is_categorical_", 3, 1),
        "must put categories first",
    ),
    "no encoder of categories": (
        HGB,
        said("HistGradientBoostingClassifier", "_preprocessor", None),
        "_preprocessor",
    ),
    "an encoder of other columns": (
        HGB,
        number("is_categorical_", slice(0, 2), [True, False]),
        "other columns",
    ),
    "more categories than are encoded": (
        HGB,
        number("is_categorical_", 0, True),
        "must put categories first",
    ),
    "an encoder that drops columns": (
        HGB,
        number("_preprocessor._columns.1", 0, False),
        "_preprocessor",
    ),
    "more features than trees know": (
        "HistGradientBoostingClassifier-plain",
        said("HistGradientBoostingClassifier", "n_features_in_", 6),
        "size",
    ),
}


def load(bundle: MemoryBundle) -> Any:
    return adapter.load(bundle)  # type: ignore[arg-type]


@functools.cache
def valid(case: str) -> MemoryBundle:
    bundle = in_memory(adapter.save(CASES[case]().model))
    load(bundle)
    return bundle


def attacked(bundle: MemoryBundle, change: Change) -> MemoryBundle:
    """A copy of a valid bundle with a change, made canonical again."""
    hostile = MemoryBundle(
        copy.deepcopy(bundle.architecture), dict(bundle.stored), bundle.libraries
    )
    change(hostile)
    graph = hostile.architecture["graph"]
    graph["nodes"] = renumber(graph["root"], graph["nodes"])
    used = repr(graph["nodes"])
    kept = {name: one for name, one in hostile.stored.items() if repr(name) in used}
    return MemoryBundle(hostile.architecture, kept, hostile.libraries)


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_that_compiled_code_trusts_are_checked(name: str) -> None:
    case, change, message = REFUSED[name]
    with pytest.raises(ArchitectureError) as caught:
        load(attacked(valid(case), change))
    assert message in str(caught.value)


# Relations between objects


@pytest.mark.parametrize("rows", [1, 2])
def test_an_initial_estimator_is_asked_how_many_columns_it_predicts(rows: int) -> None:
    init = linear_model.LogisticRegression()
    model = ensemble.GradientBoostingClassifier(n_estimators=2, init=init).fit(X, Y3)
    model.init_.coef_, model.init_.intercept_ = model.init_.coef_[:rows], np.zeros(rows)
    with pytest.raises((ArchitectureError, UnsavableError), match=r"init_|rebuilt|rows"):
        load(in_memory(adapter.save(model)))


def test_an_initial_regressor_has_one_output() -> None:
    init = linear_model.LinearRegression()
    model = ensemble.GradientBoostingRegressor(n_estimators=2, init=init).fit(X, YREG)
    model.init_.coef_, model.init_.intercept_ = np.ones((2, 5)), np.zeros(2)
    with pytest.raises(ArchitectureError, match="init_ predicts"):
        load(in_memory(adapter.save(model)))


def test_kernels_that_double_without_end_are_refused() -> None:
    kernel: Any = kernels.RBF()
    for _ in range(40):
        kernel = kernels.Sum(kernel, kernel)
    with pytest.raises(UnsavableError, match="in one another"):
        adapter.save(GaussianProcessRegressor(kernel))


def _distance(first: Any, second: Any) -> float:
    return float(np.abs(first - second).sum())


@pytest.mark.parametrize(
    "model",
    [
        neighbors.NearestNeighbors(metric=lambda a, b: 0.0).fit(X),
        neighbors.BallTree(X, metric=_distance),
        neighbors.KNeighborsClassifier(weights=np.sign).fit(X, Y2),
        svm.SVC(kernel=lambda a, b: a @ b.T).fit(X, Y2),
        GaussianProcessRegressor(kernels.PairwiseKernel(metric=_distance)),
        GaussianProcessRegressor(optimizer=lambda *given: None),
    ],
    ids=["metric", "tree", "weights", "kernel", "pairwise", "optimizer"],
)
def test_code_in_metrics_and_kernels_is_refused(model: Any) -> None:
    with pytest.raises(UnsavableError) as caught:
        adapter.save(model)
    assert caught.value.hint


def test_live_models_that_would_crash_are_not_saved() -> None:
    model = svm.SVC(kernel="precomputed").fit(X @ X.T, Y2)
    model.support_[0] = 10**6
    with pytest.raises(UnsavableError, match="support above"):
        adapter.save(model)
    boosted = ensemble.HistGradientBoostingRegressor(max_iter=1, min_samples_leaf=4).fit(X, YREG)
    boosted._predictors[0][0].nodes["left"][0] = 0
    with pytest.raises(UnsavableError, match="behind its parent"):
        adapter.save(boosted)


# What must stay as it was


def again(model: Any) -> Any:
    return load(in_memory(adapter.save(model)))


def test_boosted_trees_lie_in_few_tensors_however_many_there_are() -> None:
    for kind in (ensemble.GradientBoostingClassifier, ensemble.HistGradientBoostingClassifier):
        count = "n_estimators" if "Hist" not in kind.__name__ else "max_iter"
        sizes = {
            len(adapter.save(kind(random_state=0, **{count: turns}).fit(X, Y3)).tensors)
            for turns in (1, 5)
        }
        assert len(sizes) == 1


def test_boosted_trees_and_their_ensemble_share_one_random_state() -> None:
    model = ensemble.GradientBoostingClassifier(n_estimators=3, random_state=4).fit(X, Y3)
    copied = again(model)
    states = {id(tree.random_state) for tree in copied.estimators_.ravel()}
    assert states == {id(copied._rng)}
    assert copied.estimators_.shape == model.estimators_.shape
    model.estimators_[1, 1].random_state = 3  # one of its own: stored tree by tree
    architecture: Any = adapter.save(model).architecture
    assert not any("trees" in node for node in architecture["graph"]["nodes"])
    assert again(model).estimators_[1, 1].random_state == 3


def test_histogram_trees_that_are_shared_are_stored_alone() -> None:
    model = ensemble.HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=4).fit(X, YREG)
    model._predictors[2] = model._predictors[0]
    architecture: Any = adapter.save(model).architecture
    assert not any("predictors" in node for node in architecture["graph"]["nodes"])
    copied = again(model)
    assert copied._predictors[2] is copied._predictors[0]
    assert (copied.predict(X) == model.predict(X)).all()


def test_methods_that_early_stopping_left_behind_are_not_stored() -> None:
    model = CASES["HistGradientBoostingClassifier-roc"]().model
    assert "_raw_predict" in vars(model)
    copied = again(model)
    assert "_raw_predict" not in vars(copied)
    assert (copied.predict_proba(X) == model.predict_proba(X)).all()


def test_a_tree_looks_at_the_very_samples_of_its_estimator() -> None:
    copied = again(neighbors.NearestNeighbors(algorithm="kd_tree").fit(X))
    assert copied._tree.get_arrays()[0] is copied._fit_X
    tree = neighbors.BallTree(X, leaf_size=3, metric="minkowski", p=3)
    for one, other in zip(tree.query(X, 4), again(tree).query(X, 4), strict=True):
        assert one.tobytes() == other.tobytes()
    assert again(tree).get_tree_stats() == tree.get_tree_stats()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weights", [None, np.ones(3)], ids=["plain", "weighted"])
def test_losses_come_back_with_their_links_and_intervals(name: str, weights: Any) -> None:
    given = {"PinballLoss": {"quantile": 0.2}, "HuberLoss": {"quantile": 0.7, "delta": 0.3}}
    loss = getattr(sklearn_losses, name)(sample_weight=weights, **given.get(name, {}))
    (copied,) = again([loss])
    assert vars(copied).keys() == vars(loss).keys()
    for key, value in vars(loss).items():
        other = vars(copied)[key]
        assert type(other) is type(value)
        if key == "closs":
            assert other.__reduce__()[1] == value.__reduce__()[1]
        elif key != "link":
            assert other == value


def dot(first: Any, second: Any) -> Any:
    return first @ second.T


def test_kernels_of_the_user_are_called_with_the_samples_of_the_fit() -> None:
    model = svm.SVC(kernel=dot).fit(X, Y2)
    allow = [f"{__name__}.dot"]
    bundle = in_memory(adapter.save(model))
    copied: Any = adapter.load(bundle, allow=allow)  # type: ignore[arg-type]
    assert (copied.decision_function(X) == model.decision_function(X)).all()
    hostile = attacked(bundle, shorter("_BaseLibSVM__Xfit"))
    with pytest.raises(ArchitectureError, match="48 rows"):
        adapter.load(hostile, allow=allow)  # type: ignore[arg-type]


def test_support_vectors_share_what_they_shared() -> None:
    model = svm.SVC().fit(X, Y3)
    copied = again(model)
    assert copied._dual_coef_ is copied.dual_coef_
    assert not np.shares_memory(copied.support_, copied._n_support)
