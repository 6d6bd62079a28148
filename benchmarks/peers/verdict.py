"""What another scanner says of files. Runs in that scanner's own environment, without safemodel.

    python verdict.py PEER FOLDER

Prints one line of JSON: {relative path: "alarm" | "quiet" | "unread"}. A file is an alarm when the
scanner's own command line would fail because of it, with its defaults.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Verdicts = dict[str, str]
PATIENCE = 20  # seconds for one file


def _each(folder: Path, judge: Callable[[Path], str]) -> Verdicts:
    """Every file (or SavedModel folder) by itself; what raises, or takes long, is `unread`."""
    found: Verdicts = {}
    signal.signal(signal.SIGALRM, _late)
    for path in sorted(folder.iterdir()):
        signal.alarm(PATIENCE)
        try:
            found[path.name] = judge(path)
        except Exception as error:
            print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
            found[path.name] = "unread"
        finally:
            signal.alarm(0)
    return found


def _late(_number: int, _frame: object) -> None:
    raise TimeoutError(f"no answer in {PATIENCE} seconds")


def picklescan(folder: Path) -> Verdicts:
    """`infected` files fail its command line; errors do, too."""
    from picklescan import scanner

    def judge(path: Path) -> str:
        scan = scanner.scan_directory_path if path.is_dir() else scanner.scan_file_path
        result = scan(str(path))
        if result.issues_count:
            return "alarm"
        return "unread" if result.scan_err else "quiet"

    return _each(folder, judge)


def modelscan(folder: Path) -> Verdicts:
    """Any issue fails its command line; errors and skipped files do, too."""
    from modelscan.modelscan import ModelScan

    def judge(path: Path) -> str:
        result = ModelScan().scan(str(path))
        if result["summary"]["total_issues"]:
            return "alarm"
        scanned = result["summary"]["scanned"]["total_scanned"]
        return "unread" if result["errors"] or not scanned else "quiet"

    return _each(folder, judge)


def fickling(folder: Path) -> Verdicts:
    """`--check-safety` fails on everything that is not "likely safe"; it reads bare pickles."""
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import StackedPickle

    def judge(path: Path) -> str:
        with open(path, "rb") as file:
            pickles = list(StackedPickle.load(file))
        if any(check_safety(p).severity > Severity.LIKELY_SAFE for p in pickles):
            return "alarm"
        return "quiet" if pickles else "unread"

    return _each(folder, judge)


def modelaudit(folder: Path) -> Verdicts:
    """Warnings and critical issues fail its command line."""
    command = [
        str(Path(sys.executable).parent / "modelaudit"),
        "scan",
        "--no-cache",
        "--format",
        "json",
        str(folder),
    ]
    quiet = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    document = json.loads(result.stdout)
    found = dict.fromkeys(sorted(item.name for item in folder.iterdir()), "quiet")
    for issue in document["issues"]:
        name = _item(issue.get("location") or "", found)
        if name and issue["severity"] in {"warning", "critical"}:
            found[name] = "alarm"
    return found


def hayward(folder: Path) -> Verdicts:
    """High and critical findings fail its command line; it names what it could not read."""
    command = [str(Path(sys.executable).parent / "hayward"), "scan", "-f", "json", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    document = json.loads(result.stdout)
    found = dict.fromkeys(sorted(item.name for item in folder.iterdir()), "quiet")
    for path in document["coverage_gaps"]:
        if name := _item(path, found):
            found[name] = "unread"
    for finding in document["findings"]:
        name = _item(finding["file"], found)
        if name and finding["severity"] in {"high", "critical"}:
            found[name] = "alarm"
    return found


def _item(location: str, found: Verdicts) -> str:
    """The item of the folder that a location is in; "" if it is in none."""
    for part in location.split("/"):
        for end in (" (", "::", ":", "!"):
            part = part.split(end)[0]
        if part in found:
            return part
    return ""


PEERS: dict[str, Callable[[Path], Verdicts]] = {
    "picklescan": picklescan,
    "modelscan": modelscan,
    "fickling": fickling,
    "modelaudit": modelaudit,
    "hayward": hayward,
}


if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](Path(sys.argv[2]))))
