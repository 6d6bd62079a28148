"""Nodes of an object graph to pandas' own arrays, dtypes and single values.

pandas' compiled code follows codes without a look, so they are checked and get memory of their
own. Arrays of columns are views of verified bytes unless something else sees the same bytes: two
frames must not change one another. Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.graph import references
from safemodel.adapters.graph_decode import Builder, Create, Decoder, Fill, Node, text
from safemodel.adapters.sklearn import frames, words
from safemodel.adapters.sklearn.scope import MAX_UNHELD, SpecError
from safemodel.errors import ArchitectureError, MissingLibraryError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


def installed_pandas() -> Any:
    """Return pandas: it is imported when an archive has something of it."""
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError:
        raise MissingLibraryError("pandas is not installed", hint="pip install pandas") from None


def checked_array(array: Any, dims: int | None = 1, kinds: str = "biufcOMm") -> Any:
    """Return an array that pandas holds as it is.

    Raises:
        ArchitectureError: it is none.
    """
    try:
        frames.check_array(array, dims, kinds)
    except SpecError as error:
        raise ArchitectureError(f"an array of pandas that {error.message}") from None
    return array


def own_array(
    value: JsonValue, decoder: Decoder, dims: int | None = 1, kinds: str = "biufcMm"
) -> Any:
    """Return an array that nothing else changes: a copy, if another node sees the same bytes."""
    array = checked_array(decoder.value(value), dims, kinds)
    return array.copy(order="K") if is_shared(value, array.nbytes, decoder) else array


def is_shared(value: JsonValue, nbytes: int, decoder: Decoder) -> bool:
    """Whether another node sees the same bytes; the copy that is then due is charged."""
    if not isinstance(value, dict):
        raise ArchitectureError("an array is a node")
    index: Any = value["ref"]
    nodes: Any = decoder.nodes
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


def read_index(value: JsonValue, decoder: Decoder) -> Any:
    """Return an index.

    Raises:
        ArchitectureError: it is something else.
    """
    index: Any = decoder.value(value)
    pandas = installed_pandas()
    kinds = (
        *(pandas.Index, pandas.RangeIndex, pandas.MultiIndex, pandas.CategoricalIndex),
        *(pandas.DatetimeIndex, pandas.TimedeltaIndex),
    )
    if type(index) not in kinds:
        raise ArchitectureError("something that must be an index, and is none")
    return index


def hold(index: Any, decoder: Decoder) -> None:
    """Note that something in memory is as long as an index: it may be a long range."""
    decoder.scratch.setdefault("pandas.held", set()).add(id(index))


def check_range(obj: Any, node: Node, decoder: Decoder) -> None:
    """Refuse a long range that costs an archive nothing, but whoever counts to its end."""
    if len(obj) > MAX_UNHELD and id(obj) not in decoder.scratch.get("pandas.held", ()):
        raise ArchitectureError(f"says {len(obj)} labels, and nothing in it has as many")


def read_codes(value: JsonValue, decoder: Decoder) -> Any:
    """Return codes that nothing else can change: pandas follows them without a look."""
    array = checked_array(decoder.value(value), kinds="i")
    decoder.charge(array.nbytes)
    return array.copy()


def _create_categorical(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
    if type(node["ordered"]) is not bool:
        raise ArchitectureError("ordered must be a boolean")
    categories = read_index(node["categories"], decoder)
    dtype = pandas.CategoricalDtype(categories, ordered=node["ordered"])
    return pandas.Categorical.from_codes(read_codes(node["codes"], decoder), dtype=dtype)


def _create_masked(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
    name = text(node["dtype"], "dtype")
    if name not in frames.MASKED:
        raise ArchitectureError(f"{name!r:.60} is no dtype of a nullable array")
    dtype = _dtype_class(pandas, name)()
    data = own_array(node["data"], decoder)
    mask = own_array(node["mask"], decoder, kinds="b")
    if data.dtype != dtype.numpy_dtype or data.shape != mask.shape:
        raise ArchitectureError("a nullable array whose data or mask does not fit its dtype")
    return dtype.construct_array_type()(data, mask, copy=False)


def _dtype_class(pandas: Any, name: str) -> Any:
    return pandas.BooleanDtype if name == "boolean" else getattr(pandas, f"{name}Dtype")


def _create_strings(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
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
    pandas = installed_pandas()
    values = own_array(node["values"], decoder, None, "M")
    dtype = pandas.DatetimeTZDtype(np.datetime_data(values.dtype)[0], _zone(node["zone"]))
    made: object = pandas.arrays.DatetimeArray._simple_new(values, dtype=dtype)
    return made


def _zone(value: JsonValue) -> str:
    try:
        return frames.check_zone(value)
    except SpecError as error:
        raise ArchitectureError(error.message) from None


def array_classes(pandas: Any) -> tuple[type, ...]:
    """Return the classes of pandas' own arrays that are built here."""
    made = {_dtype_class(pandas, name)().construct_array_type() for name in frames.MASKED}
    strings = {type(pandas.array([], dtype=pandas.StringDtype("python")))}
    try:
        strings.add(type(pandas.array([], dtype=pandas.StringDtype("python", na_value=np.nan))))
        strings.add(type(pandas.array([], dtype=pandas.StringDtype("pyarrow"))))
        strings.add(type(pandas.array([], dtype=pandas.StringDtype("pyarrow", na_value=np.nan))))
    except (ImportError, TypeError):
        pass
    return (pandas.Categorical, pandas.arrays.DatetimeArray, *made, *strings)


# Dtypes and single values


def _create_dtype(node: Node, decoder: Decoder) -> object:
    pandas = installed_pandas()
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
    categories = None if empty else read_index(given["categories"], decoder)
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
    made: object = getattr(installed_pandas(), name)
    return made


def _create_timestamp(node: Node, decoder: Decoder) -> object:
    unit: Any = _unit(node["unit"])
    moment = installed_pandas().Timestamp(np.datetime64(_count(node, decoder), unit))
    if "zone" in node:
        moment = moment.tz_localize("UTC").tz_convert(_zone(node["zone"]))
    return moment


def _create_timedelta(node: Node, decoder: Decoder) -> object:
    unit: Any = _unit(node["unit"])
    made: object = installed_pandas().Timedelta(np.timedelta64(_count(node, decoder), unit))
    return made


def _count(node: Node, decoder: Decoder) -> int:
    count = decoder.value(node["count"])
    if type(count) is not int or abs(count) >= 2**63:
        raise ArchitectureError("a time that is no 64-bit integer")
    return count


def builder(create: Create, names: str, check: Fill | None = None) -> Builder:
    """Return a builder of nodes with the given fields; those that end in `?` may be absent."""
    every = names.split()
    return Builder(
        create,
        check=check,
        fields=frozenset(name.rstrip("?") for name in every),
        required=frozenset(name for name in every if not name.endswith("?")),
    )


BUILDERS: Final[Mapping[str, Builder]] = {
    "pandas.categorical": builder(_create_categorical, "codes categories ordered"),
    "pandas.masked": builder(_create_masked, "dtype data mask"),
    "pandas.strings": builder(_create_strings, "words lengths storage missing"),
    "pandas.zoned": builder(_create_zoned, "values zone"),
    "pandas.dtype": builder(_create_dtype, "name arguments"),
    "pandas.constant": builder(_create_constant, "name"),
    "pandas.timestamp": builder(_create_timestamp, "count unit zone?"),
    "pandas.timedelta": builder(_create_timedelta, "count unit"),
}
