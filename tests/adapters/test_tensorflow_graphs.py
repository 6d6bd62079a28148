"""Functions that TensorFlow traced: facts as its own parser finds them, one JSON for one graph."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("tensorflow_graphs_fresh.py")
FEW = (
    "changes_in_control_flow",
    "loops_in_branches_in_loops",
    "lstm",
    "captured_constants",
    "strings",
)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow"
)


def problems(folder: Path, *names: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), *names],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(one for one in done.stdout.splitlines() if one.startswith("RESULTS "))
    found = json.loads(line.removeprefix("RESULTS "))
    assert len(found) >= (len(names) or 40)
    return {name: said for name, said in found.items() if said}


def test_graphs_are_read_and_written_as_those_of_their_saved_models(tmp_path: Path) -> None:
    assert problems(tmp_path, *FEW) == {}


@pytest.mark.slow
def test_all_graphs_are_read_and_written_as_those_of_their_saved_models(tmp_path: Path) -> None:
    assert problems(tmp_path) == {}
