"""The pages of the specification say what the code does, where that can be compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from safemodel import errors, limits
from safemodel.cli.parser import VERBS
from safemodel.format.weights import ITEM_SIZES

SPEC = Path(__file__).resolve().parents[2] / "spec"
FORMAT = (SPEC / "format.md").read_text()
PAGES = (
    "format.md",
    "signing.md",
    "object-graph.md",
    "sklearn.md",
    "torch-graph.md",
    "onnx.md",
    "keras.md",
    "tensorflow.md",
    "tensorflow-graph.md",
    "tensorflow-operators.md",
    "transformers.md",
    "checkpoints.md",
    "threat-model.md",
    "cli.md",
)


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_limits_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", sections(FORMAT)["Limits"], re.MULTILINE)
    assert len(rows) == 21
    for name, value in rows:
        assert getattr(limits, name) == int(value), name


def test_every_limit_named_is_in_the_table() -> None:
    named = set(re.findall(r"`((?:MAX|MIN|SHARD|WEIGHTS|MEMBER)_[A-Z_]+)`", FORMAT))
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", sections(FORMAT)["Limits"], re.MULTILINE))
    assert named == table


def test_errors_are_those_of_the_code() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+Error)`", sections(FORMAT)["Errors"]))
    for name in named:
        assert issubclass(getattr(errors, name), errors.SafemodelError)
    parents = (errors.SourceError, errors.FormatError, errors.VerificationError)
    assert named >= {kind.__name__ for parent in parents for kind in parent.__subclasses__()}
    assert set(re.findall(r"`([A-Z][A-Za-z]+Error)`", FORMAT)) <= {*dir(errors)}


def test_dtypes_are_those_of_the_code() -> None:
    rows = re.findall(
        r"^\| ((?:`[A-Z0-9_]+` ?)+) \| (\d) \|", sections(FORMAT)["Weights"], re.MULTILINE
    )
    found = {name: int(size) for names, size in rows for name in re.findall(r"`(\w+)`", names)}
    assert found == dict(ITEM_SIZES)


@pytest.mark.parametrize("title", sorted(sections(FORMAT)))
def test_every_section_says_what_to_reject(title: str) -> None:
    if title in ("Conventions", "Bundle", "Limits", "Errors"):
        return
    assert re.search(
        r"\b(Readers|Writers|Adapters)\s+MUST\s+reject|MUST refuse", sections(FORMAT)[title]
    )


def test_the_code_names_sections_that_exist() -> None:
    titles = {page: sections((SPEC / page).read_text()) for page in PAGES}
    for path in (SPEC.parent / "safemodel").rglob("*.py"):
        for page, title in re.findall(r'spec/(\S+)\.md,\s+"([^"]+)"', path.read_text()):
            assert " ".join(title.split()) in titles[f"{page}.md"], f"{path.name}: {title}"


def test_the_verbs_are_those_of_the_command_line() -> None:
    verbs = sections((SPEC / "cli.md").read_text())["Verbs"]
    named = re.findall(r"^\| `([a-z]+)(?: [a-z]+)?` \|", verbs, re.MULTILINE)
    assert set(named) == set(VERBS)


@pytest.mark.parametrize("page", sorted(SPEC.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("https:"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_name_sections_that_exist(page: str) -> None:
    """As in `([format.md](format.md), "Weights")`, and each page is in the list of pages."""
    text = (SPEC / page).read_text()
    for target, title in re.findall(r'\]\(([a-z-]+\.md)\),\s+"([^"]+)"', text):
        assert title in sections((SPEC / target).read_text()), f"{page}: {target}, {title}"
    assert f"]({page})" in (SPEC / "README.md").read_text()


def test_kinds_of_the_adapters_are_in_the_pages() -> None:
    pages = ("object-graph.md", "sklearn.md", "checkpoints.md", "keras.md", "tensorflow.md")
    text = "".join((SPEC / page).read_text() for page in pages)
    for path in (SPEC.parent / "safemodel" / "adapters").rglob("*.py"):
        for kind in re.findall(r'"kind": "(?!acme)([a-z_.]+)"', path.read_text()):
            assert f"`{kind}`" in text, f"{path.name}: {kind}"


def test_the_limits_of_torch_graphs_are_those_of_the_code() -> None:
    text = (SPEC / "torch-graph.md").read_text()
    found = dict(re.findall(r"^\| `(MAX_PROGRAM_\w+)` \| ([0-9,]+) \|", text, re.MULTILINE))
    assert set(found) == {name for name in vars(limits) if name.startswith("MAX_PROGRAM_")}
    for name, value in found.items():
        assert getattr(limits, name) == int(value.replace(",", "")), name


def test_the_limits_of_tensorflow_graphs_are_those_of_the_code() -> None:
    text = (SPEC / "tensorflow-graph.md").read_text()
    found = dict(re.findall(r"^\| `(MAX_\w+)` \| ([0-9,]+) \|", text, re.MULTILINE))
    assert set(found) >= {name for name in vars(limits) if name.startswith("MAX_TENSORFLOW_")}
    for name, value in found.items():
        assert getattr(limits, name) == int(value.replace(",", "")), name


def test_the_limits_of_onnx_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (SPEC / "onnx.md").read_text(), re.MULTILINE)
    found = {name: text for name, text in rows if name.startswith("MAX_ONNX_")}
    assert set(found) == {name for name in vars(limits) if name.startswith("MAX_ONNX_")}
    for name, text in found.items():
        value = {"2^31 - 1": 2**31 - 1, "1 GiB": 1 << 30}.get(text) or int(text.replace(",", ""))
        assert getattr(limits, name) == value, name
