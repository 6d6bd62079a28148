"""The facts of pandas objects as nodes of an object graph: tables of arrays, and labels.

Serves live objects and stand-ins alike. Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.adapters.sklearn import frames, words

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_MOST_INLINE: Final = 1024


def encode(facts: frames.Facts, path: str, encoder: Encoder) -> Node:
    """Return the node of a pandas object.

    Raises:
        SpecError: it is one that can't be stored.
    """
    return _ENCODERS[type(facts)](facts, path, encoder)


def _frame(facts: frames.FrameFacts, path: str, encoder: Encoder) -> Node:
    blocks: list[JsonValue] = []
    for number, (positions, values) in enumerate(facts.blocks):
        if type(values) is np.ndarray:
            frames.check_array(values, 2)
        where: list[JsonValue] = [[first, count] for first, count in frames.runs(positions)]
        blocks.append([where, encoder.value(values, join(path, f"block{number}"))])
    node: Node = {
        "kind": "pandas.frame",
        "columns": encoder.value(facts.columns, join(path, "columns")),
        "index": encoder.value(facts.index, join(path, "index")),
        "blocks": blocks,
    }
    return _with_attrs(node, facts.attrs, path, encoder)


def _series(facts: frames.SeriesFacts, path: str, encoder: Encoder) -> Node:
    if type(facts.values) is np.ndarray:
        frames.check_array(facts.values)
    node: Node = {
        "kind": "pandas.series",
        "values": encoder.value(facts.values, join(path, "values")),
        "index": encoder.value(facts.index, join(path, "index")),
        "name": encoder.value(facts.name, join(path, "name")),
    }
    return _with_attrs(node, facts.attrs, path, encoder)


def _with_attrs(node: Node, attrs: Mapping[Any, Any], path: str, encoder: Encoder) -> Node:
    if attrs:
        frames.check_attrs(dict(attrs))
        node["attrs"] = encoder.value(dict(attrs), join(path, "attrs"))
    return node


def _index(facts: frames.IndexFacts, path: str, encoder: Encoder) -> Node:
    node: Node = {"kind": "pandas.index", "name": encoder.value(facts.name, join(path, "name"))}
    if (freq := frames.check_frequency(facts.freq)) is not None:
        node["freq"] = freq
    values = facts.values
    if type(values) is not np.ndarray:
        node["values"] = encoder.value(values, join(path, "values"))
        return node
    frames.check_array(values)
    if values.dtype.kind != "O":
        node["values"] = encoder.value(values, join(path, "values"))
        return node
    labels = values.tolist()
    if len(labels) >= _MOST_INLINE and set(map(type, labels)) == {str}:
        node["labels"] = encoder.value(labels, join(path, "labels"))
    else:
        node["labels"] = [encoder.value(label, join(path, "labels")) for label in labels]
    return node


def _range(facts: frames.RangeFacts, path: str, encoder: Encoder) -> Node:
    return {
        "kind": "pandas.range",
        "start": int(facts.start),
        "stop": int(facts.stop),
        "step": int(facts.step),
        "name": encoder.value(facts.name, join(path, "name")),
    }


def _multi(facts: frames.MultiFacts, path: str, encoder: Encoder) -> Node:
    def all_of(values: Iterable[Any], what: str) -> list[JsonValue]:
        return [
            encoder.value(value, join(path, f"{what}.{number}"))
            for number, value in enumerate(values)
        ]

    return {
        "kind": "pandas.multi_index",
        "levels": all_of(facts.levels, "levels"),
        "codes": all_of(facts.codes, "codes"),
        "names": all_of(facts.names, "names"),
    }


def _categorical(facts: frames.CategoricalFacts, path: str, encoder: Encoder) -> Node:
    frames.check_array(facts.codes, kinds="i")
    return {
        "kind": "pandas.categorical",
        "codes": encoder.value(facts.codes, join(path, "codes")),
        "categories": encoder.value(facts.categories, join(path, "categories")),
        "ordered": bool(facts.ordered),
    }


def _masked(facts: frames.MaskedFacts, path: str, encoder: Encoder) -> Node:
    frames.check_array(facts.data)
    frames.check_array(facts.mask, kinds="b")
    return {
        "kind": "pandas.masked",
        "dtype": facts.dtype,
        "data": encoder.value(facts.data, join(path, "data")),
        "mask": encoder.value(facts.mask, join(path, "mask")),
    }


def _strings(facts: frames.StringsFacts, path: str, encoder: Encoder) -> Node:
    node: Node = {
        "kind": "pandas.strings",
        "storage": facts.storage,
        "missing": facts.missing,
    }
    words.store_words(node, facts.strings, path, encoder)
    return node


def _zoned(facts: frames.ZonedFacts, path: str, encoder: Encoder) -> Node:
    frames.check_array(facts.values, None, "M")
    return {
        "kind": "pandas.zoned",
        "values": encoder.value(facts.values, join(path, "values")),
        "zone": frames.check_zone(facts.zone),
    }


def _dtype(facts: frames.DtypeFacts, path: str, encoder: Encoder) -> Node:
    return {
        "kind": "pandas.dtype",
        "name": facts.name,
        "arguments": {
            key: encoder.value(value, join(path, key))
            for key, value in sorted(facts.arguments.items())
        },
    }


def _constant(facts: frames.ConstantFacts, path: str, encoder: Encoder) -> Node:
    return {"kind": "pandas.constant", "name": facts.name}


def _moment(facts: frames.MomentFacts, path: str, encoder: Encoder) -> Node:
    node: Node = {
        "kind": "pandas.timedelta" if facts.span else "pandas.timestamp",
        "count": encoder.value(facts.count, path),
        "unit": facts.unit,
    }
    if facts.zone is not None:
        node["zone"] = frames.check_zone(facts.zone)
    return node


_ENCODERS: Final[Mapping[type, Callable[[Any, str, Encoder], Node]]] = {
    frames.FrameFacts: _frame,
    frames.SeriesFacts: _series,
    frames.IndexFacts: _index,
    frames.RangeFacts: _range,
    frames.MultiFacts: _multi,
    frames.CategoricalFacts: _categorical,
    frames.MaskedFacts: _masked,
    frames.StringsFacts: _strings,
    frames.ZonedFacts: _zoned,
    frames.DtypeFacts: _dtype,
    frames.ConstantFacts: _constant,
    frames.MomentFacts: _moment,
}
