"""safetensors, of any writer: a header that the stock reader would take, and nothing besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.legacy import safetensors_file
from safemodel.legacy.content import View
from safemodel.report.model import Severity

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope


def scan(content: Content, scope: Scope) -> bool:
    """Scan a safetensors file."""
    if not safetensors_file.looks_like_safetensors(content.head(4096)):
        return False
    data = content.view()
    facts = safetensors_file.parse_safetensors(data)
    for oddity in facts.oddities:
        severity = Severity.LOW if oddity.minor else Severity.MEDIUM
        scope.find("SM345", oddity.message, offset=oddity.offset, severity=severity)
    rest = data[facts.end :]
    if rest:
        scope.find(
            "SM346", f"{len(rest)} bytes follow the last tensor", offset=facts.end, length=len(rest)
        )
        scope.scan("<trailing>", View(rest))
    return True
