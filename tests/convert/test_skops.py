"""skops files: what `save` makes of the object that `skops.io.load` returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..adapters.sklearn_all import CASES
from .support import convert_in_child, expected, written

sio = pytest.importorskip("skops.io")

# skops seeds a RandomState anew before it sets its state: two loads of one file differ
NAMES = (
    "StandardScaler-plain",
    "OneHotEncoder-objects",
    "LogisticRegression-strings",
    "LogisticRegression-sparsified",
    "SGDClassifier-average",
    "DecisionTreeClassifier-plain",
    "SimpleImputer-mean",
    "CountVectorizer-plain",
)


def found(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in CASES)


def test_models(tmp_path: Path) -> None:
    jobs = []
    for name in found(NAMES):
        source = tmp_path / f"{name}.skops"
        sio.dump(CASES[name]().model, source)
        jobs.append((source, tmp_path / f"{name}.safemodel"))
    assert len(jobs) > 5
    assert convert_in_child(jobs, tmp_path) == [""] * len(jobs)
    for source, target in jobs:
        real = sio.load(source, trusted=sio.get_untrusted_types(file=source))
        assert written(target) == expected(real), source.name


def test_plain_data(tmp_path: Path) -> None:
    data: Any = {
        "a": [1, 2.5, None, "x", (True, {3})],
        3: np.float64(2),
        2.5: np.array([["a", None]], object),
        "d": np.dtype("f4"),
        "g": np.random.default_rng(1),
        "b": [b"abc", bytearray(b"x"), slice(1, None)],
        "m": np.ma.array([1, 2], mask=[0, 1]),
    }
    source, target = tmp_path / "a.skops", tmp_path / "a.safemodel"
    sio.dump(data, source)
    assert convert_in_child([(source, target)], tmp_path) == [""]
    real = sio.load(source, trusted=sio.get_untrusted_types(file=source))
    assert written(target) == expected(real)
