"""Enforcement at run time: what the tables do not know to be harmless is not unpickled.

    import safemodel as sm

    sm.guard.install()                  # for the rest of the process, and its children by fork
    with sm.guard.active():             # for a while
        model = joblib.load("theirs.joblib")

CPython raises the audit event `pickle.find_class` before any unpickler looks a name up. The guard
stops the load there, unless the name is harmless *whatever it is called with*, and scans files
before the loaders of frameworks open them. What processes of one program send each other is left
alone. docs/guard.md says what the guard can't see.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from safemodel.errors import BlockedError
from safemodel.guard import hook, loaders
from safemodel.scan import policy as policies

__all__ = ["BlockedError", "GuardWarning", "active", "install"]

GuardWarning = hook.GuardWarning
Mode = Literal["enforce", "warn"]
Path = str | os.PathLike[str]


def install(
    mode: Mode = "enforce",
    *,
    policy: Path | None = None,
    allow: Iterable[str] = (),
    scan: bool = True,
) -> None:
    """Guard this process until it ends. What is installed can't be taken away again.

    Args:
        mode: `enforce` raises `BlockedError`, `warn` warns with `GuardWarning` and goes on.
        policy: a file with names that you know to be harmless, or deny (docs/policy.md).
        allow: the same, as a list of classes: `mypackage.MyModel`.
        scan: whether files are scanned before joblib, torch, numpy, pandas and Keras load them.

    Raises:
        UsageError, SourceError: a mode, a name or a policy that makes no sense or can't be read.
    """
    hook.add(_guard(mode, policy, allow))
    if scan:
        loaders.wrap()


@contextmanager
def active(
    mode: Mode = "enforce",
    *,
    policy: Path | None = None,
    allow: Iterable[str] = (),
    scan: bool = True,
) -> Iterator[None]:
    """Guard this process, in all of its threads, until the block ends. Arguments as `install`.

    Inside of another guard both count: a name must be harmless for each.
    """
    guard = _guard(mode, policy, allow)
    hook.add(guard)
    if scan:
        loaders.wrap()
    try:
        yield
    finally:
        hook.remove(guard)


def _guard(mode: Mode, policy: Path | None, allow: Iterable[str]) -> hook.Guard:
    known = None if policy is None else policies.load(os.fspath(policy))
    return hook.Guard(mode, known, tuple(allow))
