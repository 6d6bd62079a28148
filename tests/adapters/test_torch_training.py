"""Training that goes on in a fresh process has bit for bit the losses of one that never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


def losses(recipe: str, part: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.training", recipe, part, str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: list[str] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("recipe", ["sgd", "adam", "lbfgs", "amp"])
def test_training_goes_on_bit_for_bit(recipe: str, tmp_path: Path) -> None:
    whole = losses(recipe, "whole", tmp_path)
    assert len(set(whole)) > len(whole) // 2  # it learns something
    begun = losses(recipe, "begin", tmp_path)
    assert begun + losses(recipe, "go-on", tmp_path) == whole
