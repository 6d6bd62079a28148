"""Every way to corrupt a saved model, one value at a time: what a hostile signer could write.

A corruption changes one scalar, one reference, one field or one tensor of a valid architecture.
Everything else is put right again, as the attacker would: nodes are renumbered, tensors that
nothing refers to any more are left out.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from safemodel.adapters.graph import renumber

from .sklearn_support import MemoryBundle, Stored

_INTEGERS = (-(2**31), -2, -1, 0, 1, 2, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**53 - 1)
_FLOATS = ("nan", "inf", "-inf", "0x0.0p+0", "-0x1.0p+1023", "0x1.8000000000000p+1")
_STRINGS = ("", "filename", "passthrough", "drop", "balanced", "predict", "evil\x00", "/etc/passwd")
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?", "U32": "<u4",
    "U64": "<u8", "F16": "<f2", "I8": "i1", "I16": "<i2", "U16": "<u2",
}  # fmt: skip

Corruption = tuple[str, Callable[[MemoryBundle], None]]


def corruptions(bundle: MemoryBundle) -> Iterator[Corruption]:
    """Name and function of each corruption of a bundle; the function changes a copy in place."""
    nodes = bundle.architecture["graph"]["nodes"]
    for index, node in enumerate(nodes):
        for path, value in _leaves(node, ()):
            for number, other in enumerate(_others(value, index, nodes)):
                yield f"node {index} {path} = {other!r:.60} ({number})", _setter(index, path, other)
        if node["kind"] == "ndarray" and node.get("data") in bundle.stored:
            for label, view in _views(node, bundle.stored[node["data"]]):
                yield f"node {index} as a view: {label}", _viewer(index, view)
        if node["kind"] == "scipy.sparse":
            for label, change in _layouts(index, node):
                yield f"node {index} {label}", change
    for name, stored in bundle.stored.items():
        for label, other in _tensors(stored):
            yield f"tensor {name}: {label}", _replacer(name, other)
    names = sorted(bundle.stored)
    for first, second in itertools.pairwise(names):
        yield f"tensors {first} and {second} swapped", _swapper(first, second)


def corrupted(bundle: MemoryBundle, corruption: Corruption) -> MemoryBundle:
    """A copy of the bundle with one corruption, made canonical again."""
    changed = MemoryBundle(
        copy.deepcopy(bundle.architecture), dict(bundle.stored), bundle.libraries
    )
    corruption[1](changed)
    graph = changed.architecture["graph"]
    graph["nodes"] = renumber(graph["root"], graph["nodes"])
    used = set(_strings(graph["nodes"]))
    stored = {name: one for name, one in changed.stored.items() if name in used}
    if "names" in graph:
        graph["names"] = {name: real for name, real in graph["names"].items() if name in stored}
    return MemoryBundle(changed.architecture, stored, changed.libraries)


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Everything in a node that can be replaced, containers themselves included."""
    if path and path != ("kind",):
        yield path, value
    if isinstance(value, dict) and not (len(value) == 1 and next(iter(value)) in _TAGS):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and len(value) <= 24:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))


_TAGS = ("ref", "float", "int", "scalar", "type", "dtype", "bytes", "complex", "const")


