"""Indexes of checkpoints: what TensorFlow wrote is read; every lie is found; any bytes give our
errors alone."""

from __future__ import annotations

import contextlib
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError, UnreadableError
from safemodel.legacy import leveldb_table, tensor_bundle
from safemodel.legacy.crc32c import crc32c, masked
from safemodel.legacy.leveldb_table import is_table, parse_table
from safemodel.legacy.tensor_bundle import Entry, Slice, parse_index, parse_strings, part_key
from safemodel.legacy.tensorflow_types import name_of
from tests.legacy.tensor_bundle_samples import (
    REAL,
    block_body,
    closed,
    entry,
    handle,
    header,
    index,
    sealed,
    table,
)
from tests.legacy.tensorflow_samples import field, varint


def parsed(data: bytes) -> tensor_bundle.Index:
    return parse_index(memoryview(data))


def test_the_crc_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_what_tensorflow_wrote_is_read() -> None:
    found = parsed(REAL)
    assert (found.shards, found.big_endian, found.parts) == (1, False, {})
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    assert {
        name.removesuffix(suffix): (one.dtype, one.shape) for name, one in found.tensors.items()
    } == {
        "_CHECKPOINTABLE_OBJECT_GRAPH": ("string", ()),
        "m/b": ("float32", (4,)),
        "m/n": ("int64", ()),
        "m/names/0": ("int32", ()),
        "m/names/1/k": ("string", (3,)),
        "m/w": ("float32", (3, 4)),
        "save_counter": ("int64", ()),
        "step": ("int32", ()),
    }
    assert is_table(memoryview(REAL))
    spans = sorted((one.offset, one.offset + one.size) for one in found.tensors.values())
    assert spans[0][0] == 0
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(spans))


def test_a_hand_made_index_is_read() -> None:
    found = parsed(
        index([(b"a", entry(1, [2, 3], size=24, offset=7)), (b"b/c", entry(9, size=8, offset=31))])
    )
    assert found.tensors["a"].offset == 7
    assert found.tensors["b/c"].dtype == "int64"


@given(st.binary(max_size=300))
def test_any_bytes_give_legacy_errors_alone(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        parsed(data)


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=20))
def test_any_bytes_in_a_valid_table_give_legacy_errors_alone(value: bytes, key: bytes) -> None:
    with contextlib.suppress(LegacyError):
        parsed(index([(key, value)]))
    with contextlib.suppress(LegacyError):
        parsed(index([], value))


@given(st.binary(max_size=200))
def test_any_block_with_a_right_digest_gives_legacy_errors_alone(body: bytes) -> None:
    with contextlib.suppress(LegacyError):
        list(parse_table(memoryview(closed(sealed(body), [(b"z", handle(0, len(body)))]))))


