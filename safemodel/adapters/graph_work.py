"""What an object graph costs to build, to hash and to free: bounded before anything is built.

Python's C code frees containers by recursion, and hashes numbers without a secret: a graph of a
few megabytes can overflow the stack or keep a dictionary busy for hours. Both directions of the
codec ask here, so what could not be loaded is not saved. Knows no kind of an adapter: what is not
named here counts as costly. Implements spec/object-graph.md, "Graph".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

# Kinds whose hash depends on a secret of the process.
_TEXT_KINDS: Final[frozenset[JsonValue]] = frozenset({"str", "bytes"})

# Places of a table that a dictionary looks at in the time in which it hashes an item.
_PROBES: Final = 64


def check_work(nodes: Nodes, children: Children) -> None:
    """Refuse a graph that is small to write and costly to build, to hash or to free.

    Raises:
        ArchitectureError: chains that are too long, or keys that cost too much.
    """
    check_chains(nodes, children)
    check_keys(nodes)


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


def check_keys(nodes: Nodes) -> None:
    """Refuse tuples and their like that hold themselves, and keys that cost too much to hash.

    Neither can be built before its parts. Hashing recurses in C without a guard, and visits a
    part as often as it occurs: 60 tuples that each hold the one before twice would take years.
    And numbers are hashed without a secret: keys with different hashes can still be chosen so
    that a dictionary looks at all others to find the place of each.

    Raises:
        ArchitectureError: a cycle, more than MAX_FROZEN_DEPTH levels, more than MAX_NUMBER_KEYS
            keys of one container that are not text, or more than MAX_HASHED items in all keys.
    """
    frozen = _Frozen(nodes)
    hashed = 0
    for index, node in enumerate(nodes):
        if node["kind"] not in HASHING_KINDS:
            continue
        keys = _keys(node)
        hashed += sum(frozen.sizes[child] or 1 for child in _children(keys))
        numbers = sum(1 for key in keys if type(key) is not str and not frozen.is_text(key))
        if numbers <= limits.MAX_NUMBER_KEYS:
            hashed += numbers * numbers // _PROBES
        elif node["kind"] != "dict" or not is_numbering(keys):
            raise ArchitectureError(
                f"{numbers} keys that are not strings, {limits.MAX_NUMBER_KEYS} are permitted",
                place=f"node {index}",
            )
        if hashed > limits.MAX_HASHED:
            raise ArchitectureError(f"keys of more than {limits.MAX_HASHED} items in all")


class _Frozen:
    """What is known of the frozen nodes of a graph: how much hashing one visits, and if it is text.

    Text is a string, bytes, or a frozen node of nothing but text: its hash depends on a secret.
    An empty one has a hash that everybody knows.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        # Lists: the order in which a graph would fill a dictionary by index is the archive's.
        self._depths = [0] * len(nodes)
        self.sizes = [0] * len(nodes)
        self._text = bytearray(node["kind"] in _TEXT_KINDS for node in nodes)
        for index, node in enumerate(nodes):
            if node["kind"] in FROZEN_KINDS:
                self._measure(index, 1)

    def is_text(self, value: JsonValue) -> bool:
        """Whether the hash of a VALUE can't be foretold."""
        if type(value) is dict and len(value) == 1:
            ((tag, content),) = value.items()
            return bool(self._text[content] if tag == "ref" else tag == "bytes" and content)  # type: ignore[index]  # audited
        return type(value) is str and value != ""

    def _measure(self, index: int, level: int) -> None:
        node = self._nodes[index]
        if not self._depths[index] and level <= limits.MAX_FROZEN_DEPTH:
            children = [
                child for child in _children(node) if self._nodes[child]["kind"] in FROZEN_KINDS
            ]
            for child in children:
                self._measure(child, level + 1)
            self._depths[index] = 1 + max((self._depths[child] for child in children), default=0)
            items: Any = node.get("items")
            items = items if type(items) is list else []
            self.sizes[index] = 1 + len(items) + sum(self.sizes[child] for child in children)
            self._text[index] = bool(items) and all(self.is_text(item) for item in items)
        if not self._depths[index] or level + self._depths[index] - 1 > limits.MAX_FROZEN_DEPTH:
            raise ArchitectureError(
                f"tuples that hold each other, more than {limits.MAX_FROZEN_DEPTH} deep",
                place=f"node {index}",
            )


def _keys(node: dict[str, JsonValue]) -> list[JsonValue]:
    items = node.get("items")
    if type(items) is not list:
        return []
    if node["kind"] in ("set", "frozenset"):
        return items
    return [pair[0] for pair in items if type(pair) is list and pair]


def _children(value: JsonValue) -> list[Any]:
    return [reference["ref"] for reference in references(value)]


def is_numbering(keys: Sequence[object]) -> bool:
    """Whether keys are the numbers of many things, not all of which need be there.

    The state of an optimizer with many parameters has such keys. In a table that is large enough
    from the start (`fill_numbered`) none of them meets another.
    """
    end = 2 * len(keys)
    return all(type(key) is int and 0 <= key < end for key in keys)


def fill_numbered(obj: dict[object, object], pairs: Sequence[tuple[Any, object]]) -> None:
    """Fill an empty dict whose keys are a numbering, in their order, whatever that is.

    A table that grows while it is filled has room for few of the keys at first, and the archive
    could choose which of them meet there. Here every key has had its own place before the first.
    """
    there = bytearray(2 * len(pairs))
    for key, _ in pairs:
        there[key] = True
    obj.update(dict.fromkeys(range(len(there))))
    for key, present in enumerate(there):
        if not present:
            del obj[key]
    for key, value in pairs:
        if not there[key]:
            raise ArchitectureError("a dictionary with two equal keys")
        there[key] = False
        del obj[key]
        obj[key] = value


def check_hashes(keys: list[object], hashing: Callable[[object], int] = hash) -> None:
    """Refuse keys that can't be any, or are chosen so that their hashes are equal.

    Strings and bytes are hashed with a secret; numbers and tuples of them are not.

    Raises:
        ArchitectureError: an unhashable key, or too many that share one hash.
    """
    hashes = []
    for key in keys:
        if type(key) is str or type(key) is bytes:
            continue
        try:
            hashes.append(hashing(key))
        except TypeError:
            raise ArchitectureError(f"a {type(key).__name__} can't be a key") from None
    hashes.sort()  # counting them in a dictionary would be what they were chosen against
    most = limits.MAX_EQUAL_HASHES
    if any(first == last for first, last in zip(hashes, hashes[most:], strict=False)):
        raise ArchitectureError("keys chosen so that their hashes are equal")
