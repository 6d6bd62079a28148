"""Streams, escaping, colour, interrupts and errors of the program itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import safemodel.cli.verify
from safemodel.cli import main, output
from safemodel.cli.progress import Progress

ESCAPES = [
    "\x1b]52;c;aGk=\x07",
    "\x1b[2Kverified",
    "a\rb",
    "a\nsafemodel: hint: trust me",
    "\u202eexe",
]


@given(st.text())
def test_escaped_text_cannot_move_the_cursor(text) -> None:
    escaped = output.escape(text)
    assert escaped.isprintable()
    for character in escaped:
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    if text.isprintable():
        assert escaped == text


@pytest.mark.parametrize("name", ESCAPES)
def test_file_names_are_escaped(run, make, tmp_path, name) -> None:
    path = make()
    hostile = tmp_path / name
    if os.name != "posix":
        pytest.skip("such names exist on POSIX systems only")
    path.rename(hostile)
    for arguments in (["verify", hostile], ["inspect", hostile], ["verify", f"{hostile}-missing"]):
        result = run(*arguments)
        for stream in (result.out, result.err):
            assert all(line.isprintable() for line in stream.split("\n"))
    assert run("verify", hostile).out.count("\n") == 1
    missing = run("verify", f"{hostile}-missing").err
    assert missing.startswith("safemodel: error: ")
    assert missing.count("\n") == 1
    assert run("verify", hostile, "--format", "json").document["results"][0]["path"] == str(hostile)


def test_text_of_the_manifest_is_escaped(run, make) -> None:
    path = make(
        description="first\n\tsecond \u202e\u200b",
        license="\u202eTIM",
        task="\u2066x",
        tags=["\u200e"],
        datasets=[{"name": "\u202ed", "uri": "http://\u202e"}],
        lineage={"tool": "\u202etool", "base_models": ["\u2067b"]},
        tensors=["weight", "b"],
        architecture={"graph": {"names": {"b": "\x1b[31m\u202e"}}},
    )
    for arguments in (["inspect", path], ["verify", path]):
        result = run(*arguments)
        assert result.code == 0
        assert all(line.isprintable() for line in result.out.split("\n"))
    assert "first\\n\\tsecond \\u202e\\u200b" in run("inspect", path).out
    assert run("inspect", path, "--format", "json").document["tensors"]


def test_arguments_are_escaped_in_errors(run) -> None:
    for name in ESCAPES:
        result = run(name)
        assert result.code == 2
        assert all(line.isprintable() for line in result.err.split("\n"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "VERB"),
        (["verfy", "x"], "did you mean `safemodel verify`?"),
        (["verify"], "PATH"),
        (["verify", "x", "--nam", "y"], "--nam"),
        (["verify", "x", "--format", "yaml"], "yaml"),
        (["inspect", "x", "y"], "'y'"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_usage_errors(run, arguments, says) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    first, hint = result.err.splitlines()
    assert first.startswith("safemodel: error: ")
    assert hint.startswith("safemodel: hint: ")
    assert says in result.err


def test_help_and_version(run) -> None:
    assert "Exit codes" in run("--help").out
    assert run("--version").out == f"safemodel {safemodel.__version__}\n"
    for verb in ("init", "keygen", "sign", "verify", "inspect", "pack", "unpack", "trust"):
        result = run(verb, "--help")
        assert result.code == 0
        assert "Examples:" in result.out


@pytest.mark.parametrize(
    ("variables", "option", "terminal", "expected"),
    [
        ({}, "auto", False, False),
        ({}, "auto", True, True),
        ({"TERM": "dumb"}, "auto", True, False),
        ({"NO_COLOR": "1"}, "auto", True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", True, False),
        ({"FORCE_COLOR": "1"}, "auto", False, True),
        ({"NO_COLOR": ""}, "auto", True, True),
        ({"NO_COLOR": "1"}, "always", False, True),
        ({"FORCE_COLOR": "1"}, "never", True, False),
    ],
)
def test_colour(monkeypatch, variables, option, terminal, expected) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(output, "is_terminal", lambda stream: terminal)
    assert output.colored(sys.stdout, option) is expected


def test_colour_option(run, make) -> None:
    assert "\x1b[32mverified\x1b[0m" in run("verify", make(), "--color", "always").out
    assert "\x1b" not in run("verify", make(), "--color", "never").out


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (438_000_000, "438 MB"),
        (999_600, "1.0 MB"),
        (2 * 10**9, "2.0 GB"),
        (10**16, "10,000 TB"),
    ],
)
def test_sizes(size, text) -> None:
    assert output.size_text(size) == text


def test_interrupt_is_quiet(run, make, monkeypatch) -> None:
    def interrupt(options, report):
        raise KeyboardInterrupt

    monkeypatch.setattr(safemodel.cli.verify, "run", interrupt)
    result = run("verify", make())
    assert (result.code, result.out, result.err) == (130, "", "")


def test_program_error_is_no_traceback(run, make, monkeypatch) -> None:
    def fail(options, report):
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.setattr(safemodel.cli.verify, "run", fail)
    result = run("verify", make(), "--format", "json")
    assert result.code == 2
    assert result.document["error"]["message"].startswith("internal error: ZeroDivisionError")
    assert "\x1b" not in result.err
    monkeypatch.setenv("SAFEMODEL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["verify", "x"])


def test_memory_error_is_not_answered(run, make, monkeypatch) -> None:
    def fail(options, report):
        raise MemoryError

    monkeypatch.setattr(safemodel.cli.verify, "run", fail)
    result = run("verify", make())
    assert result.code == 2
    assert "memory" in result.err


def test_progress_waits_and_erases(monkeypatch, capsys) -> None:
    now = [0.0]
    monkeypatch.setattr("safemodel.cli.progress.is_terminal", lambda stream: True)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Progress("verifying", "a\x1bb", 1000, quiet=False) as progress:
        progress(100)
        assert capsys.readouterr().err == ""
        now[0] = 1.0
        progress(400)
        assert capsys.readouterr().err == (
            "\r\x1b[Kverifying a\\x1bb: 50 %, 500 B of 1.0 kB, 500 B/s"
        )
    assert capsys.readouterr().err == "\r\x1b[K"


def test_progress_is_for_people_only(monkeypatch, capsys) -> None:
    monkeypatch.setattr(time, "monotonic", iter([0.0, 9.0, 19.0]).__next__)
    with Progress("verifying", "a", quiet=False) as progress:
        progress(1)
    assert capsys.readouterr().err == ""


# Real processes


def spawn(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "safemodel", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, **{"stdout": pipe, "stderr": pipe, **options})


def test_module_and_exit_code(make) -> None:
    path = make(signers=())
    process = spawn("verify", path)
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert err.startswith(b"safemodel: error: ")


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_closed_pipe_is_quiet(make) -> None:
    path = make(tensors=[f"tensor.{i:05}" for i in range(5000)])
    process = spawn("inspect", path, "--all")
    assert process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert err == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_an_error(make) -> None:
    with open("/dev/full", "wb") as full:
        process = spawn("verify", make(), stdout=full)
        _, err = process.communicate()
    assert process.returncode == 2
    assert err.startswith(b"safemodel: error: can't write the result")
    assert b"Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_is_quiet(tmp_path) -> None:
    fifo = tmp_path / "in"
    os.mkfifo(fifo)
    holder = os.open(fifo, os.O_RDWR)
    process = spawn("verify", "-", stdin=holder)
    os.write(holder, b"PK\x03\x04")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    os.close(holder)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_ascii_terminal_gets_everything(make) -> None:
    path = make(description="d\u00e9tecte")
    process = spawn("inspect", path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert b"d\\xe9tecte" in out
