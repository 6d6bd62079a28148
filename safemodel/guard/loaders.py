"""Scan before load: the loaders of frameworks, wrapped where a guard is active.

The audit hook sees names that unpicklers look up; a Keras Lambda, a TorchScript program or a chat
template has none. So a file is scanned before its loader opens it. A loader that was imported by
name before the guard was installed is not wrapped: install the guard first.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Final

from safemodel.errors import BlockedError
from safemodel.guard import hook
from safemodel.report.model import FileReport, Report, Severity
from safemodel.scan.names import Tables

# module -> functions in it whose first argument is a path or a file
_LOADERS: Final = {
    "joblib": ("load",),
    "joblib.numpy_pickle": ("load",),
    "keras.models": ("load_model",),
    "keras.saving": ("load_model",),
    "numpy": ("load",),
    "pandas": ("read_pickle",),
    "skops.io": ("load",),
    "tensorflow.saved_model": ("load",),
    "torch": ("load",),
    "torch.export": ("load",),
    "torch.jit": ("load",),
    "torch.serialization": ("load",),
}
# Where users take them from.
_SHOWN: Final = {"joblib.numpy_pickle": "joblib", "torch.serialization": "torch"}
_MARK: Final = "__safemodel_guarded__"


def wrap() -> None:
    """Wrap the loaders of modules that are imported, and of those that will be."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in _LOADERS:
        module = sys.modules.get(name)
        if module is not None:
            _wrap_module(module)


def _wrap_module(module: ModuleType) -> None:
    for name in _LOADERS[module.__name__]:
        loader = getattr(module, name, None)
        if callable(loader) and not hasattr(loader, _MARK):
            shown = _SHOWN.get(module.__name__, module.__name__)
            setattr(module, name, _wrapped(loader, f"{shown}.{name}"))


def _wrapped(loader: Callable[..., Any], called: str) -> Callable[..., Any]:
    @functools.wraps(loader)
    def load(*arguments: Any, **keywords: Any) -> Any:
        if hook.guards():
            source = arguments[0] if arguments else next(iter(keywords.values()), None)
            _check(source, called)
        return loader(*arguments, **keywords)

    setattr(load, _MARK, True)
    return load


def _check(source: object, called: str) -> None:
    """Scan what a loader was given, once for each guard.

    Raises:
        BlockedError: it has findings, or could not be read, and a guard enforces.
    """
    for guard in hook.guards():
        report = _scan(source, guard.tables)
        if report is None or not report.exit_code(Severity.MEDIUM):
            continue
        finding = next(
            (f for f in report.findings if f.severity >= Severity.MEDIUM), report.findings[0]
        )
        name = finding.location.path
        message = f"{called} was stopped: {finding.rule} {finding.message}"
        if guard.mode == "warn":
            warnings.warn(hook.GuardWarning(f"{name}: {message}"), stacklevel=4)
            continue
        raise BlockedError(
            message, path=name, hint=f"run `safemodel scan {name}` for the whole report"
        )


def _scan(source: object, tables: Tables) -> Report | None:
    """A report of a path or an open file; None of what is neither, which loaders refuse too."""
    import safemodel
    from safemodel.scan.engine import scan_bytes
    from safemodel.scan.folder import scan_paths
    from safemodel.scan.rules import RULESET
    from safemodel.scan.single import Settings

    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if not isinstance(path, str) or not os.path.exists(path):
            return None
        return scan_paths([path], Settings(policy=tables.policy), jobs=1)
    data = _read(source)
    if data is None:
        return None
    name = str(getattr(source, "name", "<stream>"))
    file: FileReport = scan_bytes(data, name, names=tables)
    return Report((file,), safemodel.__version__, RULESET)


def _read(source: object) -> bytes | None:
    """All that is left in a file object, which is put back to where it was."""
    if not (hasattr(source, "read") and hasattr(source, "seek") and hasattr(source, "tell")):
        return None
    try:
        position = source.tell()
        data = source.read()
        source.seek(position)
    except (OSError, io.UnsupportedOperation):
        return None
    return data if isinstance(data, bytes) else None


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself: lets the other finders do so, and wraps what they import."""

    def __init__(self) -> None:
        self._busy: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _LOADERS or name in self._busy:
            return None
        self._busy.add(name)
        try:
            for finder in sys.meta_path:
                if finder is self:
                    continue
                find = getattr(finder, "find_spec", None)
                spec = None if find is None else find(name, path, target)
                if spec is not None:
                    break
            else:
                return None
        finally:
            self._busy.discard(name)
        if isinstance(spec.loader, importlib.abc.Loader):
            spec.loader = _Loader(spec.loader)
        found: importlib.machinery.ModuleSpec = spec
        return found


class _Loader(importlib.abc.Loader):
    """Imports a module as its own loader does, and wraps what is in it."""

    def __init__(self, inner: importlib.abc.Loader) -> None:
        self._inner = inner

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        _wrap_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
