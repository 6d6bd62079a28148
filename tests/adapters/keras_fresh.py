"""A child of test_keras_models.py: saves models of Keras, or loads them in a fresh interpreter.

    python keras_fresh.py save FOLDER NAME ...       and what they give then, for the other child
    python keras_fresh.py names .                    the names of all models for this backend
    python keras_fresh.py load FOLDER NAME ...       prints a JSON object: name to what differs

The backend is that of KERAS_BACKEND; with KERAS_FRESH_ALONE there is no TensorFlow beside it.
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

if os.environ.get("KERAS_FRESH_ALONE"):
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # as if it were not installed

import keras
import numpy as np

import safemodel as sm
from tests.adapters import keras_models as models


def flat(value: Any) -> list[Any]:
    found = []
    for leaf in keras.tree.flatten(value):
        array = np.asarray(keras.ops.convert_to_numpy(leaf))
        found.append(array.astype("S") if array.dtype == object else array)
    return found


def variables(model: Any) -> list[Any]:
    found = list(model.variables)
    if getattr(model, "compiled", False):
        found += model.metrics_variables
        if model.optimizer is not None:
            found += model.optimizer.variables
    return [np.asarray(keras.ops.convert_to_numpy(one._value)) for one in found]


def trace(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """Everything that a model gives from now on: outputs, noise, a training step, its variables."""
    arrays: dict[str, list[Any]] = {}
    keras.utils.set_random_seed(5)  # some layers draw from the random state of the process
    call = (
        (lambda **more: model(x, x, **more))
        if type(model).__name__ == "MultiHeadAttention"
        else (lambda **more: model(x, **more))
    )
    arrays["outputs"] = flat(call(training=False))
    arrays["noisy"] = flat(call(training=True))
    if y is not None:
        for step in range(2):
            logs = model.train_on_batch(x, y, return_dict=True)
            arrays[f"logs{step}"] = flat([logs[key] for key in sorted(logs)])
        arrays["trained"] = flat(call(training=False))
    arrays["variables"] = variables(model)
    return {
        f"{key}.{index}": np.frombuffer(np.ascontiguousarray(array).tobytes(), "uint8")
        for key, found in arrays.items()
        for index, array in enumerate(found)
    }


def save(folder: Path, name: str) -> str:
    keras.utils.set_random_seed(1)
    models.rng = np.random.default_rng(7)
    model, x, y = models.CASES[name]()
    if y is not None:
        for _ in range(2):
            model.train_on_batch(x, y)
    digest = sm.save(model, folder / f"{name}.safemodel", signer=None)
    (folder / f"{name}.digest").write_text(digest)
    np.savez(folder / f"{name}.npz", **trace(model, x, y))
    return ""


def load(folder: Path, name: str) -> str:
    keras.utils.set_random_seed(1)
    models.rng = np.random.default_rng(7)
    _, x, y = models.CASES[name]()
    keras.utils.set_random_seed(999)
    path = folder / f"{name}.safemodel"
    model = sm.load(path, trust=sm.UNSIGNED, allow=models.ALLOW)
    problems = []
    again = sm.save(model, folder / f"{name}.again.safemodel", signer=None)
    if again != (folder / f"{name}.digest").read_text():
        problems.append("another bundle digest when it is saved again")
    found = trace(model, x, y)
    with np.load(folder / f"{name}.npz") as expected:
        if set(expected) != set(found):
            problems.append(f"has {sorted(set(expected) ^ set(found))[:5]} on one side only")
        differing = [
            k for k in found if k in expected and not np.array_equal(expected[k], found[k])
        ]
    if differing:
        problems.append(f"differs in {differing[:6]}")
    return "; ".join(problems)


def walk(mode: str, folder: Path, names: list[str]) -> dict[str, str]:
    """Save or load them; name to what differs."""
    results = {}
    for name in names:
        try:
            results[name] = (save if mode == "save" else load)(folder, name)
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:600]
            if os.environ.get("KERAS_FRESH_TRACE"):
                traceback.print_exc()
        print(f"{mode} {name}: {results[name] or 'same'}", file=sys.stderr, flush=True)
        keras.backend.clear_session(free_memory=False)
    return results


def main() -> None:
    mode, folder, *names = sys.argv[1:]
    if mode == "names":
        everywhere = keras.backend.backend() != "tensorflow"
        print("RESULTS " + json.dumps(sorted(models.THIRD if everywhere else models.CASES)))
        return
    print("RESULTS " + json.dumps(walk(mode, Path(folder), names)))


if __name__ == "__main__":
    main()
