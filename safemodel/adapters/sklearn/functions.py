"""The functions that archives may name: NumPy's plain ones, for `FunctionTransformer`."""

from __future__ import annotations

from typing import Final

from safemodel.adapters.sklearn.parts import Function
from safemodel.adapters.sklearn.schema import REAL
from safemodel.adapters.sklearn.spec import Array, Int, optional

_CLIP = optional(REAL, Array("fiu", (None,)))
FUNCTIONS: Final[tuple[Function, ...]] = (
    *(
        Function("numpy", name)
        for name in (
            *("absolute", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "exp", "exp2"),
            *("expm1", "floor", "log", "log10", "log1p", "log2", "negative", "reciprocal"),
            *("rint", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc"),
            *("degrees", "radians", "isnan"),
        )
    ),
    Function("numpy", "clip", dict.fromkeys(("a_min", "a_max", "min", "max"), _CLIP)),
    Function(
        "numpy",
        "nan_to_num",
        {"nan": REAL, "posinf": optional(REAL), "neginf": optional(REAL)},
    ),
    Function("numpy", "round", {"decimals": Int(-400, 400)}),
)
