"""A live Keras model to an object graph: its configuration, its variables, its training state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import keras
from keras.src.models import Functional

from safemodel.adapters import plain
from safemodel.adapters.graph_encode import EncodedGraph, encode
from safemodel.adapters.keras import compiled, lookups, variables
from safemodel.adapters.keras.config import compile_config_of, config_of
from safemodel.adapters.keras.walk import (
    Owner,
    extra_layers,
    own_variables,
    owners,
    part_layers,
)
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import Handler, Inline

HANDLERS: Final[dict[type, Handler]] = {
    str: plain.HANDLERS[str],
    list: plain.HANDLERS[list],
    dict: plain.HANDLERS[dict],
    variables.Live: variables.encode,
}
INLINES: Final[dict[type, Inline]] = {kind: plain.INLINES[kind] for kind in (int, float, str)}


def graph_of(model: Any, *, architecture: bool, weights: bool) -> EncodedGraph:
    """The graph of a model.

    Raises:
        UnsavableError: part of it can't be represented.
    """
    found = owners(model)
    root: dict[str, Any] = {"class": type(model).__name__, "backend": keras.backend.backend()}
    if architecture:
        root["model"] = config_of(model)
        _check_attributes(found)
        inner = [_inner(owner, found, weights) for owner in found[1:] if _is_compiled(owner.part)]
        if inner:
            root["inner"] = inner
            root["model"]["config"] = _without_compiling(root["model"]["config"])
    else:
        _check_built(model)
    if weights:
        _check_variables(model, found)
        root["owners"] = [_owner(owner) for owner in found if _worth(owner, architecture)]
        if architecture:
            root |= compiled.state_of(model, found)
    return encode(root, handlers=HANDLERS, inlines=INLINES)


def _is_compiled(part: Any) -> bool:
    return isinstance(part, keras.Model) and part.compiled


def _inner(owner: Owner, found: list[Owner], weights: bool) -> dict[str, Any]:
    """What a model in the model was compiled with, and how far its training has come."""
    entry = {"path": owner.path, "compile": compile_config_of(owner.part)}
    return entry | (compiled.state_of(owner.part, found) if weights else {})


def _without_compiling(value: Any) -> Any:
    """A configuration without what models in it were compiled with: that has its own place."""
    if isinstance(value, dict):
        return {
            key: _without_compiling(item)
            for key, item in value.items()
            if not (key == "compile_config" and "class_name" in value)
        }
    return [_without_compiling(item) for item in value] if isinstance(value, list) else value


def _worth(owner: Owner, architecture: bool) -> bool:
    return bool(owner.variables or lookups.has_state(owner.part)) or (
        architecture and (bool(build_config(owner.part)) or not _trainable(owner.part))
    )


def _trainable(part: Any) -> bool:
    return bool(getattr(part, "_trainable", True))


def _owner(owner: Owner) -> dict[str, Any]:
    part = owner.part
    entry: dict[str, Any] = {
        "path": owner.path,
        "class": owner.class_name,
        "variables": [variables.Live(path, variable) for path, variable in owner.variables],
    }
    if not _trainable(part):
        entry["frozen"] = True
    frozen = [i for i, (_, v) in enumerate(owner.variables) if v.trainable != _expected(part, v)]
    if frozen:
        entry["switched"] = frozen
    build = build_config(part)
    if build:
        entry["build"] = build
    entry |= lookups.state_of(part)
    return entry


def _expected(part: Any, variable: Any) -> bool:
    """Whether Keras makes it trainable, in a layer that is or is not."""
    listed = any(variable is one for one in getattr(part, "_trainable_variables", ()))
    return listed and _trainable(part)


def build_config(part: Any) -> dict[str, Any] | None:
    """The shapes for which a layer was built: what Keras records, as plain values."""
    if not isinstance(part, keras.Layer) or not part.built:
        return None
    try:
        recorded = part.get_build_config()
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None
    return _shapes(recorded) if isinstance(recorded, dict) and recorded else None


def _shapes(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _shapes(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shapes(item) for item in value]
    return value if type(value) is int and value >= 0 else None


def _check_attributes(found: list[Owner]) -> None:
    """Refuse what somebody has set on a model whose class does not know it: it would be lost."""
    for owner in found:
        model = owner.part
        if type(model) not in (keras.Sequential, Functional):
            continue
        extra = [*extra_layers(model), *own_variables(model), *model._metrics]
        if extra:
            named = [name for name, v in vars(model).items() if any(v is one for one in extra)]
            raise UnsavableError(
                "a layer, variable or metric that is no part of what the model computes",
                place=".".join([*filter(None, [owner.path]), *named[:1]]) or None,
                hint="make a class of your own of the model, registered with "
                "keras.saving.register_keras_serializable(); or use architecture=False",
            )


def _check_built(model: Any) -> None:
    """Refuse weights alone of a model that has none yet."""
    if not model.built and not model.weights:
        raise UnsavableError(
            "the model has not been built, so it has no weights yet",
            hint="call it on data once, or its build() with the shape of the input",
        )


def _check_variables(model: Any, found: list[Owner]) -> None:
    """Everything that Keras knows must have been found: what nobody saves is lost."""
    known = {id(variable) for owner in found for _, variable in owner.variables}
    for variable in model.variables:
        if id(variable) not in known:
            raise UnsavableError("a variable that no layer owns", place=str(variable.path))
    for owner in found:
        for path, variable in owner.variables:
            if variable._value is None:
                raise UnsavableError("a variable without a value", place=path)


__all__ = ["build_config", "graph_of", "own_variables", "part_layers"]
