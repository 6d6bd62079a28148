"""The trees of an XGBoost booster as a few arrays: taken apart, and put together again.

All trees of a booster lie in one array a field, one tree after another, so that thousands of trees
are a dozen tensors. What follows from other fields is compared with them and not kept. Whether the
arrays are trees at all is checked in `xgboost_nodes.py`. Knows NumPy and UBJSON.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import SpecError
from safemodel.legacy import ubjson
from safemodel.legacy.ubjson import Typed

Arrays = dict[str, np.ndarray[Any, Any]]

DELETED: Final = 2**31 - 1  # the feature of a node that pruning has left behind
MAX_TREES: Final = 10_000_000

DTYPES: Final = {"l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8", "U": ">u1", "i": ">i1", "I": ">i2"}

# Marker of each field of a tree. Those of VALUES have several numbers a node, or none.
FIELDS: Final = {
    "default_left": "U",
    "left_children": "l",
    "loss_changes": "d",
    "parents": "l",
    "right_children": "l",
    "split_conditions": "d",
    "split_indices": "l",
    "split_type": "U",
    "sum_hessian": "d",
}
VALUES: Final = {"base_weights": "d", "leaf_weights": "d"}
CATEGORIES: Final = {
    "categories": "l",
    "categories_nodes": "l",
    "categories_segments": "L",
    "categories_sizes": "L",
}
_OPTIONAL: Final = {"loss_changes", "sum_hessian", "leaf_weights"}  # for some vector leaves
_PARAMS: Final = {"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"}
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")


def native(array: Typed) -> np.ndarray[Any, Any]:
    """Return an array of a document in the byte order of this machine, read-only or a copy."""
    found = np.frombuffer(array.data, DTYPES[array.marker])
    return found.astype(found.dtype.newbyteorder("<"), copy=found.dtype.itemsize > 1)


def typed(array: np.ndarray[Any, Any], marker: str) -> Typed:
    """Return an array as a document has it."""
    return Typed(marker, np.ascontiguousarray(array, DTYPES[marker]).data.cast("B"))


def number(value: Any, what: str, low: int = 0, high: int = 2**31 - 1) -> int:
    """Return an integer that is written as a string.

    Raises:
        SpecError: it is not, or out of range.
    """
    if type(value) is not str or not _INTEGER.fullmatch(value):
        raise SpecError(f"is {value!r:.60}, and no integer", f".{what}")
    if not low <= int(value) <= high:
        raise SpecError(f"is {value:.60}, not from {low} to {high}", f".{what}")
    return int(value)


# Taking apart


def split(trees: Any, features: int) -> tuple[Arrays, int]:
    """Return the arrays of all trees of a document, and how many numbers a leaf has.

    Only what `join` puts together again is taken: a tree that has more, or says something else
    than its arrays do, is refused.

    Raises:
        SpecError: not trees as XGBoost writes them.
    """
    if type(trees) is not list or len(trees) > MAX_TREES:
        raise SpecError("is no list of trees", ".trees")
    if not trees:
        return {}, 0
    first = trees[0]
    if type(first) is not dict:
        raise SpecError("is no tree", ".trees[0]")
    names = [*FIELDS, *VALUES, *CATEGORIES]
    names = [name for name in names if name in first or name not in _OPTIONAL]
    width = -1
    sizes: dict[str, list[int]] = {name: [] for name in names}
    parts: dict[str, list[Any]] = {name: [] for name in names}
    markers = {**FIELDS, **VALUES, **CATEGORIES}
    known = {*names, "id", "tree_param"}
    for index, tree in enumerate(trees):
        try:
            found = _params(tree, index, known, features)
            width = found if width < 0 else width
            if found != width:
                raise SpecError("has leaves of another size than the others", ".size_leaf_vector")
            for name in names:
                array = tree[name]
                if type(array) is not Typed or array.marker != markers[name]:
                    array = from_json(array, name, markers[name])
                parts[name].append(array.data)
                sizes[name].append(len(array))
        except SpecError as error:
            raise error.below(f".trees[{index}]") from None
    arrays = {name: native(Typed(markers[name], b"".join(parts[name]))) for name in names}
    _same_sizes(trees, sizes)
    arrays["nodes"] = np.array(sizes["left_children"], "<i4")
    _drop_derived(trees, arrays, sizes)
    return arrays, width


def _params(tree: Any, index: int, known: set[str], features: int) -> int:
    if type(tree) is not dict or tree.keys() != known:
        raise SpecError("has other fields than trees have")
    params = tree["tree_param"]
    if type(params) is not dict or params.keys() != _PARAMS:
        raise SpecError("has other fields than trees have", ".tree_param")
    if tree["id"] != index or type(tree["id"]) is not int:
        raise SpecError("is not its place", ".id")
    number(params["num_feature"], "num_feature", features, features)
    return number(params["size_leaf_vector"], "size_leaf_vector")


def from_json(array: Any, name: str, marker: str) -> Typed:
    """Return an array that was written as text."""
    if type(array) is not list or any(type(item) not in (int, float, bool) for item in array):
        raise SpecError("is no array of numbers", f".{name}")
    kind = np.dtype(DTYPES[marker])
    if kind.kind in "iu":
        ends = np.iinfo(kind)
        if any(type(item) is float or not ends.min <= item <= ends.max for item in array):
            raise SpecError("is no array of integers", f".{name}")
    with np.errstate(over="ignore"):
        return Typed(marker, np.array(array, kind).data.cast("B"))


def _same_sizes(trees: Any, sizes: Mapping[str, list[int]]) -> None:
    """Compare the sizes of the fields with what each tree says of itself."""
    nodes = sizes["left_children"]
    for index, tree in enumerate(trees):
        number(tree["tree_param"]["num_nodes"], "num_nodes", nodes[index], nodes[index])
    for name in FIELDS:
        if name in sizes and sizes[name] != nodes:
            raise SpecError("has not one number a node", f".{name}")


def _drop_derived(trees: Any, arrays: Arrays, sizes: Mapping[str, list[int]]) -> None:
    """Compare what follows from other fields with them, and forget it."""
    counts = arrays["nodes"]
    derived = Derived(arrays, counts)
    for name in ("categories_nodes", "categories_segments"):
        if not np.array_equal(arrays.pop(name), getattr(derived, name)):
            raise SpecError("does not fit the other fields", f".{name}")
    for name, found in (
        ("categories_nodes", derived.per_tree),
        ("categories_sizes", derived.per_tree),
        ("categories", derived.numbers_per_tree),
    ):
        if sizes[name] != found.tolist():
            raise SpecError("does not fit the other fields", f".{name}")
    deleted = derived.deleted.tolist()
    for index, tree in enumerate(trees):
        given = tree["tree_param"]["num_deleted"]
        number(given, "num_deleted", deleted[index], deleted[index])
    for name in VALUES:
        if name in sizes and sizes[name] != widths(name, arrays, counts).tolist():
            raise SpecError("has another size than it must have", f".{name}")


class Derived:
    """What follows from the arrays of all trees."""

    def __init__(self, arrays: Arrays, counts: np.ndarray[Any, Any]) -> None:
        starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        with_categories = np.flatnonzero(arrays["split_type"])
        self.per_tree = np.diff(np.searchsorted(with_categories, starts))
        tree = np.repeat(np.arange(len(counts)), self.per_tree)
        sizes = arrays["categories_sizes"]
        if len(sizes) != len(with_categories):
            raise SpecError("has not one number for each split on categories", ".categories_sizes")
        if len(sizes) and sizes.min() < 1:
            raise SpecError("has no categories for a split on them", ".categories_sizes")
        ends = np.cumsum(sizes, dtype=np.int64)
        if (ends[-1] if len(ends) else 0) != len(arrays["categories"]) or (sizes > 1 << 31).any():
            raise SpecError("has not as many as the splits say", ".categories")
        self.ends = ends
        bounds = np.concatenate(([0], ends))[np.searchsorted(with_categories, starts)]
        self.numbers_per_tree = np.diff(bounds)
        self.categories_nodes = (with_categories - starts[tree]).astype("<i4")
        self.categories_segments = ends - sizes - bounds[tree]
        gone = np.flatnonzero(arrays["split_indices"] == DELETED)
        self.deleted = np.diff(np.searchsorted(gone, starts))
        self.starts = starts


def widths(name: str, arrays: Arrays, counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return how many numbers each tree has in a field with several a node or a leaf."""
    holders = counts.astype(np.int64)
    if name == "leaf_weights":
        starts = np.cumsum(holders) - holders
        holders = np.add.reduceat(arrays["left_children"] == -1, starts).astype(np.int64)
    total, size = int(holders.sum()), len(arrays[name])
    if size % max(total, 1) or not size:
        raise SpecError("has another size than it must have", f".{name}")
    return holders * (size // total)


# Putting together


def join(arrays: Arrays, features: int, leaf_size: int) -> ubjson.Written:
    """Return the list of trees of a document, from arrays that were checked.

    Pieces are made when they are joined: as long as they all exist, Python's garbage collector
    goes through them again and again, which took more time than all the rest.
    """
    if "nodes" not in arrays:
        return ubjson.Written([ubjson.list_head(0)])
    counts = arrays["nodes"]
    derived = Derived(arrays, counts)
    sizes: dict[str, Any] = dict.fromkeys((name for name in FIELDS if name in arrays), counts)
    sizes.update({name: widths(name, arrays, counts) for name in VALUES if name in arrays})
    sizes.update(dict.fromkeys(("categories_nodes", "categories_segments"), derived.per_tree))
    sizes.update(categories=derived.numbers_per_tree, categories_sizes=derived.per_tree)
    markers = {**FIELDS, **VALUES, **CATEGORIES}
    columns: list[Iterable[Any]] = [itertools.repeat(b"{", len(counts))]
    for name in sorted((*sizes, "id", "tree_param")):
        if name == "id":
            columns.append(map(_id, range(len(counts))))
        elif name == "tree_param":
            columns.append(_tree_params(counts, derived.deleted, features, leaf_size))
        else:
            array = arrays[name] if name in arrays else getattr(derived, name)
            columns.extend(_column(name, markers[name], array, np.asarray(sizes[name])))
    columns.append(itertools.repeat(b"}", len(counts)))
    documents = map(b"".join, zip(*columns, strict=True))
    return ubjson.Written([ubjson.list_head(len(counts)), *documents])


def _column(
    name: str, marker: str, array: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any]
) -> tuple[Iterable[bytes], Iterable[memoryview | bytes]]:
    """Return the head and the bytes of one field, for each tree."""
    data = typed(array, marker).data
    key = ubjson.text(name) + ubjson.array_head(marker, 0)[:-8]
    counts = sizes.tolist()
    heads = {size: key + struct.pack(">q", size) for size in set(counts)}
    ends = (np.cumsum(sizes, dtype=np.int64) * ubjson.SIZES[marker]).tolist()
    slices = map(slice, [0, *ends[:-1]], ends)
    return map(heads.__getitem__, counts), map(data.__getitem__, slices)


_ID: Final = ubjson.text("id")


def _id(index: int) -> bytes:
    return _ID + ubjson.scalar(index)


def _tree_params(
    counts: np.ndarray[Any, Any], deleted: np.ndarray[Any, Any], features: int, leaf_size: int
) -> list[bytes]:
    made: dict[tuple[int, int], bytes] = {}
    found = []
    for key in zip(counts.tolist(), deleted.tolist(), strict=True):
        if key not in made:
            params = {"num_deleted": str(key[1]), "num_feature": str(features)}
            params |= {"num_nodes": str(key[0]), "size_leaf_vector": str(leaf_size)}
            pieces: list[bytes | memoryview] = [ubjson.text("tree_param")]
            ubjson.write(params, pieces)
            made[key] = b"".join(pieces)
        found.append(made[key])
    return found
