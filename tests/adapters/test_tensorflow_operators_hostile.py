"""Every operator of TensorFlow's table with hostile values, in processes that may die.

The default run takes a sample that differs from day to day; the slow one takes every operator.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of processes")

from safemodel.adapters.tensorflow.guards import guarded  # noqa: E402
from safemodel.adapters.tensorflow.table import TENSORFLOW, operator, table  # noqa: E402
from safemodel.errors import ArchitectureError  # noqa: E402
from tests.adapters.tensorflow_operator_calls import calls  # noqa: E402
from tests.adapters.tensorflow_operator_fuzz import ROOT, Live, hunt  # noqa: E402

same_release = pytest.mark.skipif(
    not tf.__version__.startswith(TENSORFLOW + "."), reason="the table is that of another release"
)
CALLED = sorted(name for name, recorded in calls().items() if recorded)
GUARDED = sorted(
    name
    for name, row in table().items()
    if calls()[name]
    and any(
        (one.rank, one.length, one.sizes, one.most) != (None, None, False, None)
        for one in row.inputs
    )
)


def test_every_operator_has_a_call() -> None:
    assert set(calls()) == set(table())
    without = {name for name, recorded in calls().items() if not recorded}
    functions = {
        name
        for name, row in table().items()
        if any(one.kind == "func" for one in row.attributes.values())
    }
    assert without == functions | {"Const"}


CONFINED = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import tensorflow as tf
from tests.adapters.tensorflow_operator_calls import calls
from tests.adapters.tensorflow_operator_fuzz import Live
from tests.adapters.torch_operator_confine import confine
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
seen = []
def hook(event, args):
    if event.partition(".")[0] in {"open", "socket", "subprocess", "os", "shutil", "ctypes",
                                   "import", "exec", "compile", "urllib", "tempfile", "mmap"}:
        seen.append((event, str(args)[:100]))
made = [Live(tf, name, dict(given)) for name, all in calls().items() for given in all]
wrong = []
for live in made:
    live.check()
    if tuple(one.dtype.name for one in live.run()) != live.row.output_types(live.attributes):
        wrong.append(live.name)
confine()
sys.addaudithook(hook)
for live in made:
    live.run()
os.write(2, json.dumps([len(made), wrong, seen]).encode())
os._exit(0)
"""


@same_release
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is of x86-64")
def test_every_call_gives_what_its_row_says_and_reads_writes_or_starts_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count = sum(len(recorded) for recorded in calls().values())
    assert done.stderr.endswith(json.dumps([count, [], []])), done.stderr[-2000:]


@same_release
def test_a_sample_of_operators_survives_hostile_calls(tmp_path: Path) -> None:
    day = int(os.environ.get("SAFEMODEL_TEST_SEED", datetime.date.today().toordinal()))
    names = random.Random(day).sample(CALLED, 10)
    found, outcomes = hunt([*names, *GUARDED], seed=7, rounds=2, folder=tmp_path)
    assert found == []
    assert set(outcomes) == {*names, *GUARDED}


@pytest.mark.slow
@pytest.mark.timeout(7200)
@same_release
@pytest.mark.parametrize("part", range(8))
def test_all_operators_survive_hostile_calls(tmp_path: Path, part: int) -> None:
    found, outcomes = hunt(CALLED[part::8], seed=part, rounds=100, folder=tmp_path)
    assert found == []
    assert set(outcomes) == set(CALLED[part::8])


@pytest.mark.slow
@pytest.mark.timeout(7200)
@same_release
@pytest.mark.parametrize("part", range(4))
def test_all_operators_survive_edges(tmp_path: Path, part: int) -> None:
    found, _ = hunt(CALLED[part::4], seed=-1, rounds=10**6, folder=tmp_path)
    assert found == []


def traced(name: str, attributes: dict[str, Any], *values: Any, known: bool) -> Any:
    """Run an operator behind its guard in a graph that knows its inputs, or does not."""
    row = operator(name)
    assert row is not None
    live = Live(
        tf,
        name,
        {**attributes, **dict(zip([one.name for one in row.inputs], values, strict=True))},
    )
    return live.function([known] * len(values))(*([] if known else live.inputs))


@pytest.mark.parametrize("known", [True, False])
def test_guards_refuse_what_kernels_do_not_check(known: bool) -> None:
    import numpy as np

    shape, kind = np.array([2], np.int32), {"element_dtype": "float32"}
    strides = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    flat, kernel = np.zeros(9, np.float32), np.zeros((2, 2, 1, 1), np.float32)
    errors = (ArchitectureError, tf.errors.InvalidArgumentError)
    with pytest.raises(errors):
        traced("TensorListReserve", kind, shape, np.int32(2**31 - 1), known=known)
    with pytest.raises(errors):
        traced("DepthwiseConv2dNative", strides, flat, kernel, known=known)
    image = np.ones((1, 3, 3, 1), np.float32)
    assert traced("DepthwiseConv2dNative", strides, image, kernel, known=known)[0].shape[1] == 3
    assert traced("TensorListReserve", kind, shape, np.int32(4), known=known) == []


def test_guards_keep_gradients() -> None:
    row = operator("DepthwiseConv2dNative")
    assert row is not None
    attributes = row.complete({"T": "float32", "strides": [1, 1, 1, 1], "padding": "SAME"})
    kernel = tf.ones([2, 2, 1, 1])

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)], autograph=False)
    def weighed(image: Any) -> Any:
        one, other = guarded(row, attributes, [image, kernel])
        return tf.nn.depthwise_conv2d(one, other, [1, 1, 1, 1], "SAME")

    with tf.GradientTape() as tape:
        image = tf.ones([1, 3, 3, 1])
        tape.watch(image)
        out = weighed(image)
    assert tape.gradient(out, image).shape == image.shape


def test_variables_keep_the_shape_that_they_are_declared_with() -> None:
    row = operator("AssignVariableOp")
    assert row is not None
    attributes = row.complete({"dtype": "float32"})
    variable = tf.Variable([1.0, 2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)], autograph=False)
    def assign(value: Any) -> None:
        graph = tf.compat.v1.get_default_graph()
        given = guarded(row, attributes, [variable.handle, value])
        kind = tf.compat.v1.AttrValue(type=tf.float32.as_datatype_enum)
        graph.create_op("AssignVariableOp", given, attrs={"dtype": kind})

    assign(tf.zeros(3))
    with pytest.raises(tf.errors.InvalidArgumentError):
        assign(tf.zeros(4))
    assert variable.numpy().tolist() == [0.0, 0.0, 0.0]
    with pytest.raises((ArchitectureError, tf.errors.InvalidArgumentError)):
        guarded(row, attributes, [variable.handle, tf.zeros(4)])
