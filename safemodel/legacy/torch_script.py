"""TorchScript source, as far as it tells which operators it calls.

The code in an archive of `torch.jit.save` is compiled by PyTorch's own C++ parser; it can call
operators (`torch.NAME`, which is aten::NAME, and `ops.NAMESPACE.NAME`), classes of the archive
(`__torch__.…`) and C++ classes (`__torch__.torch.classes.NAMESPACE.NAME`), nothing else. So the
names in it, found by the same lexical rules (torch/csrc/jit/frontend/lexer.h), are what it can do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError

_TOKEN: Final = re.compile(
    rb"(?P<space>[ \t\r\n\f\v]+|\\\r?\n|#[^\n]*)"
    rb"|(?P<string>'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\""
    rb"|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
    rb"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[jJ]?)"
    rb"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    rb"|(?P<sign>[-+*/%@&|^~<>=!()\[\]{},:;.$?])",
    re.DOTALL,
)
_ROOTS: Final = frozenset({b"torch", b"ops"})


@dataclass(frozen=True, slots=True)
class Operator:
    """A name that the code refers to.

    Attributes:
        namespace, name: such as ("aten", "relu"); name is empty where the code takes the whole
            namespace as a value, and namespace too where it takes `torch` or `ops` itself.
        offset: of the name.
    """

    namespace: str
    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class ScriptNames:
    """All names of a source, each once.

    Attributes:
        classes: C++ classes, such as `quantized.LinearPackedParamsBase`.
    """

    operators: tuple[Operator, ...]
    classes: tuple[tuple[str, int], ...]


def parse_script(data: memoryview | bytes) -> ScriptNames:
    """The names in a source.

    Raises:
        DamagedError: it has a token that the language does not.
    """
    operators: dict[tuple[str, str], int] = {}
    classes: dict[str, int] = {}
    for parts, offset in _dotted_names(data):
        if parts[0] == "torch":
            operators.setdefault(("aten", parts[1] if len(parts) > 1 else ""), offset)
        elif parts[0] == "ops":
            padded = (*parts[1:3], "", "")
            operators.setdefault((padded[0], padded[1]), offset)
        elif parts[:3] == ("__torch__", "torch", "classes"):
            classes.setdefault(".".join(parts[3:5]), offset)
    return ScriptNames(
        tuple(Operator(*names, offset) for names, offset in operators.items()),
        tuple(classes.items()),
    )


def _dotted_names(data: memoryview | bytes) -> list[tuple[tuple[str, ...], int]]:
    """Every name that does not follow a dot, with what follows it after dots."""
    found: list[tuple[tuple[str, ...], int]] = []
    parts: list[str] = []
    start = 0
    dotted = False  # the token before is a dot
    for kind, text, offset in _tokens(data):
        if kind == "name" and dotted:
            if parts:
                parts.append(text)
        elif kind == "name":
            if parts:
                found.append((tuple(parts), start))
            parts, start = [text], offset
        elif text != ".":
            if parts:
                found.append((tuple(parts), start))
            parts = []
        dotted = text == "."
    if parts:
        found.append((tuple(parts), start))
    return found


def _tokens(data: memoryview | bytes) -> list[tuple[str, str, int]]:
    tokens: list[tuple[str, str, int]] = []
    at = 0
    while at < len(data):
        match = _TOKEN.match(data, at)
        if match is None:
            raise DamagedError("a character that TorchScript does not have", offset=at)
        kind = match.lastgroup or ""
        if kind != "space":
            text = str(match.group(), "ascii") if kind in ("name", "sign") else ""
            tokens.append((kind, text, at))
        at = match.end()
    return tokens
