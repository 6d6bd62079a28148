"""Files of scikit-learn two minor releases back: converted, loaded, and the same predictions."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import safemodel as sm

datasets = pytest.importorskip("sklearn.datasets")

FILES = sorted(Path(__file__).with_name("releases").glob("*.joblib"))


def test_there_are_files_of_both_releases() -> None:
    assert {path.stem.rpartition("-")[2] for path in FILES} == {"1.7.2", "1.8.0"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_an_older_release_converts(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safemodel"
    sm.convert(path, target, signer=None)
    assert sm.inspect(target).manifest.libraries["scikit-learn"] == path.stem.rpartition("-")[2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = sm.load(target, trust=sm.UNSIGNED)
    assert "InconsistentVersionWarning" in {one.category.__name__ for one in caught}
    features, _ = datasets.load_iris(return_X_y=True)
    ((method, rows),) = json.loads(path.with_suffix(".json").read_text()).items()
    found = getattr(model, method)(features[:9])
    wanted = np.array([[float.fromhex(number) for number in row] for row in rows])
    assert found == pytest.approx(wanted, rel=1e-12)
