"""A live module to a program: its functions traced, as graphs in JSON.

TensorFlow traces; what comes out is read from bytes by the same code that reads a SavedModel.
Implements spec/tensorflow.md, "Functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from safemodel.adapters.tensorflow import walk
from safemodel.adapters.tensorflow.dtypes import STRING
from safemodel.adapters.tensorflow.encoding import Writer
from safemodel.adapters.tensorflow.methods import concrete_functions
from safemodel.adapters.tensorflow.parsing import parse
from safemodel.adapters.tensorflow.program import VariableType
from safemodel.adapters.tensorflow.structures import Leaf, tree
from safemodel.adapters.tensorflow.values import pieces
from safemodel.adapters.tensorflow.walk import State
from safemodel.errors import ArchitectureError, LegacyError, UnsavableError
from safemodel.legacy.tensorflow_functions import FunctionFact, function_fact, graph_fact
from safemodel.legacy.tensorflow_values import TensorFact

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


@dataclass(frozen=True, slots=True)
class Traced:
    """The functions of a module: JSON, constants for the bundle, and what to tell its owner."""

    json: JsonValue
    constants: Mapping[str, TensorFact]
    notices: tuple[str, ...]


def trace(module: Any, state: State, example_inputs: Any) -> Traced | None:
    """The program of a module; None if it has no function that says what it takes.

    Raises:
        UnsavableError: a function can't be traced, or has an operator that no archive can have.
        UsageError: the examples are none, or name a method that is not there.
    """
    concrete, notices = concrete_functions(module, example_inputs)
    if not concrete:
        return None
    tracer = _Tracer(module, state)
    entries = {name: tracer.entry(name, function) for name, function in concrete.items()}
    json: Any = {"functions": tracer.writer.functions, "entries": entries}
    constants = dict(tracer.writer.constants.stored)
    try:
        # What could not be loaded must not be saved.
        known = {name: (fact.dtype, fact.shape) for name, fact in constants.items()}
        parse(json, known, tracer.type_of)
    except ArchitectureError as error:
        raise UnsavableError(error.message, place=error.place, hint=error.hint) from error
    if tracer.writer.own:
        notices.append(
            "gradients that the code defines itself (tf.custom_gradient) are not kept: a loaded "
            "module has those of the operators"
        )
    return Traced(json, constants, tuple(notices))


def variable_type(variable: Any) -> VariableType:
    """What a function may know of a variable."""
    shape = variable.shape
    sizes = None if shape.rank is None else tuple(-1 if n is None else n for n in shape.as_list())
    return VariableType(variable.dtype.name, sizes)


class _Tracer:
    """The entries of one module."""

    def __init__(self, module: Any, state: State) -> None:
        self._paths: dict[int, tuple[str, ...]] = {}
        self._variables: dict[tuple[str, ...], Any] = {}
        self._handles: dict[int, Any] = {}
        self._find(module, state)
        self._library: dict[str, FunctionFact] = {}
        self.writer = Writer(self._library)

    def _find(self, module: Any, state: State) -> None:
        """The shortest path to each variable."""
        queue: list[tuple[Any, tuple[str, ...]]] = [(module, ())]
        for obj, path in queue:
            if id(obj) in self._paths:
                continue
            self._paths[id(obj)] = path
            if walk.is_variable(obj):
                self._variables[path] = obj
                self._handles[id(obj.handle)] = obj
            queue += [(part, (*path, name)) for name, part in state.parts(obj)]

    def type_of(self, value: JsonValue) -> VariableType:
        """The type of the variable at a path, for what reads a program.

        Raises:
            ArchitectureError: there is none.
        """
        found = self._variables.get(tuple(value) if isinstance(value, list) else ())  # type: ignore[arg-type]
        if found is None:
            raise ArchitectureError("a variable that is not there")
        return variable_type(found)

    def entry(self, name: str, concrete: Any) -> JsonValue:
        """An entry as JSON; its functions are added."""
        try:
            return self._entry(concrete)
        except UnsavableError as error:
            if not (error.place or "").startswith(f"{name}: "):
                error.place = f"{name}: {error.place}" if error.place else name
            raise

    def _entry(self, concrete: Any) -> JsonValue:
        fact = self._read(concrete)
        captures = concrete.captured_inputs
        first = len(fact.arguments) - len(captures)
        known: dict[int, VariableType] = {}
        captured: list[JsonValue] = []
        for place, one in enumerate(captures):
            if one.dtype == tf.resource:
                variable = self._captured(one, concrete)
                known[first + place] = variable_type(variable)
                captured.append({"variable": list(self._paths[id(variable)])})
            else:
                captured.append(self.writer.constants.encode(_fact(one)))
        number = self.writer.function(fact.name, known)
        parameters, args, kwargs = _arguments(concrete, first)
        return {
            "function": number,
            "parameters": parameters,
            "args": args,
            "kwargs": kwargs,
            "result": _result(concrete),
            "captures": captured,
        }

    def _read(self, concrete: Any) -> FunctionFact:
        """The facts of a function, and those of all that it calls."""
        try:
            graph = concrete.graph.as_graph_def().SerializeToString()
            self._library.update(graph_fact(memoryview(graph)).functions)
            fact = function_fact(memoryview(concrete.function_def.SerializeToString()))
        except (LegacyError, ValueError) as error:  # ValueError: of more than 2 GiB
            raise UnsavableError(f"a function that can't be read: {error!s:.200}") from error
        self._library[fact.name] = fact
        return fact

    def _captured(self, handle: Any, concrete: Any) -> Any:
        found = self._handles.get(id(handle))
        if found is not None:
            return found
        for variable in concrete.variables:
            if walk.bare(variable).handle is handle:
                raise UnsavableError(
                    f"it uses the variable {variable.name!s:.100}, which is no part of the module",
                    hint="hold it in an attribute of the module",
                )
        raise UnsavableError(
            "it uses a resource that is no variable",
            hint="tables, iterators and the like can't be in an archive",
        )


def _fact(value: Any) -> TensorFact:
    """A tensor that a function captured, as a fact."""
    if not hasattr(value, "numpy"):
        raise UnsavableError("it captures a tensor that has no value")
    shape, dtype = tuple(value.shape.as_list()), value.dtype.name
    if dtype == STRING:
        items = np.asarray(value.numpy(), object).reshape(-1).tolist()
        return TensorFact(dtype, shape, b"", tuple(items))
    try:
        return TensorFact(dtype, shape, b"".join(map(bytes, pieces(value))))
    except (TypeError, ValueError, tf.errors.OpError) as error:
        raise UnsavableError(f"it captures a tensor of {dtype:.60}") from error


def _arguments(concrete: Any, count: int) -> tuple[list[JsonValue], list[JsonValue], JsonValue]:
    """Names of arguments by position, their trees, and those of arguments by name."""
    signature = concrete.structured_input_signature
    numbers = iter(range(count))
    leaves: list[Any] = []
    for leaf in tf.nest.flatten(signature):
        if isinstance(leaf, tf.TensorSpec):
            leaves.append(Leaf("input", next(numbers, count)))
        elif isinstance(leaf, tf.TypeSpec):
            raise UnsavableError(
                f"it takes a {type(leaf).__name__.removesuffix('Spec')}",
                hint="take the tensors that it is made of",
            )
        else:
            leaves.append(leaf)
    args, kwargs = tf.nest.pack_sequence_as(signature, leaves)
    if sum(isinstance(leaf, Leaf) for leaf in leaves) != count:
        raise UnsavableError("it has other inputs than its signature says")
    positional = [
        name
        for name, one in concrete.function_type.parameters.items()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    names: list[JsonValue] = list(positional[: len(args)])
    pairs: list[JsonValue] = [[name, tree(one, name)] for name, one in sorted(kwargs.items())]
    return names, [tree(one, f"argument {place}") for place, one in enumerate(args)], pairs


def _result(concrete: Any) -> JsonValue:
    numbers = {id(one): number for number, one in enumerate(concrete.outputs)}
    names = {one.name: number for number, one in enumerate(concrete.outputs)}
    structured = concrete.structured_outputs
    leaves: list[Any] = []
    for leaf in tf.nest.flatten(structured):
        if isinstance(leaf, tf.Tensor):
            number = numbers.get(id(leaf), names.get(leaf.name))
            if number is None:
                raise UnsavableError("a result that is none of its outputs")
            leaves.append(Leaf("output", number))
        elif isinstance(leaf, tf.Operation):
            leaves.append(None)
        else:
            leaves.append(leaf)
    return tree(tf.nest.pack_sequence_as(structured, leaves), "result")
