"""The state of every module and every training of the tests, by `torch.save`, zip and legacy.

Converted by a process that imports no torch, under an audit hook, each file becomes byte for byte
the architecture and the tensors that `sm.save` makes of what `torch.load` gives.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safemodel.adapters import torch as adapter  # noqa: E402

from ..adapters import torch_case  # noqa: E402
from ..adapters.torch_modules import every  # noqa: E402
from ..adapters.torch_training_cases import TRAININGS, begun  # noqa: E402
from .support import content, convert_in_child, written  # noqa: E402

FORMS = ("zip", "legacy")
NAMES = [*(f"module-{name}" for name in every()), *(f"training-{name}" for name in TRAININGS)]


def _state(name: str) -> Any:
    sort, _, name = name.partition("-")
    if sort == "training":
        return begun(TRAININGS[name]).state()
    case = every()[name]
    module = torch_case.build(case)
    if case.trains:
        torch_case.train(module, case.example())
    return module.state_dict()


def _without_generator(state: Any) -> Any:
    """Before 1.6 the tensors came last: torch.load makes a generator of memory that is not set."""
    found = type(state)(state)
    if isinstance(found.get("data"), torch.Generator):
        found["data"] = found["data"].get_state()
    if hasattr(state, "_metadata"):
        found._metadata = state._metadata
    return found


def _file(folder: Path, name: str, form: str) -> Path:
    return folder / f"{name}-{form}.pt"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[Any, str]]]:
    """The folder with all files and bundles, and what each conversion said."""
    folder = tmp_path_factory.mktemp("states")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    jobs, keys = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in NAMES:
            state = _state(name)
            for form in FORMS:
                source = _file(folder, name, form)
                given = state if form == "zip" else _without_generator(state)
                torch.save(given, source, _use_new_zipfile_serialization=form == "zip")
                jobs.append((source, source.with_suffix(".safemodel")))
                keys.append((name, form))
        said = convert_in_child(jobs, folder)
        yield folder, dict(zip(keys, said, strict=True))
    torch.set_num_threads(threads)


@pytest.mark.xdist_group("torch-converted")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_each_state_becomes_what_a_save_makes_of_it(
    name: str, form: str, converted: tuple[Path, dict[Any, str]]
) -> None:
    folder, said = converted
    assert said[name, form] == ""
    source = _file(folder, name, form)
    real = torch.load(source, weights_only=False)
    assert written(source.with_suffix(".safemodel")) == content(adapter.save(real))
