"""TensorFlow's graphs outside of a SavedModel: a frozen `.pb`, `.meta`, and keras_metadata.pb."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy import json_text
from safemodel.legacy.keras_config import looks_like_keras
from safemodel.legacy.tensorflow import Reader, graphs_of
from safemodel.scan import graph_rules
from safemodel.scan.keras_rules import judge_config

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope


def scan(content: Content, scope: Scope) -> bool:
    data = content.view()
    found = graphs_of(data, spend=lambda count: scope.budget.check_time())
    operations = (node.operation for graph in found.graphs for node in graph.nodes)
    if any(graph_rules.known(operation) for operation in operations):
        graph_rules.judge(found, scope)
        return True
    try:
        places = Reader(data).keras_metadata()
    except DamagedError:
        return False
    return judge_metadata(data, places, scope)


def judge_metadata(data: memoryview, places: Iterable[tuple[int, int]], scope: Scope) -> bool:
    """Judge what Keras wrote about the objects of a SavedModel; whether it is that at all.

    Keras 2 makes these objects from their configurations, and only if it does not know the class
    from the graph: so a class of nobody known runs nothing.
    """
    known = False
    for start, size in places:
        if not size:
            continue
        try:
            text = json_text.parse(data[start : start + size])
        except LegacyError as error:
            if known:
                error.offset = start
                scope.unread(error)
            continue
        if isinstance(text.value, dict) and ("class_name" in text.value or "name" in text.value):
            known = True
            if looks_like_keras(text.value) or "class_name" in text.value:
                judge_config(text, scope, offset=start, revived=True)
    return known
