"""pandas, polars and pyarrow."""

from __future__ import absolute_import, print_function

import datetime
import importlib

import numpy as np
import pandas as pd


def indexes():
    dates = pd.date_range("2020-01-01", periods=4)
    yield "RangeIndex", lambda: pd.RangeIndex(5)
    yield "Index int", lambda: [pd.Index([1, 5]), pd.Index([1.5]), pd.Index([True]), pd.Index([])]
    yield "Index uint", lambda: pd.Index(np.array([1, 2], "u8"))
    yield "Index text", lambda: pd.Index(["a", "b"], name="n")
    yield "Index objects", lambda: pd.Index(["a", 1, None], dtype=object)
    yield (
        "DatetimeIndex",
        lambda: [dates, dates.tz_localize("UTC"), dates.tz_localize("Europe/Berlin")],
    )
    yield "DatetimeIndex free", lambda: pd.DatetimeIndex(["2020-01-01", "2021-03-05", None])
    yield "fixed offset", lambda: pd.to_datetime(["2020-01-01T00:00:00+02:00"])
    yield "TimedeltaIndex", lambda: pd.to_timedelta(["1 day", "2 days"])
    yield "PeriodIndex", lambda: pd.period_range("2020-01", periods=3, freq="M")
    yield "CategoricalIndex", lambda: pd.CategoricalIndex(["a", "b", "a"])
    yield "IntervalIndex", lambda: pd.interval_range(0, 3)
    yield "MultiIndex", lambda: pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"])
    yield "frozen", lambda: pd.MultiIndex.from_product([["a"], [1]]).names


