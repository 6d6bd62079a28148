"""TensorFlow's SavedModel to facts: its objects, its functions, its signatures, its variables.

A SavedModel has a graph with functions, and beside it a graph of objects: which object has which
parts, which variable is of which type, which functions can be called with what. Functions that a
closure made have, behind their arguments, what the closure captured: by the numbers of objects.

Messages are read as strictly as in `tensorflow_values`. Sources: tensorflow/core/protobuf/
{saved_model,meta_graph,saved_object_graph}.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError
from safemodel.legacy.protobuf import BYTES, VARINT, fields, numbers, signed
from safemodel.legacy.structured_value import StructureReader, Value
from safemodel.legacy.tensorflow_functions import GraphFact, Shape
from safemodel.legacy.tensorflow_values import Spend
from safemodel.legacy.tracked_objects import ObjectReader, Reference, Slot, check_references

# Number of a field of SavedObject -> what kind of object it makes it.
_KINDS: Final[Mapping[int, str]] = {
    4: "object", 5: "asset", 6: "function", 7: "variable", 8: "concrete", 9: "constant",
    10: "resource", 12: "captured",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VariableFact:
    """What a SavedModel says of a variable. `distributed` if it is several, on several devices."""

    name: str
    dtype: str
    shape: Shape
    trainable: bool
    distributed: bool


@dataclass(frozen=True, slots=True)
class SpecFact:
    """How a function of Python can be called: its signature, as far as it is known."""

    fullargspec: Value
    is_method: bool
    input_signature: Value


@dataclass(frozen=True, slots=True)
class ObjectFact:
    """An object of a SavedModel.

    Attributes:
        kind: object, asset, function, variable, concrete, constant, resource, captured.
        identifier: of an object: what class of TensorFlow it is, `_generic_user_object` for most.
        children: its parts.
        slots: of an optimizer.
        variable: of a variable.
        operation: of a constant: the node of the main graph that holds it.
        functions: of a function: the concrete ones; of a concrete one: itself.
        keywords, positional: of a concrete function: the names of its arguments, and how many of
            them may be given without.
        spec: of a function.
        own_saver: whether it is saved in a way of its own, with functions.
    """

    kind: str
    identifier: str = ""
    children: tuple[Reference, ...] = ()
    slots: tuple[Slot, ...] = ()
    variable: VariableFact | None = None
    operation: str = ""
    functions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    positional: int = 0
    spec: SpecFact | None = None
    own_saver: bool = False


@dataclass(frozen=True, slots=True)
class ConcreteFact:
    """A function of the library, as objects call it.

    `inputs` is a tuple of positional arguments and a dictionary of the others, `captures` are the
    numbers of the objects that come behind them.
    """

    inputs: Value
    outputs: Value
    captures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Info:
    """A tensor of the main graph that a signature names."""

    tensor: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class SignatureFact:
    """A signature: inputs and outputs by name. None where one is no plain tensor."""

    inputs: Mapping[str, Info | None]
    outputs: Mapping[str, Info | None]
    method: str


@dataclass(frozen=True, slots=True)
class MetaGraphFact:
    """One of the graphs of a SavedModel.

    Attributes:
        tags: that choose it.
        version: of the TensorFlow that wrote it.
        graph: the main graph and the functions.
        signatures: by name.
        objects: None for a SavedModel of TensorFlow 1, which has none.
        concrete: functions that objects call, by name.
        assets: names of files beside it.
    """

    tags: tuple[str, ...]
    version: str
    graph: GraphFact
    signatures: Mapping[str, SignatureFact]
    objects: tuple[ObjectFact, ...] | None
    concrete: Mapping[str, ConcreteFact]
    assets: tuple[str, ...]


def parse_saved_model(data: memoryview, *, spend: Spend | None = None) -> tuple[MetaGraphFact, ...]:
    """The graphs of a `saved_model.pb`.

    Raises:
        DamagedError: it is none, or one that can be read in two ways.
        BudgetError: more than any model has.
    """
    reader = _Reader(data, spend)
    found = []
    for number, wire, _, here, after in fields(data, spend=spend):
        if number == 2 and wire == BYTES:
            found.append(reader.meta_graph(here, after))
    if not found:
        raise DamagedError("a SavedModel without a graph")
    return tuple(found)


class _Reader(ObjectReader):
    """Reads the messages of one content."""

    def __init__(self, data: memoryview, spend: Spend | None) -> None:
        super().__init__(data, spend)
        self._structures = StructureReader(self)

    def meta_graph(self, start: int, end: int) -> MetaGraphFact:
        """A MetaGraphDef."""
        known = self.once(start, end, {1: BYTES, 2: BYTES, 7: BYTES})
        signatures: dict[str, SignatureFact] = {}
        assets: list[str] = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number == 5 and wire == BYTES:
                key, place = self._entry(here, after)
                if key in signatures:
                    raise DamagedError(f"signature {key!r:.60} twice", offset=here)
                signatures[key] = self._signature_def(*place)
            elif number == 6 and wire == BYTES:
                assets.append(self.one_text(here, after, 2))
        graph = GraphFact((), {})
        if 2 in known:
            graph = self.graph(known[2][3], known[2][4])
        tags, version = self._meta_info(*known[1][3:5]) if 1 in known else ((), "")
        objects: tuple[ObjectFact, ...] | None = None
        concrete: dict[str, ConcreteFact] = {}
        if 7 in known:
            objects, concrete = self._object_graph(known[7][3], known[7][4])
        return MetaGraphFact(tags, version, graph, signatures, objects, concrete, tuple(assets))

    def _entry(self, start: int, end: int) -> tuple[str, tuple[int, int]]:
        """An entry of a map of messages: the key, and where the message is."""
        self.count(start)
        found = self.once(start, end, {1: BYTES, 2: BYTES})
        key = self.text(found[1][3], found[1][4]) if 1 in found else ""
        return key, ((found[2][3], found[2][4]) if 2 in found else (end, end))

    def _named(self, start: int, end: int, wanted: int) -> tuple[str, ...]:
        found = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number == wanted and wire == BYTES:
                self.count(here)
                found.append(self.text(here, after))
        return tuple(found)

    def _meta_info(self, start: int, end: int) -> tuple[tuple[str, ...], str]:
        return self._named(start, end, 4), self.one_text(start, end, 5)

    # -- signatures

    def _signature_def(self, start: int, end: int) -> SignatureFact:
        tensors: tuple[dict[str, Info | None], dict[str, Info | None]] = {}, {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number in (1, 2) and wire == BYTES:
                key, place = self._entry(here, after)
                if key in tensors[number - 1]:
                    raise DamagedError(f"tensor {key!r:.60} twice", offset=here)
                tensors[number - 1][key] = self._info(*place)
        return SignatureFact(*tensors, self.one_text(start, end, 3))

    def _info(self, start: int, end: int) -> Info | None:
        """A TensorInfo, if it is that of a plain tensor."""
        found = self.once(start, end, {1: BYTES, 2: VARINT, 3: BYTES, 4: BYTES, 5: BYTES})
        if 4 in found or 5 in found or 1 not in found:
            return None
        if 2 not in found or not found[2][2]:  # an operation, and no tensor
            return None
        dtype = self.dtype(found[2][2], start)
        shape = self.shape(found[3][3], found[3][4]) if 3 in found else ()
        return Info(self.text(found[1][3], found[1][4]), dtype, shape)

    # -- objects

    def _object_graph(
        self, start: int, end: int
    ) -> tuple[tuple[ObjectFact, ...], dict[str, ConcreteFact]]:
        objects: list[ObjectFact] = []
        concrete: dict[str, ConcreteFact] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number == 1 and wire == BYTES:
                objects.append(self._saved_object(here, after))
            elif number == 2 and wire == BYTES:
                key, place = self._entry(here, after)
                if key in concrete:
                    raise DamagedError(f"function {key!r:.60} twice", offset=here)
                concrete[key] = self._concrete(*place)
        for one in objects:
            check_references(one.children, one.slots, len(objects))
        for function in concrete.values():
            if any(not 0 <= number < len(objects) for number in function.captures):
                raise DamagedError("a function that captures what is not there", offset=start)
        return tuple(objects), concrete

    def _saved_object(self, start: int, end: int) -> ObjectFact:
        self.count(start)
        found = self.once(start, end, dict.fromkeys((*_KINDS, 16), BYTES))
        kinds = found.keys() & _KINDS.keys()
        if len(kinds) > 1:
            raise DamagedError("an object of several kinds", offset=start)
        children, slots = self.references(start, end)
        own_saver = 16 in found or any(
            number == 11 for number, *_ in fields(self.data, start, end, spend=self.spend)
        )
        if not kinds:
            return ObjectFact("object", "", children, slots, own_saver=own_saver)
        (number,) = kinds
        here, after = found[number][3:5]
        kind, identifier, operation = _KINDS[number], "", ""
        variable: VariableFact | None = None
        functions: tuple[str, ...] = ()
        keywords: tuple[str, ...] = ()
        positional, spec = 0, None
        if kind == "object":
            identifier = self.one_text(here, after, 1)
        elif kind == "variable":
            variable = self._variable(here, after)
        elif kind == "constant":
            operation = self.one_text(here, after, 1)
        elif kind == "function":
            functions = self._named(here, after, 1)
            spec = self._spec(here, after, 2)
        elif kind == "concrete":
            functions = (self.one_text(here, after, 1),)
            keywords = self._named(here, after, 2)
            allowed = self.once(here, after, {3: VARINT}).get(3)
            positional = signed(allowed[2]) if allowed else 0
            spec = self._spec(here, after, 4)
        return ObjectFact(
            kind, identifier, children, slots, variable, operation, functions, keywords,
            positional, spec, own_saver,
        )  # fmt: skip

    def _variable(self, start: int, end: int) -> VariableFact:
        found = self.once(start, end, {1: VARINT, 2: BYTES, 3: VARINT, 6: BYTES})
        distributed = any(
            number == 8 for number, *_ in fields(self.data, start, end, spend=self.spend)
        )
        return VariableFact(
            self.text(found[6][3], found[6][4]) if 6 in found else "",
            self.dtype(found[1][2] if 1 in found else 0, start),
            self.shape(found[2][3], found[2][4]) if 2 in found else (),
            3 in found and bool(found[3][2]),
            distributed,
        )

    def _concrete(self, start: int, end: int) -> ConcreteFact:
        captures: list[int] = []
        for field in fields(self.data, start, end, spend=self.spend):
            if field[0] == 2:
                for value in numbers(self.data, field):
                    self.count(start)
                    captures.append(signed(value))
        found = self.once(start, end, {3: BYTES, 4: BYTES})
        inputs, outputs = (
            self._structures.value(found[which][3], found[which][4]) if which in found else None
            for which in (3, 4)
        )
        return ConcreteFact(inputs, outputs, tuple(captures))

    def _spec(self, start: int, end: int, wanted: int) -> SpecFact | None:
        place = self.once(start, end, {wanted: BYTES}).get(wanted)
        if place is None:
            return None
        found = self.once(place[3], place[4], {1: BYTES, 2: VARINT, 5: BYTES})
        arguments, signature = (
            self._structures.value(found[which][3], found[which][4]) if which in found else None
            for which in (1, 5)
        )
        return SpecFact(arguments, 2 in found and bool(found[2][2]), signature)
