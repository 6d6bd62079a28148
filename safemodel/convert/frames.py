"""Facts of pandas objects, from the records that their pickles tell; pandas is not imported.

What pandas itself would do while it unpickles is done here: managers of blocks of all releases
since 1.0, indexes, its own arrays and dtypes. What is not known is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import frames
from safemodel.adapters.sklearn.frames import Facts
from safemodel.adapters.sklearn.parts import Reduced
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.convert.zones import offset_name, zone_name

_UNITS: Final = {7: "s", 8: "ms", 9: "us", 10: "ns"}  # as NumPy numbers them
_VERSION: Final = "0.14.1"  # of the form of managers since then
_NUMERIC: Final = ("Index", "Int64Index", "UInt64Index", "Float64Index", "NumericIndex")
_MASKS: Final = ("IntegerArray", "FloatingArray", "BooleanArray")


def facts_of(name: str, told: Reduced) -> Facts | None:
    """What a record of pandas' stands for, by the last part of its name; None if for nothing.

    Raises:
        SpecError: it is one that can't be stored, or in a form that pandas does not write.
    """
    read = _READERS.get(name)
    if read is None:
        return None
    try:
        return read(told)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise SpecError(f"is a {name} in a form that pandas does not write") from None


def constant_of(name: str) -> Facts | None:
    """The constant that a name of pandas' is."""
    last = name.rpartition(".")[2]
    return frames.ConstantFacts(last) if last in frames.CONSTANTS else None


def _values(value: Any, told: Reduced) -> Any:
    """The array below pandas' own arrays of points or spans of time without a zone."""
    if type(value) is np.ndarray:
        return value.view() if value.dtype.kind == "O" else value
    inner = told.of(value)
    name = type(value).__name__
    if name in ("DatetimeIndex", "TimedeltaIndex") or name in _NUMERIC:
        return _values(inner.arguments[0]["data"], inner)  # of releases before pandas' own arrays
    if name in ("DatetimeArray", "TimedeltaArray", "PandasArray", "NumpyExtensionArray"):
        dtype, array = _backed(inner)
        if isinstance(dtype, np.dtype):
            return array
    return value


def _backed(told: Reduced) -> tuple[Any, Any]:
    """Dtype and array of an array over one of NumPy's."""
    state = told.state
    if type(state) is tuple and len(state) == 1:
        state = state[0]
    if type(state) is tuple:
        first, second = state[:2]
        return (second, first) if type(first) is np.ndarray else (first, second)
    array = next(state[key] for key in ("_ndarray", "_codes", "_data") if key in state)
    return state.get("_dtype", getattr(array, "dtype", None)), array


def _extra(told: Reduced) -> Mapping[str, Any]:
    """Further attributes of such an array."""
    state = told.state
    if type(state) is tuple:
        state = state[2] if len(state) > 2 else {}
    return state if type(state) is dict else {}


# Frames and series


def _manager(state: Any, told: Reduced) -> tuple[Sequence[Any], list[tuple[Any, Any]]]:
    """Axes and blocks of a manager: positions and values of each."""
    manager = told.of(state.get("_mgr", state.get("_data")))
    if manager.arguments:
        blocks, axes = manager.arguments
        found = []
        for block in blocks:
            values, placement, _ = told.of(block).arguments
            found.append((placement, values))
        return axes, found
    described = manager.state[3][_VERSION]
    return described["axes"], [(one["mgr_locs"], one["values"]) for one in described["blocks"]]


def _positions(placement: Any, told: Reduced) -> Any:
    if type(placement) is slice:
        start, stop, step = placement.start, placement.stop, placement.step
        if any(type(one) not in (int, type(None)) for one in (start, stop, step)):
            raise ValueError
        if not 0 <= (stop or 0) < 1 << 31:
            raise ValueError
        return np.arange(start or 0, stop, step or 1)
    if type(placement) is np.ndarray:
        return placement
    return _positions(told.of(placement).arguments[0], told)  # a BlockPlacement


def _attributes(told: Reduced) -> tuple[Any, Mapping[Any, Any]]:
    """The state of a frame or a series, and its `attrs`."""
    state = told.state
    flags = state.get("_flags", {})
    if type(flags) is dict and not flags.get("allows_duplicate_labels", True):
        raise SpecError("does not allow duplicate labels, which can't be stored")
    attrs = state.get("attrs", state.get("_attrs")) or {}
    if type(attrs) is not dict:
        raise ValueError
    return state, attrs


def _frame(told: Reduced) -> Facts:
    state, attrs = _attributes(told)
    (columns, index), blocks = _manager(state, told)
    found = tuple(
        (_positions(placement, told), _values(values, told)) for placement, values in blocks
    )
    return frames.FrameFacts(columns, index, found, attrs)


def _series(told: Reduced) -> Facts:
    state, attrs = _attributes(told)
    (index,), ((_, values),) = _manager(state, told)
    name = state.get("_name", state.get("name"))
    return frames.SeriesFacts(_values(values, told), index, name, attrs)


# Indexes


def _index(told: Reduced) -> Facts:
    (parts,) = told.arguments
    values = _values(parts["data"], told)
    return frames.IndexFacts(values, parts.get("name"))


