"""Writes rules.md from the table of rules: `python spec/render_rules.py`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from safemodel.report.model import Rule, Severity  # noqa: E402
from safemodel.scan.rules import RULES, RULESET  # noqa: E402

FAMILIES = {
    "1": "Pickle, and what is built on it",
    "2": "Keras and HDF5",
    "3": "Graphs and tensor files",
    "4": "Containers",
    "5": "Text, templates and folders",
    "9": "Unread",
}
INTRODUCTION = f"""\
# Rules

What `safemodel scan` reports. This page is written from the tables in
[`safemodel/scan/rules/`](../safemodel/scan/rules/) by [render_rules.py](render_rules.py); a test
compares them. Ids are stable: none is ever used for something else. Rule set {RULESET}.

| severity | meaning |
|---|---|
| critical | runs a known way to execute commands, read, write or connect |
| high | would run code of the file's choice, or can hide that it does |
| medium | something that no table knows, or that a stranger should not do |
| low | unusual, and harmless as far as it was read |
| info | worth knowing |
| unread | something could not be read: exit code 2 ([cli.md](cli.md), "Exit codes") |

A finding may have another severity than its rule, where its message says why. `--fail-on` compares
that of the finding.
"""


def render() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield "| rule | name | severity | what |"
    yield "|---|---|---|---|"
    for rule in _ordered():
        anchor = f"#{rule.id.lower()}-{rule.name}"
        yield f"| [{rule.id}]({anchor}) | {rule.name} | {_severity(rule)} | {_text(rule.title)} |"
    family = ""
    for rule in _ordered():
        if rule.id[2] != family:
            family = rule.id[2]
            yield f"\n# {FAMILIES[family]}"
        yield f"\n## {rule.id} {rule.name}\n"
        yield f"**{_text(rule.title)}.** Severity {_severity(rule)}, since {rule.since}.\n"
        yield f"{_text(rule.what)}\n"
        yield f"*Why:* {_text(rule.why)}\n"
        yield f"*Example:* {_text(rule.example)}\n"
        yield f"*What to do:* {_text(rule.remedy)}"
    yield ""


def _ordered() -> list[Rule]:
    return sorted(RULES.values(), key=lambda rule: rule.id)


def _severity(rule: Rule) -> str:
    return "unread" if rule.unread else Severity(rule.severity).label


def _text(text: str) -> str:
    """Plain text as Markdown; what is between backticks stays as it is."""
    parts = re.split(r"(`[^`]*`)", text.replace("\n", " "))
    return "".join(
        part if part[:1] == "`" else re.sub(r"([<>*_\[\]|])", r"\\\1", part) for part in parts
    )


if __name__ == "__main__":
    (HERE / "rules.md").write_text(render(), encoding="utf-8")
