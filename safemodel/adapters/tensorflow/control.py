"""Operators that run functions: which inputs these get, and what they must give.

TensorFlow trusts that a function fits the node that names it. Implements
spec/tensorflow-graph.md, "Control flow".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from safemodel.adapters.tensorflow.program import (
    Function,
    FunctionRef,
    InputType,
    Ref,
    TensorType,
    VariableType,
)
from safemodel.errors import ArchitectureError

CALL: Final = "StatefulPartitionedCall"
# Operator -> its attributes that are functions. The first inputs are a condition or a number.
_CALLS: Final = ("PartitionedCall", CALL)
_BRANCHES: Final = ("If", "StatelessIf", "Case", "StatelessCase")
_LOOPS: Final = ("While", "StatelessWhile")
OPERATORS: Final = frozenset({*_CALLS, *_BRANCHES, *_LOOPS})


def first_input(name: str) -> int:
    """Which input of an operator is the first that its functions get."""
    return 1 if name in _BRANCHES else 0


def called(attributes: Mapping[str, Any]) -> list[int]:
    """The numbers of the functions that a node names."""
    found = []
    for value in attributes.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, FunctionRef):
                found.append(item.number)
    return found


def check(
    name: str,
    attributes: Mapping[str, Any],
    given: Sequence[InputType],
    functions: Sequence[Function],
) -> None:
    """Check that the functions of a node fit it; `given` are the types of its inputs.

    Raises:
        ArchitectureError: one does not.
    """
    numbers = called(attributes)
    if name not in OPERATORS:
        if numbers:
            raise ArchitectureError(f"operator {name} can't run functions")
        return
    taken = given[first_input(name) :]
    if name in _LOOPS:
        condition, body = (functions[attributes[key].number] for key in ("cond", "body"))
        _check_function(condition, taken, ("bool",))
        _check_function(body, taken, attributes["T"])
        for place, one in enumerate(taken):
            # A loop gives variables on as it gets them.
            if isinstance(one, VariableType) and body.outputs[place] != Ref(-1, place):
                raise ArchitectureError("a loop that changes what a variable is")
        return
    if "resource" in attributes["Tout"]:
        raise ArchitectureError("a function that gives a variable")
    for number in numbers:
        _check_function(functions[number], taken, attributes["Tout"])


def _check_function(function: Function, taken: Sequence[InputType], results: Sequence[str]) -> None:
    if len(function.inputs) != len(taken) or function.results != tuple(results):
        raise ArchitectureError("a function with other inputs or results than it would have")
    for wanted, one in zip(function.inputs, taken, strict=True):
        if isinstance(one, VariableType):
            fits = wanted == one
        else:
            fits = isinstance(wanted, TensorType) and wanted.dtype == one.dtype
        if not fits:
            raise ArchitectureError("a function with inputs of other types than it would get")
