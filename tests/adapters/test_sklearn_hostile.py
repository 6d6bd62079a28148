"""Corrupted models of every class: refused by one of our errors, or harmless when used.

The default run takes one case a class and a small sample of its corruptions; `slow` takes every
case and a larger one. Models are loaded and used in confined children (`sklearn_victim.py`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .sklearn_all import CASES

SAMPLE = 12  # of each class
LARGE_SAMPLE = 100  # of each case
SAMPLES = 4  # tests that share the classes
PARTS = 48  # CI spreads them over machines
VICTIM = Path(__file__).with_name("sklearn_victim.py")
Job = list[Any]


@dataclass
class Outcome:
    """What became of all corruptions."""

    refused: int = 0
    harmless: int = 0
    failures: list[str] = field(default_factory=list)


def run(jobs: list[Job], folder: Path, *, timeout: float, blind: bool = False) -> Outcome:
    """Give the jobs to children, a new one whenever one dies, and collect what happened."""
    outcome = Outcome()
    for attempt in range(200):
        if not jobs:
            return outcome
        plan, log = folder / f"jobs{attempt}.json", folder / f"log{attempt}"
        plan.write_text(json.dumps(jobs))
        log.touch()
        command = [sys.executable, "-W", "ignore", str(VICTIM), str(plan), str(log)]
        command += ["blind"] if blind else []
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=timeout
        )
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        finished = _collect(lines, outcome)
        if done.returncode == 0:
            return outcome
        if not lines:
            pytest.fail(f"the child did not start: {done.stderr[-1500:]}")
        last = next(line for line in reversed(lines) if "number" in line)
        outcome.failures.append(f"{last['case']}: {last['what']}: died with {done.returncode}")
        if done.returncode > 0:
            outcome.failures.append(done.stderr[-500:])
        if blind:
            return outcome
        jobs = _rest(jobs, finished, last)
    pytest.fail(f"too many deaths: {outcome.failures[:20]}")


def _collect(lines: list[dict[str, Any]], outcome: Outcome) -> set[str]:
    finished, current = set(), ""
    for line in lines:
        if "number" in line:
            current = f"{line['case']}: {line['what']}"
        elif "failed" in line:
            outcome.failures.append(f"{current}: {line['failed']}")
        else:
            finished.add(line["done"])
            outcome.refused += line["counts"].get("refused", 0)
            outcome.harmless += line["counts"].get("harmless", 0)
    return finished


def _rest(jobs: list[Job], finished: set[str], last: dict[str, Any]) -> list[Job]:
    """The jobs behind the corruption that killed a child."""
    rest = []
    for name, chosen in jobs:
        if name in finished:
            continue
        if name == last["case"] and isinstance(chosen, int):
            chosen = last["number"] + 1
        elif name == last["case"]:
            chosen = chosen[last["turn"] + 1 :]
        rest.append([name, chosen])
    return rest


def _one_case_a_class() -> list[str]:
    names: dict[str, str] = {}
    for name in CASES:
        kind, _, variant = name.partition("-")
        if variant != "unfitted":
            names.setdefault(kind, name)
    return [
        *names.values(),
        "Pipeline-nested",
        "ColumnTransformer-arrays",
        "OneHotEncoder-max",
        "LogisticRegression-sparsified",
    ]


@pytest.mark.parametrize("part", range(SAMPLES))
def test_a_sample_of_corruptions_is_refused_or_harmless(part: int, tmp_path: Path) -> None:
    chosen = random.Random(20261121 + part)
    jobs: list[Job] = [
        [name, [chosen.randrange(100_000) for _ in range(SAMPLE)]]
        for name in _one_case_a_class()[part::SAMPLES]
    ]
    outcome = run(jobs, tmp_path, timeout=280)
    assert outcome.failures == []
    assert outcome.refused > 200
    assert outcome.harmless > 20


def test_a_child_without_the_audit_of_trees_does_not_survive(tmp_path: Path) -> None:
    job: Job = ["DecisionTreeClassifier-plain", [*range(0, 2000, 7)]]
    outcome = run([job], tmp_path, timeout=280, blind=True)
    signals = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGALRM)
    died = outcome.failures[0].rpartition(" ")[2]
    assert died in {str(-one) for one in signals}


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_many_corruptions_of_every_case_are_refused_or_harmless(part: int, tmp_path: Path) -> None:
    """With SAFEMODEL_TEST_EVERY=1 it is every corruption there is: a day of one core."""
    chosen = random.Random(part)
    every = os.environ.get("SAFEMODEL_TEST_EVERY") == "1"
    jobs: list[Job] = [
        [name, 0 if every else [chosen.randrange(100_000) for _ in range(LARGE_SAMPLE)]]
        for name in list(CASES)[part::PARTS]
    ]
    outcome = run(jobs, tmp_path, timeout=7000)
    assert outcome.failures == []
    print(f"{outcome.refused} refused, {outcome.harmless} harmless")
