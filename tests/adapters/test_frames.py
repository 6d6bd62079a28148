"""pandas objects: what comes back is what was given, to the last bit."""

from __future__ import annotations

import datetime
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from safemodel.adapters import sklearn as adapter
from safemodel.errors import ArchitectureError, MissingLibraryError, UnsavableError

from .sklearn_support import MemoryBundle, in_memory

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


# What is hostile


def load(bundle: MemoryBundle) -> Any:
    return adapter.load(bundle)  # type: ignore[arg-type]


def crafted(change: Callable[[dict[str, Any]], None], value: Any, kind: str) -> MemoryBundle:
    """The bundle of a value with its first node of a kind changed."""
    bundle = in_memory(adapter.save(value))
    node = next(one for one in bundle.architecture["graph"]["nodes"] if one["kind"] == kind)
    change(node)
    return bundle


@pytest.mark.parametrize("codes", [[0, 3, 1], [0, -2, 1], [127, 0, 0]])
def test_codes_without_a_category_are_refused(codes: list[int]) -> None:
    bundle = in_memory(adapter.save(pd.Categorical(["a", "b", "c"])))
    (name,) = (name for name in bundle.stored if "codes" in name)
    bundle.stored[name].data = np.array(codes, np.int8).tobytes()
    with pytest.raises(ArchitectureError):
        load(bundle)
    levels = pd.MultiIndex.from_arrays([["a", "b", "c"], [1, 2, 3]])
    bundle = in_memory(adapter.save(levels))
    name = next(name for name in bundle.stored if "codes" in name)
    bundle.stored[name].data = np.array(codes, np.int8).tobytes()
    with pytest.raises(ArchitectureError):
        load(bundle)


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [[[[0, 1]], 0]],
        [[[[0, 2]], 0], [[[1, 1]], 1]],
        [[[[1, 2]], 0]],
        [[[[0, 0]], 0]],
        [[[[0, 2**53 - 1]], 0]],
        [[[[-1, 2]], 0]],
        [[[], 0], [[[0, 2]], 1]],
    ],
)
def test_each_column_is_in_one_block(blocks: list[Any]) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    bundle = in_memory(adapter.save(frame))
    (node,) = (
        one for one in bundle.architecture["graph"]["nodes"] if one["kind"] == "pandas.frame"
    )
    values = node["blocks"][0][1]
    node["blocks"] = [[positions, values] for positions, _ in blocks]
    with pytest.raises(ArchitectureError):
        load(bundle)


def test_two_frames_do_not_change_one_another() -> None:
    array = np.arange(6.0).reshape(3, 2)
    frames = {"a": pd.DataFrame(array, copy=False), "b": pd.DataFrame(array, copy=False)}
    found = again(frames)
    found["a"].iloc[0, 0] = 9.0
    assert found["b"].iloc[0, 0] == 0.0
    frame = frames["a"]
    found = again([frame, frame])
    assert found[0] is found[1]


def test_an_array_of_objects_is_one_frame_s_own() -> None:
    value = pd.Series(["a", 1], dtype=object)
    bundle = in_memory(adapter.save([value]))
    nodes = bundle.architecture["graph"]["nodes"]
    inner = next(one for one in nodes if one["kind"] == "object_array")
    index = nodes.index(inner)
    nodes[0]["items"].append({"ref": index})
    from safemodel.adapters.graph import renumber

    bundle.architecture["graph"]["nodes"] = renumber({"ref": 0}, nodes)
    with pytest.raises(ArchitectureError, match="something else has too"):
        load(bundle)


def test_long_ranges_must_be_those_of_something() -> None:
    with pytest.raises(ArchitectureError, match="labels"):
        load(in_memory(adapter.save(pd.RangeIndex(2**40))))
    with pytest.raises(ArchitectureError, match="labels"):
        load(in_memory(adapter.save(pd.DataFrame(index=pd.RangeIndex(2**40)))))
    frame = pd.DataFrame({"a": np.zeros(10_000_001, np.int8)})
    assert len(again(frame)) == 10_000_001


def _colliding(count: int) -> Any:
    """Integers with one hash of pandas."""
    high = np.unique(
        np.arange(1, count + 1, dtype=np.uint64) * np.uint64(7919) % np.uint64(1 << 29)
    )
    low = high.astype(np.uint32)
    for _ in range(3):
        low = high.astype(np.uint32) ^ (low << np.uint32(11))
    return ((high << np.uint64(33)) | low).astype(np.int64)


