"""The names of kernels and metrics, for the schemas of estimators that compare rows.

Functions are permitted only when they are listed (`functions.py`); any other name is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.parts import FunctionFor
from safemodel.adapters.sklearn.schema import BOOL, REAL
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import Array, Map, Spec, either, one_of, optional

KERNELS: Final = (
    *("additive_chi2", "chi2", "cosine", "laplacian", "linear", "poly", "polynomial"),
    *("precomputed", "rbf", "sigmoid"),
)
KERNEL: Final[Spec] = either(one_of(*KERNELS), FunctionFor("kernel"))
KERNEL_PARAMS: Final[Spec] = optional(
    Map(
        one_of("gamma", "degree", "coef0", "dense_output"),
        optional(BOOL, REAL),
    )
)

METRICS: Final = (
    *("braycurtis", "canberra", "chebyshev", "cityblock", "correlation", "cosine", "dice"),
    *("euclidean", "hamming", "haversine", "infinity", "jaccard", "kulsinski", "l1", "l2"),
    *("mahalanobis", "manhattan", "matching", "minkowski", "nan_euclidean", "p", "precomputed"),
    *("pyfunc", "rogerstanimoto", "russellrao", "seuclidean", "sokalmichener", "sokalsneath"),
    *("sqeuclidean", "wminkowski", "yule"),
)
METRIC: Final[Spec] = either(one_of(*METRICS), FunctionFor("metric"))
METRIC_PARAMS: Final[Spec] = optional(
    Map(
        one_of("p", "w", "V", "VI", "squared"),
        either(BOOL, REAL, Array("fiu", (None,)), Array("fiu", (None, None))),
    )
)
SEARCH: Final[Spec] = one_of("auto", "ball_tree", "kd_tree", "brute")
EIGEN_SOLVER: Final[Spec] = optional(
    one_of("auto", "dense", "arpack", "randomized", "lobpcg", "amg")
)


def covariance_rule(state: Mapping[str, Any], scope: Scope) -> None:
    """Only a ball tree compares VI with the data: scipy read wild memory where it was too small."""
    given = state.get("metric_params")
    algorithm = state.get("algorithm", state.get("neighbors_algorithm"))
    if type(given) is dict and "VI" in given and algorithm != "ball_tree":
        raise SpecError("has VI, which needs the algorithm 'ball_tree'", ".metric_params")
