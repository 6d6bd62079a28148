"""Archives that a real loader opens, and other readers do not, or take for something else."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Any

# tar


def tar_header(
    name: bytes,
    size: int,
    kind: bytes = b"0",
    magic: bytes = b"",
    digest: Callable[[int], bytes] = lambda total: b"%06o\0 " % total,
    sparse: bytes = b"",
) -> bytes:
    """A header, old style without magic."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[257 : 257 + len(magic)] = magic
    block[386 : 386 + len(sparse)] = sparse
    block[148:156] = b" " * 8
    block[148:156] = digest(sum(block)).ljust(8, b"\0")[:8]
    return bytes(block)


def _tar(*parts: bytes) -> bytes:
    return b"".join(part + bytes(-len(part) % 512) for part in parts) + bytes(1024)


def _digest(form: Callable[[int], bytes]) -> Callable[[bytes], bytes]:
    return lambda p: _tar(tar_header(b"frame.pkl", len(p), digest=form), p)


def _signed(pickle: bytes) -> bytes:
    """Some writers took characters for signed numbers."""
    high = 256  # one character above 127 in the name
    header = tar_header(
        b"fr\xe4me.pkl", len(pickle), digest=lambda total: b"%06o\0 " % (total - high)
    )
    return _tar(header, pickle)


def _pax(pickle: bytes) -> bytes:
    """The name and the size are in the pax header alone, which has no name itself."""
    records = b"".join(
        b"%d %s\n" % (len(text) + 4, text) for text in (b"path=a.pkl", b"size=%05d" % len(pickle))
    )
    return _tar(
        tar_header(b"", len(records), b"x", b"ustar\00000"), records, tar_header(b"q", 0), pickle
    )


def _sparse(pickle: bytes) -> bytes:
    size = b"%011o\0" % len(pickle)
    extents = (b"%011o\0" % 0 + size).ljust(97, b"\0") + size
    return _tar(tar_header(b"a.pkl", len(pickle), b"S", b"ustar  \0", sparse=extents), pickle)


# lzma


def lzma_of_two(pickle: bytes) -> bytes:
    """The second stream has other properties than any writer uses."""
    unusual: list[dict[str, Any]] = [
        {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 1, "lp": 1, "pb": 1}
    ]
    second = lzma.compress(pickle[12:], lzma.FORMAT_ALONE, filters=unusual)
    return lzma.compress(pickle[:12], lzma.FORMAT_ALONE) + second


# ZIP


def local(name: bytes, data: bytes, method: int = 0, crc32: int = 0, size: int = -1) -> bytes:
    """A local header, and the data."""
    crc32, size = crc32 or zlib.crc32(data), len(data) if size < 0 else size
    values = (20, 0, method, 0x1234, 0x5821, crc32, len(data), size, len(name), 0)
    return struct.pack("<4s5H3L2H", b"PK\3\4", *values) + name + data


def central(
    name: bytes,
    offset: int,
    data: bytes,
    method: int = 0,
    whole: bytes | None = None,
    comment: int = 0,
) -> bytes:
    """A header of the directory; `whole` is the data before compression."""
    whole = data if whole is None else whole
    sizes = (zlib.crc32(whole), len(data), len(whole), len(name), 0, comment)
    values = (20, 20, 0, method, 0x1234, 0x5821, *sizes, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *values) + name


