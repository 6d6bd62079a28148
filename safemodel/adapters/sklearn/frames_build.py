"""Nodes of an object graph to pandas objects: constructors of pandas over checked arrays.

Which constructor, a table of ours says; arguments are arrays, labels and words from closed lists.
pandas' compiled code trusts codes and trusts that labels do not change: codes get memory of their
own, and labels are read into new arrays. Arrays of frames are views of verified bytes unless
something else sees the same bytes: two frames must not change one another. Implements
spec/sklearn.md, "pandas".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.graph import references
from safemodel.adapters.graph_decode import (
    Builder,
    Create,
    Decoder,
    Fill,
    Node,
    integer,
    text,
)
from safemodel.adapters.graph_work import check_hashes
from safemodel.adapters.sklearn import frames, words
from safemodel.adapters.sklearn.scope import MAX_UNHELD, SpecError
from safemodel.errors import ArchitectureError, MissingLibraryError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_MAX: Final = limits.MAX_SAFE_INTEGER
_LABELS: Final = frozenset({type(None), bool, int, float, complex, str, bytes, tuple})
_MAX_DEPTH: Final = 4


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingLibraryError("pandas is not installed", hint="pip install pandas") from None
    return pandas


def _checked(array: Any, dims: int | None = 1, kinds: str = "biufcOMm") -> Any:
    try:
        frames.check_array(array, dims, kinds)
    except SpecError as error:
        raise ArchitectureError(f"an array of pandas that {error.message}") from None
    return array


def _own(value: JsonValue, decoder: Decoder, dims: int | None = 1, kinds: str = "biufcMm") -> Any:
    """Return an array that nothing else changes: a copy, if another node sees the same bytes."""
    array = _checked(decoder.value(value), dims, kinds)
    return array.copy(order="K") if _is_shared(value, array.nbytes, decoder) else array


def _is_shared(value: JsonValue, nbytes: int, decoder: Decoder) -> bool:
    """Whether another node sees the same bytes; the copy that is then due is charged."""
    if not isinstance(value, dict):
        raise ArchitectureError("an array is a node")
    index: Any = value["ref"]
    nodes: Any = decoder._nodes
    if "pandas.uses" not in decoder.scratch:
        references_to = Counter(
            reference["ref"] for node in nodes for reference in references(node)
        )
        tensors = Counter(name for node in nodes if isinstance(name := node.get("data"), str))
        decoder.scratch["pandas.uses"] = references_to, tensors
    references_to, tensors = decoder.scratch["pandas.uses"]
    node = nodes[index]
    data = node.get("data")
    shared: bool = references_to[index] > 1 or (isinstance(data, str) and tensors[data] > 1)
    if shared and node["kind"] == "object_array":
        raise ArchitectureError("an array of objects of pandas that something else has too")
    if shared:
        decoder.charge(nbytes)
    return shared


def _labels(value: JsonValue, decoder: Decoder) -> list[Any]:
    """Return labels, which are there already: text, numbers, and tuples of such."""
    if type(value) is list:
        labels = decoder.values(value)
    else:
        found = decoder.value(value)
        if type(found) is not list:
            raise ArchitectureError("labels must be a list")
        labels = found
    for label in labels:
        _check_label(label)
    if sum(1 for label in labels if type(label) is not str) > limits.MAX_NUMBER_KEYS:
        raise ArchitectureError(f"more than {limits.MAX_NUMBER_KEYS} labels that are not text")
    check_hashes(labels)
    return labels


def _check_label(label: Any, depth: int = 0) -> None:
    kind = type(label)
    if kind is tuple and depth < _MAX_DEPTH:
        for item in label:
            _check_label(item, depth + 1)
    elif kind not in _LABELS and not isinstance(label, np.generic) and not _is_moment(label):
        raise ArchitectureError(f"a {kind.__name__} can't be a label")


def _is_moment(label: Any) -> bool:
    kind = type(label)
    pandas = _pandas()
    return kind in (pandas.Timestamp, pandas.Timedelta, type(pandas.NaT), type(pandas.NA))


def _name(value: JsonValue, decoder: Decoder) -> Any:
    name = decoder.value(value)
    _check_label(name)
    return name


# Indices


def _create_index(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    name = _name(node["name"], decoder)
    if ("labels" in node) == ("values" in node):
        raise ArchitectureError("an index has either labels or values")
    if "labels" in node:
        labels = _labels(node["labels"], decoder)
        array = np.empty(len(labels), dtype=object)
        array[:] = labels if not any(type(one) is tuple for one in labels) else None
        for position, label in enumerate(labels):
            array[position] = label
        return pandas.Index(array, dtype=object, name=name, copy=False, tupleize_cols=False)
    values: Any = decoder.value(node["values"])
    if type(values) is np.ndarray:
        values = _own(node["values"], decoder)
    elif type(values) not in _arrays(pandas):
        raise ArchitectureError("an index over something that is no array")
    if "freq" in node:
        return _with_frequency(values, node["freq"], name)
    return pandas.Index(values, dtype=values.dtype, name=name, copy=False, tupleize_cols=False)


def _with_frequency(values: Any, freq: JsonValue, name: Any) -> Any:
    pandas = _pandas()
    try:
        checked = frames.check_frequency(freq)
    except SpecError as error:
        raise ArchitectureError(f"an index that {error.message}") from None
    if getattr(values.dtype, "kind", "") not in ("M", "m"):
        raise ArchitectureError("a frequency of what is no time")
    kind = pandas.TimedeltaIndex if values.dtype.kind == "m" else pandas.DatetimeIndex
    return kind(values, freq=checked, name=name, copy=False)


def _create_range(node: Node, decoder: Decoder) -> object:
    start, stop, step = (integer(node[key], -_MAX, _MAX, key) for key in ("start", "stop", "step"))
    if step == 0:
        raise ArchitectureError("a range of step 0")
    return _pandas().RangeIndex(start, stop, step, name=_name(node["name"], decoder))


def _create_multi(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    levels, codes, names = node["levels"], node["codes"], node["names"]
    if type(levels) is not list or type(codes) is not list or type(names) is not list:
        raise ArchitectureError("levels, codes and names must be lists")
    if not 1 <= len(levels) == len(codes) == len(names) <= frames.MAX_LEVELS:
        raise ArchitectureError("as many levels as codes and names, and not none")
    return pandas.MultiIndex(
        levels=[_index(level, decoder) for level in levels],
        codes=[_codes(one, decoder) for one in codes],
        names=[_name(name, decoder) for name in names],
        verify_integrity=True,  # codes in range, levels without doubles
        copy=False,
    )


def _index(value: JsonValue, decoder: Decoder, *, held: bool = False) -> Any:
    """Return an index; `held`: the caller compares its length with something in memory."""
    index: Any = decoder.value(value)
    pandas = _pandas()
    kinds = (
        *(pandas.Index, pandas.RangeIndex, pandas.MultiIndex, pandas.CategoricalIndex),
        *(pandas.DatetimeIndex, pandas.TimedeltaIndex),
    )
    if type(index) not in kinds:
        raise ArchitectureError("something that must be an index, and is none")
    if not held and type(index) is pandas.RangeIndex and len(index) > MAX_UNHELD:
        raise ArchitectureError(f"says {len(index)} labels, and nothing in it has as many")
    return index


def _codes(value: JsonValue, decoder: Decoder) -> Any:
    """Return codes that nothing else can change: pandas follows them without a look."""
    array = _checked(decoder.value(value), kinds="i")
    decoder.charge(array.nbytes)
    return array.copy()


# Arrays


def _create_categorical(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    if type(node["ordered"]) is not bool:
        raise ArchitectureError("ordered must be a boolean")
    categories = _index(node["categories"], decoder)
    dtype = pandas.CategoricalDtype(categories, ordered=node["ordered"])
    return pandas.Categorical.from_codes(_codes(node["codes"], decoder), dtype=dtype)


def _create_masked(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    name = text(node["dtype"], "dtype")
    if name not in frames.MASKED:
        raise ArchitectureError(f"{name!r:.60} is no dtype of a nullable array")
    dtype = _dtype_class(pandas, name)()
    data = _own(node["data"], decoder)
    mask = _own(node["mask"], decoder, kinds="b")
    if data.dtype != dtype.numpy_dtype or data.shape != mask.shape:
        raise ArchitectureError("a nullable array whose data or mask does not fit its dtype")
    return dtype.construct_array_type()(data, mask, copy=False)


def _dtype_class(pandas: Any, name: str) -> Any:
    return pandas.BooleanDtype if name == "boolean" else getattr(pandas, f"{name}Dtype")


def _create_strings(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    dtype = _string_dtype(pandas, node["storage"], node["missing"])
    strings = words.read_words(node, decoder)
    array = np.empty(len(strings), dtype=object)
    array[:] = strings
    missing: Any = dtype.na_value
    array[[one is None for one in strings]] = missing
    return pandas.array(array, dtype=dtype)


def _string_dtype(pandas: Any, storage: object, missing: object) -> Any:
    if storage not in ("python", "pyarrow") or missing not in ("NA", "nan"):
        raise ArchitectureError("strings that are stored in a way that pandas does not know")
    try:
        if missing == "NA":
            return pandas.StringDtype(storage)
        return pandas.StringDtype(storage, na_value=np.nan)
    except TypeError:
        raise ArchitectureError(
            "strings that the installed release of pandas does not have", hint=_NEWER
        ) from None
    except ImportError:
        raise MissingLibraryError("pyarrow is not installed", hint="pip install pyarrow") from None


_NEWER: Final = "install the release that saved it: safemodel inspect shows it"


def _create_zoned(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    values = _own(node["values"], decoder, None, "M")
    dtype = pandas.DatetimeTZDtype(np.datetime_data(values.dtype)[0], _zone(node["zone"]))
    made: object = pandas.arrays.DatetimeArray._simple_new(values, dtype=dtype)
    return made


def _zone(value: JsonValue) -> str:
    try:
        return frames.check_zone(value)
    except SpecError as error:
        raise ArchitectureError(error.message) from None


def _arrays(pandas: Any) -> tuple[type, ...]:
    made = {_dtype_class(pandas, name)().construct_array_type() for name in frames.MASKED}
    strings = {type(pandas.array([], dtype=pandas.StringDtype("python")))}
    try:
        strings.add(type(pandas.array([], dtype=pandas.StringDtype("python", na_value=np.nan))))
        strings.add(type(pandas.array([], dtype=pandas.StringDtype("pyarrow"))))
        strings.add(type(pandas.array([], dtype=pandas.StringDtype("pyarrow", na_value=np.nan))))
    except (ImportError, TypeError):
        pass
    return (pandas.Categorical, pandas.arrays.DatetimeArray, *made, *strings)


# Frames and series


def _create_frame(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    columns = _index(node["columns"], decoder)
    index = _index(node["index"], decoder, held=bool(node["blocks"]))
    if type(node["blocks"]) is not list:
        raise ArchitectureError("blocks must be a list")
    taken = np.zeros(len(columns), dtype=bool)
    blocks = []
    for block in node["blocks"]:
        if type(block) is not list or len(block) != 2:
            raise ArchitectureError("a block is positions and values")
        positions = _positions(block[0], taken)
        values = decoder.value(block[1])
        if type(values) is np.ndarray:
            values = _own(block[1], decoder, 2, "biufcOMm")
            shape: tuple[int, ...] = (len(positions), len(index))
        elif type(values) in _arrays(pandas):
            shape = (len(index),) if values.ndim == 1 else (len(positions), len(index))
            if values.ndim == 1 and len(positions) != 1:
                raise ArchitectureError("several columns of one array")
            if _is_shared(block[1], values.nbytes, decoder):
                values = values.copy()
        else:
            raise ArchitectureError("a column that is no array")
        if values.shape != shape:
            raise ArchitectureError(f"columns of shape {values.shape} and not {shape}")
        blocks.append((values, positions))
    if not taken.all():
        raise ArchitectureError("a column without values")
    return _assemble(blocks, index, columns)


def _positions(value: JsonValue, taken: Any) -> Any:
    """Return the positions of columns that no other block has."""
    if type(value) is not list:
        raise ArchitectureError("positions must be a list")
    found: list[int] = []
    for run in value:
        if type(run) is not list or len(run) != 2:
            raise ArchitectureError("positions are pairs: the first, how many")
        first = integer(run[0], 0, len(taken), "a position")
        count = integer(run[1], 1, len(taken) - first, "a number of columns")
        if taken[first : first + count].any():
            raise ArchitectureError("a column in two blocks")
        taken[first : first + count] = True
        found.extend(range(first, first + count))
    return np.array(found, dtype=np.intp)


def _assemble(blocks: list[tuple[Any, Any]], index: Any, columns: Any) -> Any:
    try:
        from pandas.api.internals import create_dataframe_from_blocks
    except ImportError:  # pandas 2
        from pandas import DataFrame
        from pandas._libs.internals import BlockPlacement
        from pandas.core.internals.blocks import (
            ensure_block_shape,
            maybe_coerce_values,
            new_block,
        )
        from pandas.core.internals.managers import BlockManager

        made = [
            new_block(
                maybe_coerce_values(ensure_block_shape(values, 2)),
                BlockPlacement(positions),
                ndim=2,
            )
            for values, positions in blocks
        ]
        manager = BlockManager(made, [columns, index])
        return DataFrame._from_mgr(manager, axes=manager.axes)
    return create_dataframe_from_blocks(blocks, index=index, columns=columns)


def _create_series(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    index = _index(node["index"], decoder, held=True)
    name = _name(node["name"], decoder)
    values: Any = decoder.value(node["values"])
    if type(values) is np.ndarray:
        values = _own(node["values"], decoder, 1, "biufcOMm")
    elif type(values) in _arrays(pandas) and values.ndim == 1:
        if _is_shared(node["values"], values.nbytes, decoder):
            values = values.copy()
    else:
        raise ArchitectureError("a series of something that is no array")
    if len(values) != len(index):
        raise ArchitectureError("a series with another number of values than labels")
    return pandas.Series(values, index=index, dtype=values.dtype, name=name, copy=False)


def _check_attrs(obj: Any, node: Node, decoder: Decoder) -> None:
    if "attrs" not in node:
        return
    attrs = decoder.value(node["attrs"])
    try:
        if type(attrs) is not dict:
            raise SpecError("has attrs that are no dict")
        frames.check_attrs(attrs)
    except SpecError as error:
        raise ArchitectureError(f"a frame or series that {error.message}") from None
    obj.attrs = attrs


# Dtypes and single values


def _create_dtype(node: Node, decoder: Decoder) -> object:
    pandas = _pandas()
    name, given = text(node["name"], "name"), node["arguments"]
    if type(given) is not dict or given.keys() != _ARGUMENTS.get(name, frozenset()):
        raise ArchitectureError(f"a dtype {name!r:.60} with other arguments than it has")
    if name in frames.MASKED:
        return _dtype_class(pandas, name)()
    if name == "string":
        return _string_dtype(pandas, given["storage"], given["missing"])
    if name == "datetime":
        return pandas.DatetimeTZDtype(_unit(given["unit"]), _zone(given["zone"]))
    if name != "category" or type(given["ordered"]) is not bool:
        raise ArchitectureError(f"{name!r:.60} is no dtype that safemodel builds")
    empty = given["categories"] is None
    categories = None if empty else _index(given["categories"], decoder)
    return pandas.CategoricalDtype(categories, ordered=given["ordered"])


_ARGUMENTS: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"storage", "missing"}),
    "datetime": frozenset({"unit", "zone"}),
    "category": frozenset({"categories", "ordered"}),
}


def _unit(value: JsonValue) -> str:
    if type(value) is not str or value not in frames.UNITS:
        raise ArchitectureError("a unit of time that pandas does not have")
    return value


def _create_constant(node: Node, decoder: Decoder) -> object:
    name = node["name"]
    if type(name) is not str or name not in frames.CONSTANTS:
        raise ArchitectureError(f"{name!r:.60} is no constant of pandas")
    made: object = getattr(_pandas(), name)
    return made


def _create_timestamp(node: Node, decoder: Decoder) -> object:
    unit: Any = _unit(node["unit"])
    moment = _pandas().Timestamp(np.datetime64(_count(node, decoder), unit))
    if "zone" in node:
        moment = moment.tz_localize("UTC").tz_convert(_zone(node["zone"]))
    return moment


def _create_timedelta(node: Node, decoder: Decoder) -> object:
    unit: Any = _unit(node["unit"])
    made: object = _pandas().Timedelta(np.timedelta64(_count(node, decoder), unit))
    return made


def _count(node: Node, decoder: Decoder) -> int:
    count = decoder.value(node["count"])
    if type(count) is not int or abs(count) >= 2**63:
        raise ArchitectureError("a time that is no 64-bit integer")
    return count


def _builder(create: Create, names: str, check: Fill | None = None) -> Builder:
    every = names.split()
    return Builder(
        create,
        check=check,
        fields=frozenset(name.rstrip("?") for name in every),
        required=frozenset(name for name in every if not name.endswith("?")),
    )


BUILDERS: Final[Mapping[str, Builder]] = {
    "pandas.frame": _builder(_create_frame, "columns index blocks attrs?", _check_attrs),
    "pandas.series": _builder(_create_series, "values index name attrs?", _check_attrs),
    "pandas.index": _builder(_create_index, "name values? labels? freq?"),
    "pandas.range": _builder(_create_range, "start stop step name"),
    "pandas.multi_index": _builder(_create_multi, "levels codes names"),
    "pandas.categorical": _builder(_create_categorical, "codes categories ordered"),
    "pandas.masked": _builder(_create_masked, "dtype data mask"),
    "pandas.strings": _builder(_create_strings, "words lengths storage missing"),
    "pandas.zoned": _builder(_create_zoned, "values zone"),
    "pandas.dtype": _builder(_create_dtype, "name arguments"),
    "pandas.constant": _builder(_create_constant, "name"),
    "pandas.timestamp": _builder(_create_timestamp, "count unit zone?"),
    "pandas.timedelta": _builder(_create_timedelta, "count unit"),
}
