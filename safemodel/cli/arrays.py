"""Which arrays of the saved object lie in which stored tensor, read from an object graph.

Only looks at the graph's JSON, which may be anything: what is not understood is left out. Nothing
is decoded or built. (spec/object-graph.md says what a graph is.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue
    from safemodel.format.manifest import Manifest

_MAX_PATH: Final = 200


def arrays_of(manifest: Manifest) -> dict[str, list[str]]:
    """Stored tensor to the paths of the arrays that are views of it, in the order of the graph."""
    nodes = _nodes(manifest)
    paths: dict[int, str] = {0: ""}
    found: dict[str, list[str]] = {}
    for index, node in enumerate(nodes):
        # Nodes are numbered in the order of their first reference: a parent comes first.
        above = paths.get(index)
        if above is None or not isinstance(node, dict):
            continue
        for part, child in _references(node):
            path = f"{above}.{part}" if above else part
            paths.setdefault(child, path[:_MAX_PATH])
            tensor = _tensor(nodes, child)
            if tensor is not None:
                found.setdefault(tensor, []).append(path[:_MAX_PATH])
    return found


def real_names(manifest: Manifest) -> dict[str, str]:
    """Stored name to real name, of the tensors whose real name can't be stored."""
    names = _graph(manifest).get("names")
    if not isinstance(names, dict):
        return {}
    return {stored: real for stored, real in names.items() if isinstance(real, str)}


def _graph(manifest: Manifest) -> dict[str, JsonValue]:
    architecture = manifest.architecture
    graph = architecture.get("graph") if isinstance(architecture, dict) else None
    return graph if isinstance(graph, dict) else {}


def _nodes(manifest: Manifest) -> list[JsonValue]:
    nodes = _graph(manifest).get("nodes")
    return nodes if isinstance(nodes, list) else []


def _tensor(nodes: list[JsonValue], index: int) -> str | None:
    node = nodes[index] if 0 <= index < len(nodes) else None
    data = node.get("data") if isinstance(node, dict) else None
    return data if isinstance(data, str) else None


def _references(node: dict[str, JsonValue]) -> Iterator[tuple[str, int]]:
    """The nodes that a node refers to, each with what it is called there."""
    for field, value in node.items():
        index = _reference(value)
        if index is not None:
            yield field, index
        elif isinstance(value, list):
            for position, item in enumerate(value):
                index = _reference(item)
                if index is not None:
                    yield str(position), index
                elif isinstance(item, list) and len(item) == 2:  # a key and its value
                    index = _reference(item[1])
                    if index is not None:
                        yield item[0] if isinstance(item[0], str) else str(position), index


def _reference(value: JsonValue) -> int | None:
    index = value.get("ref") if isinstance(value, dict) and len(value) == 1 else None
    return index if isinstance(index, int) and not isinstance(index, bool) else None