def end(count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    """The end record."""
    values = (0, 0, count, count, size, offset, len(comment))
    return struct.pack("<4s4H2LH", b"PK\5\6", *values) + comment


def _deflated(data: bytes) -> bytes:
    return zlib.compress(data, 9)[2:-4]


def stored_says_the_local_header(pickle: bytes, comment: int = 0) -> tuple[bytes, bytes]:
    """A checkpoint whose pickle is stored or deflated: member and version, and the directory."""
    data = _deflated(pickle)
    name, other = b"x/data.pkl", b"x/version"
    first = local(name, data, 0, zlib.crc32(pickle), len(pickle))
    directory = central(name, 0, data, 8, pickle) + central(
        other, len(first), b"3\n", comment=comment
    )
    return first + local(other, b"3\n"), directory


def _far_end(pickle: bytes) -> bytes:
    """The end record is farther from the end than the longest comment: miniz looks there, too."""
    members, directory = stored_says_the_local_header(pickle)
    return members + directory + end(2, len(directory), len(members)) + bytes(69_561)


def _storage(key: str, size: int) -> bytes:
    """A pickle of one tensor, whose bytes are the storage `key`."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<L", len(value)) + value.encode()

    number = b"J" + struct.pack("<l", size)
    return (
        b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage")
        + b"ctorch\nByteStorage\n" + text(key) + text("cpu") + number + b"tQK\0" + number
        + b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)Rtq\0Rs."
    )  # fmt: skip


def _array_in_a_storage(npy: bytes) -> bytes:
    """A checkpoint to PyTorch, and to NumPy an archive of arrays."""
    named = {
        b"x/data.pkl": _storage("0.npy", len(npy)),
        b"x/version": b"3\n",
        b"x/data/0.npy": npy,
    }
    members = directory = b""
    for name, data in named.items():
        directory += central(name, len(members), data)
        members += local(name, data)
    return members + directory + end(len(named), len(directory), len(members))


def _directory_in_a_storage(pickle: bytes) -> bytes:
    """A ZIP64 end record in the comment leads to a directory within the data of a tensor."""
    size = 2000
    benign = local(b"x/data.pkl", _storage("0", size))
    base = len(benign) + len(local(b"x/data/0", b""))
    data, version = _deflated(pickle), b"3\n"
    members = local(b"x/data.pkl", data, 8, zlib.crc32(pickle), len(pickle))
    inner = central(b"x/data.pkl", base, data, 8, pickle)
    inner += central(b"x/version", base + len(members), version)
    members += local(b"x/version", version)
    storage = (members + inner).ljust(size, b"\0")
    start = len(benign) + len(local(b"x/data/0", storage))
    body = benign + local(b"x/data/0", storage) + local(b"x/version", version)
    directory = central(b"x/data.pkl", 0, _storage("0", size))
    directory += central(b"x/data/0", len(benign), storage) + central(b"x/version", start, version)
    hidden = (44, 45, 45, 0, 0, 2, 2, len(inner), base + len(members))
    comment = struct.pack("<4sQ2H2L4Q", b"PK\6\6", *hidden)
    place = len(body) + len(directory) + 20 + 22
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
    return body + directory + locator + end(3, len(directory), len(body), comment)


def _header_beyond_the_directory(pickle: bytes) -> bytes:
    """The last header has a comment that goes on behind the directory: zipfile does not mind."""
    data = _deflated(pickle)
    member = local(b"a.pkl", data, 0, zlib.crc32(pickle), len(pickle))
    directory = central(b"a.pkl", 0, data, 8, pickle, comment=9)
    return member + directory + end(1, len(directory), len(member))


# name -> how a pickle is wrapped, the loader, the ending that it wants
READERS: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "tar, signed digest": (_signed, "pandas", ".tar"),
    "tar, digest with a sign": (_digest(lambda total: b"+%o\0" % total), "pandas", ".tar"),
    "tar, digest as in Python": (_digest(lambda total: b"0o%o\0" % total), "pandas", ".tar"),
    "tar, digest of 8 digits": (_digest(lambda total: b"%08o" % total), "pandas", ".tar"),
    "tar, digest in base 256": (
        _digest(lambda total: b"\x80" + total.to_bytes(7, "big")), "pandas", ".tar"
    ),
    "tar, digest behind a separator": (
        _digest(lambda total: b"\x1c%06o" % total), "pandas", ".tar"
    ),
    "tar, no name": (lambda p: _tar(tar_header(b"", len(p)), p), "pandas", ".tar"),
    "tar, all in a pax header": (_pax, "pandas", ".tar"),
    "tar, sparse file": (_sparse, "pandas", ".tar"),
    "lzma, second stream": (lzma_of_two, "joblib", ""),
    "torch zip, end record far away": (_far_end, "torch", ""),
    "torch zip, directory in a storage": (_directory_in_a_storage, "torch", ""),
    "zip, header beyond the directory": (_header_beyond_the_directory, "pandas", ".zip"),
}  # fmt: skip


def npz_in_checkpoint(npy: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """An array of objects is the storage of a tensor."""
    return lambda pickle: _array_in_a_storage(npy(pickle))
