"""The relations inside a model of XGBoost that its compiled code relies on without a look.

Types and ranges of the table are specs (`xgboost_tables.py`), the nodes of trees are checked in
`xgboost_trees.py`; here both are compared with each other and with the other arrays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import xgboost_nodes as nodes
from safemodel.adapters.sklearn import xgboost_trees as trees
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import Array, describe
from safemodel.adapters.sklearn.xgboost_model import CATEGORY_MARKERS
from safemodel.adapters.sklearn.xgboost_strings import decimals

_POSITIONS: Final = {"ti+": "d", "tj-": "d"}
_FOREST: Final = {
    **trees.FIELDS,
    **trees.VALUES,
    "categories": "l",
    "categories_sizes": "L",
    "nodes": "l",
    "tree_info": "l",
    "iteration_indptr": "l",
    "feature_segments": "l",
    "sorted_idx": "l",
}
_ARRAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "gbtree": {**_FOREST, **_POSITIONS},
    "dart": {**_FOREST, **_POSITIONS, "weight_drop": "d"},
    "gblinear": {"weights": "d", **_POSITIONS},
}
# Outputs, and trees a round, that nothing in the model has as many of: training grows a tree each
_MAX_CLAIMED: Final = 100
_OF_TREES: Final = {
    *(*trees.FIELDS, *trees.VALUES, "categories", "categories_sizes", "nodes"),
} - {"loss_changes", "sum_hessian", "leaf_weights"}


@dataclass(frozen=True)
class Column:
    """A one-dimensional array as a document has it: of exactly one data type."""

    marker: str

    def check(self, value: Any, scope: Scope) -> None:
        Array("fiu", (None,)).check(value, scope)
        if value.dtype != np.dtype(trees.DTYPES[self.marker]).newbyteorder("<"):
            raise SpecError(f"is {describe(value)}, but must be {self}")
        scope.audit.look(value.nbytes)

    def __str__(self) -> str:
        return f"an array of {np.dtype(trees.DTYPES[self.marker]).newbyteorder('<')}"


@dataclass(frozen=True)
class Columns:
    """The arrays of a model by name."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not dict:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        known = {**_ARRAYS["dart"], **_ARRAYS["gblinear"]}
        for name, array in value.items():
            if name not in known:
                raise SpecError("is no array that a model has", f"[{name!r:.60}]")
            try:
                Column(known[name]).check(array, scope)
            except SpecError as error:
                raise error.below(f"[{name!r}]") from None

    def __str__(self) -> str:
        return "a dict of arrays"


