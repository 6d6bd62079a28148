"""Arithmetic on sizes: what `torch.export` keeps of Python's operators, and items of results.

The functions take numbers alone, whatever a graph hands them, and keep what they return within 64
bits, so no graph grows a number without end. `torch.export` and `torch.compile` trace through them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch

from safemodel.adapters.torch.operators.literals import NodeRef
from safemodel.errors import ArchitectureError

_INT64: Final = 2**63
_SYMBOLIC: Final = (torch.SymInt, torch.SymFloat, torch.SymBool)
_MAX_POWER: Final = 64


def _number(value: Any) -> Any:
    if type(value) is int:
        if not -_INT64 <= value < _INT64:
            raise ValueError("a size of more than 64 bits")
    elif type(value) not in (float, bool) and not isinstance(value, _SYMBOLIC):
        raise TypeError(f"arithmetic on sizes takes numbers, not {type(value).__name__}")
    return value


def _bounded(function: Callable[..., Any], name: str, arity: int) -> Callable[..., Any]:
    if arity == 1:

        def one(value: Any) -> Any:
            return _number(function(_number(value)))

        call: Callable[..., Any] = one
    else:

        def two(left: Any, right: Any) -> Any:
            return _number(function(_number(left), _number(right)))

        call = two
    call.__name__ = call.__qualname__ = name
    return call


def power(base: Any, exponent: Any) -> Any:
    """A power with an exponent so small that the result is at hand at once."""
    if abs(_number(exponent)) > _MAX_POWER:
        raise ValueError("an exponent of more than 64 in arithmetic on sizes")
    return _number(_number(base) ** exponent)


def shift_left(value: Any, by: Any) -> Any:
    """A shift by less than 64 bits."""
    if not 0 <= _number(by) < _MAX_POWER:
        raise ValueError("a shift of 64 bits or more in arithmetic on sizes")
    return _number(_number(value) << by)


def item(values: Any, index: Any) -> Any:
    """One of the values that an operator returned."""
    if not isinstance(values, tuple | list) or type(index) is not int:
        raise TypeError("an item is of several values, by its number")
    return values[index]


def choice(condition: Any, first: Any, second: Any) -> Any:
    """One of two numbers."""
    return torch.sym_ite(_number(condition), _number(first), _number(second))  # type: ignore[no-untyped-call]


def total(values: Any) -> Any:
    """The sum of a list of numbers."""
    if not isinstance(values, tuple | list):
        raise TypeError("a sum is of a list of numbers")
    numbers = [_number(value) for value in values]
    return _number(torch.sym_sum(numbers))  # type: ignore[no-untyped-call]


# key -> (what torch.export names, number of arguments, our function)
_ROWS: Final[Mapping[str, tuple[Callable[..., Any], int, Callable[..., Any] | None]]] = {
    "operator::abs": (operator.abs, 1, None),
    "operator::add": (operator.add, 2, None),
    "operator::and": (operator.and_, 2, None),
    "operator::eq": (operator.eq, 2, None),
    "operator::floordiv": (operator.floordiv, 2, None),
    "operator::ge": (operator.ge, 2, None),
    "operator::getitem": (operator.getitem, 2, item),
    "operator::gt": (operator.gt, 2, None),
    "operator::le": (operator.le, 2, None),
    "operator::lshift": (operator.lshift, 2, shift_left),
    "operator::lt": (operator.lt, 2, None),
    "operator::mod": (operator.mod, 2, None),
    "operator::mul": (operator.mul, 2, None),
    "operator::ne": (operator.ne, 2, None),
    "operator::neg": (operator.neg, 1, None),
    "operator::not": (operator.not_, 1, None),
    "operator::or": (operator.or_, 2, None),
    "operator::pos": (operator.pos, 1, None),
    "operator::pow": (operator.pow, 2, power),
    "operator::rshift": (operator.rshift, 2, None),
    "operator::sub": (operator.sub, 2, None),
    "operator::truediv": (operator.truediv, 2, None),
    "math::ceil": (math.ceil, 1, None),
    "math::floor": (math.floor, 1, None),
    "math::trunc": (math.trunc, 1, None),
    "sym::float": (torch.sym_float, 1, None),
    "sym::int": (torch.sym_int, 1, None),
    "sym::ite": (torch.sym_ite, 3, choice),
    "sym::max": (torch.sym_max, 2, None),
    "sym::min": (torch.sym_min, 2, None),
    "sym::not": (torch.sym_not, 1, None),
    "sym::sum": (torch.sym_sum, 1, total),
}

ARITIES: Final = {key: arity for key, (_, arity, _) in _ROWS.items()}
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    key: own or _bounded(target, key.replace("::", "_"), arity)
    for key, (target, arity, own) in _ROWS.items()
}
# What stands in a graph: what torch.export writes, and ours, when a loaded module is exported.
NAMES: Final[Mapping[Callable[..., Any], str]] = {
    **{target: key for key, (target, _, _) in _ROWS.items()},
    **{function: key for key, function in FUNCTIONS.items()},
}


def check_arithmetic(key: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check the arguments of one of these functions.

    Raises:
        ArchitectureError: their number is wrong, or one is neither a number nor a node.
    """
    if kwargs or len(args) != ARITIES[key]:
        raise ArchitectureError(f"{key} takes {ARITIES[key]} arguments")
    values = args
    if key == "sym::sum" and isinstance(args[0], list | tuple):
        values = args[0]
    for value in values:
        literal = type(value) in (bool, float) or (type(value) is int and -_INT64 <= value < _INT64)
        if not literal and not isinstance(value, NodeRef):
            raise ArchitectureError(f"{key} takes numbers, not {value!r:.60}")
    if key == "operator::getitem" and type(args[1]) is not int:
        raise ArchitectureError(f"{key} takes an integer")