def scalars():
    yield "Timestamp", lambda: [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01", tz="UTC")]
    yield "Timestamp zone", lambda: pd.Timestamp("2020-06-01", tz="Europe/Berlin")
    yield "Timedelta", lambda: [pd.Timedelta("1 day"), pd.NaT]
    yield "Period", lambda: pd.Period("2020-01", "M")
    yield "Interval", lambda: pd.Interval(0, 1)
    yield "NA", lambda: getattr(pd, "NA", None)
    offsets = importlib.import_module("pandas.tseries.offsets")
    for name in sorted(offsets.__all__):
        yield "offset " + name, lambda name=name: getattr(offsets, name)()
    for name in sorted(dir(offsets)):
        if name[0].isupper() and name not in offsets.__all__:
            yield "offset " + name, lambda name=name: getattr(offsets, name)()


def series():
    yield "int", lambda: pd.Series([1, 2, 3], name="s")
    yield "float", lambda: pd.Series([1.5, np.nan])
    yield "bool", lambda: pd.Series([True, False])
    yield "text", lambda: pd.Series(["a", "b", None])
    yield "objects", lambda: pd.Series(["a", 1, None, [1]], dtype=object)
    yield "category", lambda: pd.Series(["a", "b", "a"], dtype="category")
    yield "ordered", lambda: pd.Series(pd.Categorical([1, 2], ordered=True))
    yield "datetime", lambda: pd.Series(pd.date_range("2020-01-01", periods=3))
    yield "zone", lambda: pd.Series(pd.date_range("2020-01-01", periods=3, tz="Europe/Berlin"))
    yield "timedelta", lambda: pd.Series(pd.to_timedelta([1, 2], unit="D"))
    yield "period", lambda: pd.Series(pd.period_range("2020-01", periods=2, freq="M"))
    yield "interval", lambda: pd.Series(pd.interval_range(0, 2))
    yield "sparse", lambda: pd.Series(pd.arrays.SparseArray([0, 0, 1.5]))
    yield "sparse block", lambda: pd.arrays.SparseArray([0, 0, 1], kind="block")
    extension = ("Int8", "Int64", "UInt8", "UInt64", "Float32", "Float64", "boolean", "string")
    for name in extension + ("string[python]", "string[pyarrow]", "int64[pyarrow]", "str"):
        values = [True, None] if name == "boolean" else ["1", None] if "str" in name else [1, None]
        yield "extension " + name, lambda n=name, v=values: pd.Series(v, dtype=n)
        yield "dtype " + name, lambda n=name, v=values: pd.Series(v, dtype=n).dtype
    yield "attrs", _attributes
    yield "dtypes", lambda: [pd.CategoricalDtype(["a"]), pd.IntervalDtype("int64")]
    yield "more dtypes", lambda: [pd.PeriodDtype("D"), pd.DatetimeTZDtype("ns", "UTC")]
    yield "arrays", lambda: [pd.Series([1, 2]).array, pd.Series(["a"]).array, pd.Categorical([1])]
    yield "sparse dtype", lambda: pd.SparseDtype("float64")


def _attributes():
    made = pd.DataFrame({"a": [1]})
    made.attrs["k"] = "v"
    return made


def frames():
    rng = np.random.RandomState(0)
    mixed = {"a": [1, 2, 3], "b": [1.5, 2, 3], "c": ["x", "y", None], "d": [True, False, True]}
    dates = pd.date_range("2020-01-01", periods=3)
    yield "floats", lambda: pd.DataFrame(rng.rand(4, 3), columns=list("abc"))
    yield "mixed", lambda: pd.DataFrame(mixed)
    yield "all", lambda: pd.DataFrame(mixed).assign(e=pd.Categorical(["u", "v", "u"]), f=dates)
    yield "zones", lambda: pd.DataFrame({"z": dates.tz_localize("UTC"), "t": dates - dates[0]})
    yield "index", lambda: pd.DataFrame(mixed, index=list("pqr"))
    yield "dates", lambda: pd.DataFrame(mixed, index=dates)
    yield "multi", lambda: pd.DataFrame(mixed).set_index(["a", "b"])
    yield (
        "columns",
        lambda: pd.DataFrame(
            rng.rand(2, 2), columns=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])
        ),
    )
    yield "empty", lambda: [pd.DataFrame(), pd.Series(dtype=float)]
    yield "view", lambda: pd.DataFrame(rng.rand(4, 3), columns=list("abc")).iloc[1:, :2]
    yield "described", lambda: pd.DataFrame(mixed).describe()
    yield (
        "pieces",
        lambda: {"dtypes": pd.DataFrame(mixed).dtypes, "columns": pd.DataFrame(mixed).columns},
    )
    yield "dates in objects", lambda: pd.DataFrame({"d": [datetime.date(2020, 1, 1)]}, dtype=object)
    yield (
        "types",
        lambda: [pd.DataFrame, pd.Series, pd.Index, pd.to_datetime, pd.to_numeric, pd.isna],
    )
    yield "grouped", lambda: pd.DataFrame(mixed).groupby("c").size()
    yield "groupby", lambda: pd.DataFrame(mixed).groupby("c")
    yield "panel", lambda: pd.Panel(rng.rand(2, 2, 2))


def polars():
    pl = importlib.import_module("polars")
    yield "polars frame", lambda: pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    yield "polars series", lambda: pl.Series("s", [1.5, 2.5])
    yield (
        "polars types",
        lambda: [pl.Int64, pl.String, pl.Date, pl.List(pl.Int8), pl.Datetime("us")],
    )
    yield "polars lazy", lambda: pl.DataFrame({"a": [1, 2]}).lazy()
    yield "polars expression", lambda: pl.col("a") + 1
    yield (
        "polars categories",
        lambda: pl.DataFrame({"c": pl.Series(["a", "b"], dtype=pl.Categorical)}),
    )


def pyarrow():
    pa = importlib.import_module("pyarrow")
    yield (
        "arrow array",
        lambda: [pa.array([1, 2, None]), pa.array(["a", "b"]), pa.chunked_array([[1], [2]])],
    )
    yield "arrow table", lambda: pa.table({"a": [1, 2], "b": ["x", "y"]})
    yield "arrow types", lambda: [pa.int64(), pa.string(), pa.list_(pa.int8()), pa.timestamp("us")]
    yield "arrow schema", lambda: pa.schema([("a", pa.int64())])
    yield "arrow scalar", lambda: [pa.scalar(1), pa.scalar("a")]
    yield "arrow batch", lambda: pa.record_batch({"a": [1, 2]})


def cases():
    for group in (indexes, scalars, series, frames, polars, pyarrow):
        try:
            for name, thunk in group():
                yield name, thunk
        except ImportError:
            continue
