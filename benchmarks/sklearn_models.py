"""Models of scikit-learn: forests, small pipelines, and conversions of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.groups import Group, Operation, own_signer, synced, trusted
from benchmarks.measure import in_page_cache

GROUPS = (
    Group(
        "small",
        "A pipeline for Iris, after imports",
        ("dump_small_joblib", "save_small_safemodel"),
    ),
    Group(
        "load_small",
        "Load a pipeline for Iris, after imports",
        ("load_small_joblib", "load_small_safemodel"),
    ),
    Group("save_forest", "Save a forest", ("save_forest_joblib", "save_forest_safemodel")),
    Group(
        "load_forest",
        "Load a forest",
        ("load_forest_joblib", "load_forest_safemodel", "load_forest_skops"),
    ),
    Group(
        "convert",
        "Convert a forest from joblib",
        ("load_forest_joblib", "convert_forest_safemodel"),
    ),
)


def prepare(folder: Path) -> None:
    """Make the files of a forest."""
    if (folder / "forest.joblib").exists():
        return
    size = int((folder / "sizes").read_text().split()[1])
    import joblib
    import numpy as np
    import skops.io
    from sklearn.ensemble import ExtraTreesRegressor

    import safemodel as sm

    rng = np.random.default_rng(0)
    samples = 35_000
    x, y = rng.random((samples, 10), dtype=np.float32), rng.random(samples)
    trees = max(2, round(size / (2 * samples * 72)))  # a node and its value are 72 bytes
    model = ExtraTreesRegressor(trees, max_features=1, n_jobs=-1, random_state=0).fit(x, y)
    sm.save(model, folder / "forest.safemodel", signer=own_signer(folder))
    skops.io.dump(model, folder / "forest.skops")
    joblib.dump(model, folder / "forest.joblib")


# Forests


def save_forest_joblib(folder: Path) -> Operation:
    import joblib

    model = joblib.load(folder / "forest.joblib")

    def operation() -> None:
        joblib.dump(model, folder / "out.joblib")
        synced(folder / "out.joblib")

    return operation


def save_forest_safemodel(folder: Path) -> Operation:
    import joblib

    import safemodel as sm

    model = joblib.load(folder / "forest.joblib")
    signer = own_signer(folder)
    sm.save({"warm": [1]}, folder / "warm.safemodel")
    return lambda: sm.save(model, folder / "out-forest.safemodel", signer=signer)


def load_forest_joblib(folder: Path) -> Operation:
    import joblib
    import sklearn.ensemble  # noqa: F401

    path = in_page_cache(folder / "forest.joblib")
    return lambda: joblib.load(path)


def load_forest_safemodel(folder: Path) -> Operation:
    import sklearn.ensemble  # noqa: F401

    import safemodel as sm

    trust = trusted(folder)
    sm.save({"warm": [1]}, folder / "warm.safemodel")
    sm.load(folder / "warm.safemodel")
    path = in_page_cache(folder / "forest.safemodel")
    return lambda: sm.load(path, trust=trust)


def load_forest_skops(folder: Path) -> Operation:
    import skops.io

    path = in_page_cache(folder / "forest.skops")
    trusted = skops.io.get_untrusted_types(file=path)
    return lambda: skops.io.load(path, trusted=trusted)


# Small models


def _pipeline(folder: Path) -> Any:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, classes = load_iris(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(features, classes)


def _twice(operation: Operation) -> Operation:
    operation()  # imports
    return operation


def dump_small_joblib(folder: Path) -> Operation:
    import joblib

    model = _pipeline(folder)
    return _twice(lambda: joblib.dump(model, folder / "small.joblib"))


def save_small_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    model, signer = _pipeline(folder), own_signer(folder)
    return _twice(lambda: sm.save(model, folder / "iris.safemodel", signer=signer))


def load_small_joblib(folder: Path) -> Operation:
    import joblib

    joblib.dump(_pipeline(folder), folder / "small.joblib")
    return _twice(lambda: joblib.load(folder / "small.joblib"))


def load_small_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    path, trust = folder / "iris.safemodel", trusted(folder)
    sm.save(_pipeline(folder), path, signer=own_signer(folder))
    return _twice(lambda: sm.load(path, trust=trust))


# Converting


def convert_forest_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    signer = own_signer(folder)
    source, target = folder / "forest.joblib", folder / "converted.safemodel"
    return lambda: sm.convert(source, target, signer=signer)
