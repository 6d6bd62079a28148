"""Tables that are data, for formats that are no pickles: names of Keras, and operators of graphs.

They are text files beside this module, written by the scripts of `tests/census` and reviewed by
hand: a line `[SECTION]`, then lines of names. Sections of `onnx.txt` are domains, those of
`tensorflow.txt` what an operation does, those of `torch.txt` namespaces. In `keras.txt` they are
`[class] MODULE...` or `[function] MODULE...`, for names that are in all those modules.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

_FOLDER: Final = os.path.dirname(os.path.abspath(__file__))


@cache
def keras(kind: str) -> dict[str, frozenset[str]]:
    """The names of each module; `kind` is "class" or "function"."""
    found: dict[str, frozenset[str]] = {}
    for section, names in _sections("keras").items():
        role, _, modules = section.partition("] ")
        if role == kind:
            for module in modules.split():
                found[module] = found.get(module, frozenset()) | names
    return found


@cache
def keras_anywhere(kind: str) -> frozenset[str]:
    """All names of any module: what configurations without modules may name."""
    return frozenset().union(*keras(kind).values())


def onnx(domain: str) -> frozenset[str]:
    """The operators of a domain; none where nobody has listed them."""
    return _sections("onnx").get(domain, frozenset())


def tensorflow(kind: str) -> frozenset[str]:
    """The operations, or functions, of one kind."""
    return _sections("tensorflow").get(kind, frozenset())


def torch(namespace: str) -> frozenset[str]:
    """The operators of a namespace; none where nobody has listed them."""
    return _sections("torch").get(namespace, frozenset())


@cache
def _sections(name: str) -> dict[str, frozenset[str]]:
    """The names by section."""
    found: dict[str, set[str]] = {}
    names: set[str] = set()
    with open(os.path.join(_FOLDER, f"{name}.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("["):
                names = found.setdefault(line[1:].rstrip("]\n"), set())
            elif not line.startswith("#"):
                names.update(line.split())
    return {section: frozenset(names) for section, names in found.items()}
