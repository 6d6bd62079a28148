"""Whether the arrays of an XGBoost booster are trees, for all trees at once.

XGBoost's own reader believes every index: a child or feature out of range is a wild read in
predict, a node that is its own child an endless loop, a parent out of range a crash at load, and a
tree deeper than the stack one in `get_dump`. Knows NumPy only.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import xgboost_trees as trees
from safemodel.adapters.sklearn.scope import SpecError

# XGBoost keeps categories as floats, and takes no larger ones
_MAX_CATEGORY: Final = 1 << 24

# get_dump goes down by recursion: a path of 1,000 nodes is too much for a stack of 1 MiB, one of
# 2,000 for 8 MiB
_MAX_DEPTH: Final = 512


def check(arrays: trees.Arrays, features: int, leaf_size: int) -> int:
    """Check the arrays of all trees; return how many bytes XGBoost makes of their categories.

    Raises:
        SpecError: something that compiled code would follow out of the model, or for ever.
    """
    counts = arrays["nodes"]
    if not len(counts) or counts.min() < 1:
        raise SpecError("has trees without nodes", ".nodes")
    total = int(counts.sum(dtype=np.int64))
    for name in trees.FIELDS:
        if name in arrays and len(arrays[name]) != total:
            raise SpecError(f"has not {total} items", f".{name}")
    for name in ("default_left", "split_type"):
        if arrays[name].max() > 1:
            raise SpecError("has items above 1", f".{name}")
    derived = trees.Derived(arrays, counts)
    _check_structure(arrays, counts, derived.starts[:-1], leaf_size)
    splits = arrays["split_indices"]
    gone = splits == trees.DELETED
    if splits.min() < 0 or (splits[~gone] >= features).any():
        raise SpecError(f"names a feature that is not among {features}", ".split_indices")
    if (arrays["default_left"][gone] != 1).any():
        raise SpecError("is not what deleted nodes have", ".default_left")
    _check_weights(arrays, counts, leaf_size)
    return _check_categories(arrays["categories"], derived)


def _check_structure(
    arrays: trees.Arrays,
    counts: np.ndarray[Any, Any],
    starts: np.ndarray[Any, Any],
    leaf_size: int,
) -> None:
    """Check that every tree is one: each node is reached from its root, and from one parent."""
    left, right, parents = (arrays[f"{k}"] for k in ("left_children", "right_children", "parents"))
    # As unsigned numbers, negative ones are beyond every size
    sizes = np.repeat(counts, counts).view("<u4")
    gone = arrays["split_indices"] == trees.DELETED
    inner = left != -1
    for name, children in (("left_children", left), ("right_children", right)):
        bad = (children.view("<u4") >= sizes) | (children == 0)
        if (bad & inner).any():
            raise SpecError("names a child that is no node of its tree", f".{name}")
    if (gone & inner).any() or gone[starts].any():
        raise SpecError("deletes a node that has children or none above it", ".split_indices")
    placed = leaf_size > 1 and "leaf_weights" in arrays
    if not placed and not np.array_equal(right != -1, inner):
        raise SpecError("has a right child where there is no left one", ".right_children")
    if not np.isin(parents[starts], (-1, 2**31 - 1)).all():
        raise SpecError("has a root below another node", ".parents")
    if np.count_nonzero(parents.view("<u4") >= sizes) != len(starts):  # the roots
        raise SpecError("names a parent that is no node of its tree", ".parents")
    _check_paths(arrays, starts, len(left) - int(gone.sum()))


def _check_paths(arrays: trees.Arrays, roots: np.ndarray[Any, Any], expected: int) -> None:
    """Go down all trees at once, level by level: every node is met, and none twice.

    Two nodes can't have a child in common, for it names one parent only; both children of a node
    may be the same, and then fewer are met than there are.
    """
    left, right, parents = (arrays[f"{k}"] for k in ("left_children", "right_children", "parents"))
    level, start, reached = roots, roots, 0
    for _ in range(_MAX_DEPTH):
        reached += len(level)
        inner = left[level] != -1
        level, start = level[inner], start[inner]
        if reached > expected or not len(level):
            break
        below = start + left[level], start + right[level]
        for name, children in zip(("left_children", "right_children"), below, strict=True):
            if (parents[children] != level - start).any():
                raise SpecError("has a child that names another parent", f".{name}")
        if (below[0] == below[1]).any():
            raise SpecError("has a node twice", ".left_children")
        level, start = np.concatenate(below), np.concatenate((start, start))
    else:
        raise SpecError(f"has trees of more than {_MAX_DEPTH} levels", ".left_children")
    if reached != expected:
        raise SpecError("has nodes that no path leads to", ".left_children")


def _check_weights(arrays: trees.Arrays, counts: np.ndarray[Any, Any], leaf_size: int) -> None:
    widths = {name: trees.widths(name, arrays, counts) for name in trees.VALUES if name in arrays}
    per_node = int(widths["base_weights"][0]) // int(counts[0])
    if leaf_size <= 1:
        if per_node != 1 or "leaf_weights" in arrays or "sum_hessian" not in arrays:
            raise SpecError("has not one number a node", ".base_weights")
        return
    if "leaf_weights" not in arrays:
        if per_node != leaf_size:
            raise SpecError(f"has not {leaf_size} numbers a node", ".base_weights")
        return
    leaves = arrays["left_children"] == -1
    starts = np.cumsum(counts, dtype=np.int64) - counts
    per_tree = np.add.reduceat(leaves, starts).astype(np.int64)
    if int(widths["leaf_weights"][0]) != leaf_size * int(per_tree[0]):
        raise SpecError(f"has not {leaf_size} numbers a leaf", ".leaf_weights")
    # The right child of a leaf is its place among the weights of leaves
    places = arrays["right_children"][leaves]
    tree = np.repeat(np.arange(len(counts)), per_tree)
    if (places < 0).any() or (places >= per_tree[tree]).any():
        raise SpecError("names a weight that no leaf has", ".right_children")
    seen = np.cumsum(per_tree)[tree] - per_tree[tree] + places
    if (np.bincount(seen, minlength=len(seen)) != 1).any():
        raise SpecError("has the weight of a leaf twice", ".right_children")


def _check_categories(categories: np.ndarray[Any, Any], derived: trees.Derived) -> int:
    """Check the categories of each split, which XGBoost makes a set of bits of."""
    if not len(categories):
        return 0
    if categories.min() < 0 or categories.max() >= _MAX_CATEGORY:
        raise SpecError(f"has items outside 0 to {_MAX_CATEGORY - 1}", ".categories")
    growing = np.diff(categories.astype(np.int64)) > 0
    growing[derived.ends[:-1] - 1] = True  # a new split begins anew
    if not growing.all():
        raise SpecError("is not in order", ".categories")
    return int((categories[derived.ends - 1] // 32 + 1).sum(dtype=np.int64)) * 4
