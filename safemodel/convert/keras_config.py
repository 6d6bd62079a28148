"""Configurations as files of Keras have them, in the form that the table of the adapter checks."""

from __future__ import annotations

import re
from typing import Any, Final

from safemodel.adapters.keras.checking import check_plain

_BACKEND: Final = re.compile(r"keras\.src\.backend\.torch\.optimizers\.torch_[a-z]+")
_FACTORS: Final = frozenset({"x_factor", "y_factor"})
_SHARED: Final = "shared_object_id"
# Of what is here only the arguments matter, not whether two layers have the same one.
_VALUES: Final = frozenset(
    f"keras.{name}"
    for name in ("constraints", "dtype_policies", "initializers", "quantizers", "regularizers")
)


def modern(config: Any, release: str, notices: list[str]) -> Any:
    """The configuration of a `.keras` file as Keras 3 writes it now; objects counted from 1.

    Raises:
        ArchitectureError: it is no JSON that a configuration can be.
    """
    check_plain(config)
    if release.partition(".")[0] == "2":
        from safemodel.convert import keras_2  # and its tables, where they are needed

        found = keras_2.modern(config, None, release)
        notices += found.notices
        config = found.config
    return tidied(config)


def tidied(config: Any) -> Any:
    """The same with shared objects counted from 1, and what Keras writes wrongly put right."""
    return _numbered(config, {})


def _numbered(value: Any, numbers: dict[Any, int]) -> Any:
    if type(value) is list:
        return [_numbered(item, numbers) for item in value]
    if type(value) is not dict:
        return value
    single = str(value.get("module")) in _VALUES or value.get("class_name") == "DTypePolicy"
    result = {}
    for key, item in value.items():
        if key != _SHARED or type(item) is not int:
            result[key] = _numbered(item, numbers)
        elif not single:
            result[key] = numbers.setdefault(item, len(numbers) + 1)
    if _BACKEND.fullmatch(str(value.get("module"))):  # made where one asks for the public one
        result |= {"module": "keras.optimizers", "registered_name": None}
    if value.get("class_name") == "RandomShear" and type(result.get("config")) is dict:
        result["config"] |= {
            key: _factor(result["config"][key]) for key in _FACTORS & result["config"].keys()
        }
    return result


def _factor(value: Any) -> Any:
    """A factor as the constructor takes it: 0.2 is written as (-0.2, 0.2), which it refuses."""
    numbers = type(value) is list and len(value) == 2 and all(type(n) is float for n in value)
    return value[1] if numbers and value[0] == -value[1] else value


def class_of(config: Any) -> str:
    """The name of the class of a configuration, for people."""
    name = config.get("class_name") if isinstance(config, dict) else None
    return name if isinstance(name, str) else "model"
