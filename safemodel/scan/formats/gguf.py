"""GGUF: the numbers that readers in C trust, and the templates among the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy import gguf
from safemodel.legacy.content import View
from safemodel.report.model import Severity
from safemodel.scan.templates import judge_template

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

_MAX_PADDING: Final = 1 << 12
_WEIGHTS: Final = (
    ("SM341", Severity.LOW),
    ("SM341", Severity.MEDIUM),
    ("SM340", Severity.HIGH),
)


def scan(content: Content, scope: Scope) -> bool:
    """Scan a GGUF file."""
    magic = bytes(content.head(4))
    if magic in gguf.OLD_MAGICS:
        raise UnreadableError(
            "a GGML file of before GGUF", hint="convert it to GGUF in a sandbox, and scan that"
        )
    if magic != gguf.MAGIC:
        return False
    data = content.view()
    facts = gguf.parse_gguf(data, spend=lambda _: scope.budget.check_time())
    for oddity in facts.oddities:
        rule, severity = _WEIGHTS[oddity.weight]
        scope.find(rule, oddity.message, offset=oddity.offset, severity=severity)
    for template in facts.templates:
        judge_template(template.text, scope, name=template.key, offset=template.offset)
        if template.size > gguf.MAX_TEXT:
            scope.unread(BudgetError(f"{template.key} has {template.size} bytes"))
    _hidden(facts, scope)
    if facts.damage is not None:
        raise facts.damage
    if facts.end > len(data):
        raise DamagedError(
            f"ends {facts.end - len(data)} bytes before its tensors do", offset=len(data)
        )
    _trailing(data, facts.end, scope)
    return True


def _hidden(facts: gguf.GgufFacts, scope: Scope) -> None:
    """A single template that is there twice: a reader takes one of them."""
    keys = [key for key in facts.keys if key.startswith("tokenizer.chat_template")]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        scope.find("SM505", f"{key} occurs twice", evidence=[("key", key)])


def _trailing(data: memoryview, end: int, scope: Scope) -> None:
    """What follows the last tensor, but for padding."""
    padding = bytes(data[end : end + _MAX_PADDING])
    start = end + len(padding) - len(padding.lstrip(b"\x00"))
    if start == len(data):
        return
    rest = data[start:]
    scope.find("SM346", f"{len(rest)} bytes follow the last tensor", offset=start, length=len(rest))
    scope.scan("<trailing>", View(rest))
