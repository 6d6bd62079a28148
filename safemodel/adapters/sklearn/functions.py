"""The functions that archives may name: plain ones of NumPy and SciPy, item by item.

They are for `FunctionTransformer` and `TransformedTargetRegressor`. Metrics and score functions are
in `metrics.py`. Each is pure: it reads and writes nothing but its arguments.
"""

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
            *("absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt"),
            *("ceil", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fabs", "floor"),
            *("isfinite", "log", "log10", "log1p", "log2", "negative", "rad2deg", "reciprocal"),
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
    *(
        Function("scipy.special", name, also=(f"scipy.special._ufuncs.{name}",))
        for name in ("expit", "logit", "log_expit", "exp10", "ndtr", "ndtri")
    ),
)
