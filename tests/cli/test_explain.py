"""`safemodel explain`: rules, and what the pickles in a file would do."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path

import pytest

from safemodel.cli import decompile
from safemodel.errors import MissingLibraryError, UnreadableError
from safemodel.scan.rules import RULES


class Command:
    def __reduce__(self):
        return os.system, ("touch owned",)


BAD = pickle.dumps(Command())


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule(run, rule: str) -> None:
    result = run("explain", rule)
    assert result.code == 0
    assert result.out.startswith(f"{rule} {RULES[rule].name} (")
    assert all(line.isprintable() for line in result.out.split("\n"))
    assert max(map(len, result.out.split("\n"))) <= 300
    assert run("explain", rule.lower()).out == result.out
    assert run("explain", RULES[rule].name).out == result.out
    assert run("explain", rule, "--format", "json").document["rule"]["id"] == rule


def test_no_such_rule(run) -> None:
    result = run("explain", "SM000")
    assert result.code == 2
    assert "there is no rule 'SM000'" in result.err


def test_a_pickle(run, tmp_path: Path) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(BAD)
    result = run("explain", path)
    assert result.code == 0
    name = os.system.__module__
    steps = [line.split() for line in result.out.splitlines()[3:]]
    assert steps[0][1:] == ["imports", f"{name}.system", "[dangerous]"]
    assert f"calls {name}.system('touch owned')  [dangerous]" in result.out
    assert f"returns {name}.system('touch owned')" in result.out
    assert not (tmp_path / "owned").exists()
    document = run("explain", path, "--format", "json").document
    assert [step["verdict"] for step in document["pickles"][0]["steps"]] == [
        "dangerous", "dangerous", "",
    ]  # fmt: skip


def test_nested_pickles(run, tmp_path: Path) -> None:
    path = tmp_path / "nested.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", gzip.compress(BAD))
        archive.writestr("b.pkl", pickle.dumps([1]))
    result = run("explain", path)
    assert "2 pickles" in result.out
    assert "pickle 1 in a/data.pkl > <gzip>" in result.out
    assert "pickle 2 in b.pkl" in result.out


def test_two_in_a_row_and_a_cut_one(run, tmp_path: Path) -> None:
    path = tmp_path / "two.pkl"
    path.write_bytes(pickle.dumps([1]) + pickle.dumps(Command(), 2)[:-1])
    result = run("explain", path)
    assert "returns [1]" in result.out
    assert "touch owned" in result.out
    assert "stops here: " in result.out


def test_what_is_no_pickle(run, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    result = run("explain", path)
    assert (result.code, "holds no pickle" in result.out) == (0, True)


def test_errors(run, tmp_path: Path) -> None:
    assert run("explain", tmp_path / "missing").code == 2
    assert run("explain", tmp_path).code == 2
    assert run("explain").code == 2
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        assert "no regular file" in run("explain", tmp_path / "pipe").err


def test_a_long_story_is_cut_and_said_to_be(run, tmp_path: Path) -> None:
    path = tmp_path / "long.pkl"
    stream = io.BytesIO()
    stream.write(b"\x80\x02]")
    for number in range(1000):
        stream.write(b"cacme\nN%d\na" % number)
    stream.write(b".")
    path.write_bytes(stream.getvalue())
    short = run("explain", path).out
    assert "more steps: --all shows them" in short
    assert len(short.splitlines()) < 250
    assert len(run("explain", path, "--all").out.splitlines()) > 1000


@pytest.mark.skipif(os.name != "posix", reason="such names exist on POSIX systems only")
def test_hostile_texts_are_escaped(run, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2K\u202e"
    path.write_bytes(b"c\x1b[2Kno findings\n\xe2\x80\xaesystem\n(S'\\x1b[31m'\ntR.")
    result = run("explain", path)
    assert result.code == 0
    assert all(line.isprintable() for line in result.out.split("\n"))


def test_decompiling(run, tmp_path: Path) -> None:
    pytest.importorskip("fickling")
    path = tmp_path / "bad.pkl"
    path.write_bytes(BAD)
    result = run("explain", path, "--decompile")
    assert result.code == 0
    assert "_var0 = system('touch owned')" in result.out
    assert not (tmp_path / "owned").exists()


def test_decompiling_what_it_cannot_read() -> None:
    pytest.importorskip("fickling")
    with pytest.raises(UnreadableError, match="fickling can't decompile"):
        decompile.decompile(memoryview(b"\x80\x04\x95"))


def test_decompiling_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fickling")
    monkeypatch.setattr(decompile, "_PROGRAM", "while True: pass")
    monkeypatch.setattr(decompile, "SECONDS", 0.5)
    with pytest.raises(UnreadableError, match="took longer"):
        decompile.decompile(memoryview(BAD))
    with pytest.raises(UnreadableError, match="up to"):
        decompile.decompile(memoryview(bytes(decompile.MAX_BYTES + 1)))


def test_decompiling_without_fickling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fickling", None)
    with pytest.raises(MissingLibraryError, match="needs fickling"):
        decompile.decompile(memoryview(BAD))
