"""What a program is, once it was read: functions of nodes, and the entries that call them.

Everything here was checked when it was made (`parsing.py`). Nothing of it is a name that Python or
TensorFlow would look up: operators are rows of the table. Implements spec/tensorflow-graph.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safemodel.adapters.tensorflow.table import Operator

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

Shape = tuple[int, ...] | None  # None: of any number of axes; -1: of any size


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a value, and as much of its shape as is known."""

    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class VariableType:
    """What is behind a variable: a tensor of this type and shape."""

    dtype: str
    shape: Shape


InputType = TensorType | VariableType


@dataclass(frozen=True, slots=True)
class Ref:
    """A value: input `output` of the function if `node` is -1, else that output of the node."""

    node: int
    output: int


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function of the program, as an attribute."""

    number: int


@dataclass(frozen=True, slots=True)
class Inline:
    """A constant that stands in the graph: little-endian bytes in C order, or strings."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes
    strings: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A constant that is a tensor of the bundle."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A call of an operator.

    Attributes:
        operator: a row of the table.
        inputs: values that were there before it.
        attributes: all that the operator has, defaults filled in: bool, int, float, str (also for
            a data type), a shape (tuple or None), FunctionRef, Inline or Stored, or a tuple of
            them.
        after: nodes before it that must have run.
        outputs: types of what it gives.
    """

    operator: Operator
    inputs: tuple[Ref, ...]
    attributes: Mapping[str, Any]
    after: tuple[int, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: inputs, nodes in an order in which they can run, and results."""

    inputs: tuple[InputType, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Ref, ...]
    results: tuple[str, ...]  # types of the outputs; "resource" for variables


@dataclass(frozen=True, slots=True)
class Tree:
    """A container of an entry: its kind (tuple, list, dict), what is in it, keys; or a leaf.

    Kind `leaf`: `items` is the one number of an input or of an output. Kind `constant`: `items` is
    the one value, which is the same in every call.
    """

    kind: str
    items: tuple[Any, ...]
    keys: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be called.

    Attributes:
        function: number of the function; its inputs are those of the trees, then the captures.
        parameters: names of the first of `args`, to give them by name.
        args: by position.
        kwargs: by name only.
        result: over the outputs of the function.
        captures: what the last inputs of the function are.
        signature: it is a signature of a SavedModel: tensors by name in, a dictionary out.
    """

    function: int
    parameters: tuple[str, ...]
    args: tuple[Tree, ...]
    kwargs: Mapping[str, Tree]
    result: Tree
    captures: tuple[Captured | Inline | Stored, ...]
    signature: bool


@dataclass(frozen=True, slots=True)
class Captured:
    """A variable of the state, as the JSON says it."""

    variable: JsonValue
    type: VariableType


@dataclass(frozen=True, slots=True)
class Program:
    """Functions, those that others call before these, and entries and signatures by name.

    `json` is what it was read from, `tensors` the tensors of the bundle that are constants.
    """

    json: JsonValue
    functions: tuple[Function, ...]
    entries: Mapping[str, Entry]
    signatures: Mapping[str, Entry]
    tensors: frozenset[str]
