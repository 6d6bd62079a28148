"""Values of HDF5 files: the same as h5py's and pyfive's, in bounded memory; and any damage."""

from __future__ import annotations

import contextlib
import io
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError, UnreadableError
from safemodel.legacy import hdf5_chunks, hdf5_values
from safemodel.legacy.hdf5_objects import Message
from safemodel.legacy.hdf5_source import Source
from safemodel.legacy.hdf5_values import Values
from tests.legacy.hdf5_samples import VERSIONS, h5py, np

RNG = np.random.default_rng(0)
TYPES = ("?", "i1", "u1", "<i2", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8")


def written(make: Callable[[Any], object], version: str = "earliest") -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w", libver=version) as file:
        make(file)
    return out.getvalue()


def numbers(shape: tuple[int, ...], dtype: str) -> Any:
    return (RNG.normal(size=shape) * 20).astype(dtype)


def datasets(file: Any) -> None:
    for index, dtype in enumerate(TYPES):
        file[f"plain/{index}"] = numbers((3, 5), dtype)
    file["scalar"] = np.float32(3)
    file["empty"] = np.zeros((0, 4))
    file.create_dataset(
        "packed",
        data=numbers((33, 17, 5), "f4"),
        chunks=(8, 5, 2),
        compression="gzip",
        shuffle=True,
    )
    file.create_dataset("chunks", data=numbers((10,), "i8"), chunks=(4,), fletcher32=True)
    file.create_dataset(
        "bytes", data=numbers((70,), "u1"), chunks=(64,), compression=9, shuffle=True
    )


def raw(values: Values, path: str) -> bytes:
    found = values.numbers(path)
    content = b"".join(bytes(piece) for piece in found.pieces())
    assert len(content) == found.size
    return content


SAMPLE = written(datasets)


def read(data: bytes) -> None:
    values = Values(memoryview(data))
    for path in values.paths:
        raw(values, path)


def test_values_are_those_of_h5py() -> None:
    values = Values(memoryview(SAMPLE))
    with h5py.File(io.BytesIO(SAMPLE)) as file:
        assert len(values.paths) == len(TYPES) + 5
        for path in values.paths:
            expected = file[path][()]
            found = values.numbers(path)
            assert (found.dtype, found.shape) == (str(expected.dtype), expected.shape)
            assert raw(Values(memoryview(SAMPLE)), path) == expected.tobytes()


def test_values_are_those_of_pyfive() -> None:
    pyfive = pytest.importorskip("pyfive")
    values = Values(memoryview(SAMPLE))
    with pyfive.File(io.BytesIO(SAMPLE)) as file:
        for path in ("packed", "chunks", "bytes", "plain/8", "plain/9", "plain/3"):
            assert raw(values, f"/{path}") == np.ascontiguousarray(file[path][()]).tobytes()


@pytest.mark.parametrize("version", VERSIONS)
def test_values_in_one_piece_of_every_version(version: str) -> None:
    expected = numbers((4, 3), "f8")
    data = written(lambda file: file.create_dataset("a/b", data=expected), version)
    assert raw(Values(memoryview(data)), "/a/b") == expected.tobytes()


def test_values_in_one_piece_are_not_copied() -> None:
    view = memoryview(SAMPLE)
    (piece,) = Values(view).numbers("/plain/8").pieces()
    assert piece.obj is view.obj


def test_types_that_numpy_lacks() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")

    def make(file: Any) -> None:
        file["half"] = np.ones(3, ml_dtypes.bfloat16)
        file["quarter"] = np.ones(3, ml_dtypes.float8_e4m3fn)

    values = Values(memoryview(written(make)))
    assert values.numbers("/half").dtype == "bfloat16"
    assert values.numbers("/quarter").dtype == "float8_e4m3fn"


def test_lists_of_text() -> None:
    def make(file: Any) -> None:
        file.attrs["fixed"] = [b"a", b"bbb"]
        file.attrs["variable"] = ["x", "yé", ""]
        file.attrs["none"] = []
        file.attrs["number"] = [1, 2]
        file.attrs["one"] = "text"
        file.attrs["bad"] = [b"\xff"]
        file.attrs["grid"] = [[b"a"], [b"b"]]

    values = Values(memoryview(written(make)))
    assert values.texts("/", "fixed") == ("a", "bbb")
    assert values.texts("/", "variable") == ("x", "yé", "")
    assert values.texts("/", "none") == ()
    assert values.texts("/", "missing") is None
    assert values.text("/", "one") == b"text"
    for name in ("number", "one", "bad", "grid"):
        with pytest.raises(DamagedError):
            values.texts("/", name)


def soft(file: Any) -> None:
    file["a"] = numbers((3,), "f4")
    file["b"] = h5py.SoftLink("/a")


def outside(file: Any) -> None:
    file["b"] = h5py.ExternalLink("/etc/passwd", "/x")


def elsewhere(file: Any) -> None:
    file.create_dataset("raw", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((10,), "u1")
    layout[:] = h5py.VirtualSource(".", "x", (10,))
    file.create_virtual_dataset("virtual", layout)


@pytest.mark.parametrize("make", [soft, outside, elsewhere, virtual])
def test_what_leads_elsewhere_is_refused(make: Callable[[Any], None]) -> None:
    with pytest.raises(DamagedError):
        Values(memoryview(written(make)))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda f: f.create_dataset("x", (10**9, 10**6), "f8", chunks=(1024, 1024)), DamagedError),
        (lambda f: f.create_dataset("x", (10**6,), "f8"), DamagedError),  # never written
        (
            lambda f: f.create_dataset("x", (100,), "f8", chunks=(10,), compression="lzf"),
            LegacyError,
        ),
        (lambda f: f.create_dataset("x", data=np.zeros(3, ">f4")), UnreadableError),
        (lambda f: f.create_dataset("x", data=np.zeros(3, [("a", "i4")])), UnreadableError),
        (lambda f: f.create_dataset("x", data=np.zeros(3, "S4")), UnreadableError),
        (lambda f: f.create_dataset("x", data=["text"]), UnreadableError),
        (lambda f: f.create_dataset("x", data=h5py.Empty("f4")), UnreadableError),
    ],
)
def test_what_no_model_has_is_refused(make: Callable[[Any], object], error: type) -> None:
    values = Values(memoryview(written(make)))
    with pytest.raises(error):
        raw(values, "/x")


