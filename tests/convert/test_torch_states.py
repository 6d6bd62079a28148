"""The modules and trainings of the adapter's tests, through `torch.save` and a conversion.

What it makes is byte for byte what `save` makes of what `torch.load` gives; so it loads, trains on
and compares as the tests of the adapter have it.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safemodel.adapters import torch as adapter  # noqa: E402

from ..adapters.torch_case import build  # noqa: E402
from ..adapters.torch_modules import every  # noqa: E402
from ..adapters.torch_training_cases import TRAININGS, begun  # noqa: E402
from .support import content, convert_in_child, written  # noqa: E402

Make = Callable[[], Any]

_STEP = 6  # of the modules, each so many-th is in the sample
# Parametrized modules can't be pickled; these make their state dict themselves.
_NOT_WHOLE = {"quantized", "extra_state"}


def _modules() -> dict[str, Any]:
    there = {
        name: case
        for name, case in every().items()
        if all(importlib.util.find_spec(package) for package in case.needs)
    }
    assert len(there) >= 60
    return there


def _states() -> dict[str, Make]:
    made: dict[str, Make] = {
        f"state {name}": lambda case=case: build(case).state_dict()
        for name, case in _modules().items()
    }
    made |= {
        f"training {name}": lambda make=make: begun(make).state()
        for name, make in TRAININGS.items()
    }
    return made


def _wholes() -> dict[str, Make]:
    """Modules whose classes are all PyTorch's."""
    found: dict[str, Make] = {}
    for name, case in _modules().items():
        module = build(case)
        ours = all(type(part).__module__.startswith("torch.nn.") for part in module.modules())
        if ours and name not in _NOT_WHOLE and not _is_parametrized(module):
            found[f"whole {name}"] = lambda module=module: module
    return found


def _is_parametrized(module: Any) -> bool:
    return any(torch.nn.utils.parametrize.is_parametrized(part) for part in module.modules())


def check(makes: dict[str, Make], folder: Path) -> None:
    """Each, in both formats, becomes what `save` makes of what `torch.load` gives.

    It is loaded from the newer one: in the older PyTorch reads generators before their states.
    """
    jobs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (name, make) in enumerate(makes.items()):
            obj = make()
            for zipped in (True, False):
                source = folder / f"{number}-{zipped}.pt"
                torch.save(obj, source, _use_new_zipfile_serialization=zipped)
                jobs.append((name, source, source.with_suffix(".safemodel")))
        said = convert_in_child([job[1:] for job in jobs], folder)
        assert {name: one for (name, *_), one in zip(jobs, said, strict=True) if one} == {}
        for number, name in enumerate(makes):
            loaded = torch.load(folder / f"{number}-True.pt", weights_only=False)
            wanted = content(adapter.save(loaded))
            for zipped in (True, False):
                assert written(folder / f"{number}-{zipped}.safemodel") == wanted, (name, zipped)


def test_a_sample_of_all_states(tmp_path: Path) -> None:
    made = _states()
    check({name: made[name] for name in list(made)[::_STEP]}, tmp_path)


@pytest.mark.slow
def test_all_states(tmp_path: Path) -> None:
    check(_states(), tmp_path)


@pytest.mark.slow
def test_whole_modules(tmp_path: Path) -> None:
    makes = _wholes()
    assert len(makes) > 5
    check(makes, tmp_path)
