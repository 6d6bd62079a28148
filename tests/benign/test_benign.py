"""Quiet on real models: no finding at medium or above, and nothing unread."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import safemodel
from safemodel.report.model import Severity

from . import archives, arrays, boosted, estimators, graphs, text, torch_files
from .corpus import Corpus, Item

MODULES = (arrays, estimators, boosted, torch_files, graphs, text, archives)
UNKNOWN = "SM905"  # of no known format: the answer for a file of no known format
GROUPS = {name: group for module in MODULES for name, group in module.GROUPS.items()}


def test_the_corpus_is_large() -> None:
    assert sum(group.least for group in GROUPS.values()) >= 300


@pytest.mark.parametrize("name", GROUPS)
def test_quiet(name: str, tmp_path: Path) -> None:
    group = GROUPS[name]
    for module in group.needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    if "dill" in sys.modules:
        sys.modules["dill"].extend(use_dill=False)  # it changes what joblib writes
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
        if (finding.severity >= Severity.MEDIUM or finding.unread)
        and (item.expect or finding.rule != UNKNOWN)
    ]
    scanned = {name for file in report.files for name in file.formats}
    if item.expect and item.expect not in scanned:
        found.append(f"{name}: is not scanned as {item.expect}, but as {sorted(scanned)}")
    return found
