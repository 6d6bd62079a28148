"""Keras configurations to facts: everything that a JSON tree asks Keras to look up.

Keras rebuilds a model from JSON: an object `{"class_name": ..., "config": ...}`, wherever it is, is
looked up by name and made with its config. `walk` gives each of them once, however deep. What may
be looked up is for `safemodel.scan` to judge; nothing is here that knows a name of Keras.

Spellings, all of which some version reads: with `module` and `registered_name` (Keras 3, tf.keras
2.13 and later), without (older, HDF5); functions as `{"class_name": "function", "config": NAME}`;
`__lambda__`; `__typespec__`, whose class is `spec_name`; `TypeSpec` of tf.keras 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from safemodel.legacy.json_text import JsonValue

MAX_PATH: Final = 500

Kind = Literal["class", "function", "lambda", "typespec", "value", "malformed"]

# What stands for a value: nothing is looked up for them (keras.src.saving.serialization_lib).
_VALUES: Final = frozenset(
    {
        "__bytes__",
        "__ellipsis__",
        "__keras_tensor__",
        "__numpy__",
        "__slice__",
        "__tensor__",
        "__tuple__",
        "CompositeTensor",
        "TensorShape",
    }
)


@dataclass(frozen=True, slots=True)
class KerasObject:
    """Something that Keras is asked to look up, and to make.

    Attributes:
        path: the keys and indexes that lead to it, such as `config.layers[2]`.
        kind: `class`; `function`; `lambda`, which is code; `typespec`, a class of TensorFlow;
            `value`, which names nothing; `malformed`, whose name is no text.
        module: as written; None where it is null or missing.
        name: of the class or function.
        registered: the name by which the caller may have registered it; None where missing.
        config: what it is made with.
        plain: whether there is no `module` at all: the spelling of HDF5 files and older versions.
        members: the whole JSON object.
    """

    path: str
    kind: Kind
    module: str | None
    name: str
    registered: str | None
    config: JsonValue
    plain: bool
    members: dict[str, JsonValue]


def walk(value: JsonValue, path: str = "") -> Iterator[KerasObject]:
    """Every object in the tree that has a `class_name`, outer ones first."""
    waiting: list[tuple[str, JsonValue]] = [(path, value)]
    while waiting:
        here, item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield _object(here, item)
            inner = [
                (f"{here}.{key}" if here else key, one)
                for key, one in item.items()
                if isinstance(one, dict | list)
            ]
        elif isinstance(item, list):
            inner = [
                (f"{here}[{index}]", one)
                for index, one in enumerate(item)
                if isinstance(one, dict | list)
            ]
        else:
            continue
        waiting += [
            (where if len(where) <= MAX_PATH else where[:MAX_PATH] + "…", one)
            for where, one in reversed(inner)
        ]


def _object(path: str, item: dict[str, JsonValue]) -> KerasObject:
    name, module, registered = item["class_name"], item.get("module"), item.get("registered_name")
    config = item.get("config")
    kind: Kind = "class"
    if name == "__typespec__" or name == "TypeSpec":
        kind = "typespec"
        name = item.get("spec_name", item.get("type_spec"))
    elif name == "__lambda__":
        kind = "lambda"
    elif name == "function":
        kind = "function"
        name = config
    elif isinstance(name, str) and name in _VALUES:
        kind = "value"
    if not isinstance(name, str) or not isinstance(module, str | None):
        return KerasObject(path, "malformed", None, str(name)[:200], None, config, False, item)
    return KerasObject(
        path,
        kind,
        module or None,
        name,
        registered if isinstance(registered, str) else None,
        config,
        "module" not in item,
        item,
    )


def looks_like_keras(value: JsonValue) -> bool:
    """Whether a JSON document is the configuration of a Keras object, or of several.

    Keras makes the objects in lists and in dictionaries of any names, too, before it finds that
    the whole is no model.
    """
    return any("config" in found.members and found.kind != "malformed" for found in walk(value))
