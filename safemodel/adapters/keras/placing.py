"""Variables in the layout of a file of Keras, put to the variables of a live model.

A live model is walked as `keras.saving` walks it, over the attributes of its own objects; for each
the file has a group of variables. What `load_own_variables` of an object would assign is recorded
first, so that all is compared before anything is changed. No name of a file is looked up anywhere
but among the groups of the archive. Implements spec/keras.md, "Layouts of files".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
from keras.src.backend.common.stateless_scope import StatelessScope
from keras.src.layers.preprocessing.index_lookup import IndexLookup
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.saving.saving_lib import get_attr_skipset
from keras.src.utils.naming import to_snake_case

from safemodel.adapters.keras import building, tensors
from safemodel.adapters.keras.laid_out import H5, LaidOut, is_optimizer
from safemodel.adapters.keras.stored import said
from safemodel.adapters.keras.variables import Stored, dtype_of
from safemodel.errors import ArchitectureError, SafemodelError

_ANY: Final = "what the layer has"
_MAX_CONTAINERS: Final = 100  # lists and dictionaries in one another
_OLD: Final = "_layer_checkpoint_dependencies"  # what Keras 2.12 calls `layers`


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit: what the model has and what the file has, of a group or of one variable.

    `key` is the id of the variable.
    """

    path: str
    expected: str
    found: str
    key: int | None = None


