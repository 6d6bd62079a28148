"""State schemas of `sklearn.neighbors`, and of the imputer that is built on it.

Compiled code counts votes by the numbers in `_y` and pairs samples column by column: numbers of
classes, samples and features must agree in all places. Trees and metrics are parts (`spatial.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import spatial
from safemodel.adapters.sklearn.pairwise import covariance_rule
from safemodel.adapters.sklearn.parts import FunctionFor, part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    FITTED,
    LABEL,
    N_JOBS,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Rule,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD
from safemodel.adapters.sklearn.sparse import SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Real,
    Scope,
    Seq,
    Spec,
    SpecError,
    describe,
    either,
    floats,
    one_of,
    optional,
)

_NAMES: Final = (
    *("braycurtis", "canberra", "chebyshev", "cityblock", "correlation", "cosine", "dice"),
    *("euclidean", "hamming", "haversine", "infinity", "jaccard", "kulsinski", "l1", "l2"),
    *("mahalanobis", "manhattan", "matching", "minkowski", "nan_euclidean", "p", "precomputed"),
    *("rogerstanimoto", "russellrao", "seuclidean", "sokalmichener", "sokalsneath"),
    *("sqeuclidean", "yule"),
)
_METRIC: Final = either(one_of(*_NAMES), part_kinds(*spatial.METRICS), FunctionFor("distance"))
_WEIGHTS: Final = optional(one_of("uniform", "distance"), FunctionFor("weights"))
_ALGORITHM: Final = one_of("auto", "ball_tree", "kd_tree", "brute")
_TREE: Final = part_kinds("KDTree", "BallTree")
_VECTOR: Final = either(Array("fiu", ("features",)), Seq(REAL, "features"))
_SQUARE: Final = either(
    Array("fiu", ("features", "features")), Seq(Seq(REAL, "features"), "features")
)
_KEYWORDS: Final[Mapping[str, Spec]] = {
    "p": Real(0),
    "w": optional(_VECTOR),
    "V": either(_VECTOR, _SQUARE),
    "VI": _SQUARE,
    "missing_values": REAL,
    "squared": BOOL,
}
_DATA: Final = either(Array("biuf", ("samples", "columns")), SparseMatrix("samples", "columns"))


@dataclass(frozen=True)
class Keywords:
    """A dict of keywords of a metric: scipy trusts the shapes of some of them."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not dict:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        for key, item in value.items():
            if type(key) is not str or key not in _KEYWORDS:
                raise SpecError(f"has {describe(key)}, which no metric here takes")
            try:
                _KEYWORDS[key].check(item, scope)
            except SpecError as error:
                raise error.below(f"[{key!r}]") from None

    def __str__(self) -> str:
        return f"a dict with some of the keys {', '.join(_KEYWORDS)}"


_KNOWN: Final[Mapping[str, Spec]] = {
    **each("breadth_first copy keep_empty_features add_indicator novelty warm_start", BOOL),
    **each("atol rtol tol", NON_NEGATIVE),
    **each("leaf_size max_iter", POSITIVE),
    **each("n_neighbors n_components", optional(POSITIVE)),
    **each("metric effective_metric_", _METRIC),
    "algorithm": _ALGORITHM,
    "metric_params": optional(Keywords()),
    "missing_values": optional(LABEL),
    "mode": one_of("distance", "connectivity"),
    "n_jobs": N_JOBS,
    "p": optional(Real(0)),
    "radius": optional(NON_NEGATIVE),
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "weights": _WEIGHTS,
    # What fitting adds
    "classes_": either(Labels("classes"), Seq(Labels(), "outputs", (list,))),
    "effective_metric_params_": Keywords(),
    "outputs_2d_": BOOL,
    "_fit_X": _DATA,
    "_n_features_out": Int(0, MAX_UNHELD),
    "_fit_method": one_of("ball_tree", "kd_tree", "brute"),
    "_tree": optional(_TREE),
    "n_samples_fit_": Int(1, MAX_UNHELD, "samples"),
    "_y": either(Array("biufc", ("samples",)), Array("biufc", ("samples", None))),
}


