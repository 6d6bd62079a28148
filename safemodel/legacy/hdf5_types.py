"""The datatypes of HDF5 that numbers of models have: their names, from the messages that say them.

Knows section IV.A.2.d of the "HDF5 File Format Specification" version 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from safemodel.errors import UnreadableError
from safemodel.legacy.hdf5_source import Source

_FIXED: Final = 0
_FLOAT: Final = 1
_OPAQUE: Final = 5
_COMPOUND: Final = 6
_ENUM: Final = 8
# Size, and where sign, exponent and mantissa are, of the floats that numbers of models are
_FLOATS: Final[Mapping[tuple[int, ...], str]] = {
    (2, 15, 10, 5, 0, 10, 15): "float16",
    (2, 15, 7, 8, 0, 7, 127): "bfloat16",
    (4, 31, 23, 8, 0, 23, 127): "float32",
    (8, 63, 52, 11, 0, 52, 1023): "float64",
}
# What h5py makes of types that it does not know: raw bytes of this size
_OPAQUES: Final = {1: "float8_e4m3fn", 2: "bfloat16"}


def number_type(source: Source, start: int) -> tuple[str, int]:
    """The name of a datatype of numbers (IV.A.2.d), and bytes of one.

    Raises:
        UnreadableError: another one.
    """
    kind, bits = source.number(start, 1) & 15, source.number(start + 1, 3)
    size, properties = source.number(start + 4, 4), start + 8
    whole = kind in (_FIXED, _FLOAT) and source.number(properties, 4) == 8 * size << 16
    if kind == _FIXED and whole and not bits & 1 and size in (1, 2, 4, 8):
        return f"{'' if bits & 8 else 'u'}int{8 * size}", size
    if kind == _FLOAT and whole and not bits & 0x41 and bits >> 4 & 3 == 2:
        layout = tuple(source.number(properties + place, 1) for place in (4, 5, 6, 7))
        bias = source.number(properties + 8, 4)
        name = _FLOATS.get((size, bits >> 8 & 255, *layout, bias))
        if name is not None:
            return name, size
    if kind == _OPAQUE and size in _OPAQUES:
        return _OPAQUES[size], size
    if kind == _ENUM and _is_bool(source, start, bits, size):
        return "bool", 1
    if kind == _COMPOUND and _is_complex(source, start, bits, size):
        return "complex64", 8
    if kind in (_FIXED, _FLOAT) and bits & 1:
        raise UnreadableError("numbers of a machine with another order of bytes", offset=start)
    raise UnreadableError(f"values of the HDF5 type {kind} of {size} bytes", offset=start)


def _is_bool(source: Source, start: int, bits: int, size: int) -> bool:
    """Whether an enumeration is that of h5py: FALSE and TRUE, in one byte."""
    version = source.number(start, 1) >> 4
    if size != 1 or bits & 0xFFFF != 2 or source.number(start + 8, 1) & 15 != _FIXED:
        return False
    step = 8 if version < 3 else 1  # names are padded before version 3
    here = start + 8 + 12
    for name in (b"FALSE", b"TRUE"):
        width = len(name) + 1 + step - 1 & -step
        if bytes(source.take(here, width)) != name.ljust(width, b"\0"):
            return False
        here += width
    return bytes(source.take(here, 2)) == b"\0\1"


def _is_complex(source: Source, start: int, bits: int, size: int) -> bool:
    """Whether a compound is that of h5py: the floats `r` and `i`, one behind the other."""
    version = source.number(start, 1) >> 4
    if size != 8 or bits & 0xFFFF != 2 or version not in (1, 3):
        return False
    here = start + 8
    for name, offset in ((b"r", 0), (b"i", 4)):
        head = name.ljust(8 if version < 3 else 2, b"\0")
        if bytes(source.take(here, len(head))) != head:
            return False
        here += len(head)
        width = 4 if version < 3 else 1
        if source.number(here, width) != offset:
            return False
        here += width + (28 if version == 1 else 0)  # sizes of an array member
        if number_type(source, here) != ("float32", 4):
            return False
        here += 20
    return True
