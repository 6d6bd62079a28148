"""Plain data, arrays and tables: pickle, NumPy, SciPy and pandas."""

from __future__ import annotations

import bz2
import collections
import datetime
import decimal
import fractions
import gzip
import lzma
import pickle
import uuid
import zlib
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

from .corpus import Corpus, Group


def plain_data() -> dict[str, Any]:
    """Values of the kinds that people pickle without thinking about it."""
    vocabulary = {f"word{i}": i for i in range(3000)}
    return {
        "config": {"lr": 1e-3, "layers": [64, 32], "name": "x", "flags": {True, None}, 1: (2, 3)},
        "vocabulary": vocabulary,
        "inverse": {i: word for word, i in vocabulary.items()},
        "history": {"loss": [1.0 / (i + 1) for i in range(50)], "epoch": list(range(50))},
        "numbers": [2**100, -1, 1.5, float("nan"), 3j, b"bytes", bytearray(b"array"), "text"],
        "containers": [
            collections.OrderedDict(a=1),
            collections.defaultdict(list, a=[1]),
            collections.defaultdict(int, b=2),
            collections.Counter("abcab"),
            collections.deque([1, 2], maxlen=3),
            frozenset([1, 2]),
            SimpleNamespace(a=1),
        ],
        "times": [
            datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
            datetime.date(2026, 1, 2),
            datetime.timedelta(1),
            datetime.time(1, 2),
        ],
        "values": [
            decimal.Decimal("1.50"),
            fractions.Fraction(1, 3),
            uuid.UUID(int=7),
            PurePosixPath("a/b"),
            range(3),
            slice(1, None),
            complex(1, 2),
        ],
        "deep": _nested(40),
        "long text": {"card": "lorem ipsum \n" * 5000, "labels": ["cat", "dog"] * 200},
    }


def _nested(depth: int) -> Any:
    made: Any = {"leaf": True}
    for level in range(depth):
        made = {"level": level, "inner": [made, (level, str(level))]}
    return made


def plain(corpus: Corpus) -> None:
    data = plain_data()
    for index, (name, value) in enumerate(data.items()):
        for protocol in (index % 3, 3 + index % 3):
            corpus.add(f"{name}-{protocol}.pkl", pickle.dumps(value, protocol), "pickle")
    everything = pickle.dumps(data)
    for name, compress in (
        ("gz", gzip.compress),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zlib", zlib.compress),
        ("lzma", lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE)),
    ):
        corpus.add(f"everything.pkl.{name}", compress(everything), "pickle")
    several = b"".join(pickle.dumps(value) for value in data.values())
    corpus.add("several.pkl", several, "pickle")
    optimised = __import__("pickletools").optimize(pickle.dumps(data, 2))
    corpus.add("optimised.pkl", optimised, "pickle")
    corpus.add("python.pkl", _by_python(data), "pickle")


def _by_python(value: Any) -> bytes:
    """The pickle that CPython's Python pickler writes."""
    import io

    buffer = io.BytesIO()
    pickle._Pickler(buffer, 4).dump(value)  # type: ignore[attr-defined]
    return buffer.getvalue()


def picklers(corpus: Corpus) -> None:
    """cloudpickle and dill, of data without functions or classes by value."""
    import cloudpickle
    import dill
    import joblib
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.RandomState(0)
    model = LogisticRegression().fit(rng.rand(20, 3), np.arange(20) % 2)
    things = {
        "data": plain_data()["config"],
        "arrays": {"w": rng.rand(4, 4), "b": np.zeros(3, "f4")},
        "model": model,
        "scaler": StandardScaler().fit(rng.rand(20, 3)),
    }
    for name, thing in things.items():
        corpus.add(f"{name}.cloudpickle", cloudpickle.dumps(thing), "pickle")
        corpus.add(f"{name}.dill", dill.dumps(thing), "pickle")
    dill.extend(use_dill=True)  # as after `import dill`: it changes what joblib writes
    try:
        for name, thing in {**things, "slice": {"rows": slice(1, 2), "type": slice}}.items():
            corpus.add(f"{name}-by-joblib.pkl", lambda p, t=thing: joblib.dump(t, p), "pickle")
    finally:
        dill.extend(use_dill=False)


