"""Canonical JSON: what is accepted has one encoding, and nothing else gets through."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from safemodel import limits
from safemodel.errors import JsonError, LimitError, SafemodelError
from safemodel.format.canonical_json import checked, decode, encode

MAX = limits.MAX_SAFE_INTEGER

keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
strings = st.text(max_size=8) | st.text('"\\[]{}:,\b\x00\x7f\u2028\ufeff\U0001f600', max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX, MAX) | strings,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_a_value_survives_its_encoding(value: object) -> None:
    data = encode(value)
    again = decode(data, max_size=len(data))
    assert again == value
    assert encode(again) == data


@given(values)
def test_the_encoding_is_that_of_rfc_8785(value: object) -> None:
    assert encode(value) == rfc8785.dumps(value)


@given(values, st.data())
def test_a_changed_encoding_is_refused_or_that_of_another_value(
    value: object, data: st.DataObject
) -> None:
    encoding = bytearray(encode(value))
    at = data.draw(st.integers(0, len(encoding) - 1))
    action = data.draw(st.sampled_from(["flip", "insert", "delete", "double"]))
    if action == "flip":
        encoding[at] ^= data.draw(st.integers(1, 255))
    elif action == "insert":
        encoding.insert(at, data.draw(st.integers(0, 255) | st.sampled_from(b' \n"0-\\[{')))
    elif action == "delete":
        del encoding[at]
    else:
        encoding[at:at] = encoding[at : at + data.draw(st.integers(1, 9))]
    try:
        other = decode(encoding, max_size=1000)
    except SafemodelError:
        return
    assert encode(other) == encoding
    assert repr(other) != repr(value) or encoding == encode(value)


@given(st.binary(max_size=60) | st.text('[]{}",:0123456789-.eE \\utrfalsn\x00é').map(str.encode))
@example(b"\xef\xbb\xbf{}")
@example(b'"\xed\xa0\x80"')
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    try:
        value = decode(data, max_size=1000)
    except SafemodelError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"1 ",
        b" 1",
        b"[]\n",
        b"[1, 2]",
        b'{"a": 1}',
        b'{"b":1,"a":2}',  # order
        b'{"a":1,"a":1}',  # a duplicate, even of the same value
        b'{"a":1,"a":2}',
        b"\xef\xbb\xbf[]",  # byte order mark
        "[]".encode("utf-16"),
        "[]".encode("utf-16-le"),
        "[]".encode("utf-32"),
        b'"\\u0041"',
        b'"\\u00e9"',
        b'"\\/"',
        b'"\\u000A"',
        b'"\\u000a"',  # is \n
        b'"\\u001F"',  # is lower case
        b'"\\u007f"',
        b'"\n"',
        b'"\x00"',
        b'"\\ud83d\\ude00"',  # a pair of surrogates is the character itself
        b'"\\ud800"',
        b'"\\udc00x"',
        b'{"\\ud800":1}',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b'"\xff"',
        b'"\xf4\x90\x80\x80"',
        b"-0",
        b"00",
        b"01",
        b"+1",
        b"--1",
        b"1.0",
        b"-0.0",
        b"1e3",
        b"1E400",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" + b"0" * 17,
        b"9" * 5000,
        b"1_0",
        "\u0661".encode(),  # a digit, but not for JSON
        b"nul",
        b"True",
        b"'a'",
        b'{"a":1,}',
        b"[1,]",
        b"[1",
        b"1]",
        b"[}",
        b"[]]",
        b"[][]",
        b"{}{}",
        b"1 2",
        b'"a',
        b'"\\"',
        b'"\\x41"',
        b"{1:2}",
        b'{"\xc3\xa9":1}',
        b'{"\\n":1}',
        b'{"\x7f":1}',
        b"// x\n1",
    ],
)
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(JsonError):
        decode(data, max_size=10_000)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"null", None),
        (b"true", True),
        (b"0", 0),
        (b"-1", -1),
        (b"9007199254740991", MAX),
        (b"-9007199254740991", -MAX),
        (b"{}", {}),
        (b"[]", []),
        (b'""', ""),
        (b'{"":0," ":1,"A":2,"__metadata__":3,"a":4,"~":5}', None),
        (b'"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7f"', '\b\t\n\f\r"\\/\0\x1f\x7f'),
        ('"\u2028\ufeff\ufffe\U0010ffff"'.encode(), "\u2028\ufeff\ufffe\U0010ffff"),
    ],
)
def test_canonical_json_is_accepted(data: bytes, value: object) -> None:
    decoded = decode(data, max_size=len(data))
    assert value is None or (decoded == value and type(decoded) is type(value))
    assert encode(decoded) == data


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        (1,),
        b"a",
        {1},
        object(),
        Number.ONE,
        Text("a"),
        [[1.5]],
        {"a": {"b": (2,)}},
        MAX + 1,
        -MAX - 1,
        [0, {"a": 10**400}],
        {1: 2},
        {None: 2},
        {"é": 1},
        {"\n": 1},
        {"\x7f": 1},
        {Text("a"): 1},
        "\ud800",
        ["\udfff"],
        {"\ud800": 1},
    ],
)
def test_values_without_a_canonical_encoding_are_refused(value: object) -> None:
    with pytest.raises(JsonError):
        encode(value)  # type: ignore[arg-type]


def test_checked_returns_the_value_itself() -> None:
    value = {"a": [1, None]}
    assert checked(value) is value
    with pytest.raises(JsonError, match="type float, tuple"):
        checked({"a": [(), 1.5]})


@pytest.mark.parametrize("size", [3, 4])
def test_the_size_is_limited(size: int) -> None:
    assert decode(b"[1]", max_size=size) == [1]
    with pytest.raises(LimitError):
        decode(b"[1]", max_size=2)


def test_every_kind_of_buffer_is_accepted() -> None:
    for data in (bytearray(b"[1]"), memoryview(b"[1]"), memoryview(b"[-1-]")[::2]):
        assert decode(data, max_size=3) == [1]
    wide = memoryview(b"[1,2,34]").cast("I")
    assert decode(wide, max_size=8) == [1, 2, 34]
    with pytest.raises(LimitError):
        decode(wide, max_size=7)  # bytes, not items


@pytest.mark.parametrize(
    ("opening", "closing", "count"),
    [
        (b"[", b"]", 64),
        (b'{"a":', b"}", 64),
        (b'[[],{"]":', b"},{}]", 32),
        (b'[1,"[",', b",[]]", 63),
    ],
)
def test_depth_is_limited(opening: bytes, closing: bytes, count: int) -> None:
    data = opening * count + b"0" + closing * count
    assert encode(decode(data, max_size=10_000)) == data
    data = opening * (count + 1) + b"0" + closing * (count + 1)
    with pytest.raises(LimitError):
        decode(data, max_size=10_000)
    with pytest.raises(LimitError):
        encode(json.loads(data))


@given(st.integers(60, 68), strings, strings)
def test_brackets_in_strings_do_not_count(depth: int, before: str, after: str) -> None:
    value: object = before
    for _ in range(depth):
        value = [before, value, after]
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if depth <= limits.MAX_JSON_DEPTH:
        assert decode(data, max_size=100_000) == value
    else:
        with pytest.raises(LimitError):
            decode(data, max_size=100_000)


@pytest.mark.parametrize(
    "hidden",
    [b'["]",', b'["\\"]",', b'["\\\\\\"]]",', b'["","]]",', b'["a"  ,"}]",', b'{"]":'],
)
def test_strings_do_not_hide_depth(hidden: bytes) -> None:
    """Closing brackets inside strings must not outweigh the opening ones outside."""
    closing = b"}" if hidden.startswith(b"{") else b"]"
    with pytest.raises(LimitError):
        decode(hidden * 65 + b"0" + closing * 65, max_size=10_000)


def test_deep_nesting_does_not_overflow_the_stack() -> None:
    """A program may have raised the recursion limit: then the parser's own guard is gone."""
    code = (
        "import sys; sys.setrecursionlimit(10**9)\n"
        "from safemodel.format.canonical_json import decode\n"
        "from safemodel.errors import SafemodelError\n"
        "n = 3_000_000\n"
        'for data in (b"[" * n, b"[" * n + b"]" * n, b\'{"a":\' * n, b"[" * n + b\'"]\' * n):\n'
        "    try: decode(data, max_size=10**8)\n"
        "    except SafemodelError: print('refused')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.split(), result.returncode) == (["refused"] * 4, 0), result.stderr


@pytest.fixture
def no_digit_limit() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.usefixtures("no_digit_limit")
def test_long_integers_take_no_time() -> None:
    start = time.perf_counter()
    for data in (b"9" * 2_000_000, b"[-" + b"9" * 2_000_000 + b"]"):
        with pytest.raises(JsonError, match="integer"):
            decode(data, max_size=10_000_000)
    assert time.perf_counter() - start < 2


def test_cycles_are_refused() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(LimitError):
        encode(cycle)  # type: ignore[arg-type]


def test_many_small_values_are_refused_before_they_are_made() -> None:
    data = b"[" + b"[]," * limits.MAX_JSON_TOKENS + b"[]]"
    tracemalloc.start()
    try:
        with pytest.raises(LimitError, match="values, more than"):
            decode(data, max_size=len(data))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(data)
