"""A checkpoint of TensorFlow to a bundle: its objects with their variables, or variables by name.

The checkpoint itself says which object has which parts (`tf.train.Checkpoint`), or is nothing but
names and values (TensorFlow 1). TensorFlow is not imported. Implements docs/convert.md,
"TensorFlow".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from safemodel.convert import converting
from safemodel.convert.tensorflow_files import Files, converting_files, left_out
from safemodel.convert.tensorflow_prefix import INDEX
from safemodel.convert.tensorflow_state import Module, Variable, arranged, encode_state
from safemodel.convert.tensorflow_values import Values
from safemodel.errors import DamagedError, UnconvertibleError, locating
from safemodel.legacy.saved_model import ObjectFact
from safemodel.legacy.tensor_bundle import OBJECT_GRAPH
from safemodel.legacy.tracked_objects import VARIABLE_VALUE, TrackedFact, parse_objects

KIND: Final = "tensorflow_checkpoint"
SLOTS: Final = "slots"  # a part that holds what an optimizer keeps for each variable
_OBJECT: Final = "object"  # a checkpoint does not say of which class its objects are
_FLOATS: Final = ("float", "bfloat", "complex")
_MAX_PATH: Final = 500


def run(prefix: str, target: str, options: converting.Options) -> converting.Conversion:
    """Convert a checkpoint, which is named by its prefix.

    Raises:
        SafemodelError: see `safemodel.convert`.
    """
    signers = converting.signers_of(options)
    root = os.path.dirname(prefix) or os.curdir
    with converting_files(root, prefix + INDEX, target, options) as files:
        values = open_values(files, prefix)
        if OBJECT_GRAPH in values:
            state: object = _objects(values, tracked(files, values))
        else:
            state = by_name(values, {})
        graph = encode_state(state)
        return files.write(target, graph, None, kind=KIND, release="", signers=signers)


def open_values(files: Files, prefix: str) -> Values:
    """The values of a checkpoint.

    Raises:
        LegacyError: the index is damaged.
        SourceError: a file is missing, or can't be read.
    """
    return Values(prefix, files.data, files.spend)


def tracked(files: Files, values: Values) -> tuple[TrackedFact, ...]:
    """The objects that a checkpoint has.

    Raises:
        DamagedError: they contradict themselves.
        BudgetError: more than any model has.
    """
    (text,) = values.value(OBJECT_GRAPH).strings or (b"",)
    data = memoryview(text)
    with locating(place=OBJECT_GRAPH):
        found = parse_objects(data, spend=files.spend(data))
        if not found:
            raise DamagedError("a checkpoint without objects")
        return found


def by_name(values: Values, trainable: Mapping[str, bool]) -> dict[str, Variable]:
    """The variables of a checkpoint by their names, all of them."""
    found = {}
    for key in values.keys:
        if key != OBJECT_GRAPH:
            value = values.value(key)
            trained = trainable.get(key, is_float(value.dtype))
            found[key] = Variable(key, trained, value, value.shape)
    return found


def is_float(dtype: str) -> bool:
    """Whether an optimizer could change a variable of this type."""
    return dtype.startswith(_FLOATS)


def _objects(values: Values, facts: Sequence[TrackedFact]) -> Module:
    """The tree of objects, from the first on."""
    made: list[Module | Variable] = []
    used: set[str] = set()
    for fact in facts:
        if VARIABLE_VALUE in fact.values:
            name, key = fact.values[VARIABLE_VALUE]
            value = values.value(key)
            used.add(key)
            made.append(Variable(name, is_float(value.dtype), value, value.shape))
        else:
            made.append(Module(_OBJECT))
    root = made[0]
    if not isinstance(root, Module):
        raise UnconvertibleError("a checkpoint of a variable alone")
    for module, fact in zip(made, facts, strict=True):
        if isinstance(module, Module):
            module.parts.update({name: made[number] for name, number in fact.children})
    add_slots(made, facts)
    arranged(root)
    unused = [key for key in values.keys if key not in used and key != OBJECT_GRAPH]
    left_out("values that are no variables", unused)
    return root


def add_slots(made: Sequence[Any], facts: Sequence[TrackedFact | ObjectFact]) -> None:
    """Give optimizers what they keep for each variable: by the slot, then by the variable."""
    paths = _paths(facts) if any(fact.slots for fact in facts) else {}
    for module, fact in zip(made, facts, strict=True):
        if not fact.slots or not isinstance(module, Module) or SLOTS in module.parts:
            continue
        held = module.parts[SLOTS] = Module(SLOTS)
        for slot in fact.slots:
            variable = made[slot.variable]
            by_variable = held.parts.setdefault(slot.name, Module(SLOTS))
            if isinstance(variable, Variable) and isinstance(by_variable, Module):
                by_variable.parts[paths.get(slot.original, str(slot.original))] = variable


def _paths(facts: Sequence[TrackedFact | ObjectFact]) -> dict[int, str]:
    """The shortest path to each object."""
    found = {0: ""}
    queue = [0]
    for number in queue:
        for name, child in facts[number].children:
            if child not in found:
                path = f"{found[number]}.{name}" if found[number] else name
                found[child] = path[:_MAX_PATH]
                queue.append(child)
    return found
