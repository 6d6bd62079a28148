"""State schemas of pipelines, unions and column transformers, and of a few simple estimators.

`memory` is only None: a cache directory is full of pickles. Columns and steps are checked for
their structure; each step checks its own input, as scikit-learn's steps do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.frames import IndexFacts, RangeFacts
from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    LABEL,
    MAX_FEATURES,
    N_JOBS,
    NAME,
    NON_NEGATIVE,
    OUTPUT,
    RANDOM_STATE,
    REAL,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Exactly,
    Int,
    Items,
    Map,
    Objects,
    Scope,
    Seq,
    Spec,
    SpecError,
    Text,
    describe,
    either,
    floats,
    ints,
    one_of,
    optional,
)


def _slice(value: Any, scope: Scope) -> None:
    for part in (value.start, value.stop, value.step):
        optional(Int(), Text()).check(part, scope)


_SLICE: Spec = Exactly(lambda: (slice,), "a slice", _slice)
_COLUMNS: Spec = either(
    Text(),
    Int(),
    Seq(either(Text(), BOOL, Int())),
    Array("biuU", (None,)),
    Objects(either(Text(), Int()), (None,)),
    _SLICE,
    part_kinds("make_column_selector"),
)
_STEP: Spec = either(one_of(None, "passthrough", "drop"), Estimator())
_TRANSFORMERS: Spec = Seq(Items((NAME, _STEP, _COLUMNS), (tuple, list)))
_PAIRS: Spec = Seq(Items((NAME, _STEP), (tuple, list)))


@dataclass(frozen=True)
class _FrameColumns:
    """The columns of a frame: an index of pandas, or the list of names that polars gives."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is list:
            Seq(Text()).check(value, scope)
        elif not isinstance(scope.library.frame(value), IndexFacts | RangeFacts):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return "the columns of a frame"


_PRIORS: Spec = optional(Seq(REAL), Array("fiu", (None,)))

_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "force_alpha fit_prior sparse_output_ verbose",
        BOOL,
    ),
    "verbose_feature_names_out": BOOL,
    "n_jobs": N_JOBS,
    "memory": one_of(None),
    "steps": _PAIRS,
    "transformer_list": _PAIRS,
    "transform_input": optional(Seq(Text())),
    "transformer_weights": optional(Map(NAME, REAL)),
    "random_state": RANDOM_STATE,
    "n_outputs_": Int(1, MAX_FEATURES, "outputs"),
    # Naive Bayes
    "alpha": either(REAL, Array("fiu", (None,)), Seq(REAL)),
    "class_prior": _PRIORS,
    "classes_": Labels("classes"),
    "class_count_": floats("classes"),
    "class_log_prior_": either(floats("classes"), ints("classes")),
    "feature_count_": floats("classes", "features"),
    "feature_log_prob_": floats("classes", "features"),
}


def _unique(name: str) -> Any:
    """Return the rule that the pairs in an attribute have different names."""

    def rule(state: Mapping[str, Any], scope: Scope) -> None:
        names = [entry[0] for entry in state.get(name, ())]
        if len(set(names)) != len(names):
            raise SpecError("has the same name twice", f".{name}")

    return rule


def _columns(state: Mapping[str, Any], scope: Scope) -> None:
    """What was fitted must be about the transformers that were given."""
    if "transformers_" not in state:
        return
    names = [entry[0] for entry in state["transformers"]]
    fitted = [entry[0] for entry in state["transformers_"]]
    if fitted not in (names, [*names, "remainder"]):
        raise SpecError("has other names than transformers", ".transformers_")
    if len(state["_columns"]) != len(names):
        raise SpecError("has not one item a transformer", "._columns")
    for name, indices in state["_transformer_to_input_indices"].items():
        if any(index >= state["n_features_in_"] for index in indices):
            raise SpecError("is no column", f"._transformer_to_input_indices[{name!r}]")


def _outputs(state: Mapping[str, Any], scope: Scope) -> None:
    """Each output has its classes, and as many as they are said to be."""
    if "n_outputs_" not in state:
        return
    several = isinstance(state["classes_"], list | tuple)
    names = ("classes_", "class_prior_", "n_classes_")
    values = [state[name] if several else [state[name]] for name in names]
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, list | tuple) or len(value) != state["n_outputs_"]:
            raise SpecError("has not one item an output", f".{name}")
    for classes, prior, count in zip(*values, strict=True):
        if not np.ndim(classes) == np.ndim(prior) == 1 or not len(classes) == len(prior) == count:
            raise SpecError("does not fit classes_", ".n_classes_")


