"""Every test and vector that the threat model names exists; every threat names at least one."""

from __future__ import annotations

import ast
import fnmatch
import functools
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "spec" / "threat-model.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]\d+) \|.*\| ([^|]+) \|$", TEXT, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([a-z]+/test_\w+)::(test_\w+)`", TEXT)))
PATTERNS = sorted(set(re.findall(r"vector: ([a-z0-9*-]+)", TEXT)) - {"x-*"})


@functools.cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@functools.cache
def vectors() -> tuple[str, ...]:
    index = json.loads((ROOT / "spec" / "vectors" / "index.json").read_text())
    return tuple(vector["name"] for vector in index["vectors"])


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_exists(file: str, name: str) -> None:
    path = ROOT / "tests" / f"{file}.py"
    assert path.exists(), f"{file} is gone: which test covers this threat now?"
    assert name in functions_of(path), f"{file}::{name} is gone: which test covers this threat now?"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_vectors_exist(pattern: str) -> None:
    assert fnmatch.filter(vectors(), pattern)


def test_every_threat_is_shown_by_something() -> None:
    assert len(ROWS) > 40
    assert len({threat for threat, _ in ROWS}) == len(ROWS)
    for threat, shown in ROWS:
        assert "::test_" in shown or "vector: " in shown or "the vectors" in shown, threat


def test_every_name_in_the_tables_was_checked() -> None:
    """A reference that this file's patterns miss would go unchecked."""
    for _, shown in ROWS:
        for reference in re.findall(r"`([^`]+)`", shown):
            assert tuple(reference.split("::")) in NAMED, reference