def test_a_chunk_that_is_missing_is_refused() -> None:
    def make(file: Any) -> None:
        made = file.create_dataset("x", (100,), "f8", chunks=(10,))
        made[:50] = 1

    with pytest.raises(DamagedError, match="5 chunks are missing"):
        Values(memoryview(written(make))).numbers("/x")


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((7,), (3,)), ((5, 1), (2, 1)), ((9, 4), (4, 3)), ((3, 8, 2), (2, 3, 2)), ((2, 3), (4, 5))],
)
@pytest.mark.parametrize("dtype", ["u1", "<f2", "<i4", "<c8"])
def test_chunks_of_any_shape(shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str) -> None:
    expected = numbers(shape, dtype)

    def make(file: Any) -> None:
        made = file.create_dataset("x", shape, dtype, chunks=chunks, maxshape=(None,) * len(shape))
        made[...] = expected

    assert raw(Values(memoryview(written(make))), "/x") == expected.tobytes()


def thin(rows: int, width: int = 1) -> bytes:
    """Zeros in chunks of one value in each row, well compressed."""

    def make(file: Any) -> None:
        made = file.create_dataset(
            "x", (4 * rows, 2), "u1", chunks=(rows, width), maxshape=(None, None), compression=9
        )
        for first in range(0, 4 * rows, rows):
            for column in range(0, 2, width):
                made.id.write_direct_chunk((first, column), zlib.compress(bytes(rows * width), 9))

    return written(make)


def test_thin_chunks_are_put_together_at_once() -> None:
    data = thin(2_000_000)
    began = time.process_time()
    assert not any(raw(Values(memoryview(data)), "/x"))
    assert time.process_time() - began < 3


def test_chunks_in_too_many_pieces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_chunks, "MAX_RUNS", 7)
    with pytest.raises(BudgetError, match="pieces"):
        Values(memoryview(thin(10))).numbers("/x")


def test_chunks_that_are_larger_than_the_dataset_are_paid_for() -> None:
    spent: list[int] = []
    Values(memoryview(thin(10, 50_000)), spent.append).numbers("/x")
    assert spent == [4 * 10 * 50_000]


def test_chunks_that_share_their_values_are_refused() -> None:
    def make(file: Any) -> None:
        made = file.create_dataset("x", (200, 64), "f8", chunks=(1, 64), compression=9)
        for row in range(200):
            made.id.write_direct_chunk((row, 0), b"%03d" % row + bytes(61))

    data = bytearray(written(make))
    first = data.index(b"000" + bytes(61))
    for row in range(1, 200):
        place = data.index(b"%03d" % row + bytes(61)).to_bytes(8, "little")
        at = data.index(place)
        data[at : at + 8] = first.to_bytes(8, "little")
        data[at - 32 : at - 28] = (1000).to_bytes(4, "little")
    with pytest.raises(DamagedError, match="share"):
        Values(memoryview(bytes(data))).numbers("/x")


def chunked(chunk: bytes = zlib.compress(bytes(32)), mask: int = 0, filters: int = 1) -> bytes:
    """Ten numbers in three chunks, the first of them given."""

    def make(file: Any) -> None:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((4,))
        for _ in range(filters):
            how.set_deflate(1)
        space = h5py.h5s.create_simple((10,))
        made = h5py.Dataset(h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F64LE, space, how))
        for first in (0, 4, 8):
            packed = chunk if not first else zlib.compress(bytes(32))
            made.id.write_direct_chunk((first,), packed, mask if not first else 0)

    return written(make)


