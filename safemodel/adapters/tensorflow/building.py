"""Functions of a program as functions of TensorFlow.

Each node is one call of `create_op`, the operator from the table, the name ours: nothing of the
file is a name that TensorFlow looks up. What TensorFlow checks of a node it checks here, before
anything runs. Implements spec/tensorflow.md, "Functions".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import handle_data_util

from safemodel.adapters.tensorflow import control, folding
from safemodel.adapters.tensorflow.dtypes import STRING, carrier
from safemodel.adapters.tensorflow.guards import guarded
from safemodel.adapters.tensorflow.program import (
    Captured,
    Entry,
    Function,
    FunctionRef,
    Inline,
    Node,
    Program,
    Ref,
    Stored,
    TensorType,
    VariableType,
)
from safemodel.adapters.tensorflow.protos import (
    attribute_proto,
    shape_of,
    shapes_proto,
    tensor_proto,
)
from safemodel.adapters.tensorflow.values import made_of, tensor_of
from safemodel.adapters.tensorflow.variables import Stored as StoredTensor
from safemodel.errors import ArchitectureError

# Names of nodes are ours, and those that TensorFlow would give: its optimizer sorts by them what it
# adds up, and with other names last bits would differ more often.
_NAMES: Final = {
    "AddV2": "add",
    "ConcatV2": "concat",
    "Mul": "mul",
    "Pow": "pow",
    "RealDiv": "truediv",
    "StridedSlice": "strided_slice",
    "Sub": "sub",
}
_CALLS: Final = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_MOST: Final = 2**60
_LOOPS: Final = frozenset({"StatelessWhile", "While"})
# TensorFlow replaces these by nodes that run side by side, if it is told to.
_LOWERED: Final = frozenset(
    {"Case", "If", "StatelessCase", "StatelessIf", "StatelessWhile", "While"}
)
_REFUSALS: Final = (
    tf.errors.OpError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Functions:
    """The functions of one program, each built once, when it is first needed.

    `constants` are tensors of the bundle by name; `variable` finds the variable that a capture
    names.
    """

    def __init__(
        self,
        program: Program,
        constants: Mapping[str, StoredTensor],
        variable: Callable[[Captured], Any],
    ) -> None:
        self._program = program
        self._constants = constants
        self._variable = variable
        self._inner: dict[int, Any] = {}
        self._tensors: dict[str, Any] = {}

    def entry(self, entry: Entry) -> Any:
        """A concrete function of the tensors that an entry takes, flat, as a list.

        Raises:
            ArchitectureError: TensorFlow refuses a node of it.
        """
        function = self._program.functions[entry.function]
        captured = [self._captured(one) for one in entry.captures]
        variables = [one for one in captured if isinstance(one, tf.Variable)]
        taken = function.inputs[: len(function.inputs) - len(captured)]

        def run(*given: Any) -> list[Any]:
            graph = tf.compat.v1.get_default_graph()
            for one in variables:
                graph.watch_variable(one)  # for gradients, and so that it lives as long
            held = [one.handle if isinstance(one, tf.Variable) else one for one in captured]
            sure = [_sure(one, kind) for one, kind in zip(given, taken, strict=True)]
            return _Run(self, function, [*sure, *held], top=True).results()

        return self._trace(run, taken)

    def inner(self, number: int) -> Any:
        """A concrete function that other functions call, by its number."""
        if number not in self._inner:
            function = self._program.functions[number]

            def run(*given: Any) -> list[Any]:
                for one, kind in zip(given, function.inputs, strict=True):
                    if isinstance(kind, VariableType):
                        _describe(one, kind)
                sure = [_sure(one, kind) for one, kind in zip(given, function.inputs, strict=True)]
                return _Run(self, function, sure, top=False).results()

            self._inner[number] = made = self._trace(run, function.inputs)
            _note(made.function_def.signature.input_arg, function.inputs)
        return self._inner[number]

    def loop(self, node: Node) -> Sequence[TensorType | VariableType]:
        """The inputs of the body of a loop, which are what the loop gives."""
        number: int = node.attributes["body"].number
        return self._program.functions[number].inputs

    def _trace(self, run: Callable[..., list[Any]], inputs: Sequence[Any]) -> Any:
        specs = [_spec(one) for one in inputs]
        with refusing(), tf.init_scope():
            return tf.function(run, autograph=False).get_concrete_function(*specs)

    def _captured(self, one: Captured | Inline | Stored) -> Any:
        if isinstance(one, Captured):
            return self._variable(one)
        if isinstance(one, Stored):
            return self.constant(one)
        if one.dtype == STRING:
            array = np.empty(len(one.strings or ()), object)
            array[:] = one.strings or ()
        else:
            array = np.frombuffer(one.data, carrier(one.dtype))
        with refusing(), tf.init_scope():
            return made_of(array.reshape(one.shape), one.dtype)

    def constants(self) -> dict[str, Any]:
        """All of them by name."""
        return {
            name: self.constant(Stored(name, one.dtype, one.shape))
            for name, one in self._constants.items()
        }

    def constant(self, one: Stored) -> Any:
        """A constant that is a tensor of the bundle."""
        if one.name not in self._tensors:
            with refusing(), tf.init_scope():
                self._tensors[one.name] = tensor_of(self._constants[one.name])
        return self._tensors[one.name]

    def stored(self, one: Stored) -> Any:
        """The same, to be written into a graph."""
        held = self._constants[one.name]
        return tensor_proto(Inline(one.dtype, one.shape, bytes(held.read(held.data).buffer)))


class _Run:
    """One function, as it is traced."""

    def __init__(
        self, functions: Functions, function: Function, inputs: Sequence[Any], *, top: bool
    ) -> None:
        self._functions = functions
        self._function = function
        self._inputs = inputs
        self._top = top
        self._graph = tf.compat.v1.get_default_graph()
        self._given: list[Sequence[Any]] = []
        self._costs: list[Sequence[folding.Cost]] = []
        self._operations: list[Any] = []

    def results(self) -> list[Any]:
        """What the function gives, after all of its nodes."""
        for number, node in enumerate(self._function.nodes):
            try:
                self._add(node)
            except _REFUSALS as error:
                message = str(error).split("\n", 1)[0]
                raise ArchitectureError(
                    f"{node.operator.name} is refused by TensorFlow: {message:.200}",
                    place=f"node {number}",
                ) from error
        return [self._value(ref) for ref in self._function.outputs]

    def _cost(self, ref: Ref) -> folding.Cost:
        return folding.LATER if ref.node < 0 else self._costs[ref.node][ref.output]

    def _value(self, ref: Ref) -> Any:
        if ref.node < 0:
            return self._inputs[ref.output]
        return self._given[ref.node][ref.output]

    def _add(self, node: Node) -> None:
        row = node.operator
        inputs = [self._value(ref) for ref in node.inputs]
        if row.name == "Range":  # the only one whose shape depends on what are no integers
            inputs = [
                folding.hide(one) if self._cost(ref).steps > folding.MOST else one
                for one, ref in zip(inputs, node.inputs, strict=True)
            ]
        if row.name == "AssignVariableOp":  # which takes any shape
            kind = self._function.inputs[node.inputs[0].output]
            if kind.dtype == STRING and kind.shape is None:
                raise ArchitectureError("strings of any shape that are assigned")
            inputs[1] = _sure(inputs[1], kind)
        after = [self._operations[number] for number in node.after]
        costs: Sequence[folding.Cost] = [folding.LATER] * len(node.outputs)
        with tf.control_dependencies([one for one in after if one is not None]):
            inputs = guarded(row, node.attributes, inputs)
            if row.name in _CALLS:
                self._call(node, inputs)
            elif self._top and isinstance(node.attributes.get("value"), Stored):
                # Not copied into the graph.
                self._given.append((self._functions.constant(node.attributes["value"]),))
                self._operations.append(None)
            else:
                costs = self._create(node, inputs)
        self._costs.append(costs)

    def _create(self, node: Node, inputs: list[Any]) -> Sequence[folding.Cost]:
        row = node.operator
        attributes = {name: self._attribute(node, name) for name in node.attributes}
        sure: Sequence[Any] = ()
        if row.name in _LOWERED:
            attributes["_lower_using_switch_merge"] = tf.compat.v1.AttrValue(b=True)
            sure = self._shapes(node)
            attributes["output_shapes"] = shapes_proto(sure)
        name = _NAMES.get(row.name, row.name)
        made = self._graph.create_op(row.name, inputs, attrs=attributes, name=name)
        outputs = made.outputs
        if row.name in _LOOPS:
            kinds = self._functions.loop(node)
            outputs = [_sure(one, kind) for one, kind in zip(outputs, kinds, strict=True)]
        for one in outputs:
            _check_sizes(one.shape)
        steps = folding.cost(node, [self._cost(ref) for ref in node.inputs], outputs)
        found = [folding.hidden(one, steps) for one in outputs]
        self._given.append([value for value, _ in found])
        self._operations.append(made)
        return [one for _, one in found]

    def _shapes(self, node: Node) -> list[Any]:
        """The shapes of what a loop or branches give: what was built says them, not the file."""
        if node.operator.name in _LOOPS:
            return [_spec(one).shape for one in self._functions.loop(node)]
        branches = [
            self._functions.inner(number).outputs for number in control.called(node.attributes)
        ]
        shapes = [one.shape for one in branches[0]]
        for outputs in branches[1:]:
            shapes = [
                shape.most_specific_compatible_shape(one.shape)
                for shape, one in zip(shapes, outputs, strict=True)
            ]
        return shapes

    def _call(self, node: Node, inputs: list[Any]) -> None:
        # By TensorFlow's own means, for it to know the gradient.
        made = self._functions.inner(node.attributes["f"].number)(*inputs)
        self._given.append(made if isinstance(made, list | tuple) else ())
        self._operations.append(self._graph.get_operations()[-1])

    def _attribute(self, node: Node, name: str) -> Any:
        value, attribute = node.attributes[name], node.operator.attributes[name]
        if attribute.kind == "func":
            proto = tf.compat.v1.AttrValue()
            if not attribute.many:
                proto.func.name = self._named(value)
                return proto
            for one in value:
                proto.list.func.add().name = self._named(one)
            return proto
        if attribute.kind == "tensor":
            made = (
                tensor_proto(value) if isinstance(value, Inline) else self._functions.stored(value)
            )
            return tf.compat.v1.AttrValue(tensor=made)
        return attribute_proto(attribute, value)

    def _named(self, reference: FunctionRef) -> bytes:
        inner = self._functions.inner(reference.number)
        inner.add_to_graph(self._graph)
        name: bytes = inner.name
        return name


def _sure(value: Any, kind: TensorType | VariableType) -> Any:
    """A value that has the shape that the file says it has: what follows is built for it.

    TensorFlow does not check it of what loops, branches and assignments get.
    """
    if kind.shape is None or value.dtype in (tf.resource, tf.variant):
        return value
    return tf.ensure_shape(value, shape_of(kind.shape))


def _check_sizes(shape: Any) -> None:
    """Refuse sizes that are too many even if one is zero: kernels die of what remains without it.

    Raises:
        ArchitectureError: they are.
    """
    known = [] if shape.rank is None else [size for size in shape.as_list() if size]
    if math.prod(known) > _MOST:
        raise ArchitectureError("a shape with more than 2^60 values but for an axis without any")


def _describe(handle: Any, kind: VariableType) -> None:
    """Tell TensorFlow what is behind the handle of a variable: gradients need it."""
    data = handle_data_util.create_handle_data(shape_of(kind.shape), tf.as_dtype(kind.dtype))
    handle_data_util.set_handle_data(handle, data)


def _note(arguments: Any, inputs: Sequence[Any]) -> None:
    """The same for gradients of loops and branches, which TensorFlow makes of definitions."""
    for argument, kind in zip(arguments, inputs, strict=True):
        if isinstance(kind, VariableType):
            dtype = tf.as_dtype(kind.dtype).as_datatype_enum
            argument.handle_data.add(dtype=dtype, shape=shape_of(kind.shape).as_proto())


def _spec(one: Any) -> Any:
    if isinstance(one, VariableType):
        return tf.TensorSpec([], tf.resource)
    return tf.TensorSpec(shape_of(one.shape), tf.as_dtype(one.dtype))


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what TensorFlow raises into ArchitectureError."""
    try:
        yield
    except _REFUSALS as error:
        message = str(error).split("\n", 1)[0]
        raise ArchitectureError(f"TensorFlow refuses a function: {message:.200}") from error
