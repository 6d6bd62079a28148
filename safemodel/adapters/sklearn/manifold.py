"""State schemas of `sklearn.manifold` and of label propagation in `sklearn.semi_supervised`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.pairwise import (
    EIGEN_SOLVER,
    METRIC,
    METRIC_PARAMS,
    SEARCH,
    covariance_rule,
)
from safemodel.adapters.sklearn.parts import FunctionFor
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    N_JOBS,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.sparse import ARRAYS, SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

_NEIGHBORS: Spec = Estimator(("NearestNeighbors",), (("n_samples_fit_", "samples"),))
_SQUARE: Spec = floats("samples", "samples")
_KNOWN: Final[Mapping[str, Spec]] = {
    **each("tol reg hessian_tol modified_tol p eps early_exaggeration perplexity", NON_NEGATIVE),
    **each("min_grad_norm angle alpha", NON_NEGATIVE),
    "n_components": POSITIVE,
    "n_neighbors": optional(POSITIVE),
    "radius": optional(NON_NEGATIVE),
    "max_iter": optional(COUNT),
    "eigen_solver": EIGEN_SOLVER,
    "path_method": one_of("auto", "FW", "D"),
    "neighbors_algorithm": SEARCH,
    "metric": METRIC,
    "metric_params": METRIC_PARAMS,
    "n_jobs": N_JOBS,
    "verbose": VERBOSE,
    "random_state": RANDOM_STATE,
    "gamma": optional(NON_NEGATIVE),
    # What fitting adds
    "nbrs_": _NEIGHBORS,
    "embedding_": floats("samples", None),
    "dissimilarity_matrix_": _SQUARE,
    "n_iter_": COUNT,
    "_n_features_out": Int(0, MAX_UNHELD),
}


def _propagated(state: Mapping[str, Any], scope: Scope) -> None:
    """Predicting takes the rows of label_distributions_ that the neighbours have."""
    if "X_" in state and state["kernel"] == "knn" and state.get("nn_fit") is None:
        raise SpecError("is missing", ".nn_fit")


_M: Final = "sklearn.manifold."
_make = table(_M[:-1], _KNOWN)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "Isomap",
        "n_neighbors radius n_components eigen_solver tol max_iter path_method"
        " neighbors_algorithm n_jobs metric p metric_params",
        "nbrs_ kernel_pca_ dist_matrix_ embedding_ _n_features_out",
        covariance_rule,
        within=f"{_M}_isomap",
        kernel_pca_=Estimator(("KernelPCA",), (("n_features_in_", "samples"),)),
        dist_matrix_=_SQUARE,
    ),
    _make(
        "LocallyLinearEmbedding",
        "n_neighbors n_components reg eigen_solver tol max_iter method hessian_tol modified_tol"
        " neighbors_algorithm random_state n_jobs",
        "nbrs_ embedding_ reconstruction_error_ _n_features_out",
        within=f"{_M}_locally_linear",
        method=one_of("standard", "hessian", "modified", "ltsa"),
        reconstruction_error_=REAL,
    ),
    _make(
        "MDS",
        "n_components metric_mds n_init init max_iter verbose eps n_jobs random_state"
        " dissimilarity metric metric_params normalized_stress",
        "dissimilarity_matrix_ embedding_ stress_ n_iter_ _n_init? _init? _metric? _metric_mds?",
        covariance_rule,
        within=f"{_M}_mds",
        metric_mds=BOOL,
        metric=either(BOOL, METRIC),
        n_init=either(COUNT, one_of("warn")),
        init=optional(one_of("random", "classical_mds", "warn")),
        dissimilarity=one_of("euclidean", "precomputed", "deprecated"),
        normalized_stress=either(BOOL, one_of("auto", "warn")),
        stress_=REAL,
        _n_init=COUNT,
        _init=optional(one_of("random", "classical_mds")),
        _metric=METRIC,
        _metric_mds=BOOL,
    ),
    _make(
        "ClassicalMDS",
        "n_components metric metric_params",
        "dissimilarity_matrix_ embedding_ eigenvalues_",
        covariance_rule,
        within=f"{_M}_classical_mds",
        eigenvalues_=floats(None),
    ),
    _make(
        "SpectralEmbedding",
        "n_components affinity gamma random_state eigen_solver eigen_tol n_neighbors n_jobs",
        "affinity_matrix_ embedding_ n_neighbors_? gamma_?",
        within=f"{_M}_spectral_embedding",
        affinity=one_of("nearest_neighbors", "rbf", "precomputed", "precomputed_nearest_neighbors"),
        eigen_tol=either(NON_NEGATIVE, one_of("auto")),
        affinity_matrix_=either(_SQUARE, SparseMatrix("samples", "samples", tuple(ARRAYS))),
        n_neighbors_=COUNT,
        gamma_=NON_NEGATIVE,
    ),
    _make(
        "TSNE",
        "n_components perplexity early_exaggeration learning_rate max_iter n_iter_without_progress"
        " min_grad_norm metric metric_params init verbose random_state method angle n_jobs n_iter",
        "learning_rate_ n_iter_ kl_divergence_ embedding_",
        covariance_rule,
        within=f"{_M}_t_sne",
        learning_rate=either(NON_NEGATIVE, one_of("auto")),
        n_iter_without_progress=Int(-1, 2**31 - 1),
        n_iter=either(COUNT, one_of("deprecated")),
        init=either(one_of("random", "pca"), Array("f", (None, None))),
        method=one_of("barnes_hut", "exact"),
        learning_rate_=NON_NEGATIVE,
        kl_divergence_=REAL,
    ),
    *(
        _make(
            name,
            "kernel gamma n_neighbors alpha max_iter tol n_jobs",
            "X_ classes_ label_distributions_ n_iter_ transduction_ nn_fit?",
            _propagated,
            within="sklearn.semi_supervised._label_propagation",
            kernel=either(one_of("knn", "rbf"), FunctionFor("kernel")),
            gamma=NON_NEGATIVE,
            alpha=optional(NON_NEGATIVE),
            X_=either(
                floats("samples", "features"), SparseMatrix("samples", "features", ("csr", "csc"))
            ),
            classes_=Labels("classes"),
            label_distributions_=floats("samples", "classes"),
            transduction_=Labels("samples"),
            nn_fit=optional(
                Estimator(
                    ("NearestNeighbors",),
                    (("n_samples_fit_", "samples"), ("n_features_in_", "features")),
                )
            ),
        )
        for name in ("LabelPropagation", "LabelSpreading")
    ),
)
