"""The bytes of a pickle, a chunk at a time, with frames as each unpickler of CPython reads them.

Three dialects differ where an opcode or its argument crosses the end of a frame (cpython issue
154848): `c`, the C unpickler over bytes in memory, reads on; `file`, the same over a file object
without `peek`, such as `io.BytesIO`, drops what is left of the frame; `python`, and the C one
since 3.13.15 and 3.14.7, raises.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from safemodel.errors import BudgetError, LegacyError
from safemodel.legacy.pickle_facts import Oddity

if TYPE_CHECKING:
    from safemodel.legacy.content import Reader

Dialect: TypeAlias = Literal["c", "file", "python"]
DIALECTS: Final[tuple[Dialect, ...]] = ("c", "file", "python")

NO_FRAME: Final = (1 << 63) - 1
MAX_LINE: Final = 1 << 16  # bytes of a line that is kept
_SMALL_CHUNK: Final = 1 << 12
_CHUNK: Final = 1 << 18
_FRAME_AHEAD: Final = 1 << 22  # bytes that are read to see whether a frame is whole
_MAX_ODDITIES: Final = 64


class StuckError(Exception):
    """The unpickler raises here, or the machine gives up."""

    def __init__(self, message: str, *, truncated: bool = False, budget: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.truncated = truncated
        self.budget = budget


class Input:
    """Where the machine is. `chunk` is a copy of bytes ahead that never crosses a frame's end.

    Attributes:
        base: the offset in the content of the first byte of `chunk`.
        pos: the next byte, in `chunk`.
        frame_end: the offset of the end of the frame; `NO_FRAME` outside of frames.
        oddities: found and not yet handed on.
    """

    __slots__ = (
        "_step",
        "base",
        "chunk",
        "dialect",
        "frame_end",
        "oddities",
        "pos",
        "reader",
        "whole",
    )

    def __init__(self, reader: Reader, dialect: Dialect) -> None:
        self.reader = reader
        self.dialect = dialect
        self.base = reader.offset
        self.chunk = b""
        self.pos = 0
        self.frame_end = NO_FRAME
        self.oddities: list[Oddity] = []
        self._step = _SMALL_CHUNK

    @property
    def offset(self) -> int:
        """Of the next byte, in the content."""
        return self.base + self.pos

    def odd(self, message: str, offset: int, *, ambiguous: bool = False) -> None:
        """Note something that no pickler writes."""
        if len(self.oddities) < _MAX_ODDITIES:
            self.oddities.append(Oddity(message, offset, ambiguous))

    def refill(self, want: int) -> int:
        """Begin the chunk at the next byte, and make it `want` bytes or more if there are as many
        before the content or the frame ends; how many are at hand."""
        reader = self.reader
        if reader.tick is not None:
            reader.tick()
        reader.position += self.pos
        self.base += self.pos
        self.pos = 0
        if self.frame_end <= self.base:
            self.frame_end = NO_FRAME
        if want < self._step:
            want = self._step
        if self._step < _CHUNK:
            self._step *= 2
        start = reader.position = reader.need(reader.position, want)
        self.chunk = bytes(reader.window[start : start + min(want, self.frame_end - self.base)])
        return len(self.chunk)

    def take(self, count: int, *, into: bool = False) -> bytes:
        """The next bytes: one `read`, or `readinto`, of an unpickler."""
        end = self.pos + count
        if end > len(self.chunk):
            self._require(count, into=into)
            end = count
        start = self.pos
        self.pos = end
        return self.chunk[start:end]

    def _require(self, count: int, *, into: bool) -> None:
        """Get at least `count` bytes at hand, `pos` being 0."""
        at_hand = self.refill(count)
        if at_hand < count and self.frame_end < self.base + count:
            self._leave_frame(0 if into else at_hand)
            at_hand = self.refill(count)
        if at_hand < count:
            raise self._ended()

    def _leave_frame(self, left: int) -> None:
        """One read goes past the end of the frame, of which `left` bytes may be lost."""
        self.odd("an opcode crosses the end of its frame", self.offset, ambiguous=True)
        if self.dialect == "python":
            raise StuckError("pickle exhausted before end of frame")
        if self.dialect == "file":
            self.pos += left
        self.frame_end = NO_FRAME

    def _ended(self) -> StuckError:
        error = self.reader.error
        if error is None:
            return StuckError("pickle data was truncated", truncated=True)
        return StuckError(error.message, truncated=True, budget=isinstance(error, BudgetError))

    def skip(self, count: int, *, into: bool = False) -> None:
        """Go over the next bytes; `into` where the C unpickler reads them into their object."""
        if count <= len(self.chunk) - self.pos:
            self.pos += count
            return
        left = self.frame_end - self.offset
        if count and not left:
            self.frame_end = NO_FRAME
        elif count > left:
            self._leave_frame(0 if into else left)
        self.reader.position += self.pos
        self._advance(count)

    def _advance(self, count: int) -> None:
        """Go on some way behind the reader's position."""
        self.chunk = b""
        self.pos = 0
        self._step = _SMALL_CHUNK
        try:
            self.reader.advance(count)
        except LegacyError:
            raise self._ended() from None
        finally:
            self.base = self.reader.offset

    def line(self) -> bytes:
        """The next line, without its newline: one `readline` of an unpickler.

        Over the end of the content, the Python unpickler takes what there is for a line and cuts
        its last byte off all the same.
        """
        found = self.chunk.find(b"\n", self.pos)
        while found < 0:
            before = len(self.chunk) - self.pos
            if before > MAX_LINE:
                break
            at_hand = self.refill(before + 1)
            found = self.chunk.find(b"\n")
            if found < 0 and at_hand <= before:
                if self.base + at_hand == self.frame_end:
                    self._leave_frame(at_hand)
                    self.refill(1)
                    found = self.chunk.find(b"\n", self.pos)
                elif self.dialect == "python" and self._may_end(at_hand):
                    self.pos = at_hand
                    return self.chunk[:-1]
                else:
                    raise self._ended()
        start = self.pos
        if not 0 <= found - start <= MAX_LINE:
            raise StuckError(f"a line of more than {MAX_LINE} bytes", budget=True)
        self.pos = found + 1
        return self.chunk[start:found]

    def _may_end(self, at_hand: int) -> bool:
        """Whether the last line may lack its newline: not within a frame."""
        return (not at_hand or self.frame_end == NO_FRAME) and self.reader.error is None

    def text_line(self, keep: int) -> tuple[int, int, bytes | None]:
        """Offset, size and bytes of the next line; no bytes if there are more than `keep`."""
        found = self.chunk.find(b"\n", self.pos)
        if found < 0:
            at_hand = self.refill(keep + 1)
            found = self.chunk.find(b"\n")
            if found < 0 and at_hand > keep:
                return (*self._long_line(), None)
            if found < 0:
                line = self.line()
                return self.offset - 1 - len(line), len(line), line if len(line) <= keep else None
        start = self.pos
        size = found - start
        self.pos = found + 1
        return self.base + start, size, self.chunk[start:found] if size <= keep else None

    def _long_line(self) -> tuple[int, int]:
        """Go over the next line without keeping it; its offset and size without its newline."""
        start = self.offset
        while True:
            found = self.chunk.find(b"\n", self.pos)
            if found >= 0:
                self.pos = found + 1
                return start, self.base + found - start
            self.pos = len(self.chunk)
            if start < self.offset == self.frame_end:
                self.odd("an opcode crosses the end of its frame", start, ambiguous=True)
                if self.dialect == "python":
                    raise StuckError("pickle exhausted before end of frame")
                if self.dialect == "file":
                    start = self.offset
            if not self.refill(1):
                raise self._ended()

    def enter_frame(self, size: int) -> None:
        """FRAME, whose argument has been read."""
        start = self.offset
        end = start + size
        if start < self.frame_end != NO_FRAME:
            self.odd("a frame begins before the last one has ended", start, ambiguous=True)
            if self.dialect == "python":
                raise StuckError("beginning of a new frame before end of current frame")
            if self.dialect == "file":
                if end <= self.frame_end:
                    return
                self.skip(self.frame_end - start)
                end = self.offset + size
        self.frame_end = NO_FRAME
        self._check_frame(end)
        self.frame_end = end
        self.chunk = self.chunk[: max(0, end - self.base)]

    def _check_frame(self, end: int) -> None:
        """See whether the content holds the frame: the C unpickler does so at once.

        Picklers write frames of 64 KiB. A far larger one is told, and not looked for in a stream.
        """
        reader = self.reader
        want = end - self.base
        if self.dialect == "python" or want <= len(self.chunk):
            return
        if want - self.pos > _FRAME_AHEAD:
            self.odd(f"a frame of more than {_FRAME_AHEAD} bytes", self.offset, ambiguous=True)
            return
        reader.position = reader.need(reader.position, want)
        if len(reader.window) - reader.position < want and reader.error is None:
            raise self._ended()

    def stop(self) -> None:
        """STOP: who reads on from the file, reads behind the frame, unless it is in memory."""
        left = self.frame_end - self.offset
        if self.frame_end != NO_FRAME and left > 0:
            self.odd("the pickle stops within its frame", self.offset - 1, ambiguous=True)
            if self.dialect != "c":
                with suppress(StuckError):
                    self.skip(left)

    def hand_over(self) -> None:
        """Leave the reader at the next byte, for someone else to go on."""
        self.reader.position += self.pos

    def take_over(self, window: memoryview, skipped: int) -> None:
        """Go on where the reader was left, and over `skipped` more bytes.

        Args:
            window: the reader's when it was handed over.
        """
        reader = self.reader
        offset = self.offset
        if not skipped and reader.offset == offset:
            if reader.window is window:
                reader.position -= self.pos
            else:
                self._advance(0)
            return
        if self.frame_end not in (NO_FRAME, offset):
            self.odd("raw bytes within a frame", offset, ambiguous=True)
        self.frame_end = NO_FRAME
        self._advance(skipped)
