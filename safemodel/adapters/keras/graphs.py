"""The parts of a configuration that are more than arguments: models, calls of layers, compiling.

A functional model is a list of layers, each with the calls that were made of it; a call has
arguments that are plain values and tensors, each named by the layer and the call that made it.
Implements spec/keras.md, "Models".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.keras.specs import (
    MAX_SIZE,
    SpecError,
    describe,
    is_array,
    is_dtype,
    is_integer,
    is_name,
    is_shape,
)

if TYPE_CHECKING:
    from safemodel.adapters.keras.checking import Checker

# A model that calls another twice, which calls a third twice, ... is small to write.
MAX_CALLS: Final = 100_000
_ARGUMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_COMPILED: Final = frozenset(
    {
        *("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"),
        *("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"),
    }
)


class Calls:
    """Counts the calls of layers that building makes, those of models within models each time."""

    def __init__(self) -> None:
        self._below = 0

    def enter(self) -> int:
        """Begin a model; give the result to `leave`."""
        before, self._below = self._below, 0
        return before

    def count(self, calls: int, before: int) -> None:
        """A layer that is called so often, in whose check `_below` went from `before` to now."""
        inner = self._below - before
        self._below = before + max(1, calls) * max(1, inner)
        if self._below > MAX_CALLS:
            raise SpecError("makes too many calls of layers", "")

    @property
    def now(self) -> int:
        """Calls up to now, of the model that was begun last."""
        return self._below

    def leave(self, outer: int) -> None:
        """End a model."""
        self._below += outer


def _fields(config: Any, required: frozenset[str], optional: frozenset[str]) -> None:
    if type(config) is not dict or not required <= config.keys() <= required | optional:
        given = ", ".join(sorted(map(str, config))) if type(config) is dict else describe(config)
        raise SpecError(f"has not the arguments of a model: {given:.300}", ".config")


def check_sequential(config: Any, checker: Checker) -> None:
    """The arguments of a Sequential.

    Raises:
        SpecError: anything else.
    """
    _fields(
        config,
        frozenset({"layers"}),
        frozenset({"name", "trainable", "dtype", "build_input_shape"}),
    )
    _check_common(config, checker)
    shape = config.get("build_input_shape")
    if not (shape is None or is_shape(shape) or type(shape) in (dict, list)):
        raise SpecError(f"is {describe(shape)}, but must be a shape", ".build_input_shape")
    _check_shapes(shape, ".build_input_shape")
    outer = checker.calls.enter()
    for index, layer in enumerate(_list(config["layers"], ".layers")):
        before = checker.calls.now
        try:
            checker.object(layer, "layer")
            checker.calls.count(1, before)
        except SpecError as error:
            raise error.below(f".layers[{index}]") from None
    checker.calls.leave(outer)


def _check_shapes(value: Any, place: str) -> None:
    from safemodel.adapters.keras.checking import check_shapes

    try:
        check_shapes(value)
    except SpecError as error:
        raise error.below(place) from None


def check_functional(config: Any, checker: Checker, *, exact: bool) -> None:
    """The arguments of a functional model; with `exact=False` of a class that adds its own.

    Raises:
        SpecError: anything else.
    """
    own = frozenset({"layers", "input_layers", "output_layers"})
    common = frozenset({"name", "trainable", "dtype"})
    if exact:
        _fields(config, own, common)
    else:
        rest = {key: value for key, value in config.items() if key not in own | common}
        checker.own_values(rest, ".config")
    _check_common(config, checker)
    layers = _list(config["layers"], ".layers")
    names = [layer.get("name") if type(layer) is dict else None for layer in layers]
    if not all(map(is_name, names)) or len(set(names)) != len(names):
        raise SpecError("has layers without a name, or with equal names", ".layers")
    known = frozenset(names)
    outer = checker.calls.enter()
    for index, layer in enumerate(layers):
        before = checker.calls.now
        try:
            checker.layer_in_graph(layer)
            nodes = _list(layer.get("inbound_nodes"), ".inbound_nodes")
            for number, node in enumerate(nodes):
                _check_node(node, known, f".inbound_nodes[{number}]")
            checker.calls.count(len(nodes), before)
        except SpecError as error:
            raise error.below(f".layers[{index}]") from None
    checker.calls.leave(outer)
    for key in ("input_layers", "output_layers"):
        _check_ends(config[key], known, f".{key}")


def _check_common(config: Mapping[str, Any], checker: Checker) -> None:
    name = config.get("name")
    if not (name is None or is_name(name)):
        raise SpecError(f"is {describe(name)}, which can't be a name", ".name")
    if not (config.get("trainable") is None or type(config["trainable"]) is bool):
        raise SpecError("is no bool", ".trainable")
    dtype = config.get("dtype")
    if dtype is not None:
        from safemodel.adapters.keras.specs import parse

        try:
            parse("dtype").check(dtype, checker)
        except SpecError as error:
            raise error.below(".dtype") from None


def _list(value: Any, place: str) -> list[Any]:
    if type(value) not in (list, tuple):
        raise SpecError(f"is {describe(value)}, but must be a list", place)
    return list(value)


def _check_node(node: Any, known: frozenset[Any], place: str) -> None:
    if type(node) is not dict or node.keys() != {"args", "kwargs"}:
        raise SpecError("is no call: it has args and kwargs", place)
    try:
        check_value(_list(node["args"], ".args"), known)
        if type(node["kwargs"]) is not dict:
            raise SpecError("is no dictionary", ".kwargs")
        for key, value in node["kwargs"].items():
            if not _ARGUMENT.fullmatch(key):
                raise SpecError(f"is named {describe(key)}", ".kwargs")
            check_value(value, known)
    except SpecError as error:
        raise error.below(place) from None


def check_value(value: Any, known: frozenset[Any] | None) -> None:
    """A value in a call: plain, a tensor of the graph, a constant; `known` are the layers there.

    Raises:
        SpecError: anything else, above all a function or a class.
    """
    if value is None or type(value) in (bool, int, float, str):
        return
    if type(value) in (list, tuple):
        for item in value:
            check_value(item, known)
        return
    if type(value) is not dict:
        raise SpecError(f"is {describe(value)}")
    if "class_name" not in value:
        for item in value.values():
            check_value(item, known)
        return
    name, config = value["class_name"], value.get("config")
    if value.keys() != {"class_name", "config"}:
        raise SpecError(f"is {describe(value)} among the arguments of a call")
    if name == "__keras_tensor__":
        _check_tensor(config, known)
    elif name == "__slice__":
        _check_slice(config)
    elif name == "__ellipsis__":
        if config != {}:
            raise SpecError("is an ellipsis with arguments")
    elif not is_array(value):
        raise SpecError(f"is {describe(value)} among the arguments of a call")


def _check_tensor(config: Any, known: frozenset[Any] | None) -> None:
    if type(config) is not dict or config.keys() != {"shape", "dtype", "keras_history"}:
        raise SpecError("is no tensor of the graph")
    if not is_shape(config["shape"]) or not is_dtype(config["dtype"]):
        raise SpecError("is a tensor without a shape or dtype")
    _check_end(config["keras_history"], known)


def _check_slice(config: Any) -> None:
    if type(config) is not dict or config.keys() != {"start", "stop", "step"}:
        raise SpecError("is no slice")
    if not all(part is None or is_integer(part) for part in config.values()):
        raise SpecError("is a slice of something other than integers")


def _check_end(value: Any, known: frozenset[Any] | None) -> None:
    if type(value) not in (list, tuple) or len(value) != 3:
        raise SpecError(f"is {describe(value)}, but must be a layer, a call, an output")
    name, call, output = value
    if not is_name(name) or (known is not None and name not in known):
        raise SpecError(f"names the layer {describe(name)}, which is not there")
    if not all(type(index) is int and 0 <= index <= MAX_SIZE for index in (call, output)):
        raise SpecError("has no numbers of a call and an output")


def _check_ends(value: Any, known: frozenset[Any], place: str) -> None:
    """Where the model begins or ends: tensors of the graph, in lists and dictionaries."""
    try:
        if type(value) in (list, tuple):
            if len(value) == 3 and type(value[0]) is str:
                _check_end(value, known)
            else:
                for index, item in enumerate(value):
                    _check_ends(item, known, f"[{index}]")
        elif type(value) is dict and "class_name" not in value:
            for key, item in value.items():
                _check_ends(item, known, f".{key[:100]}")
        else:
            raise SpecError(f"is {describe(value)}, but must be tensors of the graph")
    except SpecError as error:
        raise error.below(place) from None


def check_compiled(config: Any, checker: Checker) -> None:
    """What a model was compiled with.

    Raises:
        SpecError: an argument of `compile` that is not known, or not permitted.
    """
    if type(config) is not dict or not config.keys() <= _COMPILED:
        raise SpecError("has other arguments than those of compile")
    for key, value in config.items():
        try:
            _check_compile_argument(key, value, checker)
        except SpecError as error:
            raise error.below(f".{key}") from None


def _check_compile_argument(key: str, value: Any, checker: Checker) -> None:
    if key in ("run_eagerly", "auto_scale_loss"):
        good = type(value) is bool
    elif key == "jit_compile":
        good = value in (None, "auto") or type(value) is bool
    elif key == "steps_per_execution":
        good = value is None or (type(value) is int and 1 <= value <= MAX_SIZE)
    elif key == "loss_weights":
        good = _are_weights(value)
    else:
        role = {"optimizer": "optimizer", "loss": "loss"}.get(key, "metric")
        _check_nested(value, role, checker)
        return
    if not good:
        raise SpecError(f"is {describe(value)}")


def _are_weights(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(map(_are_weights, value))
    if type(value) is dict:
        return "class_name" not in value and all(map(_are_weights, value.values()))
    return value is None or type(value) in (int, float)


def _check_nested(value: Any, role: str, checker: Checker) -> None:
    """Objects of one role in lists and dictionaries, as outputs are."""
    if value is None:
        return
    if type(value) in (list, tuple) and role != "optimizer":
        for index, item in enumerate(value):
            try:
                _check_nested(item, role, checker)
            except SpecError as error:
                raise error.below(f"[{index}]") from None
    elif type(value) is dict and "class_name" not in value and role != "optimizer":
        for key, item in value.items():
            try:
                _check_nested(item, role, checker)
            except SpecError as error:
                raise error.below(f".{key[:100]}") from None
    else:
        checker.object(value, role)
