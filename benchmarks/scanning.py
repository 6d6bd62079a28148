"""Compare the scanner with others: what each finds, what it complains about, time and memory.

    python -m benchmarks.scanning [--only detection speed] [--folder DIR] [--rounds 3]

Detection and false alarms: the hostile files of tests/attacks (each proved by a real loader) and
the benign ones of tests/benign, under the names that people give them, with each scanner's
defaults. Speed: each command line as a whole process, from a cold start, scanners taking turns.
Results replace the section "Scanning" of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import REQUIREMENTS, python_of

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
HEADING = "## Scanning"
TIMEOUT = 120.0
PATIENCE = 400.0  # seconds for all files of a corpus
OURS = "safemodel"


@dataclass(frozen=True)
class Timing:
    """One run of a command."""

    seconds: float
    peak: int  # bytes of resident memory
    code: int | None  # None: it was stopped after TIMEOUT


def main() -> None:
    """Run what the command line asks for, and write the section."""
    arguments = _arguments()
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="safemodel-scan-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    environments = Path(arguments.environments).absolute()
    pythons = {peer: python_of(peer, environments) for peer in REQUIREMENTS}
    os.environ["PYTHONPATH"] = str(HERE.parent)  # for the processes that make the files
    os.chdir(folder)  # some leave files where they run
    parts = [HEADING, "", _machine(), ""]
    if "detection" in arguments.only:
        parts += detection(folder, pythons)
    if "speed" in arguments.only:
        parts += speed(folder, pythons, arguments.rounds)
    text = "\n".join(parts).rstrip() + "\n"
    print(text)
    if len(arguments.only) == 2:
        _write(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanning", description=__doc__)
    parser.add_argument("--only", nargs="*", default=["detection", "speed"])
    parser.add_argument("--folder", help="where the files (2 GB) go; kept, and used again")
    parser.add_argument("--environments", default=".venv-peers", help="where the peers go")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _machine() -> str:
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores; "
        + ", ".join(requirements[0] for requirements in REQUIREMENTS.values())
        + "."
    )


def _write(section: str) -> None:
    """Replace the section, or add it at the end."""
    before, _, rest = RESULTS.read_text().partition(f"\n{HEADING}\n")
    after = rest.partition("\n## ")[2]
    RESULTS.write_text(before.rstrip() + "\n\n" + section + (f"\n## {after}" if after else ""))


# Detection


def detection(folder: Path, pythons: dict[str, Path]) -> list[str]:
    """The table of hostile and benign files by scanner."""
    from benchmarks import scan_corpus

    corpora = {"hostile": folder / "hostile", "benign": folder / "benign"}
    for name, place in corpora.items():
        if not (folder / f"{name}.done").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            getattr(scan_corpus, name)(place)
            (folder / f"{name}.done").touch()
    rows = {OURS: {name: _ours(place) for name, place in corpora.items()}}
    for peer, python in pythons.items():
        rows[peer] = {name: _verdicts(peer, python, place) for name, place in corpora.items()}
    counts = {name: len(list(place.iterdir())) for name, place in corpora.items()}
    lines = [
        f"Of {counts['hostile']} hostile files and {counts['benign']} benign ones, with each "
        "scanner's defaults (alarm: its command line fails because of the file):",
        "",
        "| scanner | hostile: alarm | unread | **missed** | benign: **false alarm** | unread |",
        "|---|---|---|---|---|---|",
    ]
    for scanner, found in rows.items():
        hostile, benign = (_count(found[name]) for name in corpora)
        lines.append(
            f"| {scanner} | {_share(hostile['alarm'], counts['hostile'])} | {hostile['unread']} "
            f"| {hostile['quiet']} | {_share(benign['alarm'], counts['benign'])} "
            f"| {benign['unread']} |"
        )
    return [*lines, ""]


def _count(verdicts: dict[str, str]) -> dict[str, int]:
    values = list(verdicts.values())
    return {word: values.count(word) for word in ("alarm", "unread", "quiet")}


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / max(1, total):.1f} %)"


def _ours(folder: Path) -> dict[str, str]:
    import safemodel

    words = {0: "quiet", 1: "alarm", 2: "unread"}
    return {path.name: words[safemodel.scan(path).exit_code()] for path in sorted(folder.iterdir())}


def _verdicts(peer: str, python: Path, folder: Path) -> dict[str, str]:
    script = HERE / "peers" / "verdict.py"
    try:
        result = subprocess.run(
            [str(python), str(script), peer, str(folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tempfile.gettempdir(),
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        print(f"{peer} did not end with {folder} in {PATIENCE:.0f} s", file=sys.stderr)
        return {path.name: "unread" for path in folder.iterdir()}
    if result.returncode:
        print(f"{peer}: {result.stderr[-2000:]}", file=sys.stderr)
        return {path.name: "unread" for path in folder.iterdir()}
    verdicts: dict[str, str] = json.loads(result.stdout.splitlines()[-1])
    return verdicts


# Speed


def _commands(python: Path, peer: str, path: Path) -> list[str]:
    program = str(python.parent / peer)
    return {
        "picklescan": [program, "-p", str(path)],
        "modelscan": [program, "scan", "-p", str(path)],
        "fickling": [program, "--check-safety", str(path)],
        "modelaudit": [program, "scan", "--no-cache", "-q", str(path)],
        "hayward": [program, "scan", str(path)],
        OURS: [program, "scan", str(path)],
    }[peer]


def speed(folder: Path, pythons: dict[str, Path], rounds: int) -> list[str]:
    """The table of times and memory: the fastest of all rounds."""
    from benchmarks import scan_corpus

    cases = scan_corpus.large(folder)
    scanners = {OURS: Path(sys.executable), **pythons}
    lines = [
        "Seconds from a cold start to the end of the process, and peak memory (of the largest "
        "process); the best of the rounds. `-`: its exit code says that it can't read this "
        "harmless file, or complains about it; `>`: did not end.",
        "",
        "| file | " + " | ".join(scanners) + " |",
        "|---|" + "---|" * len(scanners),
    ]
    for name, path in cases.items():
        best: dict[str, Timing] = {}
        for _ in range(rounds):
            for scanner, python in scanners.items():
                if best.get(scanner, Timing(0, 0, 0)).code is None:
                    continue
                timing = _timed(_commands(python, scanner, path))
                if scanner not in best or timing.seconds < best[scanner].seconds:
                    best[scanner] = timing
        cells = " | ".join(_cell(best[scanner]) for scanner in scanners)
        lines.append(f"| {name} | {cells} |")
        print(lines[-1], file=sys.stderr, flush=True)
    lines += ["", _loads(cases)]
    return [*lines, ""]


def _cell(timing: Timing) -> str:
    if timing.code is None:
        return f"> {TIMEOUT:.0f} s"
    dash = "- " if timing.code else ""
    return f"{dash}{timing.seconds:.2f} s, {timing.peak / 1e6:.0f} MB"


def _loads(cases: dict[str, Path]) -> str:
    """What `pickle.loads` itself takes for the vocabulary, and ours in a process that is warm."""
    path = cases["vocabulary of a million entries, 19 MB"]
    code = (
        "import pickle, time, sys\n"
        "from safemodel.scan.engine import scan_bytes\n"
        f"data = open({str(path)!r}, 'rb').read()\n"
        "def best(f):\n"
        "    times = []\n"
        "    for _ in range(3):\n"
        "        t = time.perf_counter(); f(); times.append(time.perf_counter() - t)\n"
        "    return min(times)\n"
        "loads = best(lambda: pickle.loads(data)); ours = best(lambda: scan_bytes(data, 'x'))\n"
        "print(loads, ours)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loads, ours = map(float, result.stdout.split())
    return (
        f"The vocabulary, in one warm process: `pickle.loads` {loads:.2f} s, our scan {ours:.2f} s "
        f"({ours / loads:.2f}x)."
    )


def _timed(command: list[str]) -> Timing:
    """Run it; the memory is that of the largest process below this one."""
    quiet = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
        quiet.pop(name, None)
    start = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        command,
        quiet,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    )
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        seconds = time.perf_counter() - start
        if done:
            return Timing(seconds, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status))
        if seconds > TIMEOUT:
            os.kill(pid, 9)
            os.wait4(pid, 0)
            return Timing(seconds, 0, None)
        time.sleep(0.001)


if __name__ == "__main__":
    main()
