"""Models of Keras: a large one and a small one, beside the `.keras` file that Keras writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.groups import Group, Operation, own_signer, synced, trusted
from benchmarks.measure import in_page_cache

GROUPS = (
    Group("save_keras", "Save a Keras model", ("save_keras_keras", "save_keras_safemodel")),
    Group("load_keras", "Load a Keras model", ("load_keras_keras", "load_keras_safemodel")),
    Group(
        "load_keras_small",
        "Load a Keras model of two layers, compiled and trained, after imports",
        ("load_keras_small_keras", "load_keras_small_safemodel"),
    ),
)
_WIDTH = 2048
_LAYER = _WIDTH * (_WIDTH + 1) * 4  # bytes


def _large(folder: Path) -> Any:
    """Dense layers, a quarter of the state dict's size: 500 MB as a rule."""
    import keras

    size = int((folder / "sizes").read_text().split()[0]) // 4
    layers = [keras.layers.Dense(_WIDTH) for _ in range(max(2, size // _LAYER))]
    return keras.Sequential([keras.Input((_WIDTH,)), *layers])


def _small() -> Any:
    import keras
    import numpy as np

    layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((8,)), *layers])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((64, 8)), np.ones((64, 1)), verbose=0)
    return model


def _files(folder: Path, name: str) -> Path:
    """Both files of a model, made once; both ways of saving and loading have been imported."""
    import keras

    import safemodel as sm

    target = folder / f"keras-{name}"
    for made in (name, "small"):  # the small one warms up what is imported late
        where = folder / f"keras-{made}"
        if not where.exists():
            model = _small() if made == "small" else _large(folder)
            where.mkdir()
            model.save(where / "m.keras")
            sm.save(model, where / "m.safemodel", signer=own_signer(folder))
    keras.saving.load_model(folder / "keras-small" / "m.keras")
    sm.load(folder / "keras-small" / "m.safemodel", trust=trusted(folder))
    return target


def _save(folder: Path, path: Path, save: Any) -> Operation:
    model = _large(folder)
    save(_small(), folder / f"out-warm{path.suffix}")

    def operation() -> None:
        save(model, path)
        synced(path)

    return operation


def save_keras_keras(folder: Path) -> Operation:
    return _save(folder, folder / "out.keras", lambda model, path: model.save(path))


def save_keras_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    signer = own_signer(folder)
    path = folder / "out.safemodel"
    return _save(folder, path, lambda model, path: sm.save(model, path, signer=signer))


def _load(folder: Path, name: str, *, own: bool) -> Operation:
    import keras

    import safemodel as sm

    target = _files(folder, name)
    if own:
        path, trust = in_page_cache(target / "m.safemodel"), trusted(folder)
        return lambda: sm.load(path, trust=trust)
    path = in_page_cache(target / "m.keras")
    return lambda: keras.saving.load_model(path)


def load_keras_keras(folder: Path) -> Operation:
    return _load(folder, "large", own=False)


def load_keras_safemodel(folder: Path) -> Operation:
    return _load(folder, "large", own=True)


def load_keras_small_keras(folder: Path) -> Operation:
    return _load(folder, "small", own=False)


def load_keras_small_safemodel(folder: Path) -> Operation:
    return _load(folder, "small", own=True)
