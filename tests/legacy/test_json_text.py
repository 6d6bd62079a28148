"""JSON from untrusted files: what Python reads, within bounds."""

from __future__ import annotations

import json
import math
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]))
def test_reads_what_python_reads(value: object, encoding: str) -> None:
    raw = json.dumps(value).encode(encoding)
    assert repr(json_text.parse(raw).value) == repr(json.loads(raw))
    assert json_text.parse(memoryview(raw)).duplicates == ()


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u0019aE-.NI\ud800', max_size=40))
def test_any_bytes(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    try:
        found = json_text.parse(raw)
    except LegacyError:
        with pytest.raises((ValueError, RecursionError)):
            json.loads(raw)
    else:
        assert repr(found.value) == repr(json.loads(raw))


def test_overwritten_values_are_told() -> None:
    found = json_text.parse(b'{"a": 1, "b": {"c": 2, "c": [3], "\\u0063": 4}, "a": 5}')
    assert found.value == {"a": 5, "b": {"c": 4}}
    assert [(item.key, item.value) for item in found.duplicates] == [("c", 2), ("c", [3]), ("a", 1)]


def test_constants_surrogates_marks() -> None:
    found = json_text.parse(b'\xef\xbb\xbf [NaN, -Infinity, "\\ud800", 1e999]')
    assert isinstance(found.value, list)
    assert isinstance(found.value[0], float)
    assert math.isnan(found.value[0])
    assert found.value[1:] == [-math.inf, "\ud800", math.inf]
    assert (found.encoding, found.constants) == ("utf-8-sig", ("NaN", "-Infinity"))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[" * 100_000, BudgetError),
        (b'{"a":' * 100_000, BudgetError),
        (b"[" * 201 + b"]" * 201, BudgetError),
        (b'["\\\\", ' + b"[" * 201, BudgetError),
        (b'["\\"", ' + b"[" * 201, BudgetError),
        (b"[" + b"[]," * 9_000_000, BudgetError),
        (b"1" * 5000, DamagedError),
        (b"[-" + b"1" * 5000 + b"]", DamagedError),
        (b"", DamagedError),
        (b"\xff", DamagedError),
        (b"{} {}", DamagedError),
        (b"{'a': 1}", DamagedError),
        (b'"\x00"', DamagedError),
    ],
    ids=range(13),
)
def test_refused(data: bytes, error: type[LegacyError]) -> None:
    started = time.monotonic()
    with pytest.raises(error):
        json_text.parse(data)
    assert time.monotonic() - started < 5


def test_too_large() -> None:
    with pytest.raises(BudgetError, match="of 6 bytes, more than 5"):
        json_text.parse(b"[1, 2]", max_size=5)


def test_offset_is_in_bytes() -> None:
    with pytest.raises(DamagedError) as caught:
        json_text.parse('["é", x]'.encode())
    assert caught.value.offset == 7


def test_brackets_in_strings_do_not_nest() -> None:
    value = ["[" * 500, '"[{' * 100, "\\" * 7 + "["]
    assert json_text.parse(json.dumps(value).encode()).value == value


def test_deep_stack() -> None:
    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            json_text.parse(b"[" * 150 + b"]" * 150)

    with pytest.raises((BudgetError, RecursionError)):
        deeper(sys.getrecursionlimit())
    json_text.parse(b"[" * 150 + b"]" * 150)


@pytest.mark.parametrize("text", [' {"a": 1}', "[1]", "\ufeff{}", "{", '[{"type": 1}]', "[]"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32-be"])
def test_looks_like(text: str, encoding: str) -> None:
    assert json_text.looks_like_json(text.encode(encoding))


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"{% if x %}", b"[section]", b"{{ x }}", b"\x80\x04]"]
)
def test_does_not_look_like(data: bytes) -> None:
    assert not json_text.looks_like_json(data)
