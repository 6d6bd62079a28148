"""Checkpoints of TensorFlow to bundles: written by TensorFlow, read without it, put back into its
objects; and what is damaged, missing or hostile."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.convert import tensorflow_files  # noqa: E402
from safemodel.errors import (  # noqa: E402
    DamagedError,
    LegacyError,
    MissingFileError,
    SafemodelError,
    SourceError,
    UnconvertibleError,
    UsageError,
)
from tests.legacy import saved_model_samples as make  # noqa: E402
from tests.legacy.tensor_bundle_samples import entry, header, index  # noqa: E402

pytestmark = pytest.mark.xdist_group("keras")

ROOT = Path(__file__).parents[2]
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    *("float8_e5m2", "float8_e4m3fn"),
)


class Net(tf.Module):  # type: ignore[misc]
    """Variables of every type, in containers of every sort."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.w = tf.Variable(rng.normal(size=(300, 70)).astype("float32"), name="w")
        self.layers = [tf.Variable(float(seed)), {"b": self.w, "a": tf.Variable([1, seed])}]
        self.pair = (tf.Variable([b"a", b"\xff\0", "é".encode()] * (1 + seed)), 3)
        self.empty = tf.Variable(tf.zeros([0, 4]))
        self.grown = tf.Variable(tf.zeros([2 + seed, 3]), shape=tf.TensorShape([None, 3]))
        self.kinds = {
            name: tf.Variable(tf.cast(rng.integers(0, 2, [3, 2]).astype("float32"), name))
            for name in DTYPES
        }


def written(obj: Any, path: Path) -> str:
    return str(tf.train.Checkpoint(net=obj).write(str(path / "ckpt")))


def convert(source: Any, path: Path, **options: Any) -> Path:
    sm.convert(source, path / "out.safemodel", signer=None, **options)
    return path / "out.safemodel"


def load(path: Path, **options: Any) -> Any:
    return sm.load(path, trust=sm.UNSIGNED, **options)


def bits(value: Any) -> tuple[Any, ...]:
    value = value.read_value() if isinstance(value, tf.Variable) else value
    if value.dtype == tf.string:
        return value.dtype, value.shape, value.numpy().tolist()
    if value.dtype.size == 1:
        return value.dtype, value.shape, value.numpy().tobytes()
    return value.dtype, value.shape, tf.io.serialize_tensor(value).numpy()


def save_parts(prefix: Path) -> Any:
    """A variable in four parts, as TensorFlow 1 saves it, and one that is whole."""
    whole = np.arange(24, dtype="float32").reshape(6, 4)
    places = ["6 4 0,2:-", "6 4 2,4:0,1", "6 4 2,3:1,3", "6 4 5,1:1,3"]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=["scope/v"] * 4 + ["step"],
        shape_and_slices=[*places, ""],
        tensors=[
            tf.constant(part) for part in (whole[:2], whole[2:, :1], whole[2:5, 1:], whole[5:, 1:])
        ]
        + [tf.constant(7, tf.int64)],
    )
    return whole


@pytest.mark.parametrize("form", ["prefix", "index", "folder"])
def test_what_tensorflow_wrote_goes_back_into_its_objects(tmp_path: Path, form: str) -> None:
    net, other = Net(), Net(1)
    prefix = written(net, tmp_path)
    source = {"prefix": prefix, "index": f"{prefix}.index", "folder": tmp_path}[form]
    target = tmp_path.parent / f"{tmp_path.name}-out"
    target.mkdir()
    other.pair = (tf.Variable([b""] * 3), 3)
    other.grown.assign(tf.ones([5, 3]))
    report = load(convert(source, target), into=tf.train.Checkpoint(net=other))
    assert report.complete
    assert list(map(bits, net.variables)) == list(map(bits, other.variables))