@given(st.integers(0, len(REAL) * 8 - 1))
def test_a_changed_bit_is_found(bit: int) -> None:
    data = bytearray(REAL)
    data[bit // 8] ^= 1 << bit % 8
    try:
        found = parsed(bytes(data))
    except LegacyError:
        return
    assert found == parsed(REAL)  # padding, or the unused bits of a varint


@given(st.integers(0, len(REAL) - 1))
def test_a_cut_index_is_found(size: int) -> None:
    with pytest.raises(LegacyError):
        parsed(REAL[:size])


PAIR = (b"k", b"v")
TABLES = {
    "keys out of order": table([block_body([(b"", b""), (b"b", b""), (b"a", b"")])], [b"z"]),
    "equal keys": table([block_body([(b"", b""), (b"a", b""), (b"a", b"")])], [b"z"]),
    "equal keys in two blocks": table([block_body([PAIR]), block_body([PAIR])], [b"k", b"z"]),
    "key behind its separator": table([block_body([(b"", b""), (b"x", b"")])], [b"b"]),
    "key before the last separator": table(
        [block_body([(b"a", b"")]), block_body([(b"b", b"")])], [b"c", b"z"]
    ),
    "one block twice": closed(sealed(block_body([])), [(b"k", handle(0, 8)), (b"z", handle(0, 8))]),
    "no restart points": closed(sealed(b"\0\0\0\0"), [(b"z", handle(0, 4))]),
    "too many restart points": closed(sealed(b"\xff\xff\xff\xff"), [(b"z", handle(0, 4))]),
    "restart point in an entry": table([block_body([PAIR, (b"l", b"")], [0, 2])], [b"z"]),
    "restart point twice": table([block_body([PAIR], [0, 0])], [b"z"]),
    "restart point behind the end": table([block_body([PAIR], [0, 5])], [b"z"]),
    "first restart point is not 0": table([block_body([PAIR], [1])], [b"z"]),
    "restart point that shares": closed(
        sealed(varint(0) + b"\1\0k" + b"\1\1\0l" + bytes(4) + b"\4\0\0\0" + b"\2\0\0\0"),
        [(b"z", handle(0, 20))],
    ),
    "shares more than there is": closed(
        sealed(b"\0\1\0k" + b"\5\1\0l" + bytes(4) + b"\1\0\0\0"), [(b"z", handle(0, 16))]
    ),
    "block behind the end": closed(b"", [(b"z", handle(1 << 40, 12))]),
    "block of no bytes": closed(b"", [(b"z", handle(0, 0))]),
    "more than a place": closed(sealed(block_body([PAIR])), [(b"z", handle(0, 13) + b"\0")]),
    "index block as data": closed(sealed(block_body([PAIR])), [(b"z", handle(31, 14))]),
    "type of a block": closed(
        sealed(block_body([PAIR]), 7), [(b"z", handle(0, len(block_body([PAIR]))))]
    ),
    "meta block behind the end": closed(b"", [], handle(1 << 50, 8)),
}
HOSTILE = {
    "no header": table([block_body([(b"a", entry())])], [b"z"]),
    "no entries": closed(b"", []),
    "no data files": index([], header(0)),
    "many data files": index([], header(100_000)),
    "negative data files": index([], field(1, (1 << 64) - 1)),
    "odd bytes": index([], header(endian=2)),
    "no text": index([(b"\xff\xfe", entry())]),
    "other data file": index([(b"a", entry(shard=1))]),
    "negative data file": index([(b"a", entry(shard=(1 << 64) - 1))]),
    "negative offset": index([(b"a", entry(offset=1 << 63))]),
    "huge offset": index([(b"a", entry(offset=1 << 62))]),
    "too few bytes": index([(b"a", entry(sizes=[2], size=4))]),
    "too many bytes": index([(b"a", entry(sizes=[2], size=16))]),
    "huge shape": index([(b"a", entry(sizes=[1 << 40, 1 << 40], size=4))]),
    "negative axis": index([(b"a", entry(sizes=[(1 << 64) - 1], size=4))]),
    "many axes": index([(b"a", entry(sizes=[1] * 255, size=4))]),
    "unknown rank": index([(b"a", entry(extra=field(2, field(3, 1))))]),
    "too few bytes for texts": index([(b"a", entry(7, [4], size=7))]),
    "part that is not there": index([(b"a", entry(sizes=[2], extra=field(7, field(1, b""))))]),
    "bytes of another": index([(b"a", entry(sizes=[4], size=16)), (b"b", entry(offset=12))]),
    "the same bytes": index([(b"a", entry()), (b"b", entry())]),
    "part without a tensor": index([(part_key("a", Slice((0,), (-1,))), entry())]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_programs_read_in_several_ways_are_found(name: str) -> None:
    with pytest.raises(DamagedError):
        list(parse_table(memoryview(TABLES[name])))


def test_a_footer_with_more_is_found() -> None:
    data = bytearray(REAL)
    data[-9] = 1
    with pytest.raises(DamagedError, match="footer"):
        parsed(bytes(data))


@pytest.mark.parametrize("name", HOSTILE)
def test_lies_are_found(name: str) -> None:
    with pytest.raises(DamagedError):
        parsed(HOSTILE[name])


def test_another_digest_is_found() -> None:
    data = bytearray(index([(b"a", entry())]))
    data[3] ^= 1
    with pytest.raises(DamagedError, match="CRC-32C"):
        parsed(bytes(data))


def test_what_is_compressed_is_unreadable() -> None:
    body = block_body([PAIR])
    with pytest.raises(UnreadableError, match="snappy"):
        parsed(closed(sealed(body, 1), [(b"z", handle(0, len(body)))]))


def test_a_later_version_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="version 2"):
        parsed(index([], header(consumer=2)))


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BudgetError, match="key"):
        parsed(index([(b"k" * 9000, entry())]))
    data = index([(b"%05d" % number, entry(offset=4 * number)) for number in range(50)])
    assert len(parsed(data).tensors) == 50
    monkeypatch.setattr(leveldb_table, "MAX_ENTRIES", 50)
    with pytest.raises(BudgetError):
        parsed(data)
    monkeypatch.setattr(leveldb_table, "MAX_ENTRIES", 51)
    monkeypatch.setattr(leveldb_table, "MAX_KEYS", 249)
    with pytest.raises(BudgetError):
        parsed(data)
    monkeypatch.setattr(leveldb_table, "MAX_TABLE", len(data) - 1)
    with pytest.raises(BudgetError):
        parsed(data)


def test_who_spends_is_asked() -> None:
    spent: list[int] = []
    parse_index(memoryview(REAL), spend=spent.append)
    assert sum(spent) > 300

    def never(count: int) -> None:
        raise BudgetError("enough")

    with pytest.raises(BudgetError, match="enough"):
        parse_index(memoryview(REAL), spend=never)


def test_keys_that_share_do_not_take_quadratic_memory() -> None:
    body = varint(0) + varint(8000) + b"\0" + b"a" * 8000
    body += b"".join(
        varint(7990 + 8) + b"\2\0" + number.to_bytes(2, "big") for number in range(25_000, 45_000)
    )
    data = closed(sealed(body + bytes(4) + b"\1\0\0\0"), [(b"z", handle(0, len(body) + 8))])
    started = time.process_time()
    with pytest.raises(BudgetError):
        list(parse_table(memoryview(data)))
    assert time.process_time() - started < 5


# Parts


def extent(start: int, size: int | None) -> bytes:
    return field(1, field(1, start) + (b"" if size is None else field(2, size)))


def in_parts(*parts: tuple[Slice, bytes], sizes: tuple[int, ...] = (4, 3)) -> bytes:
    listed = b"".join(
        field(
            7,
            b"".join(
                extent(start, None if size < 0 else size)
                for start, size in zip(part.starts, part.sizes, strict=True)
            ),
        )
        for part, _ in parts
    )
    whole = entry(1, sizes, size=0, extra=listed)
    return index([(b"v", whole), *((part_key("v", part), proto) for part, proto in parts)])


UPPER = Slice((0, 0), (2, -1)), entry(1, [2, 3], size=24)
LOWER = Slice((2, 0), (2, -1)), entry(1, [2, 3], offset=24, size=24)


def test_parts_are_found_by_their_keys() -> None:
    found = parsed(in_parts(UPPER, LOWER))
    (whole,) = found.tensors.values()
    assert whole.slices == (UPPER[0], LOWER[0])
    assert found.parts[part_key("v", LOWER[0])].offset == 24
    assert tensor_bundle.extents(LOWER[0], whole.shape) == Slice((2, 0), (2, 3))


def test_keys_of_parts_are_those_of_tensorflow() -> None:
    # tensorflow::checkpoint::EncodeTensorNameSlice, as tensorflow 2.21 wrote it
    assert part_key("v", Slice((0, 0), (5, -1))) == bytes.fromhex(
        "00760001010280858 07f".replace(" ", "")
    )
    found = part_key("big", Slice((64, 0), (100, 2)))
    assert found == bytes.fromhex("0062696700010102c040c0648082")
    assert part_key("a\0\xff", Slice((), ())) == b"\0a\0\xff\xc3\xbf\0\1\0"


@pytest.mark.parametrize(
    "data",
    [
        in_parts(UPPER),
        in_parts(UPPER, (LOWER[0], entry(1, [3, 2], size=24))),
        in_parts(UPPER, (LOWER[0], entry(3, [2, 3], size=24))),
        in_parts(UPPER, (Slice((3, 0), (2, -1)), entry(1, [2, 3], size=24))),
        in_parts((Slice((0,), (4,)), entry(1, [4], size=16))),
        in_parts(UPPER, (LOWER[0], entry(1, [2, 3], size=0, extra=field(7, b"")))),
    ],
)
def test_parts_that_do_not_fit_are_found(data: bytes) -> None:
    with pytest.raises(DamagedError):
        parsed(data)


# Texts


def texts(*given: bytes) -> tuple[memoryview, Entry]:
    crc = 0
    for one in given:
        crc = crc32c(len(one).to_bytes(4, "little"), crc)
    inner = masked(crc).to_bytes(4, "little")
    data = b"".join(varint(len(one)) for one in given) + inner + b"".join(given)
    crc = masked(crc32c(b"".join(given), crc32c(inner, crc)))
    return memoryview(data), Entry("string", (len(given),), 0, 0, len(data), crc, (), 0)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_texts_are_read(given_texts: list[bytes]) -> None:
    data, one = texts(*given_texts)
    assert [bytes(text) for text in parse_strings(data, one)] == given_texts


@given(st.binary(max_size=60), st.lists(st.integers(0, 5), max_size=3))
def test_any_bytes_are_no_texts(data: bytes, sizes: list[int]) -> None:
    one = Entry("string", tuple(sizes), 0, 0, len(data), 0, (), 0)
    with contextlib.suppress(LegacyError):
        list(parse_strings(memoryview(data), one))


@pytest.mark.parametrize("at", range(12))
def test_changed_texts_are_found(at: int) -> None:
    data, one = texts(b"abc", b"de")
    changed = bytearray(data)
    changed[at % len(changed)] ^= 1
    with pytest.raises(DamagedError):
        list(parse_strings(memoryview(bytes(changed)), one))


def test_so_many_texts_are_refused() -> None:
    with pytest.raises(BudgetError):
        list(parse_strings(memoryview(b""), Entry("string", (1 << 30,), 0, 0, 0, 0, (), 0)))


def test_types_have_the_names_of_tensorflow() -> None:
    assert (name_of(1), name_of(19), name_of(101), name_of(77)) == (
        "float32", "float16", "float32_ref", "type 77",
    )  # fmt: skip


PART = field(7, field(1, field(1, 1) + field(2, 2)))  # two from the second on
REASONS = {
    "a block of 12 bytes": TABLES["block behind the end"],
    "a block of 0 bytes": TABLES["block of no bytes"],
    "a block with 0 restart": TABLES["no restart points"],
    "a block with 4294967295 restart": TABLES["too many restart points"],
    "first entry is no restart": TABLES["first restart point is not 0"],
    "more than the place": TABLES["more than a place"],
    "elements": HOSTILE["huge shape"],
    "axis of the length": HOSTILE["negative axis"],
    "in parts that has bytes": index([(b"a", entry(sizes=[2], size=8, extra=PART))]),
    "outside of its tensor": index(
        [
            (b"a", entry(sizes=[2], size=0, extra=PART)),
            (part_key("a", Slice((1,), (2,))), entry(sizes=[2], size=8)),
        ]
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_lies_are_found_where_they_are(reason: str) -> None:
    with pytest.raises(DamagedError, match=reason):
        parsed(REASONS[reason])


def test_a_table_is_no_larger_than_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leveldb_table, "MAX_TABLE", len(REAL) - 1)
    with pytest.raises(BudgetError, match="a table of"):
        parsed(REAL)


def test_texts_that_do_not_fit_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = masked(crc32c((2).to_bytes(4, "little"))).to_bytes(4, "little")
    whole = masked(crc32c(b"ab", crc32c(sizes, crc32c((2).to_bytes(4, "little")))))
    one = Entry("string", (), 0, 0, 7, whole, (), 0)
    assert list(parse_strings(memoryview(b"\2" + sizes + b"ab"), one)) == [b"ab"]
    for data in (b"\2" + sizes + b"a", b"\2" + sizes + b"abc", b"\2" + bytes(4) + b"ab"):
        with pytest.raises(DamagedError, match="lengths"):
            list(parse_strings(memoryview(data), one))
    monkeypatch.setattr(tensor_bundle, "MAX_STRING_BYTES", 6)
    with pytest.raises(BudgetError):
        list(parse_strings(memoryview(b"\2" + sizes + b"ab"), one))
