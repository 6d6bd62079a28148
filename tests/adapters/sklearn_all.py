"""All cases of all families: importing this registers every one of them."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from . import (
    sklearn_boosting_cases,  # noqa: F401
    sklearn_cluster_cases,  # noqa: F401
    sklearn_decomposition_cases,  # noqa: F401
    sklearn_gaussian_cases,  # noqa: F401
    sklearn_histogram_cases,  # noqa: F401
    sklearn_meta_cases,  # noqa: F401
    sklearn_neighbors_cases,  # noqa: F401
    sklearn_svm_cases,  # noqa: F401
)
from .sklearn_cases import CASES, Case, Fitted, outputs

# Families of libraries that need not be installed.
for _package, _family in (
    ("catboost", "sklearn_catboost_cases"),
    ("category_encoders", "sklearn_category_cases"),
    ("imblearn", "sklearn_imbalanced_cases"),
    ("lightgbm", "sklearn_lightgbm_cases"),
    ("xgboost", "sklearn_xgboost_cases"),
):
    if find_spec(_package) is not None:
        importlib.import_module(f".{_family}", __package__)

__all__ = ["CASES", "Case", "Fitted", "outputs"]
