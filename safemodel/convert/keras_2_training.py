"""What models of Keras 2 and `.h5` files were compiled with, and the variables of their optimizers.

An optimizer keeps slots for each variable that it trains; files name them, by conventions that
changed, and Keras 3 has them in an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.keras.table import Class
from safemodel.convert.keras_2_tables import FUNCTIONS

if TYPE_CHECKING:
    from safemodel.convert.keras_2 import Writer

_METRICS: Final = ("metrics", "weighted_metrics")
_WRAPPERS: Final = frozenset({"LossFunctionWrapper", "MeanMetricWrapper"})
_SETTINGS: Final = ("run_eagerly", "steps_per_execution")
# Layers that do not take the argument in Keras 3; they have no weights
_ALWAYS_TRAINABLE: Final = frozenset(
    {"Discretization", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}
)
_NADAM: Final = (
    "Nadam's momentum grew more slowly in the legacy optimizer: training goes on otherwise"
)
_CHANGED: Final[Mapping[str, str]] = {
    "RandomCrop": "RandomCrop crops only in training now; Keras 2 resized to its size otherwise",
}


def semantics(config: dict[str, Any], found: Class, writer: Writer) -> dict[str, Any]:
    """Arguments whose meaning, or default, was another one up to Keras 2."""
    result = dict(config)
    if result.get("name", "") is None:
        del result["name"]
    if found.name in _ALWAYS_TRAINABLE:
        result.pop("trainable", None)
    if found.name in _CHANGED and found.role == "layer":
        writer.notices.append(_CHANGED[found.name])
    axis = result.get("axis")
    if type(axis) is list and len(axis) == 1 and found.role == "layer":
        result["axis"] = axis[0]
    if found.name == "GRU" or found.name == "GRUCell":
        result.setdefault("reset_after", False)  # before there was the argument
    if found.name == "LeakyReLU" and not result.keys() & {"alpha", "negative_slope"}:
        result["alpha"] = 0.3
    if found.role in ("loss", "metric") and found.name in _WRAPPERS:
        name = result.get("fn")
        result["fn"] = FUNCTIONS.get(name, name) if type(name) is str else name
    if found.role == "loss" and result.get("reduction") == "auto":
        result["reduction"] = "sum_over_batch_size"
    if found.role == "optimizer":
        result = _optimizer(result, found, writer)
    return result


def _optimizer(config: dict[str, Any], found: Class, writer: Writer) -> dict[str, Any]:
    if "lr" in config:
        config.setdefault("learning_rate", config.pop("lr"))
    for name in ("epsilon",):
        if name in config and config[name] is None:
            config[name] = 1e-7
    if found.name == "Nadam" and config.keys() & {"decay", "schedule_decay"}:
        writer.notices.append(_NADAM)
    decay, rate = config.get("decay"), config.get("learning_rate")
    if _is_number(decay) and decay and _is_number(rate) and found.name != "Nadam":
        del config["decay"]
        config["learning_rate"] = {
            "class_name": "InverseTimeDecay",
            "config": {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay},
        }
    for name in ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay"):
        if config.get(name) is False:
            config[name] = None
    return config


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


# Compiling


def compile_config(
    given: Mapping[str, Any], model: Mapping[str, Any], writer: Writer
) -> dict[str, Any] | None:
    """The arguments of `compile`, from a `training_config` or from an older `compile_config`."""
    optimizer = given.get("optimizer_config", given.get("optimizer"))
    if optimizer is None:
        return None
    result: dict[str, Any] = {"optimizer": writer.object(optimizer, "optimizer", 0)}
    result["loss"] = _nested(given.get("loss"), "loss", writer)
    result["loss_weights"] = given.get("loss_weights")
    outputs = _outputs(model)
    for key in _METRICS:
        result[key] = _metrics(_nested(given.get(key), "metric", writer), outputs)
    for key in _SETTINGS:
        if given.get(key) is not None:
            result[key] = given[key]
    if writer.old:
        result["jit_compile"] = False
    elif "jit_compile" in given:
        result["jit_compile"] = given["jit_compile"]
    return result


def _nested(value: Any, role: str, writer: Writer) -> Any:
    if type(value) is list:
        return [_nested(one, role, writer) for one in value]
    if type(value) is dict and "class_name" not in value:
        return {key: _nested(one, role, writer) for key, one in value.items()}
    return writer.object(value, role, 0)


def _outputs(model: Mapping[str, Any]) -> Any:
    """The names of the outputs, in the structure that they have; None for a single one."""
    config = model.get("config")
    ends = config.get("output_layers") if type(config) is dict else None
    if type(ends) is dict:
        return {key: _name(end) for key, end in ends.items()}
    if type(ends) is list and not (len(ends) == 3 and type(ends[0]) is str):
        return [_name(end) for end in ends]
    return None


def _name(end: Any) -> Any:
    return end[0] if type(end) is list and end else None


def _metrics(value: Any, outputs: Any) -> Any:
    """Lists for each output; Keras 3 wants them as the outputs are."""
    if type(value) is not list:
        return value
    lists = bool(value) and all(one is None or type(one) is list for one in value)
    if outputs is None:
        return value[0] if lists and len(value) == 1 else value
    if not lists or len(value) != len(outputs):
        return value
    keys = sorted(outputs) if type(outputs) is dict else list(outputs)
    names = [outputs[key] for key in keys] if type(outputs) is dict else keys
    found = [_without_output(one or [], name) for one, name in zip(value, names, strict=True)]
    return dict(zip(keys, found, strict=True)) if type(outputs) is dict else found


def _without_output(metrics: list[Any], output: Any) -> list[Any]:
    """Metrics without the name of their output, which Keras 3 adds itself."""
    result = []
    for metric in metrics:
        config = metric.get("config") if type(metric) is dict else None
        name = config.get("name") if type(config) is dict else None
        if type(config) is dict and type(name) is str and name.startswith(f"{output}_"):
            config = {**config, "name": name.removeprefix(f"{output}_")}
            metric = {**metric, "config": config}
        result.append(metric)
    return result


# The variables of an optimizer


@dataclass(frozen=True, slots=True)
class Made:
    """A variable that older files do not have: a number of this dtype."""

    path: str
    dtype: str
    value: float


# What Keras 3 calls the slots of each optimizer, and names of the same in files. Slots in one
# tuple are variable by variable, tuples one after the other.
_M: Final = ("m", "momentum", "momentums")
_V: Final = ("v", "velocity")
_SLOTS: Final[Mapping[str, tuple[tuple[tuple[str, ...], ...], ...]]] = {
    "Adadelta": ((("accum_grad", "accumulated_grad"), ("accum_var", "accumulated_delta_var")),),
    "Adagrad": ((("accumulator",),),),
    "Adam": ((_M, _V), (("vhat", "velocity_hat", "v_hat"),)),
    "AdamW": ((_M, _V), (("vhat", "velocity_hat", "v_hat"),)),
    "Adamax": ((_M, ("u", "v", "norm")),),
    "Ftrl": ((("accumulator",), ("linear",)),),
    "Lion": ((_M,),),
    "Nadam": ((_M, _V),),
    "RMSprop": ((("rms", "velocity"),), (("momentum",),), (("mg", "average_gradient"),)),
    "SGD": ((_M,),),
}
_AVERAGE: Final = ("average", "model_variables_average")
_STEPS: Final = frozenset({"iteration", "iterations", "iter"})
_ALL_SLOTS: Final = frozenset(
    {name for groups in _SLOTS.values() for group in groups for slot in group for name in slot}
    | {*_AVERAGE, "r", "c"}
)


def optimizer_order(
    config: Any,
    names: Sequence[str],
    shape: Callable[[str], tuple[int, ...]],
    steps: Callable[[str], int],
) -> list[str | Made] | None:
    """The variables of an optimizer of Keras 2 in the order of Keras 3; None if they do not fit.

    `config` is the optimizer as `modern` gave it, `names` are those of the file, in order; `shape`
    and `steps` give the shape, and the one integer, of a dataset by name.
    """
    try:
        return _ordered(config, names, shape, steps)
    except (
        KeyError,
        TypeError,
        ValueError,
    ):  # of an optimizer that the table would not permit, too
        return None


def counted_names(config: Any, shapes: Sequence[tuple[int, ...]]) -> list[str] | None:
    """Names for `optimizer_order` of variables that a `.keras` file of Keras 2 has counted only.

    They are the steps, then slots in the order in which Keras 2 makes them; None if the variables
    of these `shapes` can't be those. `config` is the optimizer as `modern` gave it.
    """
    try:
        kind, arguments = _named(config)
        if kind == "LossScaleOptimizer":  # which has those of the one in it
            return counted_names(arguments["inner_optimizer"], shapes)
        groups = [*_wanted(kind, arguments, made=True)]
    except (AttributeError, KeyError, TypeError):
        return None
    if arguments.get("use_ema"):
        groups.insert(0, (_AVERAGE,))
    count, rest = divmod(len(shapes) - 1, sum(len(group) for group in groups))
    names = ["iteration"]
    for group in groups:
        names += [f"{slot[0]}/{index}" for index in range(count) for slot in group]
    found: dict[str, tuple[int, ...]] = {}  # of a variable and all of its slots
    for name, shape in zip(names[1:], shapes[1:], strict=False):
        if found.setdefault(name.rpartition("/")[2], shape) != shape:
            return None
    return None if rest or not shapes or shapes[0] else names


def _ordered(
    config: Mapping[str, Any],
    names: Sequence[str],
    shape: Callable[[str], tuple[int, ...]],
    steps: Callable[[str], int],
) -> list[str | Made]:
    kind, arguments = _named(config)
    slots, order, counter = _parsed(names)
    rate = arguments.get("learning_rate", 0.001)
    head: list[str | Made] = [counter]
    if kind == "LossScaleOptimizer":
        below = _ordered(arguments["inner_optimizer"], names, shape, steps)
        return [*_scale(arguments, below, steps(counter)), *below]
    if _is_number(rate):
        head.append(Made("learning_rate", "float32", rate))
    if arguments.get("use_ema"):
        head += [_slot(slots, _AVERAGE, variable) for variable in order]
    if kind == "Adafactor":
        return head + list(_adafactor(slots, order, shape))
    for group in _wanted(kind, arguments):
        head += [_slot(slots, slot, variable) for variable in order for slot in group]
    if kind == "Nadam":
        cache = next((name for name in names if "/momentum_cache" in name), None)
        beta = float(arguments.get("beta_1", 0.9))
        head.append(cache or Made("u_product", "float32", _nadam(beta, steps(counter))))
    return head


def _named(config: Any) -> tuple[str, dict[str, Any]]:
    """The class and the arguments of an optimizer, which can be the name alone."""
    if type(config) is str:
        kind = {name.lower(): name for name in _SLOTS}[config.lower()]
        return kind, {"learning_rate": 0.01 if kind == "SGD" else 0.001}
    kind, arguments = config["class_name"], config["config"]
    if type(kind) is not str or type(arguments) is not dict:
        raise KeyError("class_name")
    return kind, arguments


def _scale(
    arguments: Mapping[str, Any], below: list[str | Made], count: int
) -> Iterator[str | Made]:
    """The variables of a LossScaleOptimizer, before those of the one in it; it begins anew."""
    yield Made("loss_scale/iteration", "int64", count)
    if len(below) > 1 and isinstance(below[1], Made) and below[1].path == "learning_rate":
        yield Made("loss_scale/learning_rate", "float32", below[1].value)
    yield Made("loss_scale/step_counter", "int64", 0)
    initial = arguments.get("initial_scale", 32768.0)
    yield Made("loss_scale/dynamic_scale", "float32", float(initial))


def _wanted(
    kind: str, arguments: Mapping[str, Any], *, made: bool = False
) -> Iterator[tuple[tuple[str, ...], ...]]:
    """The slots that Keras 3 needs; or those that Keras 2 has `made`: one too many of SGD."""
    groups = _SLOTS[kind]
    yield from groups[:1] if kind != "SGD" or made or arguments.get("momentum") else ()
    if kind in ("Adam", "AdamW") and arguments.get("amsgrad"):
        yield groups[1]
    if kind == "RMSprop":
        yield from groups[1:2] if arguments.get("momentum") else ()
        yield from groups[2:] if arguments.get("centered") else ()


def _parsed(names: Sequence[str]) -> tuple[dict[tuple[str, str], str], list[str], str]:
    """The slots by name and variable, the variables in order, and the number of steps."""
    slots: dict[tuple[str, str], str] = {}
    variables: dict[str, None] = {}
    counter = None
    for name in names:
        plain = name.rpartition(":")[0] or name
        parts = plain.split("/")
        if parts[-1] in _STEPS and len(parts) <= 2:
            counter = name
            continue
        found = _split(parts)
        if found is not None:
            slots[found] = name
            variables[found[1]] = None
    if counter is None:
        raise KeyError("iteration")
    return slots, list(variables), counter


def _split(parts: list[str]) -> tuple[str, str] | None:
    """The slot and the variable in a name: `Adam/m/VARIABLE`, `m/VARIABLE`, `Adam/VARIABLE/m`."""
    for index in (1, 0):
        if len(parts) > index + 1 and parts[index] in _ALL_SLOTS:
            return parts[index], "/".join(parts[index + 1 :])
    if len(parts) > 2 and parts[-1] in _ALL_SLOTS:
        return parts[-1], "/".join(parts[1:-1])
    return None


def _slot(slots: Mapping[tuple[str, str], str], names: tuple[str, ...], variable: str) -> str:
    for name in names:
        if (name, variable) in slots:
            return slots[name, variable]
    raise KeyError(variable)


def _adafactor(
    slots: Mapping[tuple[str, str], str], order: list[str], shape: Callable[[str], tuple[int, ...]]
) -> Iterator[str | Made]:
    """Rows and columns of matrices, and all of everything; of vectors the first two are numbers."""
    for variable in order:
        for slot in ("r", "c"):
            found = slots.get((slot, variable))
            yield found if found is not None else Made(f"{variable}/{slot}", "int32", 0)
        yield _slot(slots, _V, variable)


def _nadam(beta: float, steps: int) -> float:
    """The product of the momenta up to now, which `.h5` files do not have."""
    product = 1.0
    for step in range(1, min(max(steps, 0), 10_000) + 1):
        product *= beta * (1.0 - 0.5 * 0.96**step)
        if product < 1e-45:
            return 0.0
    return product
