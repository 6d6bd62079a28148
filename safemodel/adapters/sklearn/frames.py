"""pandas objects as tables of arrays: what each consists of, and what must hold of it.

The *facts* of a frame, a series, an index or one of pandas' own arrays are small frozen records of
arrays and labels. A `Library` reads them off a live object (`frames_live.py`) or off a stand-in
made from a pickle; `frames_encode.py` makes the same nodes of both, and `frames_build.py` builds
the objects from them. Knows NumPy and not pandas. Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import SpecError, overlaps_itself

MASKED: Final = (
    *("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    *("Float32", "Float64", "boolean"),
)
UNITS: Final = ("s", "ms", "us", "ns")
CONSTANTS: Final = ("NA", "NaT")
MAX_LEVELS: Final = 1000
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
