"""Modules of TensorFlow of every sort, trees and checkpoints, saved and loaded in a fresh interpreter.

There they give the same outputs bit for bit, call after call, the same gradients, and the same after
a step of training; and saved again they are the same bundle. One child saves, another loads.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("tensorflow_fresh.py")
STATE = (
    "variables_of_every_type", "tree_of_variables", "checkpoint", "checkpoint_with_optimizer",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow"
)


def _run(mode: str, folder: Path, *names: str) -> str:
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


def _walk(chosen: list[str], folder: Path) -> dict[str, str]:
    problems = {}
    for mode in ("save", "load"):
        found = json.loads(_run(mode, folder, *chosen))
        assert list(found) == chosen
        problems |= {f"{mode} {name}": said for name, said in found.items() if said}
    return problems


@pytest.mark.timeout(300)
def test_state_is_the_same_in_a_fresh_interpreter(tmp_path: Path) -> None:
    assert _walk(list(STATE), tmp_path) == {}
