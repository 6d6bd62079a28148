"""Scorers: the names that `scoring=` may be, and the objects that `make_scorer` makes.

A scorer holds one of the listed metrics (`metrics.py`) with keywords that it is known to take, and
the method of an estimator that it asks. Implements spec/sklearn.md, "Estimators".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.parts import (
    FunctionFor,
    Part,
    attributes,
    check_keywords,
    part_kinds,
)
from safemodel.adapters.sklearn.schema import BOOL, NAME
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Seq,
    Spec,
    Text,
    either,
    one_of,
    optional,
)

NAMES: Final = (
    "accuracy", "adjusted_mutual_info_score", "adjusted_rand_score", "average_precision",
    "balanced_accuracy", "completeness_score", "d2_absolute_error_score", "d2_brier_score",
    "d2_log_loss_score", "explained_variance", "f1", "f1_macro", "f1_micro", "f1_samples",
    "f1_weighted", "fowlkes_mallows_score", "homogeneity_score", "jaccard", "jaccard_macro",
    "jaccard_micro", "jaccard_samples", "jaccard_weighted", "matthews_corrcoef", "max_error",
    "mutual_info_score", "neg_brier_score", "neg_log_loss", "neg_max_error",
    "neg_mean_absolute_error", "neg_mean_absolute_percentage_error", "neg_mean_gamma_deviance",
    "neg_mean_poisson_deviance", "neg_mean_squared_error", "neg_mean_squared_log_error",
    "neg_median_absolute_error", "neg_negative_likelihood_ratio", "neg_root_mean_squared_error",
    "neg_root_mean_squared_log_error", "normalized_mutual_info_score", "positive_likelihood_ratio",
    "precision", "precision_macro", "precision_micro", "precision_samples", "precision_weighted",
    "r2", "rand_score", "recall", "recall_macro", "recall_micro", "recall_samples",
    "recall_weighted", "roc_auc", "roc_auc_ovo", "roc_auc_ovo_weighted", "roc_auc_ovr",
    "roc_auc_ovr_weighted", "top_k_accuracy", "v_measure_score",
)  # fmt: skip

_MODULE: Final = "sklearn.metrics._scorer"
SCORER: Final[Spec] = part_kinds("_Scorer", "_PassthroughScorer")
NAMED_SCORER: Final[Spec] = either(one_of(*NAMES), SCORER)
# One score, and several
SCORING: Final[Spec] = optional(NAMED_SCORER)
SCORINGS: Final[Spec] = optional(
    NAMED_SCORER,
    part_kinds("_MultimetricScorer"),
    Seq(one_of(*NAMES)),
    Map(NAME, NAMED_SCORER),
)
_RESPONSE: Final[Spec] = one_of("predict", "predict_proba", "decision_function")
_REQUEST: Final[Mapping[str, Spec]] = {"_metadata_request?": part_kinds("MetadataRequest")}


class _Keywords:
    """The spec of keywords: `check_more` compares them with the function's own."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not dict:
            raise SpecError("is no dict of keywords")

    def __str__(self) -> str:
        return "a dict of keywords"


def _scored(arguments: Mapping[str, Any], scope: Scope) -> None:
    try:
        check_keywords(arguments["_score_func"], arguments["_kwargs"], scope)
    except SpecError as error:
        raise error.below("._kwargs") from None


def _scorer(name: str, **more: Spec) -> Part:
    specs: dict[str, Spec] = {
        "_score_func": FunctionFor("metric"),
        "_sign": one_of(1, -1),
        "_kwargs": _Keywords(),
        "_response_method": either(_RESPONSE, Seq(_RESPONSE)),
        "_deprecation_msg?": optional(Text(4096)),  # up to scikit-learn 1.7
        **more,
        **_REQUEST,
    }
    return Part(_MODULE, name, specs, attributes, late=True, check_more=_scored)


PARTS: Final[tuple[Part, ...]] = (
    _scorer("_Scorer"),
    _scorer("_CurveScorer", _thresholds=either(Int(1, 1_000_000), Array("f", (None,)))),
    Part(
        _MODULE,
        "_PassthroughScorer",
        {"_estimator": Estimator(), **_REQUEST},
        attributes,
        late=True,
    ),
    Part(
        _MODULE,
        "_MultimetricScorer",
        {"_scorers": Map(NAME, SCORER), "_raise_exc": BOOL},
        attributes,
        late=True,
    ),
)