def _categorical(state: Mapping[str, Any], scope: Scope) -> None:
    if "n_categories_" not in state:
        return
    for name in ("category_count_", "feature_log_prob_"):
        for index, (table_, count) in enumerate(
            zip(state[name], state["n_categories_"], strict=True)
        ):
            if table_.shape[1] != count:
                raise SpecError(f"has not {count} columns", f".{name}[{index}]")


_make = table("sklearn.naive_bayes", _KNOWN)
_COUNTED = "classes_ class_count_ feature_count_ feature_log_prob_ class_log_prior_"
_BAYES = "alpha fit_prior class_prior force_alpha"

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "Pipeline",
        "steps transform_input memory verbose",
        "",
        _unique("steps"),
        within="sklearn.pipeline",
        common={},
    ),
    _make(
        "FeatureUnion",
        "transformer_list n_jobs transformer_weights verbose verbose_feature_names_out",
        "_transformers_feature_names_out?",
        _unique("transformer_list"),
        within="sklearn.pipeline",
        common=OUTPUT,
        _transformers_feature_names_out=Seq(_FrameColumns()),
    ),
    _make(
        "ColumnTransformer",
        "transformers remainder sparse_threshold n_jobs transformer_weights verbose"
        " verbose_feature_names_out force_int_remainder_cols",
        "_columns _transformer_to_input_indices _remainder sparse_output_ transformers_"
        " output_indices_ _transformers_feature_names_out?",
        _unique("transformers"),
        _unique("transformers_"),
        _columns,
        within="sklearn.compose._column_transformer",
        transformers=_TRANSFORMERS,
        remainder=_STEP,
        sparse_threshold=NON_NEGATIVE,
        force_int_remainder_cols=either(BOOL, one_of("deprecated")),
        _columns=Seq(_COLUMNS),
        _transformer_to_input_indices=Map(NAME, either(Seq(COUNT), ints(None, low=0))),
        _remainder=Items((one_of("remainder"), _STEP, _COLUMNS)),
        transformers_=_TRANSFORMERS,
        output_indices_=Map(NAME, _SLICE),
        _transformers_feature_names_out=either(Array("US", (None,)), Objects(Text(), (None,))),
    ),
    _make(
        "DummyClassifier",
        "strategy random_state constant",
        "_strategy sparse_output_ n_outputs_ classes_ n_classes_ class_prior_",
        _outputs,
        within="sklearn.dummy",
        **dict.fromkeys(
            ("strategy", "_strategy"),
            one_of("most_frequent", "prior", "stratified", "uniform", "constant"),
        ),
        constant=optional(LABEL, Seq(LABEL), Labels()),
        classes_=either(Labels(), Seq(Labels())),
        n_classes_=either(Int(0), Seq(Int(0))),
        class_prior_=either(floats(None), Seq(floats(None))),
    ),
    _make(
        "DummyRegressor",
        "strategy constant quantile",
        "n_outputs_ constant_",
        within="sklearn.dummy",
        strategy=one_of("mean", "median", "quantile", "constant"),
        constant=optional(REAL, Seq(REAL), Array("fiu", (None,)), Array("fiu", (None, None))),
        quantile=optional(REAL),
        constant_=Array("fiu", (1, "outputs")),
    ),
    _make(
        "GaussianNB",
        "priors var_smoothing",
        "classes_ epsilon_ theta_ var_ class_count_ class_prior_",
        priors=_PRIORS,
        var_smoothing=REAL,
        epsilon_=REAL,
        **dict.fromkeys(("theta_", "var_"), floats("classes", "features")),
        class_prior_=either(floats("classes"), Seq(REAL, "classes")),
    ),
    _make("BernoulliNB", f"{_BAYES} binarize", _COUNTED, binarize=optional(REAL)),
    _make("MultinomialNB", _BAYES, _COUNTED),
    _make(
        "ComplementNB",
        f"{_BAYES} norm",
        f"{_COUNTED} feature_all_",
        norm=BOOL,
        feature_all_=floats("features"),
    ),
    _make(
        "CategoricalNB",
        f"{_BAYES} min_categories",
        "classes_ class_count_ category_count_ n_categories_ feature_log_prob_ class_log_prior_",
        _categorical,
        min_categories=optional(COUNT, Seq(COUNT), ints(None)),
        **dict.fromkeys(
            ("category_count_", "feature_log_prob_"), Seq(floats("classes", None), "features")
        ),
        n_categories_=ints("features", low=0),
    ),
)
