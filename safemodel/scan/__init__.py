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
    from collections.abc import Iterable

    from safemodel.report.model import Report

    Path = str | os.PathLike[str]


class _Room(ModuleType):
    """A module that can be called: importing a module of this room binds its name in `safemodel`,
    over any function of that name.
    """

    def __call__(
        self,
        path: Path | Iterable[Path],
        *,
        policy: Path | None = None,
        baseline: Path | None = None,
        jobs: int | None = None,
        strict: bool = False,
        exclude: Iterable[str] = (),
        cache: Path | None = None,
        max_seconds: float | None = None,
        max_size: int | None = None,
    ) -> Report:
        """Say what files would do if something loaded them. Never raises for what is in them.

        Args:
            path: a file or a folder, or several.
            policy: a file with names that are known good or denied (docs/policy.md).
            baseline: a file of accepted findings (docs/ci.md).
            jobs: processes at a time for many files; None is as many as there are processors.
            strict: a file of no known format is unread also where a folder holds it.
            exclude: patterns of names, or of paths below a folder, to leave out.
            cache: a folder of the user's alone, to remember reports in.
            max_seconds: for each file; 120 unless given.
            max_size: bytes; larger files are unread.

        Raises:
            UsageError, SourceError: the policy, the baseline or the cache can't be used.
        """
        from safemodel.scan.calling import scan

        return scan(
            path,
            policy=policy,
            baseline=baseline,
            jobs=jobs,
            strict=strict,
            exclude=exclude,
            cache=cache,
            max_seconds=max_seconds,
            max_size=max_size,
        )


sys.modules[__name__].__class__ = _Room
