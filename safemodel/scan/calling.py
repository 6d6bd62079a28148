"""What `safemodel.scan(path)` does, whose arguments are explained in `safemodel.scan` itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from safemodel.scan.budget import DEFAULT_LIMITS
from safemodel.scan.folder import scan_paths, with_digests
from safemodel.scan.single import Settings

if TYPE_CHECKING:
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
    """Say what files would do if something loaded them.

    Raises:
        UsageError, SourceError: the policy, the baseline or the cache can't be used.
    """
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


def excluding(patterns: Iterable[str]) -> Callable[[str], bool] | None:
    """Whether a path below a folder, or the last part of it, fits one of the patterns."""
    kept = [pattern.rstrip("/") for pattern in patterns]
    if not kept:
        return None
    from fnmatch import fnmatchcase

    def excluded(path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path, one) or fnmatchcase(name, one) for one in kept)

    return excluded
