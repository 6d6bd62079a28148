"""The trees of `ai.onnx.ml`: each is one, every child and target is there, and none is too deep.

ONNX Runtime walks them by recursion: a chain of 100,000 nodes ended the process. What it compares
itself (1.31 does, older ones less) is compared here too. Implements spec/onnx.md, "Trees".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from safemodel import limits
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LimitError

Attributes = Mapping[str, Message]
Integers = npt.NDArray[np.int64]

_DOMAIN: Final = "ai.onnx.ml"
_MAX_NUMBER: Final = 2**31 - 1
_MAX_TARGETS: Final = 10_000_000
_LEAF: Final = b"LEAF"


def check_classical(domain: str, name: str, attributes: Attributes) -> None:
    """Check the attributes of an operator, if it is one with trees.

    Raises:
        ArchitectureError: no trees, or a number that stands for nothing.
        LimitError: trees that are too deep.
    """
    if domain != _DOMAIN:
        return
    if name in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
        _check_nodes(attributes, "class" if name == "TreeEnsembleClassifier" else "target")
    elif name == "TreeEnsemble":
        _check_flat(attributes)


def _integers(attributes: Attributes, name: str) -> Integers:
    found = attributes.get(name)
    return np.asarray(() if found is None else found.all("ints"), np.int64)


def _number(attributes: Attributes, name: str) -> int:
    found = attributes.get(name)
    return 1 if found is None else int(found.get("i", 0))


def _count(attributes: Attributes, name: str) -> int:
    """How many numbers an attribute has, as a list or as a tensor (which was checked)."""
    found = attributes.get(f"{name}_as_tensor", attributes.get(name))
    if found is None:
        return 0
    if "t" in found:
        return int(np.prod(np.asarray(found.get("t").all("dims"), np.int64)))
    return len(found.all("floats"))


def _check_nodes(attributes: Attributes, kind: str) -> None:
    """Trees as of versions 1 to 3: nodes that name one another, and leaves that weights name."""
    trees = _integers(attributes, "nodes_treeids")
    nodes = _integers(attributes, "nodes_nodeids")
    yes = _integers(attributes, "nodes_truenodeids")
    no = _integers(attributes, "nodes_falsenodeids")
    features = _integers(attributes, "nodes_featureids")
    modes = attributes["nodes_modes"].all("strings") if "nodes_modes" in attributes else ()
    count = len(trees)
    lengths = {len(nodes), len(yes), len(no), len(features), len(modes), count}
    if lengths != {count} or _count(attributes, "nodes_values") != count:
        raise ArchitectureError("trees whose lists have several lengths")
    branch = np.fromiter((mode != _LEAF for mode in modes), bool, count)
    _check_range(features[branch], _MAX_NUMBER, "feature")

    targets = _integers(attributes, f"{kind}_ids")
    where = _integers(attributes, f"{kind}_treeids"), _integers(attributes, f"{kind}_nodeids")
    if {len(targets), *map(len, where)} != {_count(attributes, f"{kind}_weights")}:
        raise ArchitectureError("leaves whose lists have several lengths")
    _check_range(targets, _targets(attributes, kind), kind)

    keys = _Keys(trees, nodes, (yes[branch], no[branch], where[1]), where[0])
    parents = trees[branch]
    children = (keys.find(parents, yes[branch]), keys.find(parents, no[branch]))
    keys.find(*where)
    _check_trees(count, np.flatnonzero(branch), children)


def _targets(attributes: Attributes, kind: str) -> int:
    if kind == "target":
        found = _number(attributes, "n_targets")
    else:
        ints = attributes.get("classlabels_int64s", attributes.get("classlabels_ints"))
        texts = attributes.get("classlabels_strings")
        found = max(
            len(ints.all("ints")) if ints is not None else 0,
            len(texts.all("strings")) if texts is not None else 0,
        )
    if not 0 < found <= _MAX_TARGETS:
        raise ArchitectureError(f"{found} outputs of trees")
    return found


class _Keys:
    """Places of nodes by the numbers of their tree and their own."""

    def __init__(
        self, trees: Integers, nodes: Integers, others: tuple[Integers, ...], more: Integers
    ) -> None:
        self._trees = np.unique(np.concatenate((trees, more)))
        self._nodes = np.unique(np.concatenate((nodes, *others)))
        if self._trees.size * self._nodes.size >= 1 << 62:
            raise LimitError("too many trees")
        keys = self._key(trees, nodes)
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]
        if (self._sorted[1:] == self._sorted[:-1]).any():
            raise ArchitectureError("two nodes of a tree with one number")

    def _key(self, trees: Integers, nodes: Integers) -> Integers:
        tree = np.searchsorted(self._trees, trees)
        node = np.searchsorted(self._nodes, nodes)
        keys: Integers = tree * np.int64(self._nodes.size) + node
        return keys

    def find(self, trees: Integers, nodes: Integers) -> Integers:
        """The places of nodes; each must be there."""
        keys = self._key(trees, nodes)
        at = np.searchsorted(self._sorted, keys)
        if keys.size and (int(at.max()) >= self._sorted.size or (self._sorted[at] != keys).any()):
            raise ArchitectureError("a tree that names a node which is not there")
        places: Integers = self._order[at]
        return places


def _check_flat(attributes: Attributes) -> None:
    """Trees as of version 5: places of nodes and of leaves."""
    features = _integers(attributes, "nodes_featureids")
    count = len(features)
    yes, no = (_integers(attributes, f"nodes_{side}nodeids") for side in ("true", "false"))
    leaf_yes, leaf_no = (_integers(attributes, f"nodes_{side}leafs") for side in ("true", "false"))
    lengths = {len(yes), len(no), len(leaf_yes), len(leaf_no), count}
    counts = {_count(attributes, "nodes_splits"), _count(attributes, "nodes_modes"), count}
    if lengths != {count} or counts != {count}:
        raise ArchitectureError("trees whose lists have several lengths")
    leaves = _integers(attributes, "leaf_targetids")
    if len(leaves) != _count(attributes, "leaf_weights"):
        raise ArchitectureError("leaves whose lists have several lengths")
    _check_range(features, _MAX_NUMBER, "feature")
    targets = _number(attributes, "n_targets")
    if not 0 < targets <= _MAX_TARGETS:
        raise ArchitectureError(f"{targets} outputs of trees")
    _check_range(leaves, targets, "target")
    roots = _integers(attributes, "tree_roots")
    _check_range(roots, count, "root")
    owners, children = [], []
    for side, is_leaf in ((yes, leaf_yes), (no, leaf_no)):
        _check_range(is_leaf, 2, "mark of a leaf")
        _check_range(side[is_leaf == 1], len(leaves), "leaf")
        _check_range(side[is_leaf == 0], count, "node")
        owners.append(np.flatnonzero(is_leaf == 0))
        children.append(side[is_leaf == 0])
    _check_trees(count, np.concatenate(owners), (np.concatenate(children),), roots)


def _check_range(numbers: Integers, end: int, what: str) -> None:
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= end):
        wrong = numbers[(numbers < 0) | (numbers >= end)][0]
        raise ArchitectureError(f"the {what} {wrong} of trees that have {end}")


def _check_trees(
    count: int, owners: Integers, children: tuple[Integers, ...], roots: Integers | None = None
) -> None:
    """Refuse nodes with two parents, circles, and what is too deep.

    `children` has, for each owner, a child in each of its arrays.
    """
    everything: Any = np.concatenate(children) if children else np.empty(0, np.int64)
    parent = np.bincount(everything, minlength=count)
    if parent.size and parent.max() > 1:
        raise ArchitectureError("a node of a tree with two parents")
    if roots is not None and (parent[roots].any() or np.unique(roots).size != roots.size):
        raise ArchitectureError("a root of a tree that is in another")
    up = np.full(count, -1, np.int64)  # each node's parent
    for side in children:
        up[side] = owners
    # Pointers that jump twice as far each time: all reach a root, or there is a circle.
    depth = (up >= 0).astype(np.int64)
    for _ in range(limits.MAX_ONNX_TREE.bit_length() + 1):
        on = up >= 0
        if not on.any():
            break
        depth[on] += depth[up[on]]
        up[on] = up[up[on]]
    if (up >= 0).any() or (count and int(depth.max()) > limits.MAX_ONNX_TREE):
        raise LimitError(f"a tree that is circular, or deeper than {limits.MAX_ONNX_TREE}")
