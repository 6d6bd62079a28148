"""State schemas of `sklearn.tree` and of the forests of `sklearn.ensemble`.

Forests call their trees without any check of the input: a tree must have the forest's features.
The nodes themselves are checked where a tree is built (`trees.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import FunctionFor
from safemodel.adapters.sklearn.schema import (
    BOOL,
    CLASS_WEIGHT,
    COUNT,
    LABEL,
    MAX_FEATURES,
    N_JOBS,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Scope,
    Seq,
    Spec,
    SpecError,
    either,
    floats,
    ints,
    one_of,
    optional,
)
from safemodel.adapters.sklearn.trees import TreeObject

_TREE_PARAMS: Final = (
    *("criterion", "splitter", "max_depth", "min_samples_split", "min_samples_leaf", "ccp_alpha"),
    *("min_weight_fraction_leaf", "max_features", "random_state", "max_leaf_nodes"),
    *("min_impurity_decrease", "class_weight", "monotonic_cst"),
)


_TREE: Spec = TreeObject()
_CLASSES: Spec = either(Labels("classes"), Seq(Labels(), "outputs", (list,)))
KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "bootstrap bootstrap_features sparse_output warm_start",
        BOOL,
    ),
    "oob_score": either(BOOL, FunctionFor("metric")),
    "ccp_alpha": NON_NEGATIVE,
    "class_weight": either(
        CLASS_WEIGHT,
        one_of("balanced_subsample"),
        Seq(either(one_of("balanced"), Map(LABEL, REAL))),
    ),
    "contamination": either(one_of("auto"), NON_NEGATIVE),
    "criterion": one_of(
        *("gini", "entropy", "log_loss", "squared_error", "absolute_error", "poisson"),
        "friedman_mse",
    ),
    "splitter": one_of("best", "random"),
    **dict.fromkeys(("max_depth", "max_leaf_nodes"), optional(POSITIVE)),
    "max_features": optional(NON_NEGATIVE, one_of("sqrt", "log2")),
    "max_samples": optional(NON_NEGATIVE, one_of("auto")),
    **dict.fromkeys(
        (
            *("min_samples_split", "min_samples_leaf", "min_weight_fraction_leaf"),
            "min_impurity_decrease",
        ),
        NON_NEGATIVE,
    ),
    "monotonic_cst": optional(Seq(Int(-1, 1)), Array("iuf", (None,), -1, 1)),
    "n_estimators": POSITIVE,
    "n_jobs": N_JOBS,
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "estimator": optional(Estimator()),
    "estimator_params": Seq(one_of(*_TREE_PARAMS), kinds=(tuple,)),
    # What fitting adds
    "classes_": _CLASSES,
    "estimator_": Estimator(),
    "max_features_": POSITIVE,
    "n_classes_": either(Int(1), ints("outputs", low=1), Seq(Int(1), "outputs", (list,))),
    "n_outputs_": Int(1, MAX_FEATURES, "outputs"),
    "tree_": _TREE,
    "oob_score_": REAL,
    "oob_decision_function_": either(floats(None, None), floats(None, None, None)),
    "oob_prediction_": either(floats(None), floats(None, None)),
    "_n_samples": COUNT,
    "_n_samples_bootstrap": optional(COUNT),
    "_sample_weight": optional(floats(None)),
}


def _class_counts(state: Mapping[str, Any]) -> list[int]:
    """Return the number of classes of each output, and check that all attributes agree on it."""
    classes, counts = state["classes_"], state["n_classes_"]
    sizes = [len(one) for one in classes] if isinstance(classes, list) else [len(classes)]
    if np.atleast_1d(np.asarray(counts)).tolist() != sizes:
        raise SpecError("does not fit classes_", ".n_classes_")
    if len(sizes) != state["n_outputs_"]:
        raise SpecError(f"must be {len(sizes)}", ".n_outputs_")
    return sizes


def _one_tree(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare the tree's own numbers with the estimator's."""
    if "tree_" not in state:
        return
    tree, outputs = state["tree_"], int(state["n_outputs_"])
    if tree.n_features != state["n_features_in_"]:
        raise SpecError(f"has {tree.n_features} features", ".tree_")
    counts = _class_counts(state) if "classes_" in state else 1
    if tree.n_outputs != outputs or not np.all(tree.n_classes == counts):
        raise SpecError("has other outputs or classes", ".tree_")


