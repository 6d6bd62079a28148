"""Keras files through the scanner: what Keras would run, read or fetch is found, models are not."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import FileReport, Severity, Status
from safemodel.scan import keras_layers, tables
from tests.legacy.hdf5_samples import h5py, np, sample
from tests.scan.scanning import check_quiet, rules, scan

CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


def layer(name: str, config: Any, module: str | None = "keras.layers", **more: Any) -> Any:
    return {
        "module": module,
        "class_name": name,
        "config": config,
        "registered_name": None,
        **more,
    }


def function(name: str, module: str = "builtins", registered: str = "function") -> Any:
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered,
    }


def model(*layers: Any, **more: Any) -> Any:
    first = layer("InputLayer", {"batch_shape": [None, 2], "dtype": "float32", "name": "in"})
    config = {"name": "model", "trainable": True, "layers": [first, *layers]}
    return layer("Sequential", config, "keras", build_config={"input_shape": [None, 2]}, **more)


def weights() -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.create_group("layers/dense/vars")["0"] = np.zeros((2, 3), "f4")
    return out.getvalue()


def archive(config: Any, **more: bytes) -> bytes:
    """A `.keras` file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("metadata.json", '{"keras_version": "3.15.1", "date_saved": "2026"}')
        raw = config if isinstance(config, bytes) else json.dumps(config).encode()
        file.writestr("config.json", raw)
        for name, data in {"model.weights.h5": weights(), **more}.items():
            file.writestr(name, data)
    return out.getvalue()


