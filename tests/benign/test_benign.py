"""Quiet on real models: no finding at medium or above, and nothing unread."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import safemodel
from safemodel.report.model import Report, Severity, Status

from . import archives, arrays, boosted, estimators, graphs, text, torch_files
from .corpus import Corpus, Item

MODULES = (arrays, estimators, boosted, torch_files, graphs, text, archives)
GROUPS = {name: group for module in MODULES for name, group in module.GROUPS.items()}


def test_the_corpus_is_large() -> None:
    assert sum(group.least for group in GROUPS.values()) >= 300


@pytest.mark.parametrize("name", GROUPS)
def test_quiet(name: str, tmp_path: Path) -> None:
    group = GROUPS[name]
    for module in group.needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    corpus = Corpus(tmp_path)
    group.make(corpus)
    assert len(corpus.items) >= group.least
    noise = [line for item in corpus.items for line in complaints(item)]
    assert not noise, f"{len(noise)} complaints:\n" + "\n".join(noise[:100])


def complaints(item: Item) -> list[str]:
    """What is wrong with the report about one file or folder."""
    report = safemodel.scan(item.path)
    name = item.path.name
    found = [
        f"{name}: {finding.rule} {finding.severity.label} {'/'.join(finding.location.inside)}: "
        f"{finding.message}"
        for finding in report.findings
        if finding.severity >= Severity.MEDIUM or finding.unread
    ]
    if item.expect and item.expect not in formats(report):
        found.append(f"{name}: is not scanned as {item.expect}, but as {formats(report)}")
    for file in report.files:
        if file.status is Status.UNREAD or (item.expect and file.status is Status.SKIPPED):
            found.append(f"{name}: {file.path} is {file.status.value}")
    return found


def formats(report: Report) -> set[str]:
    """Every format that was scanned."""
    return {name for file in report.files for name in file.formats}
