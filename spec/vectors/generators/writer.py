"""A small writer of format 1, independent of safemodel: bytes from values, nothing checked.

It follows spec/format.md. Every number that a reader checks can be overridden, so that a vector can
be wrong in exactly one place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import blake3

MIB = 1 << 20
WEIGHTS = "weights.safetensors"
WEIGHTS_TYPE = "application/vnd.safetensors"
ITEM = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "I16": 2, "BF16": 2, "F16": 2, "F32": 4}
ITEM |= {"I32": 4, "F64": 8, "I64": 8, "C64": 8}

_DATE = 0x21
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")


def canonical(value: Any) -> bytes:
    """Canonical JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def is_weights(name: str) -> bool:
    """Whether this is the name of a weights member."""
    return name == WEIGHTS or (name.startswith("weights-") and name.endswith(".safetensors"))


def alignment_rank(size: int) -> int:
    """min(6, trailing zero bits); 6 for no bytes."""
    return 6 if size == 0 else min(6, (size & -size).bit_length() - 1)


@dataclass
class Tensor:
    """A tensor to put into weights."""

    dtype: str
    shape: list[int]
    data: bytes


def pattern(label: str, size: int) -> bytes:
    """Bytes that depend on the label."""
    return hashlib.shake_128(label.encode()).digest(size)


def tensor(label: str, dtype: str = "U8", *shape: int) -> Tensor:
    """A tensor filled with a pattern."""
    size = ITEM[dtype]
    for dimension in shape:
        size *= dimension
    return Tensor(dtype, list(shape), pattern(label, size))


def header_of(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The header of a weights member, as a value."""
    header = {}
    at = 0
    order = sorted(tensors, key=lambda name: (-alignment_rank(len(tensors[name].data)), name))
    for name in order:
        size = len(tensors[name].data)
        header[name] = {
            "data_offsets": [at, at + size],
            "dtype": tensors[name].dtype,
            "shape": tensors[name].shape,
        }
        at += size
    return header


def data_of(tensors: dict[str, Tensor]) -> bytes:
    """The bytes of all tensors, in canonical order."""
    return b"".join(tensors[name].data for name in header_of(tensors))


def with_header(header: bytes, data: bytes, *, pad: bytes | None = None) -> bytes:
    """A weights member from the JSON of its header."""
    header += b" " * (-(8 + len(header)) % 64) if pad is None else pad
    return struct.pack("<Q", len(header)) + header + data


def weights(tensors: dict[str, Tensor]) -> bytes:
    """A canonical weights member."""
    return with_header(canonical(header_of(tensors)), data_of(tensors))


def digests(data: bytes, algorithm: str = "blake3", chunk: int = MIB) -> bytes:
    """All chunk digests of a member, joined."""
    make = blake3.blake3 if algorithm == "blake3" else hashlib.sha256
    return b"".join(make(data[at : at + chunk]).digest() for at in range(0, len(data), chunk))


def b64(data: bytes) -> str:
    """Padded base64."""
    return base64.b64encode(data).decode()


def file_entry(data: bytes, media_type: str, algorithm: str = "blake3") -> dict[str, Any]:
    """What the manifest says of one member."""
    return {
        "size": len(data),
        "crc32": zlib.crc32(data),
        "media_type": media_type,
        algorithm: b64(digests(data, algorithm)),
    }


@dataclass
class Record:
    """One member in a ZIP. `local` and `central` override fields of its two headers."""

    name: str
    data: bytes
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    before: bytes = b""  # in front of the local header
    after: bytes = b""  # behind the data
    listed: bool = True  # in the central directory


def alignment_extra(offset: int) -> bytes:
    """The extra field that moves data from `offset` to a multiple of 4096."""
    length = -offset % 4096
    if 0 < length < 6:
        length += 4096
    return struct.pack("<3H", 0xD935, length - 4, 4096).ljust(length, b"\0") if length else b""


def local_header(record: Record, offset: int) -> bytes:
    """A local header as it must be, or as overridden."""
    name = record.local.get("name", record.name.encode())
    extra = alignment_extra(offset + 30 + len(name)) if is_weights(record.name) else b""
    values = {"version": 20, "flags": 0, "method": 0, "time": 0, "date": _DATE}
    values |= {"crc32": zlib.crc32(record.data), "packed": len(record.data)}
    values |= {"size": len(record.data), "extra": extra} | record.local
    extra = values["extra"]
    fixed = [values[key] for key in ("version", "flags", "method", "time", "date")]
    sizes = [values[key] for key in ("crc32", "packed", "size")]
    return _LOCAL.pack(b"PK\3\4", *fixed, *sizes, len(name), len(extra)) + name + extra


def central_header(record: Record, offset: int) -> bytes:
    """A central header as it must be, or as overridden."""
    name = record.central.get("name", record.name.encode())
    values: dict[str, Any] = {"made_by": 20, "version": 20, "flags": 0, "method": 0, "time": 0}
    values |= {"date": _DATE, "crc32": zlib.crc32(record.data), "packed": len(record.data)}
    values |= {"size": len(record.data), "disk": 0, "internal": 0, "external": 0}
    values |= {"offset": offset, "extra": b"", "comment": b""} | record.central
    extra, comment = values["extra"], values["comment"]
    keys = ("made_by", "version", "flags", "method", "time", "date", "crc32", "packed", "size")
    lengths = (len(name), len(extra), len(comment))
    rest = [values[key] for key in ("disk", "internal", "external", "offset")]
    fixed = _CENTRAL.pack(b"PK\1\2", *(values[key] for key in keys), *lengths, *rest)
    return fixed + name + extra + comment


def end_record(count: int, size: int, offset: int, override: dict[str, Any] | None = None) -> bytes:
    """The end record as it must be, or as overridden."""
    values: dict[str, Any] = {"disk": 0, "start_disk": 0, "here": count, "count": count}
    values |= {"size": size, "offset": offset, "comment": b""} | (override or {})
    keys = ("disk", "start_disk", "here", "count", "size", "offset")
    fixed = _END.pack(b"PK\5\6", *(values[key] for key in keys), len(values["comment"]))
    return fixed + values["comment"]


def zip64_end(count: int, size: int, offset: int) -> bytes:
    """A ZIP64 end record and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)


def pack(
    records: list[Record],
    *,
    gap: bytes = b"",
    directory: list[Record] | None = None,
    end: dict[str, Any] | None = None,
    zip64: bool = False,
) -> bytes:
    """An archive. `gap` lies before the directory, which may list other records in its order."""
    out = bytearray()
    offsets = {}
    for record in records:
        out += record.before
        offsets[id(record)] = len(out)
        out += local_header(record, len(out)) + record.data + record.after
    out += gap
    start = len(out)
    listed = [record for record in directory or records if record.listed]
    headers = b"".join(central_header(record, offsets.get(id(record), 0)) for record in listed)
    count = len(listed)
    more = zip64_end(count, len(headers), start) if zip64 or count >= 0xFFFF else b""
    return bytes(out) + headers + more + end_record(min(count, 0xFFFF), len(headers), start, end)
