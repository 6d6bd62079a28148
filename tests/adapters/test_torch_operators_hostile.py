"""Every operator of the table with hostile arguments, forward and backward: nothing dies or hangs.

The default run takes a sample that differs from day to day; the slow one takes every operator.
"""

from __future__ import annotations

import datetime
import os
import platform
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of processes")

from safemodel.adapters.torch.operators import OPERATORS, TORCH, resolve  # noqa: E402
from safemodel.adapters.torch.operators.guards import GUARDS  # noqa: E402
from tests.adapters.torch_operator_calls import call, recorded  # noqa: E402
from tests.adapters.torch_operator_fuzz import ROOT, compiled, hunt, leaves  # noqa: E402

RELEASE = ".".join(torch.__version__.split(".")[:2])
same_release = pytest.mark.skipif(RELEASE != TORCH, reason="the table is that of another release")


def test_every_operator_is_called_by_something_that_pytorch_exports() -> None:
    assert set(recorded()) == set(OPERATORS)


@same_release
def test_recorded_calls_pass_the_check_and_run() -> None:
    failed = {}
    for name in OPERATORS:
        for number in range(len(recorded()[name])):
            torch.manual_seed(0)
            args, kwargs = call(name, number, random.Random(0))
            resolved = resolve(name)
            resolved.check(referred(args), {key: referred(value) for key, value in kwargs.items()})
            try:
                resolved.call(*args, **kwargs)
                break
            except (RuntimeError, ValueError) as error:  # values that the record does not have
                failed[name, number] = str(error)
        else:
            failed[name, -1] = "no call of it runs"
    assert [name for name, number in failed if number == -1] == []


def referred(value: Any) -> Any:
    """A value as the check sees it: nodes for tensors."""
    from safemodel.adapters.torch.operators import NODE

    if isinstance(value, torch.Tensor):
        return NODE
    if isinstance(value, list | tuple):
        return [referred(item) for item in value]
    return value


def test_guards_are_of_the_table() -> None:
    assert set(GUARDS) <= set(OPERATORS)


@same_release
def test_a_sample_of_operators_survives_hostile_calls(tmp_path: Path) -> None:
    day = int(os.environ.get("SAFEMODEL_TEST_SEED", datetime.date.today().toordinal()))
    names = random.Random(day).sample(sorted(OPERATORS), 60)
    found, outcomes = hunt(names, seed=7, rounds=8, folder=tmp_path)
    assert found == []
    assert set(outcomes) == set(names)


@same_release
def test_guarded_operators_survive_hostile_calls(tmp_path: Path) -> None:
    found, _ = hunt(sorted(GUARDS), seed=20261122, rounds=10, folder=tmp_path)
    assert found == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
@same_release
@pytest.mark.parametrize("part", range(8))
def test_all_operators_survive_hostile_calls(tmp_path: Path, part: int) -> None:
    found, outcomes = hunt(
        sorted(OPERATORS)[part::8],
        seed=part,
        rounds=150,
        folder=tmp_path,
        fences=compiled(tmp_path),
    )
    assert found == []
    assert set(outcomes) == set(sorted(OPERATORS)[part::8])


CONFINED = """
import os, sys, random, warnings
warnings.simplefilter("ignore")
import torch
from tests.adapters.torch_operator_calls import call, recorded
from safemodel.adapters.torch.operators import OPERATORS, resolve
for name in OPERATORS:
    resolve(name)
torch.set_num_threads(1)
from tests.adapters.torch_operator_confine import confine
seen = []
def hook(event, args):
    if event.partition(".")[0] in {"open", "socket", "subprocess", "os", "shutil", "ctypes",
                                   "import", "exec", "compile", "urllib", "tempfile", "mmap"}:
        seen.append((event, str(args)[:100]))
def each():
    for name in OPERATORS:
        for number in range(len(recorded()[name])):
            args, kwargs = call(name, number, random.Random(0))
            try:
                resolve(name).call(*args, **kwargs)
                break
            except (RuntimeError, ValueError):
                pass
each()
confine()
sys.addaudithook(hook)
each()
os.write(2, f"done {len(OPERATORS)} {seen}".encode())
os._exit(0)
"""


