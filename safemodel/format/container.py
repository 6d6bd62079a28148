"""The container: a ZIP archive with one possible encoding (spec/format.md, "Canonical ZIP").

Members are stored without compression, one after the other from offset 0, in the order of
`member_order`; the central directory and the end records follow, and nothing else is in the file.
Every byte that is not content follows from the names, sizes and CRC-32s. So the reader takes just
those out of the central directory, makes from them what the bytes must be, and compares: the
tail at once, the local headers when members are read.

Knows nothing of what members hold, except that weights start at a multiple of 4096.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from safemodel import limits
from safemodel.errors import ContainerError, LimitError, TruncatedError
from safemodel.format import Buffer
from safemodel.format.names import (
    MANIFEST_NAME,
    check_member_names,
    check_payload_name,
    check_signature_name,
    is_signature_name,
)
from safemodel.format.weights import is_weights_name

# An archive ends with these at the latest: ZIP64 end record, its locator, end record.
END_SIZE: Final = 22
ZIP64_END_SIZE: Final = 56 + 20

_MAX16: Final = 0xFFFF
_MAX32: Final = 0xFFFFFFFF
_MAX_OFFSET: Final = (1 << 63) - 1  # of a file, on every system
_VERSION: Final = 20
_VERSION_ZIP64: Final = 45
_DATE: Final = 0x0021  # 1980-01-01
_ZIP64_ID: Final = 0x0001
_ALIGNMENT_ID: Final = 0xD935
_ALIGNMENT_MINIMUM: Final = 6  # id, length, and the alignment itself

# signature, version, flags, method, time, date, crc32, 2 x size, name length, extra length
_LOCAL: Final = struct.Struct("<4s5H3L2H")
# signature, 2 x version, flags, method, time, date, crc32, 2 x size, name length, extra length,
# comment length, disk, internal attributes, external attributes, offset
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
# signature, size of the rest, 2 x version, 2 x disk, 2 x count, directory size, directory offset
_ZIP64_END: Final = struct.Struct("<4sQ2H2L4Q")
# signature, disk, offset of the ZIP64 end record, number of disks
_ZIP64_LOCATOR: Final = struct.Struct("<4sLQL")
# signature, 2 x disk, 2 x count, directory size, directory offset, comment length
_END: Final = struct.Struct("<4s4H2LH")

_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_CENTRAL_SIGNATURE: Final = b"PK\x01\x02"
_ZIP64_END_SIGNATURE: Final = b"PK\x06\x06"
_ZIP64_LOCATOR_SIGNATURE: Final = b"PK\x06\x07"
_END_SIGNATURE: Final = b"PK\x05\x06"

_REPACKED: Final = "if another program packed it: unpack it with that, then use `safemodel pack`"

_MAX_CENTRAL_HEADER: Final = _CENTRAL.size + limits.MAX_MEMBER_NAME + 28


@dataclass(frozen=True, slots=True)
class Entry:
    """A member in an archive: where its local header and its data begin."""

    name: str
    size: int
    crc32: int
    header_offset: int
    data_offset: int

    @property
    def end(self) -> int:
        """Where the data ends."""
        return self.data_offset + self.size


def member_order(payload: Iterable[str], signatures: Iterable[str]) -> tuple[str, ...]:
    """Return all member names of a bundle in the order that they have in an archive.

    That order is: weights, other payload members, the manifest, signatures. What a reader needs
    before it can use anything is thus at the end, next to the directory.
    """
    payload = sorted(payload)
    signatures = sorted(signatures)
    for name in payload:
        check_payload_name(name)
    for name in signatures:
        check_signature_name(name)
    if len(signatures) > limits.MAX_SIGNATURES:
        raise LimitError(f"{len(signatures)} signatures, more than {limits.MAX_SIGNATURES}")
    weights = [name for name in payload if is_weights_name(name)]
    others = [name for name in payload if not is_weights_name(name)]
    names = (*weights, *others, MANIFEST_NAME, *signatures)
    check_member_names(names)
    return names


def plan(members: Sequence[tuple[str, int]]) -> tuple[Entry, ...]:
    """Return where members of these names and sizes lie, given in their final order."""
    entries = []
    offset = 0
    for name, size in members:
        _check_size(name, size)
        data_offset = offset + len(local_header(name, size, 0, offset))
        entries.append(Entry(name, size, 0, offset, data_offset))
        offset = data_offset + size
    if offset > _MAX_OFFSET:
        raise LimitError("members that are larger than a file can be")
    return tuple(entries)


def local_header(
    name: str, size: int, crc32: int, header_offset: int, *, alignment: int | None = None
) -> bytes:
    """Return the bytes before the data of a member whose header lies at `header_offset`.

    In a bundle weights start at a multiple of 4096, the rest where it comes; in archives of
    another kind, which have no canonical form, at a multiple of `alignment`.
    """
    stored_name = name.encode("ascii")
    extra, stored_size = b"", size
    if size >= _MAX32:
        extra, stored_size = struct.pack("<2H2Q", _ZIP64_ID, 16, size, size), _MAX32
    if alignment is None and is_weights_name(name):
        alignment = limits.MEMBER_ALIGNMENT
    if alignment is not None:
        start = header_offset + _LOCAL.size + len(stored_name) + len(extra)
        extra += _alignment_extra(start, alignment)
    fixed = _LOCAL.pack(
        _LOCAL_SIGNATURE,
        _VERSION_ZIP64 if size >= _MAX32 else _VERSION,
        *(0, 0, 0, _DATE),
        *(crc32, stored_size, stored_size),
        *(len(stored_name), len(extra)),
    )
    return fixed + stored_name + extra


def tail(entries: Sequence[Entry]) -> bytes:
    """Return the bytes after the data of the last member: central directory and end records."""
    directory = b"".join(map(_central_header, entries))
    return directory + _end_records(len(entries), len(directory), entries[-1].end)


def tail_length(data: Buffer, file_size: int) -> int:
    """Return how many bytes at the end of a file hold its directory and end records.

    `data` is the end of the file, at least its last 98 bytes or all of it.
    """
    count, size, offset = _parse_end_records(bytes(data[-END_SIZE - ZIP64_END_SIZE :]), data)
    if count > limits.MAX_MEMBERS:
        raise LimitError(f"{count} members, more than the limit of {limits.MAX_MEMBERS}")
    if size > count * _MAX_CENTRAL_HEADER:
        raise ContainerError("a directory that is too large for the number of its members")
    length = len(_end_records(count, size, offset)) + size
    if offset + length != file_size:
        raise ContainerError(
            f"an archive of {offset + length} bytes in a file of {file_size}",
            hint="something was cut from it, put before it or added to it",
        )
    return length


def parse_tail(data: Buffer, file_size: int) -> tuple[Entry, ...]:
    """Return the members of the archive; `data` is its last `tail_length` bytes, no more or less.

    Nothing is left unchecked in `data`. The local headers must be compared by who reads them.
    """
    if tail_length(data, file_size) != len(data):
        raise ContainerError("a directory of another length than it says")
    view = memoryview(data)
    count, directory_size, _ = _parse_end_records(bytes(view[-98:]), view)
    found = _parse_directory(bytes(view[:directory_size]), count)
    names = [name for name, _, _ in found]
    payload = [n for n in names if n != MANIFEST_NAME and not is_signature_name(n)]
    if tuple(names) != member_order(payload, filter(is_signature_name, names)):
        raise ContainerError(
            "members in another order than the canonical one, or no manifest", hint=_REPACKED
        )
    planned = plan([(name, size) for name, size, _ in found])
    entries = tuple(
        replace(entry, crc32=crc32) for entry, (_, _, crc32) in zip(planned, found, strict=True)
    )
    if tail(entries) != data:
        raise ContainerError("a directory that is not what its members require", hint=_REPACKED)
    return entries


def _alignment_extra(data_offset: int, alignment: int) -> bytes:
    """Return the extra field that moves `data_offset` to the next multiple of `alignment`."""
    length = -data_offset % alignment
    if length == 0:
        return b""
    if length < _ALIGNMENT_MINIMUM:
        length += alignment
    field = struct.pack("<3H", _ALIGNMENT_ID, length - 4, alignment)
    return field.ljust(length, b"\0")


def _central_header(entry: Entry) -> bytes:
    wide = [value for value in (entry.size, entry.size, entry.header_offset) if value >= _MAX32]
    extra = struct.pack(f"<2H{len(wide)}Q", _ZIP64_ID, 8 * len(wide), *wide) if wide else b""
    version = _VERSION_ZIP64 if wide else _VERSION
    size = min(entry.size, _MAX32)
    stored_name = entry.name.encode("ascii")
    fixed = _CENTRAL.pack(
        _CENTRAL_SIGNATURE,
        *(version, version),
        *(0, 0, 0, _DATE),
        *(entry.crc32, size, size),
        *(len(stored_name), len(extra)),
        *(0, 0, 0, 0),
        min(entry.header_offset, _MAX32),
    )
    return fixed + stored_name + extra


def _end_records(count: int, size: int, offset: int) -> bytes:
    """Return the end records of a directory of `count` headers, `size` bytes, at `offset`."""
    records = b""
    if count >= _MAX16 or size >= _MAX32 or offset >= _MAX32:
        versions = (_VERSION_ZIP64, _VERSION_ZIP64)
        records += _ZIP64_END.pack(
            _ZIP64_END_SIGNATURE, _ZIP64_END.size - 12, *versions, 0, 0, count, count, size, offset
        )
        records += _ZIP64_LOCATOR.pack(_ZIP64_LOCATOR_SIGNATURE, 0, offset + size, 1)
    counts = (min(count, _MAX16), min(count, _MAX16))
    return records + _END.pack(
        _END_SIGNATURE, 0, 0, *counts, min(size, _MAX32), min(offset, _MAX32), 0
    )


def _parse_end_records(end: bytes, data: Buffer) -> tuple[int, int, int]:
    """Return count, size and offset of the directory from the end of `data`."""
    if len(end) < END_SIZE or not end[-END_SIZE:].startswith(_END_SIGNATURE):
        found = bytes(data).rfind(_END_SIGNATURE)
        if 0 <= found <= len(data) - END_SIZE:
            raise ContainerError("there are bytes after the end of the archive")
        raise TruncatedError(
            "the file does not end as an archive does", hint="was it downloaded completely"
        )
    values = _END.unpack(end[-END_SIZE:])
    count, size, offset = values[4:7]
    if count == _MAX16 or _MAX32 in (size, offset):
        record = end[-END_SIZE - ZIP64_END_SIZE : -END_SIZE]
        if len(record) < ZIP64_END_SIZE:
            raise ContainerError("an archive that lacks its ZIP64 end record")
        count, size, offset = _ZIP64_END.unpack_from(record)[7:10]
        end = record + end[-END_SIZE:]
    else:
        end = end[-END_SIZE:]
    if offset + size > _MAX_OFFSET or _end_records(count, size, offset) != end:
        raise ContainerError("end records that are not canonical", hint=_REPACKED)
    return count, size, offset


def _parse_directory(directory: bytes, count: int) -> list[tuple[str, int, int]]:
    """Return name, size and CRC-32 of each member, with nothing checked but the lengths."""
    found = []
    at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size:
            raise ContainerError("a directory that ends within a header")
        values = _CENTRAL.unpack_from(directory, at)
        crc32, size, name_length = values[7], values[9], values[10]
        name_end = at + _CENTRAL.size + name_length
        end = name_end + values[11]
        if end > len(directory):
            raise ContainerError("a directory that ends within a header")
        name = directory[at + _CENTRAL.size : name_end].decode("ascii", "replace")
        if size == _MAX32:
            if end - name_end < 12:
                raise ContainerError("a member that lacks its ZIP64 field")
            size = int.from_bytes(directory[name_end + 4 : name_end + 12], "little")
        found.append((name, size, crc32))
        at = end
    return found


def _check_size(name: str, size: int) -> None:
    limit = limits.MAX_MEMBER_SIZE
    if name == MANIFEST_NAME:
        limit = limits.MAX_MANIFEST_SIZE
    elif is_signature_name(name):
        limit = limits.MAX_SIGNATURE_FILE
    if size > limit:
        raise LimitError(f"member {name!r} has {size} bytes, more than the limit of {limit}")
