"""The how-tos of the scanner are run from top to bottom: what they show is what happens."""

from __future__ import annotations

import doctest
import hashlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from safemodel.cli import main

DOCS = Path(__file__).parents[2] / "docs"

BAD = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."
MEDIUM = b"\x80\x02cacme.models\nNet\nq\x00)\x81q\x01}q\x02b."
GOOD = b"\x80\x04}\x8c\x01a]K\x01as."

FILES = {
    "scan": {"downloads/model.pkl": BAD, "downloads/weights.pkl": GOOD,
             "downloads/notes.txt": b"notes about the model\n"},
    "ci": {"models/legacy.pkl": GOOD, "models/notes.txt": b"notes about the model\n"},
    "policy": {"model.pkl": MEDIUM},
}  # fmt: skip


def blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """The file that a block is to be written to, if any; its language; its text."""
    pattern = r"(?:<!-- test: (\S+) -->\n)?^```(\w+)\n(.*?)^```$"
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for block in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        yield block[1] or "", block[2], block[3]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command and the output that it is said to have."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, expected = part.partition("\n")
        yield line, expected


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """One command, which may get a file by `cat FILE |`."""
    if line.startswith("cat "):
        source, _, line = line.partition(" | ")
        data = Path(source.removeprefix("cat ")).read_bytes()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    program, *arguments = shlex.split(line, comments=True)
    assert program == "safemodel"
    return main(arguments)


@pytest.mark.skipif(os.name != "posix", reason="the pages show paths of POSIX")
@pytest.mark.parametrize("page", FILES)
def test_the_page_works(page: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name, data in FILES[page].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    checker, parser = doctest.OutputChecker(), doctest.DocTestParser()
    ran = 0
    for file, language, text in blocks(page):
        if file:
            legacy = tmp_path / "models" / "legacy.pkl"
            digest = hashlib.sha256(legacy.read_bytes()).hexdigest() if legacy.exists() else ""
            (tmp_path / file).write_text(text.replace("SHA256", digest), encoding="utf-8")
        elif language == "pycon":
            test = parser.get_doctest(text, {}, page, page, 0)
            capsys.readouterr()
            assert not doctest.DocTestRunner().run(test).failed, capsys.readouterr().out
            ran += 1
        elif language == "console":
            for line, expected in commands(text):
                if "legacy.pkl --write-baseline" in line:
                    (tmp_path / "models" / "legacy.pkl").write_bytes(MEDIUM)
                capsys.readouterr()
                code = run(line, monkeypatch)
                found = capsys.readouterr()
                shown = found.err if expected.startswith("safemodel: error") else found.out
                assert checker.check_output(expected, shown, doctest.ELLIPSIS), (
                    f"$ {line}\n{shown}{found.err}"
                )
                assert code == expected_code(expected, line)
                ran += 1
    assert ran >= 3


def expected_code(expected: str, line: str) -> int:
    """What the page implies: that of a finding, of an error, of nothing found."""
    if expected.startswith("safemodel: error"):
        return 2
    if " explain " in f" {line} " or "--exit-zero" in line:
        return 0
    if line.endswith("-q"):
        return 1
    return 1 if re.search(r": SM[1-5]\d\d ", expected) else 0
