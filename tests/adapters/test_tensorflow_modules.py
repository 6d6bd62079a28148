"""Modules of TensorFlow of every sort, trees and checkpoints, loaded in a fresh interpreter.

There they give the same outputs bit for bit, call after call, the same gradients, and the same
after a step of training, of a few the last bits aside; and saved again they are the same bundle.
One child saves, another loads.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import safemodel as sm

CHILD = Path(__file__).with_name("tensorflow_fresh.py")
# A few of every sort; the others are slow
FEW = (
    "tree_of_modules", "convolutions", "loops_in_branches_in_loops", "several_entries",
    "nested_structures", "captured_constants", "silu", "changes_in_control_flow", "strings",
    "partly_frozen", "generator", "variables_of_every_type", "checkpoint",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow"
)


def run(mode: str, folder: Path, *names: str) -> str:
    """What a child says of each."""
    done = subprocess.run(
        [sys.executable, str(CHILD), mode, str(folder), *names],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(one for one in done.stdout.splitlines() if one.startswith("RESULTS "))
    return line.removeprefix("RESULTS ")


def walk(modes: tuple[str, str], chosen: list[str], folder: Path) -> dict[str, str]:
    """What differs, or failed, in either mode."""
    problems = {}
    for mode in modes:
        if mode == "import":
            for name in chosen:
                sm.convert(folder / name, folder / f"{name}.safemodel", signer=None)
        found = json.loads(run(mode, folder, *chosen))
        assert list(found) == chosen
        problems |= {f"{mode} {name}": said for name, said in found.items() if said}
    return problems


@pytest.mark.timeout(300)
def test_some_are_the_same_in_a_fresh_interpreter(tmp_path: Path) -> None:
    assert walk(("save", "load"), list(FEW), tmp_path) == {}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_are_the_same_in_a_fresh_interpreter(tmp_path: Path) -> None:
    names, modules = json.loads(run("names", Path()))
    assert len(modules) >= 45
    assert walk(("save", "load"), names, tmp_path) == {}


# SavedModels that TensorFlow wrote, converted here: outputs bit for bit, gradients but for
# the order in which they are added up


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_saved_models_are_the_same_after_a_conversion(tmp_path: Path) -> None:
    _, modules = json.loads(run("names", Path()))
    # There its variables are others than those of the Keras optimizer, which it has too
    modules.remove("optimizer_as_entry")
    assert len(modules) >= 45
    assert walk(("export", "import"), modules, tmp_path) == {}
