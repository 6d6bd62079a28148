"""State schemas of `sklearn.linear_model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    CLASS_WEIGHT,
    COUNT,
    CV,
    LABEL,
    N_JOBS,
    NAME,
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
from safemodel.adapters.sklearn.scorers import SCORING
from safemodel.adapters.sklearn.sparse import SparseMatrix
from safemodel.adapters.sklearn.spec import (
    Array,
    Estimator,
    Int,
    Map,
    Objects,
    Scope,
    Seq,
    Spec,
    SpecError,
    either,
    floats,
    ints,
    one_of,
    optional,
)

_NUMBERS: Spec = either(Seq(REAL), Array("fiu", (None,)))
COEF: Spec = either(
    floats("features"),
    floats("targets", "features"),
    SparseMatrix(1, "features"),
    SparseMatrix("targets", "features"),
)
_INTERCEPT: Spec = either(REAL, floats("targets"), floats(1))
_ITERATIONS: Spec = optional(COUNT, Seq(COUNT), ints(None), ints(None, None, None))
_PATH: Spec = either(floats(None, None), Seq(floats(None, None)))
_ALPHAS: Spec = either(floats(None), floats(None, None), Seq(floats(None)))
_PRECOMPUTE: Spec = optional(BOOL, one_of("auto"), Array("fiu", (None, None)))
_FOLDS: Spec = either(
    *(floats(*(None,) * rank) for rank in range(1, 6)),
    Map(LABEL, either(*(floats(*(None,) * rank) for rank in range(1, 6)))),
)

KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "copy copy_X compute_score dual early_stopping fit_intercept fit_path force_alpha"
        " normalize positive refit shuffle warm_start",
        BOOL,
    ),
    **each(
        "alpha_1 alpha_2 lambda_1 lambda_2 threshold_lambda eps epsilon eta0 tol nu C"
        " intercept_scaling validation_fraction quantile max_subpopulation",
        NON_NEGATIVE,
    ),
    **each(
        "alpha_init lambda_init jitter noise_variance residual_threshold l1_ratio",
        optional(NON_NEGATIVE),
    ),
    **each(
        "max_n_alphas n_iter_no_change n_alphas",
        POSITIVE,
    ),
    **each(
        "intercept_ dual_gap_ eps_ alpha_ lambda_ noise_variance_ best_score_ scale_",
        either(REAL, floats(None)),
    ),
    "alpha": either(REAL, Array("fiu", (None,)), Seq(REAL)),
    "alphas": optional(POSITIVE, NON_NEGATIVE, _NUMBERS, one_of("warn")),
    "average": either(BOOL, POSITIVE),
    "class_weight": CLASS_WEIGHT,
    "cv": CV,
    "max_iter": optional(COUNT),
    "n_jobs": N_JOBS,
    "n_nonzero_coefs": optional(POSITIVE),
    "penalty": optional(one_of("l1", "l2", "elasticnet", "none", "deprecated")),
    "power_t": REAL,
    "precompute": _PRECOMPUTE,
    "random_state": RANDOM_STATE,
    "scoring": either(one_of("warn"), SCORING),
    "selection": one_of("cyclic", "random"),
    "solver": one_of(
        *("auto", "cholesky", "highs", "highs-ds", "highs-ipm", "interior-point", "lbfgs"),
        *("liblinear", "lsqr", "newton-cg", "newton-cholesky", "revised simplex", "sag", "saga"),
        *("sparse_cg", "svd"),
    ),
    "verbose": VERBOSE,
    # What fitting adds
    "active_": either(Seq(COUNT), Seq(Seq(COUNT)), ints(None, low=0)),
    "alphas_": _ALPHAS,
    "classes_": Labels("classes"),
    "coef_": COEF,
    "coef_path_": _PATH,
    "criterion_": floats(None),
    "cv_alphas_": floats(None),
    "intercept_": _INTERCEPT,
    "lambda_": either(REAL, floats("features")),
    "mse_path_": either(floats(None, None), floats(None, None, None)),
    "n_iter_": _ITERATIONS,
    "sigma_": floats(None, None),
    "scores_": either(Seq(REAL), floats(None)),
    "X_offset_": floats("features"),
    "X_scale_": floats("features"),
    "solver_": NAME,
    "t_": REAL,
}


def rows_rule(state: Mapping[str, Any], scope: Scope) -> None:
    """The decision function has one row for two classes, else one for each."""
    if "classes_" not in state or "coef_" not in state:
        return
    classes = len(state["classes_"])
    rows = 1 if classes == 2 else classes
    coef, intercept = state["coef_"], state.get("intercept_")
    if coef.ndim == 2 and coef.shape[0] not in (1, rows):
        raise SpecError(f"has {coef.shape[0]} rows for {classes} classes", ".coef_")
    if (
        coef.ndim == 2
        and isinstance(intercept, np.ndarray)
        and len(intercept)
        not in (
            1,
            coef.shape[0],
        )
    ):
        raise SpecError(f"has {len(intercept)} items for {coef.shape[0]} rows", ".intercept_")


_M = "sklearn.linear_model."
_make = table(_M[:-1], KNOWN)
_DESCENT = "alpha l1_ratio fit_intercept precompute max_iter copy_X tol warm_start positive"
_TASKS = "alpha fit_intercept max_iter copy_X tol warm_start l1_ratio random_state selection"
_PATHS = "eps n_alphas alphas fit_intercept max_iter tol copy_X cv verbose n_jobs"
_ANGLE = "fit_intercept verbose precompute copy_X eps fit_path jitter random_state"
_ANGLE_CV = "max_iter cv max_n_alphas n_jobs fit_intercept verbose precompute copy_X eps"
_GLM = "alpha fit_intercept solver max_iter tol warm_start verbose"
_RIDGE = "alpha fit_intercept copy_X max_iter tol solver positive random_state"
_RIDGE_CV = "alphas fit_intercept scoring cv gcv_mode store_cv_results alpha_per_target"

_BAYES: dict[str, Spec] = {"sigma_": floats("selected", "selected")}
_PATH_CV: dict[str, Spec] = {"l1_ratio": either(NON_NEGATIVE, _NUMBERS), "l1_ratio_": REAL}
_PATH_CV["_alphas"] = either(POSITIVE, _NUMBERS)  # up to scikit-learn 1.8, as in n_alphas
_PATH_CV["n_alphas"] = either(POSITIVE, one_of("deprecated"))
_RIDGES: dict[str, Spec] = {
    "gcv_mode": optional(one_of("auto", "svd", "eigen")),
    "store_cv_results": BOOL,
    "alpha_per_target": BOOL,
    "alphas": either(NON_NEGATIVE, _NUMBERS),
    "cv_results_": floats(None, None, None),
    "_label_binarizer": Estimator(("LabelBinarizer",)),
}


def _glm(name: str, *losses: str, more: str = "", **other: Spec) -> Schema:
    fitted = "_base_loss n_iter_ intercept_ coef_"
    other["_base_loss"] = part_kinds(*losses)
    return _make(name, f"{_GLM} {more}", fitted, within=f"{_M}_glm.glm", **other)


SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "LinearRegression",
        "fit_intercept copy_X tol n_jobs positive",
        "coef_ rank_? singular_? intercept_",
        within=f"{_M}_base",
        rank_=either(COUNT, Seq(COUNT), ints(None)),
        singular_=either(floats(None), Seq(floats(None))),
    ),
    _make(
        "ARDRegression",
        "max_iter tol fit_intercept alpha_1 alpha_2 lambda_1 lambda_2 compute_score"
        " threshold_lambda copy_X verbose",
        "X_offset_ X_scale_ scores_ n_iter_ coef_ alpha_ sigma_ lambda_ intercept_",
        within=f"{_M}_bayes",
        **_BAYES,
    ),
    _make(
        "BayesianRidge",
        "max_iter tol alpha_1 alpha_2 lambda_1 lambda_2 alpha_init lambda_init compute_score"
        " fit_intercept copy_X verbose",
        "X_offset_ X_scale_ scores_ n_iter_ alpha_ lambda_ coef_ sigma_ intercept_",
        within=f"{_M}_bayes",
        **_BAYES,
    ),
    *(
        _make(
            name,
            f"{_DESCENT} random_state selection",
            "n_iter_ coef_ dual_gap_ intercept_",
            within=f"{_M}_coordinate_descent",
        )
        for name in ("ElasticNet", "Lasso")
    ),
    *(
        _make(
            name,
            _TASKS,
            "coef_ dual_gap_ eps_ n_iter_ intercept_",
            within=f"{_M}_coordinate_descent",
        )
        for name in ("MultiTaskElasticNet", "MultiTaskLasso")
    ),
    *(
        _make(
            name,
            f"{_PATHS} l1_ratio precompute positive random_state selection",
            "mse_path_ l1_ratio_? alpha_ alphas_ coef_ intercept_ dual_gap_ n_iter_ _alphas?",
            within=f"{_M}_coordinate_descent",
            **_PATH_CV,
        )
        for name in ("ElasticNetCV", "LassoCV", "MultiTaskElasticNetCV", "MultiTaskLassoCV")
    ),
    *(
        _make(
            name,
            f"{_ANGLE} alpha max_iter positive n_nonzero_coefs",
            "alphas_ n_iter_ coef_ active_? coef_path_? intercept_",
            within=f"{_M}_least_angle",
        )
        for name in ("Lars", "LassoLars")
    ),
    *(
        _make(
            name,
            f"{_ANGLE_CV} n_nonzero_coefs fit_path jitter random_state positive",
            "alpha_ cv_alphas_ mse_path_ alphas_ n_iter_ coef_ active_ coef_path_ intercept_",
            within=f"{_M}_least_angle",
        )
        for name in ("LarsCV", "LassoLarsCV")
    ),
    _make(
        "LassoLarsIC",
        "criterion fit_intercept positive max_iter verbose copy_X precompute eps fit_path"
        " noise_variance",
        "n_iter_ alphas_ noise_variance_ criterion_ alpha_ coef_ intercept_",
        within=f"{_M}_least_angle",
        criterion=one_of("aic", "bic"),
    ),
    _make(
        "OrthogonalMatchingPursuit",
        "n_nonzero_coefs tol fit_intercept precompute",
        "n_nonzero_coefs_ n_iter_ coef_ intercept_",
        within=f"{_M}_omp",
        tol=optional(NON_NEGATIVE),
        n_nonzero_coefs_=optional(COUNT),
    ),
    _make(
        "OrthogonalMatchingPursuitCV",
        "copy fit_intercept max_iter cv n_jobs verbose",
        "n_nonzero_coefs_ coef_ intercept_ n_iter_",
        within=f"{_M}_omp",
        n_nonzero_coefs_=COUNT,
    ),
    _glm("GammaRegressor", "HalfGammaLoss"),
    _glm("PoissonRegressor", "HalfPoissonLoss"),
    _glm(
        "TweedieRegressor",
        "HalfTweedieLoss",
        "HalfTweedieLossIdentity",
        more="link power",
        link=one_of("auto", "identity", "log"),
        power=REAL,
    ),
    _make(
        "HuberRegressor",
        "epsilon max_iter alpha warm_start fit_intercept tol",
        "n_iter_ scale_ intercept_ coef_ outliers_",
        within=f"{_M}_huber",
        outliers_=Array("b", (None,)),
    ),
    _make(
        "QuantileRegressor",
        "quantile alpha fit_intercept solver solver_options",
        "n_iter_ coef_ intercept_",
        within=f"{_M}_quantile",
        solver_options=one_of(None),
    ),
    _make("Ridge", _RIDGE, "coef_ n_iter_ solver_ intercept_", within=f"{_M}_ridge"),
    _make(
        "RidgeClassifier",
        f"{_RIDGE} class_weight",
        "_label_binarizer classes_ coef_ n_iter_ solver_ intercept_",
        within=f"{_M}_ridge",
        classes_=either(Labels("classes"), Seq(Labels())),
        **{"_label_binarizer": _RIDGES["_label_binarizer"]},
    ),
    _make(
        "RidgeCV",
        _RIDGE_CV,
        "alpha_ best_score_ coef_ intercept_ cv_results_?",
        within=f"{_M}_ridge",
        **_RIDGES,
    ),
    _make(
        "RidgeClassifierCV",
        f"{_RIDGE_CV} class_weight",
        "_label_binarizer classes_ alpha_ best_score_ coef_ intercept_ cv_results_?",
        within=f"{_M}_ridge",
        **_RIDGES,
    ),
    _make(
        "LogisticRegression",
        "penalty C l1_ratio dual tol fit_intercept intercept_scaling class_weight random_state"
        " solver max_iter verbose warm_start n_jobs multi_class",
        "classes_ n_iter_ coef_ intercept_",
        rows_rule,
        within=f"{_M}_logistic",
        multi_class=one_of("auto", "ovr", "multinomial", "deprecated"),
    ),
    _make(
        "LogisticRegressionCV",
        "Cs l1_ratios fit_intercept cv dual penalty scoring tol max_iter class_weight n_jobs"
        " verbose solver refit intercept_scaling random_state use_legacy_attributes multi_class",
        "classes_ Cs_ n_iter_ scores_ coefs_paths_ C_ l1_ratio_ coef_ intercept_ l1_ratios_",
        rows_rule,
        within=f"{_M}_logistic",
        Cs=either(POSITIVE, _NUMBERS),
        l1_ratios=optional(_NUMBERS, one_of("warn"), Seq(optional(REAL))),
        use_legacy_attributes=either(BOOL, one_of("warn")),
        multi_class=one_of("auto", "ovr", "multinomial", "deprecated"),
        Cs_=floats(None),
        scores_=_FOLDS,
        coefs_paths_=_FOLDS,
        C_=either(REAL, floats(None)),
        l1_ratio_=optional(REAL, floats(None), Objects(optional(REAL), (None,))),
        l1_ratios_=either(floats(None), Objects(optional(REAL), (None,))),
    ),
    _make(
        "TheilSenRegressor",
        "fit_intercept max_subpopulation n_subsamples max_iter tol random_state n_jobs verbose"
        " copy_X",
        "n_subpopulation_ breakdown_ n_iter_ intercept_ coef_",
        within=f"{_M}_theil_sen",
        n_subsamples=optional(POSITIVE),
        copy_X=either(BOOL, one_of("deprecated")),
        n_subpopulation_=COUNT,
        breakdown_=REAL,
    ),
    _make(
        "RANSACRegressor",
        "estimator min_samples residual_threshold is_data_valid is_model_valid max_trials"
        " max_skips stop_n_inliers stop_score stop_probability random_state loss",
        "n_skips_no_inliers_ n_skips_invalid_data_ n_skips_invalid_model_ n_trials_ estimator_"
        " inlier_mask_",
        within=f"{_M}_ransac",
        estimator=optional(Estimator()),
        min_samples=optional(NON_NEGATIVE),
        is_data_valid=one_of(None),
        is_model_valid=one_of(None),
        max_trials=NON_NEGATIVE,
        max_skips=NON_NEGATIVE,
        stop_n_inliers=NON_NEGATIVE,
        stop_score=REAL,
        stop_probability=NON_NEGATIVE,
        loss=one_of("absolute_error", "squared_error"),
        n_skips_no_inliers_=Int(0),
        n_skips_invalid_data_=Int(0),
        n_skips_invalid_model_=Int(0),
        n_trials_=Int(0),
        estimator_=Estimator(same=(("n_features_in_", "features"),)),
        inlier_mask_=Array("b", (None,)),
    ),
)
