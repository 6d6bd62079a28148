"""pandas objects: what comes back is what was given, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from safemodel.adapters import sklearn as adapter

from .sklearn_support import in_memory

DATES = pd.to_datetime(["2020-01-01", "2021-03-01", "2024-02-29"])


def _mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": np.arange(3),
            "f": [0.5, np.nan, -0.0],
            "s": ["x", None, "ü"],
            "o": np.array([1, "a", None], dtype=object),
            "c": pd.Categorical(["u", None, "w"], categories=["w", "u", "z"], ordered=True),
            "d": DATES,
            "z": DATES.tz_localize("Europe/Berlin"),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "g": [1.5, 2.5, 3.5],
            "t": DATES - DATES[0],
            "p": pd.array(["a", None, "b"], dtype=pd.StringDtype("python")),
        },
        index=pd.Index([10, 20, 30], name="row"),
    )


VALUES: dict[str, Callable[[], Any]] = {
    "frame": _mixed,
    "frame of nothing": pd.DataFrame,
    "frame without columns": lambda: pd.DataFrame(index=range(4)),
    "frame of one array": lambda: pd.DataFrame(np.arange(12.0).reshape(4, 3)),
    "frame in C order": lambda: pd.DataFrame(np.arange(12.0).reshape(4, 3).T),
    "frame with equal names": lambda: pd.DataFrame([[1, 2.0]], columns=["a", "a"]),
    "frame with levels": lambda: pd.DataFrame(
        np.eye(2), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])
    ),
    "frame with attrs": lambda: _with_attrs(_mixed()),
    "frame of a shuffle": lambda: _mixed().sample(frac=1, random_state=0),
    "frame of many strings": lambda: pd.DataFrame({"s": [f"word {i}" for i in range(3000)]}),
    "series": lambda: pd.Series([1.0, 2.0], index=["a", "b"], name="weights"),
    "series of strings": lambda: pd.Series(["a", None]),
    "series of objects": lambda: pd.Series([{"a": 1}, (1, 2), None], dtype=object),
    "series of dtypes": lambda: _mixed().dtypes,
    "series with a name of its own": lambda: pd.Series([1], name=("a", 3)),
    "range": lambda: pd.RangeIndex(2, 20, 3, name="r"),
    "index of strings": lambda: pd.Index(["a", "b"], name="x"),
    "index of objects": lambda: pd.Index(
        ["a", 1, None, (1, "b"), 2.5], dtype=object, tupleize_cols=False
    ),
    "index of many objects": lambda: pd.Index([f"w{i}" for i in range(2000)], dtype=object),
    "index of numbers": lambda: pd.Index([3.5, 1.0]),
    "index of small numbers": lambda: pd.Index(np.array([1, 2], dtype=np.int8)),
    "index of categories": lambda: pd.CategoricalIndex(["a", "b", "a"], name="c"),
    "index of dates": lambda: pd.date_range("2020-01-01", periods=4, freq="W-MON", name="d"),
    "index of dates in zones": lambda: pd.date_range(
        "2020-01-01", periods=4, freq="D", tz="Asia/Tokyo"
    ),
    "index of spans": lambda: pd.timedelta_range("1h", periods=3, freq="h"),
    "index of nullable numbers": lambda: pd.Index(pd.array([1, None], dtype="Int32")),
    "index of levels": lambda: pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"]),
    "categories of numbers": lambda: pd.Categorical([3, 1, None, 3]),
    "many categories": lambda: pd.Categorical([f"c{i}" for i in range(1500)]),
    "categories of ranges": lambda: pd.Categorical.from_codes([0, 1], categories=pd.RangeIndex(5)),
    "nullable floats": lambda: pd.array([1.5, None], dtype="Float32"),
    "dtypes": lambda: [
        pd.CategoricalDtype(["a"], ordered=True),
        pd.CategoricalDtype(),
        pd.Int8Dtype(),
        pd.BooleanDtype(),
        pd.StringDtype("python"),
        pd.DatetimeTZDtype("ns", "UTC"),
    ],
    "moments": lambda: [
        pd.NA,
        pd.NaT,
        pd.Timestamp("2020-01-01 12:00:00.000001"),
        pd.Timestamp("2020-07-01", tz="Europe/Berlin"),
        pd.Timestamp("2020-07-01", tz="UTC"),
        pd.Timedelta("3h"),
    ],
}  # fmt: skip


def _with_attrs(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs = {"source": "survey", "years": [2020, 2021]}
    return frame


def again(value: Any) -> Any:
    return adapter.load(in_memory(adapter.save(value)))  # type: ignore[arg-type]


def same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(
            found, expected, check_exact=True, check_freq=True, check_flags=True
        )
        _same_blocks(found._mgr, expected._mgr)
        assert found.attrs == expected.attrs
        same(found.index, expected.index)
        same(found.columns, expected.columns)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected, check_exact=True)
        same(found.index, expected.index)
    elif isinstance(expected, pd.Index):
        pd.testing.assert_index_equal(found, expected, exact=True, check_exact=True)
        assert found.names == expected.names
        assert getattr(found, "freq", None) == getattr(expected, "freq", None)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(found, expected, check_exact=True)
    elif expected is pd.NA or expected is pd.NaT:
        assert found is expected
    else:
        assert found == expected
        assert repr(found) == repr(expected)


def _same_blocks(found: Any, expected: Any) -> None:
    for one, other in zip(found.blocks, expected.blocks, strict=True):
        assert one.mgr_locs.as_array.tolist() == other.mgr_locs.as_array.tolist()
        assert one.dtype == other.dtype
        if isinstance(other.values, np.ndarray):
            steps = [
                [step for step, size in zip(array.strides, array.shape, strict=True) if size > 1]
                for array in (one.values, other.values)
            ]
            assert steps[0] == steps[1]


@pytest.mark.parametrize("name", VALUES)
def test_what_comes_back_is_what_was_given(name: str) -> None:
    value = VALUES[name]()
    bundle = in_memory(adapter.save(value))
    found = adapter.load(bundle)  # type: ignore[arg-type]
    same(found, value)
    second = in_memory(adapter.save(found))
    assert (second.architecture, second.stored) == (bundle.architecture, bundle.stored)
    assert "pandas" in bundle.libraries
