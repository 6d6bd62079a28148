"""safetensors files as ranges: any header, and any index of shards, is tensors or our error."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.convert import safetensors
from safemodel.errors import SafemodelError, UnconvertibleError

NAMES = st.sampled_from(["a", "b", "layer.0.weight", "__metadata__", "é", ""])
NUMBERS = st.integers(-2, 80)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "BOOL", "C64", "F4", "I64", "x"]),
        "shape": st.lists(NUMBERS, max_size=3),
        "data_offsets": st.lists(NUMBERS, min_size=1, max_size=3),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


def file(header: Any, data: bytes) -> memoryview:
    body = json.dumps(header).encode()
    return memoryview(bytearray(len(body).to_bytes(8, "little") + body + data))


def test_tensors_are_ranges_of_the_file() -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]},
        "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "none": {"dtype": "I64", "shape": [0, 3], "data_offsets": [12, 12]},
    }
    found = safetensors.read(file(header, bytes(range(12))))
    assert {name: (one.dtype, one.shape, bytes(one.data)) for name, one in found.items()} == {
        "a": ("float32", (1, 2), bytes(range(8))),
        "b": ("bfloat16", (2,), bytes(range(8, 12))),
        "none": ("int64", (0, 3), b""),
    }
    graph: Any = safetensors.encoded(found).graph
    assert [name for name, _ in graph["nodes"][0]["items"]] == ["a", "b", "none"]


@given(header=st.dictionaries(NAMES, ENTRIES | JSON, max_size=3) | JSON, size=st.integers(0, 90))
@settings(max_examples=300, deadline=None)
def test_any_header_is_tensors_or_an_error_of_ours(header: Any, size: int) -> None:
    data = file(header, bytes(size))
    try:
        found = safetensors.read(data)
        safetensors.encoded(found)
    except SafemodelError:
        return
    assert sum(one.data.nbytes for one in found.values()) <= size


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_tensors_or_an_error_of_ours(data: bytes) -> None:
    with contextlib.suppress(SafemodelError):
        safetensors.read(memoryview(bytearray(data)))


@given(JSON | st.fixed_dictionaries({"weight_map": st.dictionaries(NAMES, JSON | NAMES)}))
def test_any_index_names_files_that_are_there_or_is_refused(index: Any) -> None:
    present = ["a.safetensors", "b.bin"]
    try:
        named = safetensors.shards(index, present)
    except UnconvertibleError:
        return
    assert named == ("a.safetensors",)


@pytest.mark.parametrize("name", ["../a.safetensors", "b.bin", "/etc/passwd", "c.safetensors"])
def test_a_shard_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnconvertibleError, match="not in the folder"):
        safetensors.shards({"weight_map": {"x": name}}, ["a.safetensors", "b.bin"])
