"""Functions of TensorFlow, as facts, to JSON: nodes by number, no name of a node.

The same for live functions and for those of a SavedModel; imports no TensorFlow. A function is
written once for each set of variables that it is called with, so that every type is known where
it is used. Implements spec/tensorflow-graph.md, "Writing".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.tensorflow import attributes, control
from safemodel.adapters.tensorflow.constants import Constants
from safemodel.adapters.tensorflow.effects import NOTHING, Effects
from safemodel.adapters.tensorflow.parsing import FunctionReader
from safemodel.adapters.tensorflow.program import InputType, TensorType, VariableType
from safemodel.adapters.tensorflow.pruning import Part, order
from safemodel.adapters.tensorflow.table import Operator, operator
from safemodel.errors import ArchitectureError, UnsavableError
from safemodel.legacy.tensorflow_functions import FunctionFact, NodeFact

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

RESOURCE: Final = "resource"
_GRADIENT: Final = "_gradient_op_type"

# Steps of one program: what a real one needs a hundred times.
MAX_WORK: Final = 10_000_000

_TRACED: Final = re.compile(r"__(?:inference|forward|backward)_(.+)_[0-9]+")
# What to do instead of operators, by part of their names.
_INSTEAD: Final[Mapping[str, str]] = {
    "PyFunc": "it calls Python code: write it with TensorFlow's operators, or call it outside",
    "File": "it reaches files: read them outside, and take what is in them as an argument",
    "Print": "leave tf.print out of what is saved",
}

Value = list["str | int"]  # ["in", k] or [node, output]


class Writer:
    """The functions of one program in the making.

    `functions` is the JSON, callees first; `constants.stored` are tensors for the bundle; `own`
    the number of gradients that the code defines itself, and which are not kept.
    """

    def __init__(
        self, library: Mapping[str, FunctionFact], taken: frozenset[str] = frozenset()
    ) -> None:
        self.library = library
        self.functions: list[JsonValue] = []
        self.constants = Constants(taken)
        self.own: set[str] = set()
        self._reader = FunctionReader(_Types(self.constants))
        self._known: dict[tuple[str, tuple[InputType, ...]], int] = {}
        self._same: dict[str, int] = {}
        self.effects = Effects(library)
        self._open: list[str] = []
        self._work = MAX_WORK

    def function(self, name: str, variables: Mapping[int, VariableType]) -> int:
        """The number of a function; `variables` says what its arguments of these numbers are.

        Raises:
            UnsavableError: it has something that no archive can have. The writer is as before.
        """
        fact = self.library.get(name)
        if fact is None:
            raise UnsavableError(f"a function {name:.100} that is not there")
        types = tuple([_input_type(fact, place, variables) for place in range(len(fact.arguments))])
        key = name, types
        if key not in self._known:
            if name in self._open or len(self._open) > limits.MAX_PROGRAM_CALLS:
                raise UnsavableError("functions that call one another in a circle, or too deeply")
            before = len(self.functions), len(self.constants.stored)
            self._open.append(name)
            try:
                self._known[key] = FunctionWriter(self, fact, types).run()
            except UnsavableError:
                self._forget(*before)
                raise
            finally:
                self._open.pop()
        return self._known[key]

    def _forget(self, functions: int, constants: int) -> None:
        """Go back to where there were so many functions and constants."""
        del self.functions[functions:]
        self._reader.forget(functions)
        self.constants.forget(constants)
        self._same = {said: number for said, number in self._same.items() if number < functions}
        self._known = {key: number for key, number in self._known.items() if number < functions}

    def add(self, encoded: JsonValue) -> int:
        """Add a function, or find that it is there already.

        Raises:
            UnsavableError: it could not be read again.
        """
        said = repr(encoded)
        if said not in self._same:
            try:
                self._reader.function(encoded)
            except ArchitectureError as error:
                raise UnsavableError(error.message, place=error.place) from error
            self._same[said] = len(self.functions)
            self.functions.append(encoded)
        return self._same[said]

    def results(self, number: int) -> tuple[str, ...]:
        """The types of what a function gives."""
        return self._reader.functions[number].results

    def spend(self, steps: int) -> None:
        """Account for work that a file can ask for many times.

        Raises:
            UnsavableError: it was too much.
        """
        self._work -= steps
        if self._work < 0:
            raise UnsavableError("functions that are too entangled")


class _Types(Mapping[str, tuple[str, tuple[int, ...]]]):
    """The types and shapes of large constants, by name."""

    def __init__(self, constants: Constants) -> None:
        self._constants = constants

    def __getitem__(self, name: str) -> tuple[str, tuple[int, ...]]:
        fact = self._constants.stored[name]
        return fact.dtype, fact.shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._constants.stored)

    def __len__(self) -> int:
        return len(self._constants.stored)


def _input_type(fact: FunctionFact, place: int, variables: Mapping[int, VariableType]) -> InputType:
    argument = fact.arguments[place]
    if argument.dtype != RESOURCE:
        if place in variables:
            raise UnsavableError(f"{argument.name:.60} is a tensor, and gets a variable")
        return TensorType(argument.dtype, argument.shape)
    if place in variables:
        return variables[place]
    if argument.handle is None:
        raise UnsavableError(
            f"argument {argument.name:.100} of a function is a resource that is no variable",
            hint="tables, iterators and generators can't be in the graph of an archive",
        )
    return VariableType(*argument.handle)


class FunctionWriter:
    """One function."""

    def __init__(self, writer: Writer, fact: FunctionFact, types: tuple[InputType, ...]) -> None:
        self._writer = writer
        self._fact = fact
        self._types = types
        self._arguments = {one.name: place for place, one in enumerate(fact.arguments)}
        self._nodes = {node.name: node for node in fact.nodes}
        self._numbers: dict[str, int] = {}
        self._places: dict[str, Mapping[str, tuple[int, int]]] = {}
        self._results: list[tuple[str, ...]] = []  # of nodes, by number
        self._written: list[JsonValue] = []

    def run(self) -> int:
        """Write the function; its number."""
        self._writer.spend(len(self._nodes))
        parts = {node.name: self._part(node) for node in self._fact.nodes}
        returned = [self._fact.returns[name] for name, _ in self._fact.outputs]
        kept = [self._through(reference) for reference in returned]
        # TensorFlow runs what has a state, needed or not.
        known = [node.name for node in self._fact.nodes if operator(node.operation) is not None]
        running = [name for name in known if parts[name].changes]
        roots = [*map(self._source, returned), *self._fact.must_run, *running]
        for root in roots:
            if root is not None and root not in self._nodes:
                raise UnsavableError(f"a node {root:.60} that is not there", place=self._fact.name)
        live = order(
            parts,
            [one for one in map(self._source, kept) if one is not None],
            [one for one in roots if one is not None],
            self._writer.spend,
        )
        for name, after in live.items():
            self._write(self._nodes[name], after)
        outputs = [self._value(reference) for reference in kept]
        encoded: dict[str, JsonValue] = {
            "inputs": [input_json(one) for one in self._types],
            "nodes": self._written,
            "outputs": [list(value) for value in outputs],
        }
        try:
            return self._writer.add(encoded)
        except UnsavableError as error:
            error.place = f"{self._fact.name}: {error.place}" if error.place else self._fact.name
            raise

    # -- references

    def _source(self, reference: str) -> str | None:
        """The node that a reference names; None for an argument."""
        if reference in self._arguments:
            return None
        name = reference.partition(":")[0]
        if name not in self._nodes:
            raise UnsavableError(f"an input {reference:.60} that is not there")
        return name

    def _through(self, reference: str, *, resources: bool = False) -> str:
        """What is behind nodes that give what they get: all, or those for resources."""
        seen = 0
        while (name := self._source(reference)) is not None:
            node = self._nodes[name]
            kind = node.attributes.get("T")
            of_resource = kind is not None and kind.value == RESOURCE
            if node.operation != "Identity" or len(node.inputs) != 1:
                break
            if resources and not of_resource:
                break
            reference = node.inputs[0]
            seen += 1
            self._writer.spend(1)
            if seen > len(self._nodes):
                raise UnsavableError("nodes that wait for one another")
        return reference

    def _part(self, node: NodeFact) -> Part:
        needs = [self._source(self._through(one, resources=True)) for one in node.inputs]
        waits = []
        for name in node.after:
            if name in self._arguments:
                continue
            if name not in self._nodes:
                raise UnsavableError(f"an input {name:.60} that is not there")
            waits.append(name)
        changes = self._writer.effects.changes(node)
        takes = any(
            isinstance(self._types[self._arguments[one]], VariableType)
            for one in (self._through(one, resources=True) for one in node.inputs)
            if one in self._arguments
        )
        return Part(
            tuple(dict.fromkeys(one for one in needs if one is not None)),
            tuple(waits),
            changes,
            changes or (takes and node.operation not in NOTHING),
        )

    def _value(self, reference: str) -> Value:
        """A reference as it is written."""
        reference = self._through(reference, resources=True)
        name = self._source(reference)
        if name is None:
            return ["in", self._arguments[reference]]
        pieces = reference.split(":")
        start, count = self._places[name].get(pieces[1] if len(pieces) == 3 else "", (0, 0))
        index = pieces[-1]
        if len(pieces) != 3 or not index.isascii() or not index.isdigit() or len(index) > 9:
            raise UnsavableError(f"an input {reference:.60} that is not there")
        if int(index) >= count:
            raise UnsavableError(f"an input {reference:.60} that is not there")
        return [self._numbers[name], start + int(index)]

    def _type(self, value: Value) -> str:
        if value[0] == "in":
            one = self._types[int(value[1])]
            return RESOURCE if isinstance(one, VariableType) else one.dtype
        return self._results[int(value[0])][int(value[1])]

    # -- nodes

    def _write(self, node: NodeFact, after: Sequence[str]) -> None:
        place = f"{_said(self._fact.name)}: {node.name}"
        try:
            encoded, places, results = self._node(node)
        except (ArchitectureError, UnsavableError) as error:
            raise UnsavableError(
                error.message, place=error.place or place, hint=error.hint
            ) from error
        if after:
            encoded["after"] = [*sorted(self._numbers[name] for name in after)]
        if _GRADIENT in node.attributes:
            self._writer.own.add(node.name)
        self._numbers[node.name] = len(self._written)
        self._places[node.name] = places
        self._results.append(results)
        self._written.append(encoded)

    def _node(
        self, node: NodeFact
    ) -> tuple[dict[str, JsonValue], Mapping[str, tuple[int, int]], tuple[str, ...]]:
        values = [self._value(one) for one in node.inputs]
        row = operator(node.operation)
        if row is None and node.operation in self._writer.library:
            return self._direct(node, values)
        if row is None:
            raise UnsavableError(
                f"the operator {node.operation:.100}, which no graph of an archive can have",
                hint=_instead_of(node.operation),
            )
        given = attributes.of_node(row, node)
        numbers = self._calls(row, given, values)
        written, plain = attributes.encode(row, given, numbers, self._writer.constants)
        row.check(plain)
        if row.input_types(plain) != tuple(map(self._type, values)):
            raise UnsavableError(f"operator {row.name} with inputs of other types")
        encoded: dict[str, JsonValue] = {"op": row.name, "in": [list(value) for value in values]}
        if written:
            encoded["attrs"] = written
        return encoded, row.output_places(plain), row.output_types(plain)

    def _direct(
        self, node: NodeFact, values: Sequence[Value]
    ) -> tuple[dict[str, JsonValue], Mapping[str, tuple[int, int]], tuple[str, ...]]:
        """A node that names a function itself, as those of TensorFlow 1 do."""
        number = self._writer.function(node.operation, self._variables(values))
        fact = self._writer.library[node.operation]
        taken: list[JsonValue] = [self._type(value) for value in values]
        results = self._writer.results(number)
        encoded: dict[str, JsonValue] = {
            "op": control.CALL,
            "in": [list(value) for value in values],
            "attrs": {"Tin": taken, "Tout": list(results), "f": {"function": number}},
        }
        places = {name: (place, 1) for place, (name, _) in enumerate(fact.outputs)}
        return encoded, places, results

    def _variables(self, values: Sequence[Value]) -> dict[int, VariableType]:
        """What the variables among some values are."""
        found: dict[int, VariableType] = {}
        for place, value in enumerate(values):
            if self._type(value) != RESOURCE:
                continue
            one = self._types[int(value[1])] if value[0] == "in" else None
            if not isinstance(one, VariableType):
                raise UnsavableError("a resource that a node gives")
            found[place] = one
        return found

    def _calls(
        self, row: Operator, given: Mapping[str, Any], values: Sequence[Value]
    ) -> dict[str, int]:
        """The numbers of the functions that a node names."""
        names = attributes.functions(row, given)
        if not names:
            return {}
        variables = self._variables(values)
        first = control.first_input(row.name)
        moved = {place - first: one for place, one in variables.items()}
        return {name: self._writer.function(name, moved) for name in names}


def _said(name: str) -> str:
    """The name of a function as its code has it: TensorFlow adds its own to it."""
    return _TRACED.sub(r"\1", name)


def _instead_of(operation: str) -> str:
    """What to do about an operator that the table does not have."""
    for part, hint in _INSTEAD.items():
        if part in operation:
            return hint
    return (
        "it is not in the table of operators (spec/tensorflow-operators.md): leave it out of the "
        "method, or choose other methods, example_inputs={name: inputs}"
    )


def input_json(one: InputType) -> JsonValue:
    """An input of a function as JSON."""
    said: dict[str, JsonValue] = {
        "dtype": one.dtype,
        "shape": None if one.shape is None else list(one.shape),
    }
    return {"variable": said} if isinstance(one, VariableType) else said
