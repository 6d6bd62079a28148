"""Hostile files of Keras through `convert`, and what became of them through `load`.

Each is refused by an error of ours, at once and within bounds, and nothing that it names is opened,
imported or run.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safemodel as sm
from safemodel.convert import keras_files
from safemodel.errors import SafemodelError
from safemodel.scan.budget import Limits

pytest.importorskip("h5py")
from tests.convert import keras_hostile_files as files

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")  # of members that hide others
ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("keras_hostile_child.py")
needs_keras = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None,
    reason="needs keras and tensorflow",
)


def run(mode: str, folder: Path, names: list[str]) -> dict[str, tuple[str, list[str], float]]:
    done = subprocess.run(
        [sys.executable, str(CHILD), mode, str(folder), *names],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "OMP_NUM_THREADS": "1"},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULTS "))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULTS "))
    return {name: (one[0], one[1], one[2]) for name, one in found.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    for name, make in files.CASES.items():
        (made / name).write_bytes(make())
    Path(files.MARKER).unlink(missing_ok=True)
    return made


@pytest.fixture(scope="module")
def converted(folder: Path) -> dict[str, tuple[str, list[str], float]]:
    return run("convert", folder, list(files.CASES))


def test_there_are_enough() -> None:
    assert len(files.CASES) >= 90


@pytest.mark.timeout(300)
def test_what_lies_is_refused(converted: dict[str, tuple[str, list[str], float]]) -> None:
    outcomes = {name: outcome for name, (outcome, _, _) in converted.items()}
    assert {name: one for name, one in outcomes.items() if one.isupper() or "BROKEN" in one} == {}
    done = {name for name, outcome in outcomes.items() if outcome == "done"}
    assert done - files.CONVERTS == set()
    assert files.CONVERTS - done == set(), {n: outcomes[n] for n in files.CONVERTS - done}


@pytest.mark.parametrize(("extra", "said"), [({}, 0), ({"model_weights/dense/other": 1.0}, 1)])
def test_values_that_no_list_names_are_told(extra: dict[str, float], said: int) -> None:
    data = files.edited(lambda file: [file.create_dataset(p, data=v) for p, v in extra.items()])
    notices = keras_files.read_hdf5(memoryview(data), Limits(), ()).notices
    assert len([one for one in notices if "left out 1 values" in one]) == said


@pytest.mark.timeout(300)
def test_nothing_is_touched(converted: dict[str, tuple[str, list[str], float]]) -> None:
    assert {name: seen for name, (_, seen, _) in converted.items() if seen} == {}
    assert not Path(files.MARKER).exists()


@pytest.mark.timeout(300)
def test_nothing_takes_long(converted: dict[str, tuple[str, list[str], float]]) -> None:
    assert {name: spent for name, (_, _, spent) in converted.items() if spent > 5} == {}


# These are good models: the optimizer begins anew, or weights have names that say which is which
GOOD = {"a_counter_beyond_all", "slots_of_other_shapes", "weights_in_another_order"}


@needs_keras
@pytest.mark.timeout(300)
def test_what_does_not_fit_is_refused_at_load(
    folder: Path, converted: dict[str, tuple[str, list[str], float]]
) -> None:
    names = sorted(name for name, (outcome, _, _) in converted.items() if outcome == "done")
    found = run("load", folder, names)
    assert {
        name: one for name, (one, _, _) in found.items() if one.isupper() or "BROKEN" in one
    } == {}
    assert {name: seen for name, (_, seen, _) in found.items() if seen} == {}
    loaded = {name for name, (outcome, _, _) in found.items() if outcome == "done"}
    assert loaded - GOOD == set()
    assert {name: spent for name, (_, _, spent) in found.items() if spent > 10} == {}


def converting(data: bytes, folder: Path) -> None:
    source, target = folder / "m.h5", folder / "m.safemodel"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    try:
        sm.convert(source, target, signer=None)
    except SafemodelError:
        assert not target.exists()


CHANGES = st.lists(
    st.tuples(st.integers(0, len(files.BASE) - 1), st.integers(0, 255)), min_size=1, max_size=6
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES)
def test_any_damage_to_a_model_is_an_error_of_ours(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(files.BASE)
    for offset, value in changes:
        data[offset] = value
    converting(bytes(data), tmp_path)


ZIP = files.zipped()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, len(ZIP) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_any_damage_to_an_archive_is_an_error_of_ours(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(ZIP)
    for offset, value in changes:
        data[offset] = value
    converting(bytes(data), tmp_path)


def test_the_files_are_fine_without_the_lie(tmp_path: Path) -> None:
    for number, data in enumerate((files.edited(lambda file: None), ZIP)):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(data)
        sm.convert(path, tmp_path / f"{number}.safemodel", signer=None)
    assert io.BytesIO(ZIP).read(2) == b"PK"
