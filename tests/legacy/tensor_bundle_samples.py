"""Indexes of checkpoints of TensorFlow, written by hand: with digests that are right, whatever
else is wrong, and without TensorFlow."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from safemodel.legacy.crc32c import crc32c, masked
from safemodel.legacy.leveldb_table import MAGIC
from tests.legacy.tensorflow_samples import field, varint

# Written by TensorFlow 2.21: tf.train.Checkpoint(m=<three variables, a list of two>, step=...)
REAL = base64.b64decode(
    "AAAGCAEaAggBABwOX0NIRUNLUE9JTlRBQkxFX09CSkVDVF9HUkFQSAgHEgAgZSjSBDUHKg2MAB4RbS9iLy5BVFRSSUJVVEVTL1ZB"
    "UklBQkxFX1ZBTFVFCAESBBICCAQgPCgQNblvV9gCHA1uLy5BVFRSSUJVVEVTL1ZBUklBQkxFX1ZBTFVFCAkSACBMKAg1KQOYBwMh"
    "DWFtZXMvMC8uQVRUUklCVVRFUy9WQVJJQUJMRV9WQUxVRQgDEgAgVCgENWM/fygIHhExL2svLkFUVFJJQlVURVMvVkFSSUFCTEVf"
    "VkFMVUUIBxIEEgIIAyBYKA01xUaRfQIcFXcvLkFUVFJJQlVURVMvVkFSSUFCTEVfVkFMVUUIARIIEgIIAxICCAQgDCgwNdemVdwA"
    "Jw1zYXZlX2NvdW50ZXIvLkFUVFJJQlVURVMvVkFSSUFCTEVfVkFMVUUICRIAIAQoCDUBdd5BAR4LdGVwLy5BVFRSSUJVVEVTL1ZB"
    "UklBQkxFX1ZBTFVFCAMSACgENdnGnEMAAAAAAQAAAABGyIiYAAAAAAEAAAAAwPKhsAABA3QAlgMAAAAAAQAAAADZUrT/mwMIqAMP"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFf7gIskdUfb"
)

Pair = tuple[bytes, bytes]


def block_body(entries: Iterable[Pair], restarts: Sequence[int] | None = None) -> bytes:
    """The content of a block, no keys shared; only the first entry is a restart point."""
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries
    )
    points = [0] if restarts is None else restarts
    return body + b"".join(at.to_bytes(4, "little") for at in (*points, len(points)))


def sealed(body: bytes, kind: int = 0) -> bytes:
    """A block with its type and the right CRC."""
    return body + bytes([kind]) + masked(crc32c(body + bytes([kind]))).to_bytes(4, "little")


def handle(start: int, size: int) -> bytes:
    return varint(start) + varint(size)


def table(blocks: Iterable[bytes], separators: Iterable[bytes]) -> bytes:
    """A table of blocks that are given as their contents."""
    out = b""
    index = []
    for body, separator in zip(blocks, separators, strict=True):
        index.append((separator, handle(len(out), len(body))))
        out += sealed(body)
    return closed(out, index)


def closed(out: bytes, index: Iterable[Pair], meta: bytes | None = None) -> bytes:
    """Blocks with an index and a footer behind them."""
    empty = block_body([])
    meta = meta or handle(len(out), len(empty))
    out += sealed(empty)
    body = block_body(index)
    places = meta + handle(len(out), len(body))
    return out + sealed(body) + places.ljust(40, b"\0") + MAGIC


def header(shards: int = 1, *, endian: int = 0, consumer: int = 0) -> bytes:
    version = field(1, 1) + (field(2, consumer) if consumer else b"")
    return field(1, shards) + (field(2, endian) if endian else b"") + field(3, version)


def shape(sizes: Iterable[int]) -> bytes:
    return b"".join(field(2, field(1, size)) for size in sizes)


def entry(
    dtype: int = 1,
    sizes: Iterable[int] = (),
    *,
    shard: int = 0,
    offset: int = 0,
    size: int = 4,
    crc: int = 0,
    extra: bytes = b"",
) -> bytes:
    """A BundleEntryProto."""
    return (
        field(1, dtype)
        + field(2, shape(sizes))
        + field(3, shard)
        + field(4, offset)
        + field(5, size)
        + b"\x35"
        + crc.to_bytes(4, "little")
        + extra
    )


def index(entries: Iterable[Pair], head: bytes | None = None) -> bytes:
    """The index of a checkpoint, in one block."""
    given = sorted(entries)
    last = given[-1][0] if given else b""
    return table(
        [block_body([(b"", header() if head is None else head), *given])], [last + b"\xff"]
    )
