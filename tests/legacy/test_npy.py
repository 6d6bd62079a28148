"""The .npy header: NumPy's own files, what a stranger may write, and any bytes."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy import npy
from safemodel.legacy.content import Reader, View
from safemodel.legacy.dtype import count_of, from_string
from safemodel.legacy.literal import parse_literal


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    width = 2 if version == (1, 0) else 4
    data = text.encode("utf-8" if version == (3, 0) else "latin-1")
    return npy.MAGIC + bytes(version) + len(data).to_bytes(width, "little") + data


def parse(data: bytes) -> tuple[npy.Header, int]:
    reader = View(data).reader()
    prefix = npy.read_prefix(reader)
    return npy.read_header(reader, prefix), reader.offset


DESCRS = {
    "'<f8'": (8, False),
    "'|b1'": (1, False),
    "'>i2'": (2, False),
    "'<c16'": (16, False),
    "'<M8[ns]'": (8, False),
    "'<m8[25s]'": (8, False),
    "'|S10'": (10, False),
    "'<U3'": (12, False),
    "'|V7'": (7, False),
    "'|O'": (8, True),
    "[('a', '<f4'), ('b', '|O')]": (12, True),
    "[('a', '<f4', (2, 3)), ('', '|V4'), (('title', 'c'), '|u1')]": (29, False),
    "('<f4', (2,))": (8, False),
}


@pytest.mark.parametrize(("descr", "expected"), DESCRS.items())
def test_types_that_numpy_writes(descr: str, expected: tuple[int, bool]) -> None:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (3, 2), }}   \n"
    found, end = parse(header(text))
    assert (found.size, found.has_object) == (6 * expected[0], expected[1])
    assert found.shape == (3, 2)
    assert end == len(header(text))


@pytest.mark.parametrize(
    "literal",
    [
        "{'descr': 'object', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': 'f4,O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f9', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<M8[ns', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<U\u0662', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<' 'f8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 18446744073709551616)}",
        "{'descr': [('a', '<f8', (1 << 40,))], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '<f8', (1099511627776,))], 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').system('true')",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} # comment",
        "[" * 10_000,
        "{'descr': " + "(" * 200 + "'<f8'" + ",2)" * 200 + ", 'fortran_order': False, 'shape': ()}",
        "'unterminated",
        "'\\N{BULLET}'",
        "",
    ],
)
def test_headers_that_numpy_does_not_write(literal: str) -> None:
    with pytest.raises(DamagedError):
        parse(header(literal, (3, 0)))


@pytest.mark.parametrize(
    "data", [b"", b"\x93NUMPY", b"\x93NUMPX\x01\0\0\0", b"\x93NUMPY\x09\0\0\0"]
)
def test_not_an_npy(data: bytes) -> None:
    with pytest.raises(DamagedError):
        parse(data)


def test_a_cut_header_and_a_declared_one_of_gigabytes() -> None:
    with pytest.raises(DamagedError, match="ends 1 bytes"):
        parse(header("{'descr': '<f8'}")[:-1])
    with pytest.raises(LegacyError, match="ends"):
        parse(npy.MAGIC + b"\x02\0\xff\xff\xff\xff" + b" " * 100)
    with pytest.raises(LegacyError, match="1 MiB"):
        parse(npy.MAGIC + b"\x02\0\0\0\x20\0" + b" " * 0x200000)


def test_python_2_headers() -> None:
    found, _ = parse(header("{'descr': '<f8', 'fortran_order': True, 'shape': (10L, 2L), }"))
    assert found.shape == (10, 2)
    assert found.fortran_order


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("()", ()),
        ("(1)", 1),
        ("(1,)", (1,)),
        ("[1, 'a\\'\\u00e9\\x41', \"b'\"]", [1, "a'\u00e9A", "b'"]),
        (" {'a': None, 'b': -5} ", {"a": None, "b": -5}),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert parse_literal(text) == value


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_VALUES)
def test_what_repr_writes_is_read(value: object) -> None:
    assert parse_literal(repr(value)) == value


@given(st.text(max_size=60) | st.text("{}()[]'\"\\, :1L-TrueNon", max_size=40))
def test_any_text(text: str) -> None:
    for parser in (parse_literal, from_string):
        with contextlib.suppress(LegacyError):
            parser(text)


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 255))
def test_any_bytes(tail: bytes, at: int, byte: int) -> None:
    sample = bytearray(header("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }") + tail)
    sample[at % len(sample)] = byte
    for data in (bytes(sample), tail, npy.MAGIC + tail):
        with contextlib.suppress(LegacyError):
            parse(data)


def test_counts() -> None:
    assert count_of(()) == 1
    assert count_of((2, 0, 1 << 62)) == 0


def test_real_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    dtypes = [
        "<f8",
        ">f4",
        "?",
        "S5",
        "U7",
        "M8[ns]",
        "m8[3D]",
        "c16",
        "f2",
        "V3",
        "O",
        [("a", "f4"), ("b", "O")],
        [("x", "i4", (2, 2)), ("y", "U3")],
        "g",
        "G",
        "u1,f8",
    ]
    for dtype in map(numpy.dtype, dtypes):
        for shape in ((), (0,), (3,), (2, 3, 4), (5, 0)):
            array = numpy.zeros(shape, dtype)
            stream = io.BytesIO()
            numpy.save(stream, array)
            found, end = parse(stream.getvalue())
            assert found.shape == shape
            assert found.has_object == dtype.hasobject
            if not dtype.hasobject:
                assert end + found.size == len(stream.getvalue())


def test_streams_are_read_in_pieces() -> None:
    data = header("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }") + bytes(24)
    reader = Reader(memoryview(b""), iter([data[i : i + 1] for i in range(len(data))]))
    found = npy.read_header(reader, npy.read_prefix(reader))
    assert reader.offset == len(data) - 24
    reader.advance(found.size)
    assert not reader.peek(1)
