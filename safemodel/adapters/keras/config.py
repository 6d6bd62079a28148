"""The configuration of a live model, as plain values that say the same on every machine.

What `keras.saving.serialize_keras_object` gives, with tuples as lists, as in a `config.json`; the
numbers of shared objects, which are addresses, counted from 1; and what Keras forgets put back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import keras
import numpy as np
from keras.src.saving import object_registration
from keras.src.saving.serialization_lib import ObjectSharingScope

from safemodel.adapters.keras import checking
from safemodel.adapters.keras.forgotten import remembering
from safemodel.adapters.keras.specs import MAX_DEPTH
from safemodel.errors import ArchitectureError, UnsavableError

_BACKEND: Final = re.compile(r"keras\.src\.backend\.torch\.optimizers\.torch_[a-z]+")
# Of what is here only the arguments matter, not whether two layers have the same one.
_VALUES: Final = frozenset(
    f"keras.{name}"
    for name in ("constraints", "dtype_policies", "initializers", "quantizers", "regularizers")
)
_KEPT: Final = "shared_object_id"


def config_of(model: Any) -> dict[str, Any]:
    """The audited configuration of a model or layer.

    Raises:
        UnsavableError: Keras has none, or the table does not permit it; `place` says where.
    """
    return plain_config(model, "layer")


def compile_config_of(model: Any) -> dict[str, Any]:
    """What a model was compiled with, audited.

    Raises:
        UnsavableError: see `config_of`.
    """
    with _refusing("what it was compiled with"), ObjectSharingScope(), remembering():
        raw = model.get_compile_config()
    config: dict[str, Any] = _Plain().value(raw or {}, "", 0)
    with _audited():
        checking.check_compiled(config, object_registration.GLOBAL_CUSTOM_OBJECTS)
    return config


def plain_config(obj: Any, role: str) -> dict[str, Any]:
    """The audited configuration of an object of a role.

    Raises:
        UnsavableError: see `config_of`.
    """
    with _refusing(f"this {role}"), ObjectSharingScope(), remembering():
        raw = keras.saving.serialize_keras_object(obj)
    config: dict[str, Any] = _Plain().value(raw, "", 0)
    with _audited():
        checking.check(config, object_registration.GLOBAL_CUSTOM_OBJECTS, role)
    return config


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except (NotImplementedError, TypeError, ValueError, OSError, AttributeError) as error:
        message = " ".join(str(error).split())
        raise UnsavableError(
            f"Keras has no configuration of {what}: {message:.300}",
            hint="classes of your own need get_config(), and registration with "
            "keras.saving.register_keras_serializable()",
        ) from error


@contextmanager
def _audited() -> Iterator[None]:
    try:
        yield
    except ArchitectureError as error:
        raise UnsavableError(error.message, place=error.place, hint=error.hint) from None


class _Plain:
    """One configuration on its way to plain values."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def value(self, value: Any, place: str, depth: int) -> Any:
        """The same in lists, dictionaries, text and numbers."""
        if depth > MAX_DEPTH:
            raise UnsavableError("a configuration that is nested too deeply", place=place[:300])
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if isinstance(value, dict):
            return self._dictionary(value, place, depth)
        if isinstance(value, (list, tuple)):
            return [self.value(v, f"{place}[{i}]", depth + 1) for i, v in enumerate(value)]
        if isinstance(value, np.generic):
            return self.value(value.item(), place, depth)
        for base in (bool, int, float, str):  # of a subclass, such as an enumeration
            if isinstance(value, base):
                return base(value)
        raise UnsavableError(
            f"a {kind.__module__}.{kind.__qualname__} in the configuration", place=place or None
        )

    def _dictionary(self, value: dict[Any, Any], place: str, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        plain = value.get("module") in _VALUES or value.get("class_name") == "DTypePolicy"
        for key, item in value.items():
            if type(key) is not str:
                raise UnsavableError("a key of the configuration that is no text", place=place)
            if key == _KEPT:
                if not plain:
                    result[key] = self._numbers.setdefault(item, len(self._numbers) + 1)
            elif not (key == "compile_config" and item == {}):
                result[key] = self.value(item, f"{place}.{key}" if place else key, depth + 1)
        if _BACKEND.fullmatch(str(value.get("module"))):  # made where one asks for the public one
            result |= {"module": "keras.optimizers", "registered_name": None}
        return result
