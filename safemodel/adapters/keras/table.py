"""The closed table of what a Keras configuration may name: classes, arguments, functions.

`classes.txt` beside this module is the table; this module reads it, and imports no Keras. Its
sections:

    [arguments]                 SPEC: NAME ...           how arguments of these names are checked
    [ROLE MODULE] NAME ...      CLASS: NAME NAME=SPEC    classes, with the arguments that all have
    [strings ROLE]              NAME ...                 strings that stand for an object
    [functions ROLE MODULE]     NAME ...                 functions

A line that begins with a space goes on with the one before. How to write a SPEC: `specs.py`. A
class has the arguments of its line and of its section, and no others. Implements spec/keras.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from safemodel.adapters.keras.specs import Spec, parse

_FILE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "classes.txt")


@dataclass(frozen=True, slots=True)
class Class:
    """A class that a configuration may name, and a spec for each argument."""

    module: str
    name: str
    role: str
    arguments: Mapping[str, Spec]

    @property
    def qualified(self) -> str:
        """The name in messages."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Table:
    """All of `classes.txt`.

    `classes` are by module and name; `strings` are by role; `functions` by role, then by name,
    with the modules that have them.
    """

    classes: Mapping[tuple[str, str], Class]
    strings: Mapping[str, frozenset[str]]
    functions: Mapping[str, Mapping[str, frozenset[str]]]


@cache
def table() -> Table:
    """Read the table, once."""
    reader = _Reader()
    with open(_FILE, encoding="utf-8") as file:
        for line in _joined(file):
            reader.line(line)
    return Table(reader.classes, reader.frozen_strings(), reader.functions)


def _joined(lines: Iterator[str]) -> Iterator[str]:
    """The lines without comments, those that go on put together."""
    whole = ""
    for line in lines:
        if line.startswith(" "):
            whole += line.rstrip("\n")
            continue
        if whole:
            yield whole
        whole = "" if line.startswith("#") else line.rstrip("\n")
    if whole:
        yield whole


class _Reader:
    """The table in the making."""

    def __init__(self) -> None:
        self.classes: dict[tuple[str, str], Class] = {}
        self.strings: dict[str, set[str]] = {}
        self.functions: dict[str, dict[str, frozenset[str]]] = {}
        self._usual: dict[str, Spec] = {}
        self._head: list[str] = []
        self._common: list[str] = []

    def frozen_strings(self) -> dict[str, frozenset[str]]:
        """The strings of each role."""
        return {role: frozenset(names) for role, names in self.strings.items()}

    def line(self, line: str) -> None:
        """One line, with those that go on with it."""
        if line.startswith("[") and ":" not in line:
            head, _, common = line[1:].partition("]")
            self._head, self._common = head.split(), common.split()
        elif self._head == ["arguments"]:
            spec, _, names = line.partition(": ")
            self._usual |= dict.fromkeys(names.split(), parse(spec))
        elif self._head[0] == "strings":
            self.strings.setdefault(self._head[1], set()).update(line.split())
        elif self._head[0] == "functions":
            _, role, module = self._head
            known = self.functions.setdefault(role, {})
            for name in line.split():
                known[name] = known.get(name, frozenset()) | {module}
        else:
            self._classes(line.split())

    def _classes(self, words: list[str]) -> None:
        role, module = self._head
        given: dict[str, list[str]] = {}
        for word in words:
            if word.endswith(":"):
                latest = given.setdefault(word[:-1], [])
            else:
                latest.append(word)
        for name, arguments in given.items():
            specs = {}
            for argument in (*self._common, *arguments):
                plain, _, spec = argument.partition("=")
                specs[plain] = parse(spec) if spec else self._usual[plain]
            self.classes[module, name] = Class(module, name, role, specs)
