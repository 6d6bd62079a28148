"""A confined child that loads corrupted objects of pandas and uses them: it must survive them all.

Arguments: a log; how many corruptions of each object, chosen at random, or 0 for all of them; names
of objects of `test_frames.VALUES`, or none for all. Before each corruption a line goes to the log.
What fails is printed, one line each.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from safemodel.adapters import sklearn as adapter  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402
from tests.adapters.sklearn_corrupt import corrupted, corruptions  # noqa: E402
from tests.adapters.sklearn_support import MemoryBundle, in_memory  # noqa: E402
from tests.adapters.test_frames import VALUES  # noqa: E402

SECONDS = 20
MEMORY = 3 << 30
EVENTS = ("exec", "subprocess", "socket", "os.system", "os.remove", "os.rename", "shutil")


def uses() -> Iterator[Callable[[Any], Any]]:
    """What someone would do with a frame, a series, an index or an array."""
    names = (
        *("sum", "mean", "describe", "sort_index", "sort_values", "isna", "dropna", "copy"),
        *("to_numpy", "value_counts", "nunique", "unique", "duplicated", "factorize", "cumsum"),
        *("reset_index", "argsort", "max", "memory_usage", "remove_unused_levels", "to_flat_index"),
        *("remove_unused_categories", "to_frame", "infer_objects", "transpose", "stack"),
    )
    for name in names:
        yield lambda value, name=name: getattr(value, name)()
    yield repr
    yield lambda value: value.take([0, len(value) - 1])
    yield lambda value: value.index.get_loc(value.index[0])
    yield lambda value: value.get_loc(value[-1])
    yield lambda value: value.get_indexer(value[::-1])
    yield lambda value: value.reindex(value.index[::-1])
    yield lambda value: value.loc[value.index[0]]
    yield lambda value: value.iloc[-1]
    yield lambda value: value.groupby(level=0).sum()
    yield lambda value: value.groupby(value.columns[0], observed=False).size()
    yield lambda value: value == value
    yield lambda value: pd.concat([value, value])
    yield lambda value: value.astype(str)
    yield lambda value: value.astype("category")
    yield lambda value: value.fillna(0)
    yield lambda value: value.tz_convert("UTC")
    yield lambda value: value.get_level_values(0)
    yield lambda value: value.set_categories(["a"])
    yield lambda value: [*value]
    yield lambda value: np.asarray(value)
    yield lambda value: value.__setitem__(value.columns[0], 3)
    yield lambda value: hash(value)


def use(value: Any) -> None:
    for one in uses():
        with contextlib.suppress(Exception):  # what a wrong table gives is an error of pandas
            one(value)
    if isinstance(value, pd.DataFrame | pd.Series):
        use(value.index)
    if isinstance(value, pd.DataFrame):
        use(value.columns)
        for position in range(min(value.shape[1], 20)):
            use(value.iloc[:, position].array)


def attack(bundle: MemoryBundle) -> str:
    try:
        value = adapter.load(bundle)  # type: ignore[arg-type]
    except SafemodelError:
        return ""
    for one in value if isinstance(value, list) else [value]:
        use(one)
    return ""


def main(log: Path, sample: int, names: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seen: list[str] = []
    sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(EVENTS[1:]) else None)
    chosen = random.Random(20261123)
    with log.open("a", buffering=1) as out:
        for name in names or list(VALUES):
            bundle = in_memory(adapter.save(VALUES[name]()))
            attack(bundle)
            seen.clear()
            found = list(corruptions(bundle))
            for number in (
                sorted(chosen.sample(range(len(found)), min(sample, len(found))))
                if (sample)
                else range(len(found))
            ):
                out.write(f"{name}: {number} {found[number][0]}\n")
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                try:
                    result = attack(corrupted(bundle, found[number]))
                except BaseException as error:  # a bug of ours: anything but SafemodelError
                    result = f"{type(error).__name__}: {error}"[:300]
                signal.setitimer(signal.ITIMER_REAL, 0)
                if seen or result:
                    print(f"{name}: {found[number][0]}: {result} {seen[:3]}")
                    seen.clear()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
