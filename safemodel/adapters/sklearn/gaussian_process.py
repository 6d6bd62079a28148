"""State schemas of `sklearn.gaussian_process`; its kernels are parts (`kernels.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn import kernels
from safemodel.adapters.sklearn.kernels import KERNEL
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    N_JOBS,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import Scope, SpecError
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

_BINARY: Final = "_BinaryGaussianProcessClassifierLaplace"
_KNOWN: Final[Mapping[str, Spec]] = {
    **each("copy_X_train normalize_y warm_start", BOOL),
    **each("max_iter_predict n_restarts_optimizer", COUNT),
    **each("random_state rng _rng", RANDOM_STATE),
    "alpha": either(NON_NEGATIVE, Array("fiu", (None,))),
    "kernel": optional(KERNEL),
    "multi_class": one_of("one_vs_rest", "one_vs_one"),
    "n_jobs": N_JOBS,
    "n_targets": optional(POSITIVE),
    "optimizer": optional(one_of("fmin_l_bfgs_b")),
    # What fitting adds
    "kernel_": KERNEL,
    "classes_": Labels("classes"),
    "n_classes_": Int(1, dim="classes"),
    "base_estimator_": Estimator((_BINARY, "OneVsRestClassifier", "OneVsOneClassifier")),
    "log_marginal_likelihood_value_": REAL,
    "X_train_": Array("biuf", ("samples", "features")),
    "y_train_": either(Array("biuf", ("samples",)), Array("biuf", ("samples", "targets"))),
    "L_": floats("samples", "samples"),
    "alpha_": either(floats("samples"), floats("samples", "targets")),
    "_y_train_mean": either(floats(), floats(None)),
    "_y_train_std": either(REAL, floats(), floats(None)),
    "f_cached": floats("samples"),
    "pi_": floats("samples"),
    "W_sr_": floats("samples"),
}


def _base(state: Mapping[str, Any], scope: Scope) -> None:
    """The estimator below knows the same classes."""
    if "base_estimator_" not in state:
        return
    classes = vars(state["base_estimator_"]).get("classes_")
    if classes is None or len(classes) != len(state["classes_"]):
        raise SpecError("has other classes", ".base_estimator_")


_make = table("sklearn.gaussian_process._gpc", _KNOWN)
_LAPLACE: Final = (
    "kernel optimizer n_restarts_optimizer max_iter_predict warm_start copy_X_train random_state"
)

PARTS = kernels.PARTS
SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "GaussianProcessRegressor",
        "kernel alpha optimizer n_restarts_optimizer normalize_y copy_X_train n_targets"
        " random_state",
        "kernel_ _rng _y_train_mean _y_train_std X_train_ y_train_ L_ alpha_"
        " log_marginal_likelihood_value_",
        within="sklearn.gaussian_process._gpr",
    ),
    _make(
        "GaussianProcessClassifier",
        f"{_LAPLACE} multi_class n_jobs",
        "classes_ n_classes_ base_estimator_ log_marginal_likelihood_value_",
        _base,
    ),
    _make(
        _BINARY,
        _LAPLACE,
        "kernel_ rng X_train_ y_train_ classes_ f_cached? log_marginal_likelihood_value_ pi_"
        " W_sr_ L_",
        common={},
    ),
)
