"""NumPy data types as JSON, and how their elements are stored in weights.

Closed grammar: no text reaches `numpy.dtype` that has not matched it. Implements
spec/object-graph.md, "Data types".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from safemodel import limits
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

DType = np.dtype[Any]
Bytes = npt.NDArray[np.uint8]

_UNIT: Final = r"\[(?:[1-9][0-9]{0,9})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\]"
_TEXT: Final = re.compile(
    r"\|b1|\|[iu]1|[<>](?:[iu][248]|f(?:2|4|8|16)|c(?:8|16|32)|U[1-9][0-9]{0,8}|[mM]8(?:"
    + _UNIT
    + r")?)|\|[SV][1-9][0-9]{0,8}|[<|]U0|\|[SV]0|\|O"
)
# C types of the same size as another; equal to it, but not the same type.
_TWINS: Final[Mapping[str, DType]] = {
    "longlong": np.dtype(np.longlong),
    "ulonglong": np.dtype(np.ulonglong),
}
_TWIN_NAMES: Final = {"q": "longlong", "Q": "ulonglong"} if np.dtype("q").str == "<i8" else {}
_MAX_FIELDS: Final = 4096
_MAX_NESTING: Final = 16

# How an element of a native type is stored: the safetensors type of its items.
_STORED: Final[Mapping[str, str]] = {
    "|b1": "BOOL", "|u1": "U8", "|i1": "I8", "<u2": "U16", "<i2": "I16", "<u4": "U32", "<i4": "I32",
    "<u8": "U64", "<i8": "I64", "<f2": "F16", "<f4": "F32", "<f8": "F64", "<c8": "C64",
}  # fmt: skip


def encode_dtype(dtype: DType, path: str) -> JsonValue:
    """A data type as JSON.

    Raises:
        UnsavableError: a type from outside NumPy, or one that carries metadata.
    """
    if dtype.metadata:  # an empty one is in old pickles of dates, and says nothing
        raise UnsavableError("a dtype with metadata", place=path or None)
    if isinstance(dtype, np.dtypes.StringDType):
        return _encode_strings(dtype, path)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": encode_dtype(base, path), "shape": list(shape)}
    if dtype.fields is not None and dtype.names is not None:
        return _encode_fields(dtype, path)
    if dtype.char in _TWIN_NAMES and dtype.isnative:
        return _TWIN_NAMES[dtype.char]
    if not _TEXT.fullmatch(dtype.str) or type(dtype).__module__ != "numpy.dtypes":
        raise UnsavableError(f"can't represent the dtype {dtype}", place=path or None)
    return dtype.str


def _encode_fields(dtype: DType, path: str) -> JsonValue:
    fields: list[JsonValue] = []
    for name in dtype.names or ():
        field: tuple[Any, ...] = dtype.fields[name]  # type: ignore[index]  # names, so fields
        entry: list[JsonValue] = [name, encode_dtype(field[0], path), field[1]]
        if len(field) == 3:
            if type(field[2]) is not str:
                raise UnsavableError("a field whose title is not a string", place=path or None)
            entry.append(field[2])
        fields.append(entry)
    result: dict[str, JsonValue] = {"fields": fields, "itemsize": dtype.itemsize}
    if dtype.isalignedstruct:
        result["align"] = True
    if dtype.type is np.record:
        result["record"] = True
    return result


def _encode_strings(dtype: Any, path: str) -> JsonValue:
    result: dict[str, JsonValue] = {"strings": True}
    if not dtype.coerce:
        result["coerce"] = False
    if hasattr(dtype, "na_object"):
        na = dtype.na_object
        if na is None or type(na) is str:
            result["na"] = na
        elif type(na) is float and na != na:
            result["na"] = {"float": "nan"}
        else:
            raise UnsavableError(f"a string dtype whose na_object is {na!r:.60}", place=path)
    return result


def decode_dtype(value: JsonValue, nesting: int = 0) -> DType:
    """The data type that JSON describes.

    Raises:
        ArchitectureError: outside the grammar.
    """
    if type(value) is str:
        return _named(value)
    if type(value) is dict and nesting < _MAX_NESTING:
        if "fields" in value:
            return _decode_fields(value, nesting)
        if value.keys() == {"base", "shape"}:
            return _decode_subarray(value, nesting)
        if value.get("strings") is True and value.keys() <= {"strings", "coerce", "na"}:
            return _decode_strings(value)
    raise ArchitectureError(f"not a dtype: {value!r:.100}")


@lru_cache(maxsize=512)
def _named(name: str) -> DType:
    if name in _TWINS:
        return _TWINS[name]
    if not _TEXT.fullmatch(name):
        raise ArchitectureError(f"not a dtype: {name!r:.60}")
    if name[1:] in ("f16", "c32") and np.finfo(np.longdouble).nmant != 63:
        raise ArchitectureError("this machine has no 80-bit long double")
    dtype: DType = np.dtype(name)
    if dtype.str != name:
        raise ArchitectureError(f"not the canonical name of a dtype: {name!r:.60}")
    return dtype


def _decode_fields(value: dict[str, JsonValue], nesting: int) -> DType:
    fields, itemsize = value["fields"], value.get("itemsize")
    if (
        not value.keys() <= {"fields", "itemsize", "align", "record"}
        or type(fields) is not list
        or len(fields) > _MAX_FIELDS
        or type(itemsize) is not int
        or not 0 <= itemsize < 1 << 31
        or value.get("align", True) is not True
        or value.get("record", True) is not True
    ):
        raise ArchitectureError("not a dtype with fields")
    names, formats, offsets, titles = [], [], [], []
    for field in fields:
        if type(field) is not list or len(field) not in (3, 4) or type(field[0]) is not str:
            raise ArchitectureError("a field is a name, a dtype, an offset and perhaps a title")
        dtype = decode_dtype(field[1], nesting + 1)
        offset, title = field[2], field[3] if len(field) == 4 else None
        if type(offset) is not int or not 0 <= offset <= itemsize - dtype.itemsize:
            raise ArchitectureError(f"field {field[0]!r:.60} lies outside its element")
        if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType):
            raise ArchitectureError(f"field {field[0]!r:.60} holds objects")
        if len(field) == 4 and type(title) is not str:
            raise ArchitectureError("the title of a field must be a string")
        names.append(field[0])
        formats.append(dtype)
        offsets.append(offset)
        titles.append(title)
    layout: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": itemsize}
    if any(title is not None for title in titles):
        layout["titles"] = titles
    try:
        result: DType = np.dtype(layout, align="align" in value)
    except (TypeError, ValueError) as error:
        raise ArchitectureError(
            f"a dtype with fields that NumPy refuses: {error!s:.100}"
        ) from error
    return np.dtype((np.record, result)) if "record" in value else result


def _decode_subarray(value: dict[str, JsonValue], nesting: int) -> DType:
    base, shape = decode_dtype(value["base"], nesting + 1), value["shape"]
    if type(shape) is not list or not 0 < len(shape) <= limits.MAX_TENSOR_RANK:
        raise ArchitectureError("not the shape of a dtype")
    size = base.itemsize
    for length in shape:
        if type(length) is not int or length < 1:
            raise ArchitectureError("not the shape of a dtype")
        size *= length
    if base.hasobject or isinstance(base, np.dtypes.StringDType) or size >= 1 << 31:
        raise ArchitectureError("not a dtype: too large, or of objects")
    return np.dtype((base, tuple(shape)))


def _decode_strings(value: dict[str, JsonValue]) -> DType:
    coerce = value.get("coerce", True)
    if type(coerce) is not bool or ("coerce" in value and coerce):
        raise ArchitectureError("coerce must be false or absent")
    if "na" not in value:
        return np.dtypes.StringDType(coerce=coerce)
    na = value["na"]
    if na == {"float": "nan"}:
        return np.dtypes.StringDType(na_object=np.nan, coerce=coerce)
    if na is not None and type(na) is not str:
        raise ArchitectureError("not the na_object of a string dtype")
    return np.dtypes.StringDType(na_object=na, coerce=coerce)


def stored_as(dtype: DType) -> tuple[str, tuple[int, ...]]:
    """The safetensors type of the stored items, and the shape of those that make one element."""
    text = "" if dtype.names is not None or dtype.subdtype is not None else dtype.str
    if text in _STORED:
        return _STORED[text], ()
    if text == "<c16":
        return "F64", (2,)
    if text[:3] in ("<m8", "<M8"):
        return "I64", ()
    if text[:2] == "<U" and dtype.itemsize:
        return "U32", (dtype.itemsize // 4,)
    return "U8", (dtype.itemsize,)


def padding(dtype: DType) -> Bytes | None:
    """Which bytes of an element mean nothing (1) and must be zeroed; None if all mean something."""
    if dtype.names is None and dtype.subdtype is None and dtype.char not in "gG":
        return None
    mask = _padding(dtype)
    return mask if mask.any() else None


def _padding(dtype: DType) -> Bytes:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.tile(_padding(base), int(np.prod(shape)))
    if dtype.names is not None and dtype.fields is not None:
        mask = np.ones(dtype.itemsize, np.uint8)
        for name in dtype.names:
            field, offset = dtype.fields[name][:2]
            mask[offset : offset + field.itemsize] &= _padding(field)
        return mask
    mask = np.zeros(dtype.itemsize, np.uint8)
    if dtype.char in "gG" and np.finfo(np.longdouble).nmant == 63:
        # An 80-bit number in 16 bytes; the other 6 are whatever was in the register's slot.
        native = mask.reshape(-1, 16)
        if dtype.isnative:
            native[:, 10:] = 1
        else:
            native[:, :6] = 1
    return mask
