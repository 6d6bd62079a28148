"""JSON texts: configurations of Transformers, Diffusers, Sentence-Transformers, PEFT, Keras ...

Most JSON is none of that, and vocabularies of tokenizers have tens of megabytes: a text is parsed
only if a name that matters is in it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy import json_text
from safemodel.legacy.keras_config import looks_like_keras
from safemodel.scan import configs
from safemodel.scan.formats.text import beginning, judge_also_as_template

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

_SMALL: Final = 1 << 16


def scan(content: Content, scope: Scope) -> bool:
    """Scan a configuration."""
    if not json_text.looks_like_json(content.head(4096)):
        return False
    data = beginning(content, json_text.MAX_SIZE)
    marked = _is_marked(data)
    if not marked and (len(data) > _SMALL or not _is_known(data)):
        return False
    if len(data) > json_text.MAX_SIZE:
        raise BudgetError(f"JSON of more than {json_text.MAX_SIZE} bytes")
    try:
        text = json_text.parse(data)
    except DamagedError as error:
        if "extra data" in error.message or not marked:
            return False  # lines of JSON are data, and nobody's configuration
        raise
    fits = _judge(text, scope, marked=marked)
    if fits:
        judge_also_as_template(data, scope)
    return fits


def _judge(text: json_text.JsonText, scope: Scope, *, marked: bool) -> bool:
    value = text.value
    if isinstance(value, dict) and "irVersion" in value and "graph" in value:
        raise UnreadableError(
            "an ONNX model as JSON", hint="convert it to ONNX's own format, and scan that"
        )
    if marked and looks_like_keras(value):
        from safemodel.scan.keras_rules import judge_config

        judge_config(text, scope)
    configs.judge_text(text, scope)
    if text.encoding not in ("utf-8", "utf-8-sig") and marked:
        scope.find("SM513", f"is in {text.encoding}, which only some parsers read")
    return marked or (isinstance(value, dict) and bool(value.keys() & configs.CONFIGURATIONS))


def _is_marked(data: bytes) -> bool:
    """Whether a name that matters may be in it."""
    if not json.detect_encoding(data).startswith("utf-8"):
        return True
    # Letters can be written as \\u0061; but who does, in so many letters?
    if b"\\u00" in data and _has_escaped_letters(data):
        return True
    if any(mark in data for mark in configs.MARKS):
        return True
    return b'"idx"' in data and b'"type"' in data


def _has_escaped_letters(data: bytes) -> bool:
    return any(b"\\u00%x" % high in data for high in (4, 5, 6, 7))


def _is_known(data: bytes) -> bool:
    return any(f'"{key}"'.encode() in data for key in configs.CONFIGURATIONS)
