"""A child of test_keras.py: has Keras write models to files, or loads what became of them.

    python keras_child.py save FOLDER FORMAT NAME ...    files, and what the models give then
    python keras_child.py load FOLDER FORMAT NAME ...    prints a JSON object: name to what differs

FORMAT is `keras`, `h5` or `weights.h5`. State that no file holds (seeds, states of recurrent
layers, totals of metrics) is given the same beginning on both sides.
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

AS_KERAS = "is as Keras makes it of the file, and not as it was"


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


def begin(model: Any) -> None:
    """Put state that no file of Keras holds to a beginning of ours: seeds, states, totals."""
    for owner in owners(model):
        for index, generator in enumerate(getattr(owner.part, "_seed_generators", ())):
            generator.state.assign(np.array([7, index], generator.state.dtype))
        if isinstance(owner.part, keras.layers.RNN) and owner.part.stateful:
            owner.part.reset_state()
    if isinstance(model, keras.Model) and model.compiled:
        model.reset_metrics()


def save(folder: Path, form: str, name: str) -> str:
    model, x, y = trained(name)
    path = folder / f"{name}.{form}"
    if form == "weights.h5":
        model.save_weights(path)
    else:
        model.save(path)
    begin(model)
    np.savez(folder / f"{name}.npz", **trace(model, x, y))
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
    begin(model)
    found = trace(model, x, y)
    with np.load(folder / f"{name}.npz") as expected:
        differing = differences(form, dict(expected), found)
    if differing:
        what = f"differs in {differing[:6]}"
        if not differences(form, by_keras(path, form, name), found):
            what = AS_KERAS
        problems.append(what)
    return "; ".join(problems)


def by_keras(path: Path, form: str, name: str) -> dict[str, Any]:
    """What the model gives that Keras itself makes of the file."""
    model, x, y = made(name)
    if form == "weights.h5":
        model.load_weights(path)
    else:
        keras.utils.set_random_seed(999)
        model = keras.models.load_model(path)
        if y is not None and model.compiled:
            model.run_eagerly = True
    begin(model)
    return trace(model, x, y)


def differences(form: str, expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What differs; of weights alone what an optimizer has no part in."""
    return sorted(
        key
        for key in expected.keys() | found.keys()
        if not (key in expected and key in found and np.array_equal(expected[key], found[key]))
        and (form != "weights.h5" or key.startswith(("outputs", "noisy")))
    )


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
