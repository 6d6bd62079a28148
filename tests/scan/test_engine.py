"""The engine: whatever a handler does, there is a report."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy.content import Content, Stream
from safemodel.report.model import Report, Severity, Status
from safemodel.scan import engine
from safemodel.scan import formats as handlers
from safemodel.scan.budget import MAX_HELD, Budget, Limits
from safemodel.scan.scope import Scope
from tests.hostile.bombs import archive
from tests.hostile.files import FILES
from tests.scan.scanning import rules, scan


class Fake:
    """A handler that does what a test wants."""

    def __init__(self, error: BaseException | None = None, findings: int = 0) -> None:
        self.error = error
        self.findings = findings

    def scan(self, content: Content, scope: Scope) -> bool:
        for index in range(self.findings):
            scope.find("SM405", "something odd", offset=index, severity=Severity.LOW)
        scope.find("SM401", "the last one")
        if self.error is not None:
            raise self.error
        return True


def report_with(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, limits: Limits | None = None
) -> Report:
    monkeypatch.setattr(handlers, "handler", lambda name: fake)
    monkeypatch.setattr(engine, "formats", lambda content: ("pickle",))
    monkeypatch.delenv("SAFEMODEL_DEBUG", raising=False)
    return Report((scan(b"data", limits or Limits()),), "", "")


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (DamagedError("damaged"), "SM901"),
        (BudgetError("too much"), "SM902"),
        (MemoryError(), "SM902"),
        (RecursionError(), "SM902"),
        (UnreadableError("strange"), "SM903"),
        (ValueError("secret: /home/me"), "SM909"),
        (KeyError("x"), "SM909"),
        (AssertionError(), "SM909"),
    ],
)
def test_errors_are_findings(error: Exception, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_with(Fake(error), monkeypatch)
    assert {finding.rule for finding in report.findings} == {"SM401", rule}
    assert report.files[0].status is Status.UNREAD
    assert not any("secret" in finding.message for finding in report.findings)


def test_an_interrupt_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        report_with(Fake(KeyboardInterrupt()), monkeypatch)


def test_many_findings_do_not_hide_a_grave_one(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_with(Fake(findings=5000), monkeypatch, Limits(findings=10))
    assert len(report.findings) == 12
    assert report.exit_code(Severity.HIGH) == 1
    assert report.findings[-1].rule == "SM906"
    assert "4990 more" in report.findings[-1].message


def test_the_same_finding_counts_once() -> None:
    budget = Budget()
    scope = Scope("a", budget, engine.Tables(), engine.scan_content)
    for _ in range(3):
        scope.find("SM405", "odd", offset=1)
    assert len(scope.record.findings) == 1


def test_what_takes_too_long_is_unread() -> None:
    report = scan(bytes(100), Limits(seconds=-1))
    assert (report.status, set(rules(report))) == (Status.UNREAD, {"SM902"})


def test_depth_and_members() -> None:
    assert "SM902" in rules(scan(FILES["zip_in_zip_100"](), Limits(depth=3)))
    assert "SM902" in rules(
        scan(archive(*((bytes((n,)), b"N.") for n in b"abcdef")), Limits(members=3))
    )


def test_what_is_held_is_bounded() -> None:
    budget = Budget()
    one = Stream(lambda: iter([bytes(1 << 20)] * 100), hold=budget.hold)
    one.view()
    assert budget.held == 100 << 20
    with pytest.raises(BudgetError):
        budget.hold(MAX_HELD)
    assert budget.held == 100 << 20
    del one
    assert budget.held == 0


def test_pages_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(200 << 20)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        relieved = engine._relief(view)
        assert relieved is not None
        relieved()
        assert view[100 << 20] == 0
        assert engine._relief(view[:100]) is None
        view.release()
    assert engine._relief(memoryview(bytes(100))) is None


def test_digest() -> None:
    assert engine.digest(memoryview(b"abc")) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert engine.digest(memoryview(bytes(64 << 20)), -1) is None


def test_empty() -> None:
    assert scan(b"").status is Status.SKIPPED


@pytest.mark.parametrize("byte", range(256))
def test_one_byte(byte: int) -> None:
    assert Report((scan(bytes((byte,))),), "", "", frozenset({"model.bin"})).exit_code() == 2


SEEDS = [
    data
    for name, make in FILES.items()
    if not name.startswith(("gzip_a", "pickle_", "zip_of")) and len(data := make()) < 5000
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_have_a_report(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.one_of(st.sampled_from(SEEDS), st.binary(max_size=200))))
    for _ in range(data.draw(st.integers(0, 5))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAFEMODEL_DEBUG", "1")  # a defect raises
        report = scan(bytes(content), Limits(seconds=5))
    assert report.status in Status
    assert all(finding.message and finding.location for finding in report.findings)
