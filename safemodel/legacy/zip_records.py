"""The records of a ZIP archive, one by one: end records, directory, local headers, descriptors.

APPNOTE.TXT 6.3.10 describes them; how readers really take them, where it matters here:

- zipfile (Python) takes the last end record in the last 64 KiB, supposes that the directory lies
  directly before it (and before a ZIP64 end record, wherever the locator points), and shifts all
  offsets by the difference. It reads as many bytes as the record says, whatever the count.
- miniz (PyTorch) takes the last end record too, but offsets as they are, the ZIP64 record where
  the locator points, and as many headers as the count says. It ignores case in names, and CRC-32s.
- Others look for the end record whose comment ends with the file, or read local headers only.

Knows nothing of what members hold; `zip.py` puts the records together.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from safemodel.legacy.search import occurrences

END_SIZE: Final = 22
LOCAL_SIZE: Final = 30
CENTRAL_SIZE: Final = 46
ZIP64_END_SIZE: Final = 56
LOCATOR_SIZE: Final = 20
# Its comment has less than 64 KiB, but miniz searches in steps, and some KiB farther from the end.
END_REACH: Final = 1 << 17

LOCAL_SIGNATURE: Final = b"PK\x03\x04"
CENTRAL_SIGNATURE: Final = b"PK\x01\x02"
END_SIGNATURE: Final = b"PK\x05\x06"
DESCRIPTOR_SIGNATURE: Final = b"PK\x07\x08"

ENCRYPTED: Final = 0x1
DESCRIPTOR: Final = 0x8
UTF8: Final = 0x800
HIDDEN: Final = 0x2000  # local header values are masked (strong encryption)

_ZIP64_END_SIGNATURE: Final = b"PK\x06\x06"
_LOCATOR_SIGNATURE: Final = b"PK\x06\x07"
_MAX32: Final = 0xFFFFFFFF
_ZIP64_ID: Final = 0x0001
_UNICODE_PATH_ID: Final = 0x7075

# signature, version, flags, method, time, date, crc32, 2 x size, name length, extra length
_LOCAL: Final = struct.Struct("<4s5H3L2H")
# signature, 2 x version, flags, method, time, date, crc32, 2 x size, name length, extra length,
# comment length, disk, internal attributes, external attributes, offset
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
# signature, 2 x disk, 2 x count, directory size, directory offset, comment length
_END: Final = struct.Struct("<4s4H2LH")
# disk, directory's disk, 2 x count, directory size, directory offset
_ZIP64_END: Final = struct.Struct("<2L4Q")
_FIELD: Final = struct.Struct("<2H")


@dataclass(frozen=True, slots=True)
class End:
    """What one end record says of a directory.

    Attributes:
        offset, stop: of the record, its comment included.
        first: where the end records begin: the ZIP64 one, or this.
        count, size, directory: of the directory; `directory` is its offset as written.
        disks: whether it speaks of several disks.
        zip64: whether the values are those of a ZIP64 end record.
        cut: whether its comment would end behind the end of the file.
    """

    offset: int
    stop: int
    first: int
    count: int
    size: int
    directory: int
    disks: bool
    zip64: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class Header:
    """A header of the directory, or a local one.

    Attributes:
        offset, stop: of the header's bytes, with name, extra and comment.
        local: the offset of the local header as written, or its own.
        unicode_name: what a Unicode path field says instead of the name, if there is one.
        zip64: whether the sizes come from a ZIP64 field.
    """

    offset: int
    stop: int
    raw_name: bytes
    flags: int
    method: int
    crc32: int
    compressed: int
    size: int
    local: int
    unicode_name: bytes | None
    zip64: bool


def ends(data: memoryview) -> Iterator[End]:
    """Every end record that some reader would go by, the one of zipfile and miniz first."""
    reach = max(0, len(data) - END_REACH)
    places = list(occurrences(data, END_SIGNATURE, reach, len(data)))
    places = [place for place in places if place + END_SIZE <= len(data)]
    for index, place in enumerate(reversed(places)):
        values = _END.unpack_from(data, place)
        stop = place + END_SIZE + values[7]
        if index == 0 or stop == len(data):
            yield from _end(data, place, values)


def _end(data: memoryview, place: int, values: tuple[int, ...]) -> Iterator[End]:
    _, disk, start_disk, here, count, size, directory, comment = values
    stop = min(place + END_SIZE + comment, len(data))
    cut = stop < place + END_SIZE + comment
    plain = End(
        *(place, stop, place, count, size, directory),
        *(bool(disk | start_disk or here != count), False, cut),
    )
    wide = list(_zip64(data, place, stop, cut))
    yield from wide
    saturated = count == 0xFFFF or _MAX32 in (size, directory)
    agreed = any((end.count, end.size, end.directory) == (count, size, directory) for end in wide)
    if not (wide and (saturated or agreed)):
        yield plain


def _zip64(data: memoryview, place: int, stop: int, cut: bool) -> Iterator[End]:
    """The ZIP64 end records: directly before the locator, and where the locator points.

    miniz goes wherever that is, be it into the comment of the archive.
    """
    locator = place - LOCATOR_SIZE
    if locator < 0 or bytes(data[locator : locator + 4]) != _LOCATOR_SIGNATURE:
        return
    pointed = int.from_bytes(data[locator + 8 : locator + 16], "little")
    for at in dict.fromkeys((locator - ZIP64_END_SIZE, pointed)):
        inside = 0 <= at <= len(data) - ZIP64_END_SIZE
        if inside and bytes(data[at : at + 4]) == _ZIP64_END_SIGNATURE:
            disk, start_disk, here, count, size, directory = _ZIP64_END.unpack_from(data, at + 16)
            disks = bool(disk | start_disk or here != count)
            yield End(place, stop, at, count, size, directory, disks, True, cut)


def central(data: memoryview, at: int, stop: int) -> Header | None:
    """The directory header at `at`; None where there is none.

    Name and extra may be cut off by `stop`, where zipfile cuts them too: the header's own `stop` is
    then behind it.
    """
    if at + CENTRAL_SIZE > stop:
        return None
    values = _CENTRAL.unpack_from(data, at)
    if values[0] != CENTRAL_SIGNATURE:
        return None
    name_at = at + CENTRAL_SIZE
    extra_at = name_at + values[10]
    comment_at = extra_at + values[11]
    end = comment_at + values[12]
    name = bytes(data[name_at : min(extra_at, stop)])
    extra = bytes(data[extra_at : min(comment_at, stop)])
    size, compressed, local = values[9], values[8], values[16]
    zip64 = _MAX32 in (size, compressed, local)
    if zip64:
        size, compressed, local = _widened(extra, (size, compressed, local))
    return Header(
        *(at, end, name, values[3], values[4], values[7], compressed, size, local),
        *(_unicode_name(extra), zip64),
    )


def local(data: memoryview, at: int) -> Header | None:
    """The local header at `at`; None where there is none, or the file ends in it."""
    if at < 0 or at + LOCAL_SIZE > len(data):
        return None
    values = _LOCAL.unpack_from(data, at)
    if values[0] != LOCAL_SIGNATURE:
        return None
    name_at = at + LOCAL_SIZE
    extra_at = name_at + values[9]
    end = extra_at + values[10]
    if end > len(data):
        return None
    name = bytes(data[name_at:extra_at])
    extra = bytes(data[extra_at:end])
    size, compressed = values[8], values[7]
    zip64 = _MAX32 in (size, compressed)
    if zip64:
        size, compressed, _ = _widened(extra, (size, compressed, 0))
    return Header(
        *(at, end, name, values[2], values[3], values[6], compressed, size, at),
        *(_unicode_name(extra), zip64),
    )


def descriptor(data: memoryview, at: int, crc32: int, compressed: int, size: int) -> int:
    """How many bytes the data descriptor at `at` has that says just this; 0 if there is none."""
    for width, sizes in ((4, "<3L"), (8, "<L2Q")):
        if max(compressed, size) >= 1 << (8 * width):
            continue
        said = struct.pack(sizes, crc32, compressed, size)
        for expected in (DESCRIPTOR_SIGNATURE + said, said):
            if bytes(data[at : at + len(expected)]) == expected:
                return len(expected)
    return 0


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = _FIELD.unpack_from(extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _widened(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Size, compressed size and offset with the saturated ones from the ZIP64 field."""
    for kind, field in _fields(extra):
        if kind == _ZIP64_ID:
            wide = list(values)
            at = 0
            for index, value in enumerate(values):
                if value == _MAX32 and at + 8 <= len(field):
                    wide[index] = int.from_bytes(field[at : at + 8], "little")
                    at += 8
            return wide[0], wide[1], wide[2]
    return values


def _unicode_name(extra: bytes) -> bytes | None:
    """What a Unicode path field says (version, CRC-32 of the name, name)."""
    if len(extra) < 9:
        return None
    for kind, field in _fields(extra):
        if kind == _UNICODE_PATH_ID and len(field) > 5:
            return field[5:]
    return None
