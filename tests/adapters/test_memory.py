"""Which arrays share memory, and what is stored for them."""

from __future__ import annotations

import itertools
import random
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from safemodel.adapters.memory import Part, c_strides, dense_axes, extent, plan


def part(
    name: str, address: int, shape: tuple[int, ...], strides: Any = None, size: int = 4
) -> Part:
    memory: Any = SimpleNamespace(dense="dense", logical="logical")
    strides = strides or c_strides(shape, size)
    return Part(name, {}, address, shape, strides, size, "F32", (), size, 1, memory)


shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@given(shapes, st.data())
def test_extent_and_density_are_those_of_the_addresses(shape: Any, data: Any) -> None:
    strides = tuple(data.draw(st.integers(-12, 12)) for _ in shape)
    cells = [
        sum(i * s for i, s in zip(index, strides, strict=True))
        for index in itertools.product(*map(range, shape))
    ]
    low, high = extent(shape, strides, 4)
    assert (low, high) == ((min(cells), max(cells) + 4) if cells else (0, 0))
    axes = dense_axes(shape, strides, 4)
    dense = sorted(cells) == list(range(0, 4 * len(cells), 4))
    if cells and len(cells) > 1:
        assert (axes is not None) == dense or strides == c_strides(shape, 4)
    if axes is not None and cells:
        ordered = [
            sum(i * strides[a] for i, a in zip(index, axes, strict=True))
            for index in itertools.product(*[range(shape[a]) for a in axes])
        ]
        assert ordered == sorted(cells)


@given(shapes)
def test_strides_of_c_order_are_those_of_numpy(shape: Any) -> None:
    array = np.empty(tuple(max(length, 1) for length in shape), "f4")
    assert c_strides(array.shape, 4) == array.strides


def test_neighbours_are_apart_and_overlaps_together() -> None:
    parts = [
        part("a", 0, (4,)),
        part("b", 16, (4,)),  # right behind a
        part("c", 24, (4,)),  # over the end of b
        part("d", 24, (2,)),  # inside b and c
        part("e", 100, (0,)),
        part("f", 100, (2,)),
    ]
    stored = plan(parts)
    assert [(item.name, item.shape) for item in stored] == [
        ("a", (4,)),
        ("b.storage", (6,)),
        ("e", (0,)),
        ("f", (2,)),
    ]
    assert parts[0].node == {}
    assert parts[3].node == {"offset": 8, "shape": [2], "strides": [4]}


def test_the_order_given_decides_names_not_the_addresses() -> None:
    parts = [part("z", 200, (4,)), part("a", 0, (4,)), part("y", 200, (4,)), part("b", 0, (2,))]
    assert [item.name for item in plan(parts)] == ["z", "a"]


def test_a_lone_column_of_a_large_matrix_is_stored_without_the_matrix() -> None:
    column = part("column", 0, (1 << 14,), (4096,))
    (stored,) = plan([column])
    assert stored.pieces == "logical"
    assert (stored.shape, column.node) == ((1 << 14,), {})
    pair = part("pair", 0, (1 << 10,), (32,))
    (stored,) = plan([pair])
    assert stored.shape == (8 * 1023 + 1,)


def test_a_hundred_thousand_arrays_take_seconds() -> None:
    numbers = random.Random(1)
    parts = [part(str(i), 64 * i, (16,)) for i in range(50_000)]
    parts += [part(str(i), 4 * numbers.randrange(800_000), (4,)) for i in range(50_000)]
    start = time.process_time()
    plan(parts)
    assert time.process_time() - start < 20  # one comparison of each with each would take hours
