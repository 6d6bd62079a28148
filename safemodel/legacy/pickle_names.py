"""The names of globals: what Python 2 called them, and the parts of dotted ones.

`find_class` of both unpicklers of CPython maps names of Python 2 while the protocol that the
pickle announced so far is below 3, and takes a dotted name apart from protocol 4 on.
"""

from __future__ import annotations

from typing import Final

MAPPED_BELOW: Final = 3
DOTTED_FROM: Final = 4


def from_python2(module: str, name: str) -> tuple[str, str]:
    """Module and name as an unpickler with `fix_imports`, the default, looks them up."""
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    found = NAME_MAPPING.get((module, name))
    if found is not None:
        return found
    return IMPORT_MAPPING.get(module, module), name


def split_dotted(name: str, protocol: int) -> tuple[str, ...]:
    """The attributes that are looked up one in another, beginning at the module."""
    return tuple(name.split(".")) if protocol >= DOTTED_FROM else (name,)
