"""The metrics that a scorer may hold, and the score functions that feature selection may call.

A metric gets the true and the predicted targets, a score function the data and the targets: each
is a function of scikit-learn that was read, and returns numbers without any side effect. Its
keywords have a schema; what would take code (`metric=`, `kwds`) is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from safemodel.adapters.sklearn.parts import Function
from safemodel.adapters.sklearn.schema import BOOL, LABEL, N_JOBS, RANDOM_STATE, REAL, Labels
from safemodel.adapters.sklearn.spec import Array, Int, Real, Seq, Spec, either, one_of, optional

_LABELS: Final[Spec] = optional(Seq(LABEL), Labels())
_WEIGHT: Final[Spec] = optional(Array("fiu", (None,)), Seq(REAL))
_AVERAGE: Final[Spec] = optional(one_of("binary", "micro", "macro", "weighted", "samples"))
_MEAN: Final[Spec] = one_of("arithmetic", "min", "geometric", "max")
_UNDEFINED: Final[Spec] = either(one_of("warn"), REAL)
_OUTPUTS: Final[Spec] = either(
    one_of("uniform_average", "variance_weighted", "raw_values"),
    Seq(REAL),
    Array("fiu", (None,)),
)
_WEIGHTED: Final[Mapping[str, Spec]] = {"sample_weight": _WEIGHT}
_NORMALIZED: Final[Mapping[str, Spec]] = {**_WEIGHTED, "normalize": BOOL}
_AVERAGED: Final[Mapping[str, Spec]] = {
    **_WEIGHTED,
    "labels": _LABELS,
    "pos_label": optional(LABEL),
    "average": _AVERAGE,
    "zero_division": _UNDEFINED,
}
_PROBABILITY: Final[Mapping[str, Spec]] = {
    **_WEIGHTED,
    "labels": _LABELS,
    "pos_label": optional(LABEL),
}
_REGRESSION: Final[Mapping[str, Spec]] = {**_WEIGHTED, "multioutput": _OUTPUTS}
_FINITE: Final[Mapping[str, Spec]] = {**_REGRESSION, "force_finite": BOOL}
_RANKED: Final[Mapping[str, Spec]] = {
    **_WEIGHTED,
    "k": optional(Int(1)),
    "ignore_ties": BOOL,
}


def _metrics(module: str, **metrics: Mapping[str, Spec]) -> tuple[Function, ...]:
    full = f"sklearn.metrics.{module}"
    return tuple(Function(full, name, keys, ("metric",)) for name, keys in metrics.items())


def _scores(module: str, **scores: Mapping[str, Spec]) -> tuple[Function, ...]:
    full = f"sklearn.feature_selection.{module}"
    return tuple(Function(full, name, keys, ("score",)) for name, keys in scores.items())


_INFORMATION: Final[Mapping[str, Spec]] = {
    "discrete_features": either(
        BOOL, one_of("auto"), Seq(either(BOOL, Int(0))), Array("bi", (None,))
    ),
    "n_neighbors": Int(1, 1_000_000),
    "copy": BOOL,
    "random_state": RANDOM_STATE,
    "n_jobs": N_JOBS,
}
_CORRELATION: Final[Mapping[str, Spec]] = {"center": BOOL, "force_finite": BOOL}

FUNCTIONS: Final[tuple[Function, ...]] = (
    *_metrics(
        "_classification",
        accuracy_score=_NORMALIZED,
        balanced_accuracy_score={**_WEIGHTED, "adjusted": BOOL},
        brier_score_loss={**_PROBABILITY, "scale_by_half": either(BOOL, one_of("auto"))},
        cohen_kappa_score={
            **_WEIGHTED,
            "labels": _LABELS,
            "weights": optional(one_of("linear", "quadratic")),
            "replace_undefined_by": REAL,
        },
        d2_brier_score=_PROBABILITY,
        d2_log_loss_score={**_WEIGHTED, "labels": _LABELS},
        f1_score=_AVERAGED,
        fbeta_score={**_AVERAGED, "beta": Real(0)},
        hamming_loss=_WEIGHTED,
        hinge_loss={**_WEIGHTED, "labels": _LABELS},
        jaccard_score=_AVERAGED,
        log_loss={**_NORMALIZED, "labels": _LABELS},
        matthews_corrcoef=_WEIGHTED,
        precision_score=_AVERAGED,
        recall_score=_AVERAGED,
        zero_one_loss=_NORMALIZED,
    ),
    *_metrics(
        "_ranking",
        average_precision_score={**_WEIGHTED, "average": _AVERAGE, "pos_label": LABEL},
        coverage_error=_WEIGHTED,
        dcg_score={**_RANKED, "log_base": Real(0)},
        label_ranking_average_precision_score=_WEIGHTED,
        label_ranking_loss=_WEIGHTED,
        ndcg_score=_RANKED,
        roc_auc_score={
            **_WEIGHTED,
            "average": _AVERAGE,
            "max_fpr": optional(Real(0, 1)),
            "multi_class": one_of("raise", "ovr", "ovo"),
            "labels": _LABELS,
        },
        top_k_accuracy_score={**_NORMALIZED, "k": Int(1), "labels": _LABELS},
    ),
    *_metrics(
        "_regression",
        d2_absolute_error_score=_REGRESSION,
        d2_pinball_score={**_REGRESSION, "alpha": Real(0, 1)},
        d2_tweedie_score={**_WEIGHTED, "power": REAL},
        explained_variance_score=_FINITE,
        max_error={},
        mean_absolute_error=_REGRESSION,
        mean_absolute_percentage_error=_REGRESSION,
        mean_gamma_deviance=_WEIGHTED,
        mean_pinball_loss={**_REGRESSION, "alpha": Real(0, 1)},
        mean_poisson_deviance=_WEIGHTED,
        mean_squared_error=_REGRESSION,
        mean_squared_log_error=_REGRESSION,
        mean_tweedie_deviance={**_WEIGHTED, "power": REAL},
        median_absolute_error=_REGRESSION,
        r2_score=_FINITE,
        root_mean_squared_error=_REGRESSION,
        root_mean_squared_log_error=_REGRESSION,
    ),
    *_metrics(
        "cluster._supervised",
        adjusted_mutual_info_score={"average_method": _MEAN},
        adjusted_rand_score={},
        completeness_score={},
        fowlkes_mallows_score={},
        homogeneity_score={},
        mutual_info_score={},
        normalized_mutual_info_score={"average_method": _MEAN},
        rand_score={},
        v_measure_score={"beta": Real(0)},
    ),
    *_metrics(
        "_scorer",
        negative_likelihood_ratio={},
        positive_likelihood_ratio={},
    ),
    *_scores(
        "_univariate_selection",
        chi2={},
        f_classif={},
        f_regression=_CORRELATION,
        r_regression=_CORRELATION,
    ),
    *_scores(
        "_mutual_info",
        mutual_info_classif=_INFORMATION,
        mutual_info_regression=_INFORMATION,
    ),
)
