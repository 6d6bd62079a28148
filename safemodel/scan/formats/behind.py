"""The rest of some content, as content: for handlers that know where their part of it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from safemodel.legacy.content import Stream, View

if TYPE_CHECKING:
    from safemodel.legacy.content import Content

_PIECE = 1 << 18


def behind(content: Content, offset: int) -> Content:
    """What comes from `offset` on."""
    if isinstance(content, View):
        return View(content.data[offset:])
    return Stream(lambda: _pieces(content, offset))


def _pieces(content: Content, offset: int) -> Iterator[bytes]:
    reader = content.reader()
    reader.advance(offset)
    while piece := bytes(reader.peek(_PIECE)):
        reader.advance(len(piece))
        yield piece
    if reader.error is not None:
        raise reader.error
