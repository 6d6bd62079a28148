"""The manifest of a conversion names the framework as that of a save does."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import safemodel as sm

FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})


@pytest.mark.parametrize("name", ["xgboost", "pandas", "scikit-learn", "numpy"])
def test_the_framework_is_that_of_a_save(name: str, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    linear_model = pytest.importorskip("sklearn.linear_model")
    x = np.arange(12.0).reshape(6, 2)
    model = {
        "xgboost": lambda: xgboost.XGBRegressor(n_estimators=2).fit(x, x[:, 0]),
        "pandas": lambda: FRAME,
        "scikit-learn": lambda: linear_model.LinearRegression().fit(x, x[:, 0]),
        "numpy": lambda: {"w": x},
    }[name]()
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    sm.convert(tmp_path / "m.pkl", tmp_path / "converted.safemodel", signer=None)
    sm.save(model, tmp_path / "saved.safemodel", signer=None)
    found = [
        sm.inspect(tmp_path / f"{how}.safemodel").manifest.framework
        for how in ("converted", "saved")
    ]
    assert found == [name, name]
