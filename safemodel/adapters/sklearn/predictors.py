"""The trees of histogram-based gradient boosting: their nodes audited, and all in few tensors.

A model has thousands of small trees: their nodes lie in one tensor, one tree after another, and so
do the bit sets of their categorical splits. Predicting follows children, features and bit sets
without a look: a child that is its own parent never ended, a feature out of range read wild memory.

Field `predictors` of an estimator: `width`, trees an iteration; tensors `counts` and `splits` (I64,
nodes and categorical splits of each tree), `nodes` (U8 [nodes, 56]), `binned` and `raw` (U32
[splits, 8]). Implements spec/sklearn.md, "Histogram trees".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.graph_decode import Decoder, integer
from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.adapters.sklearn.parts import Part, attributes
from safemodel.adapters.sklearn.schema import MAX_FEATURES
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import Array
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.adapters.sklearn.library import Library
    from safemodel.format.canonical_json import JsonValue

NODE: Final = np.dtype(
    [
        ("value", "<f8"),
        ("count", "<u4"),
        ("feature_idx", "<i8"),
        ("num_threshold", "<f8"),
        ("missing_go_to_left", "u1"),
        ("left", "<u4"),
        ("right", "<u4"),
        ("gain", "<f8"),
        ("depth", "<u4"),
        ("is_leaf", "u1"),
        ("bin_threshold", "u1"),
        ("is_categorical", "u1"),
        ("bitset_idx", "<u4"),
    ]
)
WORDS: Final = 8  # 32-bit words of a bit set: one bit for each of 256 bins
ARRAYS: Final = ("nodes", "binned_left_cat_bitsets", "raw_left_cat_bitsets")
_MODULE: Final = "sklearn.ensemble._hist_gradient_boosting.predictor"
_FIELDS: Final = frozenset({"width", "counts", "splits", "nodes", "binned", "raw"})


def _check(arguments: Mapping[str, Any], scope: Scope) -> None:
    """Check the arrays of one tree: their types, which its compiled code relies on."""
    nodes, *sets = (arguments[name] for name in ARRAYS)
    if nodes.dtype != NODE or len(nodes) == 0:
        raise SpecError("must be nodes of such trees", f".{ARRAYS[0]}")
    for name, array in zip(ARRAYS[1:], sets, strict=True):
        if array.dtype != np.uint32 or array.shape != (len(sets[0]), WORDS):
            raise SpecError(f"must be bit sets of {WORDS} words", f".{name}")


def _build(kind: Any, **arguments: Any) -> Any:
    # Compiled code follows them: nobody else shall change them
    return kind(**{name: array.copy() for name, array in arguments.items()})


PREDICTOR: Final = Part(
    _MODULE,
    "TreePredictor",
    {
        "nodes": Array("V", (None,)),
        "binned_left_cat_bitsets": Array("u", (None, WORDS)),
        "raw_left_cat_bitsets": Array("u", (None, WORDS)),
    },
    attributes,
    _build,
    check_more=_check,
)


def audit(predictors: Sequence[Mapping[str, Any]], features: int, is_categorical: Any) -> None:
    """Check the nodes of all trees at once; `is_categorical` has a flag for each feature.

    Raises:
        SpecError: a path could leave its tree, its input or its bit sets, or never end.
    """
    counts = np.array([len(one["nodes"]) for one in predictors])
    splits = np.array([len(one["raw_left_cat_bitsets"]) for one in predictors])
    nodes = np.concatenate([one["nodes"] for one in predictors])
    starts = np.cumsum(counts) - counts
    first = np.repeat(starts, counts)
    for name in ("is_leaf", "is_categorical", "missing_go_to_left"):
        if nodes[name].max() > 1:
            raise SpecError(f"has a node whose {name} is neither 0 nor 1")
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    seen = np.zeros(len(nodes), dtype=np.intp)
    ends = np.repeat(starts + counts, counts)[inner]
    for side in ("left", "right"):
        children = first[inner] + nodes[side][inner].astype(np.int64)
        if (children <= inner).any() or (children >= ends).any():
            raise SpecError("has a child that is not behind its parent")
        seen += np.bincount(children, minlength=len(nodes))
    seen[starts] += 1
    if (seen != 1).any():
        raise SpecError("has a node without exactly one parent")
    chosen = nodes["feature_idx"][inner]
    if len(inner) and (chosen.min() < 0 or chosen.max() >= features):
        raise SpecError(f"has a feature outside 0 to {features - 1}")
    by_category = nodes["is_categorical"][inner] == 1
    if not is_categorical[chosen[by_category]].all():
        raise SpecError("splits by the categories of a feature that has none")
    sets = nodes["bitset_idx"][inner][by_category]
    if (sets >= np.repeat(splits, counts)[inner][by_category]).any():
        raise SpecError("has a bit set that does not exist")


def pack(predictors: Any, library: Library) -> list[list[dict[str, Any]]] | None:
    """Return the arrays of all trees, or None if they must be stored alone."""
    if type(predictors) is not list or not predictors:
        return None
    if any(type(row) is not list or len(row) != len(predictors[0]) for row in predictors):
        return None
    made: list[list[dict[str, Any]]] = []
    for row in predictors:
        if any(library.part(type(one)) is not PREDICTOR for one in row):
            return None
        made.append([dict(PREDICTOR.read(library.reduced(one))) for one in row])
    flat = [one for row in predictors for one in row]
    arrays = [one[name] for row in made for one in row for name in ARRAYS]
    if len(set(map(id, flat))) != len(flat) or len(set(map(id, arrays))) != len(arrays):
        return None
    alike = all(array.flags.c_contiguous and array.flags.writeable for array in arrays)
    return made if flat and alike else None


def encode(made: list[list[dict[str, Any]]], path: str, encoder: Encoder) -> Node:
    """Return the `predictors` field, and store its tensors."""
    flat = [one for row in made for one in row]
    node: Node = {"width": len(made[0])}
    for key, name in (("counts", "nodes"), ("splits", "raw_left_cat_bitsets")):
        data = np.array([len(one[name]) for one in flat], dtype="<i8")
        encoder.store(node, key, join(path, key), "I64", data.shape, lambda data=data: (data,))  # type: ignore[misc]
    for key, name, dtype, width in (
        ("nodes", ARRAYS[0], "U8", NODE.itemsize),
        ("binned", ARRAYS[1], "U32", WORDS),
        ("raw", ARRAYS[2], "U32", WORDS),
    ):
        arrays = [one[name] for one in flat]
        shape = (sum(map(len, arrays)), width)
        encoder.store(node, key, join(path, key), dtype, shape, lambda arrays=arrays: _rows(arrays))  # type: ignore[misc]
    return node


def _rows(arrays: list[Any]) -> Iterator[Any]:
    for array in arrays:
        if len(array):
            yield array.view(np.uint8) if array.dtype == NODE else array


def decode(node: JsonValue, decoder: Decoder, kind: Any) -> list[list[Any]]:
    """Return the trees of a `predictors` field, as views of its tensors, whose nodes nobody has
    audited yet."""
    if type(node) is not dict or node.keys() != _FIELDS:
        raise ArchitectureError("predictors has other fields than it must have")
    counts, splits = _counts(node["counts"], 1, decoder), _counts(node["splits"], 0, decoder)
    width = integer(node["width"], 1, max(len(counts), 1), "width")
    if not len(counts) or len(counts) != len(splits) or len(counts) % width:
        raise ArchitectureError("counts and splits must have one item a tree")
    nodes = _tensor(node["nodes"], decoder, "U8", (int(counts.sum()), NODE.itemsize))
    sets = (int(splits.sum()), WORDS)
    binned, raw = (_tensor(node[key], decoder, "U32", sets) for key in ("binned", "raw"))
    rows = nodes.reshape(-1).view(NODE)
    made = []
    node_end = split_end = 0
    for count, split in zip(counts.tolist(), splits.tolist(), strict=True):
        node_start, split_start = node_end, split_end
        node_end, split_end = node_end + count, split_end + split
        here = slice(split_start, split_end)
        made.append(kind(rows[node_start:node_end], binned[here], raw[here]))
    return [made[start : start + width] for start in range(0, len(made), width)]


def _counts(name: JsonValue, low: int, decoder: Decoder) -> Any:
    tensor = decoder.claim(name)
    if tensor.dtype != "I64" or len(tensor.shape) != 1:
        raise ArchitectureError("numbers must be a one-dimensional tensor of I64")
    array = np.frombuffer(tensor.buffer, "<i8")
    if len(array) and (array.min() < low or array.max() > MAX_FEATURES):
        raise ArchitectureError(f"a number outside {low} to {MAX_FEATURES} in {name!r:.60}")
    return array


def _tensor(name: JsonValue, decoder: Decoder, dtype: str, shape: tuple[int, int]) -> Any:
    tensor = decoder.claim(name)
    if tensor.dtype != dtype or tuple(tensor.shape) != shape:
        found = f"{tensor.dtype} {list(tensor.shape)}"
        raise ArchitectureError(f"tensor {name!r:.60} is {found}, not {dtype} {list(shape)}")
    return np.frombuffer(tensor.buffer, np.uint8 if dtype == "U8" else "<u4").reshape(shape)
