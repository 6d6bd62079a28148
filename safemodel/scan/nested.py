"""Pickles inside of a pickle: bytes that it hands to a function that unpickles them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, LegacyError, UnreadableError
from safemodel.legacy.content import Stream, View
from safemodel.legacy.pickle_facts import Blob, Global, Instance, Items
from safemodel.scan.values import made_by

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.legacy.pickle_facts import Value
    from safemodel.scan.scope import Scope

_UNICODE: Final = b"V"
_PIECE: Final = 1 << 20
_EVERYTHING: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Nested:
    """Bytes that are unpickled when the pickle around them is.

    Attributes:
        format: that its loader reads.
        value: the literal; each character of a text is a byte.
        offset: of the call.
    """

    format: str
    value: bytes | str | Blob
    offset: int

    def scan(self, scope: Scope, content: Content | None) -> None:
        """Scan it as a member of the pickle; what can't be scanned is unread."""
        try:
            inner = self._content(content)
        except LegacyError as error:
            scope.unread(error)
            return
        formats = None if self.format == "any" else (self.format,)
        if not scope.scan(f"<bytes for {self.format} at {self.offset}>", inner, formats):
            scope.unread(
                UnreadableError(f"bytes that are no {self.format} file", offset=self.offset)
            )

    def _content(self, content: Content | None) -> Content:
        value = self.value
        if isinstance(value, bytes):
            return View(value)
        if isinstance(value, str):
            return View(_latin1(value, self.offset))
        if value.data is not None:
            return View(value.data)
        if content is None:
            raise UnreadableError("unpickles bytes that are not at hand", offset=self.offset)
        inner = section(content, value.offset, value.size)
        if value.kind == "str":
            return View(_latin1(self._text(content, inner, value), self.offset))
        return inner

    def _text(self, content: Content, inner: Content, value: Blob) -> str:
        """Text is UTF-8, but for the opcode UNICODE of protocol 0, the byte before it.

        Where another opcode has the text, that byte is the last of its size, and it is smaller.
        """
        before = bytes(section(content, value.offset - 1, 1).view())
        encoding = "raw-unicode-escape" if before == _UNICODE else "utf-8"
        try:
            return str(inner.view(), encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError:
            raise UnreadableError("text that is none", offset=self.offset) from None


def _latin1(text: str, offset: int) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise UnreadableError("text that is not one byte a character", offset=offset) from None


def literal_bytes(value: Value) -> bytes | str | Blob | None:
    """The literal behind an argument that is bytes; None if there is none.

    Protocols below 3 have no opcode for bytes: they are text that `_codecs.encode` is called with.
    """
    if isinstance(value, Instance) and made_by(value) == "_io.BytesIO":
        state = value.state
        value = state.items[0] if isinstance(state, Items) and state.items else None
    if isinstance(value, bytes | Blob):
        return value
    if isinstance(value, Instance) and isinstance(value.arguments, Items):
        callee = value.callee
        if isinstance(callee, Global) and callee.full_name == "_codecs.encode":
            first = value.arguments.items[0] if value.arguments.items else None
            if isinstance(first, str | Blob):
                return first
    return None


def section(content: Content, offset: int, size: int | None) -> Content:
    """A part of some content, as content; `size` None: all to the end.

    Raises:
        BudgetError: the whole is a stream that is too large to be at hand.
    """
    end = None if size is None else offset + size
    if isinstance(content, View):
        return View(content.data[offset:end])
    try:
        return View(content.view()[offset:end])
    except BudgetError:
        return Stream(lambda: _pieces(content, offset, size))


def _pieces(content: Content, offset: int, size: int | None) -> Iterator[bytes]:
    reader = content.reader()
    reader.advance(offset)
    left = _EVERYTHING if size is None else size
    while left:
        count = min(left, _PIECE)
        start = reader.position = reader.need(reader.position, count)
        piece = bytes(reader.window[start : start + count])
        if not piece:
            return
        yield piece
        left -= len(piece)
        reader.position += len(piece)
