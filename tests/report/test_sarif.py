"""SARIF fits the OASIS schema and what GitHub code scanning asks for."""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import samples

from safemodel.report import sarif
from safemodel.report.model import FileReport, Report, Severity, Status
from safemodel.scan.rules import RULES

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def rendered(report: Report, root: str | None = "/repo") -> dict[str, Any]:
    text = sarif.render(report, samples.RULES, root)
    assert text.isascii()
    document: dict[str, Any] = json.loads(text)
    VALIDATOR.validate(document)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    return run


def test_the_schema_refuses_something() -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({"version": "2.1.0", "runs": [{"tool": {}}]})


@pytest.mark.parametrize("report", [samples.report(), samples.clean(), samples.hostile()])
def test_is_what_github_asks_for(report: Report) -> None:
    run = rendered(report)
    driver = run["tool"]["driver"]
    assert run["automationDetails"]["id"].endswith("/")
    for rule in driver["rules"]:
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
        assert "security" in rule["properties"]["tags"]
        assert len(rule["properties"]["tags"]) <= 10
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert isinstance(rule["properties"]["security-severity"], str)
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert region["startLine"] == region["endLine"] == 1
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert not urllib.parse.urlsplit(uri).scheme
        assert not uri.startswith("/")


def test_worst_first_and_the_place_in_the_message() -> None:
    run = rendered(samples.report())
    assert [result["level"] for result in run["results"]] == ["error", "warning", "warning"]
    assert run["results"][0]["message"]["text"] == (
        "calls posix.system (in archive/data.pkl > blob.gz > <gzip>, at byte 28); "
        "global: posix.system, arguments: ('id',)"
    )
    logical = run["results"][0]["locations"][0]["logicalLocations"][0]
    assert logical["fullyQualifiedName"] == "archive/data.pkl > blob.gz > <gzip>"
    scores = [rule["properties"]["security-severity"] for rule in run["tool"]["driver"]["rules"]]
    assert float(scores[0]) > 9.0


def test_bytes_are_those_of_the_file_only() -> None:
    nested, whole = samples.report().files[1], samples.report().files[2]
    regions = [
        rendered(replace(samples.report(), files=(file,)))["results"][0]["locations"][0][
            "physicalLocation"
        ]["region"]
        for file in (nested, whole)
    ]
    assert "byteOffset" not in regions[0]
    assert regions[1]["byteOffset"] == 28


def test_unread_is_no_success() -> None:
    (invocation,) = rendered(samples.report())["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["associatedRule"]["id"] == "SM901"
    (invocation,) = rendered(samples.clean())["invocations"]
    assert invocation["executionSuccessful"] is True


def test_suppressed_findings_are_counted_and_no_results() -> None:
    run = rendered(samples.report())
    assert run["properties"]["suppressed"] == 1
    assert not any("known.pkl" in json.dumps(result) for result in run["results"])


def test_no_links_of_an_attacker() -> None:
    texts = [result["message"]["text"] for result in rendered(samples.hostile())["results"]]
    assert any("click" in text for text in texts)
    assert not any("[click](" in text for text in texts)
    for text in texts:
        assert text.isprintable()


@pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")
@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("models/a b.pkl", "/repo", "models/a%20b.pkl"),
        ("./models/../x#1?.pkl", "/repo", "x%231%3F.pkl"),
        ("/repo/models/ü.pkl", "/repo", "models/%C3%BC.pkl"),
        ("../other/x.pkl", "/repo", "file:///other/x.pkl"),
        ("/other/x.pkl", "/repo", "file:///other/x.pkl"),
        ("a:b.pkl", "/repo", "a%3Ab.pkl"),
        ("\udcff.pkl", "/repo", "%FF.pkl"),
        ("\ud800.pkl", "/repo", "%5Cud800.pkl"),
        ("a/b.pkl", None, "a/b.pkl"),
    ],
)
def test_uris(path: str, root: str | None, expected: str) -> None:
    location = sarif.uri_of(path, root)
    assert location["uri"] == expected
    assert ("uriBaseId" in location) is not expected.startswith("file:")


def fingerprints(report: Report) -> list[str]:
    return [
        result["partialFingerprints"]["primaryLocationLineHash"]
        for result in rendered(report)["results"]
    ]


def test_a_file_that_is_saved_again_keeps_its_alerts() -> None:
    def one(offset: int, value: str) -> Report:
        found = samples.finding("SM101", "a.pkl", offset=offset, evidence=(("global", value),))
        return Report((FileReport("a.pkl", Status.SCANNED, findings=(found,)),), "1", "1")

    assert fingerprints(one(28, "os.system")) == fingerprints(one(99, "os.system"))
    assert fingerprints(one(28, "os.system")) != fingerprints(one(28, "os.popen"))


def test_equal_findings_are_told_apart() -> None:
    found = [samples.finding("SM101", "a.pkl", offset=offset) for offset in (1, 2)]
    report = Report((FileReport("a.pkl", Status.SCANNED, findings=tuple(found)),), "1", "1")
    assert len(set(fingerprints(report))) == 2


def test_no_more_results_than_github_shows() -> None:
    found = [samples.finding("SM104", "a.pkl", f"m{i}") for i in range(sarif.MAX_RESULTS + 5)]
    found.append(samples.finding("SM101", "a.pkl"))
    report = Report((FileReport("a.pkl", Status.SCANNED, findings=tuple(found)),), "1", "1")
    run = rendered(report)
    assert len(run["results"]) == sarif.MAX_RESULTS
    assert run["results"][0]["ruleId"] == "SM101"
    assert run["properties"]["left_out"] == 6


def test_every_rule_there_is_can_be_rendered() -> None:
    findings = tuple(
        replace(samples.finding("SM101", "a"), rule=rule, severity=severity)
        for rule in RULES
        for severity in Severity
    )
    report = Report((FileReport("a", Status.SCANNED, findings=findings),), "1", "1")
    VALIDATOR.validate(json.loads(sarif.render(report, RULES, "/repo")))
