"""TensorFlow's graphs as protobuf text: saved_model.pbtxt, graph.pbtxt. Names of operations only.

The text is not parsed as a whole (a SavedModel in it is rare), so it is never read as far as it
goes: what is found here is a part of what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# The fields that SavedModel, MetaGraphDef and GraphDef have at their top.
_FIELDS: Final = (
    b"asset_file_def",
    b"collection_def",
    b"debug_info",
    b"graph_def",
    b"library",
    b"meta_graphs",
    b"meta_info_def",
    b"node",
    b"object_graph_def",
    b"saved_model_schema_version",
    b"saver_def",
    b"signature_def",
    b"version",
    b"versions",
)
_SPACE: Final = b" \t\r\n\v\f,;"
_TEXT: Final = rb"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_OPERATION: Final = re.compile(rb"\bop\s*:\s*(%b(?:\s*%b)*)" % (_TEXT, _TEXT), re.DOTALL)
_PART: Final = re.compile(rb"""(["'])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


def looks_like_graph_text(head: bytes, *, whole: bool = True) -> bool:
    """Whether the text may begin such a message: behind comments, one of its fields.

    `whole`: `head` is all of the text; else comments may go on behind it.
    """
    position = 0
    while True:
        while position < len(head) and head[position] in _SPACE:
            position += 1
        if position >= len(head):
            return not whole and position > 0
        if head[position] != 0x23:  # comment
            break
        end = head.find(b"\n", position)
        if end < 0:
            return not whole
        position = end
    rest = head[position : position + 64]
    for field in _FIELDS:
        if rest.startswith(field) and rest[len(field) :].lstrip(_SPACE)[:1] in (b":", b"{", b"<"):
            return True
    return False


def operations(data: bytes) -> Iterator[tuple[str, int]]:
    """The operations that nodes name, and where: pieces of text side by side are one name."""
    for match in _OPERATION.finditer(data):
        parts = (part[2] for part in _PART.finditer(match[1]))
        name = b"".join(_ESCAPE.sub(_unescape, part) for part in parts)
        yield name.decode("utf-8", "backslashreplace"), match.start()


def _unescape(match: re.Match[bytes]) -> bytes:
    found = match[1]
    if found[:1] == b"x" and len(found) > 1:
        return bytes((int(found[1:], 16),))
    if found[:1].isdigit():
        return bytes((int(found, 8) & 255,))
    return found