def _colliding_floats(count: int) -> Any:
    """Floats with one hash of pandas: for each first half the second is what makes it so."""
    factor, seed = 0x5BD1E995, 0xC70F6907 ^ 4
    inverse = pow(factor, -1, 1 << 32)

    def mixed(word: int) -> int:
        word = word * factor % (1 << 32)
        return (word ^ word >> 24) * factor % (1 << 32)

    def unmixed(word: int) -> int:
        word = word * inverse % (1 << 32)
        return (word ^ word >> 24) * inverse % (1 << 32)

    found = []
    for low in range(4 * count):
        high = unmixed(((seed * factor ^ mixed(low)) * factor ^ 12345) % (1 << 32))
        if high >> 20 & 0x7FF != 0x7FF:
            found.append(high << 32 | low)
    return np.array(found[:count], np.uint64).view(np.float64)


@pytest.mark.parametrize("make", [_colliding, _colliding_floats])
def test_labels_chosen_against_the_hashes_of_pandas_are_refused(make: Any) -> None:
    labels = make(12_000)
    assert len(np.unique(labels)) == len(labels)
    start = time.perf_counter()
    pd.Index(labels).get_indexer(labels[:3])
    slow = time.perf_counter() - start
    start = time.perf_counter()
    pd.Index(np.arange(12_000, dtype=labels.dtype)).get_indexer(labels[:3])
    assert slow > 10 * (time.perf_counter() - start)  # they are what they are meant to be
    wrapped: list[Any] = [pd.Index(labels), pd.Series(1, index=labels)]
    if labels.dtype.kind == "i":
        wrapped += [
            pd.MultiIndex.from_arrays([labels, labels]),
            pd.CategoricalIndex(labels),
            pd.Index(pd.array(labels, dtype="Int64")),
        ]
    for value in wrapped:
        with pytest.raises(ArchitectureError, match="hashes are equal"):
            load(in_memory(adapter.save(value)))


def test_labels_of_honest_data_are_not_refused() -> None:
    rng = np.random.default_rng(0)
    for labels in (
        rng.permutation(200_000),
        rng.integers(-(2**62), 2**62, 200_000),
        rng.normal(size=200_000),
        np.repeat([1.5, np.nan, -0.0], 50_000),
        pd.date_range("1900-01-01", periods=200_000, freq="h").to_numpy(),
        rng.integers(0, 2**63, 100_000).astype(np.uint64) * 2,
    ):
        index = pd.Index(labels)
        pd.testing.assert_index_equal(again(index), index, exact=True)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("pandas.zoned", "zone", "../../etc/passwd"),
        ("pandas.zoned", "zone", "/etc/localtime"),
        ("pandas.zoned", "zone", "Nowhere/Else"),
        ("pandas.zoned", "zone", None),
        ("pandas.index", "freq", "D"),
        ("pandas.masked", "dtype", "object"),
        ("pandas.masked", "dtype", "Float64"),
        ("pandas.strings", "storage", "os"),
        ("pandas.strings", "missing", "none"),
        ("pandas.categorical", "ordered", 1),
    ],
)
def test_words_outside_the_lists_are_refused(kind: str, field: str, value: Any) -> None:
    with pytest.raises((ArchitectureError, MissingLibraryError)):
        load(crafted(lambda node: node.update({field: value}), _mixed(), kind))


UNSAVABLE: dict[str, Callable[[], Any]] = {
    "periods": lambda: pd.period_range("2020", periods=2, freq="M"),
    "intervals": lambda: pd.cut(pd.Series([1, 2, 3]), 2),
    "sparse": lambda: pd.Series(pd.arrays.SparseArray([0, 0, 1])),
    "attrs": lambda: _with_object(pd.DataFrame({"a": [1]})),
    "flags": lambda: pd.Series([1]).set_flags(allows_duplicate_labels=False),
    "a subclass": lambda: type("Mine", (pd.DataFrame,), {})({"a": [1]}),
    "a zone without a name": lambda: pd.to_datetime(["2020-01-01"]).tz_localize(
        datetime.timezone(datetime.timedelta(seconds=61))
    ),
    "objects that nothing knows": lambda: pd.Series([object()], dtype=object),
    "overlapping": lambda: pd.DataFrame(
        np.lib.stride_tricks.as_strided(np.arange(5.0), (3, 2), (8, 8)), copy=False
    ),
}


def _with_object(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs = {"made by": object()}
    return frame


@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_can_t_be_stored_is_refused_at_save(name: str) -> None:
    with pytest.raises(UnsavableError):
        adapter.save(UNSAVABLE[name]())


def test_frames_of_a_million_rows_are_quick() -> None:
    frame = pd.DataFrame({"a": np.zeros(1_000_000), "s": ["word"] * 1_000_000})
    start = time.perf_counter()
    again(frame)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("sample", [12, pytest.param(0, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_corrupted_objects_are_refused_or_harmless(sample: int, tmp_path: Path) -> None:
    victim = Path(__file__).with_name("frames_victim.py")
    log = tmp_path / "log"
    command = [sys.executable, "-W", "ignore", str(victim), str(log), str(sample)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1700)
    last = log.read_text().splitlines()[-1:]
    assert (done.returncode, done.stdout) == (0, ""), (last, done.stderr[-1000:])
