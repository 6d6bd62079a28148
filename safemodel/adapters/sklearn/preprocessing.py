"""State schemas of `sklearn.preprocessing` and `sklearn.impute`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.encoders import encoder_rule, one_hot_rule
from safemodel.adapters.sklearn.parts import DTYPE, FunctionFor, check_keywords, part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    CV,
    LABEL,
    MAX_FEATURES,
    NAME,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.spec import (
    Array,
    Distinct,
    Either,
    Estimator,
    Int,
    Items,
    Map,
    Objects,
    Scope,
    Seq,
    Spec,
    SpecError,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_RANGE: Spec = Items((REAL, REAL), (tuple, list))
_PER_FEATURE: Spec = optional(floats("features"))
_CATEGORIES: Spec = Seq(Labels())
_LABEL: Spec = optional(LABEL)
_STATISTIC: Spec = either(Array("fiub", ("features",)), Objects(_LABEL, ("features",)))
_GIVEN: Spec = either(one_of("auto"), Seq(either(Seq(_LABEL), Labels(), Objects(_LABEL, (None,)))))

_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "add_indicator accept_sparse check_inverse clip copy error_on_new"
        " ignore_implicit_zeros include_bias interaction_only keep_empty_features"
        " sparse_input_ sparse_output standardize unit_variance validate with_centering"
        " with_mean with_scaling with_std",
        BOOL,
    ),
    **each(
        "center_ data_max_ data_min_ data_range_ max_abs_ mean_ min_ scale_ var_",
        _PER_FEATURE,
    ),
    "cv": CV,
    "dtype": DTYPE,
    "n_samples_seen_": either(NON_NEGATIVE, Array("fiu", ("features",))),
    "order": one_of("C", "F"),
    "random_state": RANDOM_STATE,
    "subsample": optional(POSITIVE),
    # Encoders
    "categories": _GIVEN,
    "categories_": Seq(either(Labels(), Objects(_LABEL, (None,))), "features"),
    "drop": optional(one_of("first", "if_binary"), Seq(_LABEL), Labels(), Objects(_LABEL, (None,))),
    "handle_unknown": one_of(
        *("warn", "infrequent_if_exist", "ignore", "error", "use_encoded_value")
    ),
    "feature_name_combiner": one_of("concat"),
    "min_frequency": optional(NON_NEGATIVE),
    "max_categories": optional(POSITIVE),
    "_infrequent_enabled": BOOL,
    "_infrequent_indices": Seq(optional(ints(None, low=0)), "features"),
    "_default_to_infrequent_mappings": Seq(optional(ints(None, low=0)), "features"),
    "_drop_idx_after_grouping": optional(Objects(optional(COUNT), ("features",))),
    "drop_idx_": optional(Objects(optional(COUNT), ("features",))),
    "_n_features_outs": Seq(COUNT, "features"),
    "unknown_value": optional(REAL),
    "encoded_missing_value": REAL,
    "_missing_indices": Map(COUNT, COUNT),
    # Labels
    "neg_label": Int(),
    "pos_label": Int(),
    "y_type_": NAME,
}


def _num_combinations(
    n_features: int, min_degree: int, max_degree: int, interaction_only: bool, include_bias: bool
) -> int:
    """How many columns scikit-learn makes of so many features."""
    if interaction_only:
        degrees = range(max(1, min_degree), min(max_degree, n_features) + 1)
        count = sum(math.comb(n_features, degree) for degree in degrees)
    else:
        count = math.comb(n_features + max_degree, max_degree) - 1
        if min_degree > 0:
            count -= math.comb(n_features + min_degree - 1, min_degree - 1) - 1
    return count + include_bias


def _polynomial(state: Mapping[str, Any], scope: Scope) -> None:
    """Transforming fills an array of n_output_features_ columns, and nothing else of it."""
    if "n_output_features_" not in state:
        return
    degree = state["degree"]
    low, high = (0, degree) if isinstance(degree, int | np.integer) else degree
    if (state["_min_degree"], state["_max_degree"]) != (low, high):
        raise SpecError("differs from degree", "._max_degree")
    count = _num_combinations(
        n_features=int(state["n_features_in_"]),
        min_degree=int(low),
        max_degree=int(high),
        interaction_only=bool(state["interaction_only"]),
        include_bias=bool(state["include_bias"]),
    )
    if state["n_output_features_"] != count:
        raise SpecError(f"must be {count}", ".n_output_features_")
    full = _num_combinations(
        n_features=int(state["n_features_in_"]),
        min_degree=0,
        max_degree=int(high),
        interaction_only=bool(state["interaction_only"]),
        include_bias=bool(state["include_bias"]),
    )
    if state["_n_out_full"] not in (count, full):
        raise SpecError(f"must be {full}", "._n_out_full")


def _bins(state: Mapping[str, Any], scope: Scope) -> None:
    if "bin_edges_" not in state:
        return
    for index, (edges, count) in enumerate(zip(state["bin_edges_"], state["n_bins_"], strict=True)):
        if len(edges) != count + 1 and not (len(edges) == 2 and count == 1):
            raise SpecError(f"has {len(edges)} edges for {count} bins", f".bin_edges_[{index}]")
    encoder = state.get("_encoder")
    if encoder is not None:
        categories = vars(encoder).get("categories_")
        known = categories if type(categories) is list else []
        sizes = [one.size for one in known if type(one) is np.ndarray]
        if sizes != state["n_bins_"].tolist():
            raise SpecError("has other categories than there are bins", "._encoder")


def _spline(state: Mapping[str, Any], scope: Scope) -> None:
    """Transforming fills an array with the values of each feature's splines."""
    if "bsplines_" not in state:
        return
    degree, total = int(state["degree"]), 0
    splines = [scope.arguments(spline) for spline in state["bsplines_"]]
    for index, spline in enumerate(splines):
        if spline["k"] != degree or spline["c"].ndim != 2:
            raise SpecError(f"is not of degree {degree}", f".bsplines_[{index}]")
        if spline["c"].shape[0] != len(spline["t"]) - degree - 1:
            raise SpecError("has not one coefficient row a knot", f".bsplines_[{index}]")
        if spline["c"].shape != splines[0]["c"].shape:
            raise SpecError("has not the shape of the others", f".bsplines_[{index}]")
        total += spline["c"].shape[1] - (not state["include_bias"])
    if state["n_features_out_"] != total:
        raise SpecError(f"must be {total}", ".n_features_out_")


