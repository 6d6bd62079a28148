"""Building a model from a configuration that was audited, without memory for its variables.

Keras makes variables without values inside of a `StatelessScope`, so shapes can be compared with
what an archive holds before anything is allocated, and no initializer runs. Layers of a caller's
own may need values at once: with them variables are made as usual.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import keras
from keras.src import backend
from keras.src.backend.common import global_state
from keras.src.backend.common.stateless_scope import StatelessScope, get_stateless_scope
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.ops.core import Unstack
from keras.src.saving import object_registration
from keras.src.saving.serialization_lib import ObjectSharingScope, SafeModeScope

from safemodel.adapters.keras import tensors
from safemodel.adapters.keras.specs import MAX_SEVERAL
from safemodel.adapters.keras.variables import DTYPES, Stored, dtype_of, numpy_dtype
from safemodel.errors import ArchitectureError, SafemodelError

_UNINITIALIZED: Final = "uninitialized_variables"  # where Keras lists variables without values
_lock: Final = threading.Lock()
_scaling: Final = threading.RLock()
_ADAPTED: Final = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Embedding, BaseConv)


class _Deferring(StatelessScope):  # type: ignore[misc]  # of no type to mypy
    """A scope in which variables are made without values, and stay so when it ends."""

    def __init__(self) -> None:
        super().__init__(initialize_variables=False)
        self.adding = False  # whether layers are put into a Sequential one by one


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever Keras or a backend raises into an error of ours.

    Raises:
        ArchitectureError: instead of any other exception.
    """
    try:
        yield
    except SafemodelError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())
        raise ArchitectureError(f"{what}: {type(error).__name__}: {message:.300}") from error


@contextmanager
def deferring(*, own: bool) -> Iterator[None]:
    """Make variables without values, unless there are classes of the caller's own."""
    if own:
        with _scaled(), _few_outputs():
            yield
        return
    before = global_state.get_global_attribute(_UNINITIALIZED)
    global_state.set_global_attribute(_UNINITIALIZED, [])
    try:
        with _lock, _scaled(), _few_outputs(), _recurrent_states(), _built_once(), _Deferring():
            yield
    finally:
        global_state.set_global_attribute(_UNINITIALIZED, before)


@contextmanager
def _scaled() -> Iterator[None]:
    """Let layers that are built with adapters keep the scale of their configuration.

    Keras gives it to them, and then to `enable_lora` the rank alone.
    """
    with _scaling:
        kinds = [kind for kind in _ADAPTED if "enable_lora" in vars(kind)]
        originals = {kind: kind.enable_lora for kind in kinds}
        for kind, original in originals.items():
            kind.enable_lora = _keeping(original)
        try:
            yield
        finally:
            for kind, original in originals.items():
                kind.enable_lora = original


def _keeping(original: Any) -> Any:
    def enable_lora(self: Any, rank: int, *arguments: Any, **named: Any) -> None:
        scale = self.lora_alpha if rank == self.lora_rank else None
        original(self, rank, *arguments, **named)
        if scale is not None and not arguments and named.get("lora_alpha") is None:
            self.lora_alpha = scale

    return enable_lora


@contextmanager
def _few_outputs() -> Iterator[None]:
    """Refuse to take a tensor apart into more than the table permits where it says how many."""
    with _scaling:
        original = Unstack.compute_output_spec

        def compute(self: Any, x: Any) -> Any:
            axis = self.axis if len(x.shape) else 0
            count = self.num if self.num is not None else x.shape[axis]
            if count is not None and count > MAX_SEVERAL:
                raise ValueError(f"{count} tensors of one")
            return original(self, x)

        Unstack.compute_output_spec = compute
        try:
            yield
        finally:
            Unstack.compute_output_spec = original


