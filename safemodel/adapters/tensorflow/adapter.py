"""The TensorFlow adapter: modules with their functions, checkpoints, trees of variables.

State is what TensorFlow tracks: variables, by the names of the attributes that lead to them.
Functions are graphs of operators of a closed table. `tf.saved_model.load` and what else of
TensorFlow reads files are never called. Implements spec/tensorflow.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import tensorflow as tf

from safemodel.adapters import tensorflow as package
from safemodel.adapters.only import chosen
from safemodel.adapters.protocol import Saved
from safemodel.adapters.tensorflow import facts, saving
from safemodel.adapters.tensorflow import into as into_state
from safemodel.adapters.tensorflow.building import Functions
from safemodel.adapters.tensorflow.loaded import LoadedModule
from safemodel.adapters.tensorflow.making import Maker
from safemodel.adapters.tensorflow.parsing import parse
from safemodel.adapters.tensorflow.values import tensor_of
from safemodel.errors import ArchitectureError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

NAME: Final = "tensorflow"
VERSION: Final = package.VERSION
FRAMEWORK: Final = "tensorflow"
SAVE_OPTIONS: Final = frozenset({"example_inputs"})
LOAD_OPTIONS: Final = frozenset({"only"})


def save(obj: object, *, example_inputs: object = None) -> Saved:
    """Turn a module, a checkpoint or a tree of variables into tensors and JSON.

    `example_inputs` are those of the module's methods, of which the graphs are stored then.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
        UsageError: example inputs that are none, or of what is no module.
    """
    architecture, encoded, notices = saving.save(obj, example_inputs)
    versions = {"numpy": np.__version__, "tensorflow": str(tf.__version__)}
    return Saved(architecture, encoded.tensors, versions, notices=tuple(notices))


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
    only: Sequence[str] | None = None,
) -> object:
    """Rebuild what was saved, or put its variables into an object of yours.

    `into=dict` gives the values of all variables by path.

    Raises:
        ArchitectureError: it must not be built.
        StateMismatchError: the state does not fit `into`, which is unchanged.
    """
    if device is not None:
        raise UsageError(
            "device= makes no sense for TensorFlow, which puts variables where it computes",
            hint='load under: with tf.device("...")',
        )
    if only is not None and into is None:
        raise UsageError("only= needs into=, an object of yours, or dict")
    wanted = None if only is None else chosen(only, "encoder.*")
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or not (
        {"graph"} <= architecture.keys() <= {"graph", "program"}
    ):
        raise ArchitectureError("the architecture of state is an object graph and its program")
    if into is not None and into is not dict:
        into_state.check_target(into)
    if wanted is None:
        bundle.load_weights()
    found = facts.read(
        architecture["graph"],
        bundle,
        program="program" in architecture,
        lazy=wanted is not None,
    )
    if into is dict:
        return {
            path: tensor_of(one)
            for path, one in into_state.named(found.root).items()
            if wanted is None or wanted(path)
        }
    if into is not None:
        return into_state.put(found.root, into, wanted, strict=strict)
    return _live(found, architecture.get("program"))


def _live(found: facts.Facts, program: JsonValue) -> object:
    """The object of an archive; what its functions need is checked before TensorFlow sees any."""
    root, maker = found.root, Maker()
    if type(root) is not facts.StoredModule:
        return maker.live(root)
    parsed = None
    if program is not None:
        known = {name: (one.dtype, one.shape) for name, one in found.constants.items()}
        parsed = parse(program, known, lambda value: facts.variable_at(root, value).type)
        if parsed.tensors != known.keys():
            raise ArchitectureError("a constant that no function has")
    made = LoadedModule(root.class_name, root.container)
    maker.live(root, into=made)
    if parsed is not None:
        made.start(
            parsed,
            Functions(
                parsed,
                found.constants,
                lambda one: maker.one(facts.variable_at(root, one.variable).stored),
            ),
        )
    return made
