"""safetensors, of any writer: a header that the stock reader would take, and nothing besides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy import json_text, safetensors_file
from safemodel.legacy.content import View
from safemodel.report.model import Severity

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope


MAX_TARGETS: Final = 100
_TARGET: Final = re.compile(r"""_target_["']\s*:\s*["']([\w.]+)\.(\w+)["']""")


def scan(content: Content, scope: Scope) -> bool:
    """Scan a safetensors file."""
    if not safetensors_file.looks_like_safetensors(content.head(4096)):
        return False
    data = content.view()
    facts = safetensors_file.parse_safetensors(data)
    for oddity in facts.oddities:
        severity = Severity.LOW if oddity.minor else Severity.MEDIUM
        scope.find("SM345", oddity.message, offset=oddity.offset, severity=severity)
    for _, text in facts.metadata:
        _judge_metadata(text, scope)
    rest = data[facts.end :]
    if rest:
        scope.find(
            "SM346", f"{len(rest)} bytes follow the last tensor", offset=facts.end, length=len(rest)
        )
        scope.scan("<trailing>", View(rest))
    return True


def _judge_metadata(text: str, scope: Scope) -> None:
    """A configuration among the metadata, as JSON or as Python's own spelling.

    Hydra builds what it names: CVE-2025-23304, CVE-2026-22584.
    """
    if "_target_" not in text and "auto_map" not in text:
        return
    from safemodel.scan import configs
    from safemodel.scan.imports import judge_import

    try:
        configs.judge_text(json_text.parse(text.encode("utf-8", "surrogatepass")), scope)
    except LegacyError:
        for module, name in list(dict.fromkeys(_TARGET.findall(text)))[:MAX_TARGETS]:
            judge_import(module, name, "_target_", scope, unknown=Severity.MEDIUM)