def old(config: Any, training: Any = None) -> bytes:
    """An HDF5 file as Keras 2 wrote it."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["keras_version"] = b"2.4.0"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            file.attrs["training_config"] = json.dumps(training)
        file.create_group("model_weights").attrs["layer_names"] = [b"dense"]
    return out.getvalue()


COMPILED = {
    "optimizer": layer("Adam", {"learning_rate": 0.001}, "keras.optimizers"),
    "loss": "mse",
    "metrics": ["accuracy", function("mean_squared_error")],
    "loss_weights": None,
}


def test_models_are_quiet() -> None:
    dense = {"name": "dense", "units": 3, "activation": "relu"}
    dense["kernel_initializer"] = layer("GlorotUniform", {"seed": None}, "keras.initializers")
    dense["dtype"] = layer("DTypePolicy", {"name": "float32"}, "keras")
    quiet = model(
        layer("Dense", dense, build_config={"input_shape": [None, 2]}),
        layer("Activation", {"activation": function("gelu", "keras.activations", "gelu")}),
        layer("Bidirectional", {"layer": layer("LSTM", {"units": 2})}),
        layer("Add", {"name": "add"}, "keras.src.ops.numpy", registered_name="Add"),
        layer("TextVectorization", {"vocabulary": ["", "[UNK]", "http://x"]}),
        layer("BertBackbone", {}, "keras_hub.models", registered_name="keras_hub>BertBackbone"),
        compile_config=COMPILED,
    )
    check_quiet(archive(quiet), "keras_zip", "hdf5")
    check_quiet(archive(quiet, **{"assets/layers/text/vocabulary.txt": b"a\nb\n"}), "keras_zip")


def test_old_models_are_quiet() -> None:
    layers = [
        {"class_name": "Dense", "config": {"units": 1, "activation": "linear"}},
        {"class_name": "Custom>Adam", "config": {}},
        {"class_name": "NumericColumn", "config": {"key": "a/b", "shape": [1]}},
        {"class_name": "TFOpLambda", "config": {"name": "tf.nn.relu", "function": "nn.relu"}},
        {"class_name": "SlicingOpLambda", "config": {"function": "__operators__.getitem"}},
        {"class_name": "InstanceMethod", "config": {"method_name": "to_tensor"}},
        {"class_name": "TensorFlowOpLayer", "config": {"node_def": 'name: "a"\nop: "MatMul"\n'}},
    ]
    config = {"class_name": "Sequential", "config": layers}
    training = {"optimizer_config": {"class_name": "SGD", "config": {}}, "loss": "mse"}
    check_quiet(old(config, training), "hdf5", "keras")
    check_quiet(old({"class_name": "Model", "config": {"layers": layers}}), "hdf5")


CODE = base64.b64encode(b"\xe3 marshalled").decode()
TORCH = base64.b64encode(pickle.dumps(print)).decode()
EVIL: dict[str, tuple[str, Severity, Any]] = {
    "lambda": (
        "SM201",
        CRITICAL,
        layer("Lambda", {"function": {"class_name": "__lambda__", "config": {"code": CODE}}}),
    ),
    "lambda as activation": (
        "SM201",
        CRITICAL,
        layer("Dense", {"activation": {"class_name": "__lambda__", "config": {"value": CODE}}}),
    ),
    "lambda of Keras 2": (
        "SM201",
        CRITICAL,
        layer("Lambda", {"function": [CODE, None, None], "function_type": "lambda"}),
    ),
    "lambda without a type": ("SM201", CRITICAL, layer("Lambda", {"function": [CODE, None, None]})),
    "lambda in a tuple": (
        "SM201",
        CRITICAL,
        layer("Lambda", {"function": {"class_name": "__tuple__", "items": [CODE, None, None]}}),
    ),
    "lambda as text": (
        "SM201",
        CRITICAL,
        layer("Lambda", {"function": CODE, "function_type": "lambda"}),
    ),
    "lambda for the shape": (
        "SM201",
        CRITICAL,
        layer("Lambda", {"function": "relu", "output_shape": CODE, "output_shape_type": "lambda"}),
    ),
    "lambda for the mask": ("SM201", CRITICAL, layer("Lambda", {"mask": [CODE, None, None]})),
    "lambda, registered": (
        "SM201",
        CRITICAL,
        layer("Lambda", {"function": [CODE, None, None]}, "tf_keras.src.layers.core.lambda_layer"),
    ),
    "lambda, of nobody": ("SM201", CRITICAL, layer("Lambda", {"function": [CODE]}, None)),
    "function of a loaded module": (
        "SM202",
        HIGH,
        layer("Lambda", {"function": "system", "function_type": "function", "module": "os"}),
    ),
    "os.system": ("SM202", CRITICAL, layer("Lambda", {"function": function("system", "os")})),
    "os.system as class": ("SM202", CRITICAL, layer("system", {}, "os")),
    "eval": ("SM202", CRITICAL, layer("Dense", {"activation": function("eval")})),
    "unlisted standard library": ("SM202", HIGH, layer("Calendar", {}, "calendar")),
    "unlisted numpy": ("SM202", HIGH, layer("memmap", {"filename": "x"}, "numpy")),
    "function of anyone": ("SM202", HIGH, layer("Dense", {"activation": function("f", "pkg.m")})),
    "class of anyone": ("SM202", HIGH, layer("C", {}, "pkg.m")),
    "run in compile": (
        "SM202",
        CRITICAL,
        {**model(), "compile_config": {"loss": function("run", "subprocess")}},
    ),
    "in build": ("SM202", CRITICAL, {**model(), "build_config": {"a": function("system", "os")}}),
    "typespec": (
        "SM202",
        CRITICAL,
        {
            "class_name": "__typespec__",
            "spec_name": "Popen",
            "module": "subprocess",
            "config": [],
            "registered_name": None,
        },
    ),
    "get_file": (
        "SM203",
        CRITICAL,
        layer("Lambda", {"function": function("get_file", "keras.utils"), "arguments": {}}),
    ),
    "get_file, inside": ("SM203", CRITICAL, function("get_file", "keras.src.utils.file_utils")),
    "switch off": ("SM203", CRITICAL, function("enable_unsafe_deserialization", "keras.config")),
    "load_model": ("SM203", CRITICAL, layer("load_model", {}, "keras.models")),
    "a module in a module": ("SM203", CRITICAL, function("os", "keras.src.utils.file_utils")),
    "dotted": ("SM203", HIGH, layer("Dense.from_config", {}, "keras.layers")),
    "callback": ("SM203", HIGH, layer("CSVLogger", {"filename": "/tmp/x"}, "keras.callbacks")),
    "tf function": ("SM203", HIGH, function("write_file", "tensorflow.io")),
    "custom": ("SM204", MEDIUM, layer("Gate", {}, "mine.layers", registered_name="mine>Gate")),
    "custom, plain": ("SM204", MEDIUM, {"class_name": "Gate", "config": {}}),
    "custom function": ("SM204", MEDIUM, layer("Dense", {"activation": function("my_gelu")})),
    "registered over": ("SM204", MEDIUM, layer("Dense", {}, registered_name="mine>Dense")),
    "torch": ("SM205", HIGH, layer("TorchModuleWrapper", {"module": TORCH})),
    "saved model": ("SM206", HIGH, layer("TFSMLayer", {"filepath": "/tmp/model"})),
    "hub": ("SM206", HIGH, {"class_name": "KerasLayer", "config": {"handle": "https://x/y"}}),
    "vocabulary": ("SM207", HIGH, layer("StringLookup", {"vocabulary": "/etc/passwd"})),
    "tokenizer": (
        "SM207",
        HIGH,
        layer("BytePairTokenizer", {"vocabulary": "gs://b/v"}, "keras_hub.tokenizers"),
    ),
    "column": (
        "SM207",
        HIGH,
        {"class_name": "VocabularyFileCategoricalColumn", "config": {"vocabulary_file": "/x"}},
    ),
    "absolute": ("SM207", MEDIUM, layer("Dense", {"something": "/etc/passwd"})),
    "address": ("SM207", MEDIUM, layer("Dense", {"something": "https://example.com/x"})),
    "write_file": (
        "SM208",
        HIGH,
        {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}},
    ),
    "py_function": (
        "SM208",
        HIGH,
        {"class_name": "TFOpLambda", "config": {"function": "py_function"}},
    ),
    "print": (
        "SM208",
        HIGH,
        {"class_name": "TFOpLambda", "config": {"function": "compat.v1.print"}},
    ),
    "raw": (
        "SM208",
        HIGH,
        {"class_name": "TFOpLambda", "config": {"function": "raw_ops.WriteFile"}},
    ),
    "op layer": (
        "SM208",
        HIGH,
        {"class_name": "TensorFlowOpLayer", "config": {"node_def": 'op: "WriteFile"'}},
    ),
    "op layer twice": (
        "SM208",
        HIGH,
        {"class_name": "TensorFlowOpLayer", "config": {"node_def": 'op: "MatMul"\nop: "PyFunc"'}},
    ),
    "class method": (
        "SM208",
        HIGH,
        {
            "class_name": "ClassMethod",
            "config": {"cls_ref": "io.TFRecordWriter", "method_name": "x"},
        },
    ),
    "dunder": (
        "SM208",
        HIGH,
        {"class_name": "InstanceProperty", "config": {"attr_name": "__class__"}},
    ),
    "no text": ("SM209", MEDIUM, layer("Dense", {"x": {"class_name": ["Lambda"], "config": {}}})),
}


@pytest.mark.parametrize("name", EVIL)
def test_found_in_an_archive(name: str) -> None:
    rule, severity, evil = EVIL[name]
    report = scan(archive(model(evil)))
    assert rules(report).get(rule) is severity
    assert report.worst is max(rules(report).values())


@pytest.mark.parametrize("name", EVIL)
def test_found_in_an_old_file(name: str) -> None:
    rule, severity, evil = EVIL[name]
    assert rules(scan(old(model(evil)))).get(rule) is severity
    assert rules(scan(old(model(), {"optimizer_config": evil}))).get(rule) is severity


@pytest.mark.parametrize("name", EVIL)
def test_found_in_json_alone(name: str) -> None:
    rule, severity, evil = EVIL[name]
    assert rules(scan(json.dumps(model(evil)).encode())).get(rule) is severity


@pytest.mark.parametrize("name", ["lambda", "os.system", "get_file", "vocabulary", "write_file"])
def test_found_in_other_layers(name: str) -> None:
    rule, severity, evil = EVIL[name]
    for holder in (
        layer("TimeDistributed", {"layer": evil}),
        layer("RNN", {"cell": [evil]}),
        model(model(evil)),
        layer("Dense", {"kernel_regularizer": {"a": [[evil]]}}),
        {"class_name": "Gate", "config": {"inner": evil}},
    ):
        assert rules(scan(archive(model(holder)))).get(rule) is severity


def test_a_torch_module_is_scanned_inside() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("x",)

    data = base64.b64encode(pickle.dumps(Evil())).decode()
    report = scan(archive(model(layer("TorchModuleWrapper", {"module": data}))))
    inside = [one for one in report.findings if len(one.location.inside) == 2]
    assert inside
    assert all(one.rule.startswith("SM1") for one in inside)


def test_every_reading_of_the_configuration() -> None:
    evil = EVIL["lambda"][2]
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert "SM201" in rules(scan(archive(json.dumps(model(evil)).encode(encoding))))
    twice = json.dumps(model(layer("Dense", {}))).replace(
        '"class_name": "Dense"', '"class_name": "Dense", "class_name": "system", "module": "os"'
    )
    assert {"SM202", "SM209"} <= set(rules(scan(archive(twice.encode()))))
    escaped = json.dumps(model(evil)).replace("class_name", "cl\\u0061ss_name")
    assert "SM201" in rules(scan(archive(escaped.encode())))
    assert "SM201" in rules(scan(escaped.encode()))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_configurations_in_one_archive() -> None:
    evil, good = json.dumps(model(EVIL["lambda"][2])), json.dumps(model())
    for first, last in ((evil, good), (good, evil)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            file.writestr("config.json", first)
            file.writestr("config.json", last)
            file.writestr("model.weights.h5", weights())
        assert rules(scan(out.getvalue()))["SM201"] is CRITICAL


def test_members() -> None:
    assert rules(scan(archive(model(), **{"setup.py": b"import os"}))) == {"SM210": LOW}
    poisoned = scan(archive(model(), **{"assets/x.bin": pickle.dumps(EVIL) + pickle.dumps(eval)}))
    assert any(rule.startswith("SM1") for rule in rules(poisoned))
    missing = io.BytesIO()
    with zipfile.ZipFile(missing, "w") as file:
        file.writestr("config.json", json.dumps(model()))
    assert rules(scan(missing.getvalue())) == {"SM210": LOW}


@pytest.mark.parametrize("config", [b"", b"{", b"[" * 1000, b"\xff", b'{"a": ' * 1000])
def test_a_damaged_configuration_is_unread(config: bytes) -> None:
    assert scan(archive(config)).status is Status.UNREAD
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["model_config"] = config
    assert scan(out.getvalue()).status is Status.UNREAD


def test_an_archive_of_something_else() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("config.json", '{"model_type": "bert"}')
    assert "keras_zip" not in scan(out.getvalue()).formats


# HDF5


def hdf5(write: Any) -> FileReport:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)
    return scan(out.getvalue())


def test_what_leads_elsewhere_is_found() -> None:
    found = rules(scan(sample()))
    assert found["SM221"] is found["SM222"] is found["SM223"] is HIGH
    assert found["SM224"] is LOW


def test_other_hdf5_files_are_quiet() -> None:
    for version in ("earliest", "latest"):
        check_quiet(sample(version, hostile=False, config='{"class_name": "Model"}'), "hdf5")


def test_weights_that_lead_elsewhere_are_found_in_an_archive() -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["layers"] = h5py.ExternalLink("/home/user/private.h5", "/data")
    report = scan(archive(model(), **{"model.weights.h5": out.getvalue()}))
    assert rules(report)["SM221"] is HIGH
    assert report.findings[0].location.inside == ("model.weights.h5",)


def test_a_virtual_dataset_of_the_file_itself() -> None:
    def write(file: Any) -> None:
        file["data"] = np.zeros(10, "u1")
        layout = h5py.VirtualLayout((10,), "u1")
        layout[:] = h5py.VirtualSource(file["data"])
        file.create_virtual_dataset("virtual", layout)

    assert rules(hdf5(write)) == {"SM223": LOW}


def test_a_bomb() -> None:
    def write(file: Any) -> None:
        file.create_dataset("x", (1 << 40,), "f4", chunks=(1024,), compression="gzip")

    assert rules(hdf5(write)) == {"SM225": MEDIUM}


def test_bytes_around() -> None:
    data = sample(hostile=False, user_block=512, config='{"class_name": "Model"}')
    check_quiet(data, "hdf5")
    evil = pickle.dumps(eval)
    assert {"SM226", "SM102"} <= set(rules(scan(evil.ljust(512, b"\0") + data[512:])))
    assert {"SM226", "SM102"} <= set(rules(scan(data + evil)))


def test_pickles_of_pytables() -> None:
    def attribute(file: Any) -> None:
        file.attrs["TITLE"] = np.bytes_(b"A sentence that ends.")
        file.create_group("g").attrs["info"] = np.bytes_(pickle.dumps(eval))

    def rows(file: Any) -> None:
        values = file.create_dataset("values", (1,), h5py.vlen_dtype(np.uint8))
        values.attrs["PSEUDOATOM"] = np.bytes_(b"object")
        values[0] = np.frombuffer(pickle.dumps(eval), "u1")

    for write in (attribute, rows):
        found = rules(hdf5(write))
        assert found
        assert all(rule.startswith("SM1") for rule in found)

    def benign(file: Any) -> None:
        file.attrs["TITLE"] = np.bytes_(b"A sentence that ends.")
        file.attrs["columns"] = np.bytes_(pickle.dumps(["a", {"b": 1.5}], 0))

    assert not rules(hdf5(benign))


def test_damage_is_unread_and_the_rest_is_found() -> None:
    data = old(model(EVIL["lambda"][2]))
    assert scan(data[:-100]).status is Status.UNREAD


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_mutation_has_a_report(choose: st.DataObject) -> None:
    data = bytearray(choose.draw(st.sampled_from(SEEDS)))
    for _ in range(choose.draw(st.integers(1, 5))):
        data[choose.draw(st.integers(0, len(data) - 1))] = choose.draw(st.integers(0, 255))
    assert "SM909" not in rules(scan(bytes(data)))


SEEDS = [archive(model(EVIL["lambda"][2])), old(model(EVIL["vocabulary"][2])), sample("latest")]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("lambda"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["function", "function_type", "module", "mask", "node_def", "cls_ref", "vocabulary", "proto"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*sorted(keras_layers._SPECIAL), "Dense", "StringLookup", "nobody"]),
    st.dictionaries(KEYS, VALUES) | VALUES,
    st.sampled_from(["keras.layers", None, "os", "keras.src"]) | st.text(max_size=5),
)
def test_any_configuration_has_a_report(name: str, config: Any, module: Any) -> None:
    assert "SM909" not in rules(scan(archive(model(layer(name, config, module)))))


# The tables


def test_the_installed_keras_is_in_the_table() -> None:
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    from tests.census.keras_names import Package

    spec = importlib.util.find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    package = Package(Path(spec.origin).parent)
    missing = [
        f"{module}.{name}"
        for module, name in package.classes
        if name in package.models
        and not name.startswith("_")
        and name not in tables.keras("class").get(module, ())
    ]
    assert not missing, "take the census again: tests/census/keras_names.py"


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        ("function", "keras.utils", "get_file"),
        ("function", "keras.saving", "load_model"),
        ("function", "keras.config", "enable_unsafe_deserialization"),
        ("function", "keras.activations", "deserialize"),
        ("function", "keras.ops", "vectorized_map"),
        ("class", "keras.callbacks", "ModelCheckpoint"),
        ("class", "keras.utils", "CustomObjectScope"),
        ("class", "keras.utils", "OrderedEnqueuer"),
    ],
)
def test_names_that_must_not_be_in_the_table(kind: str, module: str, name: str) -> None:
    assert name not in tables.keras(kind).get(module, ())
