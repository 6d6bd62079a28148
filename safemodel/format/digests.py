"""Chunk digests and CRC-32: how content is cut and summed (spec/format.md, "Chunk digests").

Each payload member is cut into chunks from its first byte. All members of a bundle share one
chunk size, a function of their sizes alone. Knows nothing of where bytes come from, nor of what
a digest is compared with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

import blake3
from isal import isal_zlib

from safemodel import limits
from safemodel.errors import UsageError
from safemodel.format import Buffer


class _Hasher(Protocol):
    def update(self, data: Buffer, /) -> object: ...
    def digest(self) -> bytes: ...


DIGEST_SIZE: Final = 32
DEFAULT_ALGORITHM: Final = "blake3"
ALGORITHMS: Final[Mapping[str, Callable[[], _Hasher]]] = MappingProxyType(
    {"blake3": blake3.blake3, "sha256": hashlib.sha256}
)


def chunk_size(member_sizes: Iterable[int]) -> int:
    """Return the chunk size of a bundle whose payload members have these sizes."""
    sizes = list(member_sizes)
    chunk = limits.MIN_CHUNK
    while chunk < limits.MAX_CHUNK:
        if sum(chunk_count(size, chunk) for size in sizes) <= limits.MAX_CHUNKS:
            break
        chunk *= 2
    return chunk


def chunk_count(size: int, chunk: int) -> int:
    """Return how many chunks `size` bytes have: the last may be short, none is empty."""
    return -(-size // chunk)


def digest(algorithm: str, pieces: Iterable[Buffer]) -> bytes:
    """Return the digest of one chunk, given whole or in pieces."""
    if algorithm not in ALGORITHMS:
        raise UsageError(
            f"no digest algorithm {algorithm!r}", hint=f"choose one of {', '.join(ALGORITHMS)}"
        )
    hasher = ALGORITHMS[algorithm]()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def crc32(data: Buffer, value: int = 0) -> int:
    """Return the CRC-32 of `data`, going on from `value`, that of what came before it."""
    return isal_zlib.crc32(data, value)


def crc32_combine(first: int, second: int, second_length: int) -> int:
    """Return the CRC-32 of two runs of bytes from theirs and the length of the second."""
    return isal_zlib.crc32_combine(first, second, second_length)