def _others(value: Any, index: int, nodes: list[Any]) -> Iterator[Any]:
    if isinstance(value, bool) or value is None:
        yield from (not value, None if value is not None else 3, 5, "x", {"float": "nan"})
    elif isinstance(value, int):
        yield from (other for other in (*_INTEGERS, value - 1, value + 1) if other != value)
        yield from (None, True, "x", {"float": "nan"}, {"int": str(2**70)})
        yield {"scalar": ["<i8", "ffffffffffffffff"]}
    elif isinstance(value, str):
        yield from (other for other in _STRINGS if other != value)
        yield from (None, 1, True, value + "x")
    elif isinstance(value, list):
        yield from ([], value[:-1], [*value, *value[-1:]], value[::-1], None)
    elif isinstance(value, dict) and "ref" in value:
        chosen = random.Random(f"{index}{value}")
        yield from (
            {"ref": other} for other in chosen.sample(range(len(nodes)), min(6, len(nodes)))
        )
        yield from (None, 1, "x", {"float": "nan"})
    elif isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _TAGS:
        yield from ({"float": text} for text in _FLOATS)
        yield from (None, 0, -1, 2**53 - 1, True, "x", {"type": "object"}, {"dtype": "|O"})
        yield {"scalar": ["<f8", "000000000000f87f"]}
        yield {"const": "Ellipsis"}
    elif isinstance(value, dict):
        for key in value:
            yield {name: item for name, item in value.items() if name != key}
        for name in ("predict", "transform", "__class__", "__dict__", "n_features_in_", "memory"):
            yield {**value, name: 3}


def _setter(index: int, path: tuple[Any, ...], other: Any) -> Callable[[MemoryBundle], None]:
    def change(bundle: MemoryBundle) -> None:
        target = bundle.architecture["graph"]["nodes"][index]
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = copy.deepcopy(other)

    return change


