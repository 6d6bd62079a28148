"""The trees of a forest in a few tensors, and their estimators in a few values.

The trees of one ensemble are equal but for their nodes and seeds: parameters and fitted
attributes are stored once, seeds as one tensor, nodes and values as one tensor each. An ensemble
that is not like that (someone changed a tree) is stored tree by tree, like any list.

Fields of `trees` in the node of the ensemble: `class`; `common`, attributes that all trees have
equal; `copied`, those among them of which each tree has its own copy; `features`, `classes`;
tensors `counts`, `depths`, `seeds` (I64), `nodes`, `values`. Boosted trees stand in an array with
`width` columns, and have no seeds: all hold one random state. Implements spec/sklearn.md, "Trees".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters import numpy as base
from safemodel.adapters.graph_decode import Builder, Decoder, integer
from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.adapters.sklearn import trees
from safemodel.adapters.sklearn.ahead import Ahead
from safemodel.adapters.sklearn.library import INSTALLED, Entry, Library
from safemodel.adapters.sklearn.library import entry as entry_of
from safemodel.adapters.sklearn.nesting import check_nesting
from safemodel.adapters.sklearn.schema import MAX_FEATURES
from safemodel.adapters.sklearn.scope import Audit, Scope, SpecError
from safemodel.adapters.sklearn.trees import Geometry
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

_MODULE: Final = "sklearn.tree._classes"
_SEEDS: Final = 2**32 - 1
_MAX_OUTPUTS: Final = 1 << 20
_FIELDS: Final = frozenset(
    ("class", "common", "copied", "features", "classes", "counts", "depths", "nodes", "values")
)
_OPTIONAL: Final = frozenset({"seeds", "width"})


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The trees of one ensemble, found to be equal but for nodes and seeds."""

    entry: Entry
    trees: tuple[Any, ...]
    seeds: tuple[int, ...] | None
    common: dict[str, Any]
    copied: tuple[str, ...]
    width: int | None


def _listed(estimators: Any) -> tuple[list[Any], int | None]:
    """Return estimators as a list, and the columns of the array that they stand in."""
    if type(estimators) is list:
        return estimators, None
    plain = (
        type(estimators) is np.ndarray
        and estimators.dtype == np.dtype(object)
        and estimators.ndim == 2
        and estimators.flags.c_contiguous
        and estimators.flags.writeable
    )
    return (estimators.ravel().tolist(), estimators.shape[1]) if plain else ([], None)


def pack(array: Any, library: Library) -> Ensemble | None:
    """Return what the trees of a list or array have in common; None if they are stored alone."""
    estimators, width = _listed(array)
    if not estimators:
        return None
    kind = type(estimators[0])
    entry = library.entry(kind)
    if entry is None or entry.schema.module != _MODULE:
        return None
    if len(set(map(id, estimators))) != len(estimators):
        return None
    states = [vars(one) for one in estimators]
    if any(
        type(one) is not kind or state.keys() != states[0].keys()
        for one, state in zip(estimators, states, strict=True)
    ):
        return None
    built = [state.get("tree_") for state in states]
    seeds: list[Any] = [state.get("random_state") for state in states]
    if not all(library.is_tree(type(tree)) for tree in built):
        return None
    seeded = all(type(seed) is int and 0 <= seed <= _SEEDS for seed in seeds)
    geometry = trees.geometry_of(built[0])
    if any(trees.geometry_of(tree) != geometry for tree in built):
        return None
    common, copied = {}, []
    for name, first in states[0].items():
        if name == "tree_" or (name == "random_state" and seeded):
            continue
        values = [state[name] for state in states]
        if not all(_equal(first, value) for value in values):
            return None
        if len(values) > 1 and not _immutable(first):
            one = all(value is first for value in values)
            if not one and len(set(map(id, values))) != len(values):
                return None
            copied += [] if one else [name]
        common[name] = first
    entry.check(states[0], Scope(library))
    own = tuple(seeds) if seeded else None
    return Ensemble(entry, tuple(built), own, common, tuple(sorted(copied)), width)


def _immutable(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def _equal(first: Any, second: Any) -> bool:
    """Whether two values are the same to the last bit, of kinds that can be copied."""
    if first is second:
        return True
    if type(first) is not type(second):
        return False
    if isinstance(first, np.ndarray):
        same = first.dtype == second.dtype and first.shape == second.shape
        plain = first.flags.c_contiguous and second.flags.c_contiguous
        if first.dtype.kind == "O" or not (same and plain):
            return False
        return bool(first.tobytes() == second.tobytes())
    if type(first) is list:
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, float | np.floating):
        return repr(first) == repr(second)
    return _immutable(first) and bool(first == second)


