"""Pickles put together by hand, opcode by opcode, and what the scanner says of them."""

from __future__ import annotations

import struct

from safemodel.legacy.content import View
from safemodel.report.model import Finding, Severity
from safemodel.scan.budget import DEFAULT_LIMITS, Budget, Limits
from safemodel.scan.formats import pickle as handler
from safemodel.scan.names import Tables
from safemodel.scan.scope import Scope

PROTO = b"\x80\x04"
STOP = b"."
MARK = b"("
TUPLE = b"t"
NOTHING = b")"  # the empty tuple
REDUCE = b"R"
NEWOBJ = b"\x81"
NEWOBJ_EX = b"\x92"
BUILD = b"b"
POP = b"0"
NONE = b"N"


def text(value: str) -> bytes:
    """A string."""
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """An integer of four bytes."""
    return b"J" + struct.pack("<i", value)


def raw(value: bytes) -> bytes:
    """Bytes."""
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, qualified: str) -> bytes:
    """A global, by STACK_GLOBAL."""
    return text(module) + text(qualified) + b"\x93"


def old_name(module: str, qualified: str) -> bytes:
    """A global, by GLOBAL."""
    return f"c{module}\n{qualified}\n".encode()


def values(*items: bytes) -> bytes:
    """A tuple."""
    return MARK + b"".join(items) + TUPLE


def listed(*items: bytes) -> bytes:
    """A list."""
    return b"](" + b"".join(items) + b"e"


def pairs(*items: bytes) -> bytes:
    """A dictionary of alternating keys and values."""
    return b"}(" + b"".join(items) + b"u"


def put(index: int) -> bytes:
    """Memoize what is on the stack."""
    return b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    """What was memoized."""
    return b"j" + struct.pack("<I", index)


def call(callee: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return callee + values(*arguments) + REDUCE


def make(callee: bytes, *arguments: bytes) -> bytes:
    """NEWOBJ."""
    return callee + values(*arguments) + NEWOBJ


def whole(*parts: bytes) -> bytes:
    """A pickle of these."""
    return PROTO + b"".join(parts) + STOP


def scan(
    data: bytes, names: Tables | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[bool, list[Finding]]:
    """Whether it is a pickle, and the findings. What is nested is read as a pickle, too."""
    scope = Scope(
        "x.pkl",
        Budget(limits, len(data)),
        names or Tables(),
        lambda content, inner, formats: handler.scan(content, inner),
    )
    return handler.scan(View(data), scope), scope.record.findings


def found(data: bytes, names: Tables | None = None) -> dict[str, Severity]:
    """The rules that fire, and how severe their worst findings are."""
    rules: dict[str, Severity] = {}
    for finding in scan(data, names)[1]:
        rules[finding.rule] = max(finding.severity, rules.get(finding.rule, Severity.INFO))
    return rules


def worst(data: bytes, names: Tables | None = None) -> Severity | None:
    """The highest severity, apart from what could not be read."""
    findings = [finding for finding in scan(data, names)[1] if not finding.unread]
    return max((finding.severity for finding in findings), default=None)