@same_release
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is of x86-64")
def test_no_operator_reads_writes_or_starts_anything() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CONFINED],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.endswith(f"done {len(OPERATORS)} []"), done.stderr[-2000:]


IMAGE = torch.zeros(1, 2, 4, 4)
BAG = (torch.zeros(3, 4), torch.tensor([0, 1, 2]))


def grid(position: float) -> Any:
    return torch.full((1, 9, 2, 2), position, dtype=torch.float64)


def row(ones: int) -> Any:
    return torch.zeros(1, 2, *[1] * ones, 3)


def quantized() -> Any:
    return torch.quantize_per_tensor(torch.rand(1, 2, 4, 4), 0.1, 0, torch.qint32)


LITTLE = [
    ("aten::bincount", lambda: (torch.tensor([2**62]),)),
    ("aten::one_hot", lambda: (torch.tensor([2**40]),)),
    ("aten::repeat_interleave.Tensor", lambda: (torch.tensor([2**40]),)),
    ("aten::repeat_interleave.self_int", lambda: (torch.zeros(4), 2**40)),
    ("aten::combinations", lambda: (torch.zeros(100), 9)),
    ("aten::tensor_split.sections", lambda: (torch.zeros(4), 2**40)),
    ("aten::matrix_power", lambda: (torch.eye(2), -(2**63))),
    ("aten::max_pool1d", lambda: (torch.zeros(1, 2, 3), [2**63 - 1], [2], [0], [1], True)),
    ("aten::repeat_interleave.Tensor", lambda: (torch.tensor([-1, 2]),)),
    ("aten::conv_transpose1d", lambda: (torch.zeros(2, 1, 3), torch.zeros(1, 1, 1), None, [2**16])),
    ("aten::div.Tensor_mode", lambda: (torch.tensor([-(2**63)]), -1, "trunc")),
    ("aten::col2im", lambda: (torch.zeros(1, 8, 9), [4, 4], [2, 2], [1, 1], [0, 2**31], [1, 1])),
    (
        "aten::embedding_bag",
        lambda: (torch.zeros(2, 3), torch.tensor([0, 1]), torch.tensor([], dtype=torch.int64)),
    ),
    ("aten::lcm", lambda: (torch.tensor([-(2**63)]), torch.tensor([-1]))),
    ("aten::linalg_eig", lambda: (torch.full((2, 2), float("nan")),)),
    ("aten::linalg_eigvals", lambda: (torch.full((2, 2), float("inf")),)),
    ("aten::lu_unpack", lambda: (torch.eye(2), torch.tensor([2**30, 1], dtype=torch.int32))),
    ("aten::_weight_norm", lambda: (torch.zeros(12), torch.zeros(()))),
    (
        "aten::tensor_split.tensor_indices_or_sections",
        lambda: (torch.zeros(4), torch.tensor(2**40)),
    ),
    ("aten::arange", lambda: (2**40,)),
    ("aten::arange.start_step", lambda: (0, 1, 1e-12)),
    ("aten::pdist", lambda: (torch.zeros(0, 3, requires_grad=True),)),
    ("aten::_pdist_forward", lambda: (torch.zeros(5, 5, 1, 0, 0, 2),)),
    ("aten::embedding_bag", lambda: (*BAG, torch.tensor([0]), False, 1, False, None, True)),
    ("aten::embedding_bag", lambda: (*BAG, torch.tensor([0, 0, 2]), False, 0, True, None, True)),
    ("aten::upsample_bicubic2d", lambda: (IMAGE, [1, 1], False, 1e-30, 1e-30)),
    ("aten::_upsample_bilinear2d_aa", lambda: (IMAGE, [3, 3], False, 0.1, 0.1)),
    ("aten::upsample_nearest1d", lambda: (IMAGE[0], [5], float("nan"))),
    ("aten::grid_sampler_2d", lambda: (IMAGE.double(), grid(float("nan")), 0, 1, True)),
    ("aten::grid_sampler_2d", lambda: (IMAGE.double(), grid(1e300), 0, 2, False)),
    ("aten::native_group_norm", lambda: (IMAGE, torch.ones(1).expand(2), None, 1, 2, 16, 1, 0.1)),
    ("aten::max_pool2d", lambda: (row(1), [1, 3], [1, 255], [0, 1], [1, 4], True)),
    ("aten::max_pool2d_with_indices", lambda: (row(1), [3], [], [1], [4], True)),
    ("aten::max_pool3d", lambda: (row(2), [1, 1, 3], [1], [0, 0, 1], [1, 1, 4], True)),
    ("aten::max_pool1d", lambda: (row(0), [3], [255], [1], [4], True)),
    ("aten::_adaptive_avg_pool2d", lambda: (quantized(), [5])),
]


