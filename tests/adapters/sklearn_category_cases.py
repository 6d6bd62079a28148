"""Fitted encoders of category_encoders for the tests."""

from __future__ import annotations

from typing import Any

import category_encoders as ce
import numpy as np
import pandas as pd
from category_encoders.wrapper import PolynomialWrapper
from sklearn import linear_model, pipeline

from .sklearn_cases import Fitted, add

_RNG = np.random.RandomState(5)
N = 48
FRAME = pd.DataFrame(
    {
        "k": [["u", "v", "w", "x"][i % 4] for i in range(N)],
        "m": [["p", "q", None][i % 3] for i in range(N)],
        "z": np.round(_RNG.normal(size=N), 3),
    }
)
CATEGORIES = FRAME.assign(k=FRAME["k"].astype("category"), m=FRAME["m"].astype(object))
NUMBERED = np.column_stack([FRAME["k"], FRAME["z"].astype(object)])
Y = (_RNG.normal(size=N) > 0).astype(int)
NAMES = np.array(["no", "yes"])[Y]
REAL = np.round(_RNG.normal(size=N), 3)


def fit(name: str, cls: Any, data: Any = FRAME, target: Any = Y, **params: Any) -> None:
    def make() -> Fitted:
        model = cls(**params).fit(data, target)
        again = None if cls is ce.GLMMEncoder else lambda one: one.fit(data, target)
        return Fitted(model, data, again)  # statsmodels gives something else each time

    add(f"ce.{cls.__name__}-{name}", make)


_ALL = (
    *(ce.BackwardDifferenceEncoder, ce.BaseNEncoder, ce.BinaryEncoder, ce.CatBoostEncoder),
    *(ce.CountEncoder, ce.CountTargetEncoder, ce.GrayEncoder, ce.HashingEncoder),
    *(ce.HelmertEncoder, ce.JamesSteinEncoder, ce.LeaveOneOutEncoder, ce.MEstimateEncoder),
    *(ce.MultiHotEncoder, ce.OneHotEncoder, ce.OrdinalEncoder, ce.PolynomialEncoder),
    *(ce.QuantileEncoder, ce.RankHotEncoder, ce.SumEncoder, ce.TargetEncoder, ce.WOEEncoder),
    *(ce.SummaryEncoder, ce.GLMMEncoder),
)
for _cls in _ALL:
    _own = {"max_process": 1} if _cls is ce.HashingEncoder else {}
    fit("plain", _cls, **_own)
    fit("categories", _cls, CATEGORIES, **_own)
    fit("columns", _cls, cols=["k"], return_df=_cls is ce.SummaryEncoder, **_own)
fit("indicator", ce.OneHotEncoder, handle_unknown="indicator", handle_missing="indicator")
fit("names", ce.OneHotEncoder, use_cat_names=True, drop_invariant=True)
fit("array", ce.OrdinalEncoder, NUMBERED, cols=[0])
fit(
    "mapping",
    ce.OrdinalEncoder,
    mapping=[{"col": "k", "mapping": {"u": 3, "v": 2, "w": 1, "x": 0}}],
)
fit("base", ce.BaseNEncoder, base=3)
fit("noise", ce.WOEEncoder, randomized=True, random_state=0)
fit("noise", ce.LeaveOneOutEncoder, sigma=0.1, random_state=np.random.RandomState(0))
fit("strings", ce.LeaveOneOutEncoder, FRAME, NAMES)
fit("strings", ce.TargetEncoder, FRAME, NAMES)
fit("hierarchy", ce.TargetEncoder, hierarchy={"k": {"A": ("u", "v"), "B": ("w", "x")}}, cols=["k"])
fit("groups", ce.CountEncoder, min_group_size=13, normalize=True)
fit("groups", ce.TargetEncoder, min_group_size=0.3, min_group_name="rest")
fit("composite", ce.TargetEncoder, composite_cols=[("k", "m")], keep_components=True)
for _model in ("pooled", "beta", "binary"):
    fit(_model, ce.JamesSteinEncoder, model=_model)


def _wrapper() -> Fitted:
    model = PolynomialWrapper(ce.TargetEncoder())
    model.fit(FRAME, FRAME["k"])
    return Fitted(model, FRAME, lambda one: one.fit(FRAME, FRAME["k"]))


def _pipeline() -> Fitted:
    model = pipeline.make_pipeline(ce.TargetEncoder(), linear_model.Ridge()).fit(FRAME, REAL)
    return Fitted(model, FRAME, lambda one: one.fit(FRAME, REAL))


add("ce.PolynomialWrapper-plain", _wrapper)
add("ce.Pipeline-plain", _pipeline)
