"""Functions of TensorFlow in models of Keras 2, and the operations of `keras.ops` that do the same.

A line of the table is a function, the parameters of it, and the operation: its class, what it is
called with, and what it is made with. `name` of any function says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from safemodel.adapters.keras.specs import is_numbers

_TABLE: Final = """
numpy.Abs(x): math.abs abs
numpy.Add(x, y): math.add __operators__.add add
numpy.All(input_tensor; axis, keepdims): math.reduce_all reduce_all
numpy.Any(input_tensor; axis, keepdims): math.reduce_any reduce_any
numpy.Argmax(input; axis): math.argmax argmax
numpy.Argmin(input; axis): math.argmin argmin
numpy.BroadcastTo(input; shape): broadcast_to
numpy.Ceil(x): math.ceil
numpy.Clip(t; clip_value_min=x_min, clip_value_max=x_max): clip_by_value
numpy.Concatenate(values; axis): concat
numpy.Cos(x): math.cos cos
numpy.Cumsum(x; axis): math.cumsum cumsum
numpy.Divide(x, y): math.divide math.truediv truediv divide
numpy.DivideNoNan(x, y): math.divide_no_nan
numpy.Equal(x, y): math.equal equal __operators__.eq
numpy.Exp(x): math.exp exp
numpy.ExpandDims(input; axis): expand_dims
numpy.Expm1(x): math.expm1
numpy.Flip(tensor; axis): reverse
numpy.Floor(x): math.floor floor
numpy.FloorDivide(x, y): math.floordiv math.floor_div
numpy.Greater(x, y): math.greater greater
numpy.GreaterEqual(x, y): math.greater_equal greater_equal
numpy.Less(x, y): math.less less
numpy.LessEqual(x, y): math.less_equal less_equal
numpy.Log(x): math.log
numpy.Log1p(x): math.log1p
numpy.LogicalAnd(x, y): math.logical_and logical_and
numpy.LogicalNot(x): math.logical_not logical_not
numpy.LogicalOr(x, y): math.logical_or logical_or
numpy.Matmul(a, b): linalg.matmul matmul
numpy.Max(input_tensor; axis, keepdims): math.reduce_max reduce_max
numpy.Maximum(x, y): math.maximum maximum
numpy.Mean(input_tensor; axis, keepdims): math.reduce_mean reduce_mean
numpy.Min(input_tensor; axis, keepdims): math.reduce_min reduce_min
numpy.Minimum(x, y): math.minimum minimum
numpy.Mod(x, y): math.floormod math.mod
numpy.Multiply(x, y): math.multiply multiply math.scalar_mul
numpy.Negative(x): math.negative negative
numpy.NotEqual(x, y): math.not_equal not_equal __operators__.ne
numpy.OnesLike(input): ones_like
numpy.Power(x, y): math.pow pow
numpy.Prod(input_tensor; axis, keepdims): math.reduce_prod reduce_prod
numpy.Repeat(input; repeats, axis): repeat
numpy.Reshape(tensor; shape=newshape): reshape
numpy.Round(x): math.round round
numpy.Sign(x): math.sign sign
numpy.Sin(x): math.sin sin
numpy.Sqrt(x): math.sqrt sqrt
numpy.Square(x): math.square square
numpy.Squeeze(input; axis): squeeze
numpy.Stack(values; axis): stack
numpy.Std(input_tensor; axis, keepdims): math.reduce_std
numpy.Subtract(x, y): math.subtract subtract __operators__.sub
numpy.Sum(input_tensor; axis, keepdims): math.reduce_sum reduce_sum
numpy.Take(params, indices; axis): gather
numpy.Tanh(x): math.tanh tanh nn.tanh
numpy.Tile(input; multiples=repeats): tile
numpy.Transpose(a; perm=axes): transpose
numpy.Var(input_tensor; axis, keepdims): math.reduce_variance
numpy.Where(condition, x, y): where
numpy.ZerosLike(input): zeros_like
nn.Elu(features): nn.elu
nn.Gelu(features; approximate): nn.gelu
nn.LeakyRelu(features; alpha=negative_slope): nn.leaky_relu
nn.LogSoftmax(logits; axis): nn.log_softmax math.log_softmax
nn.OneHot(indices; depth=num_classes, axis): one_hot
nn.Relu(features): nn.relu
nn.Relu6(features): nn.relu6
nn.Selu(features): nn.selu
nn.Sigmoid(x): math.sigmoid nn.sigmoid sigmoid
nn.Silu(features): nn.silu nn.swish
nn.Softmax(logits; axis): nn.softmax math.softmax
nn.Softplus(features): math.softplus nn.softplus
nn.Softsign(features): nn.softsign math.softsign
core.Cast(x; dtype): cast
core.StopGradient(input): stop_gradient
math.Erf(x): math.erf
math.Logsumexp(input_tensor; axis, keepdims): math.reduce_logsumexp reduce_logsumexp
math.Rsqrt(x): math.rsqrt
"""
# Parameters that Keras 3 does not have, and the values with which they say nothing
_NOTHING: Final[Mapping[str, tuple[Any, ...]]] = {
    "conjugate": (False,),
    "transpose_a": (False,),
    "transpose_b": (False,),
    "adjoint_a": (False,),
    "adjoint_b": (False,),
    "a_is_sparse": (False,),
    "b_is_sparse": (False,),
    "output_type": (None,),
    "exclusive": (False,),
    "reverse": (False,),
    "validate_indices": (None,),
    "batch_dims": (0,),
    "grad_pass_through": (False,),
    "on_value": (None,),
    "off_value": (None,),
    "dtype": (None,),
    "num": (None,),
}
# What they are if they are not given
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Argmax": {"axis": 0},
    "Argmin": {"axis": 0},
    "Concatenate": {},
    "LeakyRelu": {"negative_slope": 0.2},
    "Gelu": {"approximate": False},
    "Stack": {"axis": 0},
    "Take": {"axis": 0},
    "Cumsum": {"axis": 0},
}
_LISTS: Final = frozenset({"Concatenate", "Stack"})  # of tensors


@dataclass(frozen=True, slots=True)
class Call:
    """What a function is called with; tensors are `__keras_tensor__`."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of `keras.ops`, and how it is called."""

    module: str
    name: str
    config: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Line:
    module: str
    name: str
    tensors: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]


