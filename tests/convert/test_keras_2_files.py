"""Models that Keras 2 wrote as `.h5`, converted: they compute the same, and go on training alike.

One child process converts, loads and compares them. `keras2/make.py` made them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import safemodel as sm
from safemodel.errors import FindingsError, SafemodelError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("keras2")
CHILD = Path(__file__).with_name("keras_2_child.py")
REFUSED = {"lambda_layer", "locally_connected"}
NAMES = sorted({path.stem for path in FOLDER.glob("*.h5")} - REFUSED)
FEW = ["encoder_decoder", "first", "first_legacy_adam", "loss_scale", "operators"]
# What Keras 3 computes in another way when it trains, and how much that is here
OTHERWISE = {
    "nested_models": 1e-3,  # BatchNormalization of images: the moving variance is not corrected
    "normalizations": 1e-2,  # the same
    "operators": 1e-2,  # Nadam: the momentum grows faster than in the legacy optimizer
}
UNUSED = {"stateful"}  # SGD without momentum, for which Keras 2 keeps slots all the same

needs_keras = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None,
    reason="needs keras and tensorflow",
)


def compare(names: list[str], folder: Path) -> dict[str, dict[str, Any]]:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), *names],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULTS "))
    found: dict[str, dict[str, Any]] = json.loads(line.removeprefix("RESULTS "))
    return found


def problems(name: str, found: dict[str, Any]) -> list[str]:
    if "error" in found:
        return [found["error"]]
    said = []
    if not found["predict"] <= 1e-6:
        said.append(f"predicts {found['predict']} otherwise")
    if not found["again"]:
        said.append("is another bundle when it is saved again")
    if found.get("slots") and name not in UNUSED:
        said.append(f"has lost {found['slots'][:3]} of the optimizer")
    if not found.get("loss", 0.0) <= 1e-6:
        said.append(f"has a loss that is {found['loss']} off")
    if not found.get("trained", 0.0) <= OTHERWISE.get(name, 1e-5):
        said.append(f"is {found['trained']} off after a step of training")
    return said


def check(names: list[str], folder: Path) -> None:
    found = compare(names, folder)
    assert sorted(found) == sorted(names)
    assert {name: said for name in names if (said := problems(name, found[name]))} == {}


@needs_keras
@pytest.mark.timeout(300)
def test_some_models_of_keras_2_are_the_same(tmp_path: Path) -> None:
    check(FEW, tmp_path)


@needs_keras
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_all_models_of_keras_2_are_the_same(tmp_path: Path) -> None:
    assert len(NAMES) >= 25
    check(NAMES, tmp_path)


def test_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="Lambda"):
        sm.convert(FOLDER / "lambda_layer.h5", tmp_path / "m.safemodel", signer=None)
    with pytest.raises(SafemodelError, match="LocallyConnected1D is not in the table"):
        sm.convert(FOLDER / "locally_connected.h5", tmp_path / "m.safemodel", signer=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FEW[-2:])
def test_converting_needs_no_framework(name: str, tmp_path: Path) -> None:
    sm.convert(FOLDER / f"{name}.h5", tmp_path / "m.safemodel", signer=None)
    code = (
        "import sys, safemodel as sm; sm.convert(sys.argv[1], sys.argv[2], signer=None);"
        "assert not {'keras', 'tensorflow', 'h5py', 'torch'} & set(sys.modules)"
    )
    arguments = [str(FOLDER / f"{name}.h5"), str(tmp_path / "m.safemodel")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=ROOT, timeout=120)
