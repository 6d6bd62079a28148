"""All rules, by id (spec/rules.md is written from this table).

A rule lives in the module of its family; ids are never used again for something else.
"""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule
from safemodel.scan.rules import (
    containers,
    graphs,
    keras,
    loaders,
    onnx,
    pickle,
    text,
    unread,
    weights,
)

# Part of every cache key: raise it when a change of rules or tables may change a report.
RULESET: Final = "2026.11.4"

RULES: Final[dict[str, Rule]] = {
    rule.id: rule
    for family in (containers, graphs, keras, loaders, onnx, pickle, text, unread, weights)
    for rule in family.RULES
}