def numpy_files(corpus: Corpus) -> None:
    import numpy as np

    rng = np.random.RandomState(0)
    arrays = {
        "float": rng.rand(20, 3),
        "fortran": np.asfortranarray(rng.rand(5, 4)),
        "integer": np.arange(6, dtype=">i4"),
        "bool": np.array([True, False]),
        "complex": rng.rand(3) + 1j,
        "text": np.array(["a", "bcd"]),
        "bytes": np.array([b"a", b"bcd"]),
        "datetime": np.array(["2026-01-01"], "M8[D]"),
        "structured": np.zeros(3, [("a", "i4"), ("b", "f8", (2,)), ("c", "U3")]),
        "scalar": np.float64(1.5),
        "empty": np.zeros((0, 3)),
        "half": rng.rand(3).astype("f2"),
    }
    for name, array in arrays.items():
        corpus.add(f"{name}.npy", lambda path, a=array: np.save(path, a), "npy")
        corpus.add(f"{name}.pkl", pickle.dumps(array, len(name) % 6), "pickle")
    objects = np.array([1, "a", None, [1, 2], {"b": 2.5}, rng.rand(3)], dtype=object)
    corpus.add("objects.npy", lambda path: np.save(path, objects, allow_pickle=True), "npy")
    corpus.add("words.npy", lambda path: np.save(path, np.array(["a", "b"], object)), "npy")
    for version in ((1, 0), (2, 0), (3, 0)):
        corpus.add(f"version{version[0]}.npy", lambda path, v=version: _versioned(path, v), "npy")
    corpus.add("plain.npz", lambda path: np.savez(path, **arrays), "npy")
    corpus.add("packed.npz", lambda path: np.savez_compressed(path, **arrays), "npy")
    corpus.add("objects.npz", lambda path: np.savez(path, a=objects, b=rng.rand(3)), "npy")
    corpus.add("unnamed.npz", lambda path: np.savez(path, rng.rand(3), rng.rand(3)), "npy")
    values = {
        "generators": [np.random.RandomState(1), np.random.default_rng(2), np.random.PCG64(3)],
        "scalars": [np.float32(1), np.int8(2), np.bool_(True), np.str_("x"), np.datetime64("2026")],
        "dtypes": [np.dtype("f4"), np.dtype([("a", "i4")]), np.float32],
        "views": [arrays["float"][::2], arrays["float"].T, arrays["float"][1]],
        "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        "matrix": np.asmatrix(np.eye(2)),
        "records": np.zeros(2, [("a", "i4")]).view(np.recarray),
        "objects": objects,
        "ufuncs": {"log": np.log1p, "exp": np.exp},
        "large": rng.rand(300, 100),
    }
    for index, (name, value) in enumerate(values.items()):
        corpus.add(f"values-{name}.pkl", pickle.dumps(value, index % 6), "pickle")
        corpus.add(f"values-{name}-5.pkl", pickle.dumps(value, 5), "pickle")


def _versioned(path: str, version: tuple[int, int]) -> None:
    import numpy as np

    with open(path, "wb") as file:
        np.lib.format.write_array(file, np.arange(5.0), version=version)


