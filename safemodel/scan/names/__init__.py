"""What is known of the names that pickles look up: tables as data, and the user's policy.

`known/PACKAGE.names` lists what is harmless in the uses that it permits, `dangerous.names` what is
known to do harm, to explain it. A name in neither is unknown, and never called harmless. Files are
read when the first name of their package is met. Their language is that of
`safemodel.scan.names.reading`; where the names come from is in docs/names.md.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Final

from safemodel.scan.names.entry import Danger, Entry
from safemodel.scan.names.reading import PARTIAL, read_dangerous, read_known

if TYPE_CHECKING:
    from safemodel.scan.policy import Policy

__all__ = ["Danger", "Entry", "Tables"]

_FOLDER: Final = os.path.dirname(os.path.abspath(__file__))
_KNOWN: Final = os.path.join(_FOLDER, "known")
_STANDARD: Final = "python"  # the file of all modules of the standard library
_SUFFIX: Final = ".names"
_NOTHING: Final[dict[str, Entry]] = {}

# Modules of Python 2 that have other names now: what asks for them is as suspicious.
_PYTHON_2: Final = frozenset(
    {"__builtin__", "copy_reg", "commands", "cPickle", "cStringIO", "StringIO", "popen2"}
)

# A file's names, by module. Shared: tables are read once in a process, and never changed.
_packages: dict[str, dict[str, dict[str, Entry]]] = {}
_partial: set[str] = set()  # files that do not have all the names that models use


class Tables:
    """The tables, with a user's policy over them.

    Args:
        policy: what a user allows and denies; it counts before the tables.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy

    @cached_property
    def _files(self) -> frozenset[str]:
        # From the folder, not from the name in question: that is a stranger's text.
        return frozenset(
            name.removesuffix(_SUFFIX) for name in os.listdir(_KNOWN) if name.endswith(_SUFFIX)
        )

    def _package(self, module: str) -> str:
        """The file that a module's names would be in; "" if no file is about its package."""
        root = module.partition(".")[0]
        if root in self._files:
            return root
        if root in sys.stdlib_module_names or root in _PYTHON_2:
            return _STANDARD
        return ""

    def lookup(self, module: str, name: str) -> Entry | None:
        """What makes a name harmless, and in which uses; None if nothing is known to.

        A name is exact: `module` and `name` as the unpickler gets them.
        """
        if self.policy is not None:
            if self.policy.denies(module, name) is not None:
                return None
            allowed = self.policy.allows(module, name)
            if allowed is not None:
                return allowed
        package = self._package(module)
        if not package:
            return None
        found = _load(package)
        entry = found.get(module, _NOTHING).get(name)
        if entry is None and "." in name:
            entry = found.get("*", _NOTHING).get(name.rpartition(".")[2])
        return entry

    def danger(self, module: str, name: str) -> Danger | None:
        """What a name that is known to be dangerous does; None if it isn't known.

        A dotted name is looked up by what any end of it could be: what the unpickler gets by
        `numpy` and `f2py.os.system` is `os.system`.
        """
        if self.policy is not None:
            denied = self.policy.denies(module, name)
            if denied is not None:
                return Danger("denied", denied)
        table = _dangers()
        found = table.lookup(module, name)
        if found is not None or "." not in name:
            return found
        parts = f"{module}.{name}".split(".")[-16:]
        for start in range(len(parts) - 1):
            for end in range(start + 1, len(parts)):
                found = table.lookup(".".join(parts[start:end]), parts[end])
                if found is not None:
                    return found
        return None

    def harmless(self, module: str, name: str) -> bool:
        """Whether any use of a name is harmless, whatever it is called with.

        For the guard, which sees names and no calls; arguments are what other harmless names made.
        """
        entry = self.lookup(module, name)
        return entry is not None and entry.harmless

    def covers(self, module: str) -> bool:
        """Whether there is a list of all names that models use from this module's package."""
        package = self._package(module)
        if package:
            _load(package)
        return bool(package) and package not in _partial


def _load(package: str) -> dict[str, dict[str, Entry]]:
    found = _packages.get(package)
    if found is None:
        text = _read(_KNOWN, package + _SUFFIX)
        found = _packages[package] = read_known(text)
        if PARTIAL in text.splitlines():
            _partial.add(package)
    return found


def _read(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


class _Dangers:
    """The table of dangerous names: exact ones, and modules with all that is in them."""

    def __init__(self, text: str) -> None:
        self._exact, self._modules = read_dangerous(text)

    def lookup(self, module: str, name: str) -> Danger | None:
        found = self._exact.get((module, name))
        while found is None and module:
            found = self._modules.get(module)
            module = module.rpartition(".")[0]
        return found


_table: list[_Dangers] = []


def _dangers() -> _Dangers:
    if not _table:
        _table.append(_Dangers(_read(_FOLDER, "dangerous.names")))
    return _table[0]
