"""A loaded module as a SavedModel: its parts, its methods and its signatures.

Implements docs/export.md, "SavedModel".
"""

from __future__ import annotations

import re
from typing import Any, Final

import tensorflow as tf

from safemodel.adapters.tensorflow.loaded import LoadedEntry, LoadedModule
from safemodel.adapters.tensorflow.parts import Part
from safemodel.adapters.tensorflow.program import Entry, Program, TensorType
from safemodel.errors import UnsavableError

# Whoever loads a SavedModel sets parts as attributes of an object like this: none may be called as
# its own are.
_LOADED: Final = next(base for base in tf.Module.__mro__ if base.__name__ == "AutoTrackable")
_PART: Final = re.compile(r"(?!__)[^\x00-\x1f\x7f-\x9f]{1,1000}")
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}")


def export_saved_model(obj: Any, path: str) -> None:
    """Write a SavedModel to a folder that is not there yet.

    Raises:
        UnsavableError: it is no module, or has names or functions that a SavedModel can't have.
    """
    if not isinstance(obj, LoadedModule):
        raise UnsavableError(
            "this bundle holds no module of TensorFlow",
            hint="a SavedModel is written of a tf.Module, a checkpoint, or a model of Keras",
        )
    _check_names(obj)
    program = obj.program
    try:
        signatures = {
            _key(name): _signature(entry, name, program) for name, entry in obj.signatures.items()
        }
        tf.saved_model.save(obj, path, signatures=signatures or None)
    except (AssertionError, KeyError, TypeError, ValueError, tf.errors.OpError) as error:
        said = str(error).strip().split("\n", 1)[0]
        raise UnsavableError(f"TensorFlow can't write it: {said:.300}") from error


def _signature(loaded: LoadedEntry, name: str, program: Program | None) -> Any:
    """A signature as a function with one set of inputs, which have the names of its arguments."""
    if program is None:
        raise UnsavableError("a signature without a program", place=name)
    entry: Entry = program.signatures[name]
    inputs = program.functions[entry.function].inputs
    specs = {}
    for key, tree in entry.kwargs.items():
        one = inputs[tree.items[0]]
        if tree.kind != "leaf" or not isinstance(one, TensorType):
            raise UnsavableError("a signature with an argument that is no tensor", place=name)
        shape = None if one.shape is None else [None if n < 0 else n for n in one.shape]
        specs[_key(key)] = tf.TensorSpec(shape, tf.as_dtype(one.dtype), name=key)
    for output in entry.result.keys:
        _key(str(output))

    def call(**given: Any) -> Any:
        return loaded(**given)

    return tf.function(call, autograph=False).get_concrete_function(**specs)


def _key(name: str) -> str:
    if not _KEY.fullmatch(name):
        raise UnsavableError(f"a signature with the name {name!r:.60}")
    return name


def _check_names(root: Part) -> None:
    seen = {id(root)}
    queue = [root]
    for part in queue:
        for name, inner in part.parts.items():
            if not _PART.fullmatch(name) or hasattr(_LOADED, name):
                raise UnsavableError(f"a part with the name {name!r:.60}")
            if isinstance(inner, Part) and id(inner) not in seen:
                seen.add(id(inner))
                queue.append(inner)
