"""Calls of layers in functional models of Keras 2, as Keras 3 writes them.

A call was a list of tensors [layer, number of the call, number of the output, keyword arguments];
functions of TensorFlow were layers `TFOpLambda` and `SlicingOpLambda`, by name. Those that have an
operation of `keras.ops` with the same meaning become that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.convert.keras_2_operations import Call, operation_of

if TYPE_CHECKING:
    from safemodel.convert.keras_2 import Writer

_LAMBDAS: Final = frozenset({"TFOpLambda", "SlicingOpLambda"})
_CONSTANT: Final = "_CONSTANT_VALUE"
_RECURRENT: Final = frozenset(
    {
        *("Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
        *("GRU", "LSTM", "RNN", "SimpleRNN"),
    }
)
_OPERATIONS: Final = (
    "keras.src.ops.numpy",
    "keras.src.ops.nn",
    "keras.src.ops.core",
    "keras.src.ops.math",
    "keras.src.ops.linalg",
    "keras.src.ops.image",
    "keras.src.ops.einops",
)


def operation(layer: dict[str, Any], writer: Writer) -> dict[str, Any]:
    """A layer that is a function as an operation; any other layer is given back itself."""
    name, config = layer.get("class_name"), layer.get("config")
    if type(config) is not dict or type(name) is not str:
        return layer
    if name in _LAMBDAS and writer.old:
        return _function(layer, config)
    if "module" not in layer and not writer.old and "trainable" not in config:
        return _of_keras(layer, name)
    return layer


def _of_keras(layer: dict[str, Any], name: str) -> dict[str, Any]:
    """An operation in an `.h5` file of Keras 3, which has its class alone."""
    from safemodel.adapters.keras.table import table

    for module in _OPERATIONS:
        found = table().classes.get((module, name))
        if found is not None and name != "InputLayer":
            return {**layer, "module": module, "registered_name": None}
    return layer


def _function(layer: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """One function, called once: later calls of it were layers of their own."""
    nodes = layer.get("inbound_nodes")
    if type(nodes) is not list or len(nodes) != 1:
        return layer
    call = _call(nodes[0])
    found = operation_of(config.get("function"), call) if call is not None else None
    if found is None:
        return layer
    return {
        "module": found.module,
        "class_name": found.name,
        "config": {**found.config, "name": config.get("name")},
        "registered_name": None,
        "name": layer.get("name"),
        "inbound_nodes": [{"args": list(found.args), "kwargs": dict(found.kwargs)}],
    }


# Calls


def functional(config: dict[str, Any], writer: Writer) -> dict[str, Any]:
    """The calls and ends of a functional model of Keras 2."""
    shift = {name: _first_call(layer) for name, layer in _named(config["layers"])}
    result = dict(config)
    result["layers"] = [_layer(layer, shift) for layer in config["layers"]]
    kinds = {name: layer.get("class_name") for name, layer in _named(result["layers"])}
    for key in ("input_layers", "output_layers"):
        if key in result:
            result[key] = _ends(_single(result[key]), shift, kinds)
    return result


def _named(layers: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for layer in layers:
        if type(layer) is dict and type(layer.get("name")) is str:
            yield layer["name"], layer


def _first_call(layer: dict[str, Any]) -> int:
    """The number of the first call: models with an input of their own began with 1."""
    name, config = layer.get("class_name"), layer.get("config")
    if name == "Functional":
        return 1
    if name != "Sequential" or type(config) is not dict:
        return 0
    layers = config.get("layers")
    first = layers[0] if type(layers) is list and layers else None
    return int(type(first) is dict and first.get("class_name") == "InputLayer")


def _single(value: Any) -> Any:
    """A list of one tensor was that tensor."""
    alone = type(value) is list and len(value) == 1 and type(value[0]) is list
    return value[0] if alone and _is_tensor(value[0]) else value


def _ends(value: Any, shift: Mapping[str, int], kinds: Mapping[str, Any]) -> Any:
    if _is_tensor(value):
        first = shift.get(value[0], 0) if kinds.get(value[0]) != "Functional" else 0
        return [value[0], value[1] - first, value[2]]
    if type(value) is list:
        return [_ends(one, shift, kinds) for one in value]
    if type(value) is dict:
        return {key: _ends(one, shift, kinds) for key, one in value.items()}
    return value


def _layer(layer: Any, shift: Mapping[str, int]) -> Any:
    if type(layer) is not dict or type(layer.get("inbound_nodes")) is not list:
        return layer
    nodes = [_node(node, layer, shift) for node in layer["inbound_nodes"]]
    return {**layer, "inbound_nodes": nodes}


def _node(node: Any, layer: Mapping[str, Any], shift: Mapping[str, int]) -> Any:
    if type(node) is dict and node.keys() == {"args", "kwargs"}:  # an operation, from above
        return {key: _shifted(value, shift) for key, value in node.items()}
    call = _call(node)
    if call is None:
        return node
    args, kwargs = list(call.args), {k: v for k, v in call.kwargs.items() if v is not None}
    first = args[0]
    if layer.get("class_name") in _RECURRENT and type(first) is list and len(first) > 1:
        args, kwargs = [first[0]], {**kwargs, "initial_state": first[1:]}
    return _shifted({"args": args, "kwargs": kwargs}, shift)


def _call(node: Any) -> Call | None:
    """The arguments of a call of Keras 2; tensors as Keras 3 writes them."""
    keywords: dict[str, Any] = {}
    if not _collect(node, keywords, 0):
        return None
    first = _values(node)
    if type(first) is list and len(first) == 1 and node and type(node[0]) is list:
        first = first[0]
    return Call((first,), {key: _keyword(value, 0) for key, value in keywords.items()})


def _collect(node: Any, keywords: dict[str, Any], depth: int) -> bool:
    """Whether all leaves are tensors or constants; their keyword arguments, which are all alike."""
    if depth > 16:
        return False
    if _is_tensor(node) or _is_constant(node):
        if len(node) == 4 and type(node[3]) is dict:
            keywords |= node[3]
        return len(node) == 3 or type(node[3]) is dict
    if type(node) is dict:
        return bool(node) and all(_collect(one, keywords, depth + 1) for one in node.values())
    return (
        type(node) is list
        and bool(node)
        and all(_collect(one, keywords, depth + 1) for one in node)
    )


def _values(node: Any) -> Any:
    if _is_constant(node):
        return node[2]
    if _is_tensor(node):
        return _tensor(node)
    if type(node) is dict:
        return {key: _values(one) for key, one in node.items()}
    return [_values(one) for one in node]


def _keyword(value: Any, depth: int) -> Any:
    if depth > 16:
        return value
    if _is_constant(value):
        return value[2]
    if _is_tensor(value):
        return _tensor(value)
    if type(value) is list:
        return [_keyword(one, depth + 1) for one in value]
    if type(value) is dict and value.get("class_name") in ("__tuple__", "TensorShape"):
        return value.get("items", value)
    if type(value) is dict and "class_name" not in value:
        return {key: _keyword(one, depth + 1) for key, one in value.items()}
    return value


def _is_tensor(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) in (3, 4)
        and type(value[0]) is str
        and value[0] != _CONSTANT
        and type(value[1]) is int
        and type(value[2]) is int
    )


def _is_constant(value: Any) -> bool:
    return type(value) is list and len(value) in (3, 4) and value[0] == _CONSTANT


def _tensor(value: list[Any]) -> dict[str, Any]:
    """A tensor of the graph. Its shape is not known here, and Keras asks the layer for it."""
    history = {"shape": [], "dtype": "float32", "keras_history": value[:3]}
    return {"class_name": "__keras_tensor__", "config": history}


def _shifted(value: Any, shift: Mapping[str, int]) -> Any:
    if type(value) is list:
        return [_shifted(one, shift) for one in value]
    if type(value) is not dict:
        return value
    if value.get("class_name") == "__keras_tensor__":
        name, call, output = value["config"]["keras_history"]
        return _tensor([name, call - shift.get(name, 0), output])
    return {key: _shifted(one, shift) for key, one in value.items()}