def _range(told: Reduced) -> Facts:
    (parts,) = told.arguments
    start, stop, step = (int(parts[key]) for key in ("start", "stop", "step"))
    return frames.RangeFacts(start, stop, step, parts.get("name"))


def _dates(told: Reduced) -> Facts:
    (parts,) = told.arguments
    data, freq = parts["data"], parts.get("freq")
    values: Any = data
    if type(data) is np.ndarray:
        if parts.get("tz") is not None:
            raise SpecError("is an index with a time zone of an old release")
        values = data
    else:
        freq = freq if freq is not None else _extra(told.of(data)).get("_freq")
        values = _values(data, told)
    name = None if freq is None else offset_name(freq, told)
    return frames.IndexFacts(values, parts.get("name"), frames.check_frequency(name))


def _multi(told: Reduced) -> Facts:
    (parts,) = told.arguments
    levels = tuple(parts["levels"])
    codes = parts["codes"] if "codes" in parts else parts["labels"]
    return frames.MultiFacts(levels, tuple(map(_codes, codes)), tuple(parts["names"]))


def _codes(codes: Any) -> Any:
    """Codes as an index keeps them: a view that nobody writes to."""
    if type(codes) is not np.ndarray:
        raise ValueError
    view = codes.view()
    view.flags.writeable = False
    return view


# Arrays and dtypes


def _categorical(told: Reduced) -> Facts:
    dtype, codes = _backed(told)
    kept = told.of(dtype).state
    return frames.CategoricalFacts(codes, kept["categories"], bool(kept["ordered"]))


def _zoned(told: Reduced) -> Facts:
    dtype, values = _backed(told)
    if isinstance(dtype, np.dtype):
        raise SpecError("is an array of pandas' own: save its to_numpy()")
    _, zone = _zone_of(told.of(dtype))
    return frames.ZonedFacts(values, zone_name(zone, told))


def _zone_of(dtype: Reduced) -> tuple[Any, Any]:
    if type(dtype.state) is dict:
        return dtype.state["unit"], dtype.state["tz"]
    unit, zone = dtype.arguments
    return unit, zone


def _zoned_dtype(told: Reduced) -> Facts:
    unit, zone = _zone_of(told)
    return frames.DtypeFacts("datetime", {"unit": unit, "zone": zone_name(zone, told)})


def _category(told: Reduced) -> Facts:
    state = told.state
    arguments = {"categories": state["categories"], "ordered": bool(state["ordered"])}
    return frames.DtypeFacts("category", arguments)


def _string_dtype(told: Reduced) -> dict[str, Any]:
    arguments = [*told.arguments]
    if type(told.state) is dict:
        arguments = [told.state.get("storage", "python")]
    storage = arguments[0] if arguments else "python"
    missing = arguments[1] if len(arguments) > 1 else None
    return {"storage": storage, "missing": "nan" if type(missing) is float else "NA"}


def _strings(told: Reduced) -> Facts:
    dtype, values = _backed(told)
    arguments = _string_dtype(told.of(dtype))
    strings = [item if type(item) is str else None for item in values.tolist()]
    return frames.StringsFacts(strings, arguments["storage"], arguments["missing"])


def _masked(told: Reduced) -> Facts:
    state = told.state
    data, mask = state["_data"], state["_mask"]
    name = data.dtype.name
    for prefix, shown in (("uint", "UInt"), ("int", "Int"), ("float", "Float")):
        if name.startswith(prefix):
            name = shown + name.removeprefix(prefix)
            break
    name = "boolean" if name == "bool" else name
    if name not in frames.MASKED:
        raise ValueError
    return frames.MaskedFacts(name, data, mask)


# Moments


def _timestamp(told: Reduced) -> Facts:
    count, _, zone, *unit = told.arguments
    name = None if zone is None else zone_name(zone, told)
    return frames.MomentFacts(int(count), _UNITS[unit[0] if unit else 10], name)


def _span(told: Reduced) -> Facts:
    count, *unit = told.arguments
    return frames.MomentFacts(int(count), _UNITS[unit[0] if unit else 10], span=True)


def _named_dtype(name: str) -> Callable[[Reduced], Facts]:
    return lambda told: frames.DtypeFacts(name)


_READERS: Final[Mapping[str, Callable[[Reduced], Facts]]] = {
    "DataFrame": _frame,
    "Series": _series,
    **dict.fromkeys((*_NUMERIC, "CategoricalIndex"), _index),
    "RangeIndex": _range,
    "DatetimeIndex": _dates,
    "TimedeltaIndex": _dates,
    "MultiIndex": _multi,
    "Categorical": _categorical,
    "DatetimeArray": _zoned,
    "StringArray": _strings,
    "StringArrayNumpySemantics": _strings,
    **dict.fromkeys(_MASKS, _masked),
    "CategoricalDtype": _category,
    "DatetimeTZDtype": _zoned_dtype,
    "StringDtype": lambda told: frames.DtypeFacts("string", _string_dtype(told)),
    "BooleanDtype": _named_dtype("boolean"),
    **{f"{name}Dtype": _named_dtype(name) for name in frames.MASKED if name != "boolean"},
    "Timedelta": _span,
    "Timestamp": _timestamp,
    "_unpickle_timestamp": _timestamp,
    "_timedelta_unpickle": _span,
}
