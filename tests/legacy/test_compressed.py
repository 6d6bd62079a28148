"""Compressed streams: what comes out, what is behind, and what is damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError, UnreadableError
from safemodel.legacy import codecs
from safemodel.legacy.compressed import Inflated
from safemodel.legacy.content import Stream, View
from tests.attacks.readers import lzma_of_two
from tests.hostile import bombs

lz4_frame = pytest.importorskip("lz4.frame")
lz4_block = pytest.importorskip("lz4.block")
zstandard = pytest.importorskip("zstandard")


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


def lz4_legacy(data: bytes) -> bytes:
    packed = lz4_block.compress(data, store_size=False)
    return b"\x02\x21\x4c\x18" + struct.pack("<L", len(packed)) + bytes(packed)


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "bzip2": bz2.compress,
    "deflate": raw_deflate,
    "gzip": gzip.compress,
    "lz4": lz4_frame.compress,
    "lz4-legacy": lz4_legacy,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "xz": lzma.compress,
    "zlib": zlib.compress,
    "zstd": zstandard.compress,
}
SEVERAL = ("bzip2", "gzip", "lz4", "lz4-legacy", "lzma", "xz", "zstd")
DATA = b"".join(bytes((n % 256, n % 7, 0, n // 256 % 256)) for n in range(100_000))


def inflated(kind: str, data: bytes) -> Inflated:
    return Inflated(kind, View(data), lambda _: None)


def salvaged(one: Inflated) -> bytes:
    """What comes out before the damage."""
    found: list[bytes] = []
    with pytest.raises(DamagedError):
        found.extend(one.pieces())
    return b"".join(found)


def exhaust(one: Inflated) -> None:
    for piece in one.pieces():
        assert 0 < len(piece) <= 33 << 20


@pytest.mark.parametrize("kind", ENCODERS)
def test_what_went_in_comes_out(kind: str) -> None:
    one = inflated(kind, ENCODERS[kind](DATA))
    assert b"".join(one.pieces()) == DATA
    assert b"".join(one.pieces()) == DATA
    assert (one.ended, one.trailing, one.error) == (True, None, None)


@pytest.mark.parametrize("kind", ENCODERS)
def test_out_of_a_stream_of_small_pieces(kind: str) -> None:
    data = ENCODERS[kind](DATA)

    def pieces() -> Iterator[bytes]:
        yield from (data[at : at + 7] for at in range(0, len(data), 7))

    one = Inflated(kind, Stream(pieces), lambda _: None)
    assert b"".join(one.pieces()) == DATA


@pytest.mark.parametrize("kind", SEVERAL)
def test_streams_behind_one_another_are_one(kind: str) -> None:
    data = ENCODERS[kind](b"one") + ENCODERS[kind](b"two")
    assert b"".join(inflated(kind, data).pieces()) == b"onetwo"


@pytest.mark.parametrize("kind", sorted(set(ENCODERS) - {"lz4-legacy"}))
@pytest.mark.parametrize("tail", [b"x", b"PK\3\4 and so on" * 100_000])
def test_what_is_behind_is_told(kind: str, tail: bytes) -> None:
    data = ENCODERS[kind](DATA)
    one = inflated(kind, data + tail)
    assert b"".join(one.pieces()) == DATA
    assert one.trailing == len(data)


def test_xz_and_lzma_may_follow_one_another() -> None:
    """lzma.open goes on with either, so half a pickle could be in each."""
    data = lzma.compress(b"one") + lzma.compress(b"two", lzma.FORMAT_ALONE)
    assert b"".join(inflated("xz", data).pieces()) == b"onetwo" == lzma.decompress(data)


def test_lzma_streams_of_any_properties_are_one() -> None:
    data = lzma_of_two(bytes(range(256)))
    assert b"".join(inflated("lzma", data).pieces()) == bytes(range(256)) == lzma.decompress(data)


def test_gzip_goes_over_zero_bytes() -> None:
    data = gzip.compress(b"one") + bytes(1000) + gzip.compress(b"two") + bytes(10)
    one = inflated("gzip", data)
    assert b"".join(one.pieces()) == b"onetwo" == gzip.decompress(data)
    assert one.trailing is None


@pytest.mark.parametrize("kind", ["lz4", "zstd"])
def test_frames_to_be_skipped(kind: str) -> None:
    skip = b"\x53\x2a\x4d\x18\x03\0\0\0abc"
    one = inflated(kind, skip + ENCODERS[kind](b"one") + skip + ENCODERS[kind](b"two"))
    assert b"".join(one.pieces()) == b"onetwo"


@pytest.mark.parametrize("kind", ["gzip", "zlib"])
def test_all_comes_out_before_a_wrong_digest(kind: str) -> None:
    """A reader that takes what it needs never comes to the digest: cpython reads pickles so."""
    data = bytearray(ENCODERS[kind](b"short"))
    data[-1] ^= 1
    assert salvaged(inflated(kind, bytes(data))) == b"short"


@pytest.mark.parametrize("kind", sorted(set(ENCODERS) - {"lz4-legacy"}))
def test_all_comes_out_before_the_end_of_what_is_cut_off(kind: str) -> None:
    found = salvaged(inflated(kind, ENCODERS[kind](DATA)[:-1]))
    assert DATA.startswith(found)
    assert len(found) == len(DATA) or kind in ("bzip2", "zstd")


@pytest.mark.parametrize("noise", [b"\xff" * 50, b"noise" * 9])
def test_all_comes_out_before_damage_in_deflate(noise: bytes) -> None:
    """Two blocks, the second damaged; given at once, decoders give nothing of the first."""
    encoder = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = encoder.compress(b"a pickle") + encoder.flush(zlib.Z_SYNC_FLUSH) + noise
    for kind, front in (("deflate", b""), ("zlib", b"\x78\x9c"), ("gzip", gzip.compress(b"")[:10])):
        assert salvaged(inflated(kind, front + data)).startswith(b"a pickle")


HEADERS = {
    "reserved flags": b"\x1f\x8b\x08\xe0\0\0\0\0\0\xff",
    "header CRC that is wrong": b"\x1f\x8b\x08\x02\0\0\0\0\0\xff\x12\x34",
    "extra": b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x03\0abc",
    "name": b"\x1f\x8b\x08\x08\0\0\0\0\0\xffname\0",
    "comment": b"\x1f\x8b\x08\x10\0\0\0\0\0\xffcomment\0",
    "all": b"\x1f\x8b\x08\x1f\0\0\0\0\0\xff\x01\0xname\0comment\0\0\0",
}


@pytest.mark.parametrize("header", HEADERS)
def test_gzip_headers_as_python_reads_them(header: str) -> None:
    data = HEADERS[header] + gzip.compress(b"data")[10:]
    assert gzip.decompress(data) == b"data"
    assert b"".join(inflated("gzip", data).pieces()) == b"data"


def test_an_endless_header() -> None:
    data = HEADERS["name"][:-1] + b"n" * (2 << 20)
    assert salvaged(inflated("gzip", data)) == b""


def test_bombs_meet_the_budget() -> None:
    spent = 0

    def spend(count: int) -> None:
        nonlocal spent
        spent += count
        if spent > 50 << 20:
            raise BudgetError("enough")

    for kind, data in {
        "gzip": bombs.gzip_of(bombs.zeros(1000)),
        "bzip2": bombs.bzip2_zeros(10),
        "zstd": bombs.zstd_zeros(100_000),
    }.items():
        spent = 0
        one = Inflated(kind, View(data), spend)
        with pytest.raises(BudgetError):
            exhaust(one)
        assert isinstance(one.error, BudgetError)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("lzma", bombs.lzma_alone(1 << 31)),
        ("zstd", bombs.zstd_window(30)),
        ("xz", lzma.compress(b"x", preset=9)),
    ],
)
def test_large_dictionaries(kind: str, data: bytes) -> None:
    one = Inflated(kind, View(data), lambda _: None, dictionary=1 << 20)
    with pytest.raises(BudgetError):
        list(one.pieces())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codecs._MODULES, "zstd", "no_such_library.at_all")
    with pytest.raises(UnreadableError) as caught:
        inflated("zstd", b"")
    assert caught.value.hint == "run `pip install no_such_library`"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=200), st.data())
def test_any_bytes(kind: str, content: bytes, data: st.DataObject) -> None:
    packed = bytearray(ENCODERS[kind](content))
    for _ in range(data.draw(st.integers(0, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    one = inflated(kind, bytes(packed) + data.draw(st.binary(max_size=20)))
    try:
        exhaust(one)
    except LegacyError:
        assert one.error is not None
    else:
        assert one.ended


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.data())
def test_what_zlib_gives_is_given(content: bytes, data: st.DataObject) -> None:
    """However damaged: all that the zlib module gives byte by byte comes out here, too."""
    packed = bytearray(zlib.compress(content))
    for _ in range(data.draw(st.integers(0, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    decoder = zlib.decompressobj()
    expected = b""
    try:
        for byte in packed:
            expected += decoder.decompress(bytes((byte,)))
    except zlib.error:
        pass
    found = bytearray()
    try:
        for piece in inflated("zlib", bytes(packed)).pieces():
            found += piece
    except LegacyError:
        pass
    # A byte may be lost with the error behind it, in the one step or the other.
    assert bytes(found).startswith(expected[:-1])
