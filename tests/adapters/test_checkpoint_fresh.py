"""Training that was interrupted, by its end or by a kill, goes on in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import safemodel as sm

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]


def child(module: str, folder: Path, config: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.adapters.{module}", str(folder)],
        cwd=ROOT,
        env={**os.environ, "SAFEMODEL_CONFIG": str(config), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_losses_and_weights_are_those_of_a_training_without_interruption(
    tmp_path: Path, config_dir: Path
) -> None:
    from tests.adapters.checkpoint_runs import EPOCHS, RECIPES, Run

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    expected: dict[str, Any] = {}
    for name in RECIPES:
        run = Run(name)
        before = [loss for _ in range(EPOCHS) for loss in run.epoch()]
        sm.save_checkpoint(tmp_path / f"{name}.safemodel", **run.everything, step=len(before))
        after = [loss for _ in range(EPOCHS) for loss in run.epoch()]
        assert len({*before, *after}) > len(after)
        expected[name] = {"step": len(before), "losses": after, "weights": run.weights()}
    torch.set_num_threads(threads)
    assert json.loads(child("checkpoint_runs", tmp_path, config_dir)) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_moment_of_a_save_leaves_a_checkpoint(
    tmp_path: Path, config_dir: Path
) -> None:
    from tests.adapters.checkpoint_killed import MOMENTS, model

    child("checkpoint_killed", tmp_path, config_dir)
    for index, moment in enumerate(MOMENTS):
        folder = tmp_path / str(index)
        step = 2 if moment in ("after the name", "before old ones go") else 1
        loaded = torch.nn.Linear(1500, 1500)
        assert sm.load_checkpoint(folder, model=loaded).step == step, moment
        assert torch.equal(loaded.weight, model(step).weight)
        left = [path for path in folder.iterdir() if path.name.endswith(".partial")]
        assert len(left) == (step == 1)
        sm.save_checkpoint(folder, model=loaded, step=3, keep=1)
        assert [path.name for path in folder.iterdir()] == ["step-000000003.safemodel"]


def test_a_partial_file_that_is_being_written_stays(tmp_path: Path) -> None:
    from safemodel.bundle.output import replaced_file

    model = torch.nn.Linear(1, 1)
    with replaced_file(str(tmp_path / "step-000000009.safemodel")):
        sm.save_checkpoint(tmp_path, model=model, step=1, keep=1)
        assert len(list(tmp_path.glob(".step*.partial"))) == 1
    (tmp_path / "step-000000009.safemodel").unlink()
    stale = tmp_path / ".c.safemodel.0123456789abcdef.partial"
    other = tmp_path / ".d.safemodel.0123456789abcdef.partial"
    for path in (stale, other):
        path.write_bytes(b"x")
    sm.save_checkpoint(tmp_path / "c.safemodel", model=model)
    assert not stale.exists()
    assert other.exists()


def test_what_a_killed_save_of_ranks_left_goes_too(tmp_path: Path) -> None:
    stale = tmp_path / ".step-000000005.0123456789abcdef.partial"
    stale.mkdir()
    (stale / "weights.safetensors").write_bytes(b"x")
    (tmp_path / ".step-000000006.0123456789abcdef.partial").symlink_to(tmp_path)
    kept = tmp_path / ".mine.0123456789abcdef.partial"
    kept.mkdir()
    long = tmp_path / f"{'n' * 150}é"
    left = tmp_path / f".{'n' * 100}.0123456789abcdef.partial"
    left.write_bytes(b"x")
    model = torch.nn.Linear(1, 1)
    sm.save_checkpoint(tmp_path, model=model, step=1, keep=1)
    sm.save_checkpoint(long, model=model)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [
            ".mine.0123456789abcdef.partial",
            ".step-000000006.0123456789abcdef.partial",
            "step-000000001.safemodel",
            long.name,
        ]
    )
