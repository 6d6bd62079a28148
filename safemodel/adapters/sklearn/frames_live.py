"""Facts of live pandas objects, read off pandas itself; pandas is not imported for it.

The blocks of a frame are read where pandas keeps them, so that the memory of its columns is known.
Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import frames
from safemodel.adapters.sklearn.scope import SpecError

_STRING_MODULES: Final = ("pandas.core.arrays.string_", "pandas.core.arrays.string_arrow")
_STRINGS: Final = (  # the last two only in pandas 2
    *("StringArray", "ArrowStringArray"),
    *("StringArrayNumpySemantics", "ArrowStringArrayNumpySemantics"),
)


def facts_of(value: Any) -> frames.Facts | None:
    """Return what a live object consists of; None if it is none of pandas'.

    Raises:
        SpecError: it is one that can't be stored.
    """
    kind = type(value)
    if not kind.__module__.startswith("pandas") or "pandas" not in sys.modules:
        return None
    read = _readers().get(kind)
    return None if read is None else read(value)


@functools.cache
def _readers() -> Mapping[type, Callable[[Any], frames.Facts]]:
    pd: Any = sys.modules["pandas"]
    found: dict[type, Callable[[Any], frames.Facts]] = {
        pd.DataFrame: _frame,
        pd.Series: _series,
        pd.RangeIndex: lambda one: frames.RangeFacts(one.start, one.stop, one.step, one.name),
        pd.MultiIndex: _multi,
        pd.Index: lambda one: frames.IndexFacts(_array(one._values), one.name),
        pd.CategoricalIndex: lambda one: frames.IndexFacts(one._values, one.name),
        pd.DatetimeIndex: _dates,
        pd.TimedeltaIndex: _dates,
        pd.Categorical: _categorical,
        pd.arrays.DatetimeArray: _zoned,
        pd.CategoricalDtype: lambda one: frames.DtypeFacts(
            "category", {"categories": one.categories, "ordered": bool(one.ordered)}
        ),
        pd.DatetimeTZDtype: lambda one: frames.DtypeFacts(
            "datetime", {"unit": one.unit, "zone": zone_name(one.tz)}
        ),
        pd.StringDtype: lambda one: frames.DtypeFacts("string", _string_dtype(one)),
        type(pd.NA): lambda _: frames.ConstantFacts("NA"),
        type(pd.NaT): lambda _: frames.ConstantFacts("NaT"),
        pd.Timestamp: lambda one: frames.MomentFacts(
            one._value, one.unit, None if one.tz is None else zone_name(one.tz)
        ),
        pd.Timedelta: lambda one: frames.MomentFacts(one._value, one.unit, span=True),
    }
    for name in frames.MASKED:
        dtype = getattr(pd, f"{name}Dtype" if name != "boolean" else "BooleanDtype")
        found[dtype] = lambda one: frames.DtypeFacts(one.name)
        found[dtype().construct_array_type()] = lambda one: frames.MaskedFacts(
            one.dtype.name, one._data, one._mask
        )
    for module in _STRING_MODULES:
        for name in _STRINGS:
            if (strings := getattr(importlib.import_module(module), name, None)) is not None:
                found[strings] = _strings
    return found


def _array(values: Any) -> Any:
    """Return the array below pandas' own array of points or spans of time without a zone."""
    dtype = getattr(values, "dtype", None)
    if type(values) is not np.ndarray and isinstance(dtype, np.dtype):
        values = values._ndarray
    if type(values) is np.ndarray and values.dtype.kind == "O":
        return values.view()  # arrays of objects are known by identity, and two may share one
    return values


def _check_flags(value: Any) -> None:
    if not value.flags.allows_duplicate_labels:
        raise SpecError("does not allow duplicate labels, which can't be stored")


def _frame(value: Any) -> frames.Facts:
    _check_flags(value)
    manager = value._mgr
    blocks = tuple((block.mgr_locs.as_array, _array(block.values)) for block in manager.blocks)
    columns, index = manager.axes
    return frames.FrameFacts(columns, index, blocks, value.attrs)


def _series(value: Any) -> frames.Facts:
    _check_flags(value)
    manager = value._mgr
    values = _array(manager.blocks[0].values)
    return frames.SeriesFacts(values, manager.axes[0], value.name, value.attrs)


def _multi(value: Any) -> frames.Facts:
    codes = tuple(np.asarray(one) for one in value.codes)
    return frames.MultiFacts(tuple(value.levels), codes, tuple(value.names))


def _dates(value: Any) -> frames.Facts:
    freq = value.freq
    name = None if freq is None else freq.freqstr
    if freq is not None:
        frames.check_frequency(name)
        frequencies: Any = importlib.import_module("pandas.tseries.frequencies")
        if frequencies.to_offset(name) != freq:
            raise SpecError(f"has a frequency that its name {name} does not say")
    return frames.IndexFacts(_array(value._data), value.name, name)


def _categorical(value: Any) -> frames.Facts:
    return frames.CategoricalFacts(value._ndarray, value.categories, bool(value.ordered))


def _zoned(value: Any) -> frames.Facts:
    if value.tz is None:
        raise SpecError("is an array of pandas' own: save its to_numpy()")
    return frames.ZonedFacts(value._ndarray, zone_name(value.tz))


def zone_name(zone: Any) -> str:
    """Return the name by which pandas finds a time zone again.

    Raises:
        SpecError: it has none.
    """
    name = getattr(zone, "key", None) or getattr(zone, "zone", None) or str(zone)
    return frames.check_zone(name)


def _string_dtype(dtype: Any) -> dict[str, Any]:
    missing = getattr(dtype, "na_value", None)
    return {"storage": dtype.storage, "missing": "nan" if type(missing) is float else "NA"}


def _strings(value: Any) -> frames.Facts:
    arguments = _string_dtype(value.dtype)
    items = value.to_numpy(dtype=object).tolist()
    strings = [item if type(item) is str else None for item in items]
    return frames.StringsFacts(strings, arguments["storage"], arguments["missing"])
