"""What of an architecture only its caller can allow: read from the JSON, for people to see.

Knows no framework and builds nothing; the architecture may be anything. What is listed here is the
code that a load would need. Implements spec/sklearn.md, "Own classes", and
spec/torch-graph.md, "Program".
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
    return needs_of_nodes(nodes) if isinstance(nodes, list) else []


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
