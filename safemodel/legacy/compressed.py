"""Compressed streams to the pieces that come out of them, and what belongs to no stream.

Several streams one after another are one content, as their readers have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy.codecs import MAGIC, MAX_DICTIONARY, Codec, Decoder, Lz4Legacy
from safemodel.legacy.sniff import is_lzma
from safemodel.limits import MIB

if TYPE_CHECKING:
    from safemodel.legacy.content import Content

PIECE: Final = 1 * MIB  # what comes out at a time, at most, but for zstd


class Inflated:
    """The content of compressed streams: `pieces` gives it, from the beginning at each call.

    Attributes:
        source: the compressed bytes.
        ended: whether some run of `pieces` came to the end of the last stream.
        trailing: the offset in the source of the first byte behind the last stream, if there is
            one; known once `ended`.
        error: what ended the last run of `pieces` early.
    """

    def __init__(
        self,
        kind: str,
        source: Content,
        spend: Callable[[int], None],
        *,
        dictionary: int = MAX_DICTIONARY,
        make: Callable[[], Decoder] | None = None,
    ) -> None:
        """`spend` is told how many bytes came out, piece by piece; `make` replaces the decoder.

        `dictionary`: bytes that a stream may want to refer back to.

        Raises:
            UnreadableError: the library for this kind is missing.
        """
        self._codec = Codec(kind, dictionary)
        self.source = source
        self._spend = spend
        self._make = make or self._codec.decoder
        self._make_careful = make or partial(self._codec.decoder, careful=True)
        self.ended = False
        self.trailing: int | None = None
        self.error: LegacyError | None = None

    def pieces(self) -> Iterator[bytes]:
        """What comes out, in pieces.

        Raises:
            DamagedError: damaged or cut off; all before that was given.
            BudgetError: from `spend`, or a dictionary that is too large.
        """
        self.error = None
        try:
            yield from self._streams()
        except LegacyError as error:
            self.error = error
            raise

    def _streams(self) -> Iterator[bytes]:
        feed = _Feed(self.source, self._codec.feed)
        while True:
            begun, given = feed.offset, 0
            try:
                for piece in self._stream(feed, self._make(), lambda: PIECE):
                    given += len(piece)
                    yield piece
            except _CutError:
                raise
            except DamagedError:
                if feed.error is not None:
                    raise
                careful = _Careful(self.source, self._codec, begun, feed.taken, given)
                feed = careful.feed
                for piece in self._stream(feed, self._make_careful(), careful.wanted):
                    if piece := careful.fresh(piece):
                        yield piece
            if not self._another(feed):
                break
        self.trailing = feed.offset if feed.peek(1) else None
        self.ended = True

    def _another(self, feed: _Feed) -> bool:
        """Whether another stream follows. gzip goes over zero bytes, xz over four at a time."""
        kind = self._codec.kind
        if kind in ("gzip", "xz"):
            feed.skip_zeros(1 if kind == "gzip" else 4, partial(self._spend, 0))
        magic = MAGIC[kind]
        if kind in ("xz", "lzma") and is_lzma(feed.peek(13)):
            return True
        return bool(magic) and feed.peek(6).startswith(magic)

    def _stream(self, feed: _Feed, decoder: Decoder, wanted: Callable[[], int]) -> Iterator[bytes]:
        kind = self._codec.kind
        begun = feed.offset
        while not decoder.eof:
            hungry = decoder.needs_input
            data = feed.take() if hungry else b""
            if hungry and not data:
                if isinstance(decoder, Lz4Legacy) and decoder.between:
                    return
                raise feed.error or _CutError(f"the {kind} stream is cut off", offset=feed.offset)
            piece = self._decompress(decoder, data, wanted(), begun)
            self._spend(len(piece))  # also if empty, for the clock
            if piece:
                yield piece
            elif not (hungry or decoder.needs_input or decoder.eof):
                raise DamagedError(f"the {kind} stream does not go on", offset=feed.offset)
        feed.give_back(decoder.unused_data or b"")

    def _decompress(
        self, decoder: Decoder, data: bytes | memoryview, wanted: int, begun: int
    ) -> bytes:
        kind = self._codec.kind
        try:
            return decoder.decompress(data, wanted)
        except self._codec.errors as error:
            reason = str(error).lower()
            if "memory" in reason:
                raise BudgetError(
                    f"a {kind} stream that needs too large a dictionary",
                    offset=begun,
                ) from None
            raise DamagedError(f"a damaged {kind} stream: {reason}", offset=begun) from None


class _CutError(DamagedError):
    """The source ended within a stream: all that can come out has come out."""


class _Careful:
    """The second run over a damaged stream: little by little from where the first one failed.

    Readers that work byte by byte get to what lies before the damage, where a decoder that was
    given more at once has nothing but an error. And some see no damage at all.
    """

    _SPAN: Final = 2 * MIB  # of output; if it goes on so long, the other library was too strict

    def __init__(self, source: Content, codec: Codec, begun: int, taken: int, given: int) -> None:
        """`taken`: offset in the source from which the failed step read; `given`: what came out."""
        self._codec = codec
        self._taken = taken
        self._given = given
        self.out = 0
        self.feed = _Feed(source, codec.feed, at=begun)
        self.wanted()

    def wanted(self) -> int:
        """How much may come out of the next step; sets how much may go into the one after it."""
        if self.out > self._given + self._SPAN:
            self.feed.step = self._codec.feed
            return PIECE
        left = self._taken - self.feed.offset
        self.feed.step = max(1, min(left, 1 << 10))
        return max(1, min(self._given - self.out, PIECE))

    def fresh(self, piece: bytes) -> bytes:
        """What of a piece the first run did not give."""
        self.out += len(piece)
        return (
            piece[max(0, len(piece) - (self.out - self._given)) :]
            if self.out > self._given
            else b""
        )


class _Feed:
    """The source in pieces, with a way to give back what was too much.

    Attributes:
        step: how many bytes `take` gives at most, but for what was given back.
        taken: offset of the last bytes that it gave.
    """

    def __init__(self, source: Content, step: int, *, at: int = 0) -> None:
        self._reader = source.reader()
        self._at = self._reader.skip(0, at)
        self._back: bytes = b""
        self.step = step
        self.taken = at

    @property
    def offset(self) -> int:
        """Of the next byte, in the source."""
        return self._reader.base + self._at - len(self._back)

    @property
    def error(self) -> LegacyError | None:
        """What ended the source early, if something did."""
        return self._reader.error

    def take(self) -> bytes | memoryview:
        """The next bytes, at most `step` of the source; none at its end."""
        self.taken = self.offset
        if self._back:
            data, self._back = self._back, b""
            return data
        self._at = self._reader.need(self._at, 1)
        piece = self._reader.window[self._at : self._at + self.step]
        self._at += len(piece)
        return piece

    def give_back(self, data: bytes) -> None:
        """Put back what was taken and not used."""
        self._back = data + self._back

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, less at the end."""
        while len(self._back) < count:
            self._at = self._reader.need(self._at, 1)
            piece = self._reader.window[self._at : self._at + count]
            if not piece:
                break
            self._at += len(piece)
            self._back += bytes(piece)
        return self._back[:count]

    def skip_zeros(self, unit: int, tick: Callable[[], None]) -> None:
        """Go over zero bytes, `unit` at a time."""
        while data := bytes(self.take()):
            tick()
            rest = data.lstrip(b"\0")
            skipped = (len(data) - len(rest)) // unit * unit
            if rest or skipped < len(data):
                self.give_back(data[skipped:])
                if rest or len(self.peek(unit)) < unit:
                    return
