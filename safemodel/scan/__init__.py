"""What would this file do, if something loaded it? The judge of the facts that `legacy` reads.

Imports no framework, writes nothing, and opens no socket. `safemodel.scan(path)` is the interface:
the room and the function have one name, so the module itself can be called (see `safemodel.scan`
in docs/scan.md). Importing it costs nothing more than that.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

# Not imported from typing: that alone would cost milliseconds. Type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from safemodel.report.model import Report


class _Room(ModuleType):
    """A module that can be called: importing a module of this room binds its name in `safemodel`,
    over any function of that name.
    """

    def __call__(self, path: str | os.PathLike[str]) -> Report:
        from safemodel.scan.engine import scan

        return scan(path)


sys.modules[__name__].__class__ = _Room