def scipy_files(corpus: Corpus) -> None:
    import numpy as np
    import scipy.interpolate
    import scipy.sparse as sp
    import scipy.spatial
    import scipy.stats

    base = sp.random(6, 5, 0.4, "csr", random_state=0)
    for name in ("csr", "csc", "coo", "dia", "bsr", "lil", "dok"):
        matrix = getattr(sp, f"{name}_matrix")(base)
        array = getattr(sp, f"{name}_array")(base)
        if name not in ("lil", "dok"):
            corpus.add(f"{name}.npz", lambda path, m=matrix: sp.save_npz(path, m), "npy")
        corpus.add(f"{name}-matrix.pkl", pickle.dumps(matrix), "pickle")
        corpus.add(f"{name}-array.pkl", pickle.dumps(array, 2), "pickle")
    x = np.arange(8.0)
    things = {
        "interp1d": scipy.interpolate.interp1d(x, np.sin(x)),
        "spline": scipy.interpolate.CubicSpline(x, np.sin(x)),
        "bspline": scipy.interpolate.make_interp_spline(x, np.sin(x)),
        "kdtree": scipy.spatial.cKDTree(np.random.RandomState(0).rand(20, 2)),
        "norm": scipy.stats.norm(1, 2),
        "uniform": scipy.stats.uniform(),
        "loguniform": scipy.stats.loguniform(1e-3, 1),
        "randint": scipy.stats.randint(1, 5),
        "kde": scipy.stats.gaussian_kde(np.random.RandomState(0).rand(20)),
    }
    for name, thing in things.items():
        corpus.add(f"{name}.pkl", pickle.dumps(thing), "pickle")


def pandas_files(corpus: Corpus) -> None:
    import numpy as np
    import pandas as pd

    rng = np.random.RandomState(0)
    dates = pd.date_range("2026-01-01", periods=5)
    frame = pd.DataFrame(
        {
            "i": np.arange(5),
            "f": rng.rand(5),
            "b": [True, False] * 2 + [True],
            "s": list("abcde"),
            "o": ["x", None, "y", 1, 2.5],
            "c": pd.Categorical(list("uvuvu")),
            "d": dates,
            "z": dates.tz_localize("Europe/Berlin"),
            "t": dates - dates[0],
            "p": pd.period_range("2026-01", periods=5, freq="M"),
            "n": pd.array([1, None, 2, 3, 4], dtype="Int64"),
            "g": pd.array([True, None, False, True, False], dtype="boolean"),
            "w": pd.array(["a", None, "b", "c", "d"], dtype="string"),
        }
    )
    things = {
        "frame": frame,
        "floats": pd.DataFrame(rng.rand(50, 4), columns=list("wxyz")),
        "dates": frame.set_index("d"),
        "multi": frame.set_index(["i", "s"]),
        "columns": pd.DataFrame(
            rng.rand(2, 2), columns=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])
        ),
        "series": frame["f"],
        "categories": frame["c"],
        "described": frame.describe(include="all"),
        "interval": pd.Series(pd.interval_range(0, 3)),
        "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1.5])),
        "offsets": [
            pd.offsets.MonthEnd(),
            pd.offsets.BDay(2),
            pd.Timestamp("2026-01-01", tz="UTC"),
        ],
        "empty": pd.DataFrame(),
        "grouped": frame.groupby("c", observed=True)["f"].mean(),
        "mixed": {"frame": frame, "array": rng.rand(3), "dtype": frame.dtypes, "na": pd.NA},
    }
    for index, (name, thing) in enumerate(things.items()):
        corpus.add(f"{name}.pkl", lambda path, t=thing: pd.to_pickle(t, path), "pickle")
        corpus.add(f"{name}-{index % 5}.pkl", pickle.dumps(thing, index % 5), "pickle")
    for ending in ("gz", "bz2", "zip", "xz", "tar", "tar.gz", "zst"):
        corpus.add(f"frame.pkl.{ending}", lambda path: frame.to_pickle(path), "pickle")


GROUPS = {
    "plain": Group(plain, (), 26),
    "picklers": Group(picklers, ("cloudpickle", "dill", "sklearn"), 13),
    "numpy": Group(numpy_files, ("numpy",), 50),
    "scipy": Group(scipy_files, ("scipy",), 28),
    "pandas": Group(pandas_files, ("pandas", "zstandard"), 35),
}
