"""What Python 2 called globals.

`find_class` of both unpicklers of CPython maps names of Python 2 while the protocol that the
pickle announced so far is below 3.
"""

from __future__ import annotations

from typing import Final

MAPPED_BELOW: Final = 3


def from_python2(module: str, name: str) -> tuple[str, str]:
    """Module and name as an unpickler with `fix_imports`, the default, looks them up."""
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    found = NAME_MAPPING.get((module, name))
    if found is not None:
        return found
    return IMPORT_MAPPING.get(module, module), name
