"""A text model of LightGBM from checked arrays: the bytes that LightGBM itself writes.

What predictions depend on is written with 17 digits, from which LightGBM gets the very doubles.
What only tells of the training (gains, values of inner nodes) it writes with six, and so do we.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.lightgbm_check import starts_of
from safemodel.adapters.sklearn.lightgbm_model import (
    BOUNDS,
    CATEGORIES,
    LEAVES,
    LINEAR,
    NO_INFO,
    NODES,
    TREES,
    WEIGHTS,
)

_EXACT: Final = frozenset({"threshold", "leaf_value", "leaf_weight"})
_ROUNDED: Final = frozenset({"split_gain", "internal_value", "internal_weight"})
_BEFORE: Final = (
    *("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
    *("leaf_value", "leaf_weight", "leaf_count"),
    *("internal_value", "internal_weight", "internal_count"),
)


def write_model(model: Mapping[str, Any], categories: Any = None) -> str:
    """Write a model that was checked; `categories` are those of pandas."""
    trees = _trees(model)
    lines = [
        *("tree", "version=v4"),
        *(f"num_class={model['classes']}", f"num_tree_per_iteration={model['classes']}"),
        *(f"label_index={model['label']}", f"max_feature_idx={len(model['features']) - 1}"),
    ]
    if model["objective"] is not None:
        lines.append(f"objective={model['objective']}")
    if model["average"]:
        lines.append("average_output")
    lines.append(f"feature_names={' '.join(model['features'])}")
    if len(model["monotone"]):
        lines.append(f"monotone_constraints={' '.join(map(str, model['monotone'].tolist()))}")
    lines.append(f"feature_infos={' '.join(_infos(model))}")
    lines.append(f"tree_sizes={' '.join([str(len(tree)) for tree in trees])}")
    end = ["end of trees", "", "feature_importances:", *_importances(model), ""]
    if model["parameters"]:
        end.append("parameters:")
        end += [f"[{name}: {value}]" for name, value in model["parameters"].items()]
        end += ["", "end of parameters", ""]
    end.append(f"pandas_categorical:{json.dumps(categories, default=_plain)}\n")
    return "\n".join([*lines, "", "".join(trees) + "\n".join(end)])


def _plain(value: Any) -> Any:
    return value.item()  # of a NumPy scalar


def _infos(model: Mapping[str, Any]) -> list[str]:
    bounds = iter(model["info_bounds"].tolist())
    values = iter(model["info_values"].tolist())
    found = []
    for count in model["info_counts"].tolist():
        if count == NO_INFO:
            found.append("none")
        elif count == BOUNDS:
            found.append(f"[{next(bounds):.17g}:{next(bounds):.17g}]")
        else:
            found.append(":".join([str(next(values)) for _ in range(count)]))
    return found


def _importances(model: Mapping[str, Any]) -> list[str]:
    used = model["split_feature"][model["split_gain"] > 0]
    counts = np.bincount(used, minlength=len(model["features"]))
    order = np.argsort(-counts, kind="stable")
    return [f"{model['features'][index]}={counts[index]}" for index in order if counts[index]]


@cache
def _format(item: str, count: int) -> str:
    return " ".join([item] * count)


def _trees(model: Mapping[str, Any]) -> list[str]:
    leaves, categories, linear = (model[name] for name in ("num_leaves", "num_cat", "is_linear"))
    weighted = np.where((leaves == 1) & (linear == 0), 0, leaves)
    lengths = {
        **dict.fromkeys(NODES, leaves - 1),
        **dict.fromkeys(LEAVES, leaves),
        **dict.fromkeys(WEIGHTS, weighted),
        **dict.fromkeys(LINEAR, np.where(linear == 1, leaves, 0)),
        "cat_boundaries": np.where(categories > 0, categories + 1, 0),
    }
    starts = {name: starts_of(length).tolist() for name, length in lengths.items()}
    columns = {name: model[name].tolist() for name in (*starts, *TREES, "cat_threshold")}
    formats = {
        name: "%.17g" if name in _EXACT else "%g" if name in _ROUNDED else "%d" for name in starts
    }
    sets, coefficients = 0, _Coefficients(model)
    found = []
    for index in range(len(leaves)):
        count = columns["num_leaves"][index]
        lines = [f"Tree={index}\nnum_leaves={count}\nnum_cat={columns['num_cat'][index]}"]
        for name in _BEFORE:
            begin, end = starts[name][index : index + 2]
            pattern = _format(formats[name], end - begin)
            lines.append(f"{name}={pattern % tuple(columns[name][begin:end])}")
        if columns["num_cat"][index]:
            begin, end = starts["cat_boundaries"][index : index + 2]
            boundaries = columns["cat_boundaries"][begin:end]
            bits = columns["cat_threshold"][sets : sets + boundaries[-1]]
            sets += boundaries[-1]
            lines.append(f"cat_boundaries={' '.join(map(str, boundaries))}")
            lines.append(f"cat_threshold={' '.join(map(str, bits))}")
        lines.append(f"is_linear={columns['is_linear'][index]}")
        if columns["is_linear"][index]:
            lines += coefficients.lines(*starts["leaf_const"][index : index + 2])
        lines.append(f"shrinkage={columns['shrinkage'][index]:g}\n\n\n")
        found.append("\n".join(lines))
    return found


class _Coefficients:
    """The lines of linear trees."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._constants = model["leaf_const"].tolist()
        self._counts = model["num_features"].tolist()
        self._starts = starts_of(model["num_features"]).tolist()
        self._features = model["leaf_features"].tolist()
        self._factors = model["leaf_coeff"].tolist()

    def lines(self, begin: int, end: int) -> list[str]:
        """Return the lines of the tree with the leaves from `begin` to `end`."""
        constants = _format("%.17g", end - begin) % tuple(self._constants[begin:end])
        counts = " ".join(map(str, self._counts[begin:end]))
        features, factors = [], []
        for leaf in range(begin, end):
            first, last = self._starts[leaf : leaf + 2]
            more = " " if last > first else ""
            features.append(" ".join(map(str, self._features[first:last])) + more)
            factors.append(_format("%.17g", last - first) % tuple(self._factors[first:last]) + more)
        return [
            f"leaf_const={constants}",
            f"num_features={counts}",
            f"leaf_features={''.join([item + ' ' for item in features])}",
            f"leaf_coeff={''.join([item + ' ' for item in factors])}",
        ]


__all__ = ["CATEGORIES", "write_model"]
