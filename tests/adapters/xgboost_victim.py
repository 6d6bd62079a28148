"""A confined child that mutates models of XGBoost and uses what is not refused: it must survive.

Arguments: the first seed, how many, a folder of model files. A line of standard output a mutation,
before it is tried, and at the end how many were refused and how many were harmless. With "blind"
as a fourth argument nothing is checked: then it must not survive.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

import numpy as np  # noqa: E402
import xgboost as xgb  # noqa: E402

from safemodel.adapters.sklearn.library import INSTALLED  # noqa: E402
from safemodel.adapters.sklearn.scope import SAVING, SpecError  # noqa: E402
from safemodel.adapters.sklearn.xgboost_booster import PARTS  # noqa: E402
from safemodel.adapters.sklearn.xgboost_model import parse_model  # noqa: E402

(BOOSTER,) = PARTS
NUMBERS = (-(2**31), -2, -1, 0, 1, 2, 3, 5, 100, 2**24, 2**31 - 1)
TEXTS = ("", "-1", "0", "1", "2", "3", "7", "65536", "2147483647", "nan", "1e30", "[1,2]", "cpu")


def mutate(arguments: dict[str, Any], chosen: random.Random) -> str:
    """Change something in place and say what."""
    arrays, table = arguments["arrays"], arguments["table"]
    way = chosen.randrange(6)
    name = chosen.choice(sorted(arrays))
    array = arrays[name].copy()
    if way <= 2 and len(array):  # the most dangerous: what compiled code follows
        position = chosen.randrange(len(array))
        other: float = chosen.choice(NUMBERS)
        if array.dtype.kind == "f":
            other = chosen.choice((np.nan, np.inf, -1.0, 1e30))
        array[position] = np.array(other).astype(array.dtype)
        arrays[name] = array
        return f"{name}[{position}] = {other}"
    if way == 3:
        arrays[name] = array[:-1] if chosen.random() < 0.5 else np.append(array, array[:1])
        return f"{name}: another size"
    if way == 4 and len(array) > 1:
        first, second = chosen.randrange(len(array)), chosen.randrange(len(array))
        array[[first, second]] = array[[second, first]]
        arrays[name] = array
        return f"{name}: {first} and {second} swapped"
    place: Any = chosen.choice([table, table["learner_model_param"], table["objective"]])
    if arguments["config"] is not None and chosen.random() < 0.5:
        place = arguments["config"]
    while True:
        key = chosen.choice(sorted(place))
        if type(place[key]) is not dict or not place[key]:
            break
        place = place[key]
    place[key] = chosen.choice(TEXTS if type(place[key]) is str else (None, -1, 0, 1, 5, []))
    return f"{key} = {place[key]!r}"


def use(booster: Any, data: Any, target: Any) -> None:
    """Do what someone would do with a booster."""
    matrix = xgb.DMatrix(data, target)
    for call in (
        lambda: booster.inplace_predict(data),
        lambda: booster.predict(matrix),
        lambda: booster.predict(matrix, pred_leaf=True),
        lambda: booster.predict(matrix, pred_contribs=True),
        lambda: booster.get_dump(dump_format="json"),
        lambda: booster.get_score(importance_type="total_gain"),
        lambda: booster.save_raw(),
        lambda: booster.save_config(),
        lambda: booster[:1].predict(matrix),
        lambda: booster.update(matrix, booster.num_boosted_rounds()),
        lambda: booster.predict(matrix),
    ):
        try:
            call()
        except (xgb.core.XGBoostError, ValueError, TypeError, IndexError, OverflowError):
            continue


def main(first: int, count: int, folder: Path, *, blind: bool) -> None:
    files = sorted(folder.glob("*.ubj"))
    parsed = {path: path.read_bytes() for path in files}
    rng = np.random.RandomState(0)
    data = rng.normal(size=(30, 5)).astype(np.float32)
    data[:, 3:] = rng.randint(0, 6, size=(30, 2))
    refused = harmless = 0
    for seed in range(first, first + count):
        chosen = random.Random(seed)
        path = chosen.choice(files)
        whole = bytearray(parsed[path])
        print(json.dumps([seed, path.name]), flush=True)
        if not blind and seed % 4 == 0:  # any bytes at all
            for _ in range(chosen.choice((1, 1, 4))):
                whole[chosen.randrange(len(whole))] = chosen.randrange(256)
        try:
            arguments = parse_model(whole)
            what = mutate(arguments, chosen) if blind or seed % 4 else "bytes"
            print(json.dumps(what), flush=True)
            if not blind:
                BOOSTER.check(arguments, INSTALLED, SAVING)
        except SpecError:
            refused += 1
            continue
        booster = object.__new__(xgb.Booster)
        vars(booster).update(arguments)
        try:
            BOOSTER.finish(booster)  # type: ignore[misc]  # this part has one
        except (ValueError, KeyError, IndexError, SpecError):
            refused += 1
            continue
        use(booster, data, rng.normal(size=len(data)))
        harmless += 1
    print(json.dumps({"refused": refused, "harmless": harmless}), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), blind=sys.argv[4:] == ["blind"])
