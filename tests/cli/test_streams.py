"""Streams, escaping, colour, interrupts and errors of the program itself."""

from __future__ import annotations

import io
import os
import shlex
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
from safemodel.cli.source import size_of
from safemodel.errors import SourceError
from safemodel.trust.keys import Signer

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


def test_report_replaces_a_file_and_no_device(tmp_path) -> None:
    report = tmp_path / "report"
    report.write_text("old")
    report.chmod(0o600)
    mode = report.stat().st_mode
    output.write_file(str(report), "\udcff\n")
    assert report.read_text() == "\\udcff\n"
    assert report.stat().st_mode == mode
    with pytest.raises(SourceError, match="can't be written"):
        output.write_file(str(tmp_path / "missing" / "report"), "x")
    if os.path.exists(os.devnull):
        with pytest.raises(SourceError, match="not a regular file"):
            output.write_file(os.devnull, "x")
    assert [one.name for one in tmp_path.iterdir()] == ["report"]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
def test_report_follows_no_stale_name_and_replaces_no_pipe(tmp_path) -> None:
    # A name that others can guess is one that they can make first.
    (tmp_path / f"report.{os.getpid()}.tmp").symlink_to(tmp_path / "victim")
    output.write_file(str(tmp_path / "report"), "x")
    assert (tmp_path / "report").read_text() == "x"
    assert not (tmp_path / "victim").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError):
        output.write_file(str(tmp_path / "pipe"), "x")
    assert (tmp_path / "pipe").is_fifo()


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
    def interrupt(options, out):
        raise KeyboardInterrupt

    monkeypatch.setattr(safemodel.cli.verify, "run", interrupt)
    result = run("verify", make())
    assert (result.code, result.out, result.err) == (130, "", "")


def test_program_error_is_no_traceback(run, make, monkeypatch) -> None:
    def fail(options, out):
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
    def fail(options, out):
        raise MemoryError

    monkeypatch.setattr(safemodel.cli.verify, "run", fail)
    result = run("verify", make())
    assert result.code == 2
    assert "memory" in result.err


def test_progress_waits_and_erases(monkeypatch, capsys) -> None:
    now = [0.0]
    monkeypatch.setattr("safemodel.cli.progress.is_terminal", lambda stream: True)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Progress("verifying", "a\x1bb", lambda: 1000, quiet=False) as progress:
        progress(100)
        assert capsys.readouterr().err == ""
        now[0] = 1.0
        progress(400)
        assert capsys.readouterr().err == (
            "\r\x1b[Kverifying a\\x1bb: 50 %, 500 B of 1.0 kB, 500 B/s"
        )
    assert capsys.readouterr().err == "\r\x1b[K"


def test_progress_of_an_unknown_size_has_no_percentage(monkeypatch, capsys) -> None:
    monkeypatch.setattr("safemodel.cli.progress.is_terminal", lambda stream: True)
    monkeypatch.setattr(time, "monotonic", iter([0.0, 1.0]).__next__)
    with Progress("verifying", "a", lambda: None, quiet=False) as progress:
        progress(400)
    assert capsys.readouterr().err == "\r\x1b[Kverifying a: 400 B, 400 B/s\r\x1b[K"


@pytest.mark.parametrize("verb", ["verify", "pack", "unpack", "sign", "verify -", "sign folder"])
def test_every_progress_has_a_percentage(run, make, monkeypatch, tmp_path, verb) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "model.bin").write_bytes(bytes(1000))
    arguments = {
        "verify": ["verify", make()],
        "pack": ["pack", make("folder")],
        "unpack": ["unpack", make(), "-o", tmp_path / "out"],
        "sign": ["sign", make(), "--oms"],
        "verify -": ["verify", "-"],
        "sign folder": ["sign", plain],
    }[verb]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(make().read_bytes())))
    if verb == "pack":
        make().unlink()
        arguments += ["-o", tmp_path / "packed.safemodel"]
    monkeypatch.setattr("safemodel.cli.progress.is_terminal", lambda stream: stream is sys.stderr)
    monkeypatch.setattr("safemodel.cli.progress._DELAY", -1)
    monkeypatch.setattr(time, "monotonic", iter(range(10000)).__next__)
    result = run(*arguments)
    assert result.code == 0, result.err
    assert " %, " in result.err


def test_size_of_a_folder_is_that_of_its_files(tmp_path, monkeypatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(bytes(10))
    (tmp_path / "c").write_bytes(bytes(5))
    assert size_of(str(tmp_path)) == 15
    assert size_of(str(tmp_path / "c")) == 5
    assert size_of(str(tmp_path / "missing")) is None
    assert size_of("-") is None
    monkeypatch.setattr("safemodel.limits.MAX_MEMBERS", 1)
    assert size_of(str(tmp_path)) is None


def test_progress_is_for_people_only(monkeypatch, capsys) -> None:
    monkeypatch.setattr(time, "monotonic", iter([0.0, 9.0, 19.0]).__next__)
    with Progress("verifying", "a", lambda: None, quiet=False) as progress:
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


CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}


def closed(stream: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command that has no such stream at all, as daemons and cron jobs may."""
    command = shlex.join([sys.executable, "-m", "safemodel", *map(str, arguments)])
    return subprocess.run(["sh", "-c", f"{command} {CLOSED[stream]}"], capture_output=True)


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize("stream", CLOSED)
def test_closed_streams_leave_the_exit_code(make, tmp_path, stream) -> None:
    good, bad = make(), make("u.safemodel", signers=())
    for arguments, code in (
        (["verify", good], 0),
        (["verify", good, "--format", "json"], 0),
        (["verify", good, "-o", tmp_path / "report"], 0),
        (["inspect", good], 0),
        (["verify", bad], 1),
        (["verify", tmp_path / "missing"], 2),
        (["--help"], 0),
        ([], 2),
    ):
        done = closed(stream, *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
    assert (tmp_path / "report").read_text().count("\n") == 1  # and nothing else of ours


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
def test_closed_stdin_holds_nothing(make) -> None:
    done = closed("stdin", "verify", "-")
    assert done.returncode == 2
    assert done.stderr.startswith(b"safemodel: error: <stdin>: is empty\n")


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize("stream", CLOSED)
def test_closed_stream_is_no_terminal_to_ask_for_a_password(make, tmp_path, stream) -> None:
    Signer.generate().save(tmp_path / "encrypted.key", "secret")
    done = closed(stream, "sign", make(), "--signer", tmp_path / "encrypted.key")
    assert done.returncode == 2
    if CLOSED[stream].endswith("2>&-"):
        assert done.stderr == b""
    else:
        assert done.stderr.startswith(b"safemodel: error: ")
        assert b"password" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a descriptor that can't be read")
def test_standard_input_that_cannot_be_read(tmp_path) -> None:
    with open(tmp_path / "out", "wb") as file:
        _, err = (process := spawn("verify", "-", stdin=file)).communicate()
    assert process.returncode == 2
    assert err.startswith(b"safemodel: error: <stdin>: can't be read: ")
    assert b"None" not in err


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
