"""A fresh interpreter in which training goes on from what an archive has, for all cases at once.

Arguments: a folder with a folder for each case. Prints a line of JSON for each way of restoring
one: the name, the way, and the losses and digests of the state that follow; or what went wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]


def from_state(training: Any, folder: Path) -> None:
    """From one archive with all of the state in it."""
    import safemodel as sm

    training.restore(sm.load(folder / "state.safemodel", trust=sm.UNSIGNED))


def from_parts(training: Any, folder: Path) -> None:
    """From one archive for each object, put into it; and one for what is left."""
    import safemodel as sm

    state = sm.load(folder / "rest.safemodel", trust=sm.UNSIGNED)
    training.prepare(state)
    for name, part in training.parts().items():
        report = sm.load(folder / f"{name}.safemodel", into=part, trust=sm.UNSIGNED)
        if not report.complete:
            raise ValueError(f"{name}: {report}")
    training.restore_rest(state)
    training.restore_random(state["random"])


def from_checkpoint(training: Any, folder: Path) -> None:
    """From a checkpoint: what was kept beside the objects says how to make them."""
    import safemodel as sm

    path = folder / "state.checkpoint"
    kept = sm.load_checkpoint(path, rng=False, trust=sm.UNSIGNED)
    rest = {"data": training.data, "extra": kept.extra}
    training.prepare(rest)
    report = sm.load_checkpoint(path, **training.arguments(), trust=sm.UNSIGNED)
    if not report.complete or report.left or report.step != kept.extra["step"]:
        raise ValueError(str(report))
    training.restore_rest(rest)


WAYS = {"state": from_state, "parts": from_parts, "checkpoint": from_checkpoint}


def main(folder: Path) -> None:
    import torch

    from tests.adapters.torch_training_cases import TRAININGS, following

    torch.set_num_threads(1)
    for case in sorted(folder.iterdir()):
        for way, restore in WAYS.items():
            try:
                training = TRAININGS[case.name]()
                restore(training, case)
                found: object = following(training)
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
            print(json.dumps([case.name, way, found]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
