"""Nodes of an object graph to indices, series and frames of pandas.

Constructors of pandas over checked arrays: which one, a table of ours says. Labels are read into
new arrays, since pandas trusts that they do not change. Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.graph_decode import Builder, Decoder, Node, integer
from safemodel.adapters.graph_work import check_hashes
from safemodel.adapters.sklearn import frames, frames_arrays
from safemodel.adapters.sklearn.frames_arrays import (
    array_classes,
    builder,
    check_range,
    checked_array,
    hold,
    installed_pandas,
    is_shared,
    own_array,
    read_codes,
    read_index,
)
from safemodel.adapters.sklearn.frames_hash import collide
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_MAX: Final = limits.MAX_SAFE_INTEGER
_LABELS: Final = frozenset({type(None), bool, int, float, complex, str, bytes, tuple})
_MAX_DEPTH: Final = 4


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
    pandas = installed_pandas()
    return kind in (pandas.Timestamp, pandas.Timedelta, type(pandas.NaT), type(pandas.NA))


def _name(value: JsonValue, decoder: Decoder) -> Any:
    name = decoder.value(value)
    _check_label(name)
    return name


# Indices


def _create_index(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
    name = _name(node["name"], decoder)
    if ("labels" in node) == ("values" in node):
        raise ArchitectureError("an index has either labels or values")
    if "labels" in node:
        labels = _labels(node["labels"], decoder)
        array = np.empty(len(labels), dtype=object)
        for position, label in enumerate(labels):
            array[position] = label
        return pandas.Index(array, dtype=object, name=name, copy=False, tupleize_cols=False)
    values: Any = decoder.value(node["values"])
    if type(values) is np.ndarray:
        values = checked_array(values, kinds="biufcMm")  # an index never changes its values
    elif type(values) not in array_classes(pandas):
        raise ArchitectureError("an index over something that is no array")
    _check_hashes(values, decoder)
    if "freq" in node:
        return _with_frequency(values, node["freq"], name)
    return pandas.Index(values, dtype=values.dtype, name=name, copy=False, tupleize_cols=False)


def _check_hashes(values: Any, decoder: Decoder) -> None:
    """Refuse numbers that were chosen so that pandas looks them up for hours."""
    numbers = values
    for name in ("_data", "_ndarray"):  # nullable numbers, times with a zone
        numbers = numbers if type(numbers) is np.ndarray else getattr(values, name, None)
    if type(numbers) is np.ndarray and numbers.dtype.kind in "iufcMm":
        decoder.charge(numbers.nbytes)
        if collide(numbers):
            raise ArchitectureError("labels chosen so that their hashes are equal")


def _with_frequency(values: Any, freq: JsonValue, name: Any) -> Any:
    pandas = installed_pandas()
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
    return installed_pandas().RangeIndex(start, stop, step, name=_name(node["name"], decoder))


def _create_multi(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
    levels, codes, names = node["levels"], node["codes"], node["names"]
    if type(levels) is not list or type(codes) is not list or type(names) is not list:
        raise ArchitectureError("levels, codes and names must be lists")
    if not 1 <= len(levels) == len(codes) == len(names) <= frames.MAX_LEVELS:
        raise ArchitectureError("as many levels as codes and names, and not none")
    return pandas.MultiIndex(
        levels=[read_index(level, decoder) for level in levels],
        codes=[read_codes(one, decoder) for one in codes],
        names=[_name(name, decoder) for name in names],
        verify_integrity=True,  # codes in range, levels without doubles
        copy=False,
    )


# Frames and series


def _create_frame(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
    columns = read_index(node["columns"], decoder)
    index = read_index(node["index"], decoder)
    if type(node["blocks"]) is not list:
        raise ArchitectureError("blocks must be a list")
    taken = np.zeros(len(columns), dtype=bool)
    blocks = []
    for block in node["blocks"]:
        if type(block) is not list or len(block) != 2:
            raise ArchitectureError("a block is positions and values")
        positions = _positions(block[0], taken)
        values: Any = decoder.value(block[1])
        if type(values) is np.ndarray:
            values = own_array(block[1], decoder, 2, "biufcOMm")
            shape: tuple[int, ...] = (len(positions), len(index))
        elif type(values) in array_classes(pandas):
            shape = (len(index),) if values.ndim == 1 else (len(positions), len(index))
            if values.ndim == 1 and len(positions) != 1:
                raise ArchitectureError("several columns of one array")
            if is_shared(block[1], values.nbytes, decoder):
                values = values.copy()
        else:
            raise ArchitectureError("a column that is no array")
        if values.shape != shape:
            raise ArchitectureError(f"columns of shape {values.shape} and not {shape}")
        blocks.append((values, positions))
        hold(index, decoder)
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
    """Make a frame of blocks as they are; pandas' constructor would copy them into others."""
    try:
        make: Any = importlib.import_module("pandas.api.internals")
    except ModuleNotFoundError:
        return _assemble_with_pandas_2(blocks, index, columns)
    return make.create_dataframe_from_blocks(blocks, index=index, columns=columns)


def _assemble_with_pandas_2(blocks: list[tuple[Any, Any]], index: Any, columns: Any) -> Any:
    of_blocks: Any = importlib.import_module("pandas.core.internals.blocks")
    managers: Any = importlib.import_module("pandas.core.internals.managers")
    made = []
    for values, positions in blocks:
        shaped = of_blocks.maybe_coerce_values(of_blocks.ensure_block_shape(values, 2))
        placement = of_blocks.BlockPlacement(positions)
        made.append(of_blocks.new_block(shaped, placement=placement, ndim=2))
    manager = managers.BlockManager(made, [columns, index])
    return installed_pandas().DataFrame._from_mgr(manager, axes=manager.axes)


def _create_series(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
    index = read_index(node["index"], decoder)
    name = _name(node["name"], decoder)
    values: Any = decoder.value(node["values"])
    if type(values) is np.ndarray:
        values = own_array(node["values"], decoder, 1, "biufcOMm")
    elif type(values) in array_classes(pandas) and values.ndim == 1:
        if is_shared(node["values"], values.nbytes, decoder):
            values = values.copy()
    else:
        raise ArchitectureError("a series of something that is no array")
    if len(values) != len(index):
        raise ArchitectureError("a series with another number of values than labels")
    hold(index, decoder)
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


BUILDERS: Final[Mapping[str, Builder]] = {
    **frames_arrays.BUILDERS,
    "pandas.frame": builder(_create_frame, "columns index blocks attrs?", _check_attrs),
    "pandas.series": builder(_create_series, "values index name attrs?", _check_attrs),
    "pandas.index": builder(_create_index, "name values? labels? freq?"),
    "pandas.range": builder(_create_range, "start stop step name", check_range),
    "pandas.multi_index": builder(_create_multi, "levels codes names"),
}
