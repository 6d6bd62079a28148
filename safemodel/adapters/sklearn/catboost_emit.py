"""A binary model of CatBoost from checked arrays: a FlatBuffer of our own making.

Tables are written front to back, each behind its own list of offsets, what they refer to behind
them. CatBoost derives the starts of trees, places of leaf values and repacked bins itself or gets
them from here: they follow from the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.catboost_model import leaf_ids
from safemodel.legacy.catboost_file import FORMAT, MAGIC

Write = Callable[["_Writer"], int]  # writes something and returns where it is


class _Writer:
    """A FlatBuffer under way."""

    def __init__(self) -> None:
        self.data = bytearray(4)

    def align(self, size: int, more: int = 0) -> None:
        """Pad so that what is written `more` bytes further on is aligned."""
        self.data += bytes(-(len(self.data) + more) % size)

    def table(self, fields: Mapping[int, tuple[str, Any] | Write]) -> int:
        """Write a table: numbers with their format, and what is referred to."""
        formats = {
            number: item[0] if isinstance(item, tuple) else "I" for number, item in fields.items()
        }
        order = sorted(fields, key=lambda number: -struct.calcsize(formats[number]))
        offsets, length = {}, 4
        for number in order:
            size = struct.calcsize(formats[number])
            length += -length % size
            offsets[number] = length
            length += size
        count = max(fields, default=-1) + 1
        size = 4 + 2 * count
        self.align(8, size)
        start = len(self.data)
        places = [offsets.get(number, 0) for number in range(count)]
        self.data += struct.pack(f"<HH{count}H", size, length, *places)
        at = len(self.data)
        self.data += struct.pack("<i", at - start) + bytes(length - 4)
        for number, item in fields.items():
            place = at + offsets[number]
            if isinstance(item, tuple):
                struct.pack_into(f"<{item[0]}", self.data, place, item[1])
            else:
                struct.pack_into("<I", self.data, place, item(self) - place)
        return at

    def vector(self, array: Any, size: int, count: int) -> int:
        """Write a vector of numbers or structures."""
        self.align(max(size, 4), 4)
        at = len(self.data)
        self.data += struct.pack("<I", count) + array.tobytes()
        return at

    def string(self, text: str) -> int:
        """Write a string, with the zero at its end that readers in C want."""
        raw = text.encode()
        self.align(4)
        at = len(self.data)
        self.data += struct.pack("<I", len(raw)) + raw + b"\0"
        return at

    def several(self, items: list[Write]) -> int:
        """Write a vector of references, and what they refer to."""
        self.align(4)
        at = len(self.data)
        self.data += struct.pack("<I", len(items)) + bytes(4 * len(items))
        for index, item in enumerate(items):
            place = at + 4 + 4 * index
            struct.pack_into("<I", self.data, place, item(self) - place)
        return at


def _string(text: str) -> Write:
    return lambda writer: writer.string(text)


def _array(array: Any, size: int | None = None) -> Write:
    item = size or array.itemsize
    return lambda writer: writer.vector(array, item, array.nbytes // item)


def _table(fields: Mapping[int, tuple[str, Any] | Write]) -> Write:
    return lambda writer: writer.table(fields)


def _several(items: list[Write]) -> Write:
    return lambda writer: writer.several(items)


_LIMIT: Final = 2**32 - 1


def write_model(model: Mapping[str, Any]) -> bytes:
    """Write a model that was checked.

    Raises:
        ValueError: it does not fit into 4 GB.
    """
    writer = _Writer()
    info = [_table({0: _string(key), 1: _string(text)}) for key, text in sorted(_pairs(model))]
    root = writer.table({0: _string(FORMAT), 1: _table(_trees(model)), 2: _several(info)})
    struct.pack_into("<I", writer.data, 0, root)
    if len(writer.data) >= _LIMIT:
        raise ValueError("a model of more than 4 GB")
    return MAGIC + struct.pack("<I", len(writer.data)) + bytes(writer.data)


def _pairs(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(model["info"].items())


def _trees(model: Mapping[str, Any]) -> dict[int, tuple[str, Any] | Write]:
    sizes = model["sizes"].astype("<i4")
    steps = np.ascontiguousarray(model["steps"]).reshape(-1, 2)
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    fields: dict[int, tuple[str, Any] | Write] = {
        0: ("i", model["dimension"]),
        1: _array(model["splits"]),
        2: _array(sizes),
        3: _array(starts.astype("<i4")),
        5: _several(_features(model)),
        8: _array(model["values"]),
        9: _array(model["weights"]),
        10: _array(steps, 4),
        11: _array(leaf_ids(steps, model["dimension"])),
        14: ("d", model["scale"]),
        15: ("d", model["bias"]),
    }
    if len(model["biases"]):
        fields[16] = _array(model["biases"])
    return fields


def _features(model: Mapping[str, Any]) -> list[Write]:
    ends = np.cumsum(model["border_counts"], dtype=np.int64)
    found = []
    for index, name in enumerate(model["names"]):
        borders = model["borders"][ends[index] - model["border_counts"][index] : ends[index]]
        fields: dict[int, tuple[str, Any] | Write] = {
            0: ("B", int(model["nan_flags"][index])),
            1: ("i", index),
            2: ("i", index),
            3: _array(borders),
            5: ("b", int(model["nan_treatments"][index])),
        }
        if name is not None:
            fields[4] = _string(name)
        found.append(_table(fields))
    return found
