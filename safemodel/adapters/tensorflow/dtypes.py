"""TensorFlow's data types by name, and how a tensor of them is stored.

Knows no framework: conversions, which do without TensorFlow, stand on it too. Implements
spec/tensorflow.md, "Variables".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.tensors import STORED as _STORED
from safemodel.legacy import tensorflow_types

STRING: Final = tensorflow_types.STRING  # has no stored type: its bytes, and where each string ends

# Axes of strings beyond which TensorFlow and NumPy die of turning one into the other.
MAX_STRING_RANK: Final = 32

# name -> (type of the stored items, shape of the items that make one element)
STORED: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    name: _STORED[name]
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        *("float8_e4m3fn", "float8_e5m2"),
    )
}

# Types that NumPy lacks, as their bits.
CARRIERS: Final[Mapping[str, str]] = {
    "bfloat16": "<u2",
    "float8_e4m3fn": "u1",
    "float8_e5m2": "u1",
}


def carrier(name: str) -> np.dtype[Any]:
    """The type of NumPy with which values of a data type are moved."""
    kind: np.dtype[Any] = np.dtype(CARRIERS.get(name, name))
    return kind


def stored_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the stored tensor of a value with this shape."""
    return shape + STORED[name][1]


def nbytes(name: str, shape: tuple[int, ...]) -> int:
    """How many bytes a value takes."""
    return math.prod(shape) * carrier(name).itemsize
