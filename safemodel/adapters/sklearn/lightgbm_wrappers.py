"""State schemas of LightGBM's estimators: parameters by main name or alias, and their booster.

Keywords that the constructor does not have become attributes and entries of `_other_params`: they
are permitted if they are parameters of LightGBM, with the specs that those have there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.lightgbm_booster import BEST_SCORE, Scores, outline
from safemodel.adapters.sklearn.lightgbm_params import PARAMETERS, SPECS, check_interactions
from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    CLASS_WEIGHT,
    LABEL,
    N_JOBS,
    POSITIVE,
    REAL,
    Labels,
    Schema,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Either,
    Estimator,
    Exactly,
    Int,
    Map,
    Seq,
    Spec,
    one_of,
    optional,
)


def _random() -> tuple[type, ...]:
    from numpy.random import Generator, RandomState

    return (RandomState, Generator)


_PARAMS: Final[Mapping[str, Spec]] = {
    **{
        name: SPECS[name]
        for name in (
            *("boosting_type", "num_leaves", "max_depth", "learning_rate", "subsample_for_bin"),
            *("objective", "min_split_gain", "min_child_weight", "min_child_samples", "subsample"),
            *("subsample_freq", "colsample_bytree", "reg_alpha", "reg_lambda"),
        )
    },
    "n_estimators": POSITIVE,
    "class_weight": CLASS_WEIGHT,
    "random_state": optional(Int(-(2**31), 2**32 - 1), Exactly(_random, "a random state of NumPy")),
    "n_jobs": N_JOBS,
    "importance_type": one_of("split", "gain"),
}
_COUNT: Final = Int(-1, 2**31 - 1)
_HISTORY: Final[Spec] = Scores(Scores(Seq(REAL, kinds=(list,)), (dict, OrderedDict)))
_STATE: Final[Mapping[str, Spec]] = {
    "_Booster?": optional(part_kinds("Booster")),
    "_evals_result?": optional(_HISTORY),
    "_best_score?": optional(BEST_SCORE),
    "_best_iteration?": optional(Int(-(2**31), 2**31 - 1)),
    "_other_params?": PARAMETERS,
    "_objective?": SPECS["objective"],
    "_class_weight?": CLASS_WEIGHT,
    "_class_map?": optional(Map(LABEL, Int())),
    "_fitted_with_feature_names?": BOOL,
    "_n_features?": _COUNT,
    "_n_features_in?": _COUNT,
    "_classes?": optional(Labels()),
    "_n_classes?": _COUNT,
    "_le?": Estimator(("LabelEncoder",)),
    "_eval_at?": Either((Int(0, 2**31 - 1), Seq(Int(0, 2**31 - 1)))),
    "fitted_?": BOOL,
    # LightGBM 3
    "_fobj?": one_of(None),
    "silent?": one_of(True, False, "warn"),
}


def _fitted(state: Mapping[str, Any], scope: Scope) -> None:
    """A fitted estimator has a booster with its features and outputs."""
    booster = state.get("_Booster")
    fitted = bool(state.get("fitted_", False))
    for parameters in (state, state.get("_other_params", {})):
        check_interactions(parameters, state.get("_n_features", -1) if fitted else 0)
    if not fitted:
        return
    if booster is None:
        raise SpecError("is missing in a fitted estimator", "._Booster")
    try:
        outputs, features = outline(booster, scope)
    except SpecError as error:
        raise error.below("._Booster") from None
    for name in ("_n_features", "_n_features_in"):
        if name in state and state[name] != features:
            raise SpecError(
                f"is {state[name]}, and the booster has {features} features", f".{name}"
            )
    classes = state.get("_classes")
    if classes is None:
        return
    if state.get("_n_classes") != len(classes):
        raise SpecError(f"must be {len(classes)}", "._n_classes")
    encoder = vars(state["_le"]).get("classes_") if "_le" in state else None
    if encoder is None or len(encoder) != len(classes):
        raise SpecError("is not fitted to the classes", "._le")
    if outputs != (len(classes) if len(classes) > 2 else 1) and outputs != len(classes):
        raise SpecError(f"has {outputs} outputs for {len(classes)} classes", "._Booster")


def _schema(name: str) -> Schema:
    # Only parameters of the constructor are demanded
    return Schema("lightgbm.sklearn", name, {**SPECS, **_PARAMS}, _STATE, (_fitted,))


SCHEMAS: Final[tuple[Schema, ...]] = tuple(
    map(_schema, ("LGBMModel", "LGBMClassifier", "LGBMRegressor", "LGBMRanker"))
)
