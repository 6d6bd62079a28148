"""UBJSON as XGBoost writes it: what was written is what `parse` gives; any bytes give or raise."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import ubjson
from safemodel.legacy.ubjson import SIZES, Typed

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32, allow_nan=False)
ARRAYS = st.sampled_from(sorted(SIZES)).flatmap(
    lambda marker: st.binary(max_size=64).map(
        lambda data: (marker, data[: len(data) // SIZES[marker] * SIZES[marker]])
    )
)
LEAVES = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, st.text(max_size=20), ARRAYS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=70), inner, max_size=5)
    ),
    max_leaves=30,
)


def written(value: Any) -> bytes:
    pieces: list[Any] = []
    ubjson.write(_arrays(value), pieces)
    return b"".join(pieces)


def _arrays(value: Any) -> Any:
    if type(value) is tuple:
        return Typed(*value)
    if type(value) is list:
        return [_arrays(item) for item in value]
    return {key: _arrays(item) for key, item in value.items()} if type(value) is dict else value


def plain(value: Any) -> Any:
    if type(value) is Typed:
        return value.marker, bytes(value.data)
    if type(value) is list:
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if type(value) is dict else value


def length(value: int) -> bytes:
    return b"L" + struct.pack(">q", value)


@given(VALUES)
def test_what_was_written_is_what_is_read(value: Any) -> None:
    data = written(value)
    assert plain(ubjson.parse(data)) == value
    assert written(plain(ubjson.parse(data))) == data


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_an_error_of_ours(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        ubjson.parse(data)


@given(VALUES, st.data())
def test_documents_with_other_bytes_give_a_value_or_an_error_of_ours(value: Any, data: Any) -> None:
    changed = bytearray(written(value))
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(LegacyError):
        ubjson.parse(changed)


@given(VALUES, st.data())
def test_the_beginning_of_a_document_is_no_document(value: Any, data: Any) -> None:
    whole = written(value)
    with pytest.raises(DamagedError):
        ubjson.parse(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends inside"),
        (b"TT", "behind its end"),
        (b"X", "unknown marker"),
        (b"N", "unknown marker"),
        (b"S" + length(5) + b"abc", "length of 5"),
        (b"S" + length(-1), "length of -1"),
        (b"S" + length(2**62), "length of"),
        (b"Si\x03abc", "not of 64 bits"),
        (b"S" + length(1) + b"\xff", "no UTF-8"),
        (b"[#" + length(2**40), "length of"),
        (b"[$d#" + length(2**61) + b"\0" * 8, "length of"),
        (b"[$H#" + length(0), "unknown type"),
        (b"[$d" + length(0), "unknown type"),
        (b"{" + (length(1) + b"a" + b"Z") * 2 + b"}", "twice"),
        (b"[" * 100, "too deeply"),
        (b"[#" + length(1) + b"T]", "behind its end"),
        (b"[T", "ends inside"),
        (b"{" + length(1) + b"a", "ends inside"),
        (b"L\0", "ends inside"),
    ],
)
def test_what_xgboost_could_not_have_written_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        ubjson.parse(data)


def test_the_number_of_values_is_bounded() -> None:
    data = b"[" + b"T" * 1000 + b"]"
    assert len(ubjson.parse(data)) == 1000
    with pytest.raises(BudgetError):
        ubjson.parse(data, max_items=1000)


@pytest.mark.parametrize(
    ("value", "marker"),
    [(126, b"i"), (127, b"I"), (-127, b"i"), (-128, b"I"), (32766, b"I"), (32767, b"l"),
     (-32768, b"l"), (2**31 - 2, b"l"), (2**31 - 1, b"L"), (-(2**31), b"L")],
)  # fmt: skip
def test_integers_are_as_wide_as_xgboost_writes_them(value: int, marker: bytes) -> None:
    assert written(value)[:1] == marker
