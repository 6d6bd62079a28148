"""State schemas of `sklearn.mixture`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Seq,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

_C, _F = "components", "features"
_SPREADS: Final[Mapping[str, tuple[str, ...]]] = {
    "full": (_C, _F, _F),
    "tied": (_F, _F),
    "diag": (_C, _F),
    "spherical": (_C,),
}
_SPREAD: Spec = either(*(floats(*dims) for dims in _SPREADS.values()))
_GIVEN: Spec = optional(
    *(Array("fiu", (None,) * rank) for rank in (1, 2, 3)), Seq(REAL), Seq(Seq(REAL))
)
_BOUND: Spec = either(REAL, floats(1))
_KNOWN: Final[Mapping[str, Spec]] = {
    "n_components": POSITIVE,
    "covariance_type": one_of(*_SPREADS),
    **each("tol reg_covar", NON_NEGATIVE),
    **each("max_iter n_init verbose_interval", COUNT),
    "init_params": one_of("kmeans", "k-means++", "random", "random_from_data"),
    "random_state": RANDOM_STATE,
    "warm_start": BOOL,
    "verbose": VERBOSE,
    **each("weights_init means_init precisions_init mean_prior", _GIVEN),
    "weight_concentration_prior_type": one_of("dirichlet_process", "dirichlet_distribution"),
    **each(
        "weight_concentration_prior mean_precision_prior degrees_of_freedom_prior",
        optional(NON_NEGATIVE),
    ),
    "covariance_prior": either(_GIVEN, NON_NEGATIVE),
    # What fitting adds
    "converged_": BOOL,
    "weights_": floats(_C),
    "means_": floats(_C, _F),
    **each("covariances_ precisions_cholesky_ precisions_", _SPREAD),
    "n_iter_": COUNT,
    "lower_bound_": _BOUND,
    "lower_bounds_": Seq(_BOUND),
    **each("weight_concentration_prior_ mean_precision_prior_ degrees_of_freedom_prior_", REAL),
    "mean_prior_": floats(_F),
    "covariance_prior_": either(REAL, floats(_F), floats(_F, _F)),
    "weight_concentration_": either(floats(_C), Seq(floats(_C), kinds=(tuple,))),
    "mean_precision_": floats(_C),
    "degrees_of_freedom_": either(REAL, floats(_C)),
}


def _spreads(state: Mapping[str, Any], scope: Scope) -> None:
    """The shape of a covariance is that of its type."""
    for name in ("covariances_", "precisions_cholesky_", "precisions_"):
        if name in state:
            dims = _SPREADS[str(state["covariance_type"])]
            if state[name].shape != tuple(scope.dims[dim] for dim in dims):
                raise SpecError(f"has another shape than ({', '.join(dims)})", f".{name}")


_make = table("sklearn.mixture", _KNOWN)
_PARAMS: Final = (
    "n_components covariance_type tol reg_covar max_iter n_init init_params random_state warm_start"
    " verbose verbose_interval"
)
_LEARNED: Final = (
    "converged_ weights_ means_ covariances_ precisions_cholesky_ precisions_ n_iter_ lower_bound_"
    " lower_bounds_?"  # 1.7 and later
)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "GaussianMixture",
        f"{_PARAMS} weights_init means_init precisions_init",
        _LEARNED,
        _spreads,
        within="sklearn.mixture._gaussian_mixture",
    ),
    _make(
        "BayesianGaussianMixture",
        f"{_PARAMS} weight_concentration_prior_type weight_concentration_prior"
        " mean_precision_prior mean_prior degrees_of_freedom_prior covariance_prior",
        f"{_LEARNED} weight_concentration_prior_ mean_precision_prior_ mean_prior_"
        " degrees_of_freedom_prior_ covariance_prior_ weight_concentration_ mean_precision_"
        " degrees_of_freedom_",
        _spreads,
        within="sklearn.mixture._bayesian_mixture",
    ),
)
