"""The audit hook: from the event `pickle.find_class` to a decision.

The event has the module and name as the pickle has them: names of Python 2 are not yet mapped, and
dotted names not yet taken apart. It does not tell what is called with what, so only names that are
harmless in any use pass (`Tables.harmless`).
"""

from __future__ import annotations

import sys
import warnings
from typing import Final

from safemodel.errors import BlockedError, UsageError
from safemodel.guard.processes import between_processes
from safemodel.legacy.pickle_names import from_python2
from safemodel.scan.names import Tables
from safemodel.scan.policy import Policy, allowing

_EVENT: Final = "pickle.find_class"
_MODES: Final = frozenset({"enforce", "warn"})


class GuardWarning(UserWarning):
    """What a guard in the mode `warn` says instead of stopping a load."""


class Guard:
    """One guard: its mode and its tables."""

    __slots__ = ("_known", "mode", "tables")

    def __init__(self, mode: str, policy: Policy | None, allow: tuple[str, ...]) -> None:
        if mode not in _MODES:
            raise UsageError(f"a guard's mode is enforce or warn, and not {mode!r}")
        self.mode = mode
        self.tables = Tables(policy)
        self._known: set[tuple[str, str]] = set()
        if allow:
            allowed = allowing(policy, allow)
            for module, name in allowed.allowed:
                self._check_allowed(module, name)
            self.tables = Tables(allowed)
        self.tables.harmless("builtins", "int")  # reads what the hook would have to read

    def _check_allowed(self, module: str, name: str) -> None:
        known = self.tables.lookup(module, name)
        if known is not None and not known.harmless:
            raise UsageError(
                f"{module}.{name} can't be allowed: it is harmless with some arguments only, and "
                "the guard does not see them"
            )

    def permits(self, module: str, name: str) -> bool:
        """Whether any use of the name is harmless."""
        if (module, name) in self._known:
            return True
        # The event does not tell the protocol: the name must be harmless as it is, or be no name
        # of Python 3 at all and harmless as what Python 2 called so.
        if self.tables.harmless(module, name) or self._harmless_in_python_2(module, name):
            self._known.add((module, name))
            return True
        return False

    def _harmless_in_python_2(self, module: str, name: str) -> bool:
        mapped = from_python2(module, name)
        return mapped != (module, name) and self.tables.harmless(*mapped)

    def message(self, module: str, name: str) -> str:
        """Why a name does not pass."""
        found = self.tables.danger(module, name) or self.tables.danger(*from_python2(module, name))
        why = f"it {found.reason}" if found else "no table knows it to be harmless in every use"
        return f"stopped unpickling of {module}.{name}: {why}"


_guards: list[Guard] = []
_hooked: list[bool] = []


def add(guard: Guard) -> None:
    """Let a guard count from now on."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_audit)
    _forget_extensions()
    _guards.append(guard)


def remove(guard: Guard) -> None:
    """Let it count no longer."""
    _guards.remove(guard)


def guards() -> tuple[Guard, ...]:
    """Those that count."""
    return tuple(_guards)


def _forget_extensions() -> None:
    """Objects that copyreg has cached for extension codes are used without an event."""
    import copyreg

    copyreg.clear_extension_cache()


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event != _EVENT or not _guards:
        return
    module, name = arguments
    if not (isinstance(module, str) and isinstance(name, str)):
        raise BlockedError("stopped unpickling of a name that is no text")
    for guard in guards():
        if guard.permits(module, name):
            continue
        if between_processes(sys._getframe(1)):
            return
        _refuse(guard, module, name)


def _refuse(guard: Guard, module: str, name: str) -> None:
    message = guard.message(module, name)
    if guard.mode == "warn":
        warnings.warn(GuardWarning(message), stacklevel=3)
        return
    raise BlockedError(
        message,
        hint="look at the file with `safemodel scan`; a class of your own can be allowed: "
        f'safemodel.guard.install(allow=["{module}.{name}"])',
    )
