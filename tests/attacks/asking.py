"""Oracle processes, and how tests ask them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIBRARIES = ("joblib", "numpy", "pandas", "sklearn.datasets", "torch", "dill", "cloudpickle")


class Oracle:
    """A running oracle process."""

    def __init__(self, *modules: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.oracle", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

    def executes(
        self, loader: str, path: Path, folder: Path, guard: dict[str, Any] | None = None
    ) -> bool:
        """Whether loading `path` leaves anything in `folder`."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        request = {"loader": loader, "path": str(path), "folder": str(folder), "guard": guard}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return bool(answer["executed"])

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def oracle_of(oracles: dict[str, Oracle], alone: str) -> Oracle:
    """The oracle for pickles, or that of a library that does not like company."""
    if alone not in oracles:
        oracles[alone] = Oracle(alone) if alone else Oracle(*LIBRARIES)
    return oracles[alone]
