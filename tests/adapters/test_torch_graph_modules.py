"""Modules of every sort, as graphs: saved, and run in a fresh interpreter without their classes.

There they give the same outputs bit for bit, for other sizes, too, and after one more step of
training; within the tolerance that a case states where PyTorch itself has a faster kernel for the
module than for its graph. A child does many at once; what it found is looked at by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402
from safemodel.adapters.torch.export.control import CONTROL  # noqa: E402
from safemodel.adapters.torch.operators import ARITHMETIC, FAMILIES, OPERATORS  # noqa: E402
from safemodel.errors import SafemodelError, UnsavableError  # noqa: E402

from . import torch_case  # noqa: E402
from .torch_case import Case  # noqa: E402
from .torch_modules import MODULES, every  # noqa: E402

CHILD = Path(__file__).with_name("torch_graph_fresh.py")
GRAPHS = {name: case for name, case in every().items() if not case.no_graph}
# What the default run takes: something of everything; `slow` takes the others, by family.
SAMPLE = (
    *("lenet", "unet_any_size", "vae", "detector", "channels_last", "bag_mean", "mixture"),
    *("rnn", "tiny_gpt_any_length", "complex", "bfloat16", "buffers", "inputs", "named_inputs"),
    *("outputs_nested", "outputs_dataclass", "cond", "while_loop", "map", "scan_rows"),
    *("weight_norm", "spectral_norm", "shared", "collections", "extra_state", "ragged"),
    *("autocast", "penalty", "eight_bit", "strings"),
)


def _save(name: str, case: Case, folder: Path) -> Any:
    """Save a module with its graph after a step of training; what it shows of itself."""
    module = torch_case.build(case)
    example = case.example()
    if case.trains:
        torch_case.train(module, example)
    path = folder / f"{name}.safemodel"
    sm.save(module, path, example_inputs=example, dynamic_shapes=case.dynamic, signer=None)
    other = case.example(case.other_size) if case.dynamic else None
    given = {"example": example, "other": other, "trains": case.trains}
    sm.save(given, folder / f"{name}.example.safemodel", signer=None)
    return torch_case.shown(module, example, case.trains, other)


def _walk(names: Iterable[str], folder: Path, used: set[str]) -> dict[str, str]:
    """For each module how the two differ, or what went wrong; `used` gets the operators."""
    here: dict[str, Any] = {}
    said: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            try:
                here[name] = _save(name, GRAPHS[name], folder)
            except SafemodelError as error:
                said[name] = f"{type(error).__name__}: {error}"
    command = [sys.executable, "-W", "ignore", str(CHILD), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    said |= dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    for name, shown in here.items():
        with sm.open(folder / f"{name}.safemodel", trust=sm.UNSIGNED) as opened:
            architecture: Any = opened.manifest.architecture
            used.update(architecture["program"]["operators"])
        if name not in said:
            there = sm.load(folder / f"{name}.shown.safemodel", trust=sm.UNSIGNED)
            said[name] = torch_case.difference(_tensors(shown), there, GRAPHS[name].tolerance)
    return said


def _tensors(shown: Any) -> Any:
    """Without state that is no tensor: it is code's own, and a graph has none of it."""
    found = dict(shown)
    for part in {"state", "trained state"} & found.keys():
        state = found[part].items()
        found[part] = {name: value for name, value in state if isinstance(value, torch.Tensor)}
    return found


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def used() -> set[str]:
    """The operators of the sample, once it was walked."""
    return set()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, used: set[str]) -> dict[str, str]:
    chosen = [name for name in SAMPLE if name in GRAPHS]
    return _walk(chosen, tmp_path_factory.mktemp("sample"), used)


@pytest.mark.xdist_group("torch-graphs")
@pytest.mark.parametrize("name", [name for name in SAMPLE if name in GRAPHS])
def test_each_graph_is_the_module_in_a_fresh_interpreter(name: str, sample: dict[str, str]) -> None:
    assert sample[name] == ""


@pytest.mark.xdist_group("torch-graphs")
def test_modules_need_operators_of_every_part_of_the_table(
    sample: dict[str, str], used: set[str]
) -> None:
    """The rest of the table is what other calls need (test_torch_operators_hostile.py)."""
    assert used <= OPERATORS.keys() | set(ARITHMETIC) | CONTROL.keys()
    families = {row.family for name, row in OPERATORS.items() if name in used}
    assert families >= set(FAMILIES) - {"special"}
    assert len(used) >= 80
    assert CONTROL.keys() - used == set()


@pytest.mark.slow
@pytest.mark.parametrize("family", MODULES)
def test_the_graphs_of_a_family_are_its_modules(family: str, tmp_path: Path) -> None:
    chosen = [name for name in MODULES[family] if name in GRAPHS and name not in SAMPLE]
    said = _walk(chosen, tmp_path, set())
    assert said.keys() == set(chosen)
    assert {name: what for name, what in said.items() if what} == {}


@pytest.mark.parametrize("name", [name for name, case in every().items() if case.no_graph])
def test_what_has_no_graph_is_refused_with_a_way_out(name: str, tmp_path: Path) -> None:
    case = every()[name]
    with pytest.raises(UnsavableError) as caught:
        sm.save(torch_case.build(case), tmp_path / "x.safemodel", example_inputs=case.example())
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_there_are_enough_graphs() -> None:
    assert len(GRAPHS) >= 60
