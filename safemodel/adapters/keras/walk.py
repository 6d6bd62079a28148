"""The parts of a live model that hold variables, each with a path that does not depend on counters.

Keras numbers layers without a name over the whole process: `dense`, `dense_1`, ... So a model that
is made again has other paths. Here such names are numbered anew among the parts of one owner, in
the order in which they were made, and names that somebody chose stay. The order of owners, and of
variables in each, is that of Keras' own lists. Implements spec/keras.md, "Variables".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import keras
from keras.src.utils.naming import to_snake_case

# When these are loaded, all layers in them have the name of the layer itself.
_ANONYMOUS: Final = (keras.layers.AugMix, keras.layers.RandAugment)
_NUMBERED: Final = r"(_[0-9]+)?"


@dataclass(slots=True)
class Owner:
    """A layer or metric, and the variables that are its own: not those of layers in it."""

    path: str
    part: Any
    variables: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def class_name(self) -> str:
        """The name of its class, for people."""
        return type(self.part).__name__


class Names:
    """Unique names among the parts of one owner."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def give(self, name: str, kind: str | None = None) -> str:
        """A name like this one; without the number that Keras gave a `kind` of part."""
        if kind is not None and re.fullmatch(re.escape(kind) + _NUMBERED, name):
            name = kind
        unique, number = name, 0
        while unique in self._used:
            number += 1
            unique = f"{name}_{number}"
        self._used.add(unique)
        return unique


def owners(model: Any) -> list[Owner]:
    """The model itself and everything in it that holds variables, outer ones first."""
    seen: set[int] = set()
    return list(_owners(model, "", seen))


def _owners(part: Any, path: str, seen: set[int]) -> Iterator[Owner]:
    waiting: list[tuple[Any, str]] = [(part, path)]
    while waiting:
        part, path = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        names = Names()
        yield _owner(part, path, names, seen)
        below = []
        for inner in (*part_layers(part), *getattr(part, "_metrics", ())):
            if id(inner) not in seen:
                kind = to_snake_case(type(inner).__name__)
                name = kind if isinstance(part, _ANONYMOUS) else str(inner.name)
                below.append((inner, _join(path, names.give(name, kind))))
        waiting += reversed(below)


def part_layers(part: Any) -> list[Any]:
    """The layers that a layer holds, in the order in which it got them."""
    found = [layer for layer in getattr(part, "_layers", ()) if isinstance(layer, keras.Layer)]
    return found + extra_layers(part) if isinstance(part, keras.Sequential) else found


def extra_layers(model: Any) -> list[Any]:
    """Layers that are attributes of a Sequential or functional model, and no part of what it does.

    A Sequential does not list them.
    """
    known = {id(layer) for layer in (*model.layers, *getattr(model, "_input_layers", ()))}
    if isinstance(model, keras.Sequential):
        known |= {id(layer) for layer in model._layers}
    attributes = [value for name, value in vars(model).items() if not name.startswith("_")]
    return [layer for layer in _within(attributes, known) if isinstance(layer, keras.Layer)]


def _within(value: Any, seen: set[int]) -> Iterator[Any]:
    """What is in lists, tuples and dictionaries, each once."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, (list, tuple, dict)):
        for item in list(value.values() if isinstance(value, dict) else value):
            yield from _within(item, seen)
    else:
        yield value


def _owner(part: Any, path: str, names: Names, seen: set[int]) -> Owner:
    owner = Owner(path, part)
    for variable in own_variables(part):
        if id(variable) not in seen:
            seen.add(id(variable))
            name = names.give(str(variable.name), "variable")
            owner.variables.append((_join(path, name), variable))
    return owner


def own_variables(part: Any) -> list[Any]:
    """The variables of a layer or metric alone."""
    if isinstance(part, keras.Metric):
        return list(part._variables)
    found = [*part._trainable_variables, *part._non_trainable_variables]
    found += [generator.state for generator in part._seed_generators]
    return found + states(part)


def states(part: Any) -> list[Any]:
    """The state that a recurrent layer keeps from batch to batch; Keras does not track it."""
    if not isinstance(part, keras.layers.RNN) or part.states is None:
        return []
    return [state for state in keras.tree.flatten(part.states) if isinstance(state, keras.Variable)]


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def arrange(owner: Owner, paths: list[str]) -> None:
    """Put the variables of an owner into this order, if it has all of these.

    A layer that was quantized, or got adapters, after it was built has them in another order than
    one that is built so; gradients are added up in it.
    """
    order = {path: index for index, path in enumerate(paths)}
    if order.keys() != {path for path, _ in owner.variables}:
        return
    owner.variables.sort(key=lambda item: order[item[0]])
    places = {id(variable): order[path] for path, variable in owner.variables}
    for name in ("_trainable_variables", "_non_trainable_variables"):
        found = getattr(owner.part, name, None)
        if type(found) is list and all(id(variable) in places for variable in found):
            found.sort(key=lambda variable: places[id(variable)])