@dataclass(slots=True)
class Placed:
    """What a file has for a model.

    Attributes:
        values: a variable and its value: what is stored, or a tensor that Keras made of nothing.
        problems: what does not fit.
        used: groups that an object of the model asked for.
        vocabularies: layers that learned a vocabulary, and their tokens.
    """

    values: dict[int, tuple[Any, Stored | Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    vocabularies: list[tuple[Any, tuple[str, ...]]] = field(default_factory=list)

    def put(self, wanted: set[int] | None = None) -> None:
        """Give variables their values; `wanted` are the ids of those to change, all without it."""
        for key, (variable, value) in self.values.items():
            if wanted is not None and key not in wanted:
                continue
            if isinstance(value, Stored):
                building.set_value(variable, value)
            else:
                building.set_tensor(variable, value)

    def unused(self, source: LaidOut) -> list[str]:
        """Groups with variables of layers that no object of the model asked for."""
        return [
            path
            for path, group in source.groups.items()
            if group
            and path not in self.used
            and not is_optimizer(path)
            and not self._is_of_inner_optimizer(path)
        ]

    def _is_of_inner_optimizer(self, path: str) -> bool:
        """Whether it is of the optimizer of a model in the model, which is not compiled again."""
        owner, found, _ = f"{path}/".partition("/optimizer/")
        if not found or owner.rpartition("/")[2] == "layers":  # a layer of that name
            return False
        return any(used == owner or used.startswith(f"{owner}/") for used in self.used)


def place(model: Any, source: LaidOut) -> Placed:
    """Find the variables of a model that a file has values for; nothing is changed.

    What does not fit is among the problems of the result.
    """
    placed = Placed()
    if source.layout == H5:
        _place_h5(model, source, placed)
        return placed
    parts = list(saveables(model))
    others = _other_names(source, {path for path, _ in parts})
    for path, part in parts:
        if is_optimizer(path):
            continue
        group = path if path in source.groups else others.get(_plain(path))
        if group is not None:
            placed.used.add(group)
        _record(part, group or path, source.groups.get(group or path, {}), placed)
        if path in source.vocabularies:
            _vocabulary(part, source.vocabularies[path], placed)
    return placed


def _other_names(source: LaidOut, paths: set[str]) -> dict[str, str]:
    """Groups at none of these paths, by what older releases call them: attributes were private."""
    found: dict[str, list[str]] = {}
    for group in source.groups:
        if group not in paths:
            found.setdefault(_plain(group), []).append(group)
    return {plain: groups[0] for plain, groups in found.items() if len(groups) == 1}


def _plain(path: str) -> str:
    parts = ("layers" if part == _OLD else part.lstrip("_") for part in path.split("/"))
    return "/".join(parts)


# What Keras' saving walks (keras.src.saving.saving_lib, 3.15)


def saveables(root: Any) -> Iterator[tuple[str, Any]]:
    """Every object of a model that may hold variables, with its path of attributes, once."""
    yield from _saveable(root, "", set())


def _saveable(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(part) in seen:
        return
    seen.add(id(part))
    yield path, part
    for name, child in _attributes(part):
        below = f"{path}/{name}" if path else name
        if isinstance(child, KerasSaveable):
            yield from _saveable(child, below, seen)
        elif isinstance(child, (list, dict, tuple)):
            yield from _container(child, below, seen, set())


def _attributes(part: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a live object; private ones last."""
    kind = part._obj_type()
    skipped = get_attr_skipset(kind)
    if kind in ("Sequential", "Functional"):
        yield "layers", part.layers
    for name in sorted(dir(part), key=lambda name: f"~{name}" if name.startswith("_") else name):
        if name.startswith("__") or name in skipped:
            continue
        try:
            child = getattr(part, name)
        except Exception:  # noqa: S112  # a property that can't be asked for now: as Keras does
            continue
        yield name, child


def _container(
    container: Any, path: str, seen: set[int], containers: set[int]
) -> Iterator[tuple[str, Any]]:
    if id(container) in containers or len(containers) > _MAX_CONTAINERS:
        return
    containers.add(id(container))
    used: dict[str, int] = {}
    for item in list(container.values()) if isinstance(container, dict) else list(container):
        if isinstance(item, KerasSaveable):
            name = _numbered(to_snake_case(type(item).__name__), used)
            yield from _saveable(item, f"{path}/{name}", seen)
        elif isinstance(item, (list, dict, tuple)):
            yield from _container(item, f"{path}/{_numbered('container', used)}", seen, containers)


def _numbered(name: str, used: dict[str, int]) -> str:
    number = used[name] = used.get(name, -1) + 1
    return f"{name}_{number}" if number else name


# What an object takes of its group


class _Store(Mapping[str, Any]):
    """A group as `load_own_variables` sees it: keys, and tensors over verified memory."""

    def __init__(self, group: Mapping[str, Stored]) -> None:
        self._group = group
        self.made: dict[int, tuple[Any, Stored]] = {}

    def __getitem__(self, key: str) -> Any:
        one = self._group[key]
        value = tensors.tensor_of(one.array(), one.dtype, None)
        self.made[id(value)] = value, one
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)


def _record(part: Any, path: str, group: Mapping[str, Stored], placed: Placed) -> None:
    """Let an object take its variables, and note what it would assign."""
    if not hasattr(part, "load_own_variables"):
        return
    store = _Store(group)
    scope = StatelessScope(initialize_variables=False)
    try:
        with building.refusing(path or "the model"), scope:
            part.load_own_variables(store)
    except SafemodelError as error:
        placed.problems += _unfit(part, path, group) or [Problem(path, _ANY, error.message)]
        return
    known = {id(variable): variable for variable in _variables_of(part)}
    taken = {id(value) for value in scope.state_mapping.values()}
    # Keras casts a value of another dtype; such ones come in the order in which they were asked for
    cast = [one for key, (_, one) in store.made.items() if key not in taken]
    for key, value in scope.state_mapping.items():
        variable = known.get(key)
        if variable is None:
            placed.problems.append(Problem(path, _ANY, "a value for a variable of another layer"))
            continue
        found = store.made.get(id(value), (None, None))[1]
        if found is None and cast:
            found = cast.pop(0)
        _note(variable, value if found is None else found, path, placed)


def _unfit(part: Any, path: str, group: Mapping[str, Stored]) -> list[Problem]:
    """Why an object did not take its group, as far as shapes say it."""
    own = [
        *getattr(part, "_trainable_variables", ()),
        *getattr(part, "_non_trainable_variables", ()),
    ]
    if len(own) != len(group):
        return [Problem(path, f"{len(own)} variables", f"{len(group)}")]
    pairs = [(variable, group.get(str(index))) for index, variable in enumerate(own)]
    return [
        _of_variable(path, variable, one)
        for variable, one in pairs
        if one is not None and tuple(variable.shape) != one.shape
    ]


def _of_variable(path: str, variable: Any, one: Stored) -> Problem:
    return Problem(f"{path}/{variable.name}", said(variable), str(one), id(variable))


def _variables_of(part: Any) -> list[Any]:
    found = list(getattr(part, "variables", ()))
    return (
        found
        + list(getattr(part, "_trainable_variables", ()))
        + list(getattr(part, "_non_trainable_variables", ()))
    )


def _note(variable: Any, value: Any, path: str, placed: Placed) -> None:
    if isinstance(value, Stored):
        one, value = value, fitted(variable, value)
        if value is None:
            placed.problems.append(_of_variable(path, variable, one))
            return
    placed.values[id(variable)] = variable, value


def fitted(variable: Any, one: Stored) -> Stored | Any | None:
    """What is stored, if it is of a variable's shape and dtype; None if not.

    Integers of another width are taken for what they are, if they fit: counters are of 64 bits in
    some releases, and of 32 in others.
    """
    if tuple(variable.shape) != one.shape:
        return None
    dtype = dtype_of(variable)
    if dtype == one.dtype:
        return one
    if not all(name.startswith(("int", "uint")) for name in (dtype, one.dtype)):
        return None
    array = one.array()
    changed = array.astype(dtype)
    if not np.array_equal(changed.astype(one.dtype), array) or ((changed < 0) != (array < 0)).any():
        return None
    return keras.ops.convert_to_tensor(changed, dtype=dtype)


def _vocabulary(part: Any, tokens: tuple[str, ...], placed: Placed) -> None:
    layer = getattr(part, "_lookup_layer", part)
    if not isinstance(layer, IndexLookup):
        raise ArchitectureError("a vocabulary for a layer that learns none", place=part.name)
    if layer.input_vocabulary is None and all(layer is not one for one, _ in placed.vocabularies):
        placed.vocabularies.append((layer, tokens))


def restore_vocabularies(placed: Placed) -> None:
    """Give layers the vocabularies that they learned.

    Raises:
        ArchitectureError: one that they do not take.
    """
    for layer, tokens in placed.vocabularies:
        with building.refusing(f"the vocabulary of {layer.name}"):
            values = [t if layer.vocabulary_dtype == "string" else int(t) for t in tokens]
            weights = layer.idf_weights_const.numpy() if layer.output_mode == "tf_idf" else None
            if weights is None:
                layer.set_vocabulary(values)
            else:  # behind them are zeros, up to the most tokens, which Keras adds itself
                layer.set_vocabulary(values, idf_weights=weights[: len(values)])


# `.h5`


def _place_h5(model: Any, source: LaidOut, placed: Placed) -> None:
    """Layers with variables in the order of the model, those of the file in that of its names."""
    layers = [(layer.name, weights) for layer in model.layers if (weights := _weights(layer))]
    top = (*model._trainable_variables, *model._non_trainable_variables)
    known = {id(v) for v in model.weights}
    names = [path for path, group in source.groups.items() if path and group]
    placed.used.update(names, [""])
    if len(names) != len(layers):
        expected, found = (f"{len(one)} layers with variables" for one in (layers, names))
        placed.problems.append(Problem("", expected, found))
        return
    pairs = [(name, weights) for name, (_, weights) in zip(names, layers, strict=True)]
    for name, weights in (*pairs, ("", [v for v in top if id(v) in known])):
        stored = list(source.groups.get(name, {}).values())
        if len(stored) != len(weights):
            expected, found = (f"{len(one)} variables" for one in (weights, stored))
            placed.problems.append(Problem(name, expected, found))
            continue
        for variable, one in zip(weights, _by_name(weights, stored), strict=True):
            _note(variable, one, name, placed)


def _by_name(weights: list[Any], stored: list[Stored]) -> list[Stored]:
    """The values in the order of the variables, if both have the same names, each once.

    A layer that was quantized after it was built has its variables in another order than one that
    is built so.
    """
    named = {one.path.rpartition("/")[2].partition(":")[0]: one for one in stored}
    names = [str(variable.name) for variable in weights]
    if len(named) == len(names) and named.keys() == set(names):
        return [named[name] for name in names]
    return stored


def _weights(layer: Any) -> list[Any]:
    """The variables of a layer in the order of `.h5`: those that are trained first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]
