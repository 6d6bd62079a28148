"""State schemas of imbalanced-learn: samplers, its pipeline, its ensembles.

A sampler learns again whenever it samples: what it keeps of the last time is shown to people and
not read by code. Its ensembles are scikit-learn's with a sampler before each child: they have the
schemas of those, and more.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn import compose, ensembles, ensembles_meta
from safemodel.adapters.sklearn.parts import OwnFunction
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    FITTED,
    LABEL,
    N_JOBS,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    Attributes,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Seq,
    Spec,
    Text,
    describe,
    either,
    ints,
    one_of,
    optional,
)


class _Counts:
    """The spec of a dict, perhaps an ordered one, from labels to numbers."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in (dict, OrderedDict):
            raise SpecError(f"is {describe(value)}, but must be {self}")
        Map(LABEL, NON_NEGATIVE).check(dict(value), scope)

    def __str__(self) -> str:
        return "a dict from labels to numbers"


_NAMES: Final = ("auto", "all", "majority", "minority", "not minority", "not majority")
_STRATEGY: Final[Spec] = either(
    one_of(*_NAMES), NON_NEGATIVE, _Counts(), Seq(LABEL), Array("iufUSb", (None,)), OwnFunction()
)
_NEIGHBORS: Final[Spec] = either(POSITIVE, Estimator())
_LEARNED: Final[Attributes] = {
    **FITTED,
    "sampling_strategy_": either(_Counts(), one_of("auto")),
    "sample_indices_?": ints(None, low=0),
}
_KNOWN: Final[Mapping[str, Spec]] = {
    **each("allow_minority replacement validate accept_sparse", BOOL),
    "sampling_strategy": _STRATEGY,
    "random_state": RANDOM_STATE,
    "n_jobs": N_JOBS,
    **each("k_neighbors m_neighbors n_neighbors_ver3", _NEIGHBORS),
    "n_neighbors": optional(_NEIGHBORS),
    "kind_sel": one_of("all", "mode"),
    "estimator": optional(Estimator()),
    "voting": one_of("auto", "hard", "soft"),
    "n_seeds_S": POSITIVE,
    "func": optional(OwnFunction()),
    "kw_args": optional(Map(Text(), LABEL)),
    "cv": CV,
    "version": Int(1, 3),
    "edited_nearest_neighbours": optional(Estimator()),
    "threshold_cleaning": NON_NEGATIVE,
    "max_iter": POSITIVE,
    "shrinkage": optional(NON_NEGATIVE, _Counts()),
    "kind": one_of("borderline-1", "borderline-2"),
    "svm_estimator": optional(Estimator()),
    "out_step": REAL,
    "categorical_encoder": optional(Estimator()),
    "categorical_features": optional(
        one_of("auto"), Seq(either(BOOL, Int(), Text())), Array("biuU", (None,))
    ),
    **each("smote enn tomek kmeans_estimator", optional(Estimator(), POSITIVE)),
    "cluster_balance_threshold": either(one_of("auto"), NON_NEGATIVE),
    "density_exponent": either(one_of("auto"), NON_NEGATIVE),
    # What fitting adds
    **each(
        "nn_ nn_k_ nn_m_ enn_ smote_ tomek_ estimator_ edited_nearest_neighbours_ svm_estimator_"
        " categorical_encoder_ kmeans_estimator_",
        Estimator(),
    ),
    "estimators_": Seq(Estimator()),
    "voting_": one_of("hard", "soft"),
    "classes_to_clean_": Seq(LABEL),
    "n_iter_": COUNT,
    "shrinkage_": optional(_Counts()),
    "in_danger_indices": Map(LABEL, ints(None, low=0)),
    "n_features_": COUNT,
    "categorical_features_": ints(None, low=0),
    "continuous_features_": ints(None, low=0),
    "median_std_": Map(LABEL, REAL),
    "cluster_balance_threshold_": REAL,
}

