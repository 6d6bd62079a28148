"""All of scikit-learn: every class of `all_estimators()`, and estimators nested in one another.

Each is saved, loaded in a fresh interpreter, compared bit for bit, trained on and compared again.
The child does all of a family at once; what it found is looked at name by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.utils import all_estimators

from safemodel import adapters

from .sklearn_all import outputs
from .sklearn_support import fingerprint
from .walk import COMPOSITIONS, ESTIMATORS, FAMILIES, fitted, trained_on

CHILD = Path(__file__).with_name("walk_fresh.py")
Result = tuple[Any, Any]


def _walk(family: str, folder: Path) -> dict[str, Result]:
    """For each recipe what came out here, and what in a fresh interpreter."""
    expected: dict[int, Any] = {}
    for number, make in enumerate(FAMILIES[family].values()):
        try:
            found = fitted(make)
            adapters.save(found.model, folder / f"{number}.safemodel", signer=None)
        except Exception as error:
            expected[number] = f"{type(error).__name__}: {error}"
            continue
        before = fingerprint(outputs(found.model, found.data))
        trained_on(found)
        expected[number] = [before, fingerprint(outputs(found.model, found.data))]
    command = [sys.executable, "-W", "ignore", str(CHILD), str(folder), family]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    found_there = dict(map(json.loads, lines))
    names = list(FAMILIES[family])
    return {names[i]: (expected[i], found_there.get(i)) for i in expected}


@pytest.fixture(scope="module")
def estimators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Result]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield _walk("estimators", tmp_path_factory.mktemp("estimators"))


@pytest.fixture(scope="module")
def compositions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Result]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield _walk("compositions", tmp_path_factory.mktemp("compositions"))


def _check(result: Result) -> None:
    here, there = result
    assert isinstance(here, list), here
    assert there == here


@pytest.mark.xdist_group("walk-estimators")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_estimator_is_the_same_in_a_fresh_interpreter(
    name: str, estimators: dict[str, Result]
) -> None:
    _check(estimators[name])


@pytest.mark.xdist_group("walk-compositions")
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_each_composition_is_the_same_in_a_fresh_interpreter(
    name: str, compositions: dict[str, Result]
) -> None:
    _check(compositions[name])


def test_the_walk_leaves_no_estimator_out() -> None:
    walked = {name.rpartition("-")[0] for name in ESTIMATORS}
    missing = {name for name, _ in all_estimators()} - walked
    assert missing == set()


def test_there_are_enough_compositions() -> None:
    assert len(COMPOSITIONS) >= 150
