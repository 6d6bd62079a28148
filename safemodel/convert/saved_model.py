"""A SavedModel of TensorFlow to a bundle: its variables, the functions and signatures that it has.

The graph is scanned first, then read, never run, and TensorFlow is not imported. Functions go
through the table of operators one by one; those that it refuses are left out, and named. Implements
docs/convert.md, "TensorFlow".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from safemodel.adapters.tensorflow.program import VariableType
from safemodel.adapters.tensorflow.roots import Root
from safemodel.convert import converting
from safemodel.convert.saved_functions import Functions
from safemodel.convert.tensorflow_checkpoint import add_slots, by_name, open_values, tracked
from safemodel.convert.tensorflow_files import converting_files, left_out
from safemodel.convert.tensorflow_state import Module, Variable, arranged, encode_state
from safemodel.errors import DamagedError, UnconvertibleError, locating
from safemodel.legacy.saved_model import MetaGraphFact, ObjectFact, parse_saved_model
from safemodel.legacy.tensor_bundle import OBJECT_GRAPH
from safemodel.legacy.tracked_objects import VARIABLE_VALUE, TrackedFact

if TYPE_CHECKING:
    from safemodel.convert.tensorflow_values import Values
    from safemodel.format.canonical_json import JsonValue

FILE: Final = "saved_model.pb"
KIND: Final = "saved_model"
_VARIABLES: Final = os.path.join("variables", "variables")
_SERVE: Final = ("serve",)
_CONTAINERS: Final[Mapping[str, str]] = {
    "trackable_dict_wrapper": "dict",
    "trackable_list_wrapper": "list",
    "trackable_tuple_wrapper": "tuple",
}
_LEFT: Final[Mapping[str, str]] = {"asset": "a file", "resource": "a table, or another resource"}


def run(folder: str, target: str, options: converting.Options) -> converting.Conversion:
    """Convert a SavedModel.

    Raises:
        SafemodelError: see `safemodel.convert`.
    """
    signers = converting.signers_of(options)
    with converting_files(folder, folder, target, options) as files:
        file = files.scanned(os.path.join(folder, FILE))
        with locating(path=file.path):
            meta = _chosen(parse_saved_model(file.data, spend=files.spend(file.data)))
        prefix = os.path.join(folder, _VARIABLES)
        values = open_values(files, prefix) if os.path.lexists(f"{prefix}.index") else None
        program: JsonValue = None
        root: object
        if meta.objects is None:
            root = {} if values is None else by_name(values, {})
            left_out(
                "signatures", dict.fromkeys(sorted(meta.signatures), "a graph of TensorFlow 1")
            )
        else:
            facts = () if values is None else tracked(files, values)
            state = State(meta.objects, facts, values)
            root, program = _with_functions(meta, state)
        graph = encode_state(root)
        return files.write(target, graph, program, kind=KIND, release=meta.version, signers=signers)


def _chosen(found: Sequence[MetaGraphFact]) -> MetaGraphFact:
    """The graph to convert: the only one, or the one for serving."""
    if len(found) == 1:
        return found[0]
    serving = [one for one in found if one.tags == _SERVE]
    if len(serving) != 1:
        tags = "; ".join(" ".join(one.tags) for one in found)
        raise UnconvertibleError(f"has {len(found)} graphs, for {tags:.200}, and none for serving")
    return serving[0]


def _with_functions(meta: MetaGraphFact, state: State) -> tuple[object, JsonValue]:
    """The state with the constants of its functions, and the functions; or the state alone."""
    left_out("files and resources", state.others)
    functions = Functions(meta, state.paths, state.types)
    functions.add_all()
    left_out("functions", functions.refused)
    program, constants = functions.finish()
    if program is None:
        return state.root, None
    return Root(state.root, constants), program


class State:
    """The objects of a SavedModel with the values of its checkpoint.

    Attributes:
        root: the object that was saved.
        paths, types: of variables, by their numbers.
        others: objects that no archive has, by their paths, and what they are.
    """

    def __init__(
        self, objects: Sequence[ObjectFact], facts: Sequence[TrackedFact], values: Values | None
    ) -> None:
        """Make stand-ins, and leave out all that leads to no variable.

        Raises:
            UnconvertibleError: a variable that has no value, or that no archive can have.
            LegacyError: a value is damaged, or of another type than its variable.
        """
        self._objects = objects
        places = paired(objects, facts)
        made = [
            _variable(one, facts[places[number]] if number in places else None, values)
            if one.variable is not None
            else Module(_class_of(one), _CONTAINERS.get(one.identifier))
            for number, one in enumerate(objects)
        ]
        if not made or not isinstance(made[0], Module) or made[0].container is not None:
            raise UnconvertibleError("the SavedModel of no object with parts")
        self.root: Module = made[0]
        for part, one in zip(made, objects, strict=True):
            if isinstance(part, Module):
                part.parts.update({name: made[number] for name, number in one.children})
        add_slots(made, objects)
        arranged(self.root)
        numbers = {id(part): number for number, part in enumerate(made)}
        self.paths: dict[int, tuple[str, ...]] = {}
        self.types: dict[int, VariableType] = {}
        for variable, path in _paths(self.root):
            self.paths[numbers[id(variable)]] = path
            self.types[numbers[id(variable)]] = VariableType(variable.value.dtype, variable.static)
        self.others = {
            name: _LEFT[objects[number].kind]
            for one in objects
            for name, number in one.children
            if objects[number].kind in _LEFT
        }


def paired(objects: Sequence[ObjectFact], facts: Sequence[TrackedFact]) -> dict[int, int]:
    """For objects of a SavedModel those of its checkpoint that have the same path.

    An object at several paths is the same on both sides, or is not paired at the others.
    """
    found = {0: 0} if objects and facts else {}
    queue = list(found)
    for number in queue:
        fact = facts[found[number]]
        known = dict(fact.children)
        pairs = [(child, known.get(name)) for name, child in objects[number].children]
        slots = {(slot.original, slot.name): slot.variable for slot in fact.slots}
        pairs += [
            (slot.variable, slots.get((found.get(slot.original, -1), slot.name)))
            for slot in objects[number].slots
        ]
        for child, place in pairs:
            if place is not None and child not in found:
                found[child] = place
                queue.append(child)
    return found


def _class_of(one: ObjectFact) -> str:
    """What is known of the class of an object, for people."""
    name = one.identifier.strip("_").replace("generic_user_object", "object")
    return name[:200] if name.isprintable() and name else "object"


def _variable(one: ObjectFact, fact: TrackedFact | None, values: Values | None) -> Variable:
    said = one.variable
    key = fact.values.get(VARIABLE_VALUE) if fact is not None else None
    if said is None or key is None or values is None or key[1] == OBJECT_GRAPH:
        name = said.name if said is not None else ""
        raise UnconvertibleError(f"the variable {name!r:.100} has no value in the checkpoint")
    if said.distributed:
        raise UnconvertibleError(f"the variable {said.name!r:.100} is on several devices")
    value = values.value(key[1])
    fits = said.shape is None or (
        len(said.shape) == len(value.shape)
        and all(size in (-1, here) for size, here in zip(said.shape, value.shape, strict=True))
    )
    if value.dtype != said.dtype or not fits:
        raise DamagedError("a value of another type or shape than its variable", place=key[1])
    return Variable(said.name.removesuffix(":0"), said.trainable, value, said.shape)


def _paths(root: Module) -> list[tuple[Variable, tuple[str, ...]]]:
    """The variables, each with the shortest path to it."""
    found: list[tuple[Variable, tuple[str, ...]]] = []
    queue: list[tuple[Module, tuple[str, ...]]] = [(root, ())]
    seen = {id(root)}
    for module, path in queue:
        for name, part in module.parts.items():
            if id(part) in seen:
                continue
            seen.add(id(part))
            if isinstance(part, Variable):
                found.append((part, (*path, name)))
            else:
                queue.append((part, (*path, name)))
    return found
