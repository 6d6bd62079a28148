"""The objects inside estimators that are no estimators: losses, splines, selectors, functions.

Each kind of part is rebuilt by calling its class, from our table, with a few checked plain
arguments. Functions are constants of a short hand-written list; nothing is looked up by a name
from the data. Implements spec/sklearn.md, "Estimators".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.patterns import Pattern
from safemodel.adapters.sklearn.schema import BOOL, NAME, REAL
from safemodel.adapters.sklearn.scope import SAVING, Audit, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Among,
    Array,
    Either,
    Exactly,
    Int,
    Seq,
    Spec,
    one_of,
    optional,
)

# A dtype as people pass it to `dtype=`: the scalar type, a Python type or a dtype object.
SCALAR_TYPES: Final[Mapping[str, type]] = {
    name: getattr(np, name)
    for name in (
        *("float16", "float32", "float64", "bool_", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64", "object_", "str_"),
    )
}

# Functions of FunctionTransformer, and what their keywords may be. All are pure.
_CLIP = optional(REAL, Array("fiu", (None,)))
FUNCTIONS: Final[Mapping[str, tuple[Any, Mapping[str, Spec]]]] = {
    **{
        name: (getattr(np, name), {})
        for name in (
            *("absolute", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "exp", "exp2"),
            *("expm1", "floor", "log", "log10", "log1p", "log2", "negative", "reciprocal"),
            *("rint", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc"),
            *("degrees", "radians", "isnan"),
        )
    },
    "clip": (np.clip, dict.fromkeys(("a_min", "a_max", "min", "max"), _CLIP)),
    "nan_to_num": (
        np.nan_to_num,
        {"nan": REAL, "posinf": optional(REAL), "neginf": optional(REAL)},
    ),
    "round": (np.round, {"decimals": Int(-400, 400)}),
}


@dataclass(frozen=True)
class Part:
    """A class of ours to build: where it is, its arguments, and how to read them off an object."""

    module: str
    name: str
    arguments: Mapping[str, Spec]
    read: Callable[[Any], Mapping[str, Any]]
    build: Callable[..., Any] | None = None
    late: bool = False  # arguments may be lists: they go in when the graph is complete

    @property
    def qualified(self) -> str:
        """The name in architectures and messages."""
        return f"{self.module}.{self.name}"

    def arguments_of(self, value: Any) -> dict[str, Any]:
        """Read and check the arguments that rebuild `value`."""
        arguments = dict(self.read(value))
        self.check(arguments, SAVING)
        return arguments

    def check(self, arguments: Mapping[str, Any], audit: Audit) -> None:
        """Check arguments, which must be exactly those of this part."""
        if arguments.keys() != self.arguments.keys():
            raise SpecError(f"needs exactly the arguments {', '.join(self.arguments) or 'none'}")
        for name, spec in self.arguments.items():
            try:
                spec.check(arguments[name], Scope(audit=audit))
            except SpecError as error:
                raise error.below(f".{name}") from None


def _reduced(*names: str) -> Callable[[Any], Mapping[str, Any]]:
    """Read constructor arguments off a compiled object, which tells them only to `__reduce__`."""
    return lambda value: dict(zip(names, value.__reduce__()[1], strict=True))


def _power(value: Any) -> Mapping[str, Any]:
    return {"power": value.closs.__reduce__()[1][0]}


def _nothing(value: Any) -> Mapping[str, Any]:
    return {}


def _spline(value: Any) -> Mapping[str, Any]:
    names = ("t", "c", "k", "extrapolate", "axis")
    return {name: getattr(value, name) for name in names}


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
    vars(spline).update(_t=knots, _c=coefficients)  # the very arrays: others may share them
    return spline


def _selector(value: Any) -> Mapping[str, Any]:
    return dict(vars(value))


_SGD = "sklearn.linear_model._sgd_fast"
_CY = "sklearn._loss._loss"
_LOSS = "sklearn._loss.loss"
_DTYPES: Spec = Either((NAME, Among(lambda: tuple(SCALAR_TYPES.values()), "a NumPy scalar type")))
_SELECTED: Spec = optional(
    _DTYPES, Among(lambda: (bool, int, float, object, str), "a Python type"), Seq(_DTYPES)
)
PARTS: Final[tuple[Part, ...]] = (
    Part(_SGD, "Hinge", {"threshold": REAL}, _reduced("threshold")),
    Part(_SGD, "SquaredHinge", {"threshold": REAL}, _reduced("threshold")),
    Part(_SGD, "ModifiedHuber", {}, _reduced()),
    Part(_SGD, "EpsilonInsensitive", {"epsilon": REAL}, _reduced("epsilon")),
    Part(_SGD, "SquaredEpsilonInsensitive", {"epsilon": REAL}, _reduced("epsilon")),
    Part(_CY, "CyHalfBinomialLoss", {}, _reduced()),
    Part(_CY, "CyHalfSquaredError", {}, _reduced()),
    Part(_CY, "CyHuberLoss", {"delta": REAL}, _reduced("delta")),
    Part(_LOSS, "HalfSquaredError", {}, _nothing),
    Part(_LOSS, "HalfPoissonLoss", {}, _nothing),
    Part(_LOSS, "HalfGammaLoss", {}, _nothing),
    Part(_LOSS, "HalfTweedieLoss", {"power": REAL}, _power),
    Part(_LOSS, "HalfTweedieLossIdentity", {"power": REAL}, _power),
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
        _selector,
        late=True,
    ),
)


@functools.cache
def part_classes() -> Mapping[type, Part]:
    """Import the classes of the table; a class that the installed release lacks is left out."""
    import importlib

    found = {}
    for part in PARTS:
        try:
            kind = getattr(importlib.import_module(part.module), part.name)
        except (ImportError, AttributeError):
            continue
        found[kind] = part
    return found


def part_kinds(*names: str) -> Exactly:
    """Return the spec of a part of one of the named classes."""

    def kinds() -> tuple[type, ...]:
        return tuple(kind for kind, part in part_classes().items() if part.name in names)

    return Exactly(kinds, f"a {' or '.join(names)}")


def build_part(kind: Any, part: Part, arguments: Mapping[str, Any]) -> Any:
    """Build the object from arguments that were checked."""
    if part.build is not None:
        return part.build(kind, **arguments)
    return kind(*arguments.values()) if part.module in (_SGD, _CY) else kind(**arguments)


FUNCTION: Final = Among(
    lambda: tuple(function for function, _ in FUNCTIONS.values()),
    "one of NumPy's plain functions: " + ", ".join(FUNCTIONS),
)
DTYPE: Final = Either(
    (
        Among(lambda: (*SCALAR_TYPES.values(), float, int, bool), "a NumPy scalar type"),
        one_of(*SCALAR_TYPES),
        Exactly(lambda: tuple({type(np.dtype(kind)) for kind in "fdegbhilqBHILQ?O"}), "a dtype"),
    )
)
