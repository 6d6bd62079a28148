"""Operators of TensorFlow that run functions, with functions that aren't what they say."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes that are forked"),
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow"),
]
ROOT = Path(__file__).resolve().parents[2]


def became(step: int) -> dict[str, str]:
    """What became of one in so many."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.tensorflow_function_calls", str(step)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    assert {name: said for name, said in found.items() if said.startswith("died")} == {}
    return found


def test_functions_of_other_shapes_do_no_harm() -> None:
    found = became(41)
    assert len(found) > 10
    assert any("ok" in said for said in found.values())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_functions_of_other_shapes_do_no_harm() -> None:
    found = became(1)
    for kind in ("call", "if", "case", "loop"):
        those = {name: said for name, said in found.items() if name.startswith(f"{kind} ")}
        assert len(those) > 30
        assert any("ok" in said for said in those.values()), kind
