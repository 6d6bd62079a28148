"""The HTML report: nothing in it runs, and a real browser agrees."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import samples

from safemodel.report import html_report
from safemodel.report.model import FileReport, Report, Status

ELEMENTS = {
    "article", "b", "body", "code", "details", "footer", "h1", "h2", "head", "header", "html",
    "input", "label", "li", "main", "meta", "ol", "p", "section", "span", "style", "summary",
    "table", "td", "th", "title", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "charset", "checked", "class", "content", "for", "http-equiv", "id", "lang", "name", "type",
}  # fmt: skip


class Parsed(HTMLParser):
    """What is in a page: elements, attributes, and text outside of the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.style = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self._inside = tag
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data
        else:
            self.text += data


@pytest.mark.parametrize("report", [samples.report(), samples.clean(), samples.hostile()])
def test_only_what_we_write_is_in_it(report: Report) -> None:
    parsed = Parsed(html_report.render(report, samples.RULES))
    assert parsed.elements <= ELEMENTS
    assert parsed.attributes.keys() <= ATTRIBUTES
    assert all(line.isprintable() for line in parsed.text.split("\n"))


@given(st.text(), st.text())
def test_any_text_stays_text(path: str, value: str) -> None:
    found = samples.finding("SM101", path, value, inside=(value,), evidence=((value, value),))
    report = Report((FileReport(path, Status.SCANNED, (value,), findings=(found,)),), "1", "1")
    page = html_report.render(report, samples.RULES)
    parsed = Parsed(page)
    assert parsed.elements <= ELEMENTS
    assert parsed.attributes.keys() <= ATTRIBUTES
    page.encode("utf-8")


def test_the_policy_permits_the_style_sheet_and_nothing_else() -> None:
    page = html_report.render(samples.report(), samples.RULES)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    assert f"content=\"{policy}; form-action 'none'\"" in page
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_everything_is_on_the_page() -> None:
    text = Parsed(html_report.render(samples.report(), samples.RULES)).text
    for part in (
        "2 findings in 1 file", "models/resnet.pt", "archive/data.pkl", "blob.gz", "('id',)",
        "byte 28", "CVE-2025-1716", "Do not load it.", "models/ok.pkl", "models/notes.txt",
        "ours, see #12", "2027-01-31", "ab" * 32, "a note", "opcode 0x20 is unknown",
    ):  # fmt: skip
        assert part in text, part


def test_a_flood_is_cut_and_said_to_be() -> None:
    many = tuple(
        samples.finding("SM104", "a", f"m{i}") for i in range(html_report.MAX_FINDINGS + 7)
    )
    files = [FileReport("a", Status.SCANNED, findings=many)]
    files += [FileReport(f"f{i}", Status.SCANNED) for i in range(html_report.MAX_FILES + 3)]
    page = html_report.render(Report(tuple(files), "1", "1"), samples.RULES)
    assert page.count("<article") == html_report.MAX_FINDINGS
    assert "7 more findings are not on this page" in page
    assert "and 3 more" in page


def test_in_a_real_browser_nothing_runs(tmp_path: Path, browse) -> None:
    page = tmp_path / "report.html"
    page.write_text(html_report.render(samples.hostile(), samples.RULES), encoding="utf-8")
    dom = browse(page, "--dump-dom")
    assert "6 findings in 6 files" in dom
    parsed = Parsed(dom)
    assert parsed.elements <= ELEMENTS | {"tbody"}  # which browsers add
    assert parsed.attributes.keys() <= ATTRIBUTES
    assert "owned" not in re.findall(r"<title>(.*?)</title>", dom)[0]


def test_in_a_real_browser_the_policy_holds(tmp_path: Path, browse) -> None:
    """If escaping ever failed, the policy would still be there; the same page without it runs."""
    page = html_report.render(samples.report(), samples.RULES)
    script = "<script>document.title = 'owned'</script>"
    broken = page.replace("<main>", f"<main>{script}")
    (tmp_path / "with.html").write_text(broken, encoding="utf-8")
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", broken)
    (tmp_path / "without.html").write_text(without, encoding="utf-8")
    assert "<title>owned</title>" not in browse(tmp_path / "with.html", "--dump-dom")
    assert "<title>owned</title>" in browse(tmp_path / "without.html", "--dump-dom")


def test_in_a_real_browser_it_has_its_style(tmp_path: Path, browse) -> None:
    page = tmp_path / "report.html"
    page.write_text(html_report.render(samples.report(), samples.RULES), encoding="utf-8")
    browse(page, f"--screenshot={tmp_path / 'with.png'}", "--window-size=800,600")
    unstyled = page.read_text().replace("sha256-", "sha256-A")
    page.write_text(unstyled)
    browse(page, f"--screenshot={tmp_path / 'without.png'}", "--window-size=800,600")
    with_style, without = ((tmp_path / name).read_bytes() for name in ("with.png", "without.png"))
    assert with_style != without
