"""Pretrain a Keras model, take its encoder's weights into another model, and train that one.

python examples/keras_transfer.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import safemodel as sm
from safemodel.errors import StateMismatchError


def network(classes: int) -> Any:
    """An encoder with a name, and a head for as many classes as the task has."""
    encoder = keras.Sequential(
        [
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
        ],
        name="encoder",
    )
    head = keras.layers.Dense(classes, activation="softmax", name=f"head_of_{classes}")
    model = keras.Sequential([keras.Input((2,)), encoder, head])
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def task(classes: int) -> tuple[Any, Any]:
    """Points in a plane, and which sector of a circle each lies in."""
    points = np.random.default_rng(0).normal(size=(512, 2)).astype("float32")
    angle = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) + 0.5
    return points, np.minimum((angle * classes).astype("int32"), classes - 1)


def train(model: Any, classes: int, epochs: int) -> float:
    points, sectors = task(classes)
    model.fit(points, sectors, epochs=epochs, verbose=0)
    return float(model.evaluate(points, sectors, verbose=0)[1])


def main(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    pretrained = network(8)
    print(f"pretrained: {train(pretrained, 8, 30):.0%} of 8 sectors")

    # The weights alone: no configuration, no optimizer.
    path = folder / "weights.safemodel"
    sm.save(pretrained, path, architecture=False, metadata={"name": "examples/encoder"})

    # Variables are matched by path. Another head is no reason to load nothing, if one says so.
    model = network(3)
    try:
        sm.load_weights(path, into=model)
    except StateMismatchError as error:
        print(f"not all of it fits: {error}")
    report = sm.load_weights(path, name="examples/encoder", into=model, only=["encoder/*"])
    print(f"loaded into the encoder: {report}")
    encoders = [one.get_layer("encoder").get_weights() for one in (model, pretrained)]
    if not all(map(np.array_equal, *encoders)):
        raise SystemExit("the encoder is another one")

    # It is frozen, and the new head trained. Whether layers are trainable is saved with a model.
    model.get_layer("encoder").trainable = False
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    print(f"with a new head: {train(model, 3, 10):.0%} of 3 sectors")
    sm.save(model, folder / "tuned.safemodel", metadata={"name": "examples/thirds"})
    tuned = sm.load(folder / "tuned.safemodel", name="examples/thirds")
    frozen = not tuned.get_layer("encoder").trainable
    print(f"loaded again: {len(tuned.trainable_variables)} trained variables, frozen: {frozen}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
