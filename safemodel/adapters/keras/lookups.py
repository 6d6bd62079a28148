"""State of layers that is in no variable: vocabularies of lookups, and what follows from others.

Keras writes vocabularies to text files, one token a line; here they are lists.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras.src.layers.preprocessing.index_lookup import IndexLookup

from safemodel.errors import ArchitectureError, UnsavableError


def has_state(part: Any) -> bool:
    """Whether a layer has state that is in no variable and not in its configuration."""
    return (
        isinstance(part, IndexLookup)
        and part.input_vocabulary is None
        and int(part.lookup_table.size()) > 0
    )


def state_of(part: Any) -> dict[str, Any]:
    """That state, as fields of the layer's entry."""
    if getattr(part, "lora_enabled", False):
        # Keras forgets it when it builds the layer again
        return {"lora_alpha": float(part.lora_alpha)}
    if not has_state(part):
        return {}
    try:
        tokens = part.get_vocabulary(include_special_tokens=True)
    except UnicodeDecodeError as error:
        raise UnsavableError("a vocabulary that is not UTF-8", place=part.name) from error
    fields: dict[str, Any] = {"vocabulary": [_token(token) for token in tokens]}
    if part.output_mode == "tf_idf":
        fields["idf_weights"] = [float(weight) for weight in part.idf_weights_const.numpy()]
    return fields


def _token(token: Any) -> Any:
    if token is None:
        return None
    return str(token) if isinstance(token, str) else int(token)


def restore(part: Any, entry: dict[str, Any]) -> None:
    """Give a layer its vocabulary, and the scale of its adapters, back.

    Raises:
        ArchitectureError: it has none, or not of this kind.
    """
    alpha, tokens = entry.get("lora_alpha"), entry.get("vocabulary")
    if alpha is not None:
        if type(alpha) is not float or not getattr(part, "lora_enabled", False):
            raise ArchitectureError("a scale of adapters that are not there", place=entry["path"])
        part.lora_alpha = int(alpha) if alpha.is_integer() else alpha
    if tokens is None:
        return
    if not isinstance(part, IndexLookup) or part.input_vocabulary is not None:
        raise ArchitectureError("a vocabulary for a layer that learns none", place=entry["path"])
    kind = str if part.vocabulary_dtype == "string" else int
    if type(tokens) is not list or not all(type(t) is kind or t is None for t in tokens):
        raise ArchitectureError(f"a vocabulary of something else than {kind}", place=entry["path"])
    weights = entry.get("idf_weights")
    if weights is not None:
        if type(weights) is not list or not all(type(weight) is float for weight in weights):
            raise ArchitectureError("weights that are no numbers", place=entry["path"])
        # Behind them are zeros, up to the most tokens, which Keras adds itself
        weights = np.array(weights[: len(tokens)], keras.config.floatx())
    # A list that came from the layer begins with None where it has no token for "masked"
    part.set_vocabulary([token for token in tokens if token is not None], idf_weights=weights)


def finish(part: Any) -> None:
    """Compute what a layer keeps besides its variables, once they have their values."""
    if isinstance(part, keras.layers.Normalization) and part.built:
        part.finalize_state()
