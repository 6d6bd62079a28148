"""Tables that are data, for formats that are no pickles: names of Keras, operations of TensorFlow.

They are text files beside this module, written by the scripts of `tests/census` and reviewed by
hand. `keras.txt`: a line `[class] MODULE...` or `[function] MODULE...`, then a line with the names
that are in all those modules. `tensorflow.txt`: a line `[KIND]`, then lines of names.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

_FOLDER: Final = os.path.dirname(os.path.abspath(__file__))


@cache
def keras(kind: str) -> dict[str, frozenset[str]]:
    """The names of each module; `kind` is "class" or "function"."""
    found: dict[str, set[str]] = {}
    modules: list[str] = []
    for line in _lines("keras.txt"):
        if line.startswith("["):
            section, _, rest = line.partition(" ")
            modules = rest.split() if section == f"[{kind}]" else []
            continue
        names = line.split()
        for module in modules:
            found.setdefault(module, set()).update(names)
    return {module: frozenset(names) for module, names in found.items()}


@cache
def keras_anywhere(kind: str) -> frozenset[str]:
    """All names of any module: what configurations without modules may name."""
    return frozenset(name for names in keras(kind).values() for name in names)


@cache
def tensorflow(kind: str) -> frozenset[str]:
    """The names of one kind."""
    found: set[str] = set()
    taken = False
    for line in _lines("tensorflow.txt"):
        if line.startswith("["):
            taken = line == f"[{kind}]"
        elif taken:
            found.update(line.split())
    return frozenset(found)


def _lines(name: str) -> list[str]:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
