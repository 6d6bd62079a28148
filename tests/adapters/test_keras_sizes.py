"""Numbers of which Keras makes a list, or a square, while it builds or compiles: bounded."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from safemodel.adapters.keras import checking
from safemodel.adapters.keras.specs import MAX_SEVERAL
from safemodel.errors import ArchitectureError

from . import keras_hostile as hostile

MANY = MAX_SEVERAL + 1


def measured(name: str, **config: Any) -> Any:
    metric = hostile.obj(name, config, "keras.metrics")
    settings = {"optimizer": "adam", "loss": "mse", "metrics": [metric]}
    return hostile.model(hostile.dense(), compile_config=settings)


def operation(name: str, module: str, rows: int, **config: Any) -> Any:
    """A functional model of one operation on a tensor of so many rows."""
    tensor = {"shape": [rows, 2], "dtype": "float32", "keras_history": ["x", 0, 0]}
    given = {"class_name": "__keras_tensor__", "config": tensor}
    batch = {"batch_shape": [rows, 2], "dtype": "float32", "name": "x"}
    inputs = {**hostile.obj("InputLayer", batch), "name": "x", "inbound_nodes": []}
    made = hostile.obj(name, {"name": "op", **config}, module)
    made |= {"name": "op", "inbound_nodes": [{"args": [given], "kwargs": {}}]}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}
    whole = {"name": "f", "trainable": True, "layers": [inputs, made], **ends}
    return hostile.obj("Functional", whole, "keras.src.models.functional")


@pytest.mark.parametrize("number", [0, MANY, 10**9])
def test_what_keras_would_count_to_is_refused(number: int) -> None:
    numpy, core = "keras.src.ops.numpy", "keras.src.ops.core"
    for config in (
        measured("AUC", num_thresholds=number),
        measured("PrecisionAtRecall", recall=0.5, num_thresholds=number),
        measured("MeanIoU", num_classes=number),
        operation("Split", numpy, 10, indices_or_sections=number, axis=0),
        operation("ArraySplit", numpy, 10, indices_or_sections=number, axis=0),
        operation("Unstack", core, 10, num=number, axis=0),
    ):
        with pytest.raises(ArchitectureError, match="an integer from 1 to"):
            checking.check(config)


def test_what_is_common_is_permitted() -> None:
    checking.check(measured("AUC", num_thresholds=200))
    checking.check(operation("Split", "keras.src.ops.numpy", 4, indices_or_sections=2, axis=0))


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow")
@pytest.mark.parametrize("own", [False, True])
def test_tensors_are_not_taken_apart_into_any_number(own: bool) -> None:
    pytest.importorskip("keras")
    from safemodel.adapters.keras import building

    core = "keras.src.ops.core"
    assert building.build(operation("Unstack", core, 3, num=None, axis=0), own=own).built
    with pytest.raises(ArchitectureError, match="tensors of one"):
        building.build(operation("Unstack", core, MANY, num=None, axis=0), own=own)
