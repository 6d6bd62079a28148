"""Arrays, scalars and data types of NumPy, from what a pickle tells of them.

Each is made by us from checked pieces: bytes of the file, a shape, and a data type that went
through the grammar of `adapters/dtypes.py`. Arrays are views of the file where that is possible.
What NumPy's own unpickling does to them (byte order, flags) is done here, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.arrays import TYPES, check_values
from safemodel.adapters.dtypes import DType
from safemodel.convert.dtypes import odd
from safemodel.convert.values import NOTHING, Interpreter, Made, Rule, Steps, only_called
from safemodel.errors import UnconvertibleError
from safemodel.legacy.pickle_facts import Blob, Global, Items, Value

_BASES: Final = ("numpy.core", "numpy._core")
_NDARRAYS: Final = frozenset(
    {"numpy.ndarray", "numpy.memmap", "numpy.core.memmap.memmap", "numpy._core.memmap.memmap"}
)
_SUBCLASSES: Final[Mapping[str, type]] = {
    "numpy.matrix": np.matrix,
    **{
        f"numpy.{module}": kind
        for module, kind in (
            ("matrixlib.defmatrix.matrix", np.matrix),
            ("recarray", np.recarray),
            ("rec.recarray", np.recarray),
            ("core.records.recarray", np.recarray),
            ("_core.records.recarray", np.recarray),
        )
    },
}
_MASKED: Final = frozenset({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"})


# Arrays


def shaped(
    shape: Any, dtype: DType, data: memoryview | bytes | bytearray, fortran: bool
) -> np.ndarray[Any, Any]:
    """An array over bytes, which must be exactly those of its items.

    Raises:
        UnconvertibleError: it is not the bytes of such an array.
    """
    sizes = _sizes(shape)
    if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType) or dtype.subdtype is not None:
        raise odd()
    if math.prod(sizes) * dtype.itemsize != len(data):
        raise UnconvertibleError(
            f"{len(data)} bytes for an array of {dtype} with the shape {sizes!s:.100}"
        )
    _check_empty(sizes, dtype)
    order: Any = "F" if fortran else "C"
    # Over no buffer at all an empty array has strides of zero, and after unpickling it has not
    buffer = data if len(data) else bytearray(1)
    array: np.ndarray[Any, Any] = np.ndarray(sizes, dtype, buffer, order=order)
    if isinstance(data, bytes) or (isinstance(data, memoryview) and data.readonly):
        array.flags.writeable = False
    check_values(array, lambda count: None)
    return array


def _sizes(shape: Any) -> tuple[int, ...]:
    sizes = (shape,) if type(shape) is int else shape
    if type(sizes) is not tuple or len(sizes) > limits.MAX_TENSOR_RANK:
        raise odd()
    if any(type(size) is not int or size < 0 for size in sizes):
        raise odd()
    return sizes


def _check_empty(sizes: tuple[int, ...], dtype: DType) -> None:
    """Refuse many items of no bytes, or long axes beside an empty one: they cost nothing to say."""
    if not dtype.itemsize and math.prod(sizes) > limits.MAX_BROADCAST:
        raise UnconvertibleError("an array of far too many items without any bytes")
    if math.prod(max(size, 1) for size in sizes) * max(dtype.itemsize, 1) >= 1 << 62:
        raise UnconvertibleError("an array whose axes are too long")


def native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers in the byte order of this machine."""
    if array.dtype.isnative or array.dtype.names is not None:
        return array
    swapped: np.ndarray[Any, Any] = array.astype(array.dtype.newbyteorder("="), order="K")
    return swapped


def _reconstruct(made: Made, work: Interpreter) -> Steps:
    """`_reconstruct(ndarray, (0,), b"b")`, and all of it in the state."""
    value = made.value
    if made.new or value.mutations or len(made.arguments) != 3:
        raise odd()
    kind = _array_class(made.arguments[0])
    state = value.state
    raw = _raw(state, work)
    if raw is None:
        parts = yield state, ""
    else:
        before = state.items[:-1] if isinstance(state, Items) else []
        parts = (*(yield from work.each(before)), raw)
    if type(parts) is not tuple or len(parts) not in (4, 5):
        raise odd()
    shape, dtype, fortran, data = parts[-4:]
    if not isinstance(dtype, np.dtype) or fortran not in (False, True):
        raise odd()
    if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType):
        return _objects(shape, dtype, bool(fortran), data, kind)
    if type(data) is str:
        data = data.encode("latin1")
    if type(data) is bytes:
        data = bytearray(data)  # the array may be written to
    if type(data) not in (memoryview, bytearray):
        raise odd()
    array = native(shaped(shape, dtype, data, bool(fortran)))
    return array if kind is np.ndarray else array.view(kind)


def _raw(state: Value, work: Interpreter) -> memoryview | None:
    """The bytes of an array in its state, where they are a long literal: not copied."""
    blob = state.items[-1] if isinstance(state, Items) and state.items else None
    if not isinstance(blob, Blob) or blob.kind != "bytes" or blob.form != "plain":
        return None
    return work.raw(blob)


def _array_class(value: Value) -> Any:
    name = value.full_name if isinstance(value, Global) else ""
    if name in _NDARRAYS:
        return np.ndarray
    if name not in _SUBCLASSES:
        raise UnconvertibleError(f"an array of the class {name or 'of something else'}")
    return _SUBCLASSES[name]


