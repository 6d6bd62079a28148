"""A confined child that gives mutated text models to LightGBM, if we let them through.

Arguments: seed, number of mutations, and `ours` or `theirs`: with `theirs` LightGBM gets the text
itself, as it would from a pickle. A line goes out before each, and its result behind it.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

import lightgbm as lgb  # noqa: E402
import numpy as np  # noqa: E402

from safemodel.adapters.sklearn.library import INSTALLED  # noqa: E402
from safemodel.adapters.sklearn.lightgbm_check import check_model  # noqa: E402
from safemodel.adapters.sklearn.lightgbm_emit import write_model  # noqa: E402
from safemodel.adapters.sklearn.lightgbm_model import parse_model  # noqa: E402
from safemodel.adapters.sklearn.scope import Scope, SpecError  # noqa: E402
from safemodel.errors import LegacyError  # noqa: E402
from tests.adapters.boosted_changes import confine, try_all  # noqa: E402

SECONDS = 10
_OTHERS = (
    *("-1", "0", "1", "2", "-2", "7", "63", "1000", "-1000", "131072", "2147483647"),
    *("-2147483648", "4294967295", "99999999999", "nan", "inf", "-inf", "1e308", "1e-320", "0.5"),
    *("", "x", "1 1", "-", "--1", "1e"),
)


def rows() -> Any:
    rng = np.random.RandomState(0)
    data = np.round(rng.normal(size=(120, 4)), 2)
    data[rng.uniform(size=data.shape) < 0.1] = np.nan
    data[:, 3] = rng.randint(0, 70, size=len(data))
    return data


def models() -> list[bytes]:
    """Text models of all kinds of trees."""
    data = rows()
    target = np.nan_to_num(data[:, 0]) + data[:, 3] % 5
    found = []
    kinds: tuple[dict[str, Any], ...] = (
        {"objective": "regression"},
        {"objective": "regression", "categories": [3], "min_data_per_group": 2, "cat_smooth": 1},
        {"objective": "regression", "linear_tree": True},
        {"objective": "multiclass", "num_class": 3, "monotone_constraints": [1, 0, -1, 0]},
    )
    for params in kinds:
        labels = data[:, 3] % 3 if "num_class" in params else target
        quiet = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2, "num_leaves": 7}
        dataset = lgb.Dataset(data, labels, categorical_feature=params.pop("categories", "auto"))
        booster = lgb.train({**quiet, **params}, dataset, num_boost_round=3)
        found.append(booster.model_to_string(num_iteration=-1).encode())
    return found


def mutated(text: bytes, chosen: random.Random) -> bytes:
    """Change one thing of a text model, and put the sizes of its trees right again."""
    lines = text.decode().split("\n")
    header = [index for index, line in enumerate(lines) if "=" in line]
    index = chosen.choice(header)
    how = chosen.randrange(8)
    if how < 5:
        name, _, values = lines[index].partition("=")
        words = values.split(" ")
        place = chosen.randrange(len(words))
        near = (
            [str(int(words[place]) + step) for step in (-1, 1)] if _is_integer(words[place]) else []
        )
        words[place] = chosen.choice([*_OTHERS, *near])
        lines[index] = f"{name}={' '.join(words)}"
    elif how == 5:
        del lines[index]
    elif how == 6:
        other = chosen.choice(header)
        lines[index], lines[other] = lines[other], lines[index]
    else:
        lines.insert(index, lines[index])
    return resized("\n".join(lines)).encode()


def _is_integer(word: str) -> bool:
    return re.fullmatch(r"-?\d+", word) is not None


def resized(text: str) -> str:
    """Put the line of tree sizes right."""
    parts = re.split(r"(?m)^(?=Tree=\d|end of trees)", text)
    sizes = " ".join(str(len(part)) for part in parts[1:-1])
    return re.sub(r"(?m)^tree_sizes=.*$", f"tree_sizes={sizes}", text)


def attempt(text: bytes, through: str) -> str:
    """Load one model and use it in every way."""
    if through == "ours":
        try:
            arguments = parse_model(text)
            check_model(arguments, Scope(INSTALLED))
        except (LegacyError, SpecError):
            return "refused"
        text = write_model(arguments).encode()
    try:
        booster = lgb.Booster(model_str=text.decode())
    except lgb.basic.LightGBMError:
        return "refused by LightGBM"
    data = rows()
    features = booster.num_feature()
    data = np.hstack([data] * (features // 4 + 1))[:, :features]
    for more in ({}, {"raw_score": True}, {"pred_leaf": True}, {"pred_contrib": True}):
        try:
            booster.predict(data, num_threads=1, **more)
        except lgb.basic.LightGBMError:
            continue
    booster.feature_importance("gain")
    try:
        booster.dump_model()
        booster.trees_to_dataframe()
    except (ValueError, KeyError, lgb.basic.LightGBMError):
        pass
    return "harmless"


def main() -> None:
    confine()
    texts = models()
    try_all(
        lambda chosen, through: attempt(mutated(chosen.choice(texts), chosen), through), SECONDS
    )


if __name__ == "__main__":
    main()
