"""Writes keras2_saved_model.zip: a model of Keras 2, trained and saved as a SavedModel.

Run once, where tf_keras 2.21 is installed: `python make_keras2_saved_model.py`. It prints what the
model predicts; test_saved_model.py knows these numbers.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tf_keras as keras


def main() -> None:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Input((3,), name="x"), keras.layers.Dense(2, activation="tanh")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.legacy.Adam(), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder, save_format="tf")
        target = Path(__file__).with_name("keras2_saved_model.zip")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    name = str(file.relative_to(folder))
                    archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    print(model.predict(np.arange(6.0).reshape(2, 3), verbose=0).tolist())


if __name__ == "__main__":
    main()