def _function(state: Mapping[str, Any], scope: Scope) -> None:
    """Keywords are those of the function's own schema."""
    for name, keywords in (("func", "kw_args"), ("inverse_func", "inv_kw_args")):
        try:
            check_keywords(state.get(name), state.get(keywords), scope)
        except SpecError as error:
            raise error.below(f".{keywords}") from None


def _indicator(state: Mapping[str, Any], scope: Scope) -> None:
    if "features_" in state and state["_n_features"] != state["n_features_in_"]:
        raise SpecError("differs from n_features_in_", "._n_features")


def _target(state: Mapping[str, Any], scope: Scope) -> None:
    """Encodings are looked up by category: one item a category, a list for each class."""
    if "encodings_" not in state:
        return
    encodings, categories = state["encodings_"], state["categories_"]
    classes = 1
    if state["target_type_"] == "multiclass" and state["classes_"] is not None:
        classes = len(state["classes_"])
    if len(encodings) != classes * len(categories):
        raise SpecError(f"must have {classes * len(categories)} items", ".encodings_")
    for index, encoding in enumerate(encodings):
        if len(encoding) != len(categories[index // classes]):
            raise SpecError("has not one item a category", f".encodings_[{index}]")


_P = "sklearn.preprocessing."
_make = table(_P[:-1], _KNOWN)


def _data(name: str, params: str, fitted: str = "", *rules: Any, **other: Spec) -> Schema:
    return _make(name, params, fitted, *rules, within=f"{_P}_data", **other)


SCHEMAS: Final[tuple[Schema, ...]] = (
    _data("StandardScaler", "with_mean with_std copy", "n_samples_seen_ mean_ var_ scale_"),
    _data(
        "MinMaxScaler",
        "feature_range copy clip",
        "n_samples_seen_ scale_ min_ data_min_ data_max_ data_range_",
        feature_range=_RANGE,
    ),
    _data("MaxAbsScaler", "copy clip", "n_samples_seen_ max_abs_ scale_"),
    _data(
        "RobustScaler",
        "with_centering with_scaling quantile_range unit_variance copy",
        "center_ scale_",
        quantile_range=_RANGE,
    ),
    _data("Normalizer", "norm copy", norm=one_of("l1", "l2", "max")),
    _data("Binarizer", "threshold copy", threshold=REAL),
    _data(
        "KernelCenterer", "", "K_fit_rows_ K_fit_all_", K_fit_rows_=floats(None), K_fit_all_=REAL
    ),
    _data(
        "PowerTransformer",
        "method standardize copy",
        "lambdas_ _scaler?",
        method=one_of("yeo-johnson", "box-cox"),
        lambdas_=floats("features"),
        _scaler=Estimator(("StandardScaler",), (("n_features_in_", "features"),)),
    ),
    _data(
        "QuantileTransformer",
        "n_quantiles output_distribution ignore_implicit_zeros subsample random_state copy",
        "n_quantiles_ references_ quantiles_",
        n_quantiles=POSITIVE,
        output_distribution=one_of("uniform", "normal"),
        n_quantiles_=Int(1, MAX_FEATURES, "quantiles"),
        references_=floats("quantiles"),
        quantiles_=floats("quantiles", "features"),
    ),
    _make(
        "PolynomialFeatures",
        "degree interaction_only include_bias order",
        "_min_degree _max_degree n_output_features_ _n_out_full",
        _polynomial,
        within=f"{_P}_polynomial",
        degree=either(Int(0, 64), Items((Int(0, 64), Int(0, 64)), (tuple, list))),
        _min_degree=Int(0, 64),
        _max_degree=Int(0, 64),
        n_output_features_=Int(0, 10**8),
        _n_out_full=Int(0, 10**9),
    ),
    _make(
        "SplineTransformer",
        "n_knots degree knots extrapolation include_bias order handle_missing sparse_output",
        "bsplines_ n_features_out_",
        _spline,
        within=f"{_P}_polynomial",
        n_knots=POSITIVE,
        degree=Int(0, 64),
        knots=either(one_of("uniform", "quantile"), Array("fiu", (None, None))),
        extrapolation=one_of("error", "constant", "linear", "continue", "periodic"),
        handle_missing=one_of("error", "zeros"),
        bsplines_=Seq(part_kinds("BSpline"), "features"),
        n_features_out_=COUNT,
    ),
    _make(
        "KBinsDiscretizer",
        "n_bins encode strategy quantile_method dtype subsample random_state",
        "bin_edges_ n_bins_ _encoder?",
        _bins,
        within=f"{_P}_discretization",
        n_bins=either(Int(2, MAX_FEATURES), Array("iu", (None,)), Seq(POSITIVE)),
        encode=one_of("onehot", "onehot-dense", "ordinal"),
        strategy=one_of("uniform", "quantile", "kmeans"),
        quantile_method=NAME,
        dtype=optional(DTYPE),
        bin_edges_=Objects(floats(None), ("features",)),
        n_bins_=ints("features", low=1),
        _encoder=Estimator(("OneHotEncoder",), (("n_features_in_", "features"),)),
    ),
    _make(
        "OneHotEncoder",
        "categories drop sparse_output dtype handle_unknown min_frequency max_categories"
        " feature_name_combiner",
        "_infrequent_enabled categories_ _drop_idx_after_grouping drop_idx_ _n_features_outs"
        " _infrequent_indices? _default_to_infrequent_mappings?",
        encoder_rule,
        one_hot_rule,
        within=f"{_P}_encoders",
        private=("categories_", "_default_to_infrequent_mappings", "_infrequent_indices"),
    ),
    _make(
        "OrdinalEncoder",
        "categories dtype handle_unknown unknown_value encoded_missing_value min_frequency"
        " max_categories",
        "_infrequent_enabled categories_ _missing_indices _infrequent_indices?"
        " _default_to_infrequent_mappings?",
        encoder_rule,
        within=f"{_P}_encoders",
    ),
    _make(
        "TargetEncoder",
        "categories target_type smooth cv shuffle random_state",
        "_infrequent_enabled categories_ target_type_ classes_ target_mean_ encodings_",
        encoder_rule,
        _target,
        within=f"{_P}_target_encoder",
        target_type=one_of("auto", "continuous", "binary", "multiclass"),
        smooth=either(one_of("auto"), NON_NEGATIVE),
        shuffle=either(BOOL, one_of("deprecated")),
        random_state=Either((RANDOM_STATE, one_of("deprecated"))),
        target_type_=one_of("continuous", "binary", "multiclass"),
        classes_=optional(Labels()),
        target_mean_=either(REAL, floats(None)),
        encodings_=Seq(floats(None)),
    ),
    _make(
        "LabelEncoder",
        "",
        "classes_",
        within=f"{_P}_label",
        classes_=either(Labels(), Objects(_LABEL, (None,))),
        common=OUTPUT,
    ),
    _make(
        "LabelBinarizer",
        "neg_label pos_label sparse_output",
        "y_type_ sparse_input_ classes_",
        within=f"{_P}_label",
        classes_=Labels(),
        common=OUTPUT,
    ),
    _make(
        "MultiLabelBinarizer",
        "classes sparse_output",
        "classes_ _cached_dict?",
        within=f"{_P}_label",
        classes=optional(Seq(LABEL), Labels()),
        classes_=Distinct(Labels()),
        _cached_dict=one_of(None),
        resets=("_cached_dict",),
        common=OUTPUT,
    ),
    _make(
        "FunctionTransformer",
        "func inverse_func validate accept_sparse check_inverse feature_names_out kw_args"
        " inv_kw_args",
        "",
        _function,
        within=f"{_P}_function_transformer",
        func=optional(FunctionFor("transform")),
        inverse_func=optional(FunctionFor("transform")),
        feature_names_out=optional(one_of("one-to-one")),
        **dict.fromkeys(
            ("kw_args", "inv_kw_args"), optional(Map(NAME, optional(REAL, Array("fiu", (None,)))))
        ),
    ),
    _make(
        "SimpleImputer",
        "missing_values add_indicator keep_empty_features strategy fill_value copy",
        "_fit_dtype _fill_dtype? indicator_ statistics_",
        within="sklearn.impute._base",
        missing_values=_LABEL,
        strategy=one_of("mean", "median", "most_frequent", "constant"),
        fill_value=_LABEL,
        _fit_dtype=DTYPE,
        _fill_dtype=DTYPE,
        indicator_=optional(Estimator(("MissingIndicator",), (("n_features_in_", "features"),))),
        statistics_=_STATISTIC,
    ),
    _make(
        "MissingIndicator",
        "missing_values features sparse error_on_new",
        "_precomputed _n_features features_",
        _indicator,
        within="sklearn.impute._base",
        missing_values=_LABEL,
        features=one_of("missing-only", "all"),
        sparse=either(BOOL, one_of("auto")),
        _precomputed=BOOL,
        _n_features=COUNT,
        features_=ints(None, low=0, high="features"),
    ),
)
