"""The bytes that parsers read: all of them at hand, or one piece after another.

A file is mapped, and its parsers have random access (`View`). What comes out of a decompressor is
a `Stream`: it can be begun again, but only read forwards, so that a model of gigabytes inside of a
gzip file never has to be in memory at once. The pickle machine reads either through a `Reader`.
Pure: whoever makes a `Stream` says where its pieces come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from safemodel.errors import BudgetError, DamagedError, LegacyError

HEAD: Final = 1 << 16
MAX_MATERIALISED: Final = 256 << 20


class Content(Protocol):
    """Bytes with a beginning."""

    @property
    def size(self) -> int | None:
        """How many there are; None where only reading them would tell."""

    def head(self, count: int = HEAD) -> memoryview:
        """The first bytes, at most `count`."""

    def view(self) -> memoryview:
        """All of them.

        Raises:
            BudgetError: more than `MAX_MATERIALISED`, of a stream.
            LegacyError: the stream is damaged.
        """

    def reader(self) -> Reader:
        """A new reader at the first byte."""


class View:
    """Content that is all at hand: a mapped file, or part of one."""

    __slots__ = ("data",)

    def __init__(self, data: memoryview | bytes) -> None:
        self.data = memoryview(data).cast("B") if not isinstance(data, memoryview) else data

    @property
    def size(self) -> int:
        return len(self.data)

    def head(self, count: int = HEAD) -> memoryview:
        return self.data[:count]

    def view(self) -> memoryview:
        return self.data

    def reader(self) -> Reader:
        return Reader(self.data)


class Stream:
    """Content that comes in pieces: `pieces()` begins again from the first byte each time.

    The iterator that it returns raises `LegacyError` where the data are damaged or pass a budget.
    """

    __slots__ = ("_begin", "_head", "_held", "_hold", "_view")

    def __init__(
        self,
        pieces: Callable[[], Iterator[bytes]],
        *,
        hold: Callable[[int], None] | None = None,
        head: bytes | None = None,
    ) -> None:
        """`hold` is told how many bytes are kept in memory for `view`, and let go of later.

        `head`: the first `HEAD` bytes, where they are known already.
        """
        self._begin = pieces
        self._hold = hold
        self._held = 0
        self._head = head
        self._view: memoryview | None = None

    def __del__(self) -> None:
        if self._held and self._hold is not None:
            self._hold(-self._held)

    @property
    def size(self) -> int | None:
        return None if self._view is None else len(self._view)

    def head(self, count: int = HEAD) -> memoryview:
        if self._head is None:
            found = bytearray()
            try:
                for piece in self._begin():
                    found += piece
                    if len(found) >= HEAD:
                        break
            except DamagedError:
                pass  # what came before the damage is the head; a whole read will say it
            self._head = bytes(found[:HEAD])
        return memoryview(self._head)[:count]

    def view(self) -> memoryview:
        if self._view is None:
            found = bytearray()
            for piece in self._begin():
                found += piece
                if len(found) > MAX_MATERIALISED:
                    raise BudgetError(
                        f"more than {MAX_MATERIALISED} bytes after decompression, of a format "
                        "that can only be read as a whole"
                    )
                if self._hold is not None and len(found) - self._held >= 1 << 20:
                    self._hold(len(found) - self._held)
                    self._held = len(found)
            self._view = memoryview(found).toreadonly()
        return self._view

    def reader(self) -> Reader:
        return Reader(memoryview(b""), self._begin())

    def pieces(self) -> Iterator[bytes]:
        """All of them, piece by piece, from the first byte.

        Raises:
            LegacyError: damaged, or beyond a budget; all before that was given.
        """
        return self._begin()


class Reader:
    """A window over content that moves forwards.

    `window` is what is at hand, `base` the offset in the content of its first byte. A parser keeps
    a position in the window, and asks for more when it comes to its end; over a `View` the window
    is everything and nothing is ever copied.

    `position` is where parsers that share a reader hand it over to one another: an index in the
    window, moved by `peek`, `read` and `advance` alone. `error` is what ended a stream early.
    `tick` is for parsers that go a long way without anybody looking at the clock: to be called now
    and then, and it may raise `BudgetError`.
    """

    __slots__ = ("_pieces", "base", "error", "position", "tick", "window")

    def __init__(self, window: memoryview, pieces: Iterator[bytes] | None = None) -> None:
        self.window = window
        self.base = 0
        self.position = 0
        self.error: LegacyError | None = None
        self.tick: Callable[[], None] | None = None
        self._pieces = pieces

    @property
    def offset(self) -> int:
        """Of `position`, in the content."""
        return self.base + self.position

    @property
    def whole(self) -> bool:
        """Whether the window reaches to the end of the content."""
        return self._pieces is None

    def peek(self, count: int) -> memoryview:
        """The next `count` bytes, fewer where the content ends, without going on."""
        self.position = self.need(self.position, count)
        return self.window[self.position : self.position + count]

    def read(self, count: int) -> memoryview:
        """The next `count` bytes, and go on behind them.

        Raises:
            DamagedError: the content ends earlier.
        """
        found = self.peek(count)
        if len(found) < count:
            raise self.error or DamagedError(
                f"ends {count - len(found)} bytes before its content does", offset=self.offset
            )
        self.position += count
        return found

    def advance(self, count: int) -> None:
        """Go over `count` bytes without keeping them.

        Raises:
            DamagedError: the content ends earlier.
        """
        try:
            self.position = self.skip(self.position, count)
        except LegacyError:
            self.position = len(self.window)
            raise

    def need(self, position: int, count: int) -> int:
        """Make `count` bytes from `position` (in the window) available, if there are as many.

        What is before `position` may be dropped. Returns the new position of the same byte; the
        caller compares `len(window) - position` with `count` to see whether the content ended.
        Where a stream breaks, what came before is kept, and `error` says why it ends.
        """
        if len(self.window) - position >= count or self._pieces is None:
            return position
        kept = bytearray(self.window[position:])
        try:
            for piece in self._pieces:
                kept += piece
                if len(kept) >= count:
                    break
            else:
                self._pieces = None
        except LegacyError as error:
            self.error = error
            self._pieces = None
        self.base += position
        self.window = memoryview(kept)
        return 0

    def skip(self, position: int, count: int) -> int:
        """Go over `count` bytes without keeping them; the new position in the window.

        Where the content ends earlier, the position is the end of the window: nothing is at hand.

        Raises:
            DamagedError: the content ends earlier.
        """
        at_hand = len(self.window) - position
        if count <= at_hand:
            return position + count
        self.base += len(self.window)
        self.window = memoryview(b"")
        left = count - at_hand
        try:
            for piece in self._pieces or ():
                if len(piece) > left:
                    self.base += left
                    self.window = memoryview(piece)[left:]
                    return 0
                left -= len(piece)
                self.base += len(piece)
                if not left:
                    return 0
        except LegacyError as error:
            self.error = error
        self._pieces = None
        raise self.error or DamagedError(
            f"ends {left} bytes before its content does", offset=self.base
        )
