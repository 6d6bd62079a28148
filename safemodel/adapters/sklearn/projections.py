"""State schemas of kernel approximations, kernel ridge, random projections, isotonic regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.pairwise import KERNEL, KERNEL_PARAMS
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    N_JOBS,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.sparse import SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Int,
    Items,
    Seq,
    Spec,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_STEPS: Final = Int(1, 1_000)  # transforming makes so many times the features
_OUT: Final = Int(0, MAX_UNHELD, "components")
_ROWS: Spec = either(
    floats("samples", "features"), SparseMatrix("samples", "features", ("csr", "csc"))
)
_KNOWN: Final[Mapping[str, Spec]] = {
    **each("gamma degree coef0", optional(REAL)),
    "kernel": KERNEL,
    "kernel_params": KERNEL_PARAMS,
    "alpha": either(REAL, Array("fiu", (None,)), Seq(REAL)),
    "n_components": either(POSITIVE, one_of("auto")),
    "random_state": RANDOM_STATE,
    "n_jobs": N_JOBS,
    "eps": NON_NEGATIVE,
    **each("compute_inverse_components dense_output", BOOL),
    # What fitting adds
    "random_weights_": floats("features", "components"),
    "random_offset_": floats("components"),
    "components_": floats("components", "features"),
    "inverse_components_": floats("features", "components"),
    "n_components_": _OUT,
    "_n_features_out": _OUT,
}


def _sketch(state: Mapping[str, Any], scope: Scope) -> None:
    """Transforming fills an array of degree times n_components, at the places of indexHash_."""
    if "indexHash_" not in state:
        return
    if state["indexHash_"].size and state["indexHash_"].max() >= state["n_components"]:
        raise SpecError("has indices beyond n_components", ".indexHash_")


def _interpolate(regression: Any) -> None:
    """Make the interpolating function again, which scikit-learn leaves out of pickles too."""
    state = vars(regression)
    if "X_thresholds_" in state:
        regression._build_f(state["X_thresholds_"], state["y_thresholds_"])


_K: Final = "sklearn.kernel_approximation"
_make = table(_K, _KNOWN)
_SHARED: Final = "kernel gamma coef0 degree kernel_params"
_PROJECTED: Final = "n_components_ components_ _n_features_out inverse_components_?"

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "RBFSampler",
        "gamma n_components random_state",
        "random_weights_ random_offset_ _n_features_out _gamma?",
        gamma=either(one_of("scale"), NON_NEGATIVE),
        _gamma=REAL,
    ),
    _make(
        "SkewedChi2Sampler",
        "skewedness n_components random_state",
        "random_weights_ random_offset_ _n_features_out",
        skewedness=REAL,
    ),
    _make(
        "AdditiveChi2Sampler",
        "sample_steps sample_interval",
        "sample_interval_?",
        sample_steps=_STEPS,
        sample_interval=optional(NON_NEGATIVE),
        sample_interval_=NON_NEGATIVE,
    ),
    _make(
        "Nystroem",
        f"{_SHARED} n_components random_state n_jobs",
        "components_ normalization_ component_indices_ _n_features_out",
        components_=either(
            Array("fiu", ("components", "features")), SparseMatrix("components", "features")
        ),
        normalization_=floats("components", "components"),
        component_indices_=ints("components", low=0),
    ),
    _make(
        "PolynomialCountSketch",
        "gamma degree coef0 n_components random_state",
        "indexHash_ bitHash_ _n_features_out",
        _sketch,
        degree=Int(1, MAX_UNHELD, "degree"),
        n_components=Int(1, MAX_UNHELD),
        indexHash_=ints("degree", "hashed", low=0),
        bitHash_=ints("degree", "hashed", low=-1, high=1),
        _n_features_out=Int(0, MAX_UNHELD),
    ),
    _make(
        "KernelRidge",
        f"alpha {_SHARED}",
        "dual_coef_ X_fit_",
        within="sklearn.kernel_ridge",
        dual_coef_=either(floats("samples"), floats("samples", "targets")),
        X_fit_=_ROWS,
    ),
    _make(
        "GaussianRandomProjection",
        "n_components eps compute_inverse_components random_state",
        _PROJECTED,
        within="sklearn.random_projection",
        # Of "auto" it says so, and that is no number
        _n_features_out=either(_OUT, one_of("auto")),
    ),
    _make(
        "SparseRandomProjection",
        "n_components density eps dense_output compute_inverse_components random_state",
        f"{_PROJECTED} density_",
        within="sklearn.random_projection",
        density=either(NON_NEGATIVE, one_of("auto")),
        density_=REAL,
        components_=either(
            floats("components", "features"), SparseMatrix("components", "features")
        ),
        _n_features_out=either(_OUT, one_of("auto")),
    ),
    _make(
        "IsotonicRegression",
        "y_min y_max increasing out_of_bounds",
        "increasing_ X_min_ X_max_ X_thresholds_ y_thresholds_",
        within="sklearn.isotonic",
        common=OUTPUT,
        caches=("f_",),
        rebuild=_interpolate,
        **each("y_min y_max", optional(REAL)),
        increasing=either(BOOL, one_of("auto")),
        out_of_bounds=one_of("nan", "clip", "raise"),
        increasing_=BOOL,
        **each("X_min_ X_max_", REAL),
        **each("X_thresholds_ y_thresholds_", floats("points")),
    ),
    _make(
        "PatchExtractor",
        "patch_size max_patches random_state",
        within="sklearn.feature_extraction.image",
        common={**OUTPUT, "n_features_in_?": COUNT},
        patch_size=optional(Items((POSITIVE, POSITIVE), (tuple, list))),
        max_patches=optional(NON_NEGATIVE),
    ),
)