def _objects(shape: Any, dtype: Any, fortran: bool, data: Any, kind: Any) -> Any:
    """An array of objects or strings, from the list of them."""
    sizes = _sizes(shape)
    if dtype != np.dtype(object) and not isinstance(dtype, np.dtypes.StringDType):
        raise UnconvertibleError("a structured array with objects in it")
    if type(data) is not list or math.prod(sizes) != len(data) or kind is not np.ndarray:
        raise odd()
    if any(size > limits.MAX_SAFE_INTEGER for size in sizes):
        raise UnconvertibleError("an array whose axes are too long")
    flat: np.ndarray[Any, Any] = np.empty(len(data), dtype)
    for index, item in enumerate(data):
        flat[index] = item
    return flat.reshape(sizes, order="F" if fortran else "C") if sizes != flat.shape else flat


def _frombuffer(made: Made, work: Interpreter) -> Steps:
    """`_frombuffer(buffer, dtype, shape, order)` of protocol 5."""
    only_called(made)
    buffer, *others = made.arguments
    dtype, shape, order = yield from work.each(others)
    if not isinstance(dtype, np.dtype) or order not in ("C", "F"):
        raise odd()
    data: Any
    if isinstance(buffer, Blob) and buffer.kind in ("bytes", "bytearray", "buffer"):
        data = work.raw(buffer)
        if buffer.data is not None:
            data = yield from _own(buffer, work)
        elif buffer.kind != "bytearray":
            data = data.toreadonly()
    else:
        data = yield buffer, ""
    if type(data) not in (bytes, bytearray, memoryview):
        raise odd()
    return shaped(shape, dtype, data, order == "F")


def _own(buffer: Blob, work: Interpreter) -> Steps:
    """The bytes of a short bytearray, the same for all arrays over it."""
    if buffer.kind == "buffer":
        yield from ()
        return bytes(buffer.data or b"")
    return (yield buffer, "")


def _scalar(made: Made, work: Interpreter) -> Steps:
    """`scalar(dtype, data)`."""
    only_called(made)
    arguments = yield from work.arguments(made)
    dtype, data = arguments if len(arguments) == 2 else (*arguments, b"")
    if type(data) is str:
        data = data.encode("latin1")
    if not isinstance(dtype, np.dtype) or type(data) is not bytes:
        raise odd("a scalar")
    if dtype.itemsize and not data:
        data = bytes(dtype.itemsize)
    array = native(shaped((), dtype, bytearray(data), False))
    return array[()].copy() if dtype.names is not None else array[()]


def _masked(made: Made, work: Interpreter) -> Steps:
    """`_mareconstruct(MaskedArray, ndarray, (0,), "b")`, with values, mask and fill value."""
    value = made.value
    if made.new or value.mutations or len(made.arguments) != 4:
        raise odd("a masked array")
    names = [one.full_name if isinstance(one, Global) else "" for one in made.arguments[:2]]
    if names[0] not in _MASKED or names[1] not in _NDARRAYS:
        raise UnconvertibleError(f"a masked array of the class {names[0]}")
    parts = yield value.state, ""
    if type(parts) is not tuple or len(parts) != 7:
        raise odd("a masked array")
    _, shape, dtype, fortran, data, mask, fill = parts
    if not isinstance(dtype, np.dtype) or fortran not in (False, True):
        raise odd("a masked array")
    if dtype.hasobject:
        values = _objects(shape, dtype, bool(fortran), data, np.ndarray)
    else:
        values = native(shaped(shape, dtype, _writable(data), bool(fortran)))
    found: Any = values.view(np.ma.MaskedArray)
    kinds = np.ma.make_mask_descr(dtype)
    found._mask = shaped(shape, kinds, _writable(mask), bool(fortran))
    found.fill_value = fill  # of None NumPy makes the default of the type
    return found


def _writable(data: Any) -> bytearray:
    if type(data) is str:
        data = data.encode("latin1")
    if type(data) is not bytes:
        raise odd("a masked array")
    return bytearray(data)


RULES: Final[Mapping[str, Rule]] = {
    "numpy.ma.core._mareconstruct": _masked,
    **{
        f"{base}.{name}": rule
        for base in _BASES
        for name, rule in (
            ("multiarray._reconstruct", _reconstruct),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _frombuffer),
        )
    },
}

# Scalar types by the names that older releases have for them.
_OLDER: Final[Mapping[str, str]] = {
    "numpy.bool_": "numpy.bool",
    "numpy.float128": "numpy.longdouble",
    "numpy.complex256": "numpy.clongdouble",
    "numpy.string_": "numpy.bytes_",
    "numpy.unicode_": "numpy.str_",
    "numpy.core.records.record": "numpy.record",
    "numpy.rec.record": "numpy.record",
    **{
        f"numpy.core.numerictypes.{name.removeprefix('numpy.')}": name
        for name in TYPES
        if name.startswith("numpy.")
    },
}


def name_of(full_name: str) -> Any:
    """The scalar type that a global of NumPy is, or NOTHING."""
    return TYPES.get(_OLDER.get(full_name, full_name), NOTHING)
