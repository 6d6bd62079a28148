"""Chunk sizes by their definition, digests and CRCs against other implementations."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import UsageError
from safemodel.format import digests

MIB = 1 << 20

sizes = st.lists(st.integers(0, 3 << 40) | st.integers(0, 3 * MIB), max_size=6)


def chunks_by_hand(size: int, chunk: int) -> int:
    return len(range(0, size, chunk))


@given(sizes)
def test_the_chunk_size_is_the_smallest_that_suffices(member_sizes: list[int]) -> None:
    chunk = digests.chunk_size(iter(member_sizes))
    fitting = [
        candidate
        for candidate in (MIB, 2 * MIB, 4 * MIB, 8 * MIB)
        if sum(chunks_by_hand(size, candidate) for size in member_sizes) <= 65_536
    ]
    assert chunk == min(fitting, default=16 * MIB)


@pytest.mark.parametrize(
    ("member_sizes", "chunk"),
    [
        ([], MIB),
        ([0], MIB),
        ([65_536 * MIB], MIB),
        ([65_536 * MIB + 1], 2 * MIB),
        ([65_535 * MIB, 1], MIB),
        ([65_535 * MIB, 1, 1], 2 * MIB),
        ([1] * 65_536, MIB),
        ([1] * 65_537, 16 * MIB),  # no size helps against many small members
        ([8 * 65_536 * MIB], 8 * MIB),
        ([8 * 65_536 * MIB + 1], 16 * MIB),
        ([1 << 50], 16 * MIB),
    ],
)
def test_chunk_sizes_at_their_bounds(member_sizes: list[int], chunk: int) -> None:
    assert digests.chunk_size(member_sizes) == chunk


@pytest.mark.parametrize(
    ("size", "count"), [(0, 0), (1, 1), (MIB - 1, 1), (MIB, 1), (MIB + 1, 2), (1 << 50, 1 << 30)]
)
def test_the_last_chunk_may_be_short_and_none_is_empty(size: int, count: int) -> None:
    assert digests.chunk_count(size, MIB) == count


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_pieces_are_digested_as_one(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert digests.digest("sha256", pieces) == hashlib.sha256(whole).digest()
    views = [memoryview(piece) for piece in pieces]
    assert digests.digest("blake3", views) == digests.digest("blake3", [bytearray(whole)])


def test_blake3_has_the_digests_of_its_authors() -> None:
    """Two of the official test vectors: bytes 0, 1, ..., 250, 0, 1, ..."""
    for size, expected in (
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
    ):
        data = bytes(i % 251 for i in range(size))
        assert digests.digest("blake3", [data]).hex() == expected


def test_digests_have_one_size() -> None:
    for algorithm in digests.ALGORITHMS:
        assert len(digests.digest(algorithm, [b"a"])) == digests.DIGEST_SIZE


def test_an_unknown_algorithm_is_an_argument_that_makes_no_sense() -> None:
    with pytest.raises(UsageError, match="md5") as caught:
        digests.digest("md5", [])
    assert "blake3, sha256" in str(caught.value.hint)


@given(st.binary(max_size=99), st.binary(max_size=99))
def test_crc32_is_that_of_zlib(first: bytes, second: bytes) -> None:
    one, two = digests.crc32(first), digests.crc32(memoryview(second))
    assert (one, two) == (zlib.crc32(first), zlib.crc32(second))
    assert digests.crc32(second, one) == zlib.crc32(first + second)
    assert digests.crc32_combine(one, two, len(second)) == zlib.crc32(first + second)
