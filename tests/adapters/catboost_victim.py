"""A confined child that gives corrupted models to CatBoost, if our checks let them through.

Arguments: seed, number of corruptions, and `ours` or `theirs`: with `theirs` CatBoost gets the
bytes themselves, corrupted. A line goes out before each, and its result behind it.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

import catboost  # noqa: E402
import numpy as np  # noqa: E402

from safemodel.adapters.sklearn.catboost_emit import write_model  # noqa: E402
from safemodel.adapters.sklearn.catboost_model import (  # noqa: E402
    ARRAYS,
    check_model,
    parse_model,
)
from safemodel.adapters.sklearn.library import INSTALLED  # noqa: E402
from safemodel.adapters.sklearn.scope import Scope, SpecError  # noqa: E402
from safemodel.errors import LegacyError  # noqa: E402
from tests.adapters.boosted_changes import confine, try_all  # noqa: E402

SECONDS = 10
QUIET = {"iterations": 3, "verbose": False, "allow_writing_files": False, "thread_count": 1}


def rows() -> Any:
    rng = np.random.RandomState(0)
    data = np.round(rng.normal(size=(90, 4)), 2)
    data[rng.uniform(size=data.shape) < 0.1] = np.nan
    return data


def models() -> list[bytes]:
    """Binary models of all kinds of trees."""
    data = rows()
    labels = (np.nan_to_num(data[:, 0]) > 0).astype(int) + (np.nan_to_num(data[:, 2]) > 1)
    found = []
    for params in (
        {"depth": 3, "loss_function": "RMSE"},
        {"depth": 2, "loss_function": "MultiClass"},
        {"grow_policy": "Lossguide", "loss_function": "MultiClass", "max_leaves": 6},
        {"grow_policy": "Depthwise", "loss_function": "Logloss", "depth": 3},
    ):
        target = labels > 0 if params["loss_function"] == "Logloss" else labels
        model = catboost.CatBoost({**QUIET, **params}).fit(data, target)
        found.append(model._serialize_model())
    return found


def changed(model: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
    """One array or number of a model, changed."""
    name = chosen.choice([*ARRAYS, "dimension", "info", "names"])
    old = model[name]
    if name == "dimension":
        return {**model, name: chosen.choice([1, 2, 3, 4, 1000, 100_000])}
    if name == "names":
        return {**model, name: chosen.choice([old[:-1], [*old, None], [*old[:-1], "x" * 5000]])}
    if name == "info":
        key = chosen.choice([*old])
        texts = ("", "{}", "[]", "{", "[" * 10_000, '{"class_names":[1]}', old[key][:-1], "1")
        return {**model, name: {**old, key: chosen.choice(texts)}}
    array = old.copy()
    if len(array) and chosen.random() < 0.8:
        bounds = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
        values = (
            (0, 1, 2, 7, 255, bounds.max, bounds.min) if bounds else (0, np.nan, np.inf, -1e300)
        )
        place = chosen.randrange(len(array))
        near = [array[place] + 1] if bounds and array[place] < bounds.max else []
        with np.errstate(over="ignore"):
            array[place] = np.array(chosen.choice([*values, *near])).astype(array.dtype)
    else:
        array = chosen.choice(
            [array[:-1], np.append(array, array[:1]), array[::-1].copy(), array[:0]]
        )
    return {**model, name: array.astype(old.dtype)}


def flipped(data: bytes, chosen: random.Random) -> bytes:
    """A few bytes of a model, changed."""
    raw = bytearray(data)
    for _ in range(chosen.randint(1, 3)):
        raw[chosen.randrange(8, len(raw))] = chosen.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(raw)


def attempt(data: bytes, through: str, chosen: random.Random) -> str:
    """Load one model and use it in every way."""
    if through == "ours":
        try:
            deep = chosen.random() < 0.8
            model = parse_model(data if deep else flipped(data, chosen))
            model = changed(model, chosen) if deep else model
            check_model(model, Scope(INSTALLED))
        except (LegacyError, SpecError):
            return "refused"
        raw = write_model(model)
    else:
        raw = flipped(data, chosen)
    refusals = (catboost.CatBoostError, ValueError, LookupError, TypeError)
    estimator = catboost.CatBoost()
    try:
        estimator.load_model(blob=raw)
    except refusals:
        return "refused by CatBoost"
    data_rows = np.hstack([rows()] * 2)[:, : len(estimator.feature_names_ or ()) or 4]
    for kind in ("RawFormulaVal", "Class", "Probability"):
        try:
            estimator.predict(data_rows, prediction_type=kind, thread_count=1)
            estimator.predict(data_rows[0], prediction_type=kind, thread_count=1)
        except refusals:
            continue
    for use in (
        lambda: estimator.calc_leaf_indexes(data_rows),
        lambda: estimator.get_feature_importance(),
        lambda: estimator.get_all_params(),
        lambda: estimator._serialize_model(),
    ):
        try:
            use()
        except refusals:
            continue
    return "harmless"


def main() -> None:
    confine()
    found = models()
    try_all(lambda chosen, through: attempt(chosen.choice(found), through, chosen), SECONDS)


if __name__ == "__main__":
    main()
