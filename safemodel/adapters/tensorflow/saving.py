"""Objects of TensorFlow to tensors and JSON: state, and functions of modules.

Implements spec/tensorflow.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

from safemodel.adapters.graph_encode import EncodedGraph, Encoder, Node
from safemodel.adapters.tensorflow import state, tracing, walk
from safemodel.adapters.tensorflow.dtypes import STORED, stored_shape
from safemodel.adapters.tensorflow.facts import CONSTANTS, STATE
from safemodel.adapters.tensorflow.loaded import LoadedModule
from safemodel.adapters.tensorflow.values import encode_tensor
from safemodel.errors import UsageError
from safemodel.legacy.tensorflow_values import TensorFact

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import Handler
    from safemodel.format.canonical_json import JsonValue


Made = tuple[dict[str, "JsonValue"], EncodedGraph, list[str]]


def save(obj: Any, example_inputs: Any) -> Made:
    """The architecture of an object, its graph with the tensors, and notices.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
        UsageError: example inputs that are none, or of what is no module.
    """
    if isinstance(obj, LoadedModule) and obj.program is not None and example_inputs is None:
        return _again(obj, obj.program.json)
    if not isinstance(obj, tf.Module):
        if example_inputs:
            raise UsageError("example_inputs= are those of a tf.Module")
        encoded = state.encode_state(obj)
        return {"graph": encoded.graph}, encoded, []
    found = walk.State(obj)
    traced = tracing.trace(obj, found, example_inputs)
    context = state.states(obj, found)
    if traced is None:
        encoded = state.encode_state(obj, context)
        notices = [] if isinstance(obj, LoadedModule) or example_inputs is not None else [_STATE]
        return {"graph": encoded.graph}, encoded, notices
    encoded = state.encode_state(_Root(obj, dict(traced.constants)), context, _HANDLERS)
    architecture = {"graph": encoded.graph, "program": traced.json}
    return architecture, encoded, list(traced.notices)


_STATE = (
    "variables only were saved: functions need example_inputs=, or an input_signature of their own"
)


def _again(obj: LoadedModule, program: JsonValue) -> Made:
    """A loaded module has the program that it was loaded with."""
    encoded = state.encode_state(_Root(obj, obj.constants()), {}, _HANDLERS)
    return {"graph": encoded.graph, "program": program}, encoded, []


@dataclass(frozen=True, slots=True, eq=False)
class _Root:
    """A module and the constants of its functions, by name: facts, or tensors."""

    module: Any
    constants: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Constants:
    by_name: Mapping[str, Any]


def _encode_root(root: Any, path: str, encoder: Encoder) -> Node:
    # The module's variables have the names that they would have without a program.
    items: Any = [
        [STATE, encoder.value(root.module, "")],
        [CONSTANTS, encoder.value(_Constants(root.constants), "")],
    ]
    return {"kind": "dict", "items": items}


def _encode_constants(constants: Any, path: str, encoder: Encoder) -> Node:
    items: Any = [[name, encoder.value(one, name)] for name, one in constants.by_name.items()]
    return {"kind": "dict", "items": items}


def _encode_fact(fact: Any, path: str, encoder: Encoder) -> Node:
    if fact.strings is not None:
        return encode_tensor(tf.constant(fact.texts(), shape=fact.shape), path, encoder)
    node: Node = {"kind": "tensor", "dtype": fact.dtype}
    shape = stored_shape(fact.dtype, fact.shape)
    encoder.store(node, "data", path, STORED[fact.dtype][0], shape, lambda: (fact.data(),))
    return node


_HANDLERS: Final[Mapping[type, Handler]] = {
    _Root: _encode_root,
    _Constants: _encode_constants,
    TensorFact: _encode_fact,
}
