"""XGBoost's boosters: read from what they pickle, checked, given to the library as one document.

A booster pickles a snapshot of its model and configuration, which XGBoost's reader believes byte
for byte. It is taken apart by us (`xgboost_model.py`); at load its parts are checked
(`xgboost_check.py`), written as the document that XGBoost itself would write for them, and only
that goes to XGBoost. Implements spec/sklearn.md, "Boosted trees".
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.parts import Part, Reduced
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.adapters.sklearn.spec import Seq, optional
from safemodel.adapters.sklearn.xgboost_check import Columns, FeatureCategories, check_model
from safemodel.adapters.sklearn.xgboost_model import emit, parse_model
from safemodel.adapters.sklearn.xgboost_tables import CONFIG, TABLE, VERSION

MODULE: Final = "xgboost.core"

# What boosters of old releases also had in Python; the model itself has it as attributes
_REPEATED: Final = frozenset(
    {"best_iteration", "best_ntree_limit", "best_score", "feature_names", "feature_types"}
)


def read_booster(reduced: Reduced) -> Mapping[str, Any]:
    """Return the arguments of a booster from what it pickles."""
    state = reduced.state
    if type(state) is not dict or type(state.get("handle")) not in (bytes, bytearray):
        raise SpecError("is not trained yet")
    unknown = sorted(state.keys() - _REPEATED - {"handle"})
    if unknown:
        raise SpecError("is no attribute that a booster is known to have", f".{unknown[0]!s:.60}")
    return parse_model(state["handle"])


def _finish(booster: Any) -> None:
    """Turn a booster that is nothing but its arguments into the real thing."""
    arguments = dict(vars(booster))
    package = sys.modules[type(booster).__module__.partition(".")[0]]
    _check_release(arguments, package.__version__)
    document = emit(arguments)
    vars(booster).clear()
    if arguments["config"] is None:
        del arguments
        booster.__init__()
        booster.load_model(document)
    else:
        del arguments
        booster.__setstate__({"handle": document})


def _check_release(arguments: Mapping[str, Any], installed: str) -> None:
    """XGBoost from 3.2 on looks for the weights of leaves where older trees have none."""
    table, arrays = arguments["table"], arguments["arrays"]
    if table.get("leaf_size", 0) <= 1:
        return
    release = tuple(int(part) for part in installed.split(".")[:2])
    if (release >= (3, 2)) != ("leaf_weights" in arrays):
        saved = ".".join(map(str, arguments["version"]))
        raise ValueError(
            f"trees with several outputs, which XGBoost {installed} does not read from {saved}"
        )


PARTS: Final = (
    Part(
        MODULE,
        "Booster",
        {
            "version": VERSION,
            "table": TABLE,
            "config": optional(CONFIG),
            "arrays": Columns(),
            "categories": optional(Seq(FeatureCategories(), kinds=(list,))),
        },
        read_booster,
        late=True,
        check_more=check_model,
        finish=_finish,
    ),
)