def _fitted(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare samples, their tree and the way in which they are searched."""
    if "_fit_X" not in state:
        return
    data, tree = state["_fit_X"], state["_tree"]
    features = state.get("n_features_in_")
    if features is not None and features != data.shape[1]:
        raise SpecError(f"must be {data.shape[1]}", ".n_features_in_")
    if state["metric"] == "precomputed" and data.shape[0] != data.shape[1]:
        raise SpecError("must be square", "._fit_X")
    if tree is None:
        # Where features were not counted, only a tree compares those of the caller's data
        if state["_fit_method"] != "brute" or features is None:
            raise SpecError("is missing", "._tree" if features is not None else ".n_features_in_")
        return
    if (scope.library.part(type(tree)) or spatial.PARTS[0]).name != {
        "kd_tree": "KDTree",
        "ball_tree": "BallTree",
    }.get(state["_fit_method"]):
        raise SpecError("does not fit _fit_method", "._tree")
    if scope.arguments(tree)["data"].shape != data.shape:
        raise SpecError("has other samples than _fit_X", "._tree")


def _votes(state: Mapping[str, Any], scope: Scope) -> None:
    """Compiled code adds each vote to the count of the class that `_y` says."""
    if "_y" not in state:
        return
    target, classes = state["_y"], state["classes_"]
    if target.dtype != np.intp:
        raise SpecError("must hold numbers of classes", "._y")
    many = bool(state["outputs_2d_"])
    if many is not isinstance(classes, list) or target.ndim != 1 + many:
        raise SpecError("does not fit classes_ and _y", ".outputs_2d_")
    if many and target.shape[1] != len(classes):
        raise SpecError(f"must have {len(classes)} columns", "._y")
    counts = [len(one) for one in classes] if many else len(classes)
    if (target < 0).any() or (target >= counts).any():
        raise SpecError("has a class that does not exist", "._y")
    labels = state.get("outlier_label_")
    if labels is not None and len(labels) != (len(classes) if many else 1):
        raise SpecError("must have one label for each output", ".outlier_label_")


def _graph(state: Mapping[str, Any], scope: Scope) -> None:
    if "_fit_X" in state and state["_n_features_out"] != state["n_samples_fit_"]:
        raise SpecError(f"must be {state['n_samples_fit_']}", "._n_features_out")


def _outliers(state: Mapping[str, Any], scope: Scope) -> None:
    if "_fit_X" in state and state["n_neighbors_"] > state["_distances_fit_X_"].shape[1]:
        raise SpecError("is more than there are distances", ".n_neighbors_")


def _density(state: Mapping[str, Any], scope: Scope) -> None:
    if "tree_" not in state:
        return
    if scope.arguments(state["tree_"])["data"].shape[1] != state["n_features_in_"]:
        raise SpecError("has other features", ".tree_")


_make = table("sklearn.neighbors._classification", _KNOWN)
_SEARCH = "n_neighbors radius algorithm leaf_size metric metric_params p n_jobs"
_FOUND = "effective_metric_params_ effective_metric_ _fit_method _fit_X n_samples_fit_ _tree"
# Fitted on other neighbours, an estimator has not counted features
_COMMON: Final = {
    "n_features_in_?": FITTED["n_features_in_"],
    "feature_names_in_?": FITTED["feature_names_in_?"],
    **OUTPUT,
}


def _search(
    name: str, module: str, params: str = "", fitted: str = "", *rules: Rule, **other: Spec
) -> Schema:
    return _make(
        name,
        f"{_SEARCH} {params}",
        f"{_FOUND} {fitted}",
        _fitted,
        covariance_rule,
        *rules,
        private=("_y",) if _votes in rules else (),
        within=f"sklearn.neighbors.{module}",
        common=_COMMON,
        **other,
    )


PARTS = spatial.PARTS
SCHEMAS: Final[tuple[Schema, ...]] = (
    _search("NearestNeighbors", "_unsupervised"),
    _search(
        "KNeighborsClassifier", "_classification", "weights", "outputs_2d_ classes_ _y", _votes
    ),
    _search(
        "RadiusNeighborsClassifier",
        "_classification",
        "weights outlier_label",
        "outputs_2d_ classes_ _y outlier_label_",
        _votes,
        outlier_label=optional(LABEL, Seq(LABEL), Labels()),
        outlier_label_=optional(Seq(LABEL), Labels()),
    ),
    _search("KNeighborsRegressor", "_regression", "weights", "_y"),
    _search("RadiusNeighborsRegressor", "_regression", "weights", "_y"),
    *(
        _search(name, "_graph", "mode", "_n_features_out", _graph)
        for name in ("KNeighborsTransformer", "RadiusNeighborsTransformer")
    ),
    _search(
        "LocalOutlierFactor",
        "_lof",
        "contamination novelty",
        "n_neighbors_ _distances_fit_X_ _lrd negative_outlier_factor_ offset_",
        _outliers,
        contamination=either(one_of("auto"), NON_NEGATIVE),
        n_neighbors_=POSITIVE,
        _distances_fit_X_=floats("samples", None),
        _lrd=floats("samples"),
        negative_outlier_factor_=floats("samples"),
        offset_=REAL,
    ),
    _make(
        "KernelDensity",
        "algorithm bandwidth kernel metric atol rtol breadth_first leaf_size metric_params",
        "bandwidth_ tree_",
        _density,
        within="sklearn.neighbors._kde",
        algorithm=one_of("auto", "ball_tree", "kd_tree"),
        bandwidth=either(NON_NEGATIVE, one_of("scott", "silverman")),
        bandwidth_=NON_NEGATIVE,
        kernel=one_of("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"),
        tree_=_TREE,
    ),
    _make(
        "NearestCentroid",
        "metric shrink_threshold priors",
        "classes_ centroids_ class_prior_? within_class_std_dev_? deviations_?",
        within="sklearn.neighbors._nearest_centroid",
        metric=one_of("euclidean", "manhattan"),
        shrink_threshold=optional(NON_NEGATIVE),
        priors=either(one_of("uniform", "empirical"), Seq(REAL), Array("fiu", (None,))),
        classes_=Labels("classes"),
        centroids_=floats("classes", "features"),
        class_prior_=floats("classes"),
        within_class_std_dev_=floats("features"),
        deviations_=floats("classes", "features"),
    ),
    _make(
        "NeighborhoodComponentsAnalysis",
        "n_components init warm_start max_iter tol callback verbose random_state",
        "random_state_ n_iter_ components_ _n_features_out?",
        within="sklearn.neighbors._nca",
        init=either(one_of("auto", "pca", "lda", "identity", "random"), Array("fiu", (None, None))),
        callback=one_of(None),
        random_state_=RANDOM_STATE,
        n_iter_=COUNT,
        components_=floats("components", "features"),
        _n_features_out=Int(0, MAX_UNHELD, "components"),
    ),
    _make(
        "KNNImputer",
        "missing_values add_indicator keep_empty_features n_neighbors weights metric copy",
        "_fit_X _mask_fit_X _valid_mask indicator_",
        within="sklearn.impute._knn",
        metric=either(one_of("nan_euclidean"), FunctionFor("distance")),
        _fit_X=Array("biuf", ("samples", "features")),
        _mask_fit_X=Array("b", ("samples", "features")),
        _valid_mask=Array("b", ("features",)),
        indicator_=optional(Estimator(("MissingIndicator",), (("n_features_in_", "features"),))),
    ),
)
