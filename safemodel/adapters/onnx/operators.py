"""The closed table of operators: by domain, with those left out that reach beyond the model.

An operator that is not listed is refused, unless the caller allows its domain. Listed are those
that ONNX 1.23 defines and that ONNX Runtime 1.31 has built in; not listed, though built in:

- `EPContext` and `Snpe` load a compiled program, from a file that the model names or from a blob;
- `MemcpyFromHost`, `MemcpyToHost` and the domains `com.microsoft.nchwc` and `com.ms.internal.nhwc`
  are made by ONNX Runtime's own optimizers, and nothing checks what a model says with them;
- `PyOp`, `PythonOp`, `ATen` and whatever else builds with training or Python have: they call code.

Implements spec/onnx.md, "Operators".
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from safemodel.adapters.onnx.wire import Message
from safemodel.errors import NotAllowedError

MAIN: Final = "ai.onnx"
_TABLE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operators.txt")
_ALLOW: Final = "onnx-domain:"


@cache
def table() -> dict[str, frozenset[str]]:
    """The operators of each domain."""
    found: dict[str, set[str]] = {}
    names: set[str] = set()
    with open(_TABLE, encoding="utf-8") as file:
        for line in file:
            if line.startswith("["):
                names = found.setdefault(line[1:].rstrip("]\n"), set())
            elif not line.startswith("#"):
                names.update(line.split())
    return {domain: frozenset(names) for domain, names in found.items()}


def domain_of(message: Message) -> str:
    """The domain of a node, a function or an operator set; the empty one is `ai.onnx`."""
    return message.get("domain", "") or MAIN


def is_listed(domain: str, name: str) -> bool:
    """Whether the table has the operator."""
    return name in table().get(domain, ())


def permit(domain: str) -> str:
    """What a caller writes to allow the operators of a domain."""
    return _ALLOW + domain


def check_allowed(domain: str, name: str, allow: frozenset[str]) -> None:
    """Refuse an operator that the table does not have, unless the caller allows its domain.

    Raises:
        NotAllowedError: the hint says what to write.
    """
    if permit(domain) in allow:
        return
    known = "is not in the table" if domain in table() else "is of a domain that is not known here"
    raise NotAllowedError(
        f"the operator {domain}::{name:.100} {known}: it could be a library of its own that reads "
        "files or runs code",
        hint=f"if you trust it: allow=[{permit(domain)!r}]",
    )
