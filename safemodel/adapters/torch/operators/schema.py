"""The schemas of operators, as PyTorch writes them: parsed from rows of the table.

A row is the text that `torch._C.FunctionSchema` prints, without its namespace, and after a bar what
its arguments mean where their names don't say it: `eye(SymInt n, ...) -> Tensor | n=sizes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from safemodel.errors import ArchitectureError

# Tensor(a!)[]?, int[2]?, SymInt, Scalar? ...
_TYPE: Final = re.compile(
    r"(?P<base>[A-Za-z]+)(?:\((?P<alias>[^)]*)\))?(?P<inner>\?)?"
    r"(?P<list>\[(?P<length>\d*)\])?(?P<outer>\?)?"
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of arguments: `base` or a list of it; with a `length`, one item stands for all."""

    base: str
    many: bool = False
    optional: bool = False
    optional_items: bool = False
    length: int | None = None
    written: bool = False

    def __str__(self) -> str:
        items = self.base + "?" * self.optional_items
        listed = f"[{self.length or ''}]" if self.many else ""
        return items + listed + "?" * self.optional


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: name, type, whether it can be left out or is given by keyword, and its role."""

    name: str
    kind: Kind
    required: bool
    keyword: bool
    role: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """Arguments in order, and how many values come back."""

    text: str
    arguments: tuple[Argument, ...]
    outputs: int


def kind(text: str) -> Kind:
    """Parse a type.

    Raises:
        ArchitectureError: it is none that schemas of tensors and plain values consist of.
    """
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ArchitectureError(f"not a type of an operator's argument: {text!r:.60}")
    many, inner, outer = match["list"] is not None, bool(match["inner"]), bool(match["outer"])
    return Kind(
        match["base"],
        many,
        optional=outer if many else inner or outer,
        optional_items=many and inner,
        length=int(match["length"]) if match["length"] else None,
        written="!" in (match["alias"] or ""),
    )


def pieces(text: str) -> list[str]:
    """Split at the commas that are in no brackets or quotation marks."""
    found, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(text):
        if char in "'\"":
            quoted = not quoted
        elif not quoted:
            depth += (char in "([") - (char in ")]")
            if char == "," and depth == 0:
                found.append(text[start:at].strip())
                start = at + 1
    last = text[start:].strip()
    return [*found, last] if last else found


def _argument(text: str, keyword: bool, roles: dict[str, str]) -> Argument:
    declared, equals, _default = text.partition("=")
    type_text, _, name = declared.rpartition(" ")
    if not _NAME.fullmatch(name):
        raise ArchitectureError(f"not an operator's argument: {text!r:.60}")
    parsed = kind(type_text)
    return Argument(name, parsed, not equals, keyword, roles.get(name, ""))


def _closing(text: str, opened: int) -> int:
    """Where the bracket that opens there is closed; below zero if it is not."""
    depth = 0
    for at in range(max(opened, 0), len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return -1


def parse(text: str, roles: dict[str, str]) -> Signature:
    """Parse a schema without its namespace; `roles` are those of arguments, by name.

    Raises:
        ArchitectureError: it is not a schema.
    """
    opened = text.find("(")
    closed = _closing(text, opened)
    head, returned = text[: closed + 1], text[closed + 1 :].removeprefix(" -> ")
    if opened < 1 or closed < 0 or not text.startswith(" -> ", closed + 1):
        raise ArchitectureError(f"not the schema of an operator: {text!r:.60}")
    arguments: list[Argument] = []
    keyword = False
    for piece in pieces(head[opened + 1 : -1]):
        if piece == "*":
            keyword = True
        else:
            arguments.append(_argument(piece, keyword, roles))
    several = returned.startswith("(") and returned.endswith(")")
    outputs = len(pieces(returned[1:-1])) if several else 1
    return Signature(text, tuple(arguments), outputs)


def rows(table: str) -> list[tuple[str, dict[str, str]]]:
    """Split a table into schemas and the roles that they give; indented lines continue one."""
    lines: list[str] = []
    for line in table.strip().splitlines():
        if line.startswith(" "):
            lines[-1] += line[1:]
        else:
            lines.append(line)
    found = []
    for line in lines:
        text, _, said = line.partition(" | ")
        found.append((text, dict(word.split("=", 1) for word in said.split())))
    return found