def test_the_graph_is_that_of_the_adapter(tmp_path: Path) -> None:
    net = Net()
    prefix = written(net, tmp_path)
    converted = sm.inspect(convert(prefix, tmp_path)).manifest.architecture
    sm.save(tf.train.Checkpoint(net=net), tmp_path / "saved.safemodel", signer=None)
    saved = sm.inspect(tmp_path / "saved.safemodel").manifest.architecture
    assert comparable(converted["graph"]) == comparable(saved["graph"])
    with (
        sm.open(tmp_path / "out.safemodel", trust=sm.UNSIGNED) as one,
        sm.open(tmp_path / "saved.safemodel", trust=sm.UNSIGNED) as two,
    ):
        assert one.tensors.keys() == two.tensors.keys()
        for name in one.tensors:
            assert bytes(one.tensor(name).buffer) == bytes(two.tensor(name).buffer)


def comparable(graph: Any) -> Any:
    """A graph without what a checkpoint does not say: classes, what is trained, open shapes."""
    nodes = []
    for node in graph["nodes"]:
        kept = {key: node[key] for key in node if key not in ("class", "type", "trainable")}
        if kept["kind"] in ("module", "tracked"):
            kept["kind"] = "module"
        kept.pop("shape", None)
        nodes.append(kept)
    return {**graph, "nodes": nodes}


def test_optimizers_of_keras_go_on(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("another backend")

    def trained(steps: int) -> Any:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
        optimizer = keras.optimizers.Adam(0.1)
        optimizer.build(model.trainable_variables)
        for _ in range(steps):
            gradients = [tf.ones_like(variable) for variable in model.trainable_variables]
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return tf.train.Checkpoint(model=model, optimizer=optimizer)

    before, after = trained(3), trained(0)
    prefix = before.write(str(tmp_path / "ckpt"))
    assert load(convert(prefix, tmp_path), into=after).complete
    for one, two in zip(before.optimizer.variables, after.optimizer.variables, strict=True):
        assert bits(one.value) == bits(two.value)


def test_names_and_parts_of_tensorflow_1(tmp_path: Path) -> None:
    whole = save_parts(tmp_path / "model.ckpt-9")
    found = load(convert(tmp_path / "model.ckpt-9", tmp_path))
    assert list(found) == ["scope/v", "step"]
    assert found["scope/v"].numpy().tolist() == whole.tolist()
    assert found["step"].numpy() == 7
    assert [found[name].trainable for name in found] == [True, False]
    mine = {"scope/v": tf.Variable(tf.zeros([6, 4])), "step": tf.Variable(0, dtype=tf.int64)}
    assert load(tmp_path / "out.safemodel", into=mine).complete
    assert mine["scope/v"].numpy().tolist() == whole.tolist()


def test_slots_become_parts_of_their_optimizer(tmp_path: Path) -> None:
    objects = make.object_graph(
        [
            make.children({"net": 1, "optimizer": 2}),
            make.children({"v": 3}),
            make.slot(3, "m", 4),
            make.value("v", full_name="v"),
            make.value("m"),
        ]
    )
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "ckpt"),
        tensor_names=["_CHECKPOINTABLE_OBJECT_GRAPH", "m", "v"],
        shape_and_slices=["", "", ""],
        tensors=[tf.constant(objects), tf.constant([1.0]), tf.constant([2.0])],
    )
    found = load(convert(tmp_path / "ckpt", tmp_path))
    assert found["optimizer"]["slots"]["m"]["net.v"].numpy().tolist() == [1.0]


def test_what_is_no_variable_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    objects = make.object_graph(
        [make.children({"v": 1}), make.value("v") + make.value("x", "OTHER")]
    )
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "ckpt"),
        tensor_names=["_CHECKPOINTABLE_OBJECT_GRAPH", "v", "x"],
        shape_and_slices=["", "", ""],
        tensors=[tf.constant(objects), tf.constant([1.0]), tf.constant(["path"])],
    )
    convert(tmp_path / "ckpt", tmp_path)
    assert "left out values that are no variables: x" in caplog.text