def encode(ensemble: Ensemble, path: str, encoder: Encoder) -> Node:
    """Return the `trees` field, and store its tensors."""
    built = ensemble.trees
    for index, tree in enumerate(built):
        try:
            trees.check_live(tree)
        except SpecError as error:
            raise error.below(f".estimators_[{index}].tree_") from None
    geometry = trees.geometry_of(built[0])
    counts = [int(tree.node_count) for tree in built]
    node: Node = {
        "class": ensemble.entry.schema.qualified,
        "common": {
            name: encoder.value(ensemble.common[name], join(path, name))
            for name in sorted(ensemble.common)
        },
        "copied": [*ensemble.copied],
        "features": geometry.features,
        "classes": [*geometry.classes],
    }
    numbers = {
        "counts": counts,
        "depths": [int(tree.max_depth) for tree in built],
    }
    if ensemble.seeds is not None:
        numbers["seeds"] = [*ensemble.seeds]
    if ensemble.width is not None:
        node["width"] = ensemble.width
    for key, values in numbers.items():
        data = np.array(values, dtype="<i8")
        encoder.store(node, key, join(path, key), "I64", data.shape, lambda data=data: (data,))  # type: ignore[misc]
    total = sum(counts)
    encoder.store(
        node,
        "nodes",
        join(path, "nodes"),
        "U8",
        (total, trees.ROW),
        lambda: trees.node_pieces(built),
    )
    encoder.store(
        node,
        "values",
        join(path, "values"),
        "F64",
        (total, *geometry.width),
        lambda: trees.value_pieces(built),
    )
    return node


class Streamer(Decoder):
    """A decoder that can also hand out a tensor row by row, so that it is never whole in memory."""

    def __init__(
        self, graph: JsonValue, bundle: VerifiedBundle, builders: Mapping[str, Builder]
    ) -> None:
        self._ahead = Ahead(bundle)
        super().__init__(graph, self._ahead, builders, base.PARSERS, {})
        check_nesting(self._nodes)
        self._bundle = bundle

    def read(self) -> None:
        """Read what need not be streamed, each chunk of it once."""
        if self.streams:
            self._ahead.read()
        else:
            self._bundle.load_weights()

    @property
    def streams(self) -> bool:
        """Whether the graph has trees, which are read row by row."""
        return any("trees" in node or node["kind"] == "sklearn.tree" for node in self._nodes)

    def stream(self, name: JsonValue, dtype: str, row: tuple[int, ...]) -> tuple[str, int]:
        """Claim a tensor of rows of one shape without reading it; return its name and length."""
        if type(name) is not str or name not in self._ahead.tensors:
            raise ArchitectureError(f"there is no tensor {name!r:.100}")
        if name in self._claimed or name in self._tensors:
            raise ArchitectureError(f"tensor {name!r:.100} is used twice, and must not be")
        info = self._ahead.tensors[name]
        if info.dtype != dtype or len(info.shape) < 1 or tuple(info.shape[1:]) != row:
            found = f"{info.dtype} {list(info.shape)}"
            raise ArchitectureError(f"tensor {name!r:.100} is {found}, not rows of {dtype} {row}")
        self._claimed.add(name)
        return name, info.shape[0]

    def rows(self, nodes: str, values: str) -> trees.Rows:
        """Return a reader of the rows of two streamed tensors into a pair of buffers."""
        return lambda start, stop, into: (
            self._ahead.rows(nodes, start, stop, into[0]),
            self._ahead.rows(values, start, stop, into[1]),
        )

    def numbers(self, name: JsonValue, low: int, high: int) -> list[int]:
        """Read a small tensor of integers, all of them between `low` and `high`."""
        tensor = self.claim(name)
        if tensor.dtype != "I64" or len(tensor.shape) != 1:
            raise ArchitectureError("numbers must be a one-dimensional tensor of I64")
        array = np.frombuffer(tensor.buffer, "<i8")
        if len(array) and (array.min() < low or array.max() > high):
            raise ArchitectureError(f"a number outside {low} to {high} in {name!r:.60}")
        numbers: list[int] = array.tolist()
        return numbers


