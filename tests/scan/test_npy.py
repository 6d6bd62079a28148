"""NumPy's files: numbers are quiet, and a pickle is found wherever `numpy.load` would run one."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import Severity, Status
from tests.scan import pickles as p
from tests.scan.scanning import check_quiet, rules, scan, worst

CRITICAL, LOW = Severity.CRITICAL, Severity.LOW
EVIL = p.whole(p.call(p.name("posix", "system"), p.text("id")))
NUMBERS = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"
OBJECTS = "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"


def npy(header: str, items: bytes, version: int = 1) -> bytes:
    raw = header.encode("latin-1")
    length = len(raw).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + raw + items


def test_numbers_are_quiet() -> None:
    check_quiet(npy(NUMBERS, bytes(24)), "npy")
    check_quiet(npy(NUMBERS, EVIL.ljust(24, b"\0")[:24]), "npy")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(npy(OBJECTS, EVIL), id="objects"),
        pytest.param(npy(OBJECTS, EVIL, version=2), id="version 2"),
        pytest.param(npy(OBJECTS.replace("|O", "O"), EVIL), id="short name"),
        pytest.param(npy(OBJECTS.replace("|O", "object"), EVIL), id="name that is read only"),
        pytest.param(npy(OBJECTS.replace("'|O'", "'f4,O'"), EVIL), id="comma string"),
        pytest.param(npy(OBJECTS.replace("'|O'", "[('a', '|O')]"), EVIL), id="field"),
        pytest.param(npy(OBJECTS.replace("'|O'", "'|' 'O'"), EVIL), id="other literal"),
        pytest.param(npy(OBJECTS + " # x", EVIL), id="comment"),
        pytest.param(npy(OBJECTS.replace("(3,)", "(0,)"), EVIL), id="no items"),
        pytest.param(npy(NUMBERS, bytes(24)) + npy(OBJECTS, EVIL), id="second array"),
        pytest.param(npy(NUMBERS, bytes(24)) + EVIL, id="behind numbers"),
        pytest.param(npy(OBJECTS, p.whole(p.NONE)) + EVIL, id="behind objects"),
        pytest.param(EVIL, id="no array at all"),
    ],
)
def test_pickles_are_found(data: bytes) -> None:
    assert worst(data) is CRITICAL
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(NUMBERS, bytes(24)))
        archive.writestr("b.npy", data)
    assert worst(stream.getvalue()) is CRITICAL


def test_what_is_cut_off_is_unread() -> None:
    assert scan(npy(NUMBERS, bytes(23))).status is Status.UNREAD
    assert scan(npy(OBJECTS, EVIL[:5])).status is Status.UNREAD
    assert scan(b"\x93NUMPY\x02\0\xff\xff\xff\xff").status is Status.UNREAD
    assert scan(b"\x93NUMPY\x07\0").status is Status.UNREAD
    assert (
        scan(npy(NUMBERS.replace("(3,)", "(2147483647, 2147483647)"), b"")).status is Status.UNREAD
    )


def test_other_bytes_behind_are_noted() -> None:
    assert rules(scan(npy(NUMBERS, bytes(24)) + b"more")) == {"SM153": LOW}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4))
def test_any_mutation_has_a_report(changes: list[tuple[int, int]]) -> None:
    data = bytearray(npy(OBJECTS, p.whole(p.listed(p.NONE))) + npy(NUMBERS, bytes(24)))
    for at, byte in changes:
        data[at] = byte
    scan(bytes(data))


def _saved(save: Any, *arguments: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, *arguments, **options)
    return stream.getvalue()


def test_real_files_are_quiet() -> None:
    numpy = pytest.importorskip("numpy")
    arrays = {
        "plain": numpy.zeros((3, 4)),
        "fortran": numpy.asfortranarray(numpy.ones((3, 4))),
        "objects": numpy.array([1, "x", None, {"a": (1, 2)}, numpy.ones(2)], dtype=object),
        "fields": numpy.zeros(3, [("a", "i4"), ("b", "O"), ("c", "U2", (2,))]),
        "times": numpy.array(["2020"], "M8[s]"),
        "empty": numpy.zeros((0, 2)),
        "text": numpy.array(["\u00e9", "b"]),
    }
    for array in arrays.values():
        check_quiet(_saved(numpy.save, array), "npy")
    check_quiet(_saved(numpy.savez, **arrays), "npy", "zip")
    check_quiet(_saved(numpy.savez_compressed, **arrays), "npy", "zip")
    twice = _saved(numpy.save, arrays["plain"]) + _saved(numpy.save, arrays["objects"])
    check_quiet(twice, "npy")


def test_sparse_matrices_are_quiet() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    check_quiet(_saved(sparse.save_npz, sparse.eye(3, format="csr")), "npy", "zip")


def test_pandas_pickles_are_quiet() -> None:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    frame = pandas.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", None],
            "c": pandas.Categorical(["u", "v"]),
            "d": pandas.to_datetime(["2020-01-01", "2021-01-01"]),
            "e": numpy.array([None, {"k": 1}], dtype=object),
        },
        index=pandas.MultiIndex.from_tuples([("p", 1), ("q", 2)]),
    )
    for compression in (None, "gzip", "bz2", "xz", "zip", "tar", "zstd"):
        if compression == "zstd":
            pytest.importorskip("zstandard")
        data = _saved(lambda stream, c=compression: frame.to_pickle(stream, compression=c))
        check_quiet(data, "pickle")
