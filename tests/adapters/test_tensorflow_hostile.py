"""Programs of hostile signers: refused by one of our errors, and nothing comes of any of them.

Archives are validly signed by the key that the child trusts. A payload would make a marker file;
an audit hook in the child sees what is compiled, run, imported, opened and started, and strace
what TensorFlow itself does.
"""

from __future__ import annotations

import collections
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import tensorflow_attacks as attacks

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits of processes"),
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow"),
]

VICTIM = Path(__file__).with_name("tensorflow_victim.py")
RANDOM = 20
MANY = 2_000

Became = dict[str, tuple[str, list[str]]]


def attack(folder: Path, *what: str, before: tuple[str, ...] = ()) -> Became:
    """What became of each in a child, and what its audit hook saw."""
    command = [*before, sys.executable, "-W", "ignore", str(VICTIM), str(folder), *what]
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "SAFEMODEL_CONFIG": str(folder / "config")
    }  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=900, env=environment
    )
    log = folder / "log"
    last = log.read_text() if log.exists() else "the beginning"
    assert done.returncode == 0, f"died at {last} of {what}: {done.stderr[-2000:]}"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    found = {name: (became, seen) for name, became, seen in lines}
    assert len(found) == len(lines)
    assert {name: seen for name, (_, seen) in found.items() if seen} == {}
    assert not (folder / "marker").exists()
    failed = {name: became for name, (became, _) in found.items() if became.startswith("failed")}
    assert failed == {}
    return found


def counts(found: Became) -> collections.Counter[str]:
    return collections.Counter(became.partition(" ")[0] for became, _ in found.values())


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Became:
    """What became of programs that are changed in the child: all of them in one."""
    folder = tmp_path_factory.mktemp("attacked")
    return attack(folder, "edits", "swept", "calls", "random", "0", f"{RANDOM}")


def _of(attacked: Became, what: str) -> Became:
    return {name: one for name, one in attacked.items() if name.startswith(f"{what}/")}


@pytest.mark.xdist_group("tensorflow-attacked")
def test_hostile_archives_are_refused_by_our_errors(attacked: Became) -> None:
    found = _of(attacked, "edits")
    assert found.keys() == {f"edits/{name}" for name in attacks.EDITS}
    kinds = ("refused ArchitectureError", "refused FormatError", "refused SafemodelError")
    assert {name: one for name, (one, _) in found.items() if not one.startswith(kinds)} == {}
    assert len({became for became, _ in found.values()}) > len(found) / 3  # each for its own reason


@pytest.mark.xdist_group("tensorflow-attacked")
def test_payloads_in_every_place_of_a_string_do_nothing(attacked: Became) -> None:
    found = _of(attacked, "swept")
    assert len(found) > 100
    assert counts(found)["refused"] > 0.8 * len(found)


@pytest.mark.xdist_group("tensorflow-attacked")
def test_what_is_computed_does_no_harm(attacked: Became) -> None:
    found = _of(attacked, "calls")
    assert len(found) == len(attacks.CALLS.keys() - attacks.HUGE) > 8
    assert {name: became for name, (became, _) in found.items() if became == "harmless"} == {}


@pytest.mark.xdist_group("tensorflow-attacked")
def test_random_edits_are_refused_or_harmless(attacked: Became) -> None:
    found = counts(_of(attacked, "random"))
    assert found["refused"] > RANDOM // 3


@pytest.mark.xdist_group("tensorflow-attacked")
def test_other_operators_on_the_same_values_do_no_harm(attacked: Became) -> None:
    found = counts(_of(attacked, "grafted"))
    assert found["stopped"] + found["harmless"] > RANDOM // 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_payloads_in_every_place_of_a_string_do_nothing(tmp_path: Path) -> None:
    found = attack(tmp_path, "swept", "all")
    assert len(found) > 2000
    assert counts(found)["refused"] > 0.8 * len(found)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_would_take_all_memory_is_stopped(tmp_path: Path) -> None:
    found = attack(tmp_path, "huge")
    assert len(found) == len(attacks.HUGE) > 5
    assert {name: became for name, (became, _) in found.items() if became == "harmless"} == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_many_random_edits_are_refused_or_harmless(part: int, tmp_path: Path) -> None:
    count = MANY // 4
    attack(tmp_path, "random", f"{1_000_000 + part * count}", f"{count}")


# What a process that has started may still look at: memory, processors, clocks, its own key.
HARMLESS = re.compile(
    r"/proc/(self|meminfo|cpuinfo|\d+)|/sys/(devices|fs/cgroup)|/dev/shm|/etc/localtime"
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.timeout(1800)
def test_no_system_call_of_hostile_archives_leads_outside(tmp_path: Path) -> None:
    traced = tmp_path / "traced"
    before = ("strace", "-f", "-s", "300", "-e", "trace=file,network,process", "-o", str(traced))
    for what in (("edits",), ("swept", "calls")):
        attack(tmp_path, *what, before=before)
        lines = traced.read_text(errors="replace").splitlines()
        first, last = (
            next(place for place, line in enumerate(lines) if f'{tmp_path}/{word}"' in line)
            for word in ("BEGIN", "END")
        )
        assert last - first > 100  # the archives themselves
        assert [line for line in lines[first + 1 : last] if _leads_outside(line, tmp_path)] == []


def _leads_outside(line: str, folder: Path) -> bool:
    call = re.match(r"\d+ +(\w+)\(", line)
    if call is None or call[1] in ("clone", "clone3", "exit", "exit_group", "wait4", "kill"):
        return False  # threads
    paths = re.findall(r'"([^"]*)"', line)
    return not paths or any(_is_outside(path, folder) for path in paths)


def _is_outside(path: str, folder: Path) -> bool:
    if path.startswith(f"{folder}/"):
        return path.startswith((f"{folder}/marker", f"{folder}/files"))
    # The folder itself and those that it lies in, when a path is resolved
    return not f"{folder}/".startswith(f"{path}/") and bool(path) and not HARMLESS.match(path)
