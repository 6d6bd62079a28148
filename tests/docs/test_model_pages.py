"""The how-tos about models are run from top to bottom: what they show is what happens."""

from __future__ import annotations

import doctest
import os
import shlex
import warnings
from pathlib import Path

import pytest

from safemodel.cli import main
from tests.docs.test_scan_pages import DOCS, blocks, commands

pytest.importorskip("sklearn")

NEEDED = {
    "continue-training": ("xgboost",),
    "pytorch": ("torch",),
    "checkpoints": ("torch",),
    "transformers": ("torch", "transformers"),
}


@pytest.mark.skipif(os.name != "posix", reason="the pages show paths of POSIX")
@pytest.mark.parametrize("page", NEEDED)
def test_the_page_works(page: str, tmp_path: Path, monkeypatch, capsys) -> None:
    for library in NEEDED[page]:
        pytest.importorskip(library)
    assert (DOCS / f"{page}.md").is_file()
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    runner, parser = doctest.DocTestRunner(optionflags=flags), doctest.DocTestParser()
    names: dict[str, object] = {}
    ran = 0
    for _, language, text in blocks(page):
        if language == "pycon":
            test = parser.get_doctest(text, names, page, page, 0)
            capsys.readouterr()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                failed = runner.run(test, clear_globs=False).failed
            assert not failed, capsys.readouterr().out
            names = test.globs
            ran += 1
        elif language == "console":
            for line, expected in commands(text):
                program, *arguments = shlex.split(line, comments=True)
                if program != "safemodel":
                    continue
                capsys.readouterr()
                code = main(arguments)
                found = capsys.readouterr()
                shown = found.err if expected.startswith("safemodel: error") else found.out
                assert doctest.OutputChecker().check_output(expected, shown, flags), (
                    f"$ {line}\n{shown}{found.err}"
                )
                assert bool(code) == expected.startswith("safemodel: error")
                ran += 1
    assert ran >= 3