@contextmanager
def _built_once() -> Iterator[None]:
    """Let a Sequential be built when it has all of its layers, as its constructor does it.

    Keras builds it anew with each layer of its configuration, which takes quadratic time.
    """
    kind = keras.Sequential
    original, add = vars(kind)["from_config"], kind.add

    def add_layer(self: Any, layer: Any, rebuild: bool = True) -> None:
        scope = get_stateless_scope()
        add(self, layer, rebuild and not (isinstance(scope, _Deferring) and scope.adding))

    def from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
        scope = get_stateless_scope()
        if not isinstance(scope, _Deferring):  # another thread's
            return original.__func__(cls, config, custom_objects)
        shape = config.get("build_input_shape")
        before, scope.adding = scope.adding, True
        try:
            model = original.__func__(cls, {**config, "build_input_shape": None}, custom_objects)
        finally:
            scope.adding = before
        if model._layers:
            model._maybe_rebuild()
        if not model._functional and shape and isinstance(shape, (list, tuple)):
            model.build(shape)
        return model

    kind.add, kind.from_config = add_layer, classmethod(from_config)
    try:
        yield
    finally:
        kind.add, kind.from_config = add, original


@contextmanager
def _recurrent_states() -> Iterator[None]:
    """Let stateful recurrent layers make their states without values, too.

    They make them from a tensor of zeros, which Keras does not permit in such a scope.
    """
    rnn = keras.layers.RNN
    original = rnn._create_state_variables

    def create(self: Any, batch_size: int) -> None:
        if not isinstance(get_stateless_scope(), _Deferring):  # another thread's
            original(self, batch_size)
            return
        specs = backend.compute_output_spec(lambda: self.get_initial_state(batch_size))
        with keras.name_scope(self.name, caller=self):
            states = keras.tree.map_structure(lambda spec: _state(spec, self), specs)
        self._tracker.unlock()
        object.__setattr__(self, "states", states)

    rnn._create_state_variables = create
    try:
        yield
    finally:
        rnn._create_state_variables = original


def _state(spec: Any, layer: Any) -> Any:
    return keras.Variable(
        "zeros", shape=spec.shape, dtype=layer.variable_dtype, trainable=False, name="rnn_state"
    )


@contextmanager
def safely() -> Iterator[None]:
    """The scopes in which Keras is given a configuration."""
    with SafeModeScope(True), ObjectSharingScope():
        yield


def build(config: dict[str, Any], *, own: bool) -> Any:
    """Make a model of an audited configuration, but do not compile it.

    Raises:
        ArchitectureError: Keras does not make one of it.
    """
    bare = _without_compiling(config)
    with refusing("Keras can't build it"), deferring(own=own), safely():
        model = keras.saving.deserialize_keras_object(bare)
    if not isinstance(model, keras.Layer):
        raise ArchitectureError("it is no model or layer")
    return model


def _without_compiling(value: Any) -> Any:
    """A copy without what compiles; Keras takes its configurations apart."""
    if isinstance(value, dict):
        return {
            key: _without_compiling(item)
            for key, item in value.items()
            if not (key == "compile_config" and "class_name" in value)
        }
    return [_without_compiling(item) for item in value] if isinstance(value, list) else value


def build_part(part: Any, shapes: Any, *, own: bool) -> None:
    """Build a layer for the shapes that it was built for when it was saved.

    Raises:
        ArchitectureError: it does not take them.
    """
    with refusing(f"the layer {part.name} can't be built"), deferring(own=own), safely():
        part.build_from_config(shapes)
        part.built = True


def is_registered(name: str) -> bool:
    """Whether the caller has registered a class or function by this name."""
    return object_registration.get_registered_object(name) is not None


def set_value(variable: Any, one: Stored) -> None:
    """Give a variable its value, which has its dtype and shape."""
    set_tensor(variable, tensors.tensor_of(one.array(), dtype_of(variable), one.order))


def set_tensor(variable: Any, value: Any) -> None:
    """Give a variable a tensor of its dtype and shape."""
    if variable._value is not None:
        variable.assign(value)
        return
    variable._initializer = lambda shape, dtype: value
    variable._deferred_initialize()


def initialize(variables: list[Any]) -> None:
    """Let Keras initialize variables for which there are no values.

    Raises:
        ArchitectureError: the machine has less memory than they need.
    """
    waiting = [variable for variable in variables if variable._value is None]
    size = sum(_size(variable) for variable in waiting)
    if size > _memory():
        raise ArchitectureError(f"variables of {size} bytes, more than this machine has")
    with refusing("a variable can't be initialized"):
        for variable in waiting:
            variable._deferred_initialize()


def _size(variable: Any) -> int:
    dtype = dtype_of(variable)
    item = numpy_dtype(dtype).itemsize if dtype in DTYPES else 8
    return item * math.prod(int(size) for size in variable.shape)


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 40