def _views(node: dict[str, Any], stored: Stored) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same tensor through other windows: repeated, overlapping, shifted, reversed, empty."""
    shape, item = list(node.get("shape", stored.shape)), np.dtype(_DTYPES[stored.dtype]).itemsize
    usual = [item * int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    end = max(len(stored.data) - item, 0)
    for label, sides, strides, offset in (
        ("stride 0", shape, [0] * len(shape), 0),
        ("stride 0 at the end", shape, [0] * len(shape), end),
        ("stride of one byte", shape, [1] * len(shape), 0),
        ("all strides an item", shape, [item] * len(shape), 0),
        ("reversed", shape, [-step for step in usual], end),
        ("other order", shape, usual[::-1], 0),
        ("shifted by an item", shape, usual, item),
        ("shifted by a byte", shape, usual, 1),
        ("offset beyond the end", shape, usual, 2**53 - 1),
        ("negative offset", shape, usual, -item),
        ("far strides", shape, [2**53 - 1] * len(shape), 0),
        ("huge, stride 0", [2**31 - 1] * len(shape), [0] * len(shape), 0),
        ("tall, stride 0", [1 << 20, *shape[1:]], [0, *usual[1:]], 0),
        ("one row", [1, *shape[1:]], usual, 0),
        ("no rows", [0, *shape[1:]], usual, 0),
        ("no rows, huge columns", [0, *[2**31 - 1] * (len(shape) - 1)], usual, 0),
    ):
        yield label, {"shape": sides, "strides": strides, "offset": offset}


def _viewer(index: int, view: dict[str, Any]) -> Callable[[MemoryBundle], None]:
    def change(bundle: MemoryBundle) -> None:
        bundle.architecture["graph"]["nodes"][index].update(copy.deepcopy(view))

    return change


def _layouts(index: int, node: dict[str, Any]) -> Iterator[Corruption]:
    """The matrix in each other layout, with indices at the ends of what fits."""
    rows, columns = node["shape"]
    for form in ("matrix", "array"):
        for end in (0, 1, -1, rows, columns, 2**31 - 1, 2**31 - 2, -(2**31), -(2**31) + 1):
            offsets = np.array([end], "<i4")
            data = np.ones((1, columns))
            given = {"offsets": ("I32", offsets), "data": ("F64", data)}
            yield f"as dia_{form}, offset {end}", _swapped(index, f"dia_{form}", given)
            given = {
                "row": ("I32", np.array([0], "<i4")),
                "col": ("I32", offsets),
                "data": ("F64", np.ones(1)),
            }
            yield f"as coo_{form}, column {end}", _swapped(index, f"coo_{form}", given)


def _swapped(
    index: int, name: str, arrays: dict[str, tuple[str, Any]]
) -> Callable[[MemoryBundle], None]:
    def change(bundle: MemoryBundle) -> None:
        nodes = bundle.architecture["graph"]["nodes"]
        references = {}
        for key, (dtype, array) in arrays.items():
            references[key] = {"ref": len(nodes)}
            nodes.append({"kind": "ndarray", "dtype": array.dtype.str, "data": f"new.{key}"})
            bundle.stored[f"new.{key}"] = Stored(dtype, array.shape, array.tobytes())
        nodes[index].update({"class": name, "arrays": references})

    return change


def _replacer(name: str, other: Stored) -> Callable[[MemoryBundle], None]:
    def change(bundle: MemoryBundle) -> None:
        bundle.stored[name] = other

    return change


def _swapper(first: str, second: str) -> Callable[[MemoryBundle], None]:
    def change(bundle: MemoryBundle) -> None:
        stored = bundle.stored
        stored[first], stored[second] = stored[second], stored[first]

    return change


def _tensors(stored: Stored) -> Iterator[tuple[str, Stored]]:
    kind, shape, size = np.dtype(_DTYPES[stored.dtype]), stored.shape, len(stored.data)
    yield "zeros", Stored(stored.dtype, shape, bytes(size))
    yield "ones", Stored(stored.dtype, shape, b"\xff" * size)
    yield "reversed", Stored(stored.dtype, shape, stored.data[::-1])
    yield "empty", Stored(stored.dtype, (0, *shape[1:]), b"")
    if size and kind.kind in "iufb":
        values = np.frombuffer(stored.data, kind)
        for position in sorted({0, len(values) // 2, len(values) - 1}):
            for label, other in _numbers(kind):
                changed = values.copy()
                changed[position] = other
                yield f"[{position}] = {label}", Stored(stored.dtype, shape, changed.tobytes())
        shuffled = np.random.default_rng(0).permutation(values)
        yield "shuffled", Stored(stored.dtype, shape, shuffled.tobytes())
    if shape and shape[0]:
        row = size // shape[0]
        less = Stored(stored.dtype, (shape[0] - 1, *shape[1:]), stored.data[: size - row])
        yield "a row less", less
        more = Stored(stored.dtype, (shape[0] + 1, *shape[1:]), stored.data + stored.data[:row])
        yield "a row more", more
        yield "a dimension more", Stored(stored.dtype, (1, *shape), stored.data)
        yield "flat", Stored(stored.dtype, (int(np.prod(shape)),), stored.data)
        yield "other axes", Stored(stored.dtype, shape[::-1], stored.data)
    if stored.dtype == "U8" and shape[1:] == (64,):
        yield from _nodes(stored)
    for dtype, text in _DTYPES.items():
        item = np.dtype(text).itemsize
        if dtype != stored.dtype and item == kind.itemsize:
            yield f"as {dtype}", Stored(dtype, shape, stored.data)


def _numbers(kind: Any) -> Iterator[tuple[str, Any]]:
    if kind.kind == "f":
        yield from ((str(one), one) for one in (np.nan, np.inf, -1.0, np.finfo(kind).max))
    elif kind.kind in "iu":
        limits = np.iinfo(kind)
        yield from ((str(one), one) for one in (limits.min, limits.max, 3))
        if kind.kind == "i":
            yield "-1", -1


def _nodes(stored: Stored) -> Iterator[tuple[str, Stored]]:
    """Rows of trees: each field of the first, a middle and the last row."""
    words = np.frombuffer(stored.data, "<i8").reshape(-1, 8)
    for row in sorted({0, len(words) // 2, len(words) - 1}):
        for column in range(8):
            for other in (-3, -2, -1, 0, row, row - 1, 1, 5, len(words), 2**31, 2**62, -(2**62)):
                if words[row, column] != other:
                    changed = words.copy()
                    changed[row, column] = other
                    label = f"row {row} word {column} = {other}"
                    yield label, Stored(stored.dtype, stored.shape, changed.tobytes())


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
