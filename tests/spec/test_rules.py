"""Rules, their page, and the code that reports them say the same."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from safemodel.report.model import Rule, Severity
from safemodel.scan import rules

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "spec" / "rules.md"
CODE = [*(ROOT / "safemodel").rglob("*.py")]
TABLES = ROOT / "safemodel" / "scan" / "rules"


def test_the_page_is_that_of_the_table() -> None:
    where = ROOT / "spec" / "render_rules.py"
    spec = importlib.util.spec_from_file_location("render_rules", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    hint = "run `python spec/render_rules.py`"
    assert PAGE.read_text(encoding="utf-8") == module.render(), hint


@pytest.mark.parametrize("rule", rules.RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_is_whole(rule: Rule) -> None:
    assert re.fullmatch(r"SM[123459]\d\d", rule.id)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.severity in Severity
    assert 5 < len(rule.title) <= 80
    assert not rule.title.endswith(".")
    for text in (rule.what, rule.why, rule.remedy):
        assert len(text) > 5
        assert text.isprintable(), text
        assert text.rstrip("`)")[-1] in ".:?!", text
    assert len(rule.example) > 3
    assert re.fullmatch(r"\d+\.\d+\.\d+", rule.since)
    for word in (r"\bsafe\b", r"\binfected\b", r"\bclean\b", r"\bmalware\b"):
        assert not re.search(word, f"{rule.title} {rule.what}"), word


def test_ids_and_names_are_unique() -> None:
    listed = re.findall(
        r'^        "(SM\d{3})",', "".join(p.read_text() for p in TABLES.glob("*.py")), re.M
    )
    assert len(listed) == len(set(listed)) == len(rules.RULES)
    assert set(listed) == set(rules.RULES)
    names = [rule.name for rule in rules.RULES.values()]
    assert len(set(names)) == len(names)


def test_the_code_reports_rules_that_exist_and_all_of_them() -> None:
    named: set[str] = set()
    for path in CODE:
        if TABLES not in path.parents:
            named |= set(re.findall(r'"(SM\d{3})"', path.read_text(encoding="utf-8")))
    assert named == set(rules.RULES)


def test_pages_name_rules_that_exist() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("spec/*.md")):
        for rule in re.findall(r"\bSM\d{3}\b", page.read_text(encoding="utf-8")):
            assert rule in rules.RULES, f"{page.name}: {rule}"
