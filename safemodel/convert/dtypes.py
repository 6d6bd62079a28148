"""Data types of NumPy, from pickles and headers: all of them through the grammar of the adapters.

No text of a file reaches `numpy.dtype` that `adapters/dtypes.py` does not permit; types of fields
are put together from such parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.dtypes import DType, decode_dtype
from safemodel.convert.values import Interpreter, Made, Rule, Steps, only_called
from safemodel.errors import UnconvertibleError
from safemodel.legacy.pickle_facts import Global

_ALIGNED: Final = 0x80  # NPY_ALIGNED_STRUCT
_RECORD: Final = frozenset({"numpy.record", "numpy.core.records.record", "numpy.rec.record"})


def odd(what: str = "an array") -> UnconvertibleError:
    """The error for something that NumPy does not write."""
    return UnconvertibleError(f"{what} in a form that NumPy does not write")


def _dtype(made: Made, work: Interpreter) -> Steps:
    """`numpy.dtype("f8", False, True)` with a state of eight or nine items."""
    value = made.value
    if made.new or value.mutations or not 1 <= len(made.arguments) <= 3:
        raise odd("a dtype")
    text = made.arguments[0]
    record = isinstance(text, Global) and text.full_name in _RECORD
    state = yield value.state, ""
    if record:
        text = "V"
    if type(text) is not str:
        raise odd("a dtype")
    return _with_state(text, state, record)


def _with_state(text: str, state: Any, record: bool) -> DType:
    if state is None:
        return decode_dtype(_spelled(text, "="))
    if type(state) is not tuple or len(state) not in (8, 9):
        raise odd("a dtype")
    _, order, repeated, names, fields, size, _, flags, *more = state
    if type(flags) is not int or order not in ("<", ">", "|", "="):
        raise odd("a dtype")
    made: DType
    if repeated is not None:
        base, shape = repeated
        sizes = list(shape) if type(shape) is tuple else [shape]
        made = subarray(base, sizes)
    elif fields:
        align = bool(flags & _ALIGNED)
        made = fielded(names, fields, size, aligned=align, record=record)
    else:
        made = decode_dtype(_spelled(text, order, _unit(text, more)))
        if made.kind in "SUV" and type(size) is int and size >= 0 and made.itemsize != size:
            made = _sized(made, size)
    return made


def spelled(text: str) -> DType:
    """A dtype of a header of NumPy's own files.

    Raises:
        ArchitectureError: it is none.
    """
    return decode_dtype(_spelled(text, text[0] if text[:1] in ("<", ">", "|") else "="))


def _spelled(text: str, order: str, unit: str = "") -> Any:
    """As `numpy.dtype.str` spells it, with the byte order of the state."""
    bare = text.lstrip("<>|=")
    bare = {"?": "b1", "O8": "O", "O4": "O"}.get(bare, bare)
    if bare in ("S", "U", "V", "a"):
        bare = f"{bare.replace('a', 'S')}0"
    single = bare[:1] in "SVOb" or bare in ("i1", "u1")
    mark = "|" if single else ("<" if order in ("=", "|") else order)
    return f"{mark}{bare}{unit}"


def _sized(dtype: DType, size: int) -> DType:
    if dtype.kind == "U":
        if size % 4:
            raise odd("a dtype")
        size //= 4
    mark = dtype.str[0]
    return decode_dtype(f"{mark}{dtype.kind}{size}")


def _unit(text: str, more: list[Any]) -> str:
    """The unit of dates, which the metadata of the state has."""
    if not more or more[0] is None:
        return ""
    metadata, unit = more[0] if type(more[0]) is tuple else (more[0], None)
    if metadata:
        raise UnconvertibleError("a dtype with metadata")
    if unit is None or text.lstrip("<>|=")[:1] not in ("m", "M"):
        return ""
    name, count, denominator, _ = unit
    if type(name) is bytes:
        name = name.decode("ascii")
    if type(name) is not str or type(count) is not int or denominator != 1:
        raise odd("a dtype")
    if name == "generic":
        return ""
    return f"[{name}]" if count == 1 else f"[{count}{name}]"


def subarray(base: Any, sizes: list[Any]) -> DType:
    """A dtype of so many items of another one.

    Raises:
        UnconvertibleError: not of one that can have several.
    """
    if not isinstance(base, np.dtype) or any(type(size) is not int for size in sizes):
        raise odd("a dtype")
    made: DType = np.dtype((base, tuple(sizes)))
    if base.hasobject or any(size < 1 for size in sizes) or made.itemsize >= 1 << 31:
        raise odd("a dtype")
    return made


def fielded(names: Any, fields: Any, size: Any, *, aligned: bool, record: bool) -> DType:
    """A type of fields, from its parts; NumPy refuses what does not fit."""
    if type(names) is not tuple or type(fields) is not dict or type(size) is not int:
        raise odd("a dtype")
    formats, offsets, titles = [], [], []
    for name in names:
        dtype, offset, *title = fields[name]
        if not isinstance(dtype, np.dtype) or type(name) is not str or type(offset) is not int:
            raise odd("a dtype")
        if dtype.hasobject or not 0 <= offset <= size - dtype.itemsize:
            raise odd("a dtype")
        formats.append(dtype)
        offsets.append(offset)
        titles.append(title[0] if title else None)
    if len(names) > len(fields) or not 0 <= size < 1 << 31:
        raise odd("a dtype")
    layout: Any = {
        "names": list(names),
        "formats": formats,
        "offsets": offsets,
        "itemsize": size,
    }
    if any(title is not None for title in titles):
        layout["titles"] = titles
    made: DType = np.dtype(layout, align=aligned)
    return np.dtype((np.record, made)) if record else made


def _strings_dtype(made: Made, work: Interpreter) -> Steps:
    """`_convert_to_stringdtype_kwargs(coerce, na_object)`."""
    only_called(made)
    arguments = yield from work.arguments(made)
    coerce, *missing = arguments
    if len(missing) > 1 or coerce not in (0, 1):
        raise odd("a dtype")
    described: dict[str, Any] = {"strings": True}
    if not coerce:
        described["coerce"] = False
    if missing:
        (one,) = missing
        nan = type(one) is float and one != one
        described["na"] = {"float": "nan"} if nan else one
    return decode_dtype(described)


RULES: Final[Mapping[str, Rule]] = {
    "numpy.dtype": _dtype,
    **{
        f"{base}.{name}": rule
        for base in ("numpy.core", "numpy._core")
        for name, rule in (
            ("multiarray.dtype", _dtype),
            ("_internal._convert_to_stringdtype_kwargs", _strings_dtype),
        )
    },
}
