"""Measure saving, signing, verifying and loading, against others, alternating in one run.

    python -m benchmarks [--rounds 5] [--size 2000000000] [--forest 500000000] [--only load]

Every measurement is a process of its own: it imports and prepares, then measures one operation,
the best of three runs, and the most memory that it needed on top. The cases of a group take turns,
round by round, so that a machine whose speed drifts is the same for all; ratios are taken within a
round. Results go to benchmarks/RESULTS.md and benchmarks/results.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.cases import GROUPS, prepare
from benchmarks.groups import Group

HERE = Path(__file__).parent


def main() -> None:
    """Run what the command line asks for, and write the report."""
    arguments = _arguments()
    if arguments.folder:
        Path(arguments.folder).mkdir(parents=True, exist_ok=True)
        _run_all(arguments, Path(arguments.folder))
        return
    with tempfile.TemporaryDirectory(prefix="safemodel-bench-") as temporary:
        _run_all(arguments, Path(temporary))


def _run_all(arguments: argparse.Namespace, folder: Path) -> None:
    os.environ["SAFEMODEL_CONFIG"] = str(folder / "config")
    prepare(folder, arguments.size, arguments.forest)
    groups = [g for g in GROUPS if not arguments.only or g.name in arguments.only]
    results = {group.name: _measure(group, folder, arguments.rounds) for group in groups}
    if not arguments.only:
        report.write(HERE, groups, results, _machine(), _command(arguments))
    for group in groups:
        print("\n".join(report.table(group, results[group.name])), end="\n\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2_000_000_000, help="bytes of the state dict")
    parser.add_argument("--forest", type=int, default=500_000_000, help="bytes of the forest")
    parser.add_argument("--folder", help="where the files (12 GB) go; kept, and used again")
    parser.add_argument("--only", nargs="*", choices=[group.name for group in GROUPS])
    return parser.parse_args()


def _measure(group: Group, folder: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = {case: [] for case in group.cases}
    for number in range(1, rounds + 1):
        for case in group.cases:
            found = _run(case, folder)
            results[case].append(found)
            shown = " ".join(f"{key} {value:.4f}" for key, value in found.items())
            print(f"{group.name} {number} {case}: {shown}", file=sys.stderr, flush=True)
            for path in folder.glob("out*"):  # what was written must not crowd the page cache
                path.unlink()
    return results


def _run(case: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.cases", case, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    return f"{cores} cores, {system}"


def _command(arguments: argparse.Namespace) -> str:
    return (
        f"python -m benchmarks --rounds {arguments.rounds} --size {arguments.size} "
        f"--forest {arguments.forest}"
    )


if __name__ == "__main__":
    main()