_M: Final = "imblearn.under_sampling._prototype_selection."
_OVER: Final = "imblearn.over_sampling._smote."
_make = table("imblearn", _KNOWN)


def _sampler(within: str, name: str, params: str, fitted: str = "", **other: Spec) -> Schema:
    params = f"sampling_strategy {params}"
    return _make(name, params, fitted, within=within, common=_LEARNED, **other)


_SAMPLERS: Final = (
    _sampler(f"{_M}_random_under_sampler", "RandomUnderSampler", "random_state replacement"),
    _sampler(f"{_M}_tomek_links", "TomekLinks", "n_jobs"),
    _sampler(
        f"{_M}_nearmiss", "NearMiss", "version n_neighbors n_neighbors_ver3 n_jobs",
        "nn_ nn_ver3_?", nn_ver3_=Estimator(),
    ),
    _sampler(
        f"{_M}_edited_nearest_neighbours", "EditedNearestNeighbours",
        "n_neighbors kind_sel n_jobs", "nn_",
    ),
    _sampler(
        f"{_M}_edited_nearest_neighbours", "RepeatedEditedNearestNeighbours",
        "n_neighbors kind_sel n_jobs max_iter", "nn_ enn_ n_iter_",
    ),
    _sampler(
        f"{_M}_edited_nearest_neighbours", "AllKNN",
        "n_neighbors kind_sel n_jobs allow_minority", "nn_ enn_",
    ),
    *(
        _sampler(f"{_M}_{where}", name, "random_state n_neighbors n_seeds_S n_jobs", "estimators_")
        for where, name in (
            ("condensed_nearest_neighbour", "CondensedNearestNeighbour"),
            ("one_sided_selection", "OneSidedSelection"),
        )
    ),
    _sampler(
        f"{_M}_neighbourhood_cleaning_rule", "NeighbourhoodCleaningRule",
        "edited_nearest_neighbours n_neighbors threshold_cleaning n_jobs",
        "nn_ edited_nearest_neighbours_ classes_to_clean_",
    ),
    _sampler(
        f"{_M}_instance_hardness_threshold", "InstanceHardnessThreshold",
        "random_state estimator cv n_jobs", "estimator_",
    ),
    _sampler(
        "imblearn.under_sampling._prototype_generation._cluster_centroids", "ClusterCentroids",
        "random_state estimator voting", "estimator_ voting_",
    ),
    _sampler(
        "imblearn.over_sampling._random_over_sampler", "RandomOverSampler",
        "random_state shrinkage", "shrinkage_",
    ),
    _sampler("imblearn.over_sampling._adasyn", "ADASYN", "random_state n_neighbors", "nn_"),
    _sampler(f"{_OVER}base", "SMOTE", "random_state k_neighbors", "nn_k_"),
    _sampler(
        f"{_OVER}base", "SMOTENC",
        "random_state k_neighbors categorical_features categorical_encoder",
        "n_features_ categorical_features_ continuous_features_ nn_k_ categorical_encoder_"
        " median_std_",
    ),
    _sampler(
        f"{_OVER}base", "SMOTEN", "random_state k_neighbors categorical_encoder",
        "nn_k_ categorical_encoder_",
    ),
    _sampler(
        f"{_OVER}filter", "BorderlineSMOTE", "random_state k_neighbors m_neighbors kind",
        "nn_k_ nn_m_ in_danger_indices?",
    ),
    _sampler(
        f"{_OVER}filter", "SVMSMOTE",
        "random_state k_neighbors m_neighbors svm_estimator out_step",
        "nn_k_ nn_m_ svm_estimator_",
    ),
    _sampler(
        f"{_OVER}cluster", "KMeansSMOTE",
        "random_state k_neighbors n_jobs kmeans_estimator cluster_balance_threshold"
        " density_exponent",
        "nn_k_ kmeans_estimator_ cluster_balance_threshold_",
    ),
    _sampler(
        "imblearn.combine._smote_enn", "SMOTEENN", "random_state smote enn n_jobs", "smote_ enn_"
    ),
    _sampler(
        "imblearn.combine._smote_tomek", "SMOTETomek", "random_state smote tomek n_jobs",
        "smote_ tomek_",
    ),
    _make(
        "FunctionSampler", "func accept_sparse kw_args validate", "sampling_strategy?",
        within="imblearn.base", common=_LEARNED,
    ),
)  # fmt: skip


