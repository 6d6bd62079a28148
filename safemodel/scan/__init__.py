"""What would this file do, if something loaded it? The judge of the facts that `legacy` reads.

Imports no framework, writes nothing, and opens no socket. `safemodel.scan(path)` is the interface:
the room and the function have one name, so the module itself can be called, and does what `scan`
in it does (spec/decisions/0013). Importing it costs nothing more than that.
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


def scan(
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
    from dataclasses import replace

    from safemodel.scan.budget import DEFAULT_LIMITS
    from safemodel.scan.folder import scan_paths, with_digests
    from safemodel.scan.single import Settings
    from safemodel.scan.walk import excluding

    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    limits = DEFAULT_LIMITS
    if max_seconds is not None:
        limits = replace(limits, seconds=max_seconds)
    settings = Settings(limits, None, None if cache is None else os.fspath(cache), max_size)
    if policy is not None:
        from safemodel.scan import policy as policies

        settings = replace(settings, policy=policies.load(os.fspath(policy)))
    entries = None
    if baseline is not None:
        from safemodel.scan import baseline as baselines

        entries = baselines.load(os.fspath(baseline))
    report = scan_paths(
        [os.fspath(one) for one in paths],
        settings,
        jobs=jobs,
        strict=strict,
        exclude=excluding(exclude),
    )
    if entries is not None:
        report = baselines.apply(with_digests(report), entries, baselines.today())
    return report


class _Room(ModuleType):
    """A module that can be called: importing a module of this room binds its name in `safemodel`,
    over any function of that name.
    """

    __call__ = staticmethod(scan)


sys.modules[__name__].__class__ = _Room
