"""CatBoost's binary models as arrays, checked, and written again: those of numeric features.

CatBoost verifies the FlatBuffer, and follows what is in it without a look: bins, steps from node
to node, places of leaf values. Everything is checked here, over all trees at once, and what the
library gets is a FlatBuffer of our own making.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import ITEM, Scope, SpecError
from safemodel.errors import DamagedError, UnreadableError
from safemodel.legacy import catboost_file
from safemodel.legacy.catboost_file import Trees

ARRAYS: Final[Mapping[str, str]] = {
    "splits": "<i4",
    "sizes": "<i4",
    "steps": "<u2",
    "values": "<f8",
    "weights": "<f8",
    "biases": "<f8",
    "border_counts": "<i4",
    "borders": "<f4",
    "nan_flags": "|u1",
    "nan_treatments": "|u1",
}
MAX_DIMENSION: Final = 100_000
_MAX_DEPTH: Final = 16  # of symmetric trees, CatBoost's own bound
_BINS: Final = 254  # in one byte
_BUCKETS: Final = 1 << 16
_NO_LEAF: Final = 2**32 - 1
_JSON: Final = frozenset(
    ("params", "training", "class_params", "multiclass_params", "output_options", "loss_function")
)
_MAX_REMARK: Final = 1 << 24
_JSON_DEPTH: Final = 40
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
_OUTSIDE: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[^\[\]{}"]')


def parse_model(data: bytes) -> dict[str, Any]:
    """Turn a binary model into the arguments that describe it. Pure.

    Raises:
        DamagedError: it is no binary model.
        UnreadableError: it has features that are not numbers.
    """
    model = catboost_file.parse(data)
    if model.trees is None:
        raise UnreadableError(f"a CatBoost model with {' and '.join(model.others)} features")
    trees = model.trees
    features = trees.features
    numbers = range(len(features))
    if any((one.index, one.flat_index) != (at, at) for at, one in zip(numbers, features)):  # noqa: B905
        raise UnreadableError("a CatBoost model whose numeric features have gaps")
    _check_derived(trees)
    borders = [np.frombuffer(one.borders, "<f4") for one in features]
    arrays = {
        "splits": trees.splits,
        "sizes": trees.sizes,
        "steps": trees.steps,
        "values": trees.values,
        "weights": trees.weights,
        "biases": trees.biases,
    }
    return {
        "dimension": trees.dimension,
        "names": [one.name for one in features],
        "info": dict(model.info),
        "scale": trees.scale,
        "bias": trees.bias,
        **{name: np.frombuffer(raw, ARRAYS[name]) for name, raw in arrays.items()},
        "border_counts": np.array([len(one) for one in borders], "<i4"),
        "borders": np.concatenate(borders) if borders else np.zeros(0, "<f4"),
        "nan_flags": np.array([one.has_nans for one in features], "|u1"),
        "nan_treatments": np.array([one.nan_treatment & 255 for one in features], "|u1"),
    }


def _check_derived(trees: Trees) -> None:
    """Compare what is not kept with what it follows from."""
    sizes = np.frombuffer(trees.sizes, "<i4").astype(np.int64)
    starts = np.frombuffer(trees.starts, "<i4")
    if not np.array_equal(starts, np.cumsum(sizes) - sizes):
        raise DamagedError("a CatBoost model whose trees do not lie one behind the other")
    steps = np.frombuffer(trees.steps, "<u2").reshape(-1, 2)
    if not np.array_equal(np.frombuffer(trees.leaf_ids, "<u4"), leaf_ids(steps, trees.dimension)):
        raise DamagedError("a CatBoost model whose leaves are not in order")


def leaf_ids(steps: Any, dimension: int) -> Any:
    """Return where the values of each node begin: nodes where a path may end, in order."""
    ends = (steps == 0).any(axis=1)
    places = (np.cumsum(ends, dtype=np.int64) - 1) * dimension
    return np.where(ends, places, _NO_LEAF).astype("<u4")


def check_model(model: Mapping[str, Any], scope: Scope) -> None:
    """Check everything that CatBoost follows.

    Raises:
        SpecError: names the first thing that CatBoost must not see.
    """
    scope.audit.look(6 * sum(model[name].size for name in ARRAYS) + ITEM * len(model["info"]))
    bins = _check_features(model)
    sizes = model["sizes"].astype(np.int64)
    if (sizes < 0).any() or sizes.sum() != len(model["splits"]):
        raise SpecError("do not add up to the splits", ".sizes")
    splits = model["splits"]
    if len(splits) and (splits.min() < 0 or splits.max() >= max(bins, 1)):
        raise SpecError("has a bin that does not exist", ".splits")
    leaves = _check_steps(model, sizes, bins) if len(model["steps"]) else _leaves(sizes, bins)
    if len(model["values"]) != leaves * model["dimension"]:
        raise SpecError(f"has not {model['dimension']} items for each of {leaves}", ".values")
    if len(model["values"]) > _NO_LEAF or len(model["weights"]) not in (0, leaves):
        raise SpecError(f"has not {leaves} items", ".weights")
    if len(model["biases"]) not in (0, model["dimension"]):
        raise SpecError(f"has not {model['dimension']} items", ".biases")
    if model["dimension"] > 1 and model["bias"] != 0:
        raise SpecError("is for one dimension", ".bias")
    if model["dimension"] > max(len(model["values"]), 1000):
        raise SpecError("is more than its trees have", ".dimension")
    _check_info(model)


def _check_features(model: Mapping[str, Any]) -> int:
    counts, borders = model["border_counts"].astype(np.int64), model["borders"]
    features = len(model["names"])
    for name in ("border_counts", "nan_flags", "nan_treatments"):
        if len(model[name]) != features:
            raise SpecError(f"has not {features} items", f".{name}")
    if (counts < 0).any() or counts.sum() != len(borders):
        raise SpecError("do not add up to the borders", ".border_counts")
    if ((counts + _BINS - 1) // _BINS).sum() > _BUCKETS:
        raise SpecError("has more bins than CatBoost can count", ".borders")
    if not np.isfinite(borders).all():
        raise SpecError("has a border that is no number", ".borders")
    inside = np.ones(max(len(borders) - 1, 0), bool)
    ends = np.cumsum(counts)
    inside[ends[(ends > 0) & (ends < len(borders))] - 1] = False
    if (np.diff(borders)[inside] <= 0).any():
        raise SpecError("has borders that do not rise", ".borders")
    if (model["nan_flags"] > 1).any() or (model["nan_treatments"] > 2).any():
        raise SpecError("has a treatment of missing values that does not exist", ".nan_treatments")
    return len(borders)


def _leaves(sizes: Any, bins: int) -> int:
    """The number of leaves of symmetric trees."""
    if len(sizes) and sizes.max() > _MAX_DEPTH:
        raise SpecError(f"has a tree that is deeper than {_MAX_DEPTH}", ".sizes")
    if bins == 0 and sizes.any():
        raise SpecError("has a tree with splits, and no feature has bins", ".sizes")
    return int((1 << sizes).sum())


def _check_steps(model: Mapping[str, Any], sizes: Any, bins: int) -> int:
    """Every step leads forward within its tree, every node but the root has one parent."""
    if len(model["steps"]) != 2 * len(model["splits"]):
        raise SpecError("has not two items a split", ".steps")
    if (sizes < 1).any():
        raise SpecError("has a tree without nodes", ".sizes")
    if bins == 0 and (sizes > 1).any():
        raise SpecError("has a tree with steps, and no feature has bins", ".sizes")
    steps = model["steps"].reshape(-1, 2).astype(np.int64)
    ends = np.repeat(np.cumsum(sizes), sizes)
    here = np.arange(len(steps))
    targets = (here[:, None] + steps)[steps > 0]
    if (here[:, None] + steps >= ends[:, None]).any():
        raise SpecError("leads out of its tree", ".steps")
    roots = np.zeros(len(steps), bool)
    roots[np.cumsum(sizes) - sizes] = True
    if not (np.bincount(targets, minlength=len(steps)) == ~roots).all():
        raise SpecError("has a node without exactly one parent", ".steps")
    return int((steps == 0).any(axis=1).sum())


def _check_info(model: Mapping[str, Any]) -> None:
    if len(model["info"]) > catboost_file.MAX_INFO:
        raise SpecError("has too many remarks", ".info")
    for key, value in model["info"].items():
        if not _KEY.fullmatch(key) or len(value) > _MAX_REMARK or "\0" in value:
            raise SpecError(f"has {key!r:.60}, which is no remark of a model", ".info")
        if key in _JSON:
            parsed = _json(key, value)
            if key in ("class_params", "multiclass_params"):
                _check_classes(parsed, model["dimension"])


def _json(key: str, text: str) -> dict[str, Any]:
    """Parse a JSON object that CatBoost will parse: nested no deeper than its reader can stand."""
    depth = 0
    for bracket in _OUTSIDE.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if not 0 <= depth <= _JSON_DEPTH:
            raise SpecError(f"nests too deeply in {key}", ".info")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if type(found) is not dict:
        raise SpecError(f"has {key}, which is no JSON object", ".info")
    return found


def _check_classes(classes: Mapping[str, Any], dimension: int) -> None:
    """Names of classes are looked up by the number of the largest of the outputs."""
    expected = dimension if dimension > 1 else 2
    for name in ("class_names", "class_to_label"):
        labels = classes.get(name, [])
        if type(labels) is not list or len(labels) not in (0, expected):
            raise SpecError(f"has not {expected} {name}", ".info['class_params']")
    count = classes.get("classes_count", 0)
    if type(count) is not int or count not in (0, expected):
        raise SpecError(f"has {count!r:.20} classes, not {expected}", ".info['class_params']")