# Its ensembles


def _derived(
    base: Schema, module: str, name: str, params: Attributes, fitted: Attributes
) -> Schema:
    """Return the schema of a class of scikit-learn with more parameters and attributes."""
    params, fitted = {**base.params, **params}, {**base.fitted, **fitted}
    return dataclasses.replace(base, module=module, name=name, params=params, fitted=fitted)


def _named(module: Any, name: str) -> Schema:
    found: Schema = next(one for one in module.SCHEMAS if one.name == name)
    return found


def _pipelines(state: Mapping[str, Any], scope: Scope) -> None:
    """Samplers, pipelines and children belong together, one by one."""
    if "estimators_" not in state:
        return
    for name in ("samplers_", "pipelines_"):
        if name in state and len(state[name]) != len(state["estimators_"]):
            raise SpecError("has not one item an estimator", f".{name}")


_SAMPLER: Final = Estimator()
_SAMPLING: Final[Attributes] = {"sampling_strategy": _STRATEGY, "replacement": BOOL}
_STRATEGIES: Final[Attributes] = {"_sampling_strategy": _STRATEGY}
_BASES: Final[Attributes] = {
    "base_sampler_": _SAMPLER,
    "samplers_": Seq(_SAMPLER, kinds=(list,)),
    "pipelines_": Seq(Estimator(), kinds=(list,)),
}
_BAGGING: Final = _named(ensembles_meta, "BaggingClassifier")
_BOOSTING: Final = _named(ensembles_meta, "AdaBoostClassifier")
_FOREST: Final = _named(ensembles, "RandomForestClassifier")


def _balanced_forest() -> Schema:
    unknown = ("_n_samples", "_n_samples_bootstrap", "_sample_weight")  # its fit does without
    fitted = {key: spec for key, spec in _FOREST.fitted.items() if key.rstrip("?") not in unknown}
    fitted |= {f"{key}?": _FOREST.fitted[key] for key in unknown if key in _FOREST.fitted}
    base = dataclasses.replace(_FOREST, fitted=fitted, rules=(*_FOREST.rules, _pipelines))
    more = {**_STRATEGIES, **_BASES, "_n_features?": COUNT}
    params = {**_SAMPLING, "bootstrap": BOOL}
    name = "BalancedRandomForestClassifier"
    return _derived(base, "imblearn.ensemble._forest", name, params, more)


_ENSEMBLES: Final = (
    _derived(
        _BAGGING,
        "imblearn.ensemble._bagging",
        "BalancedBaggingClassifier",
        {**_SAMPLING, "sampler": optional(_SAMPLER)},
        {**_STRATEGIES, "sampler_": _SAMPLER},
    ),
    _derived(
        _BAGGING,
        "imblearn.ensemble._easy_ensemble",
        "EasyEnsembleClassifier",
        _SAMPLING,
        _STRATEGIES,
    ),
    _derived(
        dataclasses.replace(_BOOSTING, rules=(*_BOOSTING.rules, _pipelines)),
        "imblearn.ensemble._weight_boosting",
        "RUSBoostClassifier",
        _SAMPLING,
        _BASES,
    ),
    _balanced_forest(),
)
_PIPELINE: Final = dataclasses.replace(
    _named(compose, "Pipeline"), module="imblearn.pipeline", name="Pipeline"
)

SCHEMAS: Final[tuple[Schema, ...]] = (*_SAMPLERS, *_ENSEMBLES, _PIPELINE)
