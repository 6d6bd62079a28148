"""Frames, series and indexes of pandas, from pickles: what `save` makes of the loaded object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from safemodel import adapters
from safemodel.trust.policy import UNSIGNED

from .support import JOBLIBS, PICKLES, assert_as_saved, convert_in_child, converted_forms

OBJECTS: dict[str, Any] = {
    "frame": pd.DataFrame({"a": [1, 2, 3], "b": [1.5, 2, 3], "c": ["x", "y", None]}),
    "mixed": pd.DataFrame(
        {
            "a": [1, 2],
            "d": pd.to_datetime(["2020", "2021"]),
            "k": pd.Categorical(["u", "v"], ordered=True),
            "o": np.array([None, {"x": 1}], object),
        },
        index=["r", "s"],
    ),
    "named": pd.DataFrame(
        np.arange(6.0).reshape(3, 2),
        columns=pd.Index(["p", "q"], name="columns"),
        index=pd.RangeIndex(1, 7, 2, name="i"),
    ),
    "empty": pd.DataFrame(),
    "series": [
        pd.Series([1, 2, 3], name="s"),
        pd.Series(["a", None], dtype="string"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([True, None], dtype="boolean"),
        pd.Series([1.5, None], dtype="Float32"),
        pd.Series(pd.to_timedelta([1, 2], unit="D")),
        pd.Series(pd.to_datetime(["2020", "2021"]).tz_localize("Europe/Berlin")),
        pd.Series(pd.to_datetime(["2020", "2021"]).tz_localize("UTC")),
    ],
    "indexes": [
        pd.Index([1, 2]),
        pd.Index([1.5]),
        pd.date_range("2020", periods=3, freq="D"),
        pd.DatetimeIndex(["2020", "2022"]),
        pd.CategoricalIndex(["a", "b"]),
        pd.to_timedelta([1, 2], unit="s"),
        pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", "l"]),
    ],
    "values": [
        pd.Timestamp("2020-01-02 03:04:05.123456"),
        pd.Timestamp("2020", tz="UTC"),
        pd.Timedelta("1s"),
        pd.NaT,
        pd.NA,
        pd.NA,
        pd.CategoricalDtype(["a", "b"]),
        pd.Int64Dtype(),
        pd.StringDtype(),
    ],
}


FORMS = (PICKLES[2], PICKLES[4], PICKLES[5], JOBLIBS[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted_forms(OBJECTS, FORMS, tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("name", OBJECTS)
def test_is_what_save_makes_of_the_loaded_object(name: str, folder: Path) -> None:
    assert_as_saved(name, FORMS, folder)


def test_a_frame_loads(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "a.safemodel"
    JOBLIBS[0].dump(OBJECTS["mixed"], source)
    assert convert_in_child([(source, target)], tmp_path) == [""]
    pd.testing.assert_frame_equal(adapters.load(str(target), trust=UNSIGNED), OBJECTS["mixed"])


def test_what_can_not_be_stored_is_named(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "a.safemodel"
    JOBLIBS[0].dump({"x": [pd.period_range("2020", periods=2, freq="D")]}, source)
    (said,) = convert_in_child([(source, target)], tmp_path)
    assert "x.0" in said
    assert "period" in said.lower()
    assert not target.exists()
