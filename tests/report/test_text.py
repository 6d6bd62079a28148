"""The report for people: whole outputs, and what must never be in one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import samples

from safemodel.report import text
from safemodel.report.model import FileReport, Report, Severity, Status, Suppressed


def test_a_whole_report() -> None:
    assert (
        text.render(samples.report(), samples.RULES)
        == """\
models/resnet.pt: SM101 critical: calls posix.system
    in archive/data.pkl > blob.gz > <gzip>, at byte 28
    global: posix.system
    arguments: ('id',)
    help: Do not load it. (`safemodel explain SM101`)
models/resnet.pt: SM104 medium: builds acme.Net
    in archive/data.pkl, at byte 28
    global: posix.system
    arguments: ('id',)
    help: Ask where it comes from. (`safemodel explain SM104`)
models/old.pkl: SM901 unread: opcode 0x20 is unknown
    at byte 28
    help: Get the file again. (`safemodel explain SM901`)
note: a note
2 findings (1 critical, 1 medium) in 1 of 5 files; 1 could not be read; 1 skipped; 1 suppressed
"""
    )


def test_one_file_without_findings() -> None:
    found = text.render(samples.clean(), samples.RULES)
    assert found == "ok.pkl: no findings (pickle, 40 B)\n"


def test_several_files_that_were_named() -> None:
    names = ("a.pkl", "b.pkl")
    files = tuple(FileReport(name, Status.SCANNED, ("gzip", "pickle"), 1500) for name in names)
    report = Report(files, "1", "1", frozenset(names))
    assert text.render(report, samples.RULES) == (
        "a.pkl: no findings (pickle in gzip, 1.5 kB)\n"
        "b.pkl: no findings (pickle in gzip, 1.5 kB)\n"
        "no findings in 2 files\n"
    )


def test_what_is_unread_is_no_good_news() -> None:
    painted: list[tuple[str, str]] = []

    def paint(word: str, role: str) -> str:
        painted.append((word, role))
        return word

    file = samples.report().files[2]
    report = Report((file,), "1", "1")
    lines = list(text.lines(report, samples.RULES, paint=paint))
    assert lines[-1] == "no findings in 0 files; 1 could not be read"
    assert ("no findings", "good") not in painted


def test_the_same_remedy_is_given_once() -> None:
    path = "a.pkl"
    findings = tuple(samples.finding("SM104", path, f"builds acme.N{i}") for i in range(3))
    report = Report(
        (FileReport(path, Status.SCANNED, ("pickle",), 1, findings=findings),), "1", "1"
    )
    assert text.render(report, samples.RULES).count("help:") == 1


def test_a_flood_of_findings_is_cut_and_said_to_be() -> None:
    path = "a.pkl"
    many = tuple(samples.finding("SM104", path, f"builds acme.N{i}") for i in range(50))
    worst = samples.finding("SM101", path)
    file = FileReport(path, Status.SCANNED, ("pickle",), 1, findings=(*many, worst))
    report = Report((file,), "1", "1")
    short = "\n".join(text.lines(report, samples.RULES))
    assert short.startswith("a.pkl: SM101 critical")
    assert "and 31 more findings: --all shows them" in short
    assert short.count("builds acme.N") == text.SHOWN_FINDINGS - 1
    assert text.render(report, samples.RULES).count("builds acme.N") == 50


def test_hostile_texts_are_escaped() -> None:
    for line in text.render(samples.hostile(), samples.RULES).split("\n"):
        assert line.isprintable()


@given(st.text(), st.text(), st.text())
def test_any_text_stays_on_its_line(path: str, message: str, value: str) -> None:
    found = samples.finding("SM101", path, message, inside=(value,), evidence=((value, value),))
    suppressed = (Suppressed(found, value, None),)
    file = FileReport(path, Status.SCANNED, (value,), 1, "ab", 1, (found,), suppressed)
    report = Report((file,), "1", "1", frozenset({path}), (value,))
    lines = text.render(report, samples.RULES).split("\n")
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 7


@pytest.mark.parametrize("word", ["safe ", "clean", "infected", "harmless", "secure"])
def test_nothing_is_called_what_it_may_not_be(word: str) -> None:
    for report in (samples.report(), samples.clean()):
        said = text.render(report, samples.RULES).replace("safemodel", "")
        assert word not in f"{said} "


@pytest.mark.parametrize(
    ("fail_on", "strict", "parts", "code"),
    [
        (Severity.MEDIUM, False, "ok", 0),
        (Severity.MEDIUM, False, "ok medium", 1),
        (Severity.HIGH, False, "ok medium", 0),
        (Severity.HIGH, False, "critical", 1),
        (Severity.MEDIUM, False, "unread", 2),
        (Severity.INFO, False, "unread", 2),
        (Severity.MEDIUM, False, "unread medium", 1),
        (Severity.HIGH, False, "unread medium", 2),
        (Severity.MEDIUM, False, "skipped ok", 0),
        (Severity.MEDIUM, True, "skipped ok", 2),
        (Severity.MEDIUM, False, "named", 2),
        (Severity.MEDIUM, False, "suppressed", 0),
        (Severity.MEDIUM, False, "accepted", 0),
        (Severity.MEDIUM, False, "half", 2),
        (Severity.MEDIUM, False, "", 0),
    ],
)
def test_exit_codes(fail_on: Severity, strict: bool, parts: str, code: int) -> None:
    medium = samples.finding("SM104", "medium")
    unread = samples.finding("SM901", "unread")
    whole = FileReport("x", Status.SCANNED, ("pickle",), 1)
    cut = replace(whole, status=Status.UNREAD)
    files = {
        "ok": whole,
        "medium": replace(whole, findings=(medium,)),
        "critical": replace(whole, findings=(samples.finding("SM101", "critical"),)),
        "unread": replace(cut, findings=(unread,)),
        "skipped": FileReport("skipped", Status.SKIPPED),
        "named": FileReport("named", Status.SKIPPED),
        "suppressed": replace(whole, suppressed=(Suppressed(medium, "ours"),)),
        "accepted": replace(cut, suppressed=(Suppressed(unread, "encrypted by us"),)),
        "half": replace(cut, findings=(unread,), suppressed=(Suppressed(medium, "ours"),)),
    }
    report = Report(tuple(files[part] for part in parts.split()), "1", "1", frozenset({"named"}))
    assert report.exit_code(fail_on, strict=strict) == code
