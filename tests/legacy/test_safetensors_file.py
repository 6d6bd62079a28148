"""Stock safetensors: what real writers write has nothing odd; what the stock reader refuses has."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy import safetensors_file
from safemodel.legacy.safetensors_file import SafetensorsFacts, looks_like_safetensors


def one(begin: int, end: int, shape: list[int] | None = None, dtype: str = "U8") -> dict[str, Any]:
    return {
        "dtype": dtype,
        "shape": [end - begin] if shape is None else shape,
        "data_offsets": [begin, end],
    }


def build(header: object, data: int = 0) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(data)


def parse(data: bytes) -> SafetensorsFacts:
    return safetensors_file.parse_safetensors(memoryview(data))


PLAIN = build(
    {"a": one(0, 8), "b": one(8, 24, [2, 2], "F32"), "__metadata__": {"format": "pt"}}, 24
)


def test_plain() -> None:
    facts = parse(PLAIN)
    assert facts.oddities == ()
    assert facts.tensors == 2
    assert facts.metadata == (("format", "pt"),)
    assert facts.end == len(PLAIN)
    assert looks_like_safetensors(PLAIN)


def test_the_real_writer(tmp_path: Path) -> None:
    numpy: Any = pytest.importorskip("numpy")
    writer: Any = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.safetensors"
    tensors = {
        f"t{number}": numpy.zeros((number, 3), dtype)
        for number, dtype in enumerate(("f4", "f8", "i8", "u1", "?", "f2", "i2", "u4"))
    }
    writer.save_file(tensors, path, metadata={"a": "b", "c": "d"})
    facts = parse(path.read_bytes())
    assert (facts.tensors, facts.oddities, facts.end) == (8, (), path.stat().st_size)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (build({"a": one(0, 8), "b": one(4, 12)}, 12), "shares bytes"),
        (build({"a": one(0, 4), "b": one(8, 12)}, 12), "4 bytes before the tensor b"),
        (build({"a": one(8, 12)}, 12), "8 bytes before the tensor a"),
        (build({"a": one(0, 8, [3])}, 8), "not what its shape needs"),
        (build({"a": one(0, 8, [1 << 40, 1 << 40])}, 8), "not what its shape needs"),
        (build({"a": one(0, 8, [8], "X9")}, 8), "not known"),
        (build({"a": 5}), "no dtype, shape and range"),
        (build({"a": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}}, 1), "no dtype"),
        (build({"a": one(0, 8) | {"data_offsets": [8, 0]}}, 8), "no range"),
        (build({"a": one(0, 8) | {"data_offsets": [0, 1 << 63]}}, 8), "no range"),
        (build(b'{"a": {}, "a": {}}'), "occurs twice"),
        (build(b' {"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}'), "brace"),
        (build(b"\xef\xbb\xbf{}"), "utf-8-sig"),
        (build({"__metadata__": 5}), "metadata are no object"),
        (build({"__metadata__": {"a": 5}}), "no strings"),
    ],
)
def test_odd(data: bytes, said: str) -> None:
    assert any(said in oddity.message for oddity in parse(data).oddities)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(8),
        build(b"[1]"),
        build(b"{"),
        build({"a": one(0, 8)}, 7),
        (1 << 63).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        PLAIN[:40],
    ],
    ids=range(8),
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError):
        parse(data)


def test_trailing_bytes_are_seen() -> None:
    facts = parse(PLAIN + b"more")
    assert facts.end == len(PLAIN)


def test_padding_of_the_header_is_permitted() -> None:
    assert parse(build(b"{}      ")).oddities == ()


@settings(max_examples=200)
@given(
    st.binary(max_size=80)
    | st.binary(max_size=60).map(build)
    | st.dictionaries(st.text(max_size=3), st.integers() | st.lists(st.integers(), max_size=3)).map(
        build
    )
    | st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)).map(
        lambda change: PLAIN[: change[0]] + bytes((change[1],)) + PLAIN[change[0] + 1 :]
    )
)
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        parse(data)
