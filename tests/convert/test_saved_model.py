"""SavedModels of TensorFlow to bundles: written by TensorFlow, read without it, called again; what
is left out, and what is refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.errors import (  # noqa: E402
    DamagedError,
    FindingsError,
    SafemodelError,
    SourceError,
    UnconvertibleError,
    UsageError,
)
from tests.legacy import saved_model_samples as make  # noqa: E402
from tests.legacy.tensorflow_samples import constant, field, node  # noqa: E402

pytestmark = pytest.mark.xdist_group("keras")

ROOT = Path(__file__).parents[2]
F32 = tf.float32


def spec(*shape: int | None, dtype: Any = F32, name: str | None = None) -> Any:
    return tf.TensorSpec(shape, dtype, name=name)


def numbers(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


class Made(tf.Module):  # type: ignore[misc]
    """A module of variables, and of functions of them that are traced already."""

    def __init__(self, functions: dict[str, tuple[Callable[..., Any], Any]], **kept: Any) -> None:
        super().__init__()
        self.kept = kept
        for name, (code, specs) in functions.items():
            traced = tf.function(code)
            args, kwargs = specs if isinstance(specs, tuple) else (specs, {})
            traced.get_concrete_function(*args, **kwargs)
            setattr(self, name, traced)


def dense() -> tuple[Any, str, tuple[Any, ...], dict[str, Any]]:
    w, b = tf.Variable(numbers(3, 4), name="w"), tf.Variable(tf.zeros(4), trainable=False)
    run = {"run": (lambda x: tf.nn.relu(x @ w + b), [spec(None, 3)])}
    return Made(run, w=w, b=[b]), "run", (numbers(5, 3),), {}


def structures() -> Any:
    def run(x: Any, pair: Any, *, factor: Any, deep: bool = True) -> Any:
        return {"z": (x * factor, [pair["b"]]), "a": pair["a"][0] + 1.0 if deep else x, "n": None}

    given = {"b": spec(2), "a": (spec(), 3)}
    made = Made({"run": (run, ([spec(2), given], {"factor": spec(), "deep": True}))})
    return (
        made,
        "run",
        (numbers(2), {"b": numbers(2), "a": (1.5, 3)}),
        {"factor": 2.0, "deep": True},
    )


def control_flow() -> Any:
    steps = tf.Variable(0)

    def run(x: Any, n: Any) -> Any:
        total = tf.zeros_like(x)
        for i in tf.range(n):
            if tf.reduce_sum(total) < 5.0:
                total += x * tf.cast(i, F32)
            else:
                total -= 1.0
        steps.assign_add(n)
        return total, steps.read_value()

    return (
        Made({"run": (run, [spec(None), spec(dtype=tf.int32)])}, s=steps),
        "run",
        (numbers(3), 7),
        {},
    )


def captured() -> Any:
    large, small = tf.constant(numbers(40, 30)), tf.constant([1.0, 2.0])
    texts = tf.constant(["a", "é"])
    run = {"run": (lambda x: (large @ x, small * 2.0, texts + "!"), [spec(30, None)])}
    return Made(run), "run", (numbers(30, 2),), {}


def recurrent() -> Any:
    keras = pytest.importorskip("keras")
    layer = keras.layers.GRU(5, return_sequences=True)
    layer.build((None, 4, 3))
    run = {"run": (lambda x: layer(x), [spec(None, 4, 3)])}
    return (
        Made(run, variables=[one.value for one in layer.variables]),
        "run",
        (numbers(2, 4, 3),),
        {},
    )


def convolution() -> Any:
    w = tf.Variable(numbers(3, 3, 2, 4))
    run = {"run": (lambda x: tf.nn.max_pool2d(tf.nn.conv2d(x, w, 1, "SAME"), 2, 2, "VALID"),
                   [spec(None, 8, 8, 2)])}  # fmt: skip
    return Made(run, w=w), "run", (numbers(1, 8, 8, 2),), {}


def attention() -> Any:
    w = tf.Variable(numbers(6, 18))

    def run(x: Any) -> Any:
        q, k, v = tf.split(x @ w, 3, axis=-1)
        return tf.nn.softmax(tf.einsum("bij,bkj->bik", q, k)) @ v

    return Made({"run": (run, [spec(None, None, 6)])}, w=w), "run", (numbers(2, 5, 6),), {}


def embedding() -> Any:
    table = tf.Variable(numbers(20, 4))
    run = {"run": (lambda i: tf.nn.embedding_lookup(table, i), [spec(None, dtype=tf.int32)])}
    return Made(run, table=table), "run", (np.array([1, 19], "int32"),), {}


def listed() -> Any:
    run = {"run": (lambda xs: [tf.add_n(xs), tf.stack(xs)], [[spec(2), spec(2), spec(2)]])}
    return Made(run), "run", ([numbers(2)] * 3,), {}


def nested() -> Any:
    part = dense()[0]
    run = {"outer": (lambda x: part.run(x) * 2.0, [spec(None, 3)])}
    return Made(run, part=part), "outer", (numbers(2, 3),), {}


def complex_numbers() -> Any:
    run = {"run": (lambda x: tf.signal.ifft(tf.signal.fft(tf.cast(x, tf.complex64))), [spec(8)])}
    return Made(run), "run", (numbers(8),), {}


def linear_algebra() -> Any:
    run = {"run": (lambda x: tf.linalg.cholesky(x @ tf.transpose(x) + tf.eye(3)), [spec(3, 3)])}
    return Made(run), "run", (numbers(3, 3),), {}


def batch_normalization() -> Any:
    mean = tf.Variable(tf.zeros(3), trainable=False)

    def run(x: Any) -> Any:
        average = tf.reduce_mean(x, 0)
        mean.assign(0.9 * mean + 0.1 * average)
        return (x - mean) / (tf.math.reduce_std(x, 0) + 0.1)

    return Made({"run": (run, [spec(None, 3)])}, mean=mean), "run", (numbers(6, 3),), {}


def strings() -> Any:
    run = {
        "run": (
            lambda s: (tf.strings.upper(s), tf.strings.length(s)),
            [spec(None, dtype=tf.string)],
        )
    }
    return Made(run), "run", (np.array([b"ab", b"c"], object),), {}


def seeded() -> Any:
    run = {"run": (lambda s: tf.random.stateless_normal([3], s), [spec(2, dtype=tf.int32)])}
    return Made(run), "run", (np.array([1, 2], "int32"),), {}


def twice() -> Any:
    w = tf.Variable([[2.0]])
    inner = tf.function(lambda x: x @ w)
    run = {"run": (lambda x: inner(inner(x)), [spec(None, 1)])}
    return Made(run, w=w), "run", (numbers(3, 1),), {}


CASES = [
    dense, structures, control_flow, captured, recurrent, convolution, attention, embedding, listed,
    nested, complex_numbers, linear_algebra, batch_normalization, strings, seeded, twice,
]  # fmt: skip
FAST = {dense, structures, control_flow, captured}


def saved(obj: Any, path: Path, **options: Any) -> Path:
    tf.saved_model.save(obj, str(path / "model"), **options)
    return path / "model"


def convert(source: Any, path: Path, **options: Any) -> Path:
    sm.convert(source, path / "out.safemodel", signer=None, **options)
    return path / "out.safemodel"


def load(path: Path, **options: Any) -> Any:
    return sm.load(path, trust=sm.UNSIGNED, **options)


def same(one: Any, two: Any) -> bool:
    first, second = tf.nest.flatten(one), tf.nest.flatten(two)
    return len(first) == len(second) and all(
        (a is None and b is None) or np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize(
    "case", [one if one in FAST else pytest.param(one, marks=pytest.mark.slow) for one in CASES]
)
def test_functions_give_what_they_gave(tmp_path: Path, case: Callable[[], Any]) -> None:
    made, name, args, kwargs = case()
    found = load(convert(saved(made, tmp_path), tmp_path))
    assert [v.name for v in found.variables].sort() == [v.name for v in made.variables].sort()
    for _ in range(2):  # of those that count, too
        theirs = getattr(made, name)(*args, **kwargs)
        assert same(theirs, found.entry(name)(*args, **kwargs))
    for one in found.trainable_variables:
        assert one.trainable
    sm.save(found, tmp_path / "again.safemodel", signer=None)
    again = sm.inspect(tmp_path / "again.safemodel").manifest
    assert again.architecture == sm.inspect(tmp_path / "out.safemodel").manifest.architecture


def test_gradients_and_signatures(tmp_path: Path) -> None:
    made, _, args, _ = dense()
    serve = tf.function(lambda x: {"y": made.run(x)}, input_signature=[spec(None, 3, name="x")])
    found = load(convert(saved(made, tmp_path, signatures={"run": serve}), tmp_path))
    assert set(found.signatures) == {"run"}
    assert same(found.signatures["run"](x=args[0])["y"], made.run(args[0]))
    with tf.GradientTape() as mine, tf.GradientTape() as theirs:
        one, two = tf.reduce_sum(found.run(args[0])), tf.reduce_sum(made.run(args[0]))
    mine_w, theirs_w = found.trainable_variables, made.trainable_variables
    assert same(mine.gradient(one, mine_w), theirs.gradient(two, theirs_w))


def test_names_and_parts_are_those_of_the_module(tmp_path: Path) -> None:
    made, *_ = nested()
    found = load(convert(saved(made, tmp_path), tmp_path))
    assert set(found.entries) == {"outer", "kept.part.run"}
    part = made.kept["part"]
    assert same(found["kept"]["part"]["kept"]["w"], part.kept["w"])
    assert found["kept"]["part"]["kept"]["b"].container == "list"
    assert not found["kept"]["part"]["kept"]["b"]["0"].trainable
    assert load(tmp_path / "out.safemodel", into=made).complete


def test_several_traces_are_several_entries(tmp_path: Path) -> None:
    made = Made({"run": (lambda x: x * 2.0, [spec(3)])})
    made.run.get_concrete_function(spec(2))
    found = load(convert(saved(made, tmp_path), tmp_path))
    results = [found.entry(name)(tf.ones(size)) for name in found.entries for size in (2, 3)
               if name == ("run" if size == 3 else "run.trace_2")]  # fmt: skip
    assert [one.shape[0] for one in results] == [3, 2]


@pytest.mark.slow
def test_what_keras_exports_serves_the_same(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("another backend")
    model = keras.Sequential([
        keras.layers.Input((6, 6, 1)), keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(),
        keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(2),
    ])  # fmt: skip
    model.export(str(tmp_path / "model"), verbose=False)
    found = load(convert(tmp_path / "model", tmp_path))
    x = numbers(2, 6, 6, 1)
    theirs = tf.saved_model.load(str(tmp_path / "model"))
    assert same(found.serve(x), theirs.serve(x))
    assert set(found.signatures) == {"serve", "serving_default"}


def test_models_of_keras_2_with_their_optimizer(tmp_path: Path) -> None:
    with zipfile.ZipFile(Path(__file__).with_name("keras2_saved_model.zip")) as archive:
        archive.extractall(tmp_path / "model")
    found = load(convert(tmp_path / "model", tmp_path))
    x = tf.constant(np.arange(6).reshape(2, 3), F32)
    known = [
        [-0.7963438034057617, -0.9671924114227295],
        [-0.9934831857681274, -0.9969799518585205],
    ]
    for results in (found.signatures["serving_default"](x=x)["dense"], found(x, False, None)):
        assert np.allclose(results, known, rtol=0, atol=1e-6)
    slots = found["optimizer"]["slots"]
    assert {name: len(list(slots[name])) for name in slots} == {"m": 2, "v": 2}


# What is left out, and said


def test_functions_outside_of_the_table_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, *_ = dense()
    made.debug = tf.function(lambda x: tf.raw_ops.Timestamp() + tf.cast(x, tf.float64))
    made.debug.get_concrete_function(spec())
    found = load(convert(saved(made, tmp_path), tmp_path))
    assert found.entries == ("run",)
    assert "left out functions: debug" in caplog.text
    assert "Timestamp" in caplog.text


def test_types_that_no_archive_has_leave_functions_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = tf.as_dtype("int4")
    narrow = (lambda x: tf.cast(tf.cast(x, small), tf.int8), [spec(2, dtype=tf.int8)])
    double = (lambda x: x + x, [spec(2)])
    made = Made({"narrow": narrow, "double": double}, v=tf.Variable(1.0))
    assert load(convert(saved(made, tmp_path), tmp_path)).entries == ("double",)
    assert "left out functions: narrow (" in caplog.text


def test_tables_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, *_ = dense()
    keys = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
    made.table = tf.lookup.StaticHashTable(keys, 0.0)
    made.look = tf.function(lambda x: made.table.lookup(x))
    made.look.get_concrete_function(spec(None, dtype=tf.string))
    found = load(convert(saved(made, tmp_path), tmp_path))
    assert found.entries == ("run",)
    assert "left out files and resources: table" in caplog.text
    assert "look" in caplog.text


def test_a_graph_of_tensorflow_1_becomes_its_variables(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(F32, [None, 2])
        w = v1.get_variable("scope/w", initializer=tf.ones([2, 2]))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "model"), {"x": x}, {"y": x @ w})
    found = load(convert(tmp_path / "model", tmp_path))
    assert list(found) == ["scope/w"]
    assert found["scope/w"].numpy().tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert "left out signatures" in caplog.text


# What is refused


def refused(source: Path, path: Path, error: type[SafemodelError]) -> str:
    with pytest.raises(error) as caught:
        convert(source, path)
    assert not (path / "out.safemodel").exists()
    return str(caught.value)


def test_what_reads_files_refuses_the_whole_model(tmp_path: Path) -> None:
    made, *_ = dense()
    made.read = tf.function(lambda: tf.io.read_file("/etc/hostname"))
    made.read.get_concrete_function()
    assert "SM303" in refused(saved(made, tmp_path), tmp_path, FindingsError)


def test_python_functions_refuse_the_whole_model(tmp_path: Path) -> None:
    made, *_ = dense()
    made.python = tf.function(lambda x: tf.py_function(lambda y: y, [x], F32))
    made.python.get_concrete_function(spec())
    assert "SM301" in refused(saved(made, tmp_path), tmp_path, FindingsError)


def test_a_value_of_another_type_is_refused(tmp_path: Path) -> None:
    path = saved(dense()[0], tmp_path)
    other, inside = tf.Variable(tf.zeros([3, 5])), tf.Variable(tf.zeros(4), trainable=False)
    root = Made({}, w=other, b=[inside])
    tf.train.Checkpoint(kept=root.kept).write(str(path / "variables" / "variables"))
    refused(path, tmp_path, DamagedError)


def test_a_variable_without_a_value_is_refused(tmp_path: Path) -> None:
    path = saved(dense()[0], tmp_path)
    tf.train.Checkpoint(kept={}).write(str(path / "variables" / "variables"))
    assert "has no value" in refused(path, tmp_path, UnconvertibleError)
    shutil.rmtree(path / "variables")
    assert "has no value" in refused(path, tmp_path, UnconvertibleError)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    for name in ("saved_model.pb", "variables"):
        path = saved(dense()[0], tmp_path / name)
        shutil.move(path / name, tmp_path / f"moved-{name}")
        (path / name).symlink_to(tmp_path / f"moved-{name}")
        refused(path, tmp_path, SourceError)


def test_it_is_not_written_into_itself(tmp_path: Path) -> None:
    path = saved(dense()[0], tmp_path)
    with pytest.raises(UsageError):
        sm.convert(path, path / "o.safemodel", signer=None)


def test_nothing_of_tensorflow_is_imported(tmp_path: Path) -> None:
    path = saved(dense()[0], tmp_path)
    code = (
        "import sys, safemodel\n"
        "safemodel.convert(sys.argv[1], sys.argv[2], signer=None)\n"
        "print([name for name in ('tensorflow', 'keras', 'h5py') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "o.safemodel")],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert out.stdout == "[]\n"


def typed(name: str) -> bytes:
    return field(1, name) + field(3, 1)


IDENTITY = (
    field(1, field(1, "f") + field(2, typed("x")) + field(3, typed("y")))
    + field(3, node("Identity", "i", ["x"]))
    + field(4, field(1, "y") + field(2, "i:output:0"))
)
GRAPH = field(1, constant("c", "x")) + field(2, field(1, IDENTITY))


def by_hand(path: Path, *parts: Any, **given: Any) -> Path:
    folder = path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_bytes(make.saved_model(*parts, graph=GRAPH, **given))
    return folder


PARTS = ("f", "__call__", "w", "_x", "signatures", "0")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    children=st.lists(
        st.dictionaries(st.sampled_from(PARTS), st.integers(0, 5)), min_size=6, max_size=6
    ),
    captures=st.lists(st.integers(0, 5), max_size=3),
    inputs=st.binary(max_size=12),
)  # fmt: skip
def test_any_objects_give_our_errors_alone(
    tmp_path: Path, children: list[dict[str, int]], captures: list[int], inputs: bytes
) -> None:
    kinds = [
        make.user_object(), make.user_object("signature_map"), make.function("f", "g"),
        make.concrete_object("f", "x"), make.constant("c"),
        make.user_object("trackable_list_wrapper"),
    ]  # fmt: skip
    objects = [make.children(parts) + kind for parts, kind in zip(children, kinds, strict=True)]
    arguments = make.items(make.items(make.spec("x")), make.mapping({}))
    concrete = {
        "f": make.concrete(captures, arguments, make.spec("y")),
        "g": make.concrete(captures) + field(3, inputs),
    }
    with contextlib.suppress(SafemodelError):
        convert(by_hand(tmp_path, objects, concrete), tmp_path)


def test_several_graphs_need_one_for_serving(tmp_path: Path) -> None:
    folder = by_hand(tmp_path)
    both = make.saved_model([make.user_object()], graph=GRAPH)
    (folder / "saved_model.pb").write_bytes(both + both)
    assert "2 graphs" in refused(folder, tmp_path, UnconvertibleError)


def test_the_file_alone_is_no_model(tmp_path: Path) -> None:
    path = saved(dense()[0], tmp_path)
    assert "SavedModel" in refused(path / "saved_model.pb", tmp_path, UnconvertibleError)
