"""TensorFlow's checkpoints to facts: what `PREFIX.index` says of the tensors in the data files.

The index is a table of LevelDB: under the empty key a header, under each other key what one tensor
is and where its bytes are: in which data file (`PREFIX.data-00000-of-00001`), from where, how many.
A tensor that was saved in parts (a partitioned variable of TensorFlow 1) has an entry for the
whole, which lists the parts, and one for each part under a key that no person would choose.

Nothing here reads a data file: `parse_strings` takes the bytes of one tensor. Sources:
tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle/tensor_bundle.cc,
tensorflow/core/util/saved_tensor_slice_util.cc, tensorflow/core/lib/strings/ordered_code.cc.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy.crc32c import crc32c, masked
from safemodel.legacy.leveldb_table import Spend, parse_table
from safemodel.legacy.protobuf import BYTES, FIXED32, VARINT, fields, signed, varint
from safemodel.legacy.tensorflow_types import ITEM_SIZES, STRING, name_of

OBJECT_GRAPH: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"  # the key of the tree of objects
MAX_RANK: Final = 254  # of a TensorShape
MAX_SHARDS: Final = 99_999
MAX_SLICES: Final = 100_000
MAX_STRINGS: Final = 4_000_000
MAX_STRING_BYTES: Final = 64 << 20  # of one tensor
_MAX_SIZE: Final = 1 << 62
_WHOLE: Final = -1


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a tensor: for each axis where it begins and how long it is."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of a tensor, or of a part of one.

    Attributes:
        dtype: by name.
        shard, offset, size: the data file, and which of its bytes.
        crc32c: masked, of these bytes; of texts, of what `parse_strings` says.
        slices: of a tensor that is in parts, which have their own entries.
        place: of the entry in the index, for messages.
    """

    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    slices: tuple[Slice, ...]
    place: int


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a checkpoint.

    Attributes:
        shards: how many data files there are.
        big_endian: whether a machine wrote it whose bytes are the other way round.
        tensors: by name; parts of tensors have names that begin with `PART`.
        parts: entries of parts, by their key.
    """

    shards: int
    big_endian: bool
    tensors: dict[str, Entry]
    parts: dict[bytes, Entry]


def parse_index(data: memoryview, *, spend: Spend | None = None) -> Index:
    """Parse an index.

    Raises:
        DamagedError: not an index, or one that contradicts itself.
        UnreadableError: compressed, or of a release that is not known.
        BudgetError: larger than may be read.
    """
    header: tuple[int, bool] | None = None
    tensors: dict[str, Entry] = {}
    parts: dict[bytes, Entry] = {}
    for key, start, end in parse_table(data, spend=spend):
        if header is None:
            if key:
                raise DamagedError("a table without a header of a checkpoint", offset=start)
            header = _header(data, start, end)
        elif key[0] == 0:
            parts[key] = _entry(data, start, end, header[0])
        else:
            tensors[_name(key, start)] = _entry(data, start, end, header[0])
    if header is None:
        raise DamagedError("a table without entries")
    found = Index(*header, tensors, parts)
    _check_parts(found)
    _check_places(found)
    return found


def part_key(name: str, part: Slice) -> bytes:
    """The key of a part of a tensor (`EncodeTensorNameSlice`)."""
    found = bytearray(_unsigned(0))
    for byte in name.encode():
        found += {0: b"\0\xff", 255: b"\xff\0"}.get(byte) or bytes([byte])
    found += b"\0\1" + _unsigned(len(part.starts))
    for start, size in zip(part.starts, part.sizes, strict=True):
        found += _signed(start) + _signed(size)
    return bytes(found)


def extents(part: Slice, shape: tuple[int, ...]) -> Slice:
    """The same part of a tensor of that shape, axes that it has all of spelled out."""
    sizes = [
        whole if size == _WHOLE else size for size, whole in zip(part.sizes, shape, strict=True)
    ]
    return Slice(part.starts, tuple(sizes))


def shard_name(number: int, shards: int) -> str:
    """What follows the prefix in the name of a data file."""
    return f".data-{number:05d}-of-{shards:05d}"


def parse_strings(data: memoryview, entry: Entry) -> Iterator[memoryview]:
    """The texts of a tensor, from its bytes: all lengths, a CRC of them, all texts.

    Raises:
        DamagedError: they do not fit, or have another CRC-32C.
        BudgetError: more than may be read.
    """
    count = math.prod(entry.shape)
    if count > MAX_STRINGS or len(data) > MAX_STRING_BYTES:
        raise BudgetError(f"a tensor of {count} texts in {len(data)} bytes")
    position, crc = 0, 0
    sizes = []
    for _ in range(count):
        size, position = varint(data, position, len(data))
        sizes.append(size)
        crc = crc32c(size.to_bytes(4 if size < 1 << 32 else 8, "little"), crc)
    stored = bytes(data[position : position + 4])
    position += 4
    if position + sum(sizes) != len(data) or int.from_bytes(stored, "little") != masked(crc):
        raise DamagedError("texts whose lengths do not fit")
    if masked(crc32c(data[position:], crc32c(stored, crc))) != entry.crc32c:
        raise DamagedError("texts with another CRC-32C than is stored")
    for size in sizes:
        yield data[position : position + size]
        position += size


def _name(key: bytes, place: int) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise DamagedError("a tensor whose name is no text", offset=place) from None


def _header(data: memoryview, start: int, end: int) -> tuple[int, bool]:
    shards = big_endian = consumer = 0
    for number, wire, value, here, after in fields(data, start, end):
        if number == 1 and wire == VARINT:
            shards = signed(value)
        elif number == 2 and wire == VARINT:
            big_endian = value
        elif number == 3 and wire == BYTES:  # VersionDef
            for inner, inner_wire, least, _, _ in fields(data, here, after):
                if inner == 2 and inner_wire == VARINT:
                    consumer = signed(least)
    if not 0 < shards <= MAX_SHARDS or big_endian not in (0, 1):
        raise DamagedError(f"a header with {shards} data files", offset=start)
    if consumer > 1:
        raise UnreadableError(f"a checkpoint for readers of version {consumer}", offset=start)
    return shards, big_endian == 1


def _entry(data: memoryview, start: int, end: int, shards: int) -> Entry:
    dtype = shard = offset = size = crc = 0
    shape: list[int] = []
    slices: list[Slice] = []
    for number, wire, value, here, after in fields(data, start, end):
        if wire == VARINT and number in (1, 3, 4, 5):
            value = signed(value)
            dtype, shard, offset, size = (
                value if number == which else old
                for which, old in zip((1, 3, 4, 5), (dtype, shard, offset, size), strict=True)
            )
        elif number == 2 and wire == BYTES:
            shape += _shape(data, here, after)
        elif number == 6 and wire == FIXED32:
            crc = value
        elif number == 7 and wire == BYTES:
            slices.append(_slice(data, here, after))
    if not 0 <= shard < shards or not 0 <= offset < _MAX_SIZE or not 0 <= size < _MAX_SIZE:
        raise DamagedError("a tensor in no data file", offset=start)
    if len(shape) > MAX_RANK or len(slices) > MAX_SLICES:
        raise DamagedError(f"a tensor of {len(shape)} axes, in {len(slices)} parts", offset=start)
    found = Entry(name_of(dtype), tuple(shape), shard, offset, size, crc, tuple(slices), start)
    _check_size(found)
    return found


def _check_size(entry: Entry) -> None:
    """The bytes must be those of the shape."""
    count = math.prod(entry.shape)
    if count >= _MAX_SIZE:
        raise DamagedError(f"a tensor of {count} elements", offset=entry.place)
    if entry.slices:
        if entry.size:
            raise DamagedError("a tensor in parts that has bytes, too", offset=entry.place)
        return
    if entry.dtype == STRING:
        wrong = entry.size < count + 4
    else:
        wrong = entry.dtype in ITEM_SIZES and entry.size != count * ITEM_SIZES[entry.dtype]
    if wrong:
        raise DamagedError(
            f"{entry.size} bytes for {entry.dtype} {list(entry.shape)}", offset=entry.place
        )


def _shape(data: memoryview, start: int, end: int) -> Iterator[int]:
    """The sizes of a TensorShapeProto."""
    for number, wire, value, here, after in fields(data, start, end):
        if number == 3 and wire == VARINT and value:
            raise DamagedError("a tensor of unknown rank", offset=here)
        if number == 2 and wire == BYTES:
            size = 0
            for inner, inner_wire, given, _, _ in fields(data, here, after):
                if inner == 1 and inner_wire == VARINT:
                    size = signed(given)
            if not 0 <= size < _MAX_SIZE:
                raise DamagedError(f"an axis of the length {size}", offset=here)
            yield size


def _slice(data: memoryview, start: int, end: int) -> Slice:
    """A TensorSliceProto: an extent without a length is all of an axis."""
    starts: list[int] = []
    sizes: list[int] = []
    for number, wire, _, here, after in fields(data, start, end):
        if number != 1 or wire != BYTES:
            continue
        begin, size = 0, _WHOLE
        for inner, inner_wire, value, _, _ in fields(data, here, after):
            if inner_wire == VARINT and inner == 1:
                begin = signed(value)
            elif inner_wire == VARINT and inner == 2:
                size = signed(value)
        starts.append(begin)
        sizes.append(size)
    return Slice(tuple(starts), tuple(sizes))


def _check_parts(index: Index) -> None:
    """Parts must be there, be used, lie within their tensor, and be it together."""
    used = set()
    for name, entry in index.tensors.items():
        total = 0
        for part in entry.slices:
            key = part_key(name, part)
            found = index.parts.get(key)
            if found is None or key in used or len(part.starts) != len(entry.shape):
                raise DamagedError("a part of a tensor that is missing", offset=entry.place)
            used.add(key)
            exact = extents(part, entry.shape)
            if found.shape != exact.sizes or found.dtype != entry.dtype or found.slices:
                raise DamagedError("a part of another shape or type", offset=found.place)
            if any(
                first < 0 or size < 0 or first + size > whole
                for first, size, whole in zip(exact.starts, exact.sizes, entry.shape, strict=True)
            ):
                raise DamagedError("a part outside of its tensor", offset=found.place)
            total += math.prod(exact.sizes)
        if entry.slices and total != math.prod(entry.shape):
            raise DamagedError("parts that are not the whole tensor", offset=entry.place)
    if len(used) != len(index.parts):
        raise DamagedError("a part that belongs to no tensor")


def _check_places(index: Index) -> None:
    """No two values may share bytes: a small file would stand for any number of large values."""
    places = sorted(
        (entry.shard, entry.offset, entry.size, entry.place)
        for entry in (*index.tensors.values(), *index.parts.values())
        if entry.size and not entry.slices
    )
    for (shard, start, size, _), (other, first, _, place) in itertools.pairwise(places):
        if shard == other and first < start + size:
            raise DamagedError("a tensor that shares its bytes with another", offset=place)


# Numbers in keys, so written that their bytes sort as they do (OrderedCode)


def _unsigned(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 7 + 1
    bits = (value & (1 << 8 * size) - 1) ^ ((1 << size) - 1 << 7 * size)
    return bits.to_bytes(size, "big")
