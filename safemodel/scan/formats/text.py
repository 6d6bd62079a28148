"""Texts that some loader renders or imports by: Jinja templates, YAML with Python in it.

By content alone: a template is one of chats if it reads what a chat's renderer gives it. Of other
templates (of web pages, say) only what leads to Python's classes is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy.jinja_tables import GADGET_CALLS, GADGETS
from safemodel.report.model import Severity
from safemodel.scan.templates import report_template

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.legacy.jinja import Template
    from safemodel.scan.scope import Scope

MAX_YAML: Final = 16 << 20
MAX_TAGS: Final = 100

# `!!python/name:os.system`, also as `!<tag:yaml.org,2002:python/name:os.system>`.
_TAG: Final = re.compile(rb"[!:]python/([a-z_/]+):?([\w.]*)")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_DIRECTIVE: Final = re.compile(rb"^%TAG\s+\S+\s+tag:yaml\.org,2002:", re.MULTILINE)
_LOADER: Final = re.compile(rb"""["']?loader_module["']?\s*:\s*["']?([^\s"',}]{1,200})""")
_COMMON: Final = GADGET_CALLS - GADGETS
# Tags of plain values: they make nothing but what safe_load would make, or a tuple.
_PLAIN: Final = frozenset(
    (
        *("bool", "bytes", "complex", "dict", "float", "int", "list"),
        *("long", "none", "str", "tuple", "unicode"),
    )
)


class Text:
    """The handler of texts of one kind."""

    __slots__ = ("scan",)

    def __init__(self, scan: Callable[[Content, Scope], bool]) -> None:
        self.scan = scan


def beginning(content: Content, limit: int) -> bytes:
    """The first bytes of a content: all of it, where they are not more than `limit`.

    Raises:
        LegacyError: a stream ended early.
    """
    if content.size is not None:
        return bytes(content.view()[: limit + 1])
    reader = content.reader()
    found = bytes(reader.peek(limit + 1))
    if reader.error is not None:
        raise reader.error
    return found


def _jinja(content: Content, scope: Scope) -> bool:
    from safemodel.legacy import jinja as parser

    raw = beginning(content, 4 * parser.MAX_SIZE)
    if len(raw) > 4 * parser.MAX_SIZE:
        return False
    try:
        text = raw.decode("utf-8-sig")
        template = parser.read(text)
    except (UnicodeDecodeError, LegacyError):
        return False  # nobody can render it
    chat = "messages" in template.variables and ("role" in text or "content" in text)
    if chat and "<html" not in text[:2000].lower() and not _is_json(raw):
        report_template(template, scope)
        return True
    return _report_gadgets(template, scope)


def _report_gadgets(template: Template, scope: Scope) -> bool:
    """Report what leads to Python's classes; whether anything does.

    Members with one underscore are common in templates of other kinds, and calls of any name.
    """
    found = tuple(
        oddity
        for oddity in template.oddities
        if oddity.kind.value in ("gadget", "computed")
        and oddity.name not in _COMMON
        and (oddity.name[:1] != "_" or oddity.name[:2] == "__")
    )
    if found:
        report_template(replace(template, oddities=found), scope)
    return bool(found)


def judge_also_as_template(raw: bytes, scope: Scope) -> None:
    """Report what leads to Python's classes if a text of another format is rendered as it is."""
    if b"__" not in raw or not (b"{{" in raw or b"{%" in raw):
        return
    if any(finding.rule == "SM501" for finding in scope.record.findings):
        return  # it has been told
    from safemodel.legacy import jinja as parser

    with suppress(UnicodeDecodeError, LegacyError):
        _report_gadgets(parser.read(raw[: 4 * parser.MAX_SIZE].decode("utf-8-sig")), scope)


def _is_json(raw: bytes) -> bool:
    from safemodel.legacy import json_text

    try:
        return json_text.looks_like_json(raw) and bool(json_text.parse(raw))
    except LegacyError:
        return False


def _yaml(content: Content, scope: Scope) -> bool:
    """Look for tags that make Python objects, and for the loader of an MLflow model."""
    data = beginning(content, MAX_YAML)
    found = False
    for match in _DIRECTIVE.finditer(data):
        found = True
        scope.find("SM516", "gives YAML's own tags another name", offset=match.start())
    data = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), data)
    for count, match in enumerate(_TAG.finditer(data)):
        if count == MAX_TAGS:
            break
        kind, name = (part.decode("ascii", "replace") for part in match.groups())
        if kind not in _PLAIN:
            found = True
            _judge_tag(kind, name, match.start(), scope)
    if b"flavors:" in data and b"python_function" in data:
        for match in _LOADER.finditer(data):
            found = True
            _judge_loader(match[1].decode("utf-8", "backslashreplace"), match.start(), scope)
    return found


def _judge_tag(kind: str, dotted: str, offset: int, scope: Scope) -> None:
    module, _, name = dotted.rpartition(".")
    entry = scope.names.lookup(module, name)
    if entry is not None and (entry.harmless or kind == "name"):
        return
    danger = scope.names.danger(module, name)
    scope.find(
        "SM516",
        f"the tag python/{kind} names {dotted or 'nothing'}"
        + (f", which {danger.reason}" if danger is not None else ""),
        severity=Severity.CRITICAL if danger is not None else None,
        offset=offset,
        evidence=[("tag", kind), ("name", dotted)],
    )


def _judge_loader(module: str, offset: int, scope: Scope) -> None:
    if module.startswith("mlflow."):
        return
    scope.find(
        "SM511",
        f"loader_module imports {module}, which is none of MLflow's own",
        offset=offset,
        evidence=[("loader_module", module)],
    )


jinja: Final = Text(_jinja)
yaml: Final = Text(_yaml)
