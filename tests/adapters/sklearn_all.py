"""All cases of all families: importing this registers every one of them."""

from __future__ import annotations

from . import sklearn_neighbors_cases  # noqa: F401
from . import sklearn_svm_cases  # noqa: F401
from .sklearn_cases import CASES, Case, Fitted, outputs

__all__ = ["CASES", "Case", "Fitted", "outputs"]
