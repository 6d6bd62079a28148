"""A child of test_keras_2_files.py: converts models of Keras 2, loads them, compares.

    python keras_2_child.py FOLDER FILE ...      prints a JSON object: file to what it found

For each: `predict` and `trained`, the largest differences of the outputs from those of Keras 2, before
and after a step of training; `loss`, that of the loss of this step; `slots`, names of variables of the
optimizer that have another value; `again`, whether it is the same bundle when it is saved twice.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import numpy as np

import safemodel as sm

FILES = Path(__file__).with_name("keras2")


def numbered(found: dict[str, Any], prefix: str) -> list[Any]:
    count = sum(key.startswith(prefix) and key[len(prefix) :].isdigit() for key in found)
    return [found[f"{prefix}{index}"] for index in range(count)]


def shaped(values: list[Any], structure: Any) -> Any:
    """As the model takes them: by name, in a list, or alone."""
    if isinstance(structure, dict):
        return dict(zip(sorted(structure), values, strict=True))
    return values[0] if len(values) == 1 else values


def differs(model: Any, inputs: Any, expected: list[Any]) -> float:
    outputs = [np.asarray(one) for one in keras.tree.flatten(model(inputs, training=False))]
    if [one.shape for one in outputs] != [one.shape for one in expected]:
        return float("inf")
    return max(
        float(np.max(np.abs(one.astype("float64") - other)))
        for one, other in zip(outputs, expected, strict=True)
    )


def reset(model: Any) -> None:
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False):
            layer.reset_states()


def check(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.safemodel"
    sm.convert(FILES / name, path, signer=None)
    model = sm.load(path, trust=sm.UNSIGNED)
    with np.load((FILES / name).with_suffix(".npz")) as file:
        expected = dict(file)
    inputs = shaped(numbered(expected, "x"), getattr(model, "_inputs_struct", None))
    found: dict[str, Any] = {"predict": differs(model, inputs, numbered(expected, "predict"))}
    once = sm.save(model, folder / "once.safemodel", signer=None)
    twice = sm.load(folder / "once.safemodel", trust=sm.UNSIGNED)
    found["again"] = sm.save(twice, folder / "twice.safemodel", signer=None) == once
    if "slots" not in expected:
        return found
    found["built"] = bool(model.optimizer.built)
    found["slots"] = slots(model, expected)
    if "trained0" in expected:
        model.run_eagerly = True
        labels = shaped(numbered(expected, "target"), getattr(model, "_outputs_struct", None))
        reset(model)
        logs = model.train_on_batch(inputs, labels, return_dict=True)
        reset(model)
        found["loss"] = abs(float(logs["loss"]) - float(expected["logs"]))
        found["trained"] = differs(model, inputs, numbered(expected, "trained"))
    return found


def slots(model: Any, expected: dict[str, Any]) -> list[str]:
    """Variables that Keras 2 kept and that are nowhere in the optimizer now."""
    held = [np.asarray(variable) for variable in model.optimizer.variables]
    names = [name.decode() for name in expected["slots"]]
    return [
        name
        for name, value in zip(names, numbered(expected, "slot"), strict=True)
        if value.any()
        and not any(np.array_equal(value, one) and value.shape == one.shape for one in held)
    ]


def checked(folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """What it found, by file."""
    results: dict[str, dict[str, Any]] = {}
    for name in names:
        try:
            results[name] = check(folder, name)
        except Exception as error:
            results[name] = {"error": f"{type(error).__name__}: {error}"[:600]}
            if os.environ.get("KERAS_FRESH_TRACE"):
                traceback.print_exc()
        keras.backend.clear_session(free_memory=False)
    return results


def main() -> None:
    folder, *names = sys.argv[1:]
    print("RESULTS " + json.dumps(checked(Path(folder), names)))


if __name__ == "__main__":
    main()
