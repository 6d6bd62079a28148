"""Training of every sort goes on in a fresh interpreter bit for bit as if it had never stopped.

Kept as one archive of nested state, as an archive for each object, and as a checkpoint; a child
does all cases.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402

from .torch_training_cases import TRAININGS, begun, following  # noqa: E402

CHILD = Path(__file__).with_name("torch_training_fresh.py")
WAYS = ("state", "parts", "checkpoint")


def _keep(training: Any, folder: Path) -> None:
    folder.mkdir()
    sm.save(training.state(), folder / "state.safemodel", signer=None)
    sm.save(training.rest(), folder / "rest.safemodel", signer=None)
    for name, part in training.parts().items():
        sm.save(part, folder / f"{name}.safemodel", signer=None)
    sm.save_checkpoint(
        folder / "state.checkpoint",
        **training.arguments(),
        step=training.extra["step"],
        extra=training.extra,
        signer=None,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """What follows here, and there for each way of restoring."""
    folder = tmp_path_factory.mktemp("trainings")
    found: dict[Any, Any] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in TRAININGS.items():
            training = begun(make)
            _keep(training, folder / name)
            found[name] = following(training)
    torch.set_num_threads(threads)
    command = [sys.executable, "-W", "ignore", str(CHILD), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    for line in done.stdout.splitlines():
        if line.startswith("["):
            name, way, there = json.loads(line)
            found[name, way] = there
    return found


@pytest.mark.xdist_group("torch-trainings")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TRAININGS)
def test_training_goes_on_in_a_fresh_interpreter(
    name: str, way: str, results: dict[Any, Any]
) -> None:
    assert results[name, way] == results[name]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.xdist_group("torch-trainings")
def test_what_goes_on_is_not_what_begins(results: dict[Any, Any]) -> None:
    for name, make in TRAININGS.items():
        assert following(make())["losses"] != results[name]["losses"], name


def test_there_are_enough_cases() -> None:
    assert len(TRAININGS) >= 40
    kinds = {
        name
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
    }
    used = {type(make().optimizer).__name__ for make in TRAININGS.values()}
    assert kinds - used - {"Optimizer"} == set()
    rates = torch.optim.lr_scheduler
    known = {type(make().scheduler).__name__ for make in TRAININGS.values()}
    assert {name for name in rates.__all__ if name != "LRScheduler"} - known == set()
