"""Relations inside the fitted encoders of `sklearn.preprocessing`.

`OneHotEncoder` writes column numbers straight into a sparse matrix: categories, mappings, dropped
ones and column counts must agree, or its result addresses memory that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from safemodel.adapters.sklearn.spec import Scope, SpecError


def encoder_rule(state: Mapping[str, Any], scope: Scope) -> None:
    """Check categories and the mapping of the infrequent ones."""
    categories = state.get("categories_")
    if categories is None:
        return
    for index, values in enumerate(categories):
        _check_categories(values, f".categories_[{index}]")
    for index, code in state.get("_missing_indices", {}).items():
        if index >= len(categories) or code >= len(categories[index]):
            raise SpecError("is no category", f"._missing_indices[{index}]")
    if not state["_infrequent_enabled"]:
        return
    infrequent = state.get("_infrequent_indices")
    mappings = state.get("_default_to_infrequent_mappings")
    if infrequent is None or mappings is None:
        raise SpecError("is set, but there are no infrequent categories", "._infrequent_enabled")
    for index, (chosen, mapping) in enumerate(zip(infrequent, mappings, strict=True)):
        place = f"._default_to_infrequent_mappings[{index}]"
        if (chosen is None) != (mapping is None):
            raise SpecError("does not fit _infrequent_indices", place)
        if mapping is not None:
            _check_mapping(len(categories[index]), chosen, mapping, place)


def _check_categories(values: Any, place: str) -> None:
    if values.dtype.kind in "OUS":
        items = values.tolist()
        # NaN is not equal to itself: by identity one is one
        if len(set(items)) != len(items):
            raise SpecError("has a category twice", place)
        return
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if len(values) - len(known) > 1 or (len(known) < len(values) and not np.isnan(values[-1])):
        raise SpecError("has NaN before its end", place)
    if (known[1:] <= known[:-1]).any():
        raise SpecError("does not rise", place)


def _check_mapping(count: int, chosen: Any, mapping: Any, place: str) -> None:
    """Frequent categories keep their order; all infrequent ones share the code behind them."""
    if len(mapping) != count or len(chosen) == 0 or chosen.max() >= count:
        raise SpecError("has not one item a category", place)
    expected = np.full(count, count - len(chosen))
    frequent = np.setdiff1d(np.arange(count), chosen)
    if len(frequent) != count - len(chosen):
        raise SpecError("does not fit _infrequent_indices", place)
    expected[frequent] = np.arange(len(frequent))
    if (mapping != expected).any():
        raise SpecError("does not fit _infrequent_indices", place)


def one_hot_rule(state: Mapping[str, Any], scope: Scope) -> None:
    """Check that each feature has the number of columns that its categories ask for."""
    categories = state.get("categories_")
    if categories is None:
        return
    counts = [len(values) for values in categories]
    if state["_infrequent_enabled"]:
        for index, chosen in enumerate(state["_infrequent_indices"]):
            if chosen is not None:
                counts[index] -= chosen.size - 1
    dropped, original = state["_drop_idx_after_grouping"], state["drop_idx_"]
    if (dropped is None) != (original is None):
        raise SpecError("does not fit _drop_idx_after_grouping", ".drop_idx_")
    for index in range(len(counts) if dropped is not None else 0):
        if (dropped[index] is None) != (original[index] is None):
            raise SpecError("does not fit _drop_idx_after_grouping", f".drop_idx_[{index}]")
        if dropped[index] is None:
            continue
        if dropped[index] >= counts[index]:
            raise SpecError("is no category", f"._drop_idx_after_grouping[{index}]")
        if original[index] >= len(categories[index]):
            raise SpecError("is no category", f".drop_idx_[{index}]")
        counts[index] -= 1
    for index, (columns, count) in enumerate(zip(state["_n_features_outs"], counts, strict=True)):
        if columns != count:
            raise SpecError(f"must be {count}", f"._n_features_outs[{index}]")
