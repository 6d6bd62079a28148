"""The kernels of Gaussian processes, which nest in one another: parts without code of their own.

A kernel is its parameters. Those that combine others are counted with the estimators in which they
stand (`nesting.py`): forty sums, each of the next one twice, would be evaluated for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.parts import Part, attributes, part_kinds
from safemodel.adapters.sklearn.schema import REAL
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Items,
    Map,
    Real,
    Seq,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

NAMES: Final = (
    *("CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation"),
    *("Matern", "PairwiseKernel", "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel"),
)
KERNEL: Final = part_kinds(*NAMES)
_PAIR: Final = Items((REAL, REAL), (tuple, list))
_BOUNDS: Final = either(
    one_of("fixed"), _PAIR, Seq(_PAIR), floats(None), Array("fiu", (None, None))
)
_SCALE: Final = either(REAL, Array("fiu", (None,)), Seq(REAL))
# Names as `pairwise_kernels` takes them: functions are code, and none is listed
_METRIC: Final = one_of(
    *("additive_chi2", "chi2", "linear", "poly", "polynomial", "rbf", "laplacian", "sigmoid"),
    "cosine",
)
_PARAMETERS: Final[Mapping[str, Mapping[str, Spec]]] = {
    "CompoundKernel": {"kernels": Seq(KERNEL)},
    "Sum": {"k1": KERNEL, "k2": KERNEL},
    "Product": {"k1": KERNEL, "k2": KERNEL},
    "Exponentiation": {"kernel": KERNEL, "exponent": REAL},
    "ConstantKernel": {"constant_value": REAL, "constant_value_bounds": _BOUNDS},
    "WhiteKernel": {"noise_level": REAL, "noise_level_bounds": _BOUNDS},
    "RBF": {"length_scale": _SCALE, "length_scale_bounds": _BOUNDS},
    "Matern": {"length_scale": _SCALE, "length_scale_bounds": _BOUNDS, "nu": Real(0)},
    "RationalQuadratic": {
        "length_scale": REAL,
        "alpha": REAL,
        "length_scale_bounds": _BOUNDS,
        "alpha_bounds": _BOUNDS,
    },
    "ExpSineSquared": {
        "length_scale": REAL,
        "periodicity": REAL,
        "length_scale_bounds": _BOUNDS,
        "periodicity_bounds": _BOUNDS,
    },
    "DotProduct": {"sigma_0": REAL, "sigma_0_bounds": _BOUNDS},
    "PairwiseKernel": {
        "gamma": REAL,
        "gamma_bounds": _BOUNDS,
        "metric": _METRIC,
        "pairwise_kernels_kwargs": optional(Map(one_of("degree", "coef0"), REAL)),
    },
}


def _not_empty(arguments: Mapping[str, Any], scope: Scope) -> None:
    if not arguments["kernels"]:
        raise SpecError("is empty", ".kernels")


PARTS: Final[tuple[Part, ...]] = tuple(
    Part(
        "sklearn.gaussian_process.kernels",
        name,
        _PARAMETERS[name],
        attributes,
        late=True,
        check_more=_not_empty if name == "CompoundKernel" else None,
    )
    for name in NAMES
)
