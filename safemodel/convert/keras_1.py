"""Arguments of layers as Keras 1 named them, by their names in Keras 2.

Only layers whose weights both have alike: a recurrent layer of Keras 1 had one array for each gate,
and is refused by the arguments that stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ANY_LAYER: Final[Mapping[str, str]] = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "bias": "use_bias",
    "border_mode": "padding",
    "init": "kernel_initializer",
}
_POOL: Final[Mapping[str, str]] = {"pool_length": "pool_size", "stride": "strides"}
_LAYERS: Final[Mapping[str, Mapping[str, str]]] = {
    "AlphaDropout": {"p": "rate"},
    "AveragePooling1D": _POOL,
    "BatchNormalization": {
        "beta_init": "beta_initializer",
        "gamma_init": "gamma_initializer",
    },
    "Conv1D": {
        "filter_length": "kernel_size",
        "nb_filter": "filters",
        "subsample_length": "strides",
        "atrous_rate": "dilation_rate",
    },
    "Conv2D": {"nb_filter": "filters", "subsample": "strides", "atrous_rate": "dilation_rate"},
    "Conv3D": {"nb_filter": "filters", "subsample": "strides"},
    "Dense": {"output_dim": "units"},
    "Dropout": {"p": "rate"},
    "Embedding": {
        "W_constraint": "embeddings_constraint",
        "W_regularizer": "embeddings_regularizer",
        "init": "embeddings_initializer",
    },
    "GaussianDropout": {"p": "rate"},
    "GaussianNoise": {"sigma": "stddev"},
    "MaxPooling1D": _POOL,
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate"},
    "SpatialDropout3D": {"p": "rate"},
    "UpSampling1D": {"length": "size"},
}
_CLASSES: Final[Mapping[str, str]] = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "TimeDistributedDense": "Dense",
}
_KERNELS: Final = ("kernel_dim1", "kernel_dim2", "kernel_dim3")
_ROWS: Final = ("nb_row", "nb_col")
_MERGES: Final[Mapping[str, str]] = {
    "ave": "Average",
    "concat": "Concatenate",
    "max": "Maximum",
    "min": "Minimum",
    "mul": "Multiply",
    "sum": "Add",
}


def layer(name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class and arguments of a layer, with the names of Keras 2; what is unknown stays."""
    if name == "Merge":
        return _merge(config)
    name = _CLASSES.get(name, name)
    names = {**_ANY_LAYER, **_LAYERS.get(name, {})} if _is_old(name, config) else {}
    result: dict[str, Any] = {names.get(key, key): value for key, value in config.items()}
    for sizes in (_ROWS, _KERNELS):
        if names and all(size in result for size in sizes):
            result["kernel_size"] = [result.pop(size) for size in sizes]
    order = result.get("dim_ordering")
    if order in ("tf", "default", None):  # of "th" the kernels are turned around
        result.pop("dim_ordering", None)
        if order == "tf":
            result.setdefault("data_format", "channels_last")
    if names and name != "Embedding":
        result.pop("input_dim", None)
    return name, result


def _is_old(name: str, config: Mapping[str, Any]) -> bool:
    """Whether there is an argument that only Keras 1 had."""
    return bool(config.keys() & {*_ANY_LAYER, *_LAYERS.get(name, {})})


def _merge(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    mode = config.get("mode")
    if type(mode) is not str or mode not in _MERGES:
        return "Merge", dict(config)
    result = {"name": config.get("name", "merge")}
    if mode == "concat":
        result["axis"] = config.get("concat_axis", -1)
    return _MERGES[mode], result


def input_shape(name: str, config: Mapping[str, Any]) -> list[Any] | None:
    """The shape of a batch that a first layer was given; None if it was not."""
    shape = config.get("batch_input_shape")
    if type(shape) is dict:
        shape = shape.get("items")
    if type(shape) is list:
        return shape
    size = config.get("input_dim")
    if type(size) is int and name not in ("Embedding", "InputLayer"):
        return [None, size]
    return None
