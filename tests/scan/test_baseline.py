"""Baselines: bound to bytes, with a reason, and not for ever."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import SourceError, UsageError
from safemodel.report.model import (
    FileReport,
    Finding,
    Location,
    Report,
    Severity,
    Status,
)
from safemodel.scan import baseline

DIGEST = "ab" * 32
TODAY = "2026-11-22"
ENTRY = {"sha256": DIGEST, "rule": "SM104", "reason": "ours", "expires": "2027-01-31"}
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "spec" / "schemas" / "baseline.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def parse(*entries: dict[str, Any]) -> tuple[baseline.Entry, ...]:
    document = {"version": 1, "entries": list(entries)}
    VALIDATOR.validate(document)
    return baseline.parse(json.dumps(document).encode())


def finding(rule: str = "SM104", severity: Severity = Severity.MEDIUM) -> Finding:
    return Finding(rule, severity, "builds acme.Net", Location("a.pkl"))


def report(*findings: Finding, status: Status = Status.SCANNED, sha256: str = DIGEST) -> Report:
    file = FileReport("a.pkl", status, ("pickle",), 1, sha256, 0, findings)
    return Report((file,), "1", "1")


def test_covers_the_rule_in_these_bytes() -> None:
    found = baseline.apply(report(finding(), finding("SM101")), parse(ENTRY), TODAY)
    (file,) = found.files
    assert [f.rule for f in file.findings] == ["SM101"]
    assert [(s.finding.rule, s.reason, s.expires) for s in file.suppressed] == [
        ("SM104", "ours", "2027-01-31")
    ]
    assert found.notes == ()
    assert baseline.apply(report(finding()), parse(ENTRY), TODAY).exit_code() == 0


@pytest.mark.parametrize("sha256", ["cd" * 32, DIGEST.upper(), None])
def test_other_bytes_are_not_covered(sha256: str | None) -> None:
    before = report(finding())
    before = replace(before, files=(replace(before.files[0], sha256=sha256),))
    found = baseline.apply(before, parse(ENTRY), TODAY)
    assert found.exit_code() == 1
    assert found.notes == ("1 baseline entry fits nothing that was found",)


@pytest.mark.parametrize(
    ("expires", "code"),
    [("2026-11-21", 1), ("2026-11-22", 0), ("2026-11-23", 0), (None, 0)],
)
def test_the_last_day_counts(expires: str | None, code: int) -> None:
    found = baseline.apply(report(finding()), parse({**ENTRY, "expires": expires}), TODAY)
    assert found.exit_code() == code
    if code:
        assert found.notes == (f"a.pkl: SM104 was accepted until {expires}, and counts again",)


def test_an_expired_entry_beside_a_valid_one_is_no_news() -> None:
    entries = parse({**ENTRY, "expires": "2020-01-01"}, ENTRY)
    found = baseline.apply(report(finding()), entries, TODAY)
    assert (found.exit_code(), found.notes) == (0, ())


def test_unread_can_be_accepted_if_all_of_it_is() -> None:
    encrypted, cut = finding("SM903"), finding("SM901")
    entries = parse({**ENTRY, "rule": "SM903"})
    one = baseline.apply(report(encrypted, status=Status.UNREAD), entries, TODAY)
    assert one.exit_code() == 0
    two = baseline.apply(report(encrypted, cut, status=Status.UNREAD), entries, TODAY)
    assert two.exit_code() == 2


GOOD = [{}, {"expires": None}, {"path": "models/a.pkl"}, {"rule": "SM901"}]
BAD: list[dict[str, Any]] = [
    {"sha256": "ab"},
    {"sha256": DIGEST.upper()},
    {"sha256": None},
    {"rule": "101"},
    {"rule": None},
    {"reason": ""},
    {"reason": " \n"},
    {"reason": None},
    {"expires": "tomorrow"},
    {"expires": "2027-02-30"},
    {"expires": 7},
    {"more": 1},
]


@pytest.mark.parametrize("change", GOOD)
def test_accepted(change: dict[str, Any]) -> None:
    assert parse({**ENTRY, **change})


@pytest.mark.parametrize("change", BAD)
def test_refused(change: dict[str, Any]) -> None:
    document = {"version": 1, "entries": [{**ENTRY, **change}]}
    with pytest.raises(UsageError, match="entry 1"):
        baseline.parse(json.dumps(document).encode())
    assert not VALIDATOR.is_valid(document)


def test_a_defect_of_the_scanner_cannot_be_accepted() -> None:
    with pytest.raises(UsageError, match="SM909"):
        parse({**ENTRY, "rule": "SM909"})


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{", "{}", '{"version": 2, "entries": []}', '{"version": 1, "entries": {}}',
     '{"version": 1, "entries": [], "policy": 1}', "[" * 100_000, '{"version": 1, "entries": [1]}'],
)  # fmt: skip
def test_no_baseline(document: str) -> None:
    with pytest.raises(UsageError):
        baseline.parse(document.encode())


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    for toml in (False, True):
        with contextlib.suppress(UsageError):
            baseline.parse(data, toml=toml)


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(
        f'version = 1\n[[entries]]\nsha256 = "{DIGEST}"\nrule = "SM104"\nreason = "ours"\n'
        "expires = 2027-01-31\n"
    )
    assert baseline.load(str(path)) == parse(ENTRY)


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as missing:
        baseline.load(str(tmp_path / "missing"))
    assert missing.value.path == str(tmp_path / "missing")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(UsageError) as bad:
        baseline.load(str(tmp_path / "bad.json"))
    assert bad.value.path == str(tmp_path / "bad.json")
    assert "docs/ci.md" in (bad.value.hint or "")


def test_what_is_written_is_refused_until_it_has_reasons() -> None:
    before = report(finding(), finding(), finding("SM101"), finding("SM909"))
    document: Any = baseline.made_of(before)
    assert [entry["rule"] for entry in document["entries"]] == ["SM104", "SM101"]
    with pytest.raises(UsageError, match="entry 1 has no reason"):
        baseline.parse(json.dumps(document).encode())
    for entry in document["entries"]:
        entry["reason"] = "looked at"
    VALIDATOR.validate(document)
    entries = baseline.parse(json.dumps(document).encode())
    after = baseline.apply(before, entries, TODAY)
    assert [f.rule for f in after.findings] == ["SM909"]
    assert len(after.files[0].suppressed) == 3
