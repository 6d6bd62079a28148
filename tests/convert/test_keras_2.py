"""Configurations of Keras 1 and 2 become what the table of Keras 3 permits, or it refuses them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.adapters.keras import checking
from safemodel.adapters.keras.table import table
from safemodel.convert import keras_2, keras_2_operations, keras_2_training
from safemodel.convert.keras_2_training import Made
from safemodel.errors import ArchitectureError, NotAllowedError
from safemodel.legacy.hdf5 import parse_hdf5

FOLDER = Path(__file__).with_name("keras2")
FILES = sorted(path.stem for path in FOLDER.glob("*.h5"))
REFUSED = {
    "lambda_layer": "a Lambda holds Python code",
    "locally_connected": "LocallyConnected1D is not in the table",
}


def configs(name: str) -> tuple[Any, Any]:
    data = memoryview((FOLDER / f"{name}.h5").read_bytes())
    facts = parse_hdf5(data)
    found = []
    for attribute in ("model_config", "training_config"):
        one = facts.attribute("/", attribute)
        found.append(json.loads(one.value) if one is not None and one.value else None)
    return found[0], found[1]


def modern(config: Any, training: Any = None, version: str | None = "2.12.0") -> Any:
    return keras_2.modern(config, training, version).config


def dense(**config: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": "d", "units": 2, **config}}


def sequential(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def first_layer(config: Any, version: str | None = "2.12.0") -> Any:
    found = modern(sequential(config), version=version)
    checking.check(found)
    return found["config"]["layers"][-1]


def test_there_are_enough_files() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED])
def test_a_configuration_of_keras_2_is_permitted(name: str) -> None:
    config, training = configs(name)
    found = keras_2.modern(config, training, "2.21.0")
    checking.check(found.config)
    assert ("compile_config" in found.config) == (training is not None), found.notices
    assert [n for n in found.notices if not n.startswith("Nadam's momentum")] == []
    assert bool(found.notices) == (name == "operators")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_keras_3_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ArchitectureError, match=REFUSED[name]):
        checking.check(modern(configs(name)[0]))


def test_no_framework_is_imported() -> None:
    code = (
        "import sys, json; from safemodel.convert import keras_2;"
        "keras_2.modern(json.loads(sys.argv[1]), json.loads(sys.argv[2]), '2.21.0');"
        "assert not {'keras', 'tensorflow', 'tf_keras', 'h5py', 'torch'} & set(sys.modules)"
    )
    given = [json.dumps(one) for one in configs("operators")]
    subprocess.run([sys.executable, "-c", code, *given], check=True, timeout=60)


# Old names


def test_arguments_get_their_names_of_now() -> None:
    found = first_layer({"class_name": "LeakyReLU", "config": {"alpha": 0.1}})
    assert found["config"] == {"negative_slope": 0.1}
    assert first_layer({"class_name": "LeakyReLU", "config": {}})["config"] == {
        "negative_slope": 0.3
    }
    found = first_layer(
        {"class_name": "BatchNormalization", "config": {"axis": [3], "fused": True}}
    )
    assert found["config"] == {"axis": 3}
    found = first_layer(
        {"class_name": "LSTM", "config": {"units": 2, "implementation": 1, "time_major": False}}
    )
    assert found["config"] == {"units": 2}
    found = first_layer({"class_name": "ThresholdedReLU", "config": {"theta": 0.5}})
    assert (found["class_name"], found["config"]) == ("ReLU", {"threshold": 0.5})


def test_arguments_that_say_something_stay_and_are_refused() -> None:
    for config in (
        {"class_name": "LSTM", "config": {"units": 2, "time_major": True}},
        {"class_name": "BatchNormalization", "config": {"virtual_batch_size": 4}},
        {"class_name": "SeparableConv2D", "config": {"filters": 1, "kernel_size": 1, "groups": 2}},
        {"class_name": "MultiHeadAttention", "config": {"softmax_robust_masking": True}},
    ):
        with pytest.raises(ArchitectureError, match="is no argument"):
            first_layer(config)


def test_a_gru_without_the_argument_is_of_the_old_kind() -> None:
    assert first_layer({"class_name": "GRU", "config": {"units": 2}})["config"] == {
        "units": 2,
        "reset_after": False,
    }
    new = first_layer({"class_name": "GRU", "config": {"units": 2}}, version="3.1.0")
    assert "reset_after" not in new["config"]


def test_the_hard_sigmoid_of_keras_2_is_kept() -> None:
    found = first_layer(dense(activation="hard_sigmoid"))["config"]["activation"]
    assert found["class_name"] == "Pipeline"
    assert [one["config"] for one in found["config"]["layers"]] == [
        {"scale": 0.2, "offset": 0.5},
        {"max_value": 1.0},
    ]
    new = first_layer(dense(activation="hard_sigmoid"), version="3.1.0")
    assert new["config"]["activation"] == "hard_sigmoid"


def test_the_first_layer_of_old_models_says_the_shape() -> None:
    found = modern(sequential(dense(batch_input_shape=[None, 5], dtype="float32")))
    checking.check(found)
    first, second = found["config"]["layers"]
    assert first["class_name"] == "InputLayer"
    assert first["config"] == {"batch_shape": [None, 5], "dtype": "float32", "name": "d_input"}
    assert "batch_input_shape" not in second["config"]
    listed = {"class_name": "Sequential", "config": [dense(batch_input_shape=[None, 5])]}
    checking.check(modern(listed))


def test_a_model_of_keras_1_is_read() -> None:
    config = [
        {
            "class_name": "Convolution2D",
            "config": {
                "name": "c", "nb_filter": 4, "nb_row": 3, "nb_col": 2, "init": "glorot_uniform",
                "border_mode": "same", "subsample": [1, 1], "dim_ordering": "tf", "bias": True,
                "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1}, "activation": "relu",
                "W_constraint": None, "batch_input_shape": [None, 8, 8, 3], "input_dtype": "float32",
            },
        },
        {"class_name": "Dropout", "config": {"p": 0.5, "name": "o", "trainable": True}},
        {"class_name": "Flatten", "config": {"name": "f"}},
        {
            "class_name": "Dense",
            "config": {"output_dim": 2, "init": "normal", "input_dim": None, "bias": False, "name": "e"},
        },
    ]  # fmt: skip
    config[0]["config"]["W_regularizer"] = None
    found = modern({"class_name": "Sequential", "config": config}, version="1.2.2")
    checking.check(found)
    _, conv, drop, _, last = found["config"]["layers"]
    assert conv["config"]["filters"] == 4
    assert conv["config"]["kernel_size"] == [3, 2]
    assert conv["config"]["data_format"] == "channels_last"
    assert drop["config"]["rate"] == 0.5
    assert last["config"] == {
        "units": 2, "kernel_initializer": "normal", "use_bias": False, "name": "e",
    }  # fmt: skip


def test_kernels_that_are_turned_around_are_refused() -> None:
    config = {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "dim_ordering": "th"}
    with pytest.raises(ArchitectureError, match="dim_ordering"):
        first_layer({"class_name": "Convolution2D", "config": config}, version="1.2.2")


# Graphs


def functional(*layers: Any, inputs: Any, outputs: Any) -> dict[str, Any]:
    config = {"name": "m", "layers": list(layers), "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Model", "config": config}


def placed(layer: dict[str, Any], *nodes: Any) -> dict[str, Any]:
    return {**layer, "name": layer["config"]["name"], "inbound_nodes": list(nodes)}


INPUT = placed(
    {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 3]}}
)


def tensor(*history: Any) -> dict[str, Any]:
    return keras_2.keras_2_graphs._tensor(list(history))


def test_calls_and_ends_are_rewritten() -> None:
    layer = placed(dense(), [["x", 0, 0, {"training": False, "mask": None}]])
    found = modern(functional(INPUT, layer, inputs=[["x", 0, 0]], outputs=[["d", 0, 0]]))
    checking.check(found)
    assert found["config"]["input_layers"] == ["x", 0, 0]
    assert found["config"]["output_layers"] == ["d", 0, 0]
    assert found["config"]["layers"][1]["inbound_nodes"] == [
        {"args": [tensor("x", 0, 0)], "kwargs": {"training": False}}
    ]


def test_states_become_an_argument() -> None:
    layer = {"class_name": "LSTM", "config": {"name": "l", "units": 3}}
    nodes = [["x", 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]]
    others = [{**INPUT, "name": n, "config": {**INPUT["config"], "name": n}} for n in "hc"]
    found = modern(functional(INPUT, *others, placed(layer, nodes), inputs=[], outputs=["l", 0, 0]))
    checking.check(found)
    assert found["config"]["layers"][3]["inbound_nodes"] == [
        {"args": [tensor("x", 0, 0)], "kwargs": {"initial_state": [tensor("h", 0, 0), tensor("c", 0, 0)]}}
    ]  # fmt: skip


def test_calls_of_models_were_counted_from_one() -> None:
    inner = functional(
        INPUT, placed(dense(), [["x", 0, 0, {}]]), inputs=["x", 0, 0], outputs=["d", 0, 0]
    )
    inner["config"]["name"] = "inner"
    layer = placed(
        {"class_name": "Dense", "config": {"name": "last", "units": 1}}, [["inner", 1, 0, {}]]
    )
    outer = functional(INPUT, placed(inner, [["x", 0, 0, {}]]), layer, inputs=[["x", 0, 0]], outputs=[["last", 0, 0], ["inner", 1, 0]])  # fmt: skip
    found = modern(outer)
    checking.check(found)
    assert found["config"]["layers"][2]["inbound_nodes"][0]["args"] == [tensor("inner", 0, 0)]
    assert found["config"]["output_layers"] == [["last", 0, 0], ["inner", 1, 0]]


def operation(function: str, node: Any, kind: str = "TFOpLambda") -> Any:
    layer = {"class_name": kind, "config": {"name": "op", "function": function, "dtype": "float32"}}
    found = modern(functional(INPUT, placed(layer, node), inputs=["x", 0, 0], outputs=["op", 0, 0]))
    checking.check(found)
    return found["config"]["layers"][1]


def test_functions_of_tensorflow_become_operations() -> None:
    found = operation(
        "math.subtract", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["x", 0, 0], "name": None}]
    )
    assert (found["module"], found["class_name"]) == ("keras.src.ops.numpy", "Subtract")
    assert found["inbound_nodes"] == [{"args": [1.0, tensor("x", 0, 0)], "kwargs": {}}]
    found = operation("concat", [["x", 0, 0, {"axis": 1}], ["x", 0, 0, {"axis": 1}]])
    assert found["config"] == {"axis": 1, "name": "op"}
    assert found["inbound_nodes"][0]["args"] == [[tensor("x", 0, 0)] * 2]


@pytest.mark.parametrize(
    ("function", "keywords"),
    [
        ("io.read_file", {}), ("io.write_file", {"contents": "x"}), ("py_function", {"func": "os.system"}),
        ("numpy_function", {}), ("os.system", {}), ("__import__", {}), ("raw_ops.ReadFile", {}),
        ("math.add", {"y": 1, "other": 2}), ("linalg.matmul", {"b": [[1.0]], "transpose_a": True}),
        ("gather", {"indices": [0], "batch_dims": 1}), ("reshape", {"shape": [["x", 0, 0]]}),
        ("compat.v1.py_func", {}), ("math.add", {}),
    ],
)  # fmt: skip
def test_other_functions_are_refused(function: str, keywords: Any) -> None:
    with pytest.raises(ArchitectureError, match="TFOpLambda"):
        operation(function, ["x", 0, 0, keywords])


def test_a_slice_by_a_tensor_is_refused() -> None:
    spec = {"slice_spec": [{"start": ["x", 0, 0], "stop": None, "step": None}]}
    with pytest.raises(ArchitectureError, match="SlicingOpLambda"):
        operation("__operators__.getitem", ["x", 0, 0, spec], "SlicingOpLambda")


# Compiling


def compiled(training: Any, version: str = "2.12.0") -> keras_2.Modern:
    return keras_2.modern(sequential(dense(batch_input_shape=[None, 3])), training, version)


def test_old_optimizers_become_new_ones() -> None:
    optimizer = {"class_name": "Adam", "config": {"lr": 0.1, "decay": 0.5, "epsilon": None}}
    found = compiled({"optimizer_config": optimizer, "loss": "mse", "metrics": ["acc"]})
    assert found.notices == ()
    settings = found.config["compile_config"]
    assert settings["jit_compile"] is False
    rate = settings["optimizer"]["config"]["learning_rate"]
    assert (rate["class_name"], rate["config"]["decay_rate"]) == ("InverseTimeDecay", 0.5)
    assert settings["optimizer"]["config"]["epsilon"] == 1e-7


@pytest.mark.parametrize(
    "training",
    [
        {"optimizer_config": {"class_name": "MyOptimizer", "config": {}}, "loss": "mse"},
        {"optimizer_config": {"class_name": "Adam", "config": {}}, "loss": "my_loss"},
        {"optimizer_config": {"class_name": "Adam", "config": {"foo": 1}}, "loss": "mse"},
        {"optimizer_config": {"class_name": "os>system", "config": {}}, "loss": "mse", "metrics": "x"},
        {"optimizer_config": {"class_name": "TFOptimizer", "config": {}}, "loss": None},
        {"optimizer_config": "adam", "loss": {"class_name": "function", "config": "system", "module": "os"}},
    ],
)  # fmt: skip
def test_what_can_not_be_compiled_is_dropped_and_said(training: Any) -> None:
    found = compiled(training)
    assert "compile_config" not in found.config
    assert "what it was compiled with is not kept" in found.notices[0]
    checking.check(found.config)


# Optimizers


def order(config: dict[str, Any], names: list[str], kind: str = "Adam", steps: int = 2) -> Any:
    return keras_2_training.optimizer_order(
        {"class_name": kind, "config": config}, names, lambda _: (2,), lambda _: steps
    )


def test_slots_get_the_order_of_now() -> None:
    rate = Made("learning_rate", "float32", 0.1)
    old = ["Adam/iter:0", "Adam/a/m:0", "Adam/b/m:0", "Adam/a/v:0", "Adam/b/v:0"]
    assert order({"learning_rate": 0.1}, old) == [
        "Adam/iter:0", rate, "Adam/a/m:0", "Adam/a/v:0", "Adam/b/m:0", "Adam/b/v:0",
    ]  # fmt: skip
    new = ["iteration:0", "SGD/m/a/kernel:0", "SGD/m/b/kernel:0"]
    assert order({"learning_rate": 0.1, "momentum": 0.9}, new, "SGD") == [new[0], rate, *new[1:]]
    assert order({"learning_rate": 0.1, "momentum": 0.0}, new, "SGD") == [new[0], rate]
    schedule = {"learning_rate": {"class_name": "CosineDecay"}, "momentum": 0.9}
    assert order(schedule, new, "SGD") == new


def test_slots_that_are_missing_or_unknown_are_none() -> None:
    assert order({}, ["Adam/iter:0", "Adam/a/m:0"]) is None
    assert order({}, ["training/Adam/Variable:0", "training/Adam/Variable_1:0"]) is None
    assert order({}, []) is None
    assert order({}, ["iteration:0"], "Unheard") is None


def counted(config: Any, *shapes: tuple[int, ...], kind: str = "Adam") -> Any:
    return keras_2_training.counted_names({"class_name": kind, "config": config}, shapes)


def test_slots_without_names_get_the_order_of_now() -> None:
    a, b = (2, 3), (3,)
    found = counted({}, (), a, a, b, b)
    assert found == ["iteration", "m/0", "v/0", "m/1", "v/1"]
    assert order({"learning_rate": 0.1}, found) == [
        "iteration", Made("learning_rate", "float32", 0.1), "m/0", "v/0", "m/1", "v/1",
    ]  # fmt: skip
    strict = counted({"amsgrad": True, "use_ema": True}, (), a, b, a, a, b, b, a, b)
    assert strict == [
        "iteration",
        "average/0",
        "average/1",
        "m/0",
        "v/0",
        "m/1",
        "v/1",
        "vhat/0",
        "vhat/1",
    ]
    several = counted({"momentum": 0.5, "centered": True}, (), a, b, a, b, a, b, kind="RMSprop")
    assert several == ["iteration", "rms/0", "rms/1", "momentum/0", "momentum/1", "mg/0", "mg/1"]
    unused = counted({"momentum": 0.0, "learning_rate": 0.1}, (), a, b, kind="SGD")
    assert unused == ["iteration", "m/0", "m/1"]
    assert order({"learning_rate": 0.1}, unused, "SGD") == [
        "iteration",
        Made("learning_rate", "float32", 0.1),
    ]
    below = {"inner_optimizer": {"class_name": "Lion", "config": {}}}
    assert counted(below, (), a, b, kind="LossScaleOptimizer") == ["iteration", "m/0", "m/1"]
    assert keras_2_training.counted_names("sgd", [(), a]) == ["iteration", "m/0"]


def test_an_optimizer_by_its_name_has_its_own_rate() -> None:
    for name, rate in (("SGD", 0.01), ("adam", 0.001)):
        found = keras_2_training.optimizer_order(name, ["iteration"], lambda _: (), lambda _: 0)
        assert found == ["iteration", Made("learning_rate", "float32", rate)]


@pytest.mark.parametrize(
    ("config", "shapes", "kind"),
    [
        ({}, [(), (2,), (3,)], "Adam"),  # slots of one variable of two shapes
        ({}, [(), (2,), (3,), (2,), (3,)], "Adam"),  # in the order of legacy optimizers
        ({}, [(), (2,), (2,), (3,)], "Adam"),  # one too few
        ({}, [(1,), (2,), (2,)], "Adam"),  # steps that are none
        ({"amsgrad": True}, [(), (2,), (2,)], "Adam"),
        ({"use_ema": True}, [(), (2,), (2,)], "Adam"),
        ({}, [(), (2,), (2,)], "Adafactor"),  # rows and columns, which nothing tells apart
        ({}, [(), (2,)], "Unheard"),
        ({"inner_optimizer": 3}, [(), (2,)], "LossScaleOptimizer"),
        ([], [(), (2,)], "Adam"),
        ({}, [(), (2,)], ["Adam"]),
    ],
)
def test_slots_that_nothing_tells_apart_are_none(config: Any, shapes: Any, kind: Any) -> None:
    assert counted(config, *shapes, kind=kind) is None


# Any values


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=4)
    | st.sampled_from(["x", "d", "_CONSTANT_VALUE", "math.add", "Dense", "float32"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["class_name", "config", "name", "layers", "items", "module", "registered_name",
             "inbound_nodes", "input_layers", "output_layers", "units", "activation", "dtype", "lr",
             "decay", "axis", "mode", "fn", "function", "optimizer_config", "loss", "metrics",
             "build_config", "batch_input_shape", "start", "stop", "step", "slice_spec"]
        ),
        inner | st.sampled_from(
            ["Sequential", "Functional", "Model", "Dense", "LSTM", "TFOpLambda", "SlicingOpLambda",
             "Merge", "Bidirectional", "Adam", "Custom>Adam", "a>B", "__tuple__", "Policy",
             "LossScaleOptimizer", "MeanMetricWrapper", "GRU", "Convolution2D"]
        ),
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(PLAIN, PLAIN, st.sampled_from([None, "1.2", "2.9", "3.15.1", "x"]))
def test_any_values_give_a_configuration_or_our_errors(
    config: Any, training: Any, version: Any
) -> None:
    for one in (
        config,
        sequential(config),
        functional(INPUT, config, inputs=config, outputs=config),
    ):
        try:
            found = keras_2.modern(one, training, version)
            checking.check(found.config)
        except (ArchitectureError, NotAllowedError):
            pass


@settings(max_examples=200, deadline=None)
@given(
    PLAIN,
    st.lists(st.sampled_from(["iteration:0", "Adam/m/a:0", "m/a", "a", "/", "Adam/a/v:0", ""])),
)
def test_any_optimizer_gives_an_order_or_none(config: Any, names: list[str]) -> None:
    for kind in ("Adam", "Adafactor", "Nadam", "LossScaleOptimizer", "SGD"):
        given_config = {"class_name": kind, "config": config}
        found = keras_2_training.optimizer_order(given_config, names, lambda _: (), lambda _: 1)
        assert found is None or type(found) is list
        shapes = [()] * len(names)
        named = keras_2_training.counted_names(given_config, shapes)
        assert named is None or len(named) == len(shapes)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = dense()
    for _ in range(60):
        deep = sequential(deep)
    with pytest.raises(ArchitectureError, match=r"nested too deeply|too deep"):
        modern(deep)


def test_a_class_of_another_module_stays_what_it_is() -> None:
    for module in ("os", "kerasx.layers", "subprocess", 3, ["keras"]):
        with pytest.raises(ArchitectureError):
            checking.check(modern(sequential({**dense(), "module": module})))


def test_what_means_something_else_now_is_said() -> None:
    crop = {"class_name": "RandomCrop", "config": {"height": 2, "width": 2}}
    found = keras_2.modern(sequential(crop), None, "2.12.0")
    checking.check(found.config)
    assert found.notices[0].startswith("RandomCrop crops only in training")


def test_a_recurrent_layer_of_keras_1_is_refused() -> None:
    config = {"output_dim": 3, "init": "glorot_uniform", "inner_init": "orthogonal"}
    with pytest.raises(ArchitectureError, match="is no argument"):
        first_layer({"class_name": "LSTM", "config": config}, version="1.2.2")


def test_merges_of_keras_1_become_layers() -> None:
    merge = {"class_name": "Merge", "config": {"mode": "concat", "concat_axis": 1, "name": "m"}}
    found = first_layer(merge, version="1.2.2")
    assert (found["class_name"], found["config"]) == ("Concatenate", {"name": "m", "axis": 1})
    with pytest.raises(ArchitectureError, match="Merge"):
        first_layer({"class_name": "Merge", "config": {"mode": "lambda"}}, version="1.2.2")


def test_every_function_has_an_operation_of_the_table() -> None:
    lines = keras_2_operations._lines()
    assert len({line.name for line in lines.values()}) >= 75
    for line in lines.values():
        known = table().classes[line.module, line.name].arguments
        made = {new for _, new in line.settings} | set(
            keras_2_operations._DEFAULTS.get(line.name, {})
        )
        assert made <= known.keys(), line
