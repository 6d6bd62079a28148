"""Decision trees: their nodes as rows of one tensor, audited before compiled code follows them.

A tree is stored as `nodes` (U8 [count, 64], the rows as scikit-learn keeps them, padding zeroed)
and `values` (F64 [count, outputs, classes]). An ensemble stores all its trees in one such pair,
one after another. `Tree.__setstate__` checks shapes and nothing else, and predicting follows child
and feature numbers without a look: so each block of rows is audited here, while it is in cache.
Every inner node has two children behind it, every node but the root exactly one parent, every
feature exists, and `max_depth` is the depth (a path is written into memory of that length).

Implements spec/sklearn.md, "Trees".
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import describe

ROW: Final = 64
LEAF: Final = -1
NO_FEATURE: Final = -2
_BLOCK: Final = 1 << 14
_BATCH: Final = 1 << 17
_THREADS: Final = 2
_FIELDS: Final = (
    ("left_child", "<i8", 0),
    ("right_child", "<i8", 8),
    ("feature", "<i8", 16),
    ("threshold", "<f8", 24),
    ("impurity", "<f8", 32),
    ("n_node_samples", "<i8", 40),
    ("weighted_n_node_samples", "<f8", 48),
    ("missing_go_to_left", "|u1", 56),
)
# In a row as eight 64-bit words: the last holds the flag and seven bytes of padding.
_LEFT, _RIGHT, _FEATURE, _FLAG = 0, 1, 2, 7


@dataclass(frozen=True)
class TreeObject:
    """The nodes of a decision tree, a compiled object (`trees.py` checks them)."""

    def check(self, value: Any, scope: Scope) -> None:
        if not scope.library.is_tree(type(value)):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return "a sklearn.tree._tree.Tree"


@dataclass(frozen=True, slots=True)
class Geometry:
    """What all trees of an ensemble have in common."""

    features: int
    classes: tuple[int, ...]

    @property
    def width(self) -> tuple[int, int]:
        """The shape of one node's value."""
        return len(self.classes), max(self.classes)


def geometry_of(tree: Any) -> Geometry:
    """Read the geometry off a live tree."""
    return Geometry(int(tree.n_features), tuple(int(count) for count in tree.n_classes))


NODE_DTYPE: Final = np.dtype(
    {
        "names": [name for name, _, _ in _FIELDS],
        "formats": [kind for _, kind, _ in _FIELDS],
        "offsets": [offset for _, _, offset in _FIELDS],
        "itemsize": ROW,
    }
)
_OTHERWISE: Final = "this release of scikit-learn keeps the nodes of trees otherwise"


def check_installed() -> None:
    """Make sure that the installed library keeps nodes in rows of `NODE_DTYPE`.

    Raises:
        SpecError: it does not.
    """
    from sklearn.tree import _tree

    if _tree.NODE_DTYPE != NODE_DTYPE:
        raise SpecError(_OTHERWISE)


def audit(words: Any, features: int) -> None:
    """Check the structure of one tree, given its rows as 64-bit words.

    Raises:
        SpecError: a path could leave the tree or its input, or never end.
    """
    count = len(words)
    if count == 0:
        raise SpecError("has no nodes")
    seen = np.zeros(count, dtype=bool)
    inner_nodes = 0
    for start in range(0, count, _BLOCK):
        block = words[start : start + _BLOCK]
        inner_nodes += _audit_block(block, start, count, features, seen)
    if inner_nodes * 2 != count - 1 or not seen[1:].all():
        raise SpecError("has a node without exactly one parent", ".nodes")


def _audit_block(block: Any, start: int, count: int, features: int, seen: Any) -> int:
    left, right, feature = (np.ascontiguousarray(block[:, i]) for i in (_LEFT, _RIGHT, _FEATURE))
    leaf = left == LEAF
    if left.min() < LEAF or not np.array_equal(leaf, right == LEAF):
        raise SpecError("has a node with one child", ".nodes")
    if not np.array_equal(leaf, feature == NO_FEATURE):
        raise SpecError("has a leaf with a feature, or another node without", ".nodes")
    if feature.min() < NO_FEATURE or (feature == NO_FEATURE + 1).any():
        raise SpecError("has a feature below 0", ".nodes")
    if feature.max() >= features:
        raise SpecError(f"has a feature above {features - 1}", ".nodes")
    if block[:, _FLAG].view(np.uint64).max() > 1:
        raise SpecError("has a flag or padding that is neither 0 nor 1", ".nodes")
    inner = np.flatnonzero(~leaf)
    here = inner + start
    for child in (left, right):
        children = child[inner]
        if (children <= here).any() or child.max() >= count:
            raise SpecError("has a child that is not behind its parent", ".nodes")
        seen[children] = True
    return len(inner)


