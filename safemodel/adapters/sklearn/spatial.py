"""KD trees, ball trees and distance metrics: compiled objects of the nearest neighbours.

A tree is what its `__setstate__` takes. That function checks nothing, and a query then follows
the numbers: indices out of range read wild memory, a node that is its own descendant never ends.
scikit-learn cuts every range of points in the middle, so that the ranges of all nodes follow from
the number of points and levels: they are computed here, and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import Part, Reduced, part_kinds
from safemodel.adapters.sklearn.schema import COUNT, POSITIVE
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import Array, Int, Real, Spec, floats, ints, optional

_METRICS_MODULE: Final = "sklearn.metrics._dist_metrics"
_STAMP: Final = Int(-(2**31), 2**31 - 1)  # a counter in C, which wraps around in real life
_TREE_METRICS: Final = {
    "KDTree": ("Euclidean", "Manhattan", "Chebyshev", "Minkowski"),
    "BallTree": (
        *("BrayCurtis", "Canberra", "Chebyshev", "Dice", "Euclidean", "Hamming", "Haversine"),
        *("Jaccard", "Mahalanobis", "Manhattan", "Minkowski", "RogersTanimoto", "RussellRao"),
        *("SEuclidean", "SokalMichener", "SokalSneath", "Matching", "Kulsinski"),
    ),
}
_NODES: Final = np.dtype(
    [("idx_start", np.intp), ("idx_end", np.intp), ("is_leaf", np.intp), ("radius", np.float64)]
)
_MAX_LEVELS: Final = 40
_STATE: Final[Mapping[str, Spec]] = {
    "data": floats("samples", "features"),
    "idx_array": ints("samples", low=0, high="samples"),
    "node_data": Array("V", (None,)),
    "node_bounds": floats(None, None, "features"),
    "leaf_size": POSITIVE,
    "n_levels": Int(1, _MAX_LEVELS),
    "n_nodes": COUNT,
    "n_trims": _STAMP,
    "n_leaves": _STAMP,
    "n_splits": _STAMP,
    "n_calls": _STAMP,
    "dist_metric": part_kinds(*(f"{name}Distance64" for name in _TREE_METRICS["BallTree"])),
    "sample_weight": optional(floats("samples")),
}


def _read_tree(reduced: Reduced) -> Mapping[str, Any]:
    state = reduced.state
    if type(state) is not tuple or len(state) not in (len(_STATE) - 1, len(_STATE)):
        raise SpecError("has another state than such trees have")
    return dict(zip(_STATE, (*state, None), strict=False))  # early releases knew no weights


def _check_tree(arguments: Mapping[str, Any], scope: Scope, bounds: int, names: Any) -> None:
    data, nodes = arguments["data"], arguments["node_data"]
    for name in ("data", "node_bounds", "sample_weight"):
        array = arguments[name]
        if array is not None and (array.dtype != np.float64 or not array.flags.c_contiguous):
            raise SpecError("must hold 64-bit numbers in C order", f".{name}")
    if data.size == 0:
        raise SpecError("is empty", ".data")
    levels, count = int(arguments["n_levels"]), int(arguments["n_nodes"])
    if count != 2**levels - 1 or nodes.dtype != _NODES or len(nodes) != count:
        raise SpecError(f"must be {2**levels - 1} nodes for {levels} levels", ".node_data")
    if arguments["node_bounds"].shape[:2] != (bounds, count):
        raise SpecError(f"must have the shape ({bounds}, {count}, ...)", ".node_bounds")
    scope.audit.look(6 * count + 2 * len(data))
    index = arguments["idx_array"]
    if index.dtype != np.intp or (np.bincount(index, minlength=len(data)) != 1).any():
        raise SpecError("must have each sample once", ".idx_array")
    _check_ranges(nodes, levels, len(data))
    _check_metric(arguments["dist_metric"], scope, data.shape[1], names)


def _check_ranges(nodes: Any, levels: int, samples: int) -> None:
    """Compare the ranges of all nodes with those of a tree that is cut in the middle."""
    starts, ends = np.zeros(1, np.intp), np.full(1, samples, np.intp)
    for level in range(levels):
        here = nodes[2**level - 1 : 2 ** (level + 1) - 1]
        if (here["idx_start"] != starts).any() or (here["idx_end"] != ends).any():
            raise SpecError(f"has other ranges than a tree of {samples} samples", ".node_data")
        if (here["is_leaf"] != (level == levels - 1)).any():
            raise SpecError("has leaves above its last level, or none in it", ".node_data")
        middles = starts + (ends - starts) // 2
        if level < levels - 1 and (ends - starts < 2).any():
            raise SpecError(f"has more levels than {samples} samples need", ".node_data")
        starts = np.stack((starts, middles), axis=1).ravel()
        ends = np.stack((middles, ends), axis=1).ravel()
    if not (nodes["radius"] >= 0).all():
        raise SpecError("has a radius that is no number from 0", ".node_data")


def _check_metric(metric: Any, scope: Scope, features: int, names: Any) -> None:
    """Compare the arrays of a metric with the samples that it will be given."""
    part = scope.library.part(type(metric))
    if part is None or part.name.removesuffix("Distance64") not in names:
        raise SpecError("is a metric that no such tree has", ".dist_metric")
    arguments = scope.arguments(metric)
    expected = {
        "SEuclideanDistance64": len(arguments["vec"]),
        "MinkowskiDistance64": len(arguments["vec"]) or features,
        "MahalanobisDistance64": len(arguments["mat"]),
        "HaversineDistance64": 2,
    }.get(part.name, features)
    if expected != features:
        raise SpecError(f"is for {expected} features, not {features}", ".dist_metric")


def _build_tree(kind: Any, **arguments: Any) -> Any:
    for name in ("idx_array", "node_data"):  # compiled code follows them: nobody shall change them
        arguments[name] = arguments[name].copy()
    tree = kind.__new__(kind)
    try:
        tree.__setstate__(tuple(arguments[name] for name in _STATE))
    except (ValueError, TypeError, OverflowError) as error:
        raise SpecError(f"is no state of such a tree: {error!s:.200}") from None
    return tree


def _tree(name: str, module: str, bounds: int) -> Part:
    def check(arguments: Mapping[str, Any], scope: Scope) -> None:
        _check_tree(arguments, scope, bounds, _TREE_METRICS[name])

    also = (f"sklearn.neighbors.{module.lstrip('_')}.{name}",)
    return Part(
        f"sklearn.neighbors.{module}",
        name,
        _STATE,
        _read_tree,
        _build_tree,
        also=also,
        check_more=check,
    )


# Metrics

_METRIC: Final[Mapping[str, Spec]] = {
    "p": Real(0),
    "vec": floats(None),
    "mat": floats(None, None),
}
METRICS: Final = tuple(
    f"{name}Distance{bits}" for name in _TREE_METRICS["BallTree"] for bits in (64, 32)
)


def _read_metric(reduced: Reduced) -> Mapping[str, Any]:
    state = reduced.state
    if type(state) is not tuple or len(state) < len(_METRIC):
        raise SpecError("has another state than metrics have")
    if any(more is not None for more in state[len(_METRIC) :]):
        raise SpecError("calls a function")
    return dict(zip(_METRIC, state, strict=False))


def _check_metric_alone(arguments: Mapping[str, Any], scope: Scope) -> None:
    for name in ("vec", "mat"):
        if arguments[name].dtype != np.float64 or not arguments[name].flags.c_contiguous:
            raise SpecError("must hold 64-bit numbers in C order", f".{name}")
    if arguments["mat"].shape[0] != arguments["mat"].shape[1]:
        raise SpecError("must be square", ".mat")


def _build_metric(kind: Any, **arguments: Any) -> Any:
    metric = kind.__new__(kind)
    try:
        metric.__setstate__(tuple(arguments[name] for name in _METRIC))
    except (ValueError, TypeError) as error:
        raise SpecError(f"is no state of such a metric: {error!s:.200}") from None
    return metric


def _metric(name: str) -> Part:
    plain = name.removesuffix("64")
    also = tuple(
        f"{module}.{plain}"
        for module in (
            *(_METRICS_MODULE, "sklearn.neighbors._dist_metrics"),
            "sklearn.neighbors.dist_metrics",
        )
        if plain != name
    )
    return Part(
        _METRICS_MODULE,
        name,
        _METRIC,
        _read_metric,
        _build_metric,
        also=also,
        check_more=_check_metric_alone,
    )


PARTS: Final[tuple[Part, ...]] = (
    _tree("KDTree", "_kd_tree", 2),
    _tree("BallTree", "_ball_tree", 1),
    *(_metric(name) for name in METRICS),
)
