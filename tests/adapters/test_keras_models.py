"""Models of Keras of every sort, saved and loaded in a fresh interpreter, on three backends.

There they give the same outputs bit for bit, the same noise, and the same after two more steps of
training; and saved again they are the same bundle. A few are saved here, all of them by a child;
another child loads them.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("keras_fresh.py")
BACKENDS = ("tensorflow", "torch", "jax")
# A few of every sort; the others are slow
FEW = (
    "first_model", "shared_layers", "stateful_bidirectional", "adapted_string_lookup", "own_model", "lora", "dropouts",
)  # fmt: skip

# What other backends have of their own: random states, and numbers of 64 bits (JAX has 32)
FEW_ELSEWHERE = {"torch": "dropouts", "jax": "double_precision"}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs keras")


def names(backend: str) -> list[str]:
    """The models for a backend, without importing Keras here."""
    done = _run(backend, "names", Path())
    found = json.loads(done.removeprefix("RESULTS "))
    assert isinstance(found, list)
    return found


def _run(backend: str, mode: str, folder: Path, *more: str) -> str:
    environment = {**os.environ, "KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(CHILD), mode, str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return next(line for line in done.stdout.splitlines() if line.startswith("RESULTS "))


def _walk(backend: str, chosen: list[str], folder: Path) -> dict[str, str]:
    problems = {}
    for mode in ("save", "load"):
        found = json.loads(_run(backend, mode, folder, *chosen).removeprefix("RESULTS "))
        problems |= {f"{mode} {name}": said for name, said in found.items() if said}
        assert list(found) == chosen
    return problems


def _need(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}")


@pytest.mark.xdist_group("keras")
def test_some_models_are_the_same_in_a_fresh_interpreter(tmp_path: Path) -> None:
    _need("tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("another backend")
    from tests.adapters import keras_fresh

    same = dict.fromkeys(FEW, "")
    assert keras_fresh.walk("save", tmp_path, list(FEW)) == same
    found = _run("tensorflow", "load", tmp_path, *FEW).removeprefix("RESULTS ")
    assert json.loads(found) == same


@pytest.mark.parametrize("backend", FEW_ELSEWHERE)
def test_a_model_is_the_same_on_another_backend_without_tensorflow(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _need(backend)
    monkeypatch.setenv("KERAS_FRESH_ALONE", "1")
    assert _walk(backend, [FEW_ELSEWHERE[backend]], tmp_path) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("backend", BACKENDS)
def test_all_models_are_the_same_in_a_fresh_interpreter(backend: str, tmp_path: Path) -> None:
    _need(backend)
    chosen = names(backend)
    assert len(chosen) >= (120 if backend == "tensorflow" else 34)
    assert _walk(backend, chosen, tmp_path) == {}


def test_every_layer_is_in_some_model() -> None:
    from safemodel.adapters.keras.table import table

    source = ast.parse((ROOT / "tests" / "adapters" / "keras_models.py").read_text())
    used = {node.attr for node in ast.walk(source) if isinstance(node, ast.Attribute)}
    used |= {"TFDConcat", "TFDIdentity", "InputLayer"}  # of a FeatureSpace; of keras.Input
    layers = {one.name for one in table().classes.values() if one.role == "layer"}
    assert layers - used == set()


def test_every_optimizer_schedule_and_loss_is_in_some_model() -> None:
    from safemodel.adapters.keras.table import table

    source = ast.parse((ROOT / "tests" / "adapters" / "keras_models.py").read_text())
    used = {node.attr for node in ast.walk(source) if isinstance(node, ast.Attribute)}
    wanted = {
        one.name
        for one in table().classes.values()
        if one.role in ("optimizer", "schedule", "loss", "metric", "constraint", "regularizer")
    }
    assert wanted - used - {"LossFunctionWrapper", "Sum", "Mean", "L1"} == set()
