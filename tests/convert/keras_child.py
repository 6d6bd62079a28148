"""A child of test_keras.py: has Keras write models to files, or loads what became of them.

    python keras_child.py save FOLDER FORMAT NAME ...    files, and what the models give then
    python keras_child.py load FOLDER FORMAT NAME ...    prints a JSON object: name to what differs

FORMAT is `keras`, `h5` or `weights.h5`. State that no file of Keras holds is put back to its
beginning in the original, too, where that is possible; `LOST` has the rest.
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
from safemodel.adapters.keras.walk import owners
from tests.adapters import keras_models as models
from tests.adapters.keras_fresh import trace


def made(name: str) -> Any:
    keras.utils.set_random_seed(1)
    models.rng = np.random.default_rng(7)
    return models.CASES[name]()


def trained(name: str) -> Any:
    model, x, y = made(name)
    if y is not None:
        for _ in range(2):
            model.train_on_batch(x, y)
    return model, x, y


def lost(model: Any) -> list[str]:
    """What the model has that no file of Keras holds, so that it goes on differently."""
    found = set()
    for owner in owners(model):
        part = owner.part
        if getattr(part, "_seed_generators", None):
            found.add("seeds")
        if isinstance(part, keras.layers.RNN) and part.stateful:
            found.add("states")
        if getattr(part, "lora_enabled", False):
            found.add("adapters")
        held = {id(v) for v in part.weights} if isinstance(part, keras.Layer) else set()
        for _, variable in owner.variables:
            if not isinstance(part, keras.Metric) and id(variable) not in held:
                found.add("others")
    return sorted(found)


def again(model: Any) -> None:
    """Put totals back to their beginning."""
    if isinstance(model, keras.Model) and model.compiled:
        model.reset_metrics()


def save(folder: Path, form: str, name: str) -> str:
    model, x, y = trained(name)
    path = folder / f"{name}.{form}"
    if form == "weights.h5":
        model.save_weights(path)
    else:
        model.save(path)
    again(model)
    missing = lost(model)
    arrays = trace(model, x, y)
    np.savez(folder / f"{name}.npz", **arrays)
    (folder / f"{name}.lost").write_text(json.dumps(missing))
    return ""


def load(folder: Path, form: str, name: str) -> str:
    path = folder / f"{name}.{form}"
    if not path.exists():
        return "was not written"
    target = folder / f"{name}.safemodel"
    sm.convert(path, target, signer=None, allow=models.ALLOW)
    model, x, y = made(name)
    if form == "weights.h5":
        report = sm.load_weights(target, into=model, trust=sm.UNSIGNED)
        if not report.complete:
            return str(report)
    else:
        keras.utils.set_random_seed(999)
        model = sm.load(target, trust=sm.UNSIGNED, allow=models.ALLOW)
    once = sm.save(model, folder / f"{name}.once.safemodel", signer=None)
    twice = sm.load(folder / f"{name}.once.safemodel", trust=sm.UNSIGNED, allow=models.ALLOW)
    problems = []
    if sm.save(twice, folder / f"{name}.twice.safemodel", signer=None) != once:
        problems.append("another bundle digest when it is saved again")
    again(model)
    found = trace(model, x, y)
    missing = json.loads((folder / f"{name}.lost").read_text())
    with np.load(folder / f"{name}.npz") as expected:
        differing = sorted(
            {
                key
                for key in set(expected) | set(found)
                if key not in found
                or key not in expected
                or not np.array_equal(expected[key], found[key])
            }
        )
    if form == "weights.h5":  # the optimizer is the new model's
        differing = [key for key in differing if key.startswith(("outputs", "noisy"))]
    if differing:
        problems.append(f"{'+'.join(missing) or 'nothing'} lost: differs in {differing[:6]}")
    return "; ".join(problems)


def main() -> None:
    mode, folder, form, *names = sys.argv[1:]
    results = {}
    for name in names or sorted(models.CASES):
        try:
            results[name] = (save if mode == "save" else load)(Path(folder), form, name)
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:600]
            if os.environ.get("KERAS_FRESH_TRACE"):
                traceback.print_exc()
        print(f"{mode} {name}: {results[name] or 'same'}", file=sys.stderr, flush=True)
        keras.backend.clear_session(free_memory=False)
    print("RESULTS " + json.dumps(results))


if __name__ == "__main__":
    main()
