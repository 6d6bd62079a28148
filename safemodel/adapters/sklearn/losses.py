"""Losses, splines and column selectors: parts of several families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import (
    SCALAR_TYPES,
    Part,
    Reduced,
    attributes,
    call_in_order,
    nothing,
    positional,
)
from safemodel.adapters.sklearn.patterns import Pattern
from safemodel.adapters.sklearn.schema import BOOL, NAME, POSITIVE, REAL
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.adapters.sklearn.spec import (
    Among,
    Array,
    Either,
    Int,
    Real,
    Seq,
    Spec,
    one_of,
    optional,
)


def _compiled_argument(reduced: Reduced) -> Any:
    """The argument of the compiled half of a loss, which is where the loss keeps it."""
    return reduced.of(reduced.state["closs"]).arguments[0]


def _power(reduced: Reduced) -> Mapping[str, Any]:
    return {"power": _compiled_argument(reduced)}


def _constant(reduced: Reduced) -> Mapping[str, Any]:
    return {"constant_hessian": reduced.state.get("constant_hessian", True)}


def _pinball(reduced: Reduced) -> Mapping[str, Any]:
    return {"quantile": _compiled_argument(reduced), **_constant(reduced)}


def _huber(reduced: Reduced) -> Mapping[str, Any]:
    return {"quantile": reduced.state["quantile"], "delta": _compiled_argument(reduced)}


def _multinomial(reduced: Reduced) -> Mapping[str, Any]:
    return {"n_classes": reduced.state["n_classes"]}


def _build_loss(kind: Any, **arguments: Any) -> Any:
    """Build a loss; its Hessian is constant where samples had no weights."""
    constant = arguments.pop("constant_hessian", None)
    try:
        loss = kind(**arguments)
    except ValueError as error:
        raise SpecError(f"is no valid loss: {error}") from None
    if constant is not None:
        loss.constant_hessian = constant
    return loss


def _spline(reduced: Reduced) -> Mapping[str, Any]:
    state = reduced.state
    knots, coefficients = (state.get(f"_{key}", state.get(key)) for key in "tc")
    names = ("k", "extrapolate", "axis")
    return {"t": knots, "c": coefficients, **{name: state.get(name) for name in names}}


def _build_spline(kind: Any, **arguments: Any) -> Any:
    knots, coefficients = arguments["t"], arguments["c"]
    for array in (knots, coefficients):
        if array.dtype != np.float64:
            raise SpecError("has knots or coefficients that are not 64-bit numbers")
    if not np.isfinite(knots).all() or not np.isfinite(coefficients).all():
        raise SpecError("has knots or coefficients that are not finite")
    try:
        spline = kind(**arguments)  # its constructor checks order, lengths and monotony
    except (ValueError, TypeError) as error:
        raise SpecError(f"is no valid spline: {error}") from None
    # The very arrays: others may share them
    private = "_t" in vars(spline)
    vars(spline).update({"_t" if private else "t": knots, "_c" if private else "c": coefficients})
    return spline


def _compiled(module: str, name: str, **arguments: Spec) -> Part:
    also = (f"_loss.{name}",) if module == _CY else ()  # so up to scikit-learn 1.8
    return Part(module, name, arguments, positional(*arguments), call_in_order, also=also)


_SGD = "sklearn.linear_model._sgd_fast"
_CY = "sklearn._loss._loss"
_LOSS = "sklearn._loss.loss"
LOSSES: Final = (
    *("HalfSquaredError", "AbsoluteError", "PinballLoss", "HuberLoss", "HalfPoissonLoss"),
    *("HalfGammaLoss", "HalfTweedieLoss", "HalfTweedieLossIdentity", "HalfBinomialLoss"),
    *("HalfMultinomialLoss", "ExponentialLoss"),
)
_DTYPES: Spec = Either((NAME, Among(lambda: tuple(SCALAR_TYPES.values()), "a NumPy scalar type")))
_SELECTED: Spec = optional(
    _DTYPES, Among(lambda: (bool, int, float, object, str), "a Python type"), Seq(_DTYPES)
)
PARTS: Final[tuple[Part, ...]] = (
    _compiled(_SGD, "Hinge", threshold=REAL),
    _compiled(_SGD, "SquaredHinge", threshold=REAL),
    _compiled(_SGD, "ModifiedHuber"),
    _compiled(_SGD, "EpsilonInsensitive", epsilon=REAL),
    _compiled(_SGD, "SquaredEpsilonInsensitive", epsilon=REAL),
    _compiled(_CY, "CyHalfBinomialLoss"),
    _compiled(_CY, "CyHalfSquaredError"),
    _compiled(_CY, "CyHuberLoss", delta=REAL),
    *(
        Part(_LOSS, name, {"constant_hessian": BOOL}, _constant, _build_loss)
        for name in ("HalfSquaredError", "AbsoluteError")
    ),
    Part(
        _LOSS,
        "PinballLoss",
        {"quantile": Real(0, 1), "constant_hessian": BOOL},
        _pinball,
        _build_loss,
    ),
    Part(_LOSS, "HuberLoss", {"quantile": Real(0, 1), "delta": REAL}, _huber, _build_loss),
    Part(_LOSS, "HalfPoissonLoss", {}, nothing),
    Part(_LOSS, "HalfGammaLoss", {}, nothing),
    Part(_LOSS, "HalfTweedieLoss", {"power": REAL}, _power),
    Part(_LOSS, "HalfTweedieLossIdentity", {"power": REAL}, _power),
    Part(_LOSS, "HalfBinomialLoss", {}, nothing),
    Part(_LOSS, "HalfMultinomialLoss", {"n_classes": POSITIVE}, _multinomial, _build_loss),
    Part(_LOSS, "ExponentialLoss", {}, nothing),
    Part(
        "scipy.interpolate._bsplines",
        "BSpline",
        {
            "t": Array("f", (None,)),
            "c": Array("f", (None, None)),
            "k": Int(0, 100),
            "extrapolate": Either((BOOL, one_of("periodic"))),
            "axis": Int(0, 0),
        },
        _spline,
        _build_spline,
    ),
    Part(
        "sklearn.compose._column_transformer",
        "make_column_selector",
        {
            # It is matched against the caller's column names at each fit
            "pattern": optional(Pattern("column_pattern")),
            "dtype_include": _SELECTED,
            "dtype_exclude": _SELECTED,
        },
        attributes,
        late=True,
    ),
)
