"""Verified reads: bytes leave here only after the digest of every chunk they touch was checked.

The check is made on the private copy that is handed out, so nothing that happens to the file
afterwards matters. Implements spec/format.md, "Chunk digests", reading side.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock
from typing import TypeAlias

from safemodel.bundle.members import Region
from safemodel.errors import DigestMismatchError
from safemodel.format.digests import chunk_count, digest
from safemodel.format.manifest import FileEntry

BLOCK = 4 << 20  # one read of the whole load: large enough for the disk, small enough for the cache
_CACHED_BYTES = 16 << 20
_MAX_THREADS = 8


# Called with numbers of bytes done, from several threads.
Progress: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Chunked:
    """One payload member with what is needed to verify any range of it."""

    path: str
    name: str
    region: Region
    entry: FileEntry
    algorithm: str
    chunk_size: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.entry.size

    @property
    def count(self) -> int:
        """Number of chunks."""
        return chunk_count(self.size, self.chunk_size)

    def bounds(self, index: int) -> tuple[int, int]:
        """First and one-past-last byte of chunk `index`."""
        start = index * self.chunk_size
        return start, min(start + self.chunk_size, self.size)

    def check(self, index: int, data: memoryview) -> None:
        """Compare the bytes of chunk `index` with its digest in the manifest.

        Raises:
            DigestMismatchError: they differ.
        """
        if digest(self.algorithm, (data,)) != self.entry.chunk_digest(index):
            start, stop = self.bounds(index)
            error = DigestMismatchError(
                f"bytes {start} to {stop} (chunk {index}) differ from the digest in the manifest",
                path=self.path,
                place=self.name,
                hint="the file was damaged or changed; get it anew from its source",
            )
            error.region = (self.name, start, stop)
            raise error

    def read_blocks(self, buffer: memoryview, first: int, last: int) -> None:
        """Read the chunks `first` to `last` - 1 into `buffer` and verify each.

        One read for all of them, then the digests, while the bytes are still in the cache.
        """
        start = first * self.chunk_size
        self.region.source.read_into(self.region.offset + start, buffer)
        for index in range(first, last):
            begin, end = self.bounds(index)
            self.check(index, buffer[begin - start : end - start])


class ChunkCache:
    """A few verified chunks, so that small neighbouring reads verify a chunk once."""

    def __init__(self) -> None:
        self._chunks: OrderedDict[tuple[str, int], memoryview] = OrderedDict()
        self._lock = Lock()

    def chunk(self, member: Chunked, index: int) -> memoryview:
        """The verified bytes of one chunk, read-only."""
        key = (member.name, index)
        with self._lock:
            if key in self._chunks:
                self._chunks.move_to_end(key)
                return self._chunks[key]
        start, stop = member.bounds(index)
        data = bytearray(stop - start)
        member.read_blocks(memoryview(data), index, index + 1)
        chunk = memoryview(data).toreadonly()
        with self._lock:
            self._chunks[key] = chunk
            while len(self._chunks) > max(3, _CACHED_BYTES // member.chunk_size):
                self._chunks.popitem(last=False)
        return chunk


def read_range(member: Chunked, cache: ChunkCache, offset: int, buffer: memoryview) -> None:
    """Fill `buffer` with the verified bytes from `offset` of a member.

    Only the chunks that the range touches are read. Those that lie wholly inside are read straight
    into `buffer` and verified there; those at its edges go through `cache`.
    """
    stop = offset + len(buffer)
    first_whole = -(-offset // member.chunk_size)
    last_whole = member.count if stop == member.size else stop // member.chunk_size
    if first_whole >= last_whole:
        _copy_edges(member, cache, offset, stop, buffer, offset)
        return
    begin, _ = member.bounds(first_whole)
    _, end = member.bounds(last_whole - 1)
    _copy_edges(member, cache, offset, begin, buffer, offset)
    read_whole([(member, first_whole, last_whole, buffer[begin - offset : end - offset])])
    _copy_edges(member, cache, end, stop, buffer, offset)


def _copy_edges(
    member: Chunked, cache: ChunkCache, start: int, stop: int, buffer: memoryview, base: int
) -> None:
    while start < stop:
        index = start // member.chunk_size
        begin, end = member.bounds(index)
        end = min(end, stop)
        chunk = cache.chunk(member, index)
        buffer[start - base : end - base] = chunk[start - begin : end - begin]
        start = end


def read_whole(ranges: Sequence[tuple[Chunked, int, int, memoryview]]) -> None:
    """Read and verify runs of whole chunks into their buffers, on all cores.

    Each range is (member, first chunk, one past the last chunk, buffer of exactly their bytes).
    """
    total = sum(len(buffer) for _, _, _, buffer in ranges)
    in_parallel((job for run in ranges for job in _read_jobs(*run)), total)


def _read_jobs(
    member: Chunked, first: int, last: int, buffer: memoryview
) -> Iterator[Callable[[], None]]:
    base = first * member.chunk_size
    for index, until in runs(member, first, last):
        begin, _ = member.bounds(index)
        _, end = member.bounds(until - 1)
        yield partial(member.read_blocks, buffer[begin - base : end - base], index, until)


def runs(member: Chunked, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut the chunks `first` to `last` - 1 into runs of about one block, (first, past the last)."""
    step = max(1, BLOCK // member.chunk_size)
    for index in range(first, last, step):
        yield index, min(index + step, last)


def threads() -> int:
    """How many threads to hash with: the cores this process may use, at most 8."""
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        available = os.cpu_count() or 1
    return min(available, _MAX_THREADS)


def in_parallel(jobs: Iterator[Callable[[], None]], total: int) -> None:
    """Run the jobs, on several threads when there are more than a few MiB to hash.

    The first error ends the run: no further job starts, and it is raised when all have ended.
    Hashing and reading release the GIL, so threads scale with cores.
    """
    workers = threads()
    if workers == 1 or total <= 2 * BLOCK:
        for job in jobs:
            job()
        return
    from concurrent.futures import ThreadPoolExecutor

    lock = Lock()
    stopped = Event()

    def work() -> None:
        try:
            while not stopped.is_set():
                with lock:
                    job = next(jobs, None)
                if job is None:
                    return
                job()
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work) for _ in range(workers)]
        try:
            for future in futures:
                future.result()
        finally:  # also when the user interrupts the wait
            stopped.set()
