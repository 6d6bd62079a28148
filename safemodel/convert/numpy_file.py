"""NumPy's own files: `.npy` is an array, `.npz` a dictionary of arrays."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from safemodel.adapters.dtypes import DType
from safemodel.convert import arrays, dtypes
from safemodel.convert.archives import members_of
from safemodel.convert.pickles import Unpickled
from safemodel.errors import UnconvertibleError, locating
from safemodel.legacy.content import Reader
from safemodel.legacy.literal import Literal
from safemodel.legacy.npy import MAGIC, read_header, read_prefix
from safemodel.scan.budget import Limits

_SUFFIX: Final = ".npy"


def read_npy(data: memoryview) -> Any:
    """The array of an .npy file: a view of its bytes, unless it is one of objects.

    Raises:
        UnconvertibleError: there is more in the file, or an object without an interpretation.
        LegacyError: it is damaged.
    """
    pickle = Unpickled(data)
    reader = Reader(data)
    header = read_header(reader, read_prefix(reader))
    if header.has_object:
        found = pickle.one(reader)
        if type(found) is not np.ndarray or not found.dtype.hasobject:
            raise UnconvertibleError("an array of objects that is none")
        found = found.reshape(header.shape)
    else:
        dtype = dtype_of(header.descr)
        found = _array(header.shape, dtype, reader.read(header.size), header.fortran_order)
    if reader.offset != len(data):
        raise UnconvertibleError(f"{len(data) - reader.offset} bytes behind the array")
    if pickle.models.library.used:
        raise UnconvertibleError("an array of objects that are not plain data")
    return found


def _array(shape: tuple[int, ...], dtype: DType, data: memoryview, fortran: bool) -> Any:
    made = arrays.shaped(shape, dtype, data, fortran)
    if made.size or made.dtype.itemsize == 0:
        return made
    made = np.empty(0, dtype).reshape(shape[::-1] if fortran else shape)  # as numpy.load does
    return made.transpose() if fortran else made


def dtype_of(descr: Literal) -> DType:
    """The dtype that a header spells.

    Raises:
        UnconvertibleError, ArchitectureError: not one that NumPy writes.
    """
    if isinstance(descr, str):
        return dtypes.spelled(descr)
    if isinstance(descr, tuple):
        base, shape = descr
        return dtypes.subarray(dtype_of(base), _sizes(shape))
    names: list[str] = []
    fields: dict[str, Any] = {}
    offset = 0
    for field in descr if isinstance(descr, list) else ():
        if not isinstance(field, tuple):
            raise dtypes.odd("a dtype")
        name, kind, *shape = field
        dtype = dtype_of(kind)
        if shape:
            dtype = dtypes.subarray(dtype, _sizes(shape[0]))
        if name != "" or dtype.kind != "V" or dtype.names is not None:  # else it is padding
            title = []
            if isinstance(name, tuple):
                title, name = [name[0]], name[1]
            if not isinstance(name, str) or name in fields:
                raise dtypes.odd("a dtype")
            names.append(name)
            fields[name] = (dtype, offset, *title)
        offset += dtype.itemsize
    if not isinstance(descr, list):
        raise dtypes.odd("a dtype")
    return dtypes.fielded(tuple(names), fields, offset, aligned=False, record=False)


def _sizes(shape: Literal) -> list[Any]:
    return list(shape) if isinstance(shape, tuple) else [shape]


def read_npz(data: memoryview, limits: Limits) -> dict[str, Any]:
    """The arrays of an .npz file, by name, as `numpy.load` names them.

    Raises:
        UnconvertibleError, LegacyError: as `read_npy`, or a member that is no array.
    """
    found: dict[str, Any] = {}
    for name, content in members_of(data, limits).items():
        with locating(place=name):
            if bytes(content[: len(MAGIC)]) != MAGIC:
                raise UnconvertibleError("is no array, in an archive of arrays")
            found[name.removesuffix(_SUFFIX)] = read_npy(content)
    return found