@dataclass(frozen=True)
class FeatureCategories:
    """The categories of one feature of a data frame: strings one after another, or integers."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is dict and value.keys() == {"offsets", "values"}:
            Column("l").check(value["offsets"], scope)
            Column("i").check(value["values"], scope)
            offsets, size = value["offsets"], len(value["values"])
            if len(offsets) and (
                offsets[0] != 0 or offsets[-1] != size or (np.diff(offsets) < 0).any()
            ):
                raise SpecError(f"does not go up from 0 to {size}", "['offsets']")
            if size and not len(offsets):
                raise SpecError("is empty", "['offsets']")
        elif type(value) is dict and value.keys() == {"type", "values"}:
            kind = value["type"]
            if type(kind) is not int or kind not in CATEGORY_MARKERS:
                raise SpecError(f"is {describe(kind)}, and no type of categories", "['type']")
            Column(CATEGORY_MARKERS[kind]).check(value["values"], scope)
        else:
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return "the categories of a feature"


def check_model(arguments: Mapping[str, Any], scope: Scope) -> None:
    """Compare everything in a model with everything else; specs have passed.

    Raises:
        SpecError: what XGBoost would believe.
    """
    table, arrays = arguments["table"], arguments["arrays"]
    features, groups = _sizes(table["learner_model_param"], scope)
    _check_names(table, features, scope)
    _check_attributes(table["attributes"])
    _check_objective(table["objective"], table["learner_model_param"], arrays)
    booster = table["booster"]
    for name in arrays:
        if name not in _ARRAYS[booster]:
            raise SpecError(f"is no array of {booster}", f".arrays[{name!r}]")
    if booster == "gblinear":
        _check_linear(arguments, features, groups)
    else:
        _check_forest(arguments, features, groups, scope)
    if arguments["config"] is not None:
        _check_config(arguments, features, groups)
    scope.check_unheld()


def _sizes(params: Mapping[str, str], scope: Scope) -> tuple[int, int]:
    features, classes = int(params["num_feature"]), int(params["num_class"])
    targets = int(params.get("num_target", "1"))
    scope.unify("features", features)
    if classes > 1 and targets > 1:
        raise SpecError("has several classes and several targets", ".table.num_target")
    groups = max(classes, targets, 1)
    base = [float(item) for item in decimals(params["base_score"])]
    if len(base) not in (1, groups) or not all(map(math.isfinite, base)):
        raise SpecError("is not one finite number an output", ".table.base_score")
    return features, groups


def _check_names(table: Mapping[str, Any], features: int, scope: Scope) -> None:
    for name in ("feature_names", "feature_types"):
        found = table.get(name, [])
        if len(found) not in (0, features):
            raise SpecError(f"has {len(found)} items for {features} features", f".table.{name}")
        if found:
            scope.hold("features", len(found))


def _check_attributes(attributes: Mapping[str, str]) -> None:
    """XGBoost adds one to the best iteration, and believes that it is not negative then."""
    best = attributes.get("best_iteration")
    if best is not None:
        trees.number(best, "table.attributes['best_iteration']", -1, 2**31 - 2)


def _check_objective(
    objective: Mapping[str, Any], params: Mapping[str, str], arrays: Mapping[str, Any]
) -> None:
    softmax = objective.get("softmax_multiclass_param")
    if softmax is not None and softmax["num_class"] != params["num_class"]:
        raise SpecError("differs from the model's", ".table.objective.num_class")
    alphas = objective.get("quantile_loss_param", {}).get("quantile_alpha")
    if alphas is not None and len(decimals(alphas)) != int(params.get("num_target", "1")):
        raise SpecError("has not one number a target", ".table.objective.quantile_alpha")
    unbiased = objective.get("lambdarank_param", {}).get("lambdarank_unbiased") == "1"
    found = [name for name in _POSITIONS if name in arrays]
    if len(found) != (2 if unbiased else 0):
        raise SpecError("are there, or missing, unlike the objective says", ".arrays['ti+']")
    if unbiased and len(arrays["ti+"]) != len(arrays["tj-"]):
        raise SpecError("has another size than ti+", ".arrays['tj-']")


def _check_linear(arguments: Mapping[str, Any], features: int, groups: int) -> None:
    size = (features + 1) * groups
    # Without any, get_dump of the library reads beyond them
    if len(arguments["arrays"].get("weights", ())) != size:
        raise SpecError(f"has not {size} items", ".arrays['weights']")
    if arguments["categories"] is not None or {"leaf_size", "gbtree_model_param"} & set(
        arguments["table"]
    ):
        raise SpecError("has parameters of trees", ".table")


def _check_forest(arguments: Mapping[str, Any], features: int, groups: int, scope: Scope) -> None:
    table, arrays = arguments["table"], arguments["arrays"]
    if {"leaf_size", "gbtree_model_param"} - set(table) or "boosted_rounds" in table:
        raise SpecError("has not the parameters of trees", ".table")
    leaf_size = table["leaf_size"]
    given = {name for name in arrays if name in _FOREST} & (_OF_TREES | {"leaf_weights"})
    if given and not given >= _OF_TREES:
        raise SpecError("is missing", f".arrays[{min(_OF_TREES - given)!r}]")
    count = len(arrays["nodes"]) if given else 0
    if leaf_size > 1 and leaf_size != groups:
        raise SpecError(f"is not {groups}", ".table.leaf_size")
    if given:
        scope.audit.look(nodes.check(arrays, features, leaf_size))
    _check_layers(arrays, count, 1 if leaf_size > 1 else groups)
    scores = len(decimals(table["learner_model_param"]["base_score"]))
    if groups > max(_MAX_CLAIMED, count, scores, leaf_size):
        raise SpecError(f"says {groups} outputs, and nothing has as many", ".table.num_class")
    if int(table["gbtree_model_param"]["num_parallel_tree"]) > max(_MAX_CLAIMED, count):
        raise SpecError(f"is more than all {count} trees", ".table.num_parallel_tree")
    weights = arrays.get("weight_drop", ())
    if table["booster"] == "dart" and (len(weights) != count or leaf_size > 1):
        raise SpecError(f"has not {count} items", ".arrays['weight_drop']")
    _check_categories(arguments["categories"], arrays, features)


def _check_layers(arrays: Mapping[str, Any], count: int, groups: int) -> None:
    """Check which trees belong to which output and which round."""
    if "tree_info" not in arrays or len(arrays["tree_info"]) != count:
        raise SpecError(f"has not {count} items", ".arrays['tree_info']")
    info = arrays["tree_info"]
    if count and (info.min() < 0 or info.max() >= groups):
        raise SpecError(f"names an output that is not among {groups}", ".arrays['tree_info']")
    rounds = arrays.get("iteration_indptr")
    if rounds is None:  # releases before 2.0: made from tree_info, which must have something
        if not count:
            raise SpecError("is missing", ".arrays['iteration_indptr']")
        return
    if not len(rounds) or rounds[0] != 0 or rounds[-1] != count or (np.diff(rounds) < 0).any():
        raise SpecError(f"does not go up from 0 to {count}", ".arrays['iteration_indptr']")


def _check_categories(
    categories: list[Mapping[str, Any]] | None, arrays: Mapping[str, Any], features: int
) -> None:
    """Check the categories of a data frame: new frames are mapped to them."""
    names = {"feature_segments", "sorted_idx"} & arrays.keys()
    if len(names) != (0 if categories is None else 2):
        raise SpecError("are there, or missing, unlike the categories", ".arrays")
    if categories is None:
        return
    segments, order = arrays["feature_segments"], arrays["sorted_idx"]
    if not categories:
        if len(order) or len(segments) > 1 or segments.any():
            raise SpecError("has items, and no feature has categories", ".arrays['sorted_idx']")
        return
    sizes = [
        len(one["values"]) if "type" in one else max(len(one["offsets"]) - 1, 0)
        for one in categories
    ]
    ends = np.cumsum([0, *sizes], dtype=np.int64)
    if len(sizes) != features or not np.array_equal(segments, ends):
        raise SpecError("does not fit the categories", ".arrays['feature_segments']")
    if len(order) != ends[-1]:
        raise SpecError("does not fit the categories", ".arrays['sorted_idx']")
    feature = np.repeat(np.arange(features), sizes)
    if (order < 0).any() or (order >= np.array(sizes)[feature]).any():
        raise SpecError("names a category that is not there", ".arrays['sorted_idx']")
    if len(order) and (np.bincount(order + ends[feature]) != 1).any():
        raise SpecError("names a category twice", ".arrays['sorted_idx']")


def _check_config(arguments: Mapping[str, Any], features: int, groups: int) -> None:
    config, table = arguments["config"], arguments["table"]
    booster, train = config["gradient_booster"], config["learner_train_param"]
    if not booster["name"] == table["booster"] == train["booster"]:
        raise SpecError("is not the booster of the model", ".config.gradient_booster")
    name = table["objective"]["name"]
    # One is the old name of the other, and stays the name in one of the places
    if train["objective"] != name and (train["objective"], name) != (
        "reg:linear",
        "reg:squarederror",
    ):
        raise SpecError("is not the objective of the model", ".config.objective")
    vectors = train.get("multi_strategy") == "multi_output_tree" and groups > 1
    if vectors and table["booster"] == "gbtree" and table["leaf_size"] == 1:
        raise SpecError("has a strategy that its trees do not have", ".config.multi_strategy")
    for params in _tree_params(booster):
        _check_constraints(params, features)


def _tree_params(booster: Mapping[str, Any]) -> list[Mapping[str, str]]:
    booster = booster.get("gbtree", booster)
    found = [booster["tree_train_param"]] if "tree_train_param" in booster else []
    updaters = booster["updater"]
    for one in updaters.values() if type(updaters) is dict else updaters:
        if "train_param" in one:
            found.append(one["train_param"])
    return found


def _check_constraints(params: Mapping[str, str], features: int) -> None:
    monotone = params.get("monotone_constraints", "()")
    if monotone.count(",") >= features and monotone != "(,)":
        raise SpecError(f"has more than {features} items", ".config.monotone_constraints")
    interaction = params.get("interaction_constraints", "")
    if not interaction:
        return
    try:
        groups = json.loads(interaction)
        indices = [index for group in groups for index in group]
    except (ValueError, TypeError, RecursionError):
        raise SpecError("is no list of lists", ".config.interaction_constraints") from None
    if any(type(index) is not int or not 0 <= index < features for index in indices):
        raise SpecError(
            f"names a feature that is not among {features}", ".config.interaction_constraints"
        )
