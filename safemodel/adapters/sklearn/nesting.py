"""How much work the nesting of estimators stands for: none in itself, none doubled without end.

References let a few estimators stand in one another many times over: forty unions, each of the
next one twice, would transform for ever. So a graph is refused in which an estimator contains
itself, or in which there is far more to call than there are estimators.
"""

from __future__ import annotations

from typing import Final

from safemodel.adapters.graph import references
from safemodel.adapters.graph_decode import Node
from safemodel.errors import ArchitectureError

# Kernels nest as estimators do, and are parts
_ESTIMATORS: Final = frozenset({"sklearn.estimator", "sklearn.own", "sklearn.part"})
# It asks the estimator that it is given, and never the one that it was made for: often its owner
_NOT_ASKED: Final = "sklearn.metrics._scorer._PassthroughScorer"
_FREE: Final = 1_000
_TIMES: Final = 8


def check_nesting(nodes: list[Node]) -> None:
    """Refuse estimators in themselves, or in one another far too often.

    Raises:
        ArchitectureError: names the node.
    """
    own = [int(node["kind"] in _ESTIMATORS) for node in nodes]
    most = _FREE + _TIMES * sum(own)
    weights: dict[int, int] = {}
    children = [_children(node) for node in nodes]
    for start in range(len(nodes)):
        if start in weights:
            continue
        path, under_way = [(start, 0)], {start}
        while path:
            index, turn = path.pop()
            if turn < len(children[index]):
                path.append((index, turn + 1))
                child = children[index][turn]
                if child in under_way:
                    _check_cycle(child, path, own)
                elif child not in weights:
                    path.append((child, 0))
                    under_way.add(child)
                continue
            under_way.discard(index)
            total = own[index] + sum(weights.get(child, 0) for child in children[index])
            if total > most:
                raise ArchitectureError(
                    f"{sum(own)} estimators that stand in one another more than {most} times",
                    place=f"node {index}",
                )
            weights[index] = total


def _children(node: Node) -> list[int]:
    if node.get("class") == _NOT_ASKED:
        return []
    found = [reference["ref"] for reference in references(node)]
    return [index for index in found if type(index) is int]


def _check_cycle(child: int, path: list[tuple[int, int]], own: list[int]) -> None:
    for index, _ in reversed(path):
        if own[index]:
            raise ArchitectureError("an estimator that contains itself", place=f"node {index}")
        if index == child:
            return