@cache
def _lines() -> Mapping[str, _Line]:
    found: dict[str, _Line] = {}
    for line in _TABLE.split("\n"):
        head, _, functions = line.partition(": ")
        if not functions:
            continue
        module, _, rest = head.partition(".")
        name, _, parameters = rest.rstrip(")").partition("(")
        tensors, _, settings = parameters.partition(";")
        pairs = [one.strip().partition("=") for one in settings.split(",") if one.strip()]
        entry = _Line(
            f"keras.src.ops.{module}",
            name,
            tuple(one.strip() for one in tensors.split(",")),
            tuple((old, new or old) for old, _, new in pairs),
        )
        found |= dict.fromkeys(functions.split(), entry)
    return found


def operation_of(function: Any, call: Call) -> Operation | None:
    """The operation that does what a function of TensorFlow does; None if there is none."""
    if type(function) is not str:
        return None
    if function == "__operators__.getitem":
        return _getitem(call)
    line = _lines().get(function.removeprefix("compat.v1."))
    if line is None:
        return None
    tensors = [*line.tensors]
    given = dict(zip(tensors, call.args, strict=False))
    settings = dict(line.settings)
    config = dict(_DEFAULTS.get(line.name, {}))
    for name, value in call.kwargs.items():
        if name in settings and not (value is None and settings[name] in config):
            config[settings[name]] = value
        elif name in tensors:
            given[name] = value
        elif name == "name" or name in settings or value in _NOTHING.get(name, ()):
            continue
        else:
            return None
    if given.keys() != set(tensors):
        return None
    if _has_tensor(config):
        return None
    config = {key: value for key, value in config.items() if value is not None}
    lists = line.name in _LISTS
    args = tuple(given[one] if lists else _constant(given[one]) for one in tensors)
    return Operation(line.module, line.name, config, args, {})


def _constant(value: Any) -> Any:
    """Lists of numbers as the array that TensorFlow made of them."""
    if type(value) is not list or _has_tensor(value) or not is_numbers(value):
        return value
    dtype = "float32" if _has_float(value) else "int32"
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


def _has_float(value: Any) -> bool:
    return any(map(_has_float, value)) if type(value) is list else type(value) is float


def _getitem(call: Call) -> Operation | None:
    spec = call.kwargs.get("slice_spec")
    if call.kwargs.keys() - {"slice_spec"}:
        return None
    parts = spec if type(spec) is list else [spec]
    key = [_index(part) for part in parts]
    if any(part is _REFUSED for part in key):
        return None
    return Operation("keras.src.ops.numpy", "GetItem", {}, (*call.args, key), {})


_REFUSED: Final = object()


def _index(part: Any) -> Any:
    """A slice, a number, an ellipsis or a new axis."""
    if part is None or type(part) is int:
        return part
    if type(part) is not dict:
        return _REFUSED
    if part.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    if part.keys() != {"start", "stop", "step"}:
        return _REFUSED
    if not all(one is None or type(one) is int for one in part.values()):
        return _REFUSED
    return {"class_name": "__slice__", "config": part}


def _has_tensor(value: Any) -> bool:
    if type(value) is list:
        return any(map(_has_tensor, value))
    if type(value) is dict:
        return value.get("class_name") == "__keras_tensor__" or any(
            map(_has_tensor, value.values())
        )
    return False
