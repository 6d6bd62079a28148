"""A report as SARIF 2.1.0 that GitHub code scanning accepts.

Binary files have no lines: each result is at line 1 of its file, with the byte beside it. Findings
that something could not be read are results, so that someone sees them, and notifications, so
that the run does not count as successful. What a baseline covers is counted in the run's
properties only: GitHub would show it as open.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from safemodel.report.escaping import escape
from safemodel.report.model import Severity
from safemodel.report.summary import summarize
from safemodel.report.text import place_text

if TYPE_CHECKING:
    from safemodel.report.model import FileReport, Finding, Report, Rule

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
CATEGORY: Final = "safemodel/scan/"
MAX_RESULTS: Final = 5_000  # what GitHub shows of a run
_MAX_MESSAGE: Final = 2_000

# severity: level, and GitHub's scale from 0.1 to 10
_LEVELS: Final = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "2.5"),
    Severity.INFO: ("note", "0.5"),
}

Fields = dict[str, object]


def render(report: Report, rules: Mapping[str, Rule], root: str | None = None) -> str:
    """The document, as ASCII.

    Args:
        root: the folder that URIs are relative to, which is the root of the repository; and that
            relative paths of the report begin in. None leaves them as they are.
    """
    found = list(_ordered(report))
    used = dict.fromkeys(finding.rule for _, finding in found)
    index = {rule: number for number, rule in enumerate(used)}
    results, notifications = [], []
    seen: dict[str, int] = {}
    for file, finding in found[:MAX_RESULTS]:
        results.append(_result(file, finding, index, _fingerprint(finding, seen), root))
    for file, finding in found:
        if finding.unread:
            notifications.append(_notification(file, finding, index, root))
    summary = summarize(report)
    run = {
        "tool": {
            "driver": {
                "name": "safemodel",
                "semanticVersion": report.version,
                "rules": [_rule(rule, rules, found) for rule in used],
                "properties": {"ruleset": report.ruleset},
            }
        },
        "automationDetails": {"id": CATEGORY},
        "invocations": [
            {
                "executionSuccessful": not notifications,
                "toolExecutionNotifications": notifications[:MAX_RESULTS],
            }
        ],
        "results": results,
        "properties": {
            "scanned": summary.scanned,
            "unread": summary.unread,
            "skipped": summary.skipped,
            "suppressed": summary.suppressed,
            "left_out": max(0, len(found) - MAX_RESULTS),
            "notes": list(report.notes),
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _ordered(report: Report) -> Iterator[tuple[FileReport, Finding]]:
    """Everything found, worst first: only the first results are shown."""
    found = [(file, finding) for file in report.files for finding in file.findings]
    return iter(sorted(found, key=lambda pair: -pair[1].severity))


def _result(
    file: FileReport, finding: Finding, index: Mapping[str, int], fingerprint: str, root: str | None
) -> Fields:
    return {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVELS[finding.severity][0],
        "message": {"text": _message(finding)},
        "locations": [_location(file, finding, root)],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        "properties": {
            "severity": finding.severity.label,
            "inside": [escape(name) for name in finding.location.inside],
            "evidence": {escape(name): escape(value) for name, value in finding.evidence},
            **({} if file.sha256 is None else {"sha256": file.sha256}),
        },
    }


def _notification(
    file: FileReport, finding: Finding, index: Mapping[str, int], root: str | None
) -> Fields:
    return {
        "associatedRule": {"id": finding.rule, "index": index[finding.rule]},
        "level": "error",
        "message": {"text": _message(finding)},
        "locations": [_location(file, finding, root)],
    }


def _message(finding: Finding) -> str:
    """The message with its place, which GitHub would not show otherwise."""
    place = place_text(finding.location)
    text = escape(finding.message) + (f" ({place})" if place else "")
    evidence = ", ".join(f"{escape(name)}: {escape(value)}" for name, value in finding.evidence)
    if evidence:
        text += f"; {evidence}"
    return _unlinked(text if len(text) <= _MAX_MESSAGE else f"{text[: _MAX_MESSAGE - 3]}...")


def _unlinked(text: str) -> str:
    """Without embedded links: `[text](uri)` is one, and the text may be an attacker's."""
    return text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text


def _location(file: FileReport, finding: Finding, root: str | None) -> Fields:
    place = finding.location
    region: Fields = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    if place.offset is not None and not place.inside:
        region["byteOffset"] = place.offset
        if place.length is not None:
            region["byteLength"] = place.length
    location: Fields = {
        "physicalLocation": {"artifactLocation": uri_of(file.path, root), "region": region}
    }
    if place.inside:
        location["logicalLocations"] = [
            {"fullyQualifiedName": " > ".join(map(escape, place.inside)), "kind": "resource"}
        ]
    return location


def uri_of(path: str, root: str | None) -> dict[str, str]:
    """A path as an artifact location: relative to the root of the sources where it is below it."""
    if root is not None:
        whole = os.path.normpath(os.path.join(root, path))
        relative = _relative(whole, os.path.normpath(root))
        if relative is None:
            slashes = whole.replace(os.sep, "/")
            return {"uri": "file://" + ("" if slashes[:1] == "/" else "/") + _quote(slashes)}
        path = relative
    return {"uri": _quote(path.replace(os.sep, "/")), "uriBaseId": "%SRCROOT%"}


def _relative(path: str, root: str) -> str | None:
    folder = root.rstrip(os.sep) + os.sep
    return path[len(folder) :] if path.startswith(folder) else None


def _quote(path: str) -> str:
    try:
        return quote(path.encode("utf-8", "surrogateescape"), safe="/")
    except UnicodeEncodeError:  # lone surrogates that no file system of POSIX has
        return quote(path.encode("utf-8", "backslashreplace"), safe="/")


def _fingerprint(finding: Finding, seen: dict[str, int]) -> str:
    """What an alert is known by. No offset: a file that is saved again keeps its alerts."""
    what = finding.evidence or (("message", finding.message),)
    parts = json.dumps([finding.rule, finding.location.inside, what], ensure_ascii=True)
    digest = hashlib.sha256(parts.encode("ascii")).hexdigest()[:32]
    key = f"{finding.location.path}\0{digest}"
    seen[key] = seen.get(key, 0) + 1
    return f"{digest}:{seen[key]}"


def _rule(
    name: str, rules: Mapping[str, Rule], found: Sequence[tuple[FileReport, Finding]]
) -> Fields:
    rule = rules[name]
    worst = max([f.severity for _, f in found if f.rule == name], default=rule.severity)
    help_text = f"{rule.what} {rule.why}\n\nExample: {rule.example}\n\nWhat to do: {rule.remedy}"
    markdown = (
        f"**{rule.what}**\n\n{rule.why}\n\n## Example\n\n{rule.example}\n\n"
        f"## What to do\n\n{rule.remedy}\n\n`safemodel explain {rule.id}`"
    )
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.what[:1024]},
        "help": {"text": help_text, "markdown": markdown},
        "defaultConfiguration": {"level": _LEVELS[rule.severity][0]},
        "properties": {
            "tags": ["security", "machine-learning", "external/cwe/cwe-502"],
            "precision": "medium" if rule.unread else "high",
            "security-severity": _LEVELS[worst][1],
        },
    }
