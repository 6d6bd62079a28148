"""pandas objects as tables of arrays: what each consists of, and its node of the object graph.

The *facts* of a frame, a series, an index or one of pandas' own arrays are small frozen records of
arrays and labels. A `Library` reads them off a live object (`frames_live.py`) or off a stand-in
made from a pickle; what is encoded here is the same for both. `frames_build.py` builds the objects
from such nodes. Knows NumPy and not pandas. Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.adapters.sklearn import words
from safemodel.adapters.sklearn.scope import SpecError, overlaps_itself

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

MASKED: Final = (
    *("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    *("Float32", "Float64", "boolean"),
)
UNITS: Final = ("s", "ms", "us", "ns")
CONSTANTS: Final = ("NA", "NaT")
MAX_LEVELS: Final = 1000
_MOST_INLINE: Final = 1024
_MAX_DEPTH: Final = 8
_ZONE: Final = re.compile(
    r"UTC([+-]\d\d:\d\d)?|[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z][A-Za-z0-9_+-]{0,30}){0,2}"
)
_FREQUENCY: Final = re.compile(r"-?\d{0,6}[A-Za-z]{1,4}(-[A-Z]{3})?")
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})


@dataclass(frozen=True, slots=True, eq=False)
class FrameFacts:
    """A DataFrame: its labels, and blocks of columns, each with the positions of the columns.

    The values of a block are an array [columns, rows], or one of pandas' arrays: then it is one
    column. `columns` and `index` are objects whose facts are those of an index.
    """

    columns: Any
    index: Any
    blocks: tuple[tuple[Sequence[int], Any], ...]
    attrs: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesFacts:
    """A Series: an array, or one of pandas' arrays, with its labels."""

    values: Any
    index: Any
    name: Any = None
    attrs: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class IndexFacts:
    """An Index, DatetimeIndex, TimedeltaIndex or CategoricalIndex: which, its values say.

    `freq` is the name of the frequency of the first two of dates, such as `"D"`.
    """

    values: Any
    name: Any = None
    freq: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RangeFacts:
    """A RangeIndex."""

    start: int
    stop: int
    step: int
    name: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class MultiFacts:
    """A MultiIndex: for each level an index, codes into it (-1: missing), and a name."""

    levels: tuple[Any, ...]
    codes: tuple[Any, ...]
    names: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CategoricalFacts:
    """A Categorical: codes into the categories, which are an index (-1: missing)."""

    codes: Any
    categories: Any
    ordered: bool


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFacts:
    """A nullable array: the name of its dtype (one of MASKED), its data, and what is missing."""

    dtype: str
    data: Any
    mask: Any


@dataclass(frozen=True, slots=True, eq=False)
class StringsFacts:
    """An array of strings, None where one is missing.

    `storage` is "python" or "pyarrow"; `missing` says what stands for a missing one: "NA", or
    "nan" (the `str` of pandas 3).
    """

    strings: Sequence[str | None]
    storage: str
    missing: str


@dataclass(frozen=True, slots=True, eq=False)
class ZonedFacts:
    """An array of points in time, in UTC (`datetime64`), with the name of a time zone."""

    values: Any
    zone: str


@dataclass(frozen=True, slots=True, eq=False)
class DtypeFacts:
    """A dtype of pandas: one of MASKED, "string", "category" or "datetime", with its arguments.

    string: `storage`, `missing`; category: `categories` (an index or None), `ordered`;
    datetime: `unit`, `zone`.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ConstantFacts:
    """`pandas.NA` or `pandas.NaT`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class MomentFacts:
    """A Timestamp (`zone` as of arrays, or None) or, if `span`, a Timedelta: a count of a unit."""

    count: int
    unit: str
    zone: str | None = None
    span: bool = False


Facts = (
    FrameFacts
    | SeriesFacts
    | IndexFacts
    | RangeFacts
    | MultiFacts
    | CategoricalFacts
    | MaskedFacts
    | StringsFacts
    | ZonedFacts
    | DtypeFacts
    | ConstantFacts
    | MomentFacts
)


