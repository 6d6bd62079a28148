"""State schemas of `sklearn.decomposition` and `sklearn.cross_decomposition`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.pairwise import EIGEN_SOLVER, KERNEL, KERNEL_PARAMS
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    FITTED,
    MAX_FEATURES,
    N_JOBS,
    NON_NEGATIVE,
    OUTPUT,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.sparse import SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Real,
    Seq,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

# Transforming repeats until it converges, or so often
_TURNS: Final = Int(0, 1_000_000)
_GIVEN: Spec = Array("fiu", (None, None))
_PER_COMPONENT: Spec = floats("components")
_COMPONENTS: Spec = floats("components", "features")
_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "copy copy_X whiten fit_inverse_transform remove_zero_eig positive_code positive_dict"
        " split_sign shuffle fresh_restarts scale",
        BOOL,
    ),
    **each(
        "tol alpha alpha_W l1_ratio forget_factor ridge_alpha learning_decay learning_offset"
        " perp_tol mean_change_tol total_samples degree gamma_",
        NON_NEGATIVE,
    ),
    **each("gamma transform_alpha doc_topic_prior topic_word_prior", optional(NON_NEGATIVE)),
    "coef0": REAL,
    "alpha_H": either(NON_NEGATIVE, one_of("same")),
    **each("max_iter max_no_improvement transform_n_nonzero_coefs", optional(COUNT)),
    **each("n_oversamples n_iter fresh_restarts_max_iter", COUNT),
    "transform_max_iter": optional(_TURNS),
    "max_doc_update_iter": _TURNS,
    "evaluate_every": Int(-MAX_FEATURES, MAX_FEATURES),
    "batch_size": optional(POSITIVE),
    "iterated_power": either(one_of("auto"), COUNT),
    "n_components": optional(NON_NEGATIVE, one_of("mle", "auto")),
    "power_iteration_normalizer": one_of("auto", "QR", "LU", "none"),
    "svd_solver": one_of("auto", "full", "covariance_eigh", "arpack", "randomized"),
    "svd_method": one_of("lapack", "randomized"),
    "eigen_solver": EIGEN_SOLVER,
    "kernel": KERNEL,
    "kernel_params": KERNEL_PARAMS,
    "n_jobs": N_JOBS,
    "verbose": VERBOSE,
    "random_state": RANDOM_STATE,
    "beta_loss": either(one_of("frobenius", "kullback-leibler", "itakura-saito"), REAL),
    "init": optional(one_of("random", "nndsvd", "nndsvda", "nndsvdar", "custom")),
    "solver": one_of("cd", "mu"),
    "algorithm": one_of("arpack", "randomized"),
    "method": one_of("lars", "cd"),
    "fit_algorithm": one_of("lars", "cd"),
    "transform_algorithm": one_of("lasso_lars", "lasso_cd", "lars", "omp", "threshold"),
    "learning_method": one_of("batch", "online"),
    **each("dict_init code_init U_init V_init", optional(_GIVEN)),
    "callback": one_of(None),
    # What fitting adds
    "components_": _COMPONENTS,
    **each(
        "explained_variance_ explained_variance_ratio_ singular_values_ eigenvalues_",
        _PER_COMPONENT,
    ),
    **each("mean_ var_", floats("features")),
    "n_components_": Int(0, MAX_UNHELD, "components"),
    "_n_components": Int(0, MAX_UNHELD, "components"),
    **each("n_samples_ n_steps_ n_batch_iter_ _no_improvement batch_size_ _batch_size", COUNT),
    "n_samples_seen_": NON_NEGATIVE,
    "n_iter_": either(COUNT, NON_NEGATIVE),
    **each("noise_variance_ bound_ reconstruction_err_ _rho _gamma _beta_loss", REAL),
    **each("_ewa_cost _ewa_cost_min", optional(REAL)),
    **each("error_ loglike_", Seq(REAL)),
    **each("_random_state random_state_", RANDOM_STATE),
    "_A": floats("components", "components"),
    "_B": floats("features", "components"),
    **each("_components_numerator _components_denominator", _COMPONENTS),
    "_transform_max_iter": _TURNS,
    "_fit_algorithm": one_of("lasso_lars", "lasso_cd", "lars", "cd"),
    "_fit_svd_solver": one_of("full", "covariance_eigh", "arpack", "randomized"),
}


def _continued(state: Mapping[str, Any], scope: Scope) -> None:
    """Training decomposes what was learned, with the new rows below, without a look at it.

    LAPACK (gesdd) does not come back from a matrix with an infinity in it.
    """
    for name in ("components_", "singular_values_", "mean_"):
        if name in state and state[name].size:
            most = float(np.sqrt(np.finfo(state[name].dtype).max))
            if not np.abs(state[name]).max() <= most:
                raise SpecError(f"has items beyond {most:.2g}", f".{name}")


_D: Final = "sklearn.decomposition."
_make = table(_D[:-1], _KNOWN)
_CODING: Final = (
    "transform_algorithm transform_n_nonzero_coefs transform_alpha split_sign n_jobs positive_code"
)
_LEARNING: Final = (
    f"{_CODING} transform_max_iter n_components alpha max_iter tol fit_algorithm dict_init callback"
    " verbose random_state positive_dict"
)
_SPARSE_PCA: Final = (
    "n_components alpha ridge_alpha max_iter tol method n_jobs verbose random_state"
)
_SPECTRUM: Final = (
    "components_ mean_ explained_variance_ explained_variance_ratio_ singular_values_"
    " noise_variance_ n_components_"
)
_FACTORS: Final = (
    "n_components init beta_loss tol max_iter random_state alpha_W alpha_H l1_ratio verbose"
)

# Partial least squares

_X_AND_Y: Final[Mapping[str, Spec]] = {
    **_KNOWN,
    "deflation_mode": one_of("canonical", "regression"),
    "mode": one_of("A", "B"),
    "algorithm": one_of("nipals", "svd"),
    **each("_predict_1d _norm_y_weights", BOOL),
    **each("_x_mean _x_std", floats("features")),
    **each("_y_mean _y_std intercept_", floats("targets")),
    **each("x_weights_ x_loadings_ x_rotations_", floats("features", "components")),
    **each("y_weights_ y_loadings_ y_rotations_", floats("targets", "components")),
    **each("_x_scores _y_scores x_scores_ y_scores_", floats("samples", "components")),
    "n_iter_": Seq(COUNT),
    "coef_": floats("targets", "features"),
    "_n_features_out": Int(0, MAX_UNHELD, "components"),
}
_pls = table("sklearn.cross_decomposition._pls", _X_AND_Y)
_CENTERED: Final = "_x_mean _y_mean _x_std _y_std x_weights_ y_weights_ _n_features_out"
_REGRESSED: Final = (
    f"{_CENTERED} _predict_1d _norm_y_weights _x_scores _y_scores x_loadings_ y_loadings_ n_iter_"
    " x_rotations_ y_rotations_ coef_ intercept_"
)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "PCA",
        "n_components copy whiten svd_solver tol iterated_power n_oversamples"
        " power_iteration_normalizer random_state",
        f"{_SPECTRUM} _fit_svd_solver n_samples_",
        within=f"{_D}_pca",
    ),
    _make(
        "IncrementalPCA",
        "n_components whiten copy batch_size",
        f"{_SPECTRUM} n_samples_seen_ var_ batch_size_?",
        _continued,
        within=f"{_D}_incremental_pca",
        n_samples_seen_=Real(0, 2**53),
    ),
    _make(
        "KernelPCA",
        "n_components kernel gamma degree coef0 kernel_params alpha fit_inverse_transform"
        " eigen_solver tol max_iter iterated_power remove_zero_eig random_state copy_X n_jobs",
        "gamma_ _centerer eigenvalues_ eigenvectors_ X_fit_ dual_coef_? X_transformed_fit_?",
        within=f"{_D}_kernel_pca",
        gamma_=optional(NON_NEGATIVE),
        _centerer=Estimator(("KernelCenterer",), (("n_features_in_", "samples"),)),
        eigenvectors_=floats("samples", "components"),
        X_fit_=either(
            floats("samples", "features"),
            floats("samples", "samples"),
            SparseMatrix("samples", "features"),
        ),
        dual_coef_=floats("samples", "features"),
        X_transformed_fit_=floats("samples", "components"),
    ),
    _make(
        "TruncatedSVD",
        "n_components algorithm n_iter n_oversamples power_iteration_normalizer random_state tol",
        "components_ explained_variance_ explained_variance_ratio_ singular_values_",
        within=f"{_D}_truncated_svd",
    ),
    _make(
        "FactorAnalysis",
        "n_components tol copy max_iter noise_variance_init svd_method iterated_power rotation"
        " random_state",
        "mean_ components_ noise_variance_ loglike_ n_iter_",
        within=f"{_D}_factor_analysis",
        rotation=optional(one_of("varimax", "quartimax")),
        noise_variance_init=optional(Seq(REAL), Array("fiu", (None,))),
        noise_variance_=floats("features"),
    ),
    _make(
        "FastICA",
        "n_components algorithm whiten fun fun_args max_iter tol w_init whiten_solver random_state",
        "n_iter_ components_ mixing_ _unmixing mean_? whitening_?",
        within=f"{_D}_fastica",
        algorithm=one_of("parallel", "deflation"),
        whiten=either(one_of("arbitrary-variance", "unit-variance"), BOOL),
        fun=one_of("logcosh", "exp", "cube"),
        fun_args=optional(Map(one_of("alpha"), REAL)),
        w_init=optional(_GIVEN, Seq(Seq(REAL))),
        whiten_solver=one_of("svd", "eigh"),
        mixing_=floats("features", "components"),
        _unmixing=floats("components", None),
        whitening_=floats("components", "features"),
    ),
    _make(
        "SparsePCA",
        f"{_SPARSE_PCA} U_init V_init",
        "mean_ n_iter_ components_ n_components_ error_",
        within=f"{_D}_sparse_pca",
    ),
    _make(
        "MiniBatchSparsePCA",
        f"{_SPARSE_PCA} callback batch_size shuffle max_no_improvement",
        "mean_ n_iter_ components_ n_components_",
        within=f"{_D}_sparse_pca",
    ),
    _make(
        "DictionaryLearning",
        f"{_LEARNING} code_init",
        "n_iter_ components_ error_",
        within=f"{_D}_dict_learning",
    ),
    _make(
        "MiniBatchDictionaryLearning",
        f"{_LEARNING} batch_size shuffle max_no_improvement",
        "_n_components _fit_algorithm _batch_size _random_state _A _B n_steps_ components_"
        " _ewa_cost? _ewa_cost_min? _no_improvement? n_iter_?",
        within=f"{_D}_dict_learning",
    ),
    _make(
        "SparseCoder",
        f"{_CODING} transform_max_iter dictionary",
        "n_components_?",
        within=f"{_D}_dict_learning",
        dictionary=either(Array("fiu", ("components", "features")), Seq(Seq(REAL))),
        # In some releases they are properties
        common={**OUTPUT, **{f"{name.rstrip('?')}?": spec for name, spec in FITTED.items()}},
    ),
    _make(
        "NMF",
        f"{_FACTORS} solver shuffle",
        "_n_components _beta_loss reconstruction_err_ n_components_ components_ n_iter_",
        within=f"{_D}_nmf",
    ),
    _make(
        "MiniBatchNMF",
        f"{_FACTORS} batch_size max_no_improvement forget_factor fresh_restarts"
        " fresh_restarts_max_iter transform_max_iter",
        "_n_components _beta_loss _batch_size _rho _gamma _transform_max_iter"
        " _components_numerator _components_denominator n_components_ components_ n_steps_"
        " _ewa_cost? _ewa_cost_min? _no_improvement? reconstruction_err_? n_iter_?",
        within=f"{_D}_nmf",
    ),
    _make(
        "LatentDirichletAllocation",
        "n_components doc_topic_prior topic_word_prior learning_method learning_decay"
        " learning_offset max_iter batch_size evaluate_every total_samples perp_tol"
        " mean_change_tol max_doc_update_iter n_jobs verbose random_state",
        "random_state_ n_batch_iter_ n_iter_ doc_topic_prior_ topic_word_prior_ components_"
        " exp_dirichlet_component_ bound_?",
        within=f"{_D}_lda",
        **each("doc_topic_prior_ topic_word_prior_", REAL),
        exp_dirichlet_component_=_COMPONENTS,
    ),
    *(
        _pls(
            name,
            f"n_components scale max_iter tol copy {params} deflation_mode mode algorithm",
            f"{_REGRESSED} x_scores_? y_scores_?",
        )
        for name, params in (("PLSRegression", ""), ("PLSCanonical", ""), ("CCA", ""))
    ),
    _pls("PLSSVD", "n_components scale copy", _CENTERED),
)
