"""Whether two objects are the same in everything that a round trip must keep."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np


def assert_same(first: Any, second: Any) -> None:
    """Types, values, order, NaN bits, identity, dtypes, strides, flags, memory sharing."""
    arrays: list[tuple[Any, Any]] = []
    _same(first, second, {}, {}, arrays)
    for index, (a, b) in enumerate(arrays):
        for c, d in arrays[index + 1 :]:
            assert np.shares_memory(a, c) == np.shares_memory(b, d)


def _same(a: Any, b: Any, forth: dict[int, int], back: dict[int, int], arrays: list[Any]) -> None:
    assert type(a) is type(b), (a, b)
    if not isinstance(a, (int, float, str, bytes, complex, type(None), np.generic, type, tuple)):
        if id(a) in forth or id(b) in back:
            assert forth.get(id(a)) == id(b)
            assert back.get(id(b)) == id(a)
            return
        forth[id(a)], back[id(b)] = id(b), id(a)
    if isinstance(a, float) and not isinstance(a, np.generic):
        assert struct.pack("<d", a) == struct.pack("<d", b)
    elif isinstance(a, np.ma.MaskedArray):
        assert np.array_equal(a.mask, b.mask)
        assert a.hardmask == b.hardmask
        _same(a.data, b.data, forth, back, arrays)
        assert np.array_equal(a.fill_value, b.fill_value)
    elif isinstance(a, np.ndarray):
        _same_array(a, b, forth, back, arrays)
    elif isinstance(a, np.generic):
        assert (a.dtype, a.dtype.char) == (b.dtype, b.dtype.char)
        _same_bits(np.array(a), np.array(b))
    elif isinstance(a, dict):
        assert len(a) == len(b)
        for (key, value), (other_key, other) in zip(a.items(), b.items(), strict=True):
            _same(key, other_key, forth, back, arrays)
            _same(value, other, forth, back, arrays)
    elif isinstance(a, (list, tuple)) or type(a).__name__ == "deque":
        assert len(a) == len(b)
        for value, other in zip(a, b, strict=True):
            _same(value, other, forth, back, arrays)
    elif isinstance(a, complex):
        assert [_bits(a.real), _bits(a.imag)] == [_bits(b.real), _bits(b.imag)]
    else:
        assert a == b


def _same_bits(a: Any, b: Any) -> None:
    if a.dtype.names is not None:
        for name in a.dtype.names:
            _same_bits(a[name], b[name])
    elif a.dtype.char in "gG":  # with padding that need not be kept
        assert np.array_equal(a, b, equal_nan=True)
    else:
        assert a.tobytes() == b.tobytes()


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


def _same_array(a: Any, b: Any, forth: Any, back: Any, arrays: list[Any]) -> None:
    assert a.dtype == b.dtype
    assert a.dtype.char == b.dtype.char
    assert a.dtype.isalignedstruct == b.dtype.isalignedstruct
    assert a.shape == b.shape
    assert a.flags.writeable == b.flags.writeable
    if a.dtype.hasobject or isinstance(a.dtype, np.dtypes.StringDType):
        assert a.flags.f_contiguous == b.flags.f_contiguous
        for value, other in zip(a.flat, b.flat, strict=True):
            _same(value, other, forth, back, arrays)
        return
    assert a.strides == b.strides
    assert a.flags.aligned == b.flags.aligned
    if a.dtype.kind == "V" and a.dtype.names is not None:
        for name in a.dtype.names:
            _same_bits(a[name], b[name])
    elif math.prod(a.shape) * a.itemsize < 1 << 20:
        _same_bits(a, b)
    if a.size:
        arrays.append((a, b))
