"""Move large initializers of branches and loop bodies to the main graph.

Only initializers of the main graph can be stored apart, and `graph.onnx` has less than 2 GiB. A
subgraph sees the values of the graph around it, so a tensor under a name that nothing else has
means the same there. Implements spec/onnx.md, "Saving".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from safemodel import limits
from safemodel.adapters.onnx import tensors
from safemodel.adapters.onnx.wire import Message

_LARGE: Final = limits.MIB
_OLDEST: Final = 4  # earlier IR versions want every initializer among the inputs


def hoist(model: Message) -> None:
    """Move what is large, and whose name is its own in the whole graph."""
    main = model.get("graph")
    inner = list(_subgraphs(main))
    if model.get("ir_version", 0) < _OLDEST or not any("initializer" in one for one in inner):
        return
    taken: Counter[str] = Counter()
    for graph in (main, *inner):
        taken.update(_names(graph))
    moved: list[Message] = []
    for graph in inner:
        ends = {value.get("name") for value in (*graph.all("input"), *graph.all("output"))}
        kept = []
        for initializer in graph.all("initializer"):
            name = initializer.get("name")
            large = tensors.shape_of(initializer).nbytes >= _LARGE
            if large and name and taken[name] == 1 and name not in ends:
                moved.append(initializer)
            else:
                kept.append(initializer)
        graph.values["initializer"] = kept
    main.values["initializer"] = [*main.all("initializer"), *moved]


def _subgraphs(graph: Message) -> Iterator[Message]:
    for node in graph.all("node"):
        for attribute in node.all("attribute"):
            found = [attribute.get("g")] if "g" in attribute else attribute.all("graphs")
            for inner in found:
                yield inner
                yield from _subgraphs(inner)


def _names(graph: Message) -> Iterator[str]:
    """What a graph itself calls a value."""
    for node in graph.all("node"):
        yield from node.all("output")
    for value in graph.all("input"):
        yield value.get("name", "")
    for initializer in graph.all("initializer"):
        yield initializer.get("name", "")
    for sparse in graph.all("sparse_initializer"):
        if "values" in sparse:
            yield sparse.get("values").get("name", "")
