"""TensorFlow's graphs as text: what they name is judged, and the rest is unread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import UnreadableError
from safemodel.legacy.graph_text import looks_like_graph_text, operations
from safemodel.scan import graph_rules

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

MAX_SIZE: Final = 256 << 20


def scan(content: Content, scope: Scope) -> bool:
    head = bytes(content.head())
    if not looks_like_graph_text(head, whole=False):
        return False
    data = bytes(content.view()[:MAX_SIZE])
    if not looks_like_graph_text(data):
        return False
    known = b"meta_graphs" in data
    for count, (operation, offset) in enumerate(operations(data)):
        if not count % 1024:
            scope.budget.check_time()
        kind = graph_rules.kind_of(operation)
        known |= kind is not None
        rule = graph_rules.rule_of(kind)
        if rule is not None:
            scope.find(
                rule[0],
                f"{operation} {rule[1]}",
                offset=offset,
                evidence=(("operation", operation),),
            )
    if not known:
        return False
    raise UnreadableError(
        "a TensorFlow graph as text, of which only the names of operations were read",
        hint="save it as binary (saved_model.pb), and scan that",
    )
