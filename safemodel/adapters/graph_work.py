"""What an object graph costs to build, to hash and to free: bounded before anything is built.

Python's C code frees containers by recursion, and hashes numbers without a secret: a graph of a
few megabytes can overflow the stack or keep a dictionary busy for hours. Both directions of the
codec ask here, so what could not be loaded is not saved. Knows no kind of an adapter: what is not
named here counts as costly. Implements spec/object-graph.md, "Graph".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import references
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

Nodes = list[dict[str, "JsonValue"]]
Children = list[tuple[int, ...]]

# Kinds that are built in one step, from parts that must exist before. Hashing a slice hashes its
# parts since Python 3.12.
FROZEN_KINDS: Final[frozenset[JsonValue]] = frozenset({"tuple", "frozenset", "slice"})

# Kinds whose keys or elements are hashed when they are filled.
HASHING_KINDS: Final[frozenset[JsonValue]] = frozenset(
    {"dict", "OrderedDict", "Counter", "defaultdict", "set", "frozenset"}
)

# Kinds that Python frees without recursion, however deep they nest.
_LIGHT_KINDS: Final[frozenset[JsonValue]] = frozenset({"list", "tuple", "dict"})


def check_work(nodes: Nodes, children: Children) -> None:
    """Refuse a graph that is small to write and costly to build, to hash or to free.

    Raises:
        ArchitectureError: chains that are too long, or keys that cost too much.
    """
    check_chains(nodes, children)
    check_frozen(nodes)


def check_chains(nodes: Nodes, children: Children) -> None:
    """Refuse long chains of objects that C code frees by recursion.

    The depth of a graph bounds the shortest path to a node; freeing follows the longest. Nodes
    that reach one another count together, since no path through them can be longer.

    Raises:
        ArchitectureError: more than MAX_GRAPH_CHAIN in one another.
    """
    weights = bytes(node["kind"] not in _LIGHT_KINDS for node in nodes)
    inner = sum(1 for weight, below in zip(weights, children, strict=True) if weight and below)
    if inner < limits.MAX_GRAPH_CHAIN:
        return  # so almost always: tensors and arrays hold nothing
    chains = [0] * len(nodes)
    for members in _components(children):
        below = (chains[child] for index in members for child in children[index])
        # Of members themselves the chain is still 0.
        length = sum(weights[index] for index in members) + max(below, default=0)
        if length > limits.MAX_GRAPH_CHAIN:
            raise ArchitectureError(
                f"a chain of more than {limits.MAX_GRAPH_CHAIN} objects in one another",
                place=f"node {members[-1]}",
            )
        for index in members:
            chains[index] = length


def _components(children: Children) -> Iterator[list[int]]:
    """The nodes that reach one another, what is below before what is above (Tarjan)."""
    entered = [0] * len(children)  # when it was entered, from 1
    lowest = [0] * len(children)
    closed = bytearray(len(children))
    open_nodes: list[int] = []
    clock = 0
    path: list[tuple[int, Iterator[int]]] = []
    for start in range(len(children)):
        entering = None if entered[start] else start
        while entering is not None or path:
            if entering is not None:
                clock += 1
                entered[entering] = lowest[entering] = clock
                open_nodes.append(entering)
                path.append((entering, iter(children[entering])))
                entering = None
            index, rest = path[-1]
            for child in rest:
                if not entered[child]:
                    entering = child
                    break
                if not closed[child]:
                    lowest[index] = min(lowest[index], entered[child])
            if entering is not None:
                continue
            path.pop()
            if path:
                above = path[-1][0]
                lowest[above] = min(lowest[above], lowest[index])
            if lowest[index] == entered[index]:
                members = []
                while not closed[index]:
                    members.append(open_nodes.pop())
                    closed[members[-1]] = True
                yield members


def check_frozen(nodes: Nodes) -> None:
    """Refuse tuples and their like that hold themselves, or that cost too much to hash.

    Neither can be built before its parts. Hashing recurses in C without a guard, and visits a
    part as often as it occurs: 60 tuples that each hold the one before twice would take years.

    Raises:
        ArchitectureError: a cycle, more than MAX_FROZEN_DEPTH levels, or more than MAX_HASHED
            items in all keys and elements.
    """
    # Lists: the order in which a graph fills a dictionary by index would be the archive's choice.
    depths = [0] * len(nodes)
    sizes = [0] * len(nodes)

    def measure(index: int, level: int) -> None:
        if not depths[index] and level <= limits.MAX_FROZEN_DEPTH:
            children = [child for child in _children(nodes[index]) if _is_frozen(nodes[child])]
            for child in children:
                measure(child, level + 1)
            depths[index] = 1 + max((depths[child] for child in children), default=0)
            items: Any = nodes[index].get("items")
            length = len(items) if type(items) is list else 0
            sizes[index] = 1 + length + sum(sizes[child] for child in children)
        if not depths[index] or level + depths[index] - 1 > limits.MAX_FROZEN_DEPTH:
            raise ArchitectureError(
                f"tuples that hold each other, more than {limits.MAX_FROZEN_DEPTH} deep",
                place=f"node {index}",
            )

    hashed = 0
    for index, node in enumerate(nodes):
        if _is_frozen(node):
            measure(index, 1)
    for node in nodes:
        if node["kind"] in HASHING_KINDS:
            hashed += sum(sizes[child] or 1 for child in _children(_keys(node)))
        if hashed > limits.MAX_HASHED:
            raise ArchitectureError(f"keys of more than {limits.MAX_HASHED} items in all")


def _is_frozen(node: dict[str, JsonValue]) -> bool:
    return node["kind"] in FROZEN_KINDS


def _keys(node: dict[str, JsonValue]) -> JsonValue:
    items = node.get("items")
    if type(items) is not list or node["kind"] in ("set", "frozenset"):
        return items
    return [pair[0] for pair in items if type(pair) is list and pair]


def _children(value: JsonValue) -> list[Any]:
    return [reference["ref"] for reference in references(value)]


def check_hashes(keys: list[object], hashing: Callable[[object], int] = hash) -> None:
    """Refuse keys chosen so that a dictionary of them takes quadratic time.

    Strings and bytes are hashed with a secret; numbers and tuples of them are not.

    Raises:
        ArchitectureError: an unhashable key, or too many that share one hash.
    """
    counts: dict[int, int] = {}
    for key in keys:
        if type(key) is str or type(key) is bytes:
            continue
        try:
            value = hashing(key)
        except TypeError:
            raise ArchitectureError(f"a {type(key).__name__} can't be a key") from None
        counts[value] = seen = counts.get(value, 0) + 1
        if seen > limits.MAX_EQUAL_HASHES:
            raise ArchitectureError("keys chosen so that their hashes are equal")
