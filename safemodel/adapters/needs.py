"""What of an architecture only its caller can allow: read from the JSON, for people to see.

Knows no framework and builds nothing; the architecture may be anything. What is listed here is the
code that a load would need. Implements spec/sklearn.md, "Own classes", spec/torch-graph.md,
"Program", and spec/keras.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safemodel.format.canonical_json import JsonValue

# Kinds of nodes that stand for code from outside our tables, and the field that names it.
_FIELDS: Final = {"sklearn.own": "class", "sklearn.own_function": "name"}
# Where a program of PyTorch finds its operators; those of other names are the caller's own.
_OPERATORS: Final = ("aten::", "control::", "math::", "operator::", "sym::")
# As Keras registers code of a caller's own: the package, and the name.
REGISTERED: Final = re.compile(r"[^\x00-\x1f\x7f>]{1,200}>[^\x00-\x1f\x7f>]{1,200}")
_MAX_NAME: Final = 500
_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def is_name(value: object) -> bool:
    """Whether it is a qualified name: identifiers with points between them, two at least."""
    return type(value) is str and len(value) <= _MAX_NAME and bool(_NAME.fullmatch(value))


def needs_of(architecture: JsonValue) -> list[str]:
    """The names that `allow=` must have for a load, in order."""
    if not isinstance(architecture, dict):
        return []
    custom = architecture.get("custom")
    if isinstance(custom, list):  # of the adapter onnx
        return [f"onnx-domain:{domain}" for domain in custom if isinstance(domain, str)]
    program = architecture.get("program")
    operators = program.get("operators") if isinstance(program, dict) else None
    if isinstance(operators, list):  # of the adapter torch
        texts = [name for name in operators if isinstance(name, str)]
        return [f"torch-op:{name}" for name in texts if not name.startswith(_OPERATORS)]
    graph = architecture.get("graph")
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, list):
        return []
    return needs_of_nodes(nodes) or _needs_of_keras(nodes)


def _needs_of_keras(nodes: list[JsonValue]) -> list[str]:
    """The names under which classes and functions in the configuration of a model were registered.

    Those of others are no names of two parts.
    """
    if not nodes or not {"class", "backend"} <= _items(nodes[0]).keys():
        return []
    found = set()
    for fields in map(_items, nodes):
        kind = fields.get("class_name")
        name = fields.get("config" if kind == "function" else "registered_name")
        if kind is not None and isinstance(name, str) and REGISTERED.fullmatch(name):
            found.add(name)
    return sorted(found)


def _items(node: JsonValue) -> dict[str, JsonValue]:
    """The entries of a node that is a dictionary, as far as their keys are texts."""
    items = node.get("items") if isinstance(node, dict) and node.get("kind") == "dict" else None
    found: dict[str, JsonValue] = {}
    for pair in items if isinstance(items, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
            found[pair[0]] = pair[1]
    return found


def needs_of_nodes(nodes: Iterable[JsonValue]) -> list[str]:
    """The names that the nodes of a graph need allowed, in order."""
    found = set()
    for node in nodes:
        kind = node.get("kind") if isinstance(node, dict) else None
        field = _FIELDS.get(kind) if isinstance(kind, str) else None
        name = node.get(field) if field is not None and isinstance(node, dict) else None
        if isinstance(name, str) and is_name(name):
            found.add(name)
    return sorted(found)
