"""The functions of a SavedModel to a program: entries and signatures, as far as the table permits.

The functions themselves are written by the adapter's own writer; here is how they are called: what
their arguments are, and what they captured. Implements docs/convert.md, "TensorFlow".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters import notice
from safemodel.adapters.tensorflow.encoding import Writer
from safemodel.adapters.tensorflow.entries import is_entry
from safemodel.adapters.tensorflow.parsing import parse
from safemodel.adapters.tensorflow.program import VariableType
from safemodel.adapters.tensorflow.structures import Leaf, tree
from safemodel.convert.tensorflow_files import left_out
from safemodel.errors import ArchitectureError, UnsavableError
from safemodel.legacy.structured_value import Fields, Items, Named, Opaque, Spec, Value
from safemodel.legacy.tensorflow_values import TensorFact

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue
    from safemodel.legacy.saved_model import ConcreteFact, MetaGraphFact, ObjectFact

_SIGNATURES: Final = "signature_map"  # the identifier of the object that has them
_MAX_DEPTH: Final = 9  # names of parts before that of a function


class Functions:
    """The functions of one SavedModel, on their way into a program.

    Attributes:
        refused: those that no archive can have, and why.
    """

    def __init__(
        self,
        meta: MetaGraphFact,
        paths: Mapping[int, tuple[str, ...]],
        types: Mapping[int, VariableType],
    ) -> None:
        """`paths` and `types` are those of variables, by the numbers of their objects."""
        self._meta = meta
        self._objects: Sequence[ObjectFact] = meta.objects or ()
        self._constants = {node.name: node for node in meta.graph.nodes}
        self._paths, self._types = paths, types
        self._writer = Writer(meta.graph.functions)
        self._entries: dict[str, JsonValue] = {}
        self._signatures: dict[str, JsonValue] = {}
        self.refused: dict[str, str] = {}

    def add_all(self) -> None:
        """Add every function that an object has under a name that all may know."""
        for name, number in sorted(self._public()):
            if len(self._entries) >= limits.MAX_PROGRAM_ENTRIES:
                self.refused[name] = f"more than {limits.MAX_PROGRAM_ENTRIES}"
                continue
            one = self._objects[number]
            parameters = _parameters(one)
            traces = sorted(one.functions, key=lambda name: self._unusual(name, one))
            for trace, function in enumerate(traces):
                key = name if not trace else f"{name.strip('_')}.trace_{trace + 1}"
                self._add(self._entries, key, function, parameters)
        for name, number in sorted(self._signed()):
            for function in self._objects[number].functions:
                self._add(self._signatures, name, function, ())

    def finish(self) -> tuple[JsonValue, dict[str, TensorFact]]:
        """The program and its constants; None if there is no function that an archive can have."""
        if not self._entries and not self._signatures:
            return None, {}
        program: dict[str, JsonValue] = {
            "functions": self._writer.functions,
            "entries": self._entries,
        }
        if self._signatures:
            program["signatures"] = self._signatures
        known = {
            name: (fact.dtype, fact.shape) for name, fact in self._writer.constants.stored.items()
        }
        variables = {self._paths[number]: one for number, one in self._types.items()}
        try:
            # What could not be loaded must not be written.
            parsed = parse(program, known, lambda path: _variable(path, variables))
        except ArchitectureError as error:
            left_out("all functions", {error.place or "the program": error.message})
            return None, {}
        if self._writer.own:
            notice(
                "gradients that the code defined itself are not kept: those of the operators are"
            )
        stored = self._writer.constants.stored
        return program, {name: stored[name] for name in stored if name in parsed.tensors}

    # -- which functions there are

    def _public(self) -> Iterator[tuple[str, int]]:
        """Functions by their names: of the root, and of parts with names before that."""
        queue: list[tuple[int, tuple[str, ...]]] = [(0, ())]
        seen = {0}
        for number, path in queue:
            for name, child in self._objects[number].children:
                one = self._objects[child]
                if one.kind == "function":
                    whole = ".".join((*path, name))
                    if is_entry(whole) and one.functions:
                        yield whole, child
                elif (
                    one.kind == "object"
                    and one.identifier != _SIGNATURES
                    and child not in seen
                    and len(path) < _MAX_DEPTH
                ):
                    seen.add(child)
                    queue.append((child, (*path, name)))

    def _signed(self) -> Iterator[tuple[str, int]]:
        """Signatures by their names."""
        for _, number in self._objects[0].children:
            if self._objects[number].identifier == _SIGNATURES:
                for name, child in self._objects[number].children:
                    if self._objects[child].functions:
                        yield name, child

    def _add(
        self, into: dict[str, JsonValue], name: str, function: str, parameters: Sequence[str]
    ) -> None:
        try:
            into[name] = self._entry(function, parameters)
        except (ArchitectureError, UnsavableError) as error:
            self.refused[name] = error.message

    def _unusual(self, name: str, one: ObjectFact) -> int:
        """How many of the plain arguments of a trace are not what they are when nobody says."""
        concrete = self._meta.concrete.get(name)
        known = _defaults(one)
        inputs = concrete.inputs if concrete is not None else None
        if not isinstance(inputs, Items) or len(inputs.values) != 2:
            return 0
        args, kwargs = inputs.values
        given = dict(kwargs.entries) if isinstance(kwargs, Fields) else {}
        if isinstance(args, Items):
            given.update(zip(_parameters(one), args.values, strict=False))
        return sum(
            name in known and value != known[name] and bool(value or known[name])
            for name, value in given.items()
        )

    # -- one of them

    def _entry(self, name: str, parameters: Sequence[str]) -> JsonValue:
        concrete = self._meta.concrete.get(name)
        fact = self._meta.graph.functions.get(name)
        if concrete is None or fact is None:
            raise UnsavableError("a function that is not there")
        args, kwargs = _given(concrete)
        numbers = _Numbers("input", [(one.dtype, one.shape) for one in fact.arguments])
        positional = [tree(numbers.of(one), "arguments") for one in args]
        named: list[JsonValue] = [
            [key, tree(numbers.of(kwargs[key]), key)] for key in sorted(kwargs)
        ]
        captures, variables = self._captured(concrete, numbers.next)
        if numbers.next + len(captures) != len(fact.arguments):
            raise UnsavableError("a function with other arguments than its signature says")
        outputs = _Numbers("output", [(dtype, None) for _, dtype in fact.outputs])
        result = tree(outputs.of(concrete.outputs), "result")
        if outputs.next != len(fact.outputs):
            raise UnsavableError("a function with other results than its signature says")
        return {
            "function": self._writer.function(name, variables),
            "parameters": list(parameters[: len(positional)]),
            "args": positional,
            "kwargs": named,
            "result": result,
            "captures": captures,
        }

    def _captured(
        self, concrete: ConcreteFact, first: int
    ) -> tuple[list[JsonValue], dict[int, VariableType]]:
        captures: list[JsonValue] = []
        variables: dict[int, VariableType] = {}
        for place, number in enumerate(concrete.captures, first):
            one = self._objects[number]
            if number in self._paths:
                variables[place] = self._types[number]
                captures.append({"variable": list(self._paths[number])})
            elif one.kind == "constant":
                captures.append(self._writer.constants.encode(self._constant(one.operation)))
            else:
                what = {"asset": "a file", "resource": "a table, or another resource"}
                raise UnsavableError(f"uses {what.get(one.kind, 'something that is not there')}")
        return captures, variables

    def _constant(self, name: str) -> TensorFact:
        node = self._constants.get(name)
        value = node.attributes.get("value") if node and node.operation == "Const" else None
        if value is None or not isinstance(value.value, TensorFact):
            raise UnsavableError("uses a constant that is none")
        return value.value


class _Numbers:
    """Leaves of a structure with their numbers, in the order that TensorFlow flattens them in."""

    def __init__(self, kind: str, known: Sequence[tuple[str, Any]]) -> None:
        self._kind, self._known = kind, known
        self.next = 0

    def of(self, value: Value) -> Any:
        """The structure in containers of Python, with numbers for tensors.

        Raises:
            UnsavableError: something that is no tensor and has no plain form.
        """
        if isinstance(value, Spec):
            if self.next >= len(self._known) or self._known[self.next][0] != value.dtype:
                raise UnsavableError(f"an {self._kind} of another type than its signature says")
            self.next += 1
            return Leaf(self._kind, self.next - 1)
        if isinstance(value, Items):
            items = [self.of(one) for one in value.values]
            return items if value.is_list else tuple(items)
        if isinstance(value, Named):
            return tuple([self.of(one) for _, one in value.fields])
        if isinstance(value, Fields):
            return {key: self.of(value.entries[key]) for key in sorted(value.entries)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        what = value.what if isinstance(value, Opaque) else type(value).__name__
        raise UnsavableError(f"takes or gives {what:.60}, which is no tensor")


def _given(concrete: ConcreteFact) -> tuple[Sequence[Value], Mapping[str, Value]]:
    """Arguments by position, and by name."""
    inputs = concrete.inputs
    if isinstance(inputs, Items) and len(inputs.values) == 2:
        args, kwargs = inputs.values
        if isinstance(args, Items) and isinstance(kwargs, Fields):
            return args.values, kwargs.entries
    raise UnsavableError("a function that does not say what it takes")


def _defaults(one: ObjectFact) -> dict[str, Value]:
    """What arguments are when nobody says."""
    spec = one.spec.fullargspec if one.spec is not None else None
    said = dict(spec.fields) if isinstance(spec, Named) else {}
    found: dict[str, Value] = {}
    args, defaults = said.get("args"), said.get("defaults")
    if isinstance(args, Items) and isinstance(defaults, Items):
        names = args.values[len(args.values) - len(defaults.values) :]
        found.update(
            (name, value)
            for name, value in zip(names, defaults.values, strict=False)
            if isinstance(name, str)
        )
    keywords = said.get("kwonlydefaults")
    return {**found, **(keywords.entries if isinstance(keywords, Fields) else {})}


def _parameters(one: ObjectFact) -> tuple[str, ...]:
    """The names of arguments that can be given by position."""
    spec = one.spec.fullargspec if one.spec is not None else None
    args = dict(spec.fields).get("args") if isinstance(spec, Named) else None
    if not isinstance(args, Items):
        return ()
    names = args.values[1:] if one.spec is not None and one.spec.is_method else args.values
    found: list[str] = []
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or name in found:
            break
        found.append(name)
    return tuple(found)


def _variable(path: JsonValue, known: Mapping[tuple[str, ...], VariableType]) -> VariableType:
    found = known.get(tuple(map(str, path))) if isinstance(path, list) else None
    if found is None:
        raise ArchitectureError("a variable that is not there")
    return found
