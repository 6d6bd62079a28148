"""Train a first Keras model, save it, load it, predict, and go on training where it stopped.

python examples/keras_first_model.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import safemodel as sm


def main(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    x = np.random.rand(512, 8).astype("float32")
    y = x.sum(axis=1, keepdims=True) ** 2

    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile("adam", loss="mse", metrics=["mae"])
    history = model.fit(x, y, epochs=5, verbose=0).history
    print(f"five epochs: loss {history['loss'][0]:.2f} to {history['loss'][-1]:.2f}")

    # Signed with your own key, so a load asks no question. The name is signed, too.
    path = folder / "first.safemodel"
    sm.save(model, path, metadata={"name": "examples/first", "version": "1.0"})

    # It comes back compiled, with its optimizer and the totals of its metrics.
    again = sm.load(path, name="examples/first")
    same = np.array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    print(f"loaded: predicts the same: {same}")

    # So training goes on as if it had never been away: shuffling takes the seed of the process.
    losses = []
    for one in (model, again):
        keras.utils.set_random_seed(1)
        losses.append(one.fit(x, y, epochs=5, verbose=0).history["loss"])
    same = all(map(np.array_equal, model.get_weights(), again.get_weights()))
    print(f"five epochs more, in both: loss {losses[1][-1]:.2f}, the same weights: {same}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
