"""Models that Keras 2 wrote as `.h5` and `.keras`, converted: they compute the same, and go on training alike.

A few are compared here, all of them by one child process. `keras2/make.py` made them.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import safemodel as sm
from safemodel.convert import keras_files
from safemodel.errors import FindingsError, SafemodelError
from safemodel.scan.budget import Limits

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("keras2")
CHILD = Path(__file__).with_name("keras_2_child.py")
REFUSED = {"lambda_layer.h5", "locally_connected.h5"}
NAMES = sorted({path.name for path in FOLDER.glob("*.h5")} - REFUSED)
ZIPS = sorted(path.name for path in FOLDER.glob("*.keras"))
FEW = ["encoder_decoder.h5", "first.h5", "first_legacy_adam.h5", "loss_scale.h5", "operators.h5"]
FEW_ZIPS = ["first.keras", "loss_scale.keras", "transformer.keras"]
# What Keras 3 computes in another way when it trains, and how much that is here
OTHERWISE = {
    "nested_models": 1e-3,  # BatchNormalization of images: the moving variance is not corrected
    "normalizations": 1e-2,  # the same
    "operators": 1e-2,  # Nadam: the momentum grows faster than in the legacy optimizer
}
# Of which `.keras` files begin anew: legacy optimizers, which they do not hold; and Adafactor
ANEW = {"lstm.keras", "normalizations.keras"}
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


def problems(file: str, found: dict[str, Any]) -> list[str]:
    if "error" in found:
        return [found["error"]]
    said = []
    name, slots = file.partition(".")[0], found.get("slots")
    if not found["predict"] <= 1e-6:
        said.append(f"predicts {found['predict']} otherwise")
    if not found["again"]:
        said.append("is another bundle when it is saved again")
    if file in ANEW:
        return said if slots else [*said, "has its optimizer"]
    if slots and name not in UNUSED:
        said.append(f"has lost {slots[:3]} of the optimizer")
    if not found.get("loss", 0.0) <= 1e-6:
        said.append(f"has a loss that is {found['loss']} off")
    if not found.get("trained", 0.0) <= OTHERWISE.get(name, 1e-5):
        said.append(f"is {found['trained']} off after a step of training")
    return said


def check(names: list[str], found: dict[str, dict[str, Any]]) -> None:
    assert sorted(found) == sorted(names)
    assert {name: said for name in names if (said := problems(name, found[name]))} == {}


@needs_keras
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("keras")
def test_some_models_of_keras_2_are_the_same(tmp_path: Path) -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("another backend")
    from tests.convert import keras_2_child

    names = FEW + FEW_ZIPS
    check(names, keras_2_child.checked(tmp_path, names))


@needs_keras
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_all_models_of_keras_2_are_the_same(tmp_path: Path) -> None:
    assert len(NAMES) >= 25
    assert len(ZIPS) >= 15
    check(NAMES + ZIPS, compare(NAMES + ZIPS, tmp_path))


def changed(change: Callable[[Any], object]) -> memoryview:
    """`first.keras` with other variables."""
    h5py = pytest.importorskip("h5py")
    target = io.BytesIO()
    with zipfile.ZipFile(FOLDER / "first.keras") as source, zipfile.ZipFile(target, "w") as file:
        for name in source.namelist():
            content = io.BytesIO(source.read(name))
            if name == "model.weights.h5":
                with h5py.File(content, "r+") as weights:
                    change(weights)
            file.writestr(name, content.getvalue())
    return memoryview(target.getvalue())


def missing(file: Any) -> None:
    del file["optimizer/vars/3"]


def one_less(file: Any) -> None:
    del file["optimizer/vars/8"]


def other_key(file: Any) -> None:
    file.move("optimizer/vars/8", "optimizer/vars/08")


def other_order(file: Any) -> None:
    file.move("optimizer/vars/2", "optimizer/vars/x")
    file.move("optimizer/vars/3", "optimizer/vars/2")
    file.move("optimizer/vars/x", "optimizer/vars/3")


def no_steps(file: Any) -> None:
    del file["optimizer/vars/0"]
    file["optimizer/vars/0"] = [1, 2]


def nothing(file: Any) -> None:
    del file["optimizer"]


@pytest.mark.parametrize("change", [missing, one_less, other_key, other_order, no_steps, nothing])
def test_variables_that_nothing_tells_apart_begin_anew(change: Callable[[Any], object]) -> None:
    found = keras_files.read_keras(changed(change), Limits(), ())
    assert [one for one in found.notices if one.startswith("the optimizer begins anew")]
    assert "optimizer/vars" not in json.dumps(found.architecture)


def test_variables_of_an_optimizer_are_in_the_order_of_keras_3() -> None:
    found = keras_files.read_keras(changed(lambda _: None), Limits(), ())
    text = json.dumps(found.architecture)
    assert [index for index in range(12) if f'"optimizer/vars/{index}"' in text] == [*range(10)]
    assert "metrics/" not in text
    assert not found.notices


def test_an_optimizer_before_any_training_loses_nothing() -> None:
    def change(file: Any) -> None:
        for index in range(1, 9):
            del file[f"optimizer/vars/{index}"]

    assert not keras_files.read_keras(changed(change), Limits(), ()).notices


def test_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="Lambda"):
        sm.convert(FOLDER / "lambda_layer.h5", tmp_path / "m.safemodel", signer=None)
    with pytest.raises(SafemodelError, match="LocallyConnected1D is not in the table"):
        sm.convert(FOLDER / "locally_connected.h5", tmp_path / "m.safemodel", signer=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*FEW[-2:], *FEW_ZIPS[-1:]])
def test_converting_needs_no_framework(name: str, tmp_path: Path) -> None:
    sm.convert(FOLDER / name, tmp_path / "m.safemodel", signer=None)
    code = (
        "import sys, safemodel as sm; sm.convert(sys.argv[1], sys.argv[2], signer=None);"
        "assert not {'keras', 'tensorflow', 'h5py', 'torch'} & set(sys.modules)"
    )
    arguments = [str(FOLDER / name), str(tmp_path / "m.safemodel")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=ROOT, timeout=120)
