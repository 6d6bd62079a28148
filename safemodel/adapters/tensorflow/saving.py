"""Objects of TensorFlow to tensors and JSON: state, and functions of modules.

Implements spec/tensorflow.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from safemodel.adapters.graph_encode import EncodedGraph
from safemodel.adapters.tensorflow import state, tracing, walk
from safemodel.adapters.tensorflow.loaded import LoadedModule
from safemodel.adapters.tensorflow.roots import HANDLERS, Root
from safemodel.errors import UsageError

if TYPE_CHECKING:
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
    encoded = state.encode_state(Root(obj, dict(traced.constants)), context, HANDLERS)
    architecture = {"graph": encoded.graph, "program": traced.json}
    return architecture, encoded, list(traced.notices)


_STATE = (
    "variables only were saved: functions need example_inputs=, or an input_signature of their own"
)


def _again(obj: LoadedModule, program: JsonValue) -> Made:
    """A loaded module has the program that it was loaded with."""
    encoded = state.encode_state(Root(obj, obj.constants()), {}, HANDLERS)
    return {"graph": encoded.graph, "program": program}, encoded, []
