"""A model of Transformers to what an archive holds: its state, its class, its configuration.

What could not be loaded again is not saved: the configuration is made again from what was written
of it and compared, and the model is built from it without memory. Implements spec/transformers.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from transformers import GenerationConfig, PreTrainedConfig

from safemodel.adapters.huggingface.classes import MODELS
from safemodel.adapters.huggingface.config import Fields, check_fields, encode_fields
from safemodel.adapters.huggingface.fields import (
    ARGUMENTS,
    ATTENTION,
    DTYPES,
    FIELDS,
    GENERATION,
)
from safemodel.adapters.huggingface.folder import SILENT
from safemodel.adapters.torch import tables
from safemodel.adapters.transformers import training
from safemodel.adapters.transformers.building import check_built, is_free, make_config
from safemodel.adapters.transformers.reading import reads
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.bundle.contents import TensorData
    from safemodel.format.canonical_json import JsonValue

# Attributes that say where a model is from, or how the library runs it.
_LEFT_OUT: Final = frozenset(
    {
        "_attn_implementation_internal", "_commit_hash", "_experts_implementation_internal",
        "_name_or_path", "_output_attentions", "_post_init_done", "_rope_parameters",
        "architectures", "dtype", "name_or_path", "transformers_version", "_out_features",
        "_out_indices",
    }
)  # fmt: skip
_REFUSED: Final = frozenset({"auto_map", "custom_pipelines", "quantization_config"})
_MAX_NOTICED: Final = 5


def in_table(model: object) -> bool:
    """Whether a model is of a class of the table, and of no class that only inherits from one."""
    kind = type(model)
    entry = MODELS.get(kind.__name__)
    return entry is not None and kind.__module__ == entry.module


def describe(
    model: Any, state: Mapping[str, Any], tensors: tuple[TensorData, ...]
) -> tuple[JsonValue, tuple[str, ...]]:
    """What an archive says of a model, and what is to be told to whoever saves it.

    Raises:
        UnsavableError: its configuration holds what an archive must not, or the model would not
            be the same when it is loaded.
    """
    kind = type(model)
    if getattr(model, "hf_quantizer", None) is not None:
        raise UnsavableError("a model quantized by another library", hint="dequantize it first")
    if getattr(model, "_hf_peft_config_loaded", False):
        raise UnsavableError("a model with adapters in it", hint="merge them or save them apart")
    stored = {tensor.spec.name: tensor.spec for tensor in tensors}
    largest = max([len(stored), *(size for spec in stored.values() for size in spec.shape)])
    dropped: list[str] = []
    fields = _fields(model.config, largest)
    dtype = str(model.dtype).removeprefix("torch.")
    if dtype in DTYPES:
        fields["dtype"] = dtype
    described: dict[str, JsonValue] = {"class": kind.__name__}
    generation = _generation(model, dropped)
    try:
        check_fields(fields, largest)
        check_fields(generation or {}, largest, GENERATION)
        again = make_config(type(model.config), fields)
        _compare(model, model.config, again, fields, dropped)
        fixed = check_built(kind, again, stored, state)  # type: ignore[arg-type]  # specs do
    except ArchitectureError as error:
        raise UnsavableError(
            f"can't be built again: {error.message}",
            hint="save model.state_dict(), and load it into a model of yours with into=",
        ) from error
    described["config"] = encode_fields(fields)
    if generation is not None:
        described["generation"] = encode_fields(generation)
    attention = model.config._attn_implementation
    if attention in ATTENTION:
        described["attention"] = attention
    elif attention is not None:
        dropped.append(f"attention {attention!s:.60}")
    described |= training.describe(model, fixed)
    return described, _notices(dropped)


def _notices(dropped: list[str]) -> tuple[str, ...]:
    if not dropped:
        return ()
    named = ", ".join(sorted(set(dropped))[:_MAX_NOTICED])
    more = len(set(dropped)) - _MAX_NOTICED
    return (f"left out of the configuration: {named}{f' and {more} more' if more > 0 else ''}",)


def _fields(config: Any, largest: int) -> dict[str, object]:
    """The fields of a configuration that the table has, declared by its class or not.

    Raises:
        UnsavableError: one that matters, and that no table has.
    """
    found: dict[str, object] = {}
    default: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(config)}
    if getattr(config, "is_heterogeneous", False):
        raise UnsavableError(
            "a configuration with per_layer_config, which an archive does not hold"
        )
    for name in _REFUSED & vars(config).keys():
        raise UnsavableError(f"a configuration with {name}, which an archive does not hold")
    for name in sorted(default):
        value = getattr(config, name)
        if name in FIELDS and name != "dtype":
            found[name] = _plain(value, largest)
        elif name not in _LEFT_OUT and value != default[name]:
            raise UnsavableError(f"a configuration with a field {name} that no table has")
    for name in FIELDS.keys() & vars(config).keys() - default.keys():
        value = _plain(getattr(config, name), largest)
        if _is_storable(type(config), name, value, largest):
            found[name] = value
    if getattr(config, "_out_features", None) is not None:
        found["out_features"] = list(config.out_features)
        found["out_indices"] = list(config.out_indices)
    if getattr(config, "output_attentions", False):
        found["output_attentions"] = True
    dtype = str(config.dtype).removeprefix("torch.")
    if dtype in DTYPES:
        found["dtype"] = dtype
    return dict(sorted(found.items()))


def _is_storable(kind: Any, name: str, value: object, largest: int) -> bool:
    """Whether a field that a class does not declare is of the kind that the table has."""
    if not is_free(kind, name) and name not in ARGUMENTS:
        return False
    try:
        check_fields({name: value}, largest)
    except ArchitectureError:
        return False
    return True


def _plain(value: Any, largest: int = 0) -> Any:
    if isinstance(value, PreTrainedConfig):
        return Fields(_fields(value, largest))
    if isinstance(value, tuple | list):
        return [_plain(item, largest) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, largest) for key, item in value.items()}
    return value


def _generation(model: Any, dropped: list[str]) -> dict[str, object] | None:
    if not model.can_generate() or type(model.generation_config) is not GenerationConfig:
        return None
    found = {}
    for name, value in model.generation_config.to_dict().items():
        if value is None or name in ("transformers_version", "_from_model_config"):
            continue
        if name in GENERATION:
            found[name] = _plain(value)
        else:
            dropped.append(f"generation.{name}"[:60])
    return found


def _compare(
    model: Any, config: Any, again: Any, fields: Mapping[str, Any], dropped: list[str]
) -> None:
    """Compare a configuration with what became of it, and note what is left out.

    Raises:
        ArchitectureError: a field that is stored has another value; or one that is not stored is
            read by the code of the model.
    """
    for name, value in vars(config).items():
        if name in _LEFT_OUT or name in SILENT or FIELDS.get(name) == "dtype":
            continue
        new = getattr(again, name, None)
        if isinstance(value, PreTrainedConfig) and name in fields:
            _compare(model, value, new, fields[name], dropped)
        elif _plain(new) != _plain(value):
            if name in fields:
                raise ArchitectureError(f"{name} would become {new!r:.60}, and is {value!r:.60}")
            if reads(model, name):
                raise ArchitectureError(
                    f"{name[:100]} of the configuration would be lost, and the model reads it: "
                    f"{value!r:.60}"
                )
            dropped.append(name[:60])


def versions() -> dict[str, str]:
    """The libraries that a model comes from."""
    import numpy
    import transformers

    return {
        "numpy": numpy.__version__,
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
    }


def class_name(model: Any) -> str:
    """The full name of the class of a model."""
    return tables.kind_name(model)[:200]