def _all_trees(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare each tree with the forest: they are called without a check."""
    if "estimators_" not in state:
        return
    outputs = int(state["n_outputs_"])
    counts = np.array(_class_counts(state)) if "classes_" in state else 1
    for index, estimator in enumerate(state["estimators_"]):
        tree = vars(estimator).get("tree_")
        if not scope.library.is_tree(type(tree)):
            raise SpecError("is not fitted", f".estimators_[{index}]")
        if tree.n_features != state["n_features_in_"]:
            raise SpecError(f"has {tree.n_features} features", f".estimators_[{index}]")
        if tree.n_outputs != outputs or not np.all(tree.n_classes == counts):
            raise SpecError("has other outputs or classes", f".estimators_[{index}]")


def _isolation(state: Mapping[str, Any], scope: Scope) -> None:
    """Each tree sees the features chosen for it, and has path lengths for each of its nodes."""
    if "estimators_" not in state:
        return
    lists = ("estimators_features_", "_average_path_length_per_tree", "_decision_path_lengths")
    for name in lists:
        if len(state[name]) != len(state["estimators_"]):
            raise SpecError("has not one item a tree", f".{name}")
    width = int(state["_max_features"])
    for index, estimator in enumerate(state["estimators_"]):
        tree = vars(estimator).get("tree_")
        place = f".estimators_[{index}]"
        if not scope.library.is_tree(type(tree)) or tree.n_features != width:
            raise SpecError(f"has not {width} features", place)
        if tree.n_outputs != 1 or tree.n_classes.tolist() != [1]:
            raise SpecError("has other outputs or classes", place)
        if len(state["estimators_features_"][index]) != width:
            raise SpecError(f"has not {width} items", f".estimators_features_[{index}]")
        for name in lists[1:]:
            if len(state[name][index]) != tree.node_count:
                raise SpecError("has not one item a node", f".{name}[{index}]")


_make = table("sklearn.tree._classes", KNOWN)
_GROWING = (
    "criterion max_depth min_samples_split min_samples_leaf min_weight_fraction_leaf max_features"
    " max_leaf_nodes random_state min_impurity_decrease class_weight ccp_alpha monotonic_cst"
)
_FOREST = (
    f"{_GROWING} estimator n_estimators estimator_params bootstrap oob_score n_jobs verbose"
    " warm_start max_samples"
)
_GROWN = "_n_samples n_outputs_ _sample_weight? _n_samples_bootstrap estimator_ estimators_"
_F = "sklearn.ensemble._forest"


def _forest(name: str, tree: str, params: str, fitted: str, **other: Spec) -> Schema:
    same = (("n_features_in_", "features"), ("n_outputs_", "outputs"))
    other["estimator"] = other["estimator_"] = Estimator((tree,))
    other["estimators_"] = Seq(Estimator((tree,), same), kinds=(list,))
    return _make(name, params, f"{_GROWN} {fitted}", _all_trees, within=_F, **other)


SCHEMAS: Final[tuple[Schema, ...]] = (
    *(
        _make(
            name,
            f"{_GROWING} splitter",
            "n_outputs_ classes_ n_classes_ max_features_ tree_",
            _one_tree,
        )
        for name in ("DecisionTreeClassifier", "ExtraTreeClassifier")
    ),
    *(
        _make(
            name,
            f"{_GROWING} splitter",
            # Only the trees of some releases have n_classes_ in a regressor
            "n_outputs_ max_features_ tree_",
            _one_tree,
        )
        for name in ("DecisionTreeRegressor", "ExtraTreeRegressor")
    ),
    *(
        _forest(name, tree, _FOREST, "classes_ n_classes_ oob_decision_function_? oob_score_?")
        for name, tree in (
            ("RandomForestClassifier", "DecisionTreeClassifier"),
            ("ExtraTreesClassifier", "ExtraTreeClassifier"),
        )
    ),
    *(
        _forest(name, tree, _FOREST, "oob_prediction_? oob_score_?")
        for name, tree in (
            ("RandomForestRegressor", "DecisionTreeRegressor"),
            ("ExtraTreesRegressor", "ExtraTreeRegressor"),
        )
    ),
    _forest(
        "RandomTreesEmbedding",
        "ExtraTreeRegressor",
        f"{_FOREST} sparse_output",
        "one_hot_encoder_ _n_features_out",
        one_hot_encoder_=Estimator(("OneHotEncoder",)),
        _n_features_out=Int(0, MAX_UNHELD),  # as many names are made of it
    ),
    _make(
        "IsolationForest",
        f"{_FOREST} contamination bootstrap_features",
        "max_samples_ _n_samples estimator_ _max_samples _max_features _sample_weight?"
        " estimators_ estimators_features_ _seeds _average_path_length_per_tree"
        " _decision_path_lengths offset_",
        _isolation,
        within="sklearn.ensemble._iforest",
        estimator=one_of(None),
        estimator_=Estimator(("ExtraTreeRegressor",)),
        estimators_=Seq(Estimator(("ExtraTreeRegressor",)), kinds=(list,)),
        max_samples_=COUNT,
        _max_samples=COUNT,
        _max_features=POSITIVE,
        estimators_features_=Seq(ints(None, low=0, high="features")),
        _seeds=either(ints(None), Seq(Int())),
        _average_path_length_per_tree=Seq(floats(None)),
        _decision_path_lengths=Seq(either(ints(None), floats(None))),
        offset_=REAL,
    ),
)