@pytest.mark.parametrize(("name", "arguments"), LITTLE)
def test_guards_refuse_what_kernels_do_not_check(name: str, arguments: Any) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        resolve(name).call(*arguments())


def test_guards_keep_results_and_gradients() -> None:
    layer = torch.nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    values = torch.rand(5, 2, 3, requires_grad=True)
    state = (torch.zeros(4, 2, 2), torch.zeros(4, 2, 4))
    args = (values, state, list(layer._flat_weights), True, 2, 0.0, False, True, False)
    out = resolve("aten::lstm.input").call(*args)
    assert torch.equal(out[0], layer(values)[0])
    assert leaves(out, torch)[0].requires_grad
    with pytest.raises(ValueError, match="parameters"):
        resolve("aten::lstm.input").call(*args[:2], args[2][:-1], *args[3:])
    for bad in (torch.rand(5, 2, 4), torch.rand(5, 3, 3), torch.rand(5, 2)):
        with pytest.raises(ValueError, match=r"operator aten::lstm\.input"):
            resolve("aten::lstm.input").call(bad, *args[1:])


def test_sizes_and_scales_of_layers_pass_the_guards() -> None:
    image = torch.rand(1, 2, 5, 7)
    for scale in (0.3, 0.5, 1.0, 1.7, 2.0, 3.3333333):
        size = [int(5 * scale), int(7 * scale)]
        resolve("aten::upsample_bicubic2d").call(image, size, False, scale, scale)
        resolve("aten::upsample_nearest2d").call(image, size, scale, scale)
    resolve("aten::grid_sampler").call(image, torch.full((1, 3, 3, 2), 9.0), 0, 1, False)
    pooled = resolve("aten::max_pool2d").call(image, [3], [2], [1], [2], True)
    assert torch.equal(pooled, torch.nn.functional.max_pool2d(image, 3, 2, 1, 2, True))
    ends = torch.tensor([0, 1, 3])
    bags = resolve("aten::embedding_bag").call(*BAG, ends, False, 1, False, None, True)
    assert bags[0].shape == (2, 4)


CROSSING = """
import ctypes, sys, torch
from tests.adapters.torch_operator_fuzz import Fenced
at_start = sys.argv[1] == "start"
values = Fenced(torch, at_start=at_start).tensor(torch.arange(6.0).reshape(2, 3).t())
assert values.tolist() == [[0, 3], [1, 4], [2, 5]], values
assert values.stride() == (1, 3)
sys.stderr.write("lives")
print(ctypes.c_float.from_address(values.data_ptr() + (-4 if at_start else 24)).value)
"""


@pytest.mark.parametrize("side", ["start", "end"])
def test_fences_kill_what_crosses_them(side: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROSSING, side],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode < 0
    assert done.stderr.endswith("lives")


def test_the_filter_of_these_tests_kills() -> None:
    code = "from tests.adapters.torch_operator_confine import confine; confine(); open('/dev/null')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode < 0
