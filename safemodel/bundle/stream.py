"""Write a member in one pass: cut into chunks, digest and write them, on all cores.

Holds only a few blocks at a time, whatever the size of the member. Implements spec/format.md,
"Chunk digests", writing side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from safemodel.bundle.chunks import BLOCK, threads
from safemodel.bundle.output import write_at
from safemodel.errors import AdapterError
from safemodel.format.digests import crc32, crc32_combine, digest
from safemodel.format.manifest import FileEntry

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from _typeshed import ReadableBuffer

_SMALL_PIECES = 64  # a chunk of more pieces than that, of many small tensors, is joined first

Block = list[list[memoryview]]  # chunks, each in pieces


class Streamed(Protocol):
    """A member to write."""

    @property
    def name(self) -> str:
        """Member name."""

    @property
    def size(self) -> int:
        """Bytes that `pieces` yields."""

    @property
    def media_type(self) -> str:
        """Media type for the manifest."""

    def pieces(self) -> Iterable[ReadableBuffer]:
        """The bytes, in order."""


@dataclass(frozen=True, slots=True)
class _Done:
    digests: bytes
    crc: int
    length: int


@contextmanager
def executor(total: int) -> Iterator[Executor | None]:
    """A pool to compute digests with, or None where threads would not pay.

    The caller's thread writes, in order: a file system lets only one thread write to a file at a
    time, so more of them would only wait for each other.
    """
    if threads() == 1 or total <= 2 * BLOCK:
        yield None
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads() - 1) as pool:
        yield pool


def write_member(
    descriptor: int,
    offset: int,
    member: Streamed,
    *,
    algorithm: str,
    chunk_size: int,
    pool: Executor | None,
) -> FileEntry:
    """Write one member at `offset` and return what the manifest says of it.

    Raises:
        AdapterError: the pieces are more or fewer bytes than the member's size.
    """
    results: list[_Done] = []
    pending: deque[Future[_Done]] = deque()
    position = 0
    for block in _blocks(member.pieces(), chunk_size):
        length = sum(len(piece) for chunk in block for piece in chunk)
        _check_length(member, position + length, final=False)
        if pool is None:
            results.append(_digest_block(block, algorithm))
        else:
            pending.append(_submitted(pool, block, algorithm))
            if len(pending) > 2 * threads():
                results.append(pending.popleft().result())
        write_at(descriptor, [piece for chunk in block for piece in chunk], offset + position)
        position += length
    results += [future.result() for future in pending]
    _check_length(member, position, final=True)
    value = 0
    for done in results:
        value = crc32_combine(value, done.crc, done.length)
    digests = b"".join(done.digests for done in results)
    return FileEntry(member.size, value, member.media_type, digests)


def _submitted(pool: Executor, block: Block, algorithm: str) -> Future[_Done]:
    try:
        return pool.submit(_digest_block, block, algorithm)
    except RuntimeError:
        # The interpreter is ending, and starts no more threads: this one, which it waits for,
        # computes the rest.
        from concurrent.futures import Future

        done: Future[_Done] = Future()
        done.set_result(_digest_block(block, algorithm))
        return done


def _check_length(member: Streamed, length: int, *, final: bool) -> None:
    if length > member.size or (final and length != member.size):
        raise AdapterError(
            f"its pieces are {'' if final else 'at least '}{length} bytes, not {member.size}",
            place=member.name,
            hint="the model changed while it was saved, or its adapter is wrong",
        )


def _blocks(pieces: Iterable[ReadableBuffer], chunk_size: int) -> Iterator[Block]:
    per_block = max(1, BLOCK // chunk_size)
    block: Block = []
    for chunk in _chunks(pieces, chunk_size):
        block.append(chunk)
        if len(block) == per_block:
            yield block
            block = []
    if block:
        yield block


def _chunks(pieces: Iterable[ReadableBuffer], chunk_size: int) -> Iterator[list[memoryview]]:
    chunk: list[memoryview] = []
    room = chunk_size
    for piece in pieces:
        view = _bytes_view(piece)
        start = 0
        while start < len(view):
            part = view[start : start + room]
            chunk.append(part)
            start += len(part)
            room -= len(part)
            if room == 0:
                yield _joined(chunk)
                chunk, room = [], chunk_size
    if chunk:
        yield _joined(chunk)


def _joined(chunk: list[memoryview]) -> list[memoryview]:
    return [memoryview(b"".join(chunk))] if len(chunk) > _SMALL_PIECES else chunk


def _bytes_view(piece: ReadableBuffer) -> memoryview:
    view = memoryview(piece)
    if view.nbytes == 0:
        return memoryview(b"")
    if not view.c_contiguous:
        raise AdapterError("a piece of a tensor is not C-contiguous")
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _digest_block(block: Block, algorithm: str) -> _Done:
    digests = []
    crc = 0
    length = 0
    for chunk in block:
        digests.append(digest(algorithm, chunk))
        for piece in chunk:
            crc = crc32(piece, crc)
            length += len(piece)
    return _Done(b"".join(digests), crc, length)
