"""A training that is killed (SIGKILL) at a given moment of its second save.

python -m tests.adapters.checkpoint_killed FOLDER

For each moment a fork of this process trains in a folder of its own, and kills itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import safemodel as sm
from safemodel.adapters import checkpoint_files
from safemodel.bundle import output, stream, write

MOMENTS: dict[str, tuple[Any, str, int]] = {
    "at the first bytes": (stream, "write_at", 0),
    "between the bytes": (stream, "write_at", 2),
    "before the manifest": (write, "finish_archive", 0),
    "before the flush": (os, "fsync", 0),
    "before the name": (os, "replace", 0),
    "after the name": (output, "sync_folder", 0),
    "before old ones go": (checkpoint_files, "prune", 0),
}


def model(step: int) -> Any:
    torch.manual_seed(step)
    return torch.nn.Linear(1500, 1500)


def killed(folder: Path, moment: str) -> None:
    """Save a first checkpoint, then die in the middle of the second."""
    sm.save_checkpoint(folder, model=model(1), step=1, keep=1)
    module, name, after = MOMENTS[moment]
    original: Callable[..., Any] = getattr(module, name)
    calls = [0]

    def deadly(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)

    setattr(module, name, deadly)
    sm.save_checkpoint(folder, model=model(2), step=2, keep=1)


def main(folder: Path) -> None:
    sm.save_checkpoint(folder / "key", model=torch.nn.Linear(1, 1))
    for index, moment in enumerate(MOMENTS):
        child = os.fork()
        if not child:
            try:
                killed(folder / str(index), moment)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WTERMSIG(status) != signal.SIGKILL:
            raise SystemExit(f"nothing killed the save {moment}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