def build(geometry: Geometry, nodes: Any, values: Any, depth: int) -> Any:
    """Return a Tree over audited nodes.

    Raises:
        SpecError: the structure is not that of a tree, or `depth` is not its depth.
    """
    from sklearn.tree._tree import Tree

    audit(nodes.view("<i8").reshape(-1, ROW // 8), geometry.features)
    classes = np.array(geometry.classes, dtype=np.intp)
    tree = Tree(geometry.features, classes, len(classes))
    tree.__setstate__(
        {"max_depth": depth, "node_count": len(nodes), "nodes": nodes, "values": values}
    )
    if int(tree.compute_node_depths().max()) - 1 != depth:
        raise SpecError("is not the depth of the tree", ".max_depth")
    return tree


Buffers = tuple[memoryview, memoryview]
Rows = Callable[[int, int, Buffers], Buffers]  # first row, one past the last, where to


@dataclass(frozen=True, slots=True)
class _Batch:
    """Trees `first` to `last` - 1, whose rows are `start` to `stop` - 1."""

    first: int
    last: int
    start: int
    stop: int


def _batches(counts: Sequence[int]) -> Iterator[_Batch]:
    start = first = 0
    while first < len(counts):
        last, stop = first + 1, start + counts[first]
        while last < len(counts) and stop + counts[last] - start <= _BATCH:
            stop += counts[last]
            last += 1
        yield _Batch(first, last, start, stop)
        start, first = stop, last


def build_all(
    geometry: Geometry, counts: Sequence[int], depths: Sequence[int], rows: Rows
) -> Iterator[Any]:
    """Build the trees of an ensemble; `rows` gives nodes and values as bytes.

    Small trees are read together, large ones alone, and two batches are in the works at a time:
    while one is copied by the library, the other is read, verified and audited.
    """
    check_installed()
    plan = tuple(_batches(counts))
    largest = max(batch.stop - batch.start for batch in plan)
    free: list[Buffers] = []  # the library copies, so that buffers can be filled again

    def build_batch(batch: _Batch) -> list[Any]:
        try:
            into = free.pop()
        except IndexError:
            into = (_memory(largest * ROW), _memory(largest * 8 * math.prod(geometry.width)))
        raw_nodes, raw_values = rows(batch.start, batch.stop, into)
        nodes = np.frombuffer(raw_nodes, NODE_DTYPE)
        values = np.frombuffer(raw_values, "<f8").reshape(-1, *geometry.width)
        built, offset = [], 0
        for number in range(batch.first, batch.last):
            end = offset + counts[number]
            try:
                built.append(build(geometry, nodes[offset:end], values[offset:end], depths[number]))
            except SpecError as error:
                raise error.below(f"[{number}]") from None
            offset = end
        free.append(into)
        return built

    if len(plan) == 1:
        yield from build_batch(plan[0])
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        pending: deque[Future[list[Any]]] = deque()
        try:
            for batch in plan:
                pending.append(pool.submit(build_batch, batch))
                if len(pending) > _THREADS:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _memory(size: int) -> memoryview:
    return np.empty(size, np.uint8).data  # not zeroed, unlike a bytearray


def node_pieces(trees: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows of all trees as bytes, padding zeroed, a block at a time."""
    for tree in trees:
        nodes = tree.__getstate__()["nodes"]
        for start in range(0, len(nodes), _BLOCK):
            yield clean(nodes[start : start + _BLOCK])


def clean(nodes: Any) -> Any:
    """Return a copy of rows as 64-bit words in which bytes without a meaning are zero."""
    words = nodes.view("<i8").reshape(-1, ROW // 8).copy()
    words[:, _FLAG] &= 0xFF
    # Whatever the flag of a leaf holds, nothing reads it
    words[words[:, _LEFT] == LEAF, _FLAG] = 0
    return words


def value_pieces(trees: Iterable[Any]) -> Iterator[Any]:
    """Yield the values of all trees, a tree at a time, without a copy."""
    for tree in trees:
        yield np.ascontiguousarray(tree.__getstate__()["values"], dtype="<f8")


def check_live(tree: Any) -> None:
    """Audit a live tree before it is saved: what could not be loaded must not be saved."""
    state = tree.__getstate__()
    if state["nodes"].dtype != NODE_DTYPE:
        raise SpecError(_OTHERWISE)
    audit_live(state["nodes"], int(tree.n_features))


def audit_live(nodes: Any, features: int) -> None:
    """Audit rows whose padding may still hold anything."""
    words = nodes.view("<i8").reshape(-1, ROW // 8)
    if nodes["missing_go_to_left"].max(initial=0) <= 1 and not (words[:, _FLAG] >> 8).any():
        audit(words, features)
    else:
        audit(clean(nodes), features)
