"""Which methods of a module are saved, and for which inputs they are traced.

Implements spec/tensorflow.md, "Functions".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf

from safemodel.adapters.tensorflow.entries import CALL, is_entry
from safemodel.errors import UnsavableError, UsageError

_POLYMORPHIC: Final = tf.types.experimental.PolymorphicFunction
_CONCRETE: Final = tf.types.experimental.ConcreteFunction
_FAILURES: Final = (
    tf.errors.OpError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def concrete_functions(module: Any, example_inputs: Any) -> tuple[dict[str, Any], list[str]]:
    """Traced functions of a module by their names, and what to tell whoever saves it.

    Without examples they are those that say what they take: tf.functions with an
    `input_signature`, or traced for one sort of inputs alone.

    Raises:
        UnsavableError: a method can't be traced.
        UsageError: the examples are none, or name a method that is not there.
    """
    if example_inputs is None:
        return _known(module)
    found = {}
    for name, given in _by_method(module, example_inputs).items():
        if not is_entry(name):
            raise UsageError(f"example_inputs= for {name!r:.60}, which can't be the name of one")
        method = getattr(module, name, None)
        if not callable(method):
            raise UsageError(
                f"example_inputs= for {name!r:.60}, which is no method of the module",
                hint="for __call__ give a tuple, for others a dictionary by name",
            )
        found[name] = _traced(name, method, given)
    return found, []


def _by_method(module: Any, examples: Any) -> dict[str, Any]:
    if isinstance(examples, Mapping) and all(isinstance(key, str) for key in examples):
        return dict(examples)
    return {CALL: examples}


def _traced(name: str, method: Any, given: Any) -> Any:
    args, kwargs = _pair(given)
    if isinstance(method, _CONCRETE):
        return method
    if not isinstance(method, _POLYMORPHIC):
        method = tf.function(method)
    try:
        if given is None:
            return method.get_concrete_function()
        return method.get_concrete_function(*_specs(args), **_specs(kwargs))
    except _FAILURES as error:
        raise _untraceable(name, error) from error


def _untraceable(name: str, error: Exception) -> UnsavableError:
    lines = str(error).strip().split("\n")
    return UnsavableError(
        f"TensorFlow can't trace it: {lines[-1].strip()[:300]}",
        place=name,
        hint="example_inputs= are what it is called with, as tf.TensorSpec or arrays",
    )


def _pair(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if given is None:
        return (), {}
    if not isinstance(given, tuple | list):
        return (given,), {}
    if len(given) == 2 and isinstance(given[0], tuple) and isinstance(given[1], dict):
        return given[0], given[1]
    return tuple(given), {}


def _specs(given: Any) -> Any:
    """Arrays and tensors as what they are examples of."""
    return tf.nest.map_structure(_spec, given)


def _spec(value: Any) -> Any:
    if isinstance(value, tf.Variable):
        raise UsageError(
            "a variable among example_inputs=, which are tensors",
            hint="variables that a method uses are parts of the module",
        )
    if isinstance(value, np.ndarray | np.generic | tf.Tensor):
        value = tf.convert_to_tensor(value)
        return tf.TensorSpec(value.shape, value.dtype)
    return value


def _known(module: Any) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    notices: list[str] = []
    for name in sorted(_names(module)):
        function = getattr(module, name)
        if isinstance(function, _CONCRETE):
            found[name] = function
        elif getattr(function, "input_signature", None) is not None:
            found[name] = _traced(name, function, None)
        else:
            traced = list(getattr(function, "_list_all_concrete_functions", list)())
            if len(traced) == 1:
                found[name] = traced[0]
            else:
                why = "was traced for several sorts of inputs" if traced else "was never called"
                notices.append(f"{name} {why} and is left out: give example_inputs= for it")
    return found, notices


def _names(module: Any) -> Iterator[str]:
    """Attributes that are tf.functions. Properties are not looked at: they would run code."""
    held: dict[str, Any] = {}
    for base in reversed(type(module).__mro__):
        held |= vars(base)
    held |= vars(module)
    for name, value in held.items():
        if isinstance(value, _POLYMORPHIC | _CONCRETE) and is_entry(name):
            yield name
