"""Labels that pandas would look up for hours: numbers chosen so that their hashes are equal.

pandas finds labels by hash tables without a secret: of 60,000 crafted integers, half a megabyte,
the first look-up took 3.6 seconds, and the time grows with the square. So the hashes of long
numeric indices are computed here as pandas does. Those of 32 bits and less are all different, and
strings are hashed with a secret. Knows NumPy alone. Implements spec/sklearn.md, "pandas".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from safemodel import limits

_M: Final = np.uint32(0x5BD1E995)
_SEED: Final = np.uint32(0xC70F6907 ^ 4)
_Words = npt.NDArray[np.uint32]


def collide(array: npt.NDArray[Any]) -> bool:
    """Whether more labels have one hash than happens by chance."""
    if array.size <= limits.MAX_NUMBER_KEYS or array.dtype.itemsize < 8:
        return False
    if array.dtype.kind == "c":
        return True  # nobody's labels
    keys = np.ascontiguousarray(array).view(np.int64)
    if array.dtype.kind != "f" and int(keys.min()) >> 32 == int(keys.max()) >> 32:
        return False  # then the hash of none is that of another
    keys = np.unique(keys)
    hashes = np.sort(_of_floats(keys) if array.dtype.kind == "f" else _of_integers(keys))
    most = limits.MAX_EQUAL_HASHES
    return bool((hashes[most:] == hashes[:-most]).any())


def _of_integers(keys: npt.NDArray[np.int64]) -> _Words:
    return ((keys >> 33) ^ keys ^ (keys << 11)).astype(np.uint32)


def _of_floats(keys: npt.NDArray[np.int64]) -> _Words:
    """MurmurHash2 of both halves, but for its last steps, which make no hashes equal."""
    low, high = keys.astype(np.uint32), (keys >> 32).astype(np.uint32)
    with np.errstate(over="ignore"):
        mixed: _Words = ((_SEED * _M) ^ _mixed(low)) * _M ^ _mixed(high)
    return mixed


def _mixed(words: _Words) -> _Words:
    words = words * _M
    words ^= words >> np.uint32(24)
    return words * _M
