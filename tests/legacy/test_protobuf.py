"""The wire format: what was written is what `fields` yields; any bytes give fields or raise."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy import protobuf
from safemodel.legacy.protobuf import BYTES, FIXED32, FIXED64, GROUP, VARINT, fields


def read(data: bytes) -> list[tuple[int, int, int | bytes]]:
    view = memoryview(data)
    return [
        (number, wire, bytes(view[start:end]) if wire in (BYTES, GROUP) else value)
        for number, wire, value, start, end in fields(view)
    ]


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, wire: int, value: int | bytes) -> bytes:
    tag = varint(number << 3 | wire)
    if isinstance(value, bytes):
        return tag + varint(len(value)) + value
    if wire == VARINT:
        return tag + varint(value)
    return tag + value.to_bytes(4 if wire == FIXED32 else 8, "little")


FIELDS = st.one_of(
    st.tuples(st.integers(1, 2**29 - 1), st.just(VARINT), st.integers(0, 2**64 - 1)),
    st.tuples(st.integers(1, 2**29 - 1), st.just(BYTES), st.binary(max_size=300)),
    st.tuples(st.integers(1, 2**29 - 1), st.just(FIXED32), st.integers(0, 2**32 - 1)),
    st.tuples(st.integers(1, 2**29 - 1), st.just(FIXED64), st.integers(0, 2**64 - 1)),
)


@given(st.lists(FIELDS, max_size=20))
def test_what_was_written_is_read(written: list[tuple[int, int, int | bytes]]) -> None:
    assert read(b"".join(field(*one) for one in written)) == written


@given(st.binary(max_size=200))
def test_any_bytes_give_fields_or_a_legacy_error(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        for _, _, _, start, end in fields(memoryview(data)):
            assert 0 <= start <= end <= len(data)


@given(st.lists(FIELDS, min_size=1, max_size=6), st.data())
def test_a_message_that_is_cut_short_is_damaged_or_shorter(
    written: list[tuple[int, int, int | bytes]], choose: st.DataObject
) -> None:
    data = b"".join(field(*one) for one in written)
    cut = choose.draw(st.integers(0, len(data) - 1))
    with contextlib.suppress(DamagedError):
        assert read(data[:cut]) == written[: len(read(data[:cut]))]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",  # field number 0
        b"\x08",  # no value
        b"\x08\x80",  # half a value
        b"\x08" + b"\xff" * 10 + b"\x01",  # eleven bytes
        b"\x0a\x05abcd",  # four of five bytes
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 2**64 - 1 bytes
        b"\x0d\0\0\0",  # three of four bytes
        b"\x09\0\0\0\0\0\0\0",  # seven of eight bytes
        b"\x0b",  # a group that never ends
        b"\x0b\x14",  # a group that another one ends
        b"\x0c",  # the end of no group
        b"\x0b\x12\x7f\x0c",  # a field that reaches beyond its group's end
        b"\x0e",  # wire type 6
        b"\x0f",  # wire type 7
        varint(1 << 32 << 3 | 0) + b"\0",  # field number above 2**29
    ],
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError):
        read(data)


def test_groups_are_one_field() -> None:
    inner = field(2, VARINT, 300) + b"\x1b\x1c" + field(4, BYTES, b"\x0c")
    assert read(b"\x0b" + inner + b"\x0c" + b"\x10\x01") == [(1, GROUP, inner), (2, VARINT, 1)]


def test_groups_are_bounded_and_not_recursive() -> None:
    with pytest.raises(DamagedError):
        read(b"\x0b" * 100_000)


def test_numbers_that_are_longer_than_they_need_to_be() -> None:
    assert read(b"\x8a\x80\x00\x81\x80\x00x") == [(1, BYTES, b"x")]


def test_numbers_packed_or_not() -> None:
    view = memoryview(field(1, BYTES, varint(1) + varint(300)) + field(1, VARINT, 7))
    assert [n for one in fields(view) for n in protobuf.numbers(view, one)] == [1, 300, 7]


def test_offsets_are_those_of_the_whole() -> None:
    data = memoryview(b"skip" + field(1, BYTES, field(2, BYTES, b"deep")))
    (_, _, _, start, end) = next(fields(data, 4))
    (number, _, _, start, end) = next(fields(data, start, end))
    assert (number, bytes(data[start:end])) == (2, b"deep")


def test_text_keeps_what_is_no_text_readable() -> None:
    assert protobuf.text(memoryview(b"a\xffb"), 0, 3) == "a\\xffb"
    assert protobuf.text(memoryview(b"a" * 9), 0, 9, limit=4) == "aaaa…"


def test_signed() -> None:
    assert protobuf.signed(2**64 - 1) == -1
    assert protobuf.signed(5) == 5


def test_spend_is_told() -> None:
    told: list[int] = []
    list(fields(memoryview(b"\x08\x01" * 10_000), spend=told.append))
    assert told == [protobuf.SPEND_EVERY] * 2
