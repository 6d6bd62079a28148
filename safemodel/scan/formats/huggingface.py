"""Folders as Hugging Face lays them out: what files mean beside one another.

Each file was scanned by itself. Only together they tell that a configuration has that Python file
run, that a library lies beside the weights, that a shard is missing.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from safemodel.errors import LegacyError
from safemodel.report.model import FileReport, Finding, Location, Severity
from safemodel.scan.evidence import bounded
from safemodel.scan.opening import opened
from safemodel.scan.outside import leads_outside
from safemodel.scan.rules import RULES

MAX_INDEX: Final = 64 << 20
MAX_SHARDS: Final = 10_000
MAX_MISSING: Final = 20
_TEXTS: Final = frozenset({"jinja", "json", "yaml"})
_LIBRARIES: Final = (".so", ".dll", ".dylib", ".pyd", ".exe", ".com", ".scr")
_INDEX: Final = ".index.json"


def check_folders(files: Sequence[FileReport]) -> tuple[FileReport, ...]:
    """Add to the reports on the files below some folders what they mean together."""
    folders: dict[str, list[FileReport]] = defaultdict(list)
    for file in files:
        folders[os.path.dirname(file.path)].append(file)
    found: dict[str, list[Finding]] = defaultdict(list)
    for folder, inside in folders.items():
        if any(_matters(file) for file in inside):
            for finding in _check(folder, inside):
                found[finding.location.path].append(finding)
    return tuple(
        replace(file, findings=(*file.findings, *found[file.path])) if file.path in found else file
        for file in files
    )


def _matters(file: FileReport) -> bool:
    """Whether a file makes its folder one of a model: weights, their index, or code for them."""
    return (
        bool(set(file.formats) - _TEXTS)
        or file.path.endswith(_INDEX)
        or any(finding.rule == "SM510" for finding in file.findings)
    )


def _finding(
    rule: str, message: str, path: str, evidence: tuple[tuple[str, str], ...] = ()
) -> Finding:
    return Finding(rule, RULES[rule].severity, message, Location(path), evidence)


def _check(folder: str, files: Sequence[FileReport]) -> Iterator[Finding]:
    run = dict(_run_by_configuration(folder, files))
    for file in files:
        name = os.path.basename(file.path)
        lower = name.lower()
        if os.path.normpath(file.path) in run:
            source = run[os.path.normpath(file.path)]
            message = f"is run by {os.path.basename(source)} where trust_remote_code is given"
            finding = _finding("SM514", message, file.path, (("configuration", source),))
            yield replace(finding, severity=Severity.HIGH)
        elif lower.endswith((".py", ".pyc", ".ipynb")):
            yield _finding("SM514", "is Python code beside weights", file.path)
        elif lower.endswith(_LIBRARIES) or ".so." in lower:
            yield _finding("SM515", "is machine code beside weights", file.path)
        elif lower.endswith(_INDEX):
            yield from _missing(folder, file.path)


def _run_by_configuration(folder: str, files: Sequence[FileReport]) -> Iterator[tuple[str, str]]:
    """The files that configurations have run, each with the path of the configuration."""
    for file in files:
        for finding in file.findings:
            evidence = dict(finding.evidence)
            if finding.rule == "SM510" and "file" in evidence and not evidence.get("repository"):
                yield os.path.normpath(os.path.join(folder, evidence["file"])), file.path


def _missing(folder: str, index: str) -> Iterator[Finding]:
    """The shards of an index that are not there."""
    count = 0
    for name in _shards(index):
        if leads_outside(name) or os.path.lexists(os.path.join(folder, name)):
            continue
        count += 1
        if count <= MAX_MISSING:
            yield _finding(
                "SM517", f"names {bounded(name)}, which is not there", index, (("file", name),)
            )


def _shards(index: str) -> list[str]:
    from safemodel.legacy import json_text

    try:
        with opened(index) as data:
            tree = json_text.parse(data or b"", max_size=MAX_INDEX).value
    except (OSError, ValueError, LegacyError):
        return []  # its own report says so
    mapping = tree.get("weight_map") if isinstance(tree, dict) else None
    names = mapping.values() if isinstance(mapping, dict) else ()
    return [*dict.fromkeys(name for name in names if isinstance(name, str))][:MAX_SHARDS]
