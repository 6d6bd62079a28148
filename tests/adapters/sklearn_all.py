"""All cases of all families: importing this registers every one of them."""

from __future__ import annotations

from . import (
    sklearn_cluster_cases,  # noqa: F401
    sklearn_decomposition_cases,  # noqa: F401
    sklearn_meta_cases,  # noqa: F401
    sklearn_neighbors_cases,  # noqa: F401
    sklearn_svm_cases,  # noqa: F401
)
from . import sklearn_boosting_cases  # noqa: F401
from . import sklearn_gaussian_cases  # noqa: F401
from . import sklearn_histogram_cases  # noqa: F401
from . import sklearn_lightgbm_cases  # noqa: F401
from . import sklearn_xgboost_cases  # noqa: F401
from . import sklearn_catboost_cases  # noqa: F401
from .sklearn_cases import CASES, Case, Fitted, outputs

__all__ = ["CASES", "Case", "Fitted", "outputs"]
