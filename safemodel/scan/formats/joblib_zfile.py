"""zfiles: how joblib compressed before version 0.10. A length, then one zlib stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.errors import DamagedError
from safemodel.legacy.joblib import ZFILE_MAGIC, parse_zfile
from safemodel.scan.formats.behind import behind

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope


def scan(content: Content, scope: Scope) -> bool:
    """Scan what is compressed: a pickle, or the items of one array."""
    head = content.head(32)
    if bytes(head[:2]) != ZFILE_MAGIC:
        return False
    try:
        start, _ = parse_zfile(head)
    except DamagedError:
        return False
    return scope.scan("<zfile>", behind(content, start), ("zlib",))
