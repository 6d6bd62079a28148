"""The README is run from top to bottom: what it shows is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import safemodel as sm
from safemodel.cli import main
from tests.attacks.assemble import Name, assemble
from tests.attacks.containers import torch_zip

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

pytest.importorskip("sklearn")


ANOTHER_USER = "<!-- test: another user -->"


def blocks() -> Iterator[tuple[str, str]]:
    """Language and text of each block; an empty language where another user goes on."""
    pattern = rf"^```(\w+)\n(.*?)^```$|{ANOTHER_USER}"
    for block in re.finditer(pattern, README, re.MULTILINE | re.DOTALL):
        yield block[1] or "", block[2] or ""


def commands(text: str) -> Iterator[tuple[list[str], str]]:
    """The arguments and the expected output of each safemodel command."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, expected = part.partition("\n")
        words = shlex.split(line, comments=True)
        if words[0] == "safemodel":
            yield words[1:], expected


def prepare(folder: Path) -> dict[str, object]:
    """What the README takes for granted."""
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    features, classes = load_iris(return_X_y=True)
    model = RandomForestClassifier(random_state=0).fit(features, classes)
    sm.save(model, "tampered.safemodel")
    data = bytearray(Path("tampered.safemodel").read_bytes())
    data[len(data) // 2] ^= 1
    Path("tampered.safemodel").write_bytes(data)
    joblib.dump(model, "old.joblib")
    Path("downloads").mkdir()
    hostile = torch_zip(assemble(Name("os", "system")("id")))
    Path("downloads/checkpoint.pt").write_bytes(hostile)
    Path("downloads/weights.pkl").write_bytes(assemble({"weights": [1.0, 2.0]}))
    Path("model.gguf").write_bytes(b"GGUF" + bytes(996))
    return {"model": model}


def test_first_screen_is_short() -> None:
    first = README.split("\n- **")[0]
    assert len(first.splitlines()) <= 24
    assert "make demo" in first
    assert "make test" in first


def test_readme_works(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    release = sm.Signer.generate()
    monkeypatch.setenv("RELEASE_KEY", release.pem().decode())
    namespace = prepare(tmp_path)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    runner = doctest.DocTestRunner(optionflags=flags)
    parser = doctest.DocTestParser()
    checker = doctest.OutputChecker()
    ran = 0
    for language, text in blocks():
        if not language:
            monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path / "another"))
        if language == "pycon":
            test = parser.get_doctest(text, namespace, "README.md", "README.md", 0)
            capsys.readouterr()
            failed = runner.run(test, clear_globs=False).failed
            assert not failed, capsys.readouterr().out
            namespace = test.globs
            ran += 1
        if language == "console":
            for arguments, expected in commands(text):
                capsys.readouterr()
                code = main(arguments)
                found = capsys.readouterr()
                shown = found.out or found.err
                assert checker.check_output(expected, shown, doctest.ELLIPSIS), (
                    f"$ safemodel {shlex.join(arguments)}\n{shown}"
                )
                assert code == bool(re.search(r"^safemodel: error:|^\d+ findings? \(", shown, re.M))
                ran += 1
    assert ran >= 15


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):
            if not target.startswith("https:"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