def geometry(node: Node) -> Geometry:
    """Read the geometry of trees from a node."""
    classes = node["classes"]
    if type(classes) is not list or not 0 < len(classes) <= _MAX_OUTPUTS:
        raise ArchitectureError("classes must be a list with one number an output")
    counts = tuple(integer(count, 1, MAX_FEATURES, "classes") for count in classes)
    return Geometry(integer(node["features"], 1, MAX_FEATURES, "features"), counts)


def create_tree(node: Node, decoder: Decoder) -> Any:
    """Build one tree that stands alone."""
    if not isinstance(decoder, Streamer):
        raise ArchitectureError("a tree outside a model of scikit-learn")
    shape = geometry(node)
    nodes, count = decoder.stream(node["nodes"], "U8", (trees.ROW,))
    values, same = decoder.stream(node["values"], "F64", shape.width)
    if count != same:
        raise ArchitectureError(f"{count} nodes with {same} values")
    depth = integer(node["depth"], 0, MAX_FEATURES, "depth")
    try:
        (tree,) = trees.build_all(shape, [count], [depth], decoder.rows(nodes, values))
    except SpecError as error:
        raise ArchitectureError(f"a tree that {error.message}") from None
    return tree


def decode(node: JsonValue, decoder: Streamer) -> tuple[Entry, list[Any], list[int] | None]:
    """Build the trees of an ensemble: their class, the trees, and their seeds if they have such."""
    if type(node) is not dict or node.keys() - _OPTIONAL != _FIELDS:
        raise ArchitectureError("trees has other fields than it must have")
    name = node["class"]
    found = entry_of(name) if type(name) is str else None
    if found is None or found.schema.module != _MODULE:
        raise ArchitectureError(f"{name!r:.100} is no class of trees")
    shape = geometry(node)
    counts = decoder.numbers(node["counts"], 1, MAX_FEATURES)
    depths = decoder.numbers(node["depths"], 0, MAX_FEATURES)
    seeds = decoder.numbers(node["seeds"], 0, _SEEDS) if "seeds" in node else None
    nodes, total = decoder.stream(node["nodes"], "U8", (trees.ROW,))
    values, same = decoder.stream(node["values"], "F64", shape.width)
    if not counts or any(len(one) != len(counts) for one in (depths, seeds) if one is not None):
        raise ArchitectureError("counts, depths and seeds must have one item a tree")
    if "width" in node and len(counts) % integer(node["width"], 1, len(counts), "width"):
        raise ArchitectureError(f"{len(counts)} trees in rows of {node['width']}")
    if not sum(counts) == total == same:
        raise ArchitectureError(f"{sum(counts)} nodes counted, {total} stored, {same} values")
    return found, list(trees.build_all(shape, counts, depths, decoder.rows(nodes, values))), seeds


def fill(
    entry: Entry,
    built: list[Any],
    seeds: list[int] | None,
    node: Node,
    decoder: Decoder,
    audit: Audit,
) -> Any:
    """Return the estimators of an ensemble around their trees, checked."""
    common, copied = node["common"], node["copied"]
    if type(common) is not dict or type(copied) is not list:
        raise ArchitectureError("trees has fields of another type than they must have")
    if "tree_" in common or ("random_state" in common) is (seeds is not None):
        raise ArchitectureError("trees have seeds, or a random_state in common, and never a tree_")
    names = [name for name in copied if type(name) is str and name in common]
    if len(names) != len(copied):
        raise ArchitectureError("copied must name attributes in common")
    state = {name: decoder.value(value) for name, value in common.items()}
    estimators = []
    for index, tree in enumerate(built):
        own = {name: _copy(state[name], decoder) for name in names} if index else {}
        if seeds is not None:
            own["random_state"] = seeds[index]
        estimator = entry.kind.__new__(entry.kind)
        vars(estimator).update({**state, **own, "tree_": tree})
        if index == 0:
            entry.check(vars(estimator), Scope(INSTALLED, audit))
        estimators.append(estimator)
    if "width" not in node:
        return estimators
    width = integer(node["width"], 1, len(estimators), "width")
    array = np.empty((len(estimators) // width, width), dtype=object)
    array.reshape(-1)[:] = estimators
    return array


def _copy(value: Any, decoder: Decoder) -> Any:
    if type(value) is list:
        decoder.charge(8 * len(value))
        return [_copy(item, decoder) for item in value]
    if type(value) is not np.ndarray:
        return value
    decoder.charge(value.nbytes)
    return value.copy()
