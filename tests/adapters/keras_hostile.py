"""Hostile configurations of Keras: everything that could name a file, an address, code or a module.

`CONFIGS` are objects of Keras as JSON would hold them, each in a model that is otherwise fine.
`MARKER` stands for a file that whatever runs would make.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MARKER = "/tmp/safemodel-keras-marker"
SHELL = f"touch {MARKER}"
PATHS = [
    MARKER,
    "/etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:9/x",
    "gs://bucket/x",
    "../x",
]


def obj(name: str, config: Any = None, module: str | None = "keras.layers", **more: Any) -> Any:
    return {
        "module": module,
        "class_name": name,
        "config": {} if config is None else config,
        "registered_name": None,
        **more,
    }


def function(name: str, module: str = "builtins") -> Any:
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def dense(**config: Any) -> Any:
    return obj("Dense", {"name": "dense", "units": 2, **config})


def model(*layers: Any, **more: Any) -> Any:
    inputs = obj("InputLayer", {"batch_shape": [None, 3], "dtype": "float32", "name": "x"})
    config = {"name": "m", "trainable": True, "layers": [inputs, *layers]}
    return obj("Sequential", config, "keras", **more)


CODE = ["4wEAAAAAAAAA", None, None]
FUNCTIONS = [
    function("system", "os"),
    function("eval"),
    function("exec", "builtins"),
    function("get_file", "keras.utils"),
    function("load_model", "keras.models"),
    function("load_model", "keras.saving"),
    function("enable_unsafe_deserialization", "keras.config"),
    function("load_img", "keras.utils"),
    function("save_img", "keras.utils"),
    function("deserialize", "keras.activations"),
    function("get", "keras.losses"),
    function("map", "keras.ops"),
    function("relu", "os"),
    function("ThreadPool", "multiprocessing.pool"),
    {"class_name": "__lambda__", "config": {"value": CODE}},
    {"class_name": "__typespec__", "spec_name": "system", "module": "os", "config": [], "registered_name": None},
    obj("Popen", {"args": [SHELL], "shell": True}, "subprocess"),
    obj("function", SHELL, "os", registered_name="system"),
    obj("get_file", {"fname": MARKER, "origin": "http://127.0.0.1:9"}, "keras.utils"),
    obj("load_model", {"filepath": MARKER}, "keras.models"),
    obj("Lambda", {"function": SHELL}),
]  # fmt: skip
OBJECTS = [
    "activation", "kernel_initializer", "kernel_regularizer", "bias_constraint",
    "activity_regularizer", "quantization_config", "dtype",
]  # fmt: skip


def _arguments() -> Iterator[tuple[str, Any]]:
    for argument in OBJECTS:
        for index, value in enumerate(FUNCTIONS):
            yield f"dense-{argument}-{index}", model(dense(**{argument: value}))
        for index, path in enumerate(PATHS):
            yield f"dense-{argument}-path-{index}", model(dense(**{argument: path}))
    for index, value in enumerate(FUNCTIONS):
        yield f"layer-{index}", model(value)
        yield f"wrapped-{index}", model(obj("TimeDistributed", {"layer": value}))
        yield f"cell-{index}", model(obj("RNN", {"cell": value}))
        yield f"standardize-{index}", model(obj("TextVectorization", {"standardize": value}))
        yield f"split-{index}", model(obj("TextVectorization", {"split": value}))
        for key in ("optimizer", "loss", "metrics", "weighted_metrics", "loss_weights"):
            compiled = {"optimizer": "adam", "loss": "mse", key: value}
            yield f"compile-{key}-{index}", model(dense(), compile_config=compiled)
        rate = obj("SGD", {"learning_rate": value}, "keras.optimizers")
        yield f"rate-{index}", model(dense(), compile_config={"optimizer": rate, "loss": "mse"})
        metric = obj("MeanMetricWrapper", {"fn": value, "name": "m"}, "keras.metrics")
        compiled = {"optimizer": "adam", "loss": "mse", "metrics": [metric]}
        yield f"metric-{index}", model(dense(), compile_config=compiled)


def _files() -> Iterator[tuple[str, Any]]:
    for index, path in enumerate(PATHS):
        for name in ("StringLookup", "IntegerLookup", "TextVectorization"):
            yield f"{name}-{index}", model(obj(name, {"vocabulary": path}))
            yield f"{name}-idf-{index}", model(obj(name, {"idf_weights": path, "vocabulary": []}))
        yield f"TFSMLayer-{index}", model(obj("TFSMLayer", {"filepath": path}))
        yield (
            f"weights-{index}",
            model(obj("Embedding", {"input_dim": 2, "output_dim": 2, "weights": path})),
        )
        yield (
            f"encoding-{index}",
            model(obj("StringLookup", {"encoding": path, "vocabulary": ["a"]})),
        )
        yield f"mean-{index}", model(obj("Normalization", {"mean": path, "variance": 1.0}))
        yield (
            f"data-{index}",
            model(
                dense(
                    quantization_config=obj(
                        "GPTQConfig", {"dataset": path, "tokenizer": None}, "keras.quantizers"
                    )
                )
            ),
        )
        yield f"unknown-{index}", model(dense(filepath=path))
        yield f"window-{index}", model(obj("STFTSpectrogram", {"window": path}))


def _code() -> Iterator[tuple[str, Any]]:
    for kind in ("lambda", "function"):
        config = {"function": CODE, "function_type": kind, "module": "os"}
        yield f"Lambda-{kind}", model(obj("Lambda", config))
    yield (
        "Lambda-object",
        model(obj("Lambda", {"function": {"class_name": "__lambda__", "config": {"value": CODE}}})),
    )
    yield "TorchModuleWrapper", model(obj("TorchModuleWrapper", {"module": "gASVHw=="}))
    for name in ("JaxLayer", "FlaxLayer"):
        yield name, model(obj(name, {"call_fn": function("system", "os"), "module": SHELL}))
    for module in ("os", "keras.src.utils.file_utils", "__main__", "keras.layers.core", "", None):
        yield f"module-{module}", model(obj("Dense", {"units": 2}, module))
    yield "registered", model(obj("Dense", {"units": 2}, registered_name="os>system"))
    yield "registered-other", model(obj("Dense", {"units": 2}, registered_name="Lambda"))
    yield "own", model(obj("Mine", {}, "mine", registered_name="mine>Mine"))
    yield "shadowed", model(dense(call=SHELL))
    yield "dunder", model(dense(__class__="os.system"))
    yield "extra-key", model(obj("Dense", {"units": 2}, __reduce__=["os.system"]))
    operation = obj("Map", {"name": "m"}, "keras.src.ops.core", registered_name="Map")
    yield "operation", model(operation)
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 3], "dtype": "float32", "keras_history": ["x", 0, 0]},
    }
    inputs = obj("InputLayer", {"batch_shape": [None, 3], "dtype": "float32", "name": "x"})
    for index, value in enumerate(FUNCTIONS):
        entry = {
            **dense(),
            "name": "dense",
            "inbound_nodes": [{"args": [tensor], "kwargs": {"mask": value}}],
        }
        config = {
            "name": "f",
            "layers": [{**inputs, "name": "x", "inbound_nodes": []}, entry],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["dense", 0, 0]],
        }
        yield f"call-{index}", obj("Functional", config, "keras.src.models.functional")


CONFIGS: dict[str, Any] = {**dict(_arguments()), **dict(_files()), **dict(_code())}

# What was published against the safe mode of Keras, and the configuration that each is about
PUBLISHED: dict[str, list[str]] = {
    "CVE-2024-3660": ["Lambda-lambda", "Lambda-function", "Lambda-object"],
    "CVE-2025-1550": ["layer-16", "module-os", "dense-activation-0", "call-0"],
    "CVE-2025-8747": ["dense-activation-3", "layer-18", "call-3"],
    "CVE-2025-9905": ["Lambda-lambda", "dense-activation-14"],
    "CVE-2025-9906": ["dense-activation-6", "layer-6"],
    "CVE-2025-12058": ["StringLookup-0", "IntegerLookup-3", "TextVectorization-4"],
    "CVE-2025-12060": ["dense-activation-3", "layer-18"],
    "CVE-2025-12638": ["dense-activation-3", "layer-18"],
    "CVE-2025-49655": ["TorchModuleWrapper"],
}


def _texts() -> Iterator[tuple[str, Any]]:
    texts = [*PATHS, "os.system", SHELL]
    tokens = {"vocabulary": texts, "mask_token": MARKER, "oov_token": PATHS[3]}
    yield "StringLookup", obj("StringLookup", tokens)
    yield "TextVectorization", obj("TextVectorization", {"vocabulary": texts})
    yield "Hashing", obj("Hashing", {"num_bins": 3, "mask_value": MARKER})
    yield "name", dense(name="os.system")
    yield "EinsumDense", obj("EinsumDense", {"equation": "os", "output_shape": [2]})
    features = {"features": {MARKER: PATHS[3], "os.system": MARKER}}
    yield "FeatureSpace", obj("FeatureSpace", features, "keras.utils")


# What the table lets through though it could be a path, and is none
TEXTS: dict[str, Any] = {name: model(layer) for name, layer in _texts()}
TEXTS["Muon"] = model(
    dense(),
    compile_config={
        "optimizer": obj("Muon", {"exclude_layers": [MARKER, "os"]}, "keras.optimizers"),
        "loss": "mse",
    },
)
