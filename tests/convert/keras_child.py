"""A child of test_keras.py: Keras writes models to files; what these become is compared with them.

    python keras_child.py FOLDER FORMAT,FORMAT NAME ...    prints a JSON object: what differs

FORMAT is `keras`, `h5` or `weights.h5`. State that no file holds (seeds, states of recurrent layers,
totals of metrics) is given the same beginning on both sides.
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
from tests.adapters.keras_fresh import trace as whole_trace

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


def trace(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """What a model gives from now on; its variables in no order, since files have one of theirs."""
    found = whole_trace(model, x, y)
    names = sorted(name for name in found if name.startswith("variables."))
    values = sorted((found.pop(name) for name in names), key=lambda value: value.tobytes())
    return found | dict(zip(names, values, strict=True))


def begin(model: Any) -> None:
    """Put state that no file of Keras holds to a beginning of ours: seeds, states, totals."""
    for owner in owners(model):
        for index, generator in enumerate(getattr(owner.part, "_seed_generators", ())):
            generator.state.assign(np.array([7, index], generator.state.dtype))
        if isinstance(owner.part, keras.layers.RNN) and owner.part.stateful:
            owner.part.reset_state()
    if isinstance(model, keras.Model) and model.compiled:
        model.reset_metrics()


def write(folder: Path, name: str, forms: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Have Keras write the files; what the model gives from then on, and which it could write."""
    model, x, y = trained(name)
    written = []
    for form in forms:
        path = folder / f"{name}.{form}"
        try:
            if form == "weights.h5":
                model.save_weights(path)
            else:
                model.save(path)
        except Exception:  # noqa: S112  # a layer alone has no `save`; some can't be written
            continue
        written.append(form)
    begin(model)
    return (trace(model, x, y) if written else {}), written


def compare(folder: Path, name: str, form: str, known: list[dict[str, Any]]) -> str:
    """Convert one file, load it, and say what differs from the first of `known`.

    The others are what became of other files of the same model, which drop some of the same.
    """
    path = folder / f"{name}.{form}"
    target = folder / f"{name}.{form}.safemodel"
    sm.convert(path, target, signer=None, allow=models.ALLOW)
    model, x, y = made(name)
    if form == "weights.h5":
        report = sm.load_weights(target, into=model, trust=sm.UNSIGNED)
        if not report.complete:
            return str(report)
        y = None  # the optimizer is the new model's
    else:
        keras.utils.set_random_seed(999)
        model = sm.load(target, trust=sm.UNSIGNED, allow=models.ALLOW)
    problems = _saved_again(model, folder / name) if form == "keras" else []
    begin(model)
    found = trace(model, x, y)
    differing = differences(form, known[0], found)
    if differing:
        same = any(not differences(form, one, found) for one in known[1:])
        same = same or is_as_keras(path, form, name, found)
        problems.append(AS_KERAS if same else f"differs in {differing[:6]}")
        if form == "keras":
            known.append(found)
    return "; ".join(problems)


def _saved_again(model: Any, path: Path) -> list[str]:
    """Saved, loaded and saved again it must be the same bundle."""
    once, twice = path.with_suffix(".once"), path.with_suffix(".twice")
    digest = sm.save(model, once, signer=None)
    again = sm.load(once, trust=sm.UNSIGNED, allow=models.ALLOW)
    same = sm.save(again, twice, signer=None) == digest
    return [] if same else ["another bundle digest when it is saved again"]


def is_as_keras(path: Path, form: str, name: str, found: dict[str, Any]) -> bool:
    """Whether Keras makes the same of the file."""
    try:
        return not differences(form, by_keras(path, form, name), found)
    except Exception:  # it can't load it
        return False


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


def compared(folder: Path, forms: list[str], names: list[str]) -> dict[str, str]:
    """What differs, by model and format."""
    results = {}
    for name in names:
        expected, written = write(folder, name, forms)
        known = [expected]
        for form in written:
            key = f"{name} {form}"
            try:
                results[key] = compare(folder, name, form, known)
            except Exception as error:
                results[key] = f"{type(error).__name__}: {error}"[:600]
                if os.environ.get("KERAS_FRESH_TRACE"):
                    traceback.print_exc()
            print(f"{key}: {results[key] or 'same'}", file=sys.stderr, flush=True)
        keras.backend.clear_session(free_memory=False)
    return results


def main() -> None:
    folder, joined, *names = sys.argv[1:]
    results = compared(Path(folder), joined.split(","), names or sorted(models.CASES))
    print("RESULTS " + json.dumps(results))


if __name__ == "__main__":
    main()