# What both directions check


def check_array(array: Any, dims: int | None = 1, kinds: str = "biufcOMm") -> None:
    """Refuse what is no array that pandas holds as it is.

    Raises:
        SpecError: it is not.
    """
    if type(array) is not np.ndarray or array.dtype.kind not in kinds:
        raise SpecError(f"is not an array of one of the kinds {kinds}")
    if dims is not None and array.ndim != dims:
        raise SpecError(f"has {array.ndim} dimensions and not {dims}")
    if not array.dtype.isnative or array.dtype.itemsize > 8 + 8 * (array.dtype.kind == "c"):
        raise SpecError(f"is of {array.dtype}, which pandas does not hold")
    if array.dtype.kind in "Mm" and np.datetime_data(array.dtype) not in [(u, 1) for u in UNITS]:
        raise SpecError(f"is of {array.dtype}, which pandas does not hold")
    if overlaps_itself(array):
        raise SpecError("repeats its items: make a copy of it")


def check_zone(zone: object) -> str:
    """Return the name of a time zone.

    Raises:
        SpecError: it is none: `UTC`, `UTC+05:30`, or one of the database.
    """
    if type(zone) is not str or not _ZONE.fullmatch(zone):
        raise SpecError(f"has a time zone that is not known by a name: {zone!r:.60}")
    return zone


def check_frequency(name: object) -> str | None:
    """Return the name of a frequency, or None.

    Raises:
        SpecError: it is neither.
    """
    if name is not None and (type(name) is not str or not _FREQUENCY.fullmatch(name)):
        raise SpecError(f"has a frequency without a plain name: {name!r:.60}")
    return name


def check_attrs(value: Any, depth: int = 0) -> None:
    """Refuse `attrs` that are not plain values in lists and dicts.

    Raises:
        SpecError: they are not.
    """
    kind = type(value)
    if depth <= _MAX_DEPTH and kind in (list, tuple):
        for item in value:
            check_attrs(item, depth + 1)
    elif depth <= _MAX_DEPTH and kind is dict:
        for key, item in value.items():
            check_attrs(key, _MAX_DEPTH + 1)
            check_attrs(item, depth + 1)
    elif kind not in _PLAIN:
        raise SpecError("has attrs that are not plain values")


def runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Write positions of columns as runs of neighbours: first, how many."""
    found: list[tuple[int, int]] = []
    for position in map(int, positions):
        if found and position == sum(found[-1]):
            found[-1] = found[-1][0], found[-1][1] + 1
        else:
            found.append((position, 1))
    return found


# Nodes


def encode(facts: Facts, path: str, encoder: Encoder) -> Node:
    """Return the node of a pandas object.

    Raises:
        SpecError: it is one that can't be stored.
    """
    return _ENCODERS[type(facts)](facts, path, encoder)


def _frame(facts: FrameFacts, path: str, encoder: Encoder) -> Node:
    blocks: list[JsonValue] = []
    for number, (positions, values) in enumerate(facts.blocks):
        if type(values) is np.ndarray:
            check_array(values, 2)
        where: list[JsonValue] = [[first, count] for first, count in runs(positions)]
        blocks.append([where, encoder.value(values, join(path, f"block{number}"))])
    node: Node = {
        "kind": "pandas.frame",
        "columns": encoder.value(facts.columns, join(path, "columns")),
        "index": encoder.value(facts.index, join(path, "index")),
        "blocks": blocks,
    }
    return _with_attrs(node, facts.attrs, path, encoder)


def _series(facts: SeriesFacts, path: str, encoder: Encoder) -> Node:
    if type(facts.values) is np.ndarray:
        check_array(facts.values)
    node: Node = {
        "kind": "pandas.series",
        "values": encoder.value(facts.values, join(path, "values")),
        "index": encoder.value(facts.index, join(path, "index")),
        "name": encoder.value(facts.name, join(path, "name")),
    }
    return _with_attrs(node, facts.attrs, path, encoder)


def _with_attrs(node: Node, attrs: Mapping[Any, Any], path: str, encoder: Encoder) -> Node:
    if attrs:
        check_attrs(dict(attrs))
        node["attrs"] = encoder.value(dict(attrs), join(path, "attrs"))
    return node


def _index(facts: IndexFacts, path: str, encoder: Encoder) -> Node:
    node: Node = {"kind": "pandas.index", "name": encoder.value(facts.name, join(path, "name"))}
    if (freq := check_frequency(facts.freq)) is not None:
        node["freq"] = freq
    values = facts.values
    if type(values) is not np.ndarray:
        node["values"] = encoder.value(values, join(path, "values"))
        return node
    check_array(values)
    if values.dtype.kind != "O":
        node["values"] = encoder.value(values, join(path, "values"))
        return node
    labels = values.tolist()
    if len(labels) >= _MOST_INLINE and set(map(type, labels)) == {str}:
        node["labels"] = encoder.value(labels, join(path, "labels"))
    else:
        node["labels"] = [encoder.value(label, join(path, "labels")) for label in labels]
    return node


def _range(facts: RangeFacts, path: str, encoder: Encoder) -> Node:
    return {
        "kind": "pandas.range",
        "start": int(facts.start),
        "stop": int(facts.stop),
        "step": int(facts.step),
        "name": encoder.value(facts.name, join(path, "name")),
    }


def _multi(facts: MultiFacts, path: str, encoder: Encoder) -> Node:
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


def _categorical(facts: CategoricalFacts, path: str, encoder: Encoder) -> Node:
    check_array(facts.codes, kinds="i")
    return {
        "kind": "pandas.categorical",
        "codes": encoder.value(facts.codes, join(path, "codes")),
        "categories": encoder.value(facts.categories, join(path, "categories")),
        "ordered": bool(facts.ordered),
    }


def _masked(facts: MaskedFacts, path: str, encoder: Encoder) -> Node:
    check_array(facts.data)
    check_array(facts.mask, kinds="b")
    return {
        "kind": "pandas.masked",
        "dtype": facts.dtype,
        "data": encoder.value(facts.data, join(path, "data")),
        "mask": encoder.value(facts.mask, join(path, "mask")),
    }


def _strings(facts: StringsFacts, path: str, encoder: Encoder) -> Node:
    node: Node = {
        "kind": "pandas.strings",
        "storage": facts.storage,
        "missing": facts.missing,
    }
    words.store_words(node, facts.strings, path, encoder)
    return node


def _zoned(facts: ZonedFacts, path: str, encoder: Encoder) -> Node:
    check_array(facts.values, None, "M")
    return {
        "kind": "pandas.zoned",
        "values": encoder.value(facts.values, join(path, "values")),
        "zone": check_zone(facts.zone),
    }


def _dtype(facts: DtypeFacts, path: str, encoder: Encoder) -> Node:
    return {
        "kind": "pandas.dtype",
        "name": facts.name,
        "arguments": {
            key: encoder.value(value, join(path, key))
            for key, value in sorted(facts.arguments.items())
        },
    }


def _constant(facts: ConstantFacts, path: str, encoder: Encoder) -> Node:
    return {"kind": "pandas.constant", "name": facts.name}


def _moment(facts: MomentFacts, path: str, encoder: Encoder) -> Node:
    node: Node = {
        "kind": "pandas.timedelta" if facts.span else "pandas.timestamp",
        "count": encoder.value(facts.count, path),
        "unit": facts.unit,
    }
    if facts.zone is not None:
        node["zone"] = check_zone(facts.zone)
    return node


_ENCODERS: Final[Mapping[type, Callable[[Any, str, Encoder], Node]]] = {
    FrameFacts: _frame,
    SeriesFacts: _series,
    IndexFacts: _index,
    RangeFacts: _range,
    MultiFacts: _multi,
    CategoricalFacts: _categorical,
    MaskedFacts: _masked,
    StringsFacts: _strings,
    ZonedFacts: _zoned,
    DtypeFacts: _dtype,
    ConstantFacts: _constant,
    MomentFacts: _moment,
}
