"""The examples and the demo run, as one would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script), str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def importable(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_sklearn(tmp_path) -> None:
    pytest.importorskip("sklearn")
    out = run("sklearn_iris.py", tmp_path)
    assert out.count(": True") == 2


def test_pytorch(tmp_path) -> None:
    pytest.importorskip("torch")
    out = run("pytorch_training.py", tmp_path)
    assert "saved again" in out


def test_checkpoint_kill_resume(tmp_path) -> None:
    pytest.importorskip("torch")
    out = run("checkpoint_kill_resume.py", tmp_path)
    assert out.count("killed: step-") == 2
    assert "went on from step" in out
    assert "the same weights, to the last bit" in out


def test_demo(tmp_path) -> None:
    pytest.importorskip("sklearn")
    out = run("demo.py", tmp_path / "demo")
    assert "the same predictions, to the last bit: yes" in out
    assert "DigestMismatchError" in out
    assert "[exit code 1]" in out
    assert "stranger.pkl: SM101 critical" in out
    assert "old.safemodel: converted" in out
    assert not (tmp_path / "demo" / "stranger.safemodel").exists()
    assert f"The files are in {tmp_path / 'demo'}" in out


def test_demo_empties_no_folder_of_others(tmp_path) -> None:
    pytest.importorskip("sklearn")
    (tmp_path / "mine").write_text("x")
    script = str(ROOT / "examples" / "demo.py")
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True)
    assert done.returncode == 1
    assert (tmp_path / "mine").exists()


def test_transfer_learning(tmp_path) -> None:
    pytest.importorskip("torch")
    out = run("transfer_learning.py", tmp_path)
    assert out.count(": all entries loaded") == 2
    assert "with a new head: 9" in out


def test_keras_first_model(tmp_path) -> None:
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    out = run("keras_first_model.py", tmp_path)
    assert "predicts the same: True" in out
    assert "the same weights: True" in out


def test_keras_transfer(tmp_path) -> None:
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    out = run("keras_transfer.py", tmp_path)
    assert "missing: head_of_3/kernel, head_of_3/bias" in out
    assert ": all entries loaded" in out
    assert "with a new head: 9" in out or "with a new head: 100%" in out
    assert "loaded again: 2 trained variables, frozen: True" in out


def test_tensorflow_module(tmp_path) -> None:
    pytest.importorskip("tensorflow")
    out = run("tensorflow_module.py", tmp_path)
    assert "loaded LoadedModule, the same outputs: True" in out
    assert "saved again" in out
    assert "loaded into a module" in out


def test_ship_without_code(tmp_path) -> None:
    pytest.importorskip("torch")
    out = run("ship_without_code.py", tmp_path)
    assert "trained on elsewhere: 27 parameters" in out
    assert "the largest difference of the answers: " in out
