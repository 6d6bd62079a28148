"""State schemas of category_encoders: plain Python over tables of pandas.

What an encoder learned is a mapping, in one of many forms: dicts and lists of series, frames,
dtypes and plain values, to be looked up in. No compiled code follows it; a wrong one raises where
pandas looks it up. `HashingEncoder` may start processes: their number is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import frames
from safemodel.adapters.sklearn.parts import OwnFunction
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    LABEL,
    NON_NEGATIVE,
    OUTPUT,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import ITEM, MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Objects,
    Seq,
    Spec,
    Text,
    describe,
    either,
    one_of,
    optional,
)

_MAX_DEPTH: Final = 6
_PLAIN: Final = (type(None), bool, int, float, str)
_TABLES: Final = (frames.SeriesFacts, frames.FrameFacts, frames.IndexFacts, frames.RangeFacts)
_SINGLE: Final = (frames.DtypeFacts, frames.ConstantFacts, frames.MomentFacts)


class Tabular:
    """The spec of a mapping: series and frames, dtypes, plain values, in lists and dicts."""

    def check(self, value: Any, scope: Scope, depth: int = 0) -> None:
        scope.audit.look(ITEM)
        kind = type(value)
        if depth > _MAX_DEPTH:
            raise SpecError("is nested too deeply")
        if kind is dict:
            for key, item in value.items():
                self.check(key, scope, _MAX_DEPTH)
                self.check(item, scope, depth + 1)
        elif kind is list or (kind is tuple and depth <= _MAX_DEPTH):
            for item in value:
                self.check(item, scope, min(depth + 1, _MAX_DEPTH))
        elif kind is np.ndarray:
            Labels().check(value, scope)
        elif kind not in _PLAIN and not isinstance(value, np.generic | np.dtype):
            self._check_table(value, scope)

    def _check_table(self, value: Any, scope: Scope) -> None:
        facts = scope.library.frame(value)
        if not isinstance(facts, _TABLES + _SINGLE):
            raise SpecError(f"is {describe(value)}, but must be {self}")
        for array in _arrays(facts):
            if type(array) is np.ndarray and array.dtype.kind == "O":
                Objects(either(LABEL, one_of(None)), (None,) * array.ndim).check(array, scope)

    def __str__(self) -> str:
        return "a mapping: series, frames, dtypes and plain values in lists and dicts"


def _arrays(facts: Any) -> tuple[Any, ...]:
    if isinstance(facts, frames.FrameFacts):
        return tuple(values for _, values in facts.blocks)
    return (facts.values,) if isinstance(facts, frames.SeriesFacts) else ()


_COLUMN: Final[Spec] = either(Text(), Int())
_COLUMNS: Final[Spec] = Seq(_COLUMN)
_MAPPING: Final[Spec] = Tabular()
_BY_COLUMN: Final[Spec] = Map(_COLUMN, _MAPPING)
_OPTION: Final[Spec] = optional(Text(100), REAL, _BY_COLUMN, OwnFunction())
_ORDINAL: Final[Spec] = optional(Estimator(("OrdinalEncoder",)))
_HASHES: Final = (
    *("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s"),
    *("sha3_224", "sha3_256", "sha3_384", "sha3_512"),
)
_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "return_df drop_invariant use_default_cols use_all_cols keep_components mapping_supplied"
        " randomized use_cat_names",
        BOOL,
    ),
    "verbose": VERBOSE,
    "cols": optional(one_of("all"), _COLUMNS, Labels(), _MAPPING),
    **each("invariant_cols drop_cols", _COLUMNS),
    **each("mapping hierarchy _prior", _MAPPING),
    **each("handle_unknown handle_missing", _OPTION),
    "min_group_size": optional(NON_NEGATIVE, _BY_COLUMN),
    "min_group_name": optional(Text(), _BY_COLUMN),
    "combine_min_nan_groups": optional(BOOL, one_of("force"), _BY_COLUMN),
    "composite_cols": optional(Seq(Seq(Text()))),
    "normalize": either(BOOL, _BY_COLUMN),
    "random_state": RANDOM_STATE,
    "base": Int(2, 1 << 20),
    **each("quantile min_samples_leaf smoothing sigma m a regularization", optional(REAL)),
    "quantiles": Seq(NON_NEGATIVE),
    "model": one_of("independent", "pooled", "beta", "binary"),
    "index_start": Int(0, 1 << 40),
    "delimiter": Text(100),
    "binomial_target": optional(BOOL),
    "max_process": Int(0, 128),
    "max_sample": COUNT,
    "n_components": Int(1, MAX_UNHELD),
    "hash_method": one_of(*_HASHES),
    "process_creation_method": one_of("fork", "spawn", "forkserver"),
    # What fitting adds; without it there may be None
    "_dim": optional(COUNT),
    "n_features_in_": COUNT,
    "feature_names_in_": _COLUMNS,
    "feature_names_out_": optional(_COLUMNS, Objects(_COLUMN, (None,)), Array("iU", (None,))),
    "feature_dtypes_in_": _MAPPING,
    **each("composite_members_ min_group_lumping_ counts_ hierarchy_depth", _BY_COLUMN),
    **each(
        "_min_group_categories _normalize _min_group_name _combine_min_nan_groups _min_group_size"
        " _handle_unknown _handle_missing",
        _BY_COLUMN,
    ),
    "ordinal_encoder": _ORDINAL,
    "lab_encoder_": optional(Estimator(("LabelEncoder",))),
    **each("_mean _sum _count", optional(REAL)),
    **each("_classes _class_labels", Labels()),
    "encoder_list": optional(Seq(Estimator(("QuantileEncoder",)))),
    "data_lines": COUNT,
    "X": one_of(None),
    "feature_encoder": Estimator(),
    "feature_encoders": Map(LABEL, Estimator()),
    "label_encoder": optional(Estimator()),
}

_COMMON: Final = (
    "verbose cols drop_invariant return_df handle_unknown handle_missing min_group_size"
    " min_group_name combine_min_nan_groups composite_cols keep_components"
)
_FITTED: Final = " ".join(
    f"{name}?"
    for name in (
        *("invariant_cols", "use_default_cols", "use_all_cols", "mapping", "_dim"),
        *("ordinal_encoder", "n_features_in_", "feature_names_in_", "feature_names_out_"),
        *("feature_dtypes_in_", "composite_members_", "min_group_lumping_", "lab_encoder_"),
    )
)
_make = table("category_encoders", _KNOWN)


def _encoder(module: str, name: str, params: str = "", fitted: str = "", **other: Spec) -> Schema:
    within = f"category_encoders.{module}"
    return _make(
        name, f"{_COMMON} {params}", f"{_FITTED} {fitted}", within=within, common=OUTPUT, **other
    )


_NOISE: Final = "random_state randomized sigma"

SCHEMAS: Final[tuple[Schema, ...]] = (
    *(
        _encoder(module, name, "mapping")
        for module, name in (
            ("backward_difference", "BackwardDifferenceEncoder"),
            ("helmert", "HelmertEncoder"),
            ("sum_coding", "SumEncoder"),
            ("polynomial", "PolynomialEncoder"),
        )
    ),
    *(
        _encoder(module, name, "mapping base")
        for module, name in (
            ("basen", "BaseNEncoder"),
            ("binary", "BinaryEncoder"),
            ("gray", "GrayEncoder"),
        )
    ),
    _encoder("ordinal", "OrdinalEncoder", "mapping index_start", "mapping_supplied?"),
    _encoder("one_hot", "OneHotEncoder", "mapping use_cat_names"),
    _encoder("multi_hot", "MultiHotEncoder", "delimiter use_cat_names"),
    _encoder("rankhot", "RankHotEncoder", "use_cat_names"),
    _encoder(
        "count",
        "CountEncoder",
        "normalize",
        "_min_group_categories? _normalize? _min_group_name? _combine_min_nan_groups?"
        " _min_group_size? _handle_unknown? _handle_missing?",
    ),
    _encoder(
        "count_target",
        "CountTargetEncoder",
        "min_samples_leaf smoothing",
        "counts_? _classes? _class_labels? _prior?",
    ),
    _encoder(
        "hashing",
        "HashingEncoder",
        "max_process max_sample n_components hash_method process_creation_method",
        "data_lines? X?",
    ),
    _encoder("leave_one_out", "LeaveOneOutEncoder", "random_state sigma", "_mean?"),
    _encoder("cat_boost", "CatBoostEncoder", "random_state sigma a", "_mean?"),
    _encoder(
        "target_encoder",
        "TargetEncoder",
        "min_samples_leaf smoothing hierarchy",
        "_mean? hierarchy_depth?",
    ),
    _encoder("woe", "WOEEncoder", f"{_NOISE} regularization", "_sum? _count?"),
    _encoder("m_estimate", "MEstimateEncoder", f"{_NOISE} m", "_sum? _count?"),
    _encoder("james_stein", "JamesSteinEncoder", f"{_NOISE} model"),
    _encoder("glmm", "GLMMEncoder", f"{_NOISE} binomial_target"),
    _encoder("quantile_encoder", "QuantileEncoder", "quantile m"),
    _encoder("quantile_encoder", "SummaryEncoder", "quantiles m", "encoder_list? drop_cols?"),
    _make(
        "PolynomialWrapper",
        "feature_encoder",
        "feature_encoders? label_encoder? feature_names_out_?",
        within="category_encoders.wrapper",
        common=OUTPUT,
    ),
)
