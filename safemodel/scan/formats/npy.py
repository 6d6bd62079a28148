"""NumPy's .npy: plain items need no judgement, objects are a pickle, what follows is scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.errors import LegacyError
from safemodel.legacy.npy import MAGIC, read_header, read_prefix
from safemodel.legacy.pickle_facts import Stop
from safemodel.scan.formats.behind import behind
from safemodel.scan.judge import judge

if TYPE_CHECKING:
    from safemodel.legacy.content import Content, Reader
    from safemodel.scan.scope import Scope


def scan(content: Content, scope: Scope) -> bool:
    """Scan one array, or several behind one another in one file."""
    reader = content.reader()
    if bytes(reader.peek(len(MAGIC))) != MAGIC:
        return False
    while True:
        if not _array(content, reader, scope):
            return True
        following = bytes(reader.peek(len(MAGIC)))
        if reader.error is not None:
            raise reader.error
        if not following:
            return True
        if following != MAGIC:
            start = reader.offset
            scope.find("SM153", "is followed by bytes that are no array", offset=start)
            scope.scan(f"<behind the array, at {start}>", behind(content, start))
            return True


def _array(content: Content, reader: Reader, scope: Scope) -> bool:
    """Scan one array; whether the reader is at its end.

    `numpy.load` reads headers that this scanner does not; the items behind one may be a pickle.
    """
    scope.budget.check_time()
    prefix = read_prefix(reader)
    start = reader.offset
    try:
        header = read_header(reader, prefix)
    except LegacyError as error:
        scope.unread(error)
        if reader.offset > start or not prefix.length:
            place = f"<items of the array, at {reader.offset}>"
            scope.scan(place, behind(content, reader.offset), ("pickle",))
        return False
    if not header.has_object:
        reader.advance(header.size)
        return True
    return isinstance(judge(reader, scope, content=content), Stop)
