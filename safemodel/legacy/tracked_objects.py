"""Objects of TensorFlow, as checkpoints and SavedModels tell of them: what has which parts.

A checkpoint stores, under a key of its own, which object has which parts, and under which key of
the index the value of each is. A SavedModel says more of its objects (`saved_model`), in messages
that begin alike. Sources: tensorflow/core/protobuf/{trackable,saved}_object_graph.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.protobuf import BYTES, VARINT, fields, signed
from safemodel.legacy.tensorflow_functions import FunctionReader
from safemodel.legacy.tensorflow_values import Spend

MAX_OBJECTS: Final = 1_000_000  # objects and what they refer to, together
VARIABLE_VALUE: Final = "VARIABLE_VALUE"  # the attribute of an object that is its value

Reference = tuple[str, int]  # a name, and the number of an object


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable that an optimizer keeps for another: by the numbers of the two, and a name."""

    original: int
    name: str
    variable: int


@dataclass(frozen=True, slots=True)
class TrackedFact:
    """An object of a checkpoint.

    Attributes:
        children: its parts.
        values: of each attribute that is stored: the full name, and the key in the index.
        slots: of an optimizer.
    """

    children: tuple[Reference, ...]
    values: Mapping[str, tuple[str, str]]
    slots: tuple[Slot, ...]


def parse_objects(data: memoryview, *, spend: Spend | None = None) -> tuple[TrackedFact, ...]:
    """The objects of a checkpoint (TrackableObjectGraph).

    Raises:
        DamagedError: it is none, or one that can be read in two ways.
        BudgetError: more than any model has.
    """
    reader = ObjectReader(data, spend)
    found = tuple(
        reader.tracked(here, after)
        for number, wire, _, here, after in fields(data, spend=spend)
        if number == 1 and wire == BYTES
    )
    for one in found:
        check_references(one.children, one.slots, len(found))
    return found


class ObjectReader(FunctionReader):
    """Reads the objects of one content, and counts them."""

    def __init__(self, data: memoryview, spend: Spend | None) -> None:
        super().__init__(data, spend)
        self._objects = 0

    def count(self, start: int) -> None:
        """Count an object, or what one refers to."""
        self._objects += 1
        if self._objects > MAX_OBJECTS:
            raise BudgetError(f"more than {MAX_OBJECTS} objects", offset=start)

    def one_text(self, start: int, end: int, wanted: int) -> str:
        """The text of one field, empty if it is not there."""
        found = self.once(start, end, {wanted: BYTES})
        return self.text(found[wanted][3], found[wanted][4]) if wanted in found else ""

    def references(self, start: int, end: int) -> tuple[tuple[Reference, ...], tuple[Slot, ...]]:
        """The parts of an object, and the slots of an optimizer.

        Raises:
            DamagedError: two parts of one name.
            BudgetError: more than any model has.
        """
        children: list[Reference] = []
        slots: list[Slot] = []
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number not in (1, 3) or wire != BYTES:
                continue
            self.count(here)
            if number == 1:
                found = self.once(here, after, {1: VARINT, 2: BYTES})
                name = self.text(found[2][3], found[2][4]) if 2 in found else ""
                children.append((name, signed(found[1][2]) if 1 in found else 0))
            else:
                found = self.once(here, after, {1: VARINT, 2: BYTES, 3: VARINT})
                name = self.text(found[2][3], found[2][4]) if 2 in found else ""
                original, variable = (
                    signed(found[which][2]) if which in found else 0 for which in (1, 3)
                )
                slots.append(Slot(original, name, variable))
        if len({name for name, _ in children}) != len(children):
            raise DamagedError("an object with two parts of one name", offset=start)
        return tuple(children), tuple(slots)

    def tracked(self, start: int, end: int) -> TrackedFact:
        """A TrackableObject."""
        self.count(start)
        children, slots = self.references(start, end)
        values: dict[str, tuple[str, str]] = {}
        for number, wire, _, here, after in fields(self.data, start, end, spend=self.spend):
            if number == 2 and wire == BYTES:
                self.count(here)
                name, full_name, key = (self.one_text(here, after, at) for at in (1, 2, 3))
                if name in values:
                    raise DamagedError(f"attribute {name!r:.60} twice", offset=here)
                values[name] = full_name, key
        return TrackedFact(children, values, slots)


def check_references(children: tuple[Reference, ...], slots: tuple[Slot, ...], count: int) -> None:
    """Check the parts and slots of one of so many objects.

    Raises:
        DamagedError: one is not there.
    """
    named = [number for _, number in children]
    for slot in slots:
        named += [slot.original, slot.variable]
    if any(not 0 <= number < count for number in named):
        raise DamagedError("an object with a part that is not there")
