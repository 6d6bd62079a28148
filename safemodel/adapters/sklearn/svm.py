"""State schemas of `sklearn.svm`: libsvm's arrays, whose counts must all agree.

libsvm builds a C structure of these arrays at each prediction and follows the numbers in it:
supports as columns of the caller's matrix, numbers of supports a class as offsets into all
coefficients. None of them is checked there, so all of them are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.linear import COEF, rows_rule
from safemodel.adapters.sklearn.parts import FunctionFor
from safemodel.adapters.sklearn.schema import (
    BOOL,
    CLASS_WEIGHT,
    COUNT,
    FITTED,
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
from safemodel.adapters.sklearn.sparse import SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Int,
    Items,
    Real,
    Scope,
    Seq,
    Spec,
    SpecError,
    either,
    floats,
    ints,
    one_of,
)

_MAX_CACHE: Final = 1 << 24  # in megabytes; memory is taken only as it is needed
_KERNELS: Final = ("linear", "poly", "rbf", "sigmoid", "precomputed")
_KERNEL: Final = FunctionFor("kernel")
_MATRIX: Final[Spec] = either(floats(None, None), SparseMatrix(None, None))

_KNOWN: Final[Mapping[str, Spec]] = {
    **each("break_ties fit_intercept shrinking _sparse _effective_probability", BOOL),
    **each("C coef0 intercept_scaling", REAL),
    **each("epsilon nu tol", NON_NEGATIVE),
    "cache_size": Real(0, _MAX_CACHE),
    "class_weight": CLASS_WEIGHT,
    "decision_function_shape": one_of("ovr", "ovo"),
    "degree": Int(0, 2**31 - 1),
    "dual": either(BOOL, one_of("auto", "warn")),
    "gamma": either(NON_NEGATIVE, one_of("scale", "auto")),
    "kernel": either(one_of(*_KERNELS), _KERNEL),
    "loss": one_of(
        *("hinge", "squared_hinge", "epsilon_insensitive", "squared_epsilon_insensitive")
    ),
    "max_iter": Int(-1, 2**31 - 1),
    "multi_class": one_of("ovr", "crammer_singer"),
    "penalty": one_of("l1", "l2"),
    "probability": either(BOOL, one_of("deprecated")),
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    # What fitting adds
    "class_weight_": floats("classes"),
    "classes_": Labels("classes"),
    "coef_": COEF,
    "dual_coef_": _MATRIX,
    "_dual_coef_": _MATRIX,
    "fit_status_": Int(0, 1),
    "_gamma": REAL,
    "intercept_": either(REAL, floats(None)),
    "_intercept_": floats(None),
    "n_iter_": either(COUNT, ints(None)),
    "_num_iter": ints(None),
    "_n_support": Array("i", (None,)),
    "offset_": floats(None),
    "_probA": floats(None),
    "_probB": floats(None),
    "shape_fit_": either(Items((COUNT, COUNT)), Items((COUNT,)), Seq(COUNT)),
    "support_": Array("i", ("supports",), 0),
    "support_vectors_": _MATRIX,
    "_BaseLibSVM__Xfit": either(Array("biuf", (None, None)), SparseMatrix(None, None)),
}


def _libsvm(state: Mapping[str, Any], scope: Scope) -> None:
    """Compare everything that libsvm counts with everything else."""
    if "support_" not in state:
        return
    supports = len(state["support_"])
    classes = len(state["classes_"]) if "classes_" in state else 2
    is_classifier = "classes_" in state
    pairs = classes * (classes - 1) // 2
    if classes < 2:
        raise SpecError("has fewer than two classes", ".classes_")
    for name in ("intercept_", "_intercept_"):
        if np.shape(state[name]) != (pairs,):
            raise SpecError(f"must have {pairs} items", f".{name}")
    _supports_a_class(state, classes, supports, is_classifier)
    for name in ("dual_coef_", "_dual_coef_"):
        _coefficients(state, name, (classes - 1, supports))
    _probabilities(state, pairs, is_classifier)
    _vectors(state, scope, supports)


def _supports_a_class(
    state: Mapping[str, Any], classes: int, supports: int, is_classifier: bool
) -> None:
    counts = state["_n_support"]
    if counts.dtype != np.int32 or len(counts) != classes:
        raise SpecError(f"must have {classes} 32-bit items", "._n_support")
    if state["support_"].dtype != np.int32:
        raise SpecError("must have 32-bit items", ".support_")
    if is_classifier and (counts.min() < 0 or int(counts.sum(dtype=np.int64)) != supports):
        raise SpecError(f"does not add up to {supports} supports", "._n_support")
    # Where a regressor learned from sparse data, libsvm left these numbers undefined
    if not is_classifier and not state["_sparse"] and (counts != supports).any():
        raise SpecError(f"must be {supports} twice", "._n_support")


def _coefficients(state: Mapping[str, Any], name: str, shape: tuple[int, int]) -> None:
    matrix = state[name]
    if isinstance(matrix, np.ndarray) is bool(state["_sparse"]):
        raise SpecError("does not fit _sparse", f".{name}")
    if tuple(matrix.shape) != shape and not (shape[1] == 0 and matrix.shape[1] == 0):
        raise SpecError(f"must have the shape {shape}", f".{name}")
    if isinstance(matrix, np.ndarray):
        return
    # libsvm takes the data for the whole matrix, row by row: none may be left out
    arrays = vars(matrix)
    if len(arrays["data"]) != matrix.shape[0] * shape[1] or arrays["data"].dtype != np.float64:
        raise SpecError("leaves coefficients out", f".{name}")
    if (arrays["indices"] != np.tile(np.arange(shape[1]), matrix.shape[0])).any():
        raise SpecError("has coefficients in another order", f".{name}")


def _probabilities(state: Mapping[str, Any], pairs: int, is_classifier: bool) -> None:
    sizes = {len(state["_probA"]), len(state["_probB"])}
    if not is_classifier:
        pairs = 0  # libsvm would copy numbers that are not there
    if len(sizes) != 1 or not sizes <= {0, pairs}:
        raise SpecError(f"must have {pairs} items, as _probB, or none", "._probA")
    if "_effective_probability" in state:
        if state["_effective_probability"] != (sizes != {0}):
            raise SpecError("does not fit _probA", "._effective_probability")
    # Other releases hand `probability` itself to libsvm, which copies what is not there
    elif sizes == {0} and state["_sparse"] and state["probability"]:
        raise SpecError("must have items where there are probabilities", "._probA")


def _vectors(state: Mapping[str, Any], scope: Scope, supports: int) -> None:
    kernel, vectors, is_sparse = state["kernel"], state["support_vectors_"], state["_sparse"]
    if isinstance(vectors, np.ndarray) is bool(is_sparse):
        raise SpecError("does not fit _sparse", ".support_vectors_")
    is_callable = type(kernel) not in (str, np.str_)
    rows = state["shape_fit_"][0]
    if "n_features_in_" not in state and not is_callable:
        raise SpecError("is missing", ".n_features_in_")
    if is_callable or kernel == "precomputed":
        if is_sparse or vectors.size:
            raise SpecError("must be empty for such a kernel", ".support_vectors_")
        if supports and state["support_"].max() >= rows:
            raise SpecError(f"has a support above {rows - 1}", ".support_")
        if is_callable and state.get("_BaseLibSVM__Xfit", vectors).shape[0] != rows:
            raise SpecError(f"must have {rows} rows", "._BaseLibSVM__Xfit")
        if not is_callable and state["n_features_in_"] != rows:
            raise SpecError(f"must be {rows}", ".n_features_in_")
        return
    if tuple(vectors.shape) != (supports, state["n_features_in_"]):
        raise SpecError(f"must have {supports} rows, and n_features_in_", ".support_vectors_")


_make = table("sklearn.svm._classes", _KNOWN)
# All that the common constructor sets, whether or not the class has such a parameter
_LIBSVM = (
    "kernel degree gamma coef0 tol C nu epsilon shrinking probability cache_size class_weight"
    " verbose max_iter random_state"
)
_LEARNED = (
    "_sparse _effective_probability? _gamma support_ support_vectors_ _n_support dual_coef_"
    " intercept_ _probA _probB fit_status_ _num_iter? shape_fit_ _intercept_ _dual_coef_ n_iter_?"
    " _BaseLibSVM__Xfit?"
)
_LIBLINEAR = "tol C dual fit_intercept intercept_scaling verbose random_state max_iter loss"
# With a kernel that is code, nothing counts features
_COMMON: Final = {
    "n_features_in_?": FITTED["n_features_in_"],
    "feature_names_in_?": FITTED["feature_names_in_?"],
    **OUTPUT,
}


def _machine(name: str, params: str = "", fitted: str = "", **other: Spec) -> Schema:
    return _make(
        name,
        f"{_LIBSVM} {params}",
        f"{_LEARNED} {fitted}",
        _libsvm,
        private=("support_", "_n_support"),
        common=_COMMON,
        **other,
    )


SCHEMAS: Final[tuple[Schema, ...]] = (
    *(
        _machine(name, "decision_function_shape break_ties", "classes_ class_weight_")
        for name in ("SVC", "NuSVC")
    ),
    *(_machine(name, probability=one_of(False)) for name in ("SVR", "NuSVR")),
    _machine("OneClassSVM", fitted="offset_", probability=one_of(False)),
    _make(
        "LinearSVC",
        f"{_LIBLINEAR} penalty multi_class class_weight",
        "classes_ coef_ intercept_ n_iter_",
        rows_rule,
    ),
    _make(
        "LinearSVR",
        f"{_LIBLINEAR} epsilon",
        "coef_ intercept_ n_iter_",
        coef_=either(floats("features"), SparseMatrix(1, "features")),
    ),
)
