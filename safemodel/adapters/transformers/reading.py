"""Which names the code of a model reads of its configuration.

What is left out of a configuration and is read nowhere changes nothing; what is read might be the
size of a head. The library often reads what no class declares: `getattr(config, "head_dim", ...)`.
Only a save asks; the names come from the sources of the installed library, parsed and not run.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from typing import Any, Final

_READERS: Final = ("getattr", "hasattr")


def reads(model: Any, name: str) -> bool:
    """Whether the module of a model's class, or one that it takes something from, reads a field."""
    return any(name in _names(module) for module in _modules(type(model).__module__))


@cache
def _modules(name: str) -> tuple[str, ...]:
    found = {name}
    for value in vars(sys.modules[name]).values():
        place = getattr(value, "__module__", None)
        if isinstance(place, str) and place.startswith("transformers.") and place in sys.modules:
            found.add(place)
    return tuple(sorted(found))


@cache
def _names(module: str) -> frozenset[str]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, SyntaxError, TypeError):
        return frozenset()  # the library is there without its sources
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_config(node.value):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and len(node.args) > 1:
            called, (owner, named) = node.func, node.args[:2]
            if (
                isinstance(called, ast.Name)
                and called.id in _READERS
                and _is_config(owner)
                and isinstance(named, ast.Constant)
            ):
                found.add(str(named.value))
    return frozenset(found)


def _is_config(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return isinstance(name, str) and name.endswith("config") and not name.startswith("generation")
