"""Configurations in files of a Hugging Face folder, and those of an architecture: to and fro.

A file says much that is of no use here, or does harm: what is in no table is left out, and named.
Knows no library. Implements spec/transformers.md, "Folders".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.huggingface.classes import MODEL_TYPES, MODELS
from safemodel.adapters.huggingface.config import (
    Fields,
    check_fields,
    decode_fields,
    encode_fields,
)
from safemodel.adapters.huggingface.fields import FIELDS, GENERATION
from safemodel.errors import ArchitectureError
from safemodel.format.canonical_json import JsonValue

CONFIG: Final = "config.json"
GENERATION_CONFIG: Final = "generation_config.json"

# Said in files, and worked out again or of no meaning in an archive.
SILENT: Final = frozenset(
    {
        "_attn_implementation_autoset", "_commit_hash", "_from_model_config", "_name_or_path",
        "architectures", "finetuning_task", "gradient_checkpointing", "model_type", "output_past",
        "pruned_heads", "task_specific_params", "tf_legacy_loss", "tokenizer_class", "torchscript",
        "transformers_version", "use_bfloat16",
    }
)  # fmt: skip
# Without these the weights are no weights of such a model, or code of a stranger is.
_REFUSED: Final = ("auto_map", "custom_pipelines", "quantization_config")


def class_of(config: Mapping[str, Any]) -> str | None:
    """The class of the table that a `config.json` names, if it names one."""
    named = config.get("architectures")
    if isinstance(named, list) and len(named) == 1 and isinstance(named[0], str):
        return named[0] if named[0] in MODELS else None
    return None


def described(
    config: Mapping[str, Any], generation: Mapping[str, Any] | None, largest: int
) -> tuple[dict[str, JsonValue] | None, tuple[str, ...]]:
    """What an architecture says of the model of a folder, and which fields are left out.

    None for a model of a class that the table does not have.

    Raises:
        ArchitectureError: a field of a table has a value that none may have, or one that must not
            be there at all.
    """
    for name in _REFUSED:
        if config.get(name):
            raise ArchitectureError(f"{CONFIG} has {name}, which an archive does not hold")
    kind = class_of(config)
    if kind is None:
        return None, ()
    left_out: list[str] = []
    fields = _fields(config, FIELDS, left_out)
    check_fields(fields, largest)
    found: dict[str, JsonValue] = {
        "class": kind,
        "config": encode_fields(fields),
        "names": "file",
    }
    if generation is not None:
        fields = _fields(generation, GENERATION, left_out)
        check_fields(fields, largest, GENERATION)
        found["generation"] = encode_fields(fields)
    return found, tuple(sorted(set(left_out)))


def _fields(given: Mapping[str, Any], table: Mapping[str, str], left_out: list[str]) -> Fields:
    found = Fields()
    for name, value in sorted(given.items()):
        if name not in table:
            # Parameters of generation in a `config.json` are passed over by the library, too.
            if name not in SILENT and name not in GENERATION:
                left_out.append(name)
        elif table[name] == "config" and isinstance(value, dict):
            found[name] = _fields(value, table, left_out)
        else:
            found[name] = value
    return found


def files(
    model: Mapping[str, JsonValue], largest: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The content of `config.json` and `generation_config.json` for the model of an architecture.

    Raises:
        ArchitectureError: it describes what must not be built.
    """
    name = model.get("class")
    entry = MODELS.get(name) if type(name) is str else None
    if entry is None:
        raise ArchitectureError(f"a model of the class {name!r:.100}, which the table has not")
    config: dict[str, Any] = {
        "architectures": [entry.name],
        "model_type": MODEL_TYPES[entry.config],
        **_spelled(decode_fields(model.get("config"), largest)),
    }
    if "generation" not in model:
        return config, None
    generation = decode_fields(model["generation"], largest, GENERATION)
    return config, _spelled(generation)


def _spelled(fields: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(name): _spelled(value) if isinstance(value, dict) else value
        for name, value in fields.items()
    }
