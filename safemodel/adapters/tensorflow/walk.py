"""What an object of TensorFlow tracks: its parts, and which of them hold state.

TensorFlow knows the parts of modules, checkpoints and optimizers by name; lists, tuples and
dictionaries that one of them holds are parts as well. Variables are the leaves. Implements
spec/tensorflow.md, "Modules".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import tensorflow as tf

from safemodel.adapters.tensorflow.facts import order
from safemodel.adapters.tensorflow.parts import Part
from safemodel.errors import UnsavableError

# The class that everything tracked inherits from; TensorFlow gives it no public name.
_TRACKABLE: Final[Any] = next(
    base for base in tf.Module.__mro__ if base.__module__.endswith("trackable.base")
)
_WRAPPERS: Final[Mapping[str, str]] = {
    "List": "list",
    "ListWrapper": "list",
    "_DictWrapper": "dict",
    "Mapping": "dict",
    "_TupleWrapper": "tuple",
}
_WRAPPERS_MODULE: Final = "tensorflow.python.trackable.data_structures"
_PLACE: Final = 1000


def is_variable(obj: object) -> bool:
    """Whether it is a variable, of a module or of anything else."""
    return isinstance(obj, tf.Variable)


def is_tracked(obj: object) -> bool:
    """Whether it is an object with parts: no variable, no tensor."""
    return isinstance(obj, _TRACKABLE) and not is_variable(obj)


def bare(obj: Any) -> Any:
    """The variable of TensorFlow in one of Keras; everything else itself."""
    if is_variable(obj) or not any(
        base.__name__ == "Variable" and base.__module__.startswith("keras.")
        for base in type(obj).__mro__
    ):
        return obj
    inner = vars(obj).get("_value")
    return inner if is_variable(inner) else obj


def container_of(obj: object) -> str | None:
    """Which container an object stands for, if it does: `list`, `tuple` or `dict`."""
    if isinstance(obj, Part):
        return obj.container
    kind = type(obj)
    return _WRAPPERS.get(kind.__name__) if kind.__module__ == _WRAPPERS_MODULE else None


def class_name(obj: object) -> str:
    """The full name of an object's class, for people."""
    if isinstance(obj, Part):
        return obj.class_name
    kind = type(obj)
    return f"{kind.__module__}.{kind.__qualname__}"[:200]


def children(obj: Any, path: str) -> list[tuple[str, Any]]:
    """The parts of an object, in order; whether they hold state or not.

    Raises:
        UnsavableError: TensorFlow can't say what they are, or its state is no variables.
    """
    _check_own_state(obj, path)
    try:
        found = tf.train.TrackableView.children(obj)
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise UnsavableError(
            f"TensorFlow can't track this: {str(error).splitlines()[0][:200]}",
            place=path or None,
            hint="hold variables in lists, and in dictionaries with texts as keys",
        ) from error
    container = container_of(obj)
    named = ((str(name), bare(child)) for name, child in found.items())
    return sorted(named, key=lambda pair: order(pair[0], container))


def _check_own_state(obj: Any, path: str) -> None:
    """Refuse what has state that is not in variables, such as tables that change."""
    method = getattr(type(obj), "_serialize_to_tensors", None)
    if method is not None and method is not _TRACKABLE._serialize_to_tensors:
        raise UnsavableError(
            f"a {type(obj).__name__} has state that is not in variables",
            place=path or None,
            hint="keep what it holds in variables",
        )


class State:
    """The parts of an object that hold variables, and those that only lead to them."""

    def __init__(self, root: Any, path: str = "") -> None:
        self._children: dict[int, list[tuple[str, Any]]] = {}
        self._objects: list[Any] = []  # holds them: ids stay unique
        self._kept: set[int] = set()
        self._read(root, path)

    def _read(self, root: Any, path: str) -> None:
        above: dict[int, list[int]] = {}
        found: list[int] = []
        queue: list[tuple[Any, str]] = [(root, path)]
        while queue:
            obj, place = queue.pop()
            if id(obj) in self._children:
                continue
            self._objects.append(obj)
            parts = [] if is_variable(obj) else children(obj, place)
            self._children[id(obj)] = parts
            if is_variable(obj):
                found.append(id(obj))
            for name, child in parts:
                above.setdefault(id(child), []).append(id(obj))
                queue.append((child, f"{place}.{name}"[:_PLACE] if place else name))
        while found:
            key = found.pop()
            if key not in self._kept:
                self._kept.add(key)
                found.extend(above.get(key, ()))

    def parts(self, obj: Any) -> list[tuple[str, Any]]:
        """The parts of one of the objects that hold state."""
        return [pair for pair in self._children[id(obj)] if id(pair[1]) in self._kept]

    def objects(self) -> list[Any]:
        """Everything that was found: objects with parts, and variables."""
        return self._objects

    def variables(self) -> Iterator[Any]:
        """All variables, once each."""
        return (obj for obj in self._objects if is_variable(obj))
