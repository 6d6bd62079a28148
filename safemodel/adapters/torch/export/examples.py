"""The inputs that a module is exported with: `example_inputs=` and `dynamic_shapes=` of `save`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from safemodel.adapters.torch.export.program import FORWARD
from safemodel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Example:
    """What one method is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dynamic: Any


def examples(inputs: object, dynamic: object) -> dict[str, Example]:
    """The examples by the name of the method.

    `inputs` is a tuple of positional arguments, one tensor, or `(args, kwargs)`; or a dictionary
    of such by method. `dynamic` is what `torch.export.export` takes, or a dictionary by method if
    `inputs` is one.

    Raises:
        UsageError: they are something else.
    """
    if not isinstance(inputs, Mapping):
        args, kwargs = _arguments(inputs)
        return {FORWARD: Example(args, kwargs, dynamic)}
    if not inputs or any(type(name) is not str for name in inputs):
        raise UsageError("example_inputs= is a tuple, or a dictionary of tuples by method")
    if dynamic is not None and (
        not isinstance(dynamic, Mapping) or not dynamic.keys() <= inputs.keys()
    ):
        raise UsageError(
            "dynamic_shapes= must be a dictionary by method, as example_inputs= is",
            hint='dynamic_shapes={"forward": ...}',
        )
    found = {}
    for name, value in inputs.items():
        if not isinstance(value, tuple):
            raise UsageError(
                f"example_inputs= of the method {name!r} is no tuple of arguments",
                hint="to give arguments by name write example_inputs=((), {name: value})",
            )
        args, kwargs = _arguments(value)
        found[name] = Example(args, kwargs, dynamic[name] if dynamic and name in dynamic else None)
    return found


def _arguments(value: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(value, torch.Tensor):
        return (value,), {}
    if not isinstance(value, tuple):
        raise UsageError(
            "example_inputs= is a tuple of the arguments that the module is called with",
            hint="example_inputs=(x,), or ((), {name: x}) to give them by name",
        )
    if len(value) == 2 and isinstance(value[0], tuple) and isinstance(value[1], Mapping):
        names = list(value[1])
        if all(type(name) is str for name in names):
            return value[0], dict(value[1])
    return tuple(value), {}
