"""Modules of every sort, in state form: saved, put into one of the class in a fresh interpreter.

There they give the same outputs bit for bit, and after one more step of training, too. A child
does all at once; what it found is looked at name by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402

from . import torch_case  # noqa: E402
from .torch_modules import MODULES, every  # noqa: E402

CHILD = Path(__file__).with_name("torch_fresh.py")


def _saved(folder: Path) -> dict[str, Any]:
    """Save all modules after a step of training; what each shows of itself."""
    expected: dict[str, Any] = {}
    for name, case in every().items():
        module = torch_case.build(case)
        if case.trains:
            torch_case.train(module, case.example())
        try:
            sm.save(module, folder / f"{name}.safemodel", signer=None)
        except SafemodelError as error:
            expected[name] = f"{type(error).__name__}: {error}"
            continue
        expected[name] = torch_case.life(case, module)
    return expected


def _walk(folder: Path) -> dict[str, Any]:
    expected = _saved(folder)
    command = [sys.executable, "-W", "ignore", str(CHILD), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    return {name: (expected[name], found.get(name)) for name in expected}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield _walk(tmp_path_factory.mktemp("modules"))
    torch.set_num_threads(threads)


@pytest.mark.xdist_group("torch-modules")
@pytest.mark.parametrize("name", every())
def test_each_module_is_the_same_in_a_fresh_interpreter(name: str, walked: dict[str, Any]) -> None:
    here, there = walked[name]
    assert isinstance(here, dict), here
    assert there == here
    if every()[name].trains:
        assert here["trained"] != here["outputs"]


def test_there_are_enough_modules() -> None:
    assert len(every()) >= 90
    assert len(every()) == sum(map(len, MODULES.values()))
    assert "hub" not in MODULES or len(MODULES["hub"]) >= 12
