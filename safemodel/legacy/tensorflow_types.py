"""TensorFlow's data types by the numbers that its files have for them.

Source: tensorflow/core/framework/types.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# number -> name, as `tf.DType.name` has it
NAMES: Final[Mapping[int, str]] = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string",
    8: "complex64", 9: "int64", 10: "bool", 11: "qint8", 12: "quint8", 13: "qint32",
    14: "bfloat16", 15: "qint16", 16: "quint16", 17: "uint16", 18: "complex128", 19: "float16",
    20: "resource", 21: "variant", 22: "uint32", 23: "uint64", 24: "float8_e5m2",
    25: "float8_e4m3fn", 26: "float8_e4m3fnuz", 27: "float8_e4m3b11fnuz", 28: "float8_e5m2fnuz",
    29: "int4", 30: "uint4", 31: "int2", 32: "uint2",
}  # fmt: skip

# name -> bytes of an element in memory and in files; types without are no plain numbers
ITEM_SIZES: Final[Mapping[str, int]] = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8,
    "uint64": 8, "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8,
    "complex128": 16, "float8_e5m2": 1, "float8_e4m3fn": 1, "qint8": 1, "quint8": 1, "qint16": 2,
    "quint16": 2, "qint32": 4,
}  # fmt: skip

STRING: Final = "string"


def name_of(number: int) -> str:
    """The name of a data type; one that this release does not know by its number.

    Types of references, which only variables of TensorFlow 1 have, are 100 higher.
    """
    found = NAMES.get(number)
    if found is None and number > 100 and number - 100 in NAMES:
        return f"{NAMES[number - 100]}_ref"
    return found or f"type {number}"