def test_a_value_is_that_of_one_variable(tmp_path: Path) -> None:
    objects = make.object_graph(
        [make.children({"v": 1, "w": 2}), make.value("v"), make.value("v", full_name="w")]
    )
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "ckpt"),
        tensor_names=["_CHECKPOINTABLE_OBJECT_GRAPH", "v"],
        shape_and_slices=["", ""],
        tensors=[tf.constant(objects), tf.constant([1.0])],
    )
    assert "two variables" in refused(tmp_path / "ckpt", tmp_path)


def test_nothing_of_tensorflow_is_imported(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    code = (
        "import sys, safemodel\n"
        "safemodel.convert(sys.argv[1], sys.argv[2], signer=None)\n"
        "print([name for name in ('tensorflow', 'keras', 'h5py') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, prefix, str(tmp_path / "o.safemodel")],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert out.stdout == "[]\n"


def test_the_files_are_its_lineage(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    lineage = sm.inspect(
        convert(prefix, tmp_path, metadata={"name": "a/b"})
    ).manifest.metadata.lineage
    assert [one.name for one in lineage.sources] == ["ckpt.index", "ckpt.data-00000-of-00001"]
    assert all("sha256" in one.digest for one in lineage.sources)


def test_the_version_is_that_of_the_adapter() -> None:
    from safemodel.adapters.tensorflow import adapter

    assert (tensorflow_files.ADAPTER, tensorflow_files.VERSION) == (adapter.NAME, adapter.VERSION)


# What is refused


def refused(source: Any, path: Path, error: type[SafemodelError] = DamagedError) -> str:
    with pytest.raises(error) as caught:
        convert(source, path)
    assert not (path / "out.safemodel").exists()
    return str(caught.value)


def data_file(prefix: str) -> Path:
    return Path(f"{prefix}.data-00000-of-00001")


def test_a_changed_byte_of_any_value_is_found(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    good = data_file(prefix).read_bytes()
    for place in [*range(0, len(good), len(good) // 40), len(good) - 1]:
        changed = bytearray(good)
        changed[place] ^= 0x40
        data_file(prefix).write_bytes(changed)
        refused(prefix, tmp_path, SafemodelError)
    data_file(prefix).write_bytes(good)
    convert(prefix, tmp_path)


def test_a_changed_part_is_found(tmp_path: Path) -> None:
    save_parts(tmp_path / "v")
    place = data_file(str(tmp_path / "v"))
    data = bytearray(place.read_bytes())
    data[20] ^= 1
    place.write_bytes(data)
    assert "CRC-32C" in refused(tmp_path / "v", tmp_path)


def test_a_cut_data_file_is_found(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    data_file(prefix).write_bytes(data_file(prefix).read_bytes()[:-1])
    refused(prefix, tmp_path)


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    data_file(prefix).unlink()
    assert data_file(prefix).name in refused(prefix, tmp_path, MissingFileError)


def test_a_missing_checkpoint_is_missing(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", tmp_path, MissingFileError)


def test_several_checkpoints_must_be_named(tmp_path: Path) -> None:
    for number in (1, 2):
        tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / f"ckpt-{number}"))
    with pytest.raises(UnconvertibleError) as caught:
        convert(tmp_path, tmp_path.parent)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("ckpt-2")


def test_types_that_archives_do_not_have_are_named(tmp_path: Path) -> None:
    value = tf.quantization.quantize([1.0], 0.0, 1.0, tf.qint8).output
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "q"), tensor_names=["q"], shape_and_slices=[""], tensors=[value]
    )
    assert "q: is of the type qint8" in refused(tmp_path / "q", tmp_path, UnconvertibleError)


def test_a_boolean_is_one(tmp_path: Path) -> None:
    from safemodel.legacy.crc32c import crc32c, masked

    entries = [(b"v", entry(10, [1], size=1, crc=masked(crc32c(b"\2"))))]
    (tmp_path / "v.index").write_bytes(index(entries))
    data_file(str(tmp_path / "v")).write_bytes(b"\2")
    assert "boolean" in refused(tmp_path / "v", tmp_path)


def test_parts_over_one_another_are_found(tmp_path: Path) -> None:
    from safemodel.legacy.crc32c import crc32c, masked
    from safemodel.legacy.tensor_bundle import Slice, part_key
    from tests.legacy.tensorflow_samples import field

    data = bytes(4)
    crc = masked(crc32c(data))
    parts = [Slice((0, 0), (1, 1)), Slice((0, 0), (1, -1))]
    listed = b"".join(
        field(7, field(1, field(1, 0) + field(2, 1)) + field(1, field(2, size) if size else b""))
        for size in (1, 0)
    )
    entries = [
        (b"v", entry(1, [1, 1], size=0, extra=listed[: len(listed) // 2 + 2])),
        *((part_key("v", part), entry(1, [1, 1], crc=crc)) for part in parts),
    ]
    (tmp_path / "v.index").write_bytes(index(entries))
    data_file(str(tmp_path / "v")).write_bytes(data)
    refused(tmp_path / "v", tmp_path)


def test_another_order_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.index").write_bytes(index([(b"v", entry())], header(endian=1)))
    data_file(str(tmp_path / "v")).write_bytes(bytes(4))
    assert "order of bytes" in refused(tmp_path / "v", tmp_path, UnconvertibleError)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    prefix = written(Net(), folder)
    shutil.move(data_file(prefix), tmp_path / "secret")
    data_file(prefix).symlink_to(tmp_path / "secret")
    refused(prefix, tmp_path, SourceError)


def test_it_is_not_converted_into_itself(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    with pytest.raises(UsageError):
        sm.convert(prefix, data_file(prefix), signer=None)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_index_and_data_give_our_errors_alone(tmp_path: Path, data: st.DataObject) -> None:
    name = st.sampled_from([b"a", b"b/c", b"_CHECKPOINTABLE_OBJECT_GRAPH", b"\0\1a\0\1\0"])
    field = st.integers(0, 9)
    entries = data.draw(
        st.dictionaries(
            name,
            st.builds(
                lambda dtype, sizes, offset, size: entry(
                    dtype, sizes, offset=offset, size=size, crc=0xA282EAD8
                ),
                st.integers(0, 35), st.lists(field, max_size=2), field, field,
            ),
        )
    )  # fmt: skip
    (tmp_path / "v.index").write_bytes(index(entries.items()))
    data_file(str(tmp_path / "v")).write_bytes(data.draw(st.binary(max_size=20)))
    with contextlib.suppress(SafemodelError):
        convert(tmp_path / "v", tmp_path)


NAMES = st.sampled_from(["", "a", "\0", "0" * 300, "é"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(children=st.lists(st.dictionaries(NAMES, st.integers(0, 4)), max_size=5))
def test_any_objects_give_our_errors_alone(tmp_path: Path, children: list[dict[str, int]]) -> None:
    objects = [make.children(parts) + (make.value("v") if not parts else b"") for parts in children]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "ckpt"),
        tensor_names=["_CHECKPOINTABLE_OBJECT_GRAPH", "v"],
        shape_and_slices=["", ""],
        tensors=[tf.constant(make.object_graph(objects)), tf.constant([1.0])],
    )
    try:
        convert(tmp_path / "ckpt", tmp_path)
    except (LegacyError, UnconvertibleError):
        return
    load(tmp_path / "out.safemodel")


def test_the_same_is_written_each_time(tmp_path: Path) -> None:
    prefix = written(Net(), tmp_path)
    digests = {sm.convert(prefix, tmp_path / f"{n}.safemodel", signer=None) for n in range(2)}
    assert len(digests) == 1


def test_the_command_line_takes_a_prefix(tmp_path: Path) -> None:
    from safemodel.cli import main

    prefix = written(Net(), tmp_path)
    assert (
        main(["convert", prefix, str(tmp_path / "o.safemodel"), "--unsigned", "--format", "json"])
        == 0
    )
    assert sm.inspect(tmp_path / "o.safemodel").manifest.adapter.name == "tensorflow"
