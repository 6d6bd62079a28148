"""A child that serves what was exported, with TensorFlow or Keras alone: not with safemodel.

Reads lines of JSON: {"kind", "path", "inputs": file.npz, "call": name or null}; for each it writes
the results beside the inputs, as `out.npz`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        given = dict(np.load(asked["inputs"]))
        np.savez(asked["inputs"].replace("in.npz", "out.npz"), **outputs(asked, given))
    if "safemodel" in sys.modules:
        raise SystemExit("safemodel was imported")


def outputs(asked: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    if asked["kind"] == "keras":
        import keras

        return {"0": keras.saving.load_model(asked["path"]).predict(given["x"], verbose=0)}
    loaded = tf.saved_model.load(asked["path"])
    name = asked["call"]
    if not hasattr(loaded, name):
        found = loaded.signatures[name](**{key: tf.constant(one) for key, one in given.items()})
        return {key: one.numpy() for key, one in found.items()}
    found = getattr(loaded, name)(*[tf.constant(given[key]) for key in sorted(given)])
    return {str(place): np.asarray(one) for place, one in enumerate(tf.nest.flatten(found))}


if __name__ == "__main__":
    main()
