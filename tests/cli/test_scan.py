"""`safemodel scan` as people and programs call it."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

import safemodel as sm
from safemodel.cli import stdin
from safemodel.report.model import Severity

posix = pytest.mark.skipif(os.name != "posix", reason="such names exist on POSIX systems only")


class Command:
    def __reduce__(self):
        return os.system, ("touch owned",)


class Unknown:
    """A class of nobody's table, wherever this module was imported from."""

    def __reduce__(self):
        return object.__new__, (Unknown,)


BAD = pickle.dumps(Command())
GOOD = pickle.dumps({"weights": [0.5, 1.5], "name": "model"})
MEDIUM = b"\x80\x02cacme.models\nNet\nq\x00)\x81q\x01}q\x02b."  # NEWOBJ and BUILD
CUT = GOOD[:-5]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of each kind, and the current folder."""
    monkeypatch.chdir(tmp_path)
    for name, data in {
        "good.pkl": GOOD, "bad.pkl": BAD, "medium.pkl": MEDIUM, "cut.pkl": CUT,
        "notes.txt": b"notes, and no model\n", "empty": b"",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("good.pkl", 0),
        ("bad.pkl", 1),
        ("medium.pkl", 1),
        ("cut.pkl", 2),
        ("notes.txt", 2),
        ("empty", 2),
        ("missing", 2),
        ("notes.txt empty good.pkl --skip-unknown", 0),
        ("notes.txt bad.pkl --skip-unknown", 1),
        ("notes.txt cut.pkl --skip-unknown", 2),
        ("missing --skip-unknown", 2),
        ("notes.txt --skip-unknown --strict", 2),
        ("good.pkl missing", 2),
        ("bad.pkl missing", 1),
        ("good.pkl bad.pkl cut.pkl", 1),
        ("medium.pkl --fail-on high", 0),
        ("bad.pkl --fail-on critical", 1),
        ("cut.pkl --fail-on info", 2),
        ("cut.pkl medium.pkl --fail-on high", 2),
        ("bad.pkl --exit-zero", 0),
        ("cut.pkl --exit-zero", 0),
        (".", 1),
        (". --exclude bad.pkl --exclude medium.pkl", 2),
        (". --exclude [bmc]*.pkl", 0),
        (". --exclude [bmc]*.pkl --strict", 2),
        ("bad.pkl --max-size 10", 2),
        ("good.pkl --max-seconds 10 --jobs 1", 0),
    ],
)
@pytest.mark.parametrize("kind", ["text", "json", "sarif", "html", "quiet"])
def test_exit_codes(run, folder, arguments: str, code: int, kind: str) -> None:
    kinds = ["-q"] if kind == "quiet" else ["--format", kind]
    result = run("scan", *arguments.split(), *kinds)
    assert result.code == code, result.out + result.err
    assert bool(result.out) is (kind != "quiet")
    if kind == "json":
        assert result.document["ok"] is (code == 0 and "--exit-zero" not in arguments)
    if kind == "sarif":
        assert json.loads(result.out)["version"] == "2.1.0"
    if kind == "html":
        assert result.out.startswith("<!doctype html>")
    assert not (folder / "owned").exists()


def test_text(run, folder) -> None:
    result = run("scan", "bad.pkl")
    first, *rest = result.out.splitlines()
    assert first.startswith("bad.pkl: SM101 critical: ")
    assert any(line.startswith("    help: ") for line in rest)
    assert rest[-1] == "1 finding (1 critical) in 1 of 1 file"
    assert run("scan", "good.pkl").out == f"good.pkl: no findings (pickle, {len(GOOD)} B)\n"


def test_json_is_the_report(run, folder) -> None:
    document = run("scan", "bad.pkl", "notes.txt", "--format", "json").document
    assert (document["ok"], document["fail_on"]) == (False, "medium")
    assert document["schema"] == "safemodel.scan-report/1"
    assert [file["path"] for file in document["files"]] == ["bad.pkl", "notes.txt"]
    assert document["files"][0]["findings"][0]["rule"] == "SM101"
    assert document["files"][1]["findings"][0]["rule"] == "SM905"


@pytest.mark.parametrize("kind", ["json", "sarif", "html"])
def test_a_missing_file_is_told_to_people_too(run, folder, kind: str) -> None:
    result = run("scan", "missing", "--format", kind)
    error = "safemodel: error: missing: could not be opened: there is no such file or folder\n"
    assert result.err == error
    assert run("scan", "missing").err == ""
    assert "SM904 unread: could not be opened" in run("scan", "missing").out


def test_sarif_is_relative_to_the_current_folder(run, folder) -> None:
    result = json.loads(run("scan", str(folder / "bad.pkl"), "--format", "sarif").out)
    location = result["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "bad.pkl"


def test_a_report_in_a_file(run, folder) -> None:
    for kind in ("text", "json", "sarif", "html"):
        result = run("scan", "bad.pkl", "--format", kind, "-o", f"report.{kind}")
        assert (result.code, result.out) == (1, "")
        assert (folder / f"report.{kind}").stat().st_size > 100
    assert run("scan", "bad.pkl", "-o", "no/such/report").code == 2


HOSTILE = (
    "\x1b]52;c;aGk=\x07",
    "a\nbad.pkl: no findings",
    "\u202exe",
    "<script>",
    "--format=x",
    "\udcff",
)


@posix
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["text", "json", "sarif", "html"])
def test_names_are_escaped(run, folder, name: str, kind: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / name).write_bytes(BAD)
    for path in (folder / "sub", folder / "sub" / name, folder / "sub" / f"{name}-missing"):
        result = run("scan", path, "--format", kind)
        assert result.code in (1, 2)
        for stream in (result.out, result.err):
            assert all(line.isprintable() for line in stream.split("\n"))
        assert "<script>" not in result.out or kind in ("text", "json", "sarif")


def test_globals_are_escaped(run, folder) -> None:
    (folder / "x.pkl").write_bytes(b"c\x1b[2Kno findings\n\xe2\x80\xaesystem\n(S'\\x1b[31m'\ntR.")
    result = run("scan", "x.pkl")
    assert result.code == 1
    assert all(line.isprintable() for line in result.out.split("\n"))


# Standard input


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "code", "rule"),
    [
        (GOOD, 0, None),
        (BAD, 1, "SM101"),
        (CUT, 2, "SM901"),
        (b"", 2, "SM905"),
        (b"x y", 2, "SM905"),
    ],
)
@pytest.mark.parametrize("in_memory", [1 << 20, 1])
def test_stdin(run, monkeypatch, data: bytes, code: int, rule: str | None, in_memory: int) -> None:
    monkeypatch.setattr(stdin, "IN_MEMORY", in_memory)
    feed(monkeypatch, data)
    result = run("scan", "-", "--format", "json")
    assert result.code == code
    (file,) = result.document["files"]
    assert file["path"] == "<stdin>"
    assert [finding["rule"] for finding in file["findings"]][:1] == ([rule] if rule else [])


@pytest.mark.parametrize("in_memory", [1 << 20, 1])
def test_stdin_is_bounded(run, monkeypatch, in_memory: int) -> None:
    monkeypatch.setattr(stdin, "IN_MEMORY", in_memory)
    monkeypatch.setattr(stdin, "_PIECE", 10)
    monkeypatch.setattr(stdin, "MAX_STDIN", 100)
    feed(monkeypatch, BAD + bytes(200))
    result = run("scan", "-")
    assert result.code == 2
    assert "SM902 unread: more than 100 bytes on standard input" in result.out


def test_stdin_beside_files(run, folder, monkeypatch) -> None:
    feed(monkeypatch, BAD)
    result = run("scan", "good.pkl", "-")
    assert result.code == 1
    assert "<stdin>: SM101" in result.out
    assert "good.pkl: no findings" in result.out


@posix
def test_stdin_that_cannot_be_read(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "safemodel", "scan", "-"], stdin=file, capture_output=True
        )
    assert done.returncode == 2
    assert b"SM904" in done.stdout
    assert b"Traceback" not in done.stderr


# Usage


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("good.pkl", "--fail-on", "never"),
        ("good.pkl", "--format", "xml"),
        ("good.pkl", "--jobs", "0"),
        ("good.pkl", "--jobs", "-1"),
        ("good.pkl", "--jobs", "two"),
        ("good.pkl", "--max-seconds", "0"),
        ("good.pkl", "--max-seconds", "nan"),
        ("good.pkl", "--max-size", "much"),
        ("good.pkl", "--max-size", "-5"),
        ("good.pkl", "--policy", "missing.toml"),
        ("good.pkl", "--baseline", "missing.json"),
        ("good.pkl", "--cache-dir", "good.pkl"),
    ],
)
def test_usage(run, folder, arguments: tuple[str, ...]) -> None:
    result = run("scan", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("safemodel: error: ")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100", 100),
        ("1k", 1024),
        ("500M", 500 << 20),
        ("2GiB", 2 << 30),
        ("1tb", 1 << 40),
        ("3B", 3),
    ],
)
def test_sizes(text: str, size: int) -> None:
    from safemodel.cli.scan_options import _size

    assert _size(text) == size


# Baselines, policies, caches


def test_a_baseline_from_its_making_to_its_end(run, folder) -> None:
    result = run("scan", "medium.pkl", "--write-baseline", "accepted.json")
    assert result.code == 1
    assert "write down the reason" in result.err
    refused = run("scan", "medium.pkl", "--baseline", "accepted.json")
    assert refused.code == 2
    assert "entry 1 has no reason" in refused.err
    document = json.loads((folder / "accepted.json").read_text())
    for entry in document["entries"]:
        entry["reason"] = "our own class"
    (folder / "accepted.json").write_text(json.dumps(document))
    accepted = run("scan", "medium.pkl", "--baseline", "accepted.json")
    assert accepted.code == 0
    assert "suppressed" in accepted.out
    (folder / "medium.pkl").write_bytes(MEDIUM + b"\n")
    assert run("scan", "medium.pkl", "--baseline", "accepted.json").code == 1
    (folder / "medium.pkl").write_bytes(MEDIUM)
    for entry in document["entries"]:
        entry["expires"] = "2020-01-31"
    (folder / "accepted.json").write_text(json.dumps(document))
    expired = run("scan", "medium.pkl", "--baseline", "accepted.json")
    assert expired.code == 1
    assert "was accepted until 2020-01-31, and counts again" in expired.out
    assert run("scan", "medium.pkl", "--write-baseline", "accepted.json").code == 2


def test_a_baseline_is_for_anything_that_is_found(run, folder) -> None:
    """Also where the file was never read, or is judged by what lies beside it."""
    (folder / "model").mkdir()
    (folder / "model" / "native.so").write_bytes(b"\x7fELF and more")
    (folder / "model" / "weights.pkl").write_bytes(GOOD)
    before = run("scan", "model", "notes.txt", "cut.pkl", "--write-baseline", "accepted.json")
    assert before.code == 1
    document = json.loads((folder / "accepted.json").read_text())
    assert {entry["rule"] for entry in document["entries"]} >= {"SM515", "SM901", "SM905"}
    for entry in document["entries"]:
        entry["reason"] = "looked at"
    (folder / "accepted.json").write_text(json.dumps(document))
    after = run("scan", "model", "notes.txt", "cut.pkl", "--baseline", "accepted.json")
    assert after.code == 0, after.out


def test_a_policy(run, folder) -> None:
    (folder / "policy.toml").write_text('version = 1\n[[allow]]\nnames = ["acme.models.Net"]\n')
    assert run("scan", "medium.pkl", "--policy", "policy.toml").code == 0
    assert run("scan", "bad.pkl", "--policy", "policy.toml").code == 1
    (folder / "policy.toml").write_text('version = 1\n[[deny]]\nnames = ["acme.*"]\n')
    result = run("scan", "medium.pkl", "--policy", "policy.toml", "--fail-on", "high")
    assert result.code == 1
    (folder / "policy.toml").write_text('version = 1\n[[allow]]\nnames = ["os.system"]\n')
    assert run("scan", "bad.pkl", "--policy", "policy.toml").code == 2


def test_nothing_in_a_scanned_folder_is_a_policy(run, folder) -> None:
    allow = 'version = 1\n[[allow]]\nnames = ["acme.models.Net"]\n'
    for name in ("policy.toml", "safemodel.toml", ".safemodel.toml", "modelscan-settings.toml"):
        (folder / name).write_text(allow)
    assert run("scan", "medium.pkl").code == 1


def test_a_cache(run, folder, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(folder / "home"))
    first = run("scan", "bad.pkl", "--cache-dir", "cache")
    assert len(list((folder / "cache").rglob("*.json"))) == 1
    assert run("scan", "bad.pkl", "--cache-dir", "cache").out == first.out
    run("scan", "bad.pkl", "--cache")
    if sys.platform != "darwin":
        assert len(list((folder / "home").rglob("*.json"))) == 1


def test_no_file_is_written_without_being_asked_for(run, folder) -> None:
    before = sorted(folder.rglob("*"))
    run("scan", ".")
    assert sorted(folder.rglob("*")) == before


# The project


def project(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


def test_a_project_makes_scans_stricter(run, folder) -> None:
    project(folder, '[tool.safemodel.scan]\nfail-on = "low"\n')
    assert run("scan", "medium.pkl", "--fail-on", "high").code == 1
    project(folder, "[tool.safemodel.scan]\nstrict = true\n")
    (folder / "models").mkdir()
    (folder / "models" / "notes.txt").write_text("notes")
    assert run("scan", "models").code == 2
    project(folder, "[tool.other]\nx = 1\n")
    assert run("scan", "models").code == 0


def test_a_project_is_found_upward(run, folder, monkeypatch) -> None:
    project(folder, "[tool.safemodel.scan]\nstrict = true\n")
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "models").mkdir()
    (folder / "a" / "models" / "notes.txt").write_text("notes")
    monkeypatch.chdir(folder / "a" / "b")
    assert run("scan", "../models").code == 2


@pytest.mark.parametrize(
    "text",
    [
        '[tool.safemodel.scan]\nfail-on = "high"\n',
        '[tool.safemodel.scan]\nfail-on = "critical"\n',
        "[tool.safemodel.scan]\nfail-on = 1\n",
        '[tool.safemodel.scan]\nstrict = "no"\n',
        '[tool.safemodel.scan]\nbaseline = "x"\n',
        '[tool.safemodel.scan]\npolicy = "x"\n',
        '[tool.safemodel]\nallow = ["x"]\n',
        "[tool.safemodel]\nscan = 1\n",
        "[tool.safemodel\n",
        "[tool]\nsafemodel.scan.more = 1\n",
    ],
)
def test_a_project_that_asks_for_less_or_for_something_else(run, folder, text: str) -> None:
    project(folder, text)
    result = run("scan", "good.pkl")
    assert result.code == 2
    assert "pyproject.toml" in result.err


def test_a_project_inside_of_what_is_scanned_has_no_say(run, folder) -> None:
    project(folder, "[tool.safemodel.scan]\nstrict = true\nfail-on = 'nonsense'\n")
    for name in ("bad.pkl", "medium.pkl", "cut.pkl"):
        (folder / name).unlink()
    result = run("scan", ".")
    assert result.code == 0
    assert "is ignored" in result.err


# The program


def test_starting_is_quick_because_little_is_imported(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(GOOD)
    code = (
        "import sys; before = set(sys.modules); from safemodel.cli import main\n"
        "main(['scan', sys.argv[1], '-q']); print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.pkl")], capture_output=True, text=True
    )
    found = set(done.stdout.split())
    assert "safemodel.scan.engine" in found
    heavy = """
        json hashlib rich numpy cryptography blake3 isal subprocess multiprocessing logging tempfile
        pathlib pickle zipfile asyncio socket tomllib shutil html urllib.parse lz4 zstandard jinja2
    """
    assert not set(heavy.split()) & found
    assert not any(name.startswith("safemodel.bundle") for name in found)


def test_progress(run, folder, monkeypatch) -> None:
    monkeypatch.setattr("safemodel.cli.output.is_terminal", lambda stream: stream is sys.stderr)
    monkeypatch.setattr("safemodel.cli.progress.is_terminal", lambda stream: stream is sys.stderr)
    monkeypatch.setattr("safemodel.cli.progress._DELAY", -1)
    monkeypatch.setattr("safemodel.cli.progress._INTERVAL", 0)
    result = run("scan", ".", "--jobs", "1")
    assert "scanning .: " in result.err
    assert "100 %" in result.err
    assert result.err.endswith("\r\x1b[K")
    assert run("scan", ".", "-q").err == ""


@posix
def test_interrupted(tmp_path: Path) -> None:
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "safemodel", "scan", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


# The function


def test_the_function(folder) -> None:
    report = sm.scan("bad.pkl")
    assert report.exit_code() == 1
    assert report.findings[0].severity is Severity.CRITICAL
    assert sm.scan(folder / "good.pkl").exit_code() == 0
    assert sm.scan(["good.pkl", folder / "cut.pkl"]).exit_code() == 2
    assert len(sm.scan(".", exclude=["*.pkl"]).files) == 2
    assert sm.scan("bad.pkl", max_size=3).findings[0].rule == "SM902"
    (folder / "policy.toml").write_text('version = 1\n[[allow]]\nnames = ["acme.models.Net"]\n')
    assert sm.scan("medium.pkl", policy="policy.toml", cache=folder / "cache").exit_code() == 0
    with pytest.raises(sm.errors.SourceError):
        sm.scan("medium.pkl", baseline="missing")


def test_the_function_is_there_whatever_was_imported_first() -> None:
    code = "import {0}; import safemodel as sm; print(sm.scan(__file__).exit_code())"
    for module in ("safemodel", "safemodel.scan.rules", "safemodel.cli.scan"):
        done = subprocess.run(
            [sys.executable, "-c", f"__file__ = 'missing'; {code.format(module)}"],
            capture_output=True,
            text=True,
        )
        assert done.stdout == "2\n", done.stderr
