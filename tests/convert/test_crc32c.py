"""The fast CRC-32C is the plain one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.convert.crc32c import crc32c
from safemodel.legacy import crc32c as plain


@given(st.binary(max_size=5000), st.integers(0, 2**32 - 1))
def test_it_is_that_of_the_plain_one(data: bytes, before: int) -> None:
    assert crc32c(memoryview(data), before) == plain.crc32c(data, before)


@pytest.mark.parametrize("size", [1023, 1024, 2047, 65_541, (1 << 20) + 3])
def test_it_is_that_of_the_plain_one_for_long_data(size: int) -> None:
    data = bytes(value * value % 251 for value in range(size))
    assert crc32c(memoryview(data)) == plain.crc32c(data)
    assert crc32c(memoryview(data)[7:], crc32c(memoryview(data)[:7])) == plain.crc32c(data)


def test_pieces_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safemodel.convert.crc32c._PIECE", 4000)
    data = bytes(range(256)) * 60
    assert crc32c(memoryview(data)) == plain.crc32c(data)