def tree(place: int, raw: bytes) -> bytes:
    """The same with other bytes in the B-tree of the chunks."""
    data = bytearray(chunked())
    at = data.index(b"TREE\x01\x00") + place
    data[at : at + len(raw)] = raw
    return bytes(data)


def circle() -> bytes:
    """The same with a B-tree that is its own child."""
    data = bytearray(tree(5, b"\1\1\0"))
    at = data.index(b"TREE\x01\x01")
    data[at + 48 : at + 56] = at.to_bytes(8, "little")
    return bytes(data)


LIES = {
    "more or less": lambda: chunked(zlib.compress(bytes(100))),
    "must have 32": lambda: chunked(zlib.compress(bytes(31))),
    "does not inflate": lambda: chunked(b"x" * 20),
    "no place in its dataset": lambda: chunked(mask=1),
    "a chunk that has no place": lambda: tree(24 + 8, b"\5"),
    "has no place": lambda: tree(24 + 32 + 8, b"\0"),
    "filter twice": lambda: chunked(filters=2),
    "do not fit their dataset": lambda: chunked().replace(b"\3\2\2", b"\3\2\3", 1),
    "comes back to itself": circle,
    "none of chunks": lambda: tree(4, b"\0"),
    "a chunk that is nowhere": lambda: tree(48, b"\xff" * 8),
}


@pytest.mark.parametrize("reason", LIES)
def test_chunks_that_lie_are_refused(reason: str) -> None:
    assert raw(Values(memoryview(chunked())), "/x") == bytes(80)
    with pytest.raises((DamagedError, UnreadableError), match=reason):
        raw(Values(memoryview(LIES[reason]())), "/x")


def test_filters_that_are_unknown_or_too_many_are_refused() -> None:
    data = written(lambda file: file.create_dataset("x", data=np.ones(99), compression="lzf"))
    with pytest.raises(UnreadableError, match="filter 32000"):
        Values(memoryview(data)).numbers("/x")
    for head in (b"\3\0", b"\2\x09"):
        source = Source(memoryview(head.ljust(99, b"\0")))
        with pytest.raises(DamagedError, match="filters"):
            hdf5_chunks.filters(source, Message(11, 0, 99))


def test_datasets_that_share_their_values_are_refused() -> None:
    data = bytearray(
        written(lambda f: [f.create_dataset(n, data=numbers((99,), "f8")) for n in "ab"])
    )
    values = Values(memoryview(bytes(data)))
    first, second = (values.numbers(f"/{name}") for name in "ab")
    (one,), (two,) = first.pieces(), second.pieces()
    places = [bytes(data).find(bytes(piece)).to_bytes(8, "little") for piece in (one, two)]
    at = data.find(places[1])
    while at >= 0:
        data[at : at + 8] = places[0]
        at = data.find(places[1])
    shared = Values(memoryview(bytes(data)))
    shared._left = first.size  # what a file of many such datasets has left
    shared.numbers("/a")
    with pytest.raises(DamagedError, match="share"):
        shared.numbers("/b")


def test_a_bomb_spends_before_it_inflates() -> None:
    data = written(
        lambda f: f.create_dataset(
            "x", data=np.zeros((1000, 1000)), chunks=(1000, 1000), compression="gzip"
        )
    )
    spent: list[int] = []
    Values(memoryview(data), spent.append).numbers("/x")
    assert spent == [8_000_000]

    def refuse(count: int) -> None:
        raise BudgetError("too much")

    with pytest.raises(BudgetError):
        Values(memoryview(data), refuse).numbers("/x")


def test_too_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(lambda f: f.attrs.__setitem__("a", ["x" * 100] * 50))
    monkeypatch.setattr(hdf5_values, "MAX_TEXT_BYTES", 1000)
    with pytest.raises(BudgetError):
        Values(memoryview(data)).texts("/", "a")
    monkeypatch.setattr(hdf5_values, "MAX_TEXTS", 10)
    with pytest.raises(BudgetError):
        Values(memoryview(data)).texts("/", "a")


def test_many_lists_of_empty_texts_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(lambda f: [f.attrs.__setitem__(name, [b""] * 4) for name in "abc"])
    monkeypatch.setattr(hdf5_values, "MAX_TEXTS", 10)
    values = Values(memoryview(data))
    assert values.texts("/", "a") == values.texts("/", "b") == ("",) * 4
    with pytest.raises(BudgetError):
        values.texts("/", "c")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=6))
@example([(0, 0)])
def test_any_damage_is_an_error_of_ours(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLE)
    for place, value in changes:
        data[place] = value
    with contextlib.suppress(LegacyError):
        read(bytes(data))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SAMPLE)))
def test_any_cut_is_an_error_of_ours(size: int) -> None:
    with contextlib.suppress(LegacyError):
        read(SAMPLE[:size])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        read(b"\x89HDF\r\n\x1a\n" + data)
