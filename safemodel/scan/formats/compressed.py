"""Compressed streams: what comes out is scanned, and what follows the stream is, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy.compressed import Inflated
from safemodel.legacy.content import Stream
from safemodel.limits import MIB
from safemodel.report.model import Severity
from safemodel.scan.nested import section

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

_DICTIONARY: Final = 128 * MIB  # xz -9 needs 64
_INNER_DICTIONARY: Final = 24 * MIB  # in another stream: they are all there at the same time
_PADDING: Final = 1 * MIB


class Compressed:
    """The handler of one kind of stream.

    `weak`: its first bytes are no proof, so it must decode to something that is known.
    """

    __slots__ = ("_kind", "_weak")

    def __init__(self, kind: str, *, weak: bool = False) -> None:
        self._kind = kind
        self._weak = weak

    def scan(self, content: Content, scope: Scope) -> bool:
        layers = sum(name in _NAMES for name in scope.inside)
        inflated = Inflated(
            self._kind,
            content,
            scope.budget.inflate,
            dictionary=_INNER_DICTIONARY if layers else _DICTIONARY,
        )
        inner = Stream(inflated.pieces, hold=scope.budget.hold)
        if self._weak and not _decodes(inner):
            return False
        known = scope.scan(f"<{self._kind}>", inner)
        if not inflated.ended and inflated.error is None:
            _finish(inflated)
        if inflated.error is not None:
            if self._weak and not known and isinstance(inflated.error, DamagedError):
                return False  # noise that begins like a stream of this kind
            scope.unread(inflated.error)
        elif inflated.trailing is not None:
            _behind(self._kind, content, inflated.trailing, scope)
        return True


def _decodes(inner: Stream) -> bool:
    """Whether at least something comes out."""
    try:
        return bool(inner.head(1))
    except LegacyError:
        return True  # too much to hold, say: it is of this kind


def _finish(inflated: Inflated) -> None:
    """Read what no handler did: the end has to be looked at, too."""
    try:
        for _ in inflated.pieces():
            pass
    except LegacyError:
        pass  # kept in `inflated.error`


def _behind(kind: str, content: Content, start: int, scope: Scope) -> None:
    size = content.size
    rest = section(content, start, None if size is None else size - start)
    message = f"bytes behind the end of the {kind} stream"
    if size is not None and size - start <= _PADDING and not bytes(rest.view()).strip(b"\0"):
        scope.find("SM411", f"zero {message}", offset=start, severity=Severity.LOW)
        return
    scope.find("SM411", message, offset=start)
    scope.scan(f"<behind the {kind} stream>", rest)


bzip2: Final = Compressed("bzip2")
gzip: Final = Compressed("gzip")
lz4: Final = Compressed("lz4")
lz4_legacy: Final = Compressed("lz4-legacy")
lzma: Final = Compressed("lzma", weak=True)
xz: Final = Compressed("xz")
zlib: Final = Compressed("zlib", weak=True)
zstd: Final = Compressed("zstd")

_NAMES: Final = frozenset({"<xz>", "<lzma>", "<zstd>", "<lz4>", "<lz4-legacy>"})
