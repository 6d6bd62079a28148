"""Modules, checkpoints and trees of TensorFlow as object graphs.

Implements spec/tensorflow.md, "Modules" and "Variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

from safemodel.adapters import arrays, plain, random_state
from safemodel.adapters.graph_encode import EncodedGraph, Encoder, Node, encode, join, refusal
from safemodel.adapters.tensorflow import values, walk
from safemodel.adapters.tensorflow.walk import State
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import Handler, Inline

HANDLERS: Final[Mapping[type, Handler]] = {
    **plain.HANDLERS,
    **arrays.HANDLERS,
    **random_state.HANDLERS,
}
INLINES: Final[Mapping[type, Inline]] = {**plain.INLINES, **arrays.INLINES}
_STATES: Final = "tensorflow.states"


def encode_state(
    root: object,
    context: Mapping[str, object] | None = None,
    handlers: Mapping[type, Handler] | None = None,
) -> EncodedGraph:
    """The graph of a module, a checkpoint, a variable, or a tree of these.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
    """
    return encode(
        walk.bare(root),
        handlers={**HANDLERS, **(handlers or {})},
        inlines=INLINES,
        fallback=_encode,
        context=context,
    )


def states(root: object, state: State) -> dict[str, object]:
    """The context for an encoding, where the parts of a root are known already."""
    return {_STATES: [(root, state)]}


def _encode(obj: Any, path: str, encoder: Encoder) -> Node:
    if walk.is_variable(obj):
        return values.encode_variable(obj, path, encoder)
    if isinstance(obj, tf.Tensor):
        return values.encode_tensor(obj, path, encoder)
    if walk.is_tracked(obj):
        return _encode_tracked(obj, path, encoder)
    inner = walk.bare(obj)
    if inner is not obj:
        return values.encode_variable(inner, path, encoder)
    raise refusal(obj, path)


def _encode_tracked(obj: Any, path: str, encoder: Encoder) -> Node:
    known: dict[int, list[tuple[str, Any]]] = encoder.scratch.setdefault("tensorflow.parts", {})
    if id(obj) not in known:
        state = next(
            (state for root, state in encoder.scratch.get(_STATES, ()) if root is obj), None
        )
        state = state or State(obj, path)
        if not path:
            _check_root(obj, state)
        _check_all_tracked(obj, state, path)
        known.update((id(one), state.parts(one)) for one in state.objects())
        encoder.scratch.setdefault("tensorflow.alive", []).append(state)
    container = walk.container_of(obj)
    node: Node = {"kind": "module", "class": walk.class_name(obj)}
    if container is not None:
        node = {"kind": "tracked", "type": container}
    node["parts"] = [
        [name, encoder.value(child, join(path, name))] for name, child in known[id(obj)]
    ]
    return node


def _check_root(obj: Any, state: State) -> None:
    """Datasets, tables and the like are tracked, too, and hold nothing that could be saved."""
    if (
        isinstance(obj, tf.Module | tf.train.Checkpoint)
        or next(state.variables(), None) is not None
    ):
        return
    raise UnsavableError(
        f"a {walk.class_name(obj)} holds no variables", hint="save the module that it is for"
    )


def _check_all_tracked(obj: Any, state: State, path: str) -> None:
    """Everything that a module knows must have been found: what nobody saves is lost."""
    if not isinstance(obj, tf.Module):
        return
    found = {id(variable) for variable in state.variables()}
    for variable in obj.variables:
        if id(walk.bare(variable)) not in found:
            raise UnsavableError(
                f"the variable {variable.name!s:.100} is where TensorFlow can't track it",
                place=path or None,
                hint="hold it in an attribute, in a list, or in a dictionary with texts as keys",
            )
