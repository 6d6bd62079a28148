"""Arrays of Python objects or strings, and masked arrays: NumPy kinds that are not plain memory.

Their elements are values of the graph, so the memory below them is not kept: an array is C or
Fortran contiguous after a load, and two object arrays that were views of one another are not.
Implements spec/object-graph.md, "NumPy kinds".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from safemodel import limits
from safemodel.adapters.dtypes import decode_dtype, encode_dtype
from safemodel.adapters.graph_decode import Decoder, Node, flag, integers
from safemodel.adapters.graph_encode import Encoder, join
from safemodel.errors import ArchitectureError, UnsavableError

Array = npt.NDArray[Any]
_MAX_SIZE = limits.MAX_SAFE_INTEGER
_WORK_PER_FIELD = 4 * limits.KIB


def encode_objects(array: Array, path: str, encoder: Encoder) -> Node:
    """An array of objects or variable-length strings as a node."""
    dtype = array.dtype
    if dtype.fields is not None or dtype.subdtype is not None:
        raise UnsavableError("a structured array with objects in it", place=path or None)
    node: Node = {
        "kind": "object_array",
        "shape": list(array.shape),
        "items": [
            encoder.value(item, join(path, str(index))) for index, item in enumerate(array.flat)
        ],
    }
    if dtype != np.dtype(object):
        node["dtype"] = encode_dtype(dtype, path)
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        node["fortran"] = True
    if not array.flags.writeable:
        node["readonly"] = True
    return node


def encode_masked(obj: Any, path: str, encoder: Encoder) -> Node:
    """A masked array as a node: its values, its mask, its fill value."""
    mask = obj._mask
    return {
        "kind": "masked_array",
        "values": encoder.value(obj.data, path),
        "mask": None if mask is np.ma.nomask else encoder.value(mask, join(path, "mask")),
        "fill": None
        if obj._fill_value is None
        else encoder.value(np.asarray(obj._fill_value), join(path, "fill_value")),
        "hard": bool(obj.hardmask),
    }


def create_objects(node: Node, decoder: Decoder) -> Array:
    """The array, still empty."""
    dtype = decode_dtype(node.get("dtype", "|O"))
    if dtype != np.dtype(object) and not isinstance(dtype, np.dtypes.StringDType):
        raise ArchitectureError(f"an array of {dtype} is not an array of objects")
    shape = integers(node["shape"], 0, _MAX_SIZE, "shape")
    items = node["items"]
    if type(items) is not list or math.prod(shape) != len(items):
        raise ArchitectureError("an array of objects with too many or too few of them")
    order = "F" if "fortran" in node and flag(node["fortran"], "fortran") else "C"
    array: Array = np.empty(shape, dtype, order)  # type: ignore[call-overload]  # C or F
    return array


def fill_objects(obj: Any, node: Node, decoder: Decoder) -> None:
    """Put the objects into the array."""
    values = decoder.values(node["items"])
    if obj.dtype != np.dtype(object):
        _check_strings(obj.dtype, values)
    flat: Array = np.empty(len(values), obj.dtype)
    for index, value in enumerate(values):
        flat[index] = value
    obj[...] = flat.reshape(obj.shape)
    if "readonly" in node and flag(node["readonly"], "readonly"):
        obj.flags.writeable = False


def create_masked(node: Node, decoder: Decoder) -> np.ma.MaskedArray[Any, Any]:
    """The masked array over its values and mask."""
    values, mask = decoder.value(node["values"]), decoder.value(node["mask"])
    if type(values) is not np.ndarray or type(node["hard"]) is not bool:
        raise ArchitectureError("a masked array needs an array of values")
    # Many masked arrays may share values with thousands of fields, all compared with the mask.
    decoder.look(_WORK_PER_FIELD * _fields(values.dtype))
    if mask is not None and (
        type(mask) is not np.ndarray
        or mask.shape != values.shape
        or mask.dtype != np.ma.make_mask_descr(values.dtype)
    ):
        raise ArchitectureError("a masked array whose mask does not fit its values")
    result: Any = values.view(np.ma.MaskedArray)
    if mask is not None:
        result._mask = mask
    if node["hard"]:
        result.harden_mask()
    return result  # type: ignore[no-any-return]  # numpy's stubs lose the type


def _fields(dtype: np.dtype[Any]) -> int:
    if dtype.fields is None:
        return 0
    return sum(1 + _fields(dtype[name].base) for name in dtype.names or ())


def fill_masked(obj: Any, node: Node, decoder: Decoder) -> None:
    """Set the fill value, which may be an object."""
    fill = decoder.value(node["fill"])
    if fill is None:
        return
    # Of objects NumPy makes the text "?" the default when it unpickles an array
    fits = type(fill) is np.ndarray and (
        fill.dtype == obj.dtype or (obj.dtype == np.dtype(object) and fill.dtype.kind == "U")
    )
    if not fits or fill.shape != ():  # type: ignore[attr-defined]  # it is an array
        raise ArchitectureError("a fill value that is not of the type of the values")
    obj._fill_value = fill


def _check_strings(dtype: Any, values: list[object]) -> None:
    """Refuse what is neither a string nor the value that stands for a missing one."""
    missing = getattr(dtype, "na_object", "")
    for value in values:
        nan = type(value) is float and type(missing) is float and value != value
        if type(value) is not str and value is not missing and not nan:
            raise ArchitectureError("an array of strings with something else in it")
