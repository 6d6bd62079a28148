"""Read every byte of a bundle once, and compute all digests of it in that one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

from safemodel.bundle.chunks import BLOCK, Chunked, Progress, in_parallel, runs
from safemodel.errors import DigestMismatchError
from safemodel.format.digests import crc32, crc32_combine


class _Scratch:
    """Buffers to read into, reused: fresh memory would cost more than the read."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(size)

    def give(self, buffer: bytearray) -> None:
        self._free.append(buffer)


def check_every_byte(
    members: Sequence[Chunked], *, sha256: bool, progress: Progress | None = None
) -> dict[str, str]:
    """Check chunk digests and CRC-32 of whole members, on all cores.

    With `sha256` also the SHA-256 of each member is computed, in the same pass, and returned in
    hexadecimal by name. It is serial within a member, so then members are what runs in parallel.

    Raises:
        DigestMismatchError: a chunk or CRC-32 differs from the manifest.
    """
    scratch = _Scratch()
    crcs: dict[tuple[str, int], tuple[int, int]] = {}
    digests: dict[str, str] = {}
    jobs = [
        partial(_check_member, member, scratch, crcs, digests, progress)
        if sha256
        else partial(_check_run, member, first, last, scratch, crcs, progress, None)
        for member in sorted(members, key=lambda member: -member.size)
        for first, last in ([(0, member.count)] if sha256 else runs(member, 0, member.count))
    ]
    in_parallel(iter(jobs), sum(member.size for member in members))
    for member in members:
        _check_crc(member, crcs)
    return digests


def _check_member(
    member: Chunked,
    scratch: _Scratch,
    crcs: dict[tuple[str, int], tuple[int, int]],
    digests: dict[str, str],
    progress: Progress | None,
) -> None:
    whole = hashlib.sha256()
    for first, last in runs(member, 0, member.count):
        _check_run(member, first, last, scratch, crcs, progress, whole)
    digests[member.name] = whole.hexdigest()


def _check_run(
    member: Chunked,
    first: int,
    last: int,
    scratch: _Scratch,
    crcs: dict[tuple[str, int], tuple[int, int]],
    progress: Progress | None,
    whole: hashlib._Hash | None,
) -> None:
    begin, _ = member.bounds(first)
    _, end = member.bounds(last - 1)
    buffer = scratch.take(max(BLOCK, member.chunk_size))
    view = memoryview(buffer)[: end - begin]
    member.read_blocks(view, first, last)
    crcs[member.name, first] = (crc32(view), end - begin)
    if whole is not None:
        whole.update(view)
    scratch.give(buffer)
    if progress is not None:
        progress(end - begin)


def _check_crc(member: Chunked, crcs: dict[tuple[str, int], tuple[int, int]]) -> None:
    value = 0
    for crc, length in _in_order(member, crcs):
        value = crc32_combine(value, crc, length)
    if value != member.entry.crc32:
        raise DigestMismatchError(
            "the CRC-32 in the manifest is not that of the bytes",
            path=member.path,
            place=member.name,
            hint="the manifest was made by a faulty writer; ask its signer for a new one",
        )


def _in_order(
    member: Chunked, crcs: dict[tuple[str, int], tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    for first, _ in runs(member, 0, member.count):
        yield crcs[member.name, first]
