"""TensorFlow's SavedModel: `saved_model.pb`, graphs with what Keras left beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.errors import DamagedError
from safemodel.legacy.tensorflow import MetaGraph, Reader
from safemodel.scan import graph_rules
from safemodel.scan.formats.graph_def import judge_metadata

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope


def scan(content: Content, scope: Scope) -> bool:
    data = content.view()
    reader = Reader(data, lambda count: scope.budget.check_time())
    found: list[MetaGraph] = []
    damage: DamagedError | None = None
    try:
        for start, end in reader.messages(0, len(data), 2):
            found.append(reader.meta_graph(start, end))
    except DamagedError as error:
        damage = error
    graphs = [graph for one in found for graph in one.graphs]
    if not any(graph_rules.known(node.operation) for graph in graphs for node in graph.nodes):
        return False
    for one in found:
        graph_rules.judge(one, scope)
        places = [item.metadata for item in one.objects if item.metadata is not None]
        judge_metadata(data, places, scope)
    if damage is not None:
        raise damage
    return True
