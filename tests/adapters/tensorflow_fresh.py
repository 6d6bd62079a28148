"""A child of test_tensorflow_modules.py: saves things of TensorFlow, or loads them, just started.

python tensorflow_fresh.py save FOLDER NAME ...     and what they give then, for the other child
python tensorflow_fresh.py load FOLDER NAME ...     prints a JSON object: name to what differs
python tensorflow_fresh.py names .                  the names of all, and of those with entries
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import tensorflow as tf

import safemodel as sm
from tests.adapters import tensorflow_cases as cases

Shown = dict[str, list[str]]
# Whose gradients are sums of so many terms that TensorFlow may add them up in another order.
MANY_TERMS = {
    "activations", "gradients_of_gradients", "layer_norm_and_attention", "losses", "reductions",
}  # fmt: skip


def made(name: str, *, seed: int = 7) -> Any:
    """A case, with the same weights for the same seed."""
    cases.rng = np.random.default_rng(seed)
    tf.random.set_seed(1)
    return cases.CASES[name]()


def traced(case: Any, held: dict[str, Any] | None = None) -> dict[str, Any]:
    """The entries of a live module, each traced once, as saving it does.

    `held` gets the tf.functions of methods that are none themselves.
    """
    found = {}
    for name in dict.fromkeys(entry for entry, _, _ in case.calls):
        method = case.thing.__call__ if name == "__call__" else getattr(case.thing, name)
        given = case.inputs[name] if isinstance(case.inputs, dict) else case.inputs
        if given is None:
            found[name] = method.get_concrete_function()
            continue
        pair = len(given) == 2 and isinstance(given[0], tuple) and isinstance(given[1], dict)
        args, kwargs = given if pair else (given, {})
        function = tf.function(method)
        found[name] = function.get_concrete_function(*args, **kwargs)
        if held is not None:
            held[name] = function
    return found


def variables(thing: Any, functions: dict[str, Any]) -> list[Any]:
    """All variables, once each: those of the thing, and those of its functions."""
    if isinstance(thing, dict | list | tuple):
        leaves = tf.nest.flatten(thing)
    else:
        leaves = tf.train.TrackableView(thing).descendants()
        leaves += getattr(thing, "variables", ())
    for function in functions.values():
        leaves += getattr(function, "variables", ())
    if (keras := sys.modules.get("keras")) is not None:
        leaves = [one.value if isinstance(one, keras.Variable) else one for one in leaves]
    return list({id(one): one for one in leaves if isinstance(one, tf.Variable)}.values())


def text(value: Any) -> str:
    """A tensor as text: its type, shape and bytes."""
    array = np.asarray(value)
    if array.dtype == object:
        return f"{array.shape} {array.tolist()}"
    return f"{array.dtype} {array.shape} {array.tobytes().hex()}"


def kept(found: list[Any], *more: list[Any]) -> list[str]:
    """Variables by what they are, whatever their order; beside each what belongs to it."""
    rows = zip(found, *more, strict=True)
    return sorted(
        " ".join([f"{v.name} {v.shape} {v.trainable} {text(v)}", *map(str, others)])
        for v, *others in rows
    )


def arrays(args: Any) -> Any:
    return tf.nest.map_structure(
        lambda v: tf.constant(v) if isinstance(v, np.ndarray | np.generic) else v, args
    )


def run(function: Any, args: Any, kwargs: Any) -> Any:
    return function(*arrays(args), **arrays(kwargs))


def ordered(form: Any) -> Any:
    """Dictionaries in the order of their keys, which is all that a SavedModel keeps."""
    if isinstance(form, dict):
        return {key: ordered(form[key]) for key in sorted(form)}
    return type(form)(map(ordered, form)) if isinstance(form, list | tuple) else form


def shown(value: Any) -> list[str]:
    """What a call gives: the form of it, and each leaf."""
    form = tf.nest.map_structure(lambda one: 0, value)
    return [
        repr(ordered(form)),
        *("None" if one is None else text(one) for one in tf.nest.flatten(value)),
    ]


def loss(value: Any) -> Any:
    floats = [one for one in tf.nest.flatten(value) if one is not None and one.dtype.is_floating]
    return tf.add_n([tf.reduce_sum(tf.cast(one, tf.float32) ** 2) for one in floats])


def trace(case: Any, thing: Any, functions: dict[str, Any]) -> Shown:
    """All that a thing gives from now on: outputs, gradients, a training step, its variables."""
    every = variables(thing, functions)
    found = {"before": kept(every)}
    for number, (name, args, kwargs) in enumerate(case.calls):
        found[f"call {number}"] = shown(run(functions[name], args, kwargs))
    found["after"] = kept(every)
    if case.trains is not None:
        args, kwargs = next(rest for name, *rest in case.calls if name == case.trains)
        function = functions[case.trains]
        trained = [one for one in every if one.trainable]
        with tf.GradientTape() as tape:
            total = loss(run(function, args, kwargs))
        gradients = [
            None if one is None else tf.convert_to_tensor(one)
            for one in tape.gradient(total, trained)
        ]
        found["loss"] = [text(total)]
        found["gradients"] = kept(trained, [g if g is None else text(g) for g in gradients])
        for variable, gradient in zip(trained, gradients, strict=True):
            if gradient is not None:
                variable.assign_sub(tf.cast(0.05, variable.dtype) * gradient)
        found["trained"] = shown(run(function, args, kwargs))
        found["in the end"] = kept(every)
    return found


def save(folder: Path, name: str) -> str:
    case = made(name)
    given = {} if case.inputs is None else {"example_inputs": case.inputs}
    digest = sm.save(case.thing, folder / f"{name}.safemodel", signer=None, **given)
    (folder / f"{name}.digest").write_text(digest)
    if name in cases.MODULES:
        case = made(name)  # nothing may have been changed by saving, nor may it help
    found = trace(case, case.thing, traced(case))
    (folder / f"{name}.json").write_text(json.dumps(found))
    return ""


def load(folder: Path, name: str) -> str:
    path = folder / f"{name}.safemodel"
    case, loaded = made(name), sm.load(path, trust=sm.UNSIGNED)
    tf.random.set_seed(999)
    problems = []
    again = sm.save(loaded, folder / f"{name}.again.safemodel", signer=None)
    if again != (folder / f"{name}.digest").read_text():
        problems.append("another bundle digest when it is saved again")
    if name in cases.MODULES:
        functions = {entry: loaded.entry(entry) for entry, _, _ in case.calls}
        found = trace(case, loaded, functions)
    else:
        other = made(name, seed=8).thing
        sm.load(path, trust=sm.UNSIGNED, into=other)
        found = trace(case, other, {})
    exact = not case.own_gradient and name not in MANY_TERMS
    return "; ".join([*problems, *different(folder, name, found, exact=exact)])


def different(folder: Path, name: str, found: Shown, *, exact: bool) -> list[str]:
    """What is not the same; gradients may differ in the last bits if it is not `exact`."""
    problems = []
    expected = json.loads((folder / f"{name}.json").read_text())
    for key in expected:
        near = not exact and key in ("gradients", "trained", "in the end")
        same = alike if near else str.__eq__
        given = found.get(key, [])
        both = list(zip(expected[key], given, strict=False))
        if len(given) != len(expected[key]) or not all(same(a, b) for a, b in both):
            first = next(((a[:150], b[:150]) for a, b in both if not same(a, b)), "in number")
            problems.append(f"differs in {key}: {first}")
    return problems


NUMBERS = re.compile(r"\b(?:[0-9a-f]{8})+\b")


def alike(line: str, other: str) -> bool:
    """Whether two lines of `text` are the same but for the last bits of numbers of 32 bits."""
    both = zip(NUMBERS.findall(line), NUMBERS.findall(other), strict=False)
    pairs = [[np.frombuffer(bytes.fromhex(one), "<f4") for one in pair] for pair in both]
    return NUMBERS.sub("", line) == NUMBERS.sub("", other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-6 * scale(a), equal_nan=True)
        for a, b in pairs
    )


def scale(values: Any) -> float:
    """The largest of them that is finite, or 1."""
    return float(np.abs(np.where(np.isfinite(values), values, 0)).max(initial=1))


def called(name: str, case: Any) -> str:
    """The name of an entry in a SavedModel: of an attribute for a method that is no function."""
    return name if case.inputs is None else f"{name.strip('_')}_traced"


def export(folder: Path, name: str) -> str:
    case = made(name)
    held: dict[str, Any] = {}
    traced(case, held)
    for entry, function in held.items():
        setattr(case.thing, called(entry, case), function)
    tf.saved_model.save(case.thing, folder / name)
    case = made(name)
    found = trace(case, case.thing, traced(case))
    (folder / f"{name}.json").write_text(json.dumps(found))
    return ""


def import_(folder: Path, name: str) -> str:
    case, loaded = made(name), sm.load(folder / f"{name}.safemodel", trust=sm.UNSIGNED)
    tf.random.set_seed(999)
    functions = {entry: loaded.entry(called(entry, case)) for entry, _, _ in case.calls}
    # Parts of gradients may be added up in another order
    found = trace(case, loaded, functions)
    return "; ".join(different(folder, name, found, exact=False))


MODES = {"save": save, "load": load, "export": export, "import": import_}


def main() -> None:
    tf.get_logger().setLevel("ERROR")
    mode, folder, *names = sys.argv[1:]
    if mode == "names":
        print("RESULTS " + json.dumps([list(cases.CASES), sorted(cases.MODULES)]))
        return
    results = {}
    for name in names:
        try:
            results[name] = MODES[mode](Path(folder), name)
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:600]
            if os.environ.get("TENSORFLOW_FRESH_TRACE"):
                traceback.print_exc()
        print(f"{mode} {name}: {results[name] or 'same'}", file=sys.stderr, flush=True)
        gc.collect()
    print("RESULTS " + json.dumps(results))


if __name__ == "__main__":
    main()
