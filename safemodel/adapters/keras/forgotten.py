"""Arguments that the configurations of Keras 3.15 leave out, so that a model comes back as another.

`keras.losses.Huber(delta=2)` is loaded from a `.keras` file with delta 1, and its training goes on
differently. While this module's context is open, `get_config` of such classes gives these, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import keras

_lock: Final = threading.RLock()


def _attribute(name: str) -> Callable[[Any], Any]:
    return lambda obj: getattr(obj, name)


def _keyword(name: str) -> Callable[[Any], Any]:
    """An argument that a loss or metric hands on to its function."""
    return lambda obj: obj._fn_kwargs[name]


def _shear(name: str) -> Callable[[Any], Any]:
    """A factor as the constructor takes it: 0.2 is kept as (-0.2, 0.2), which it refuses."""

    def read(layer: Any) -> Any:
        low, high = getattr(layer, name)
        return float(high) if low == -high else [float(low), float(high)]

    return read


# Arguments that are there, and that the constructor would not take
_WRONG: Final = frozenset({"x_factor", "y_factor"})


def _dtype(loss: Any) -> str | None:
    """The dtype that a loss is computed in; None is the one that all have."""
    name: str = loss.dtype
    return None if name == keras.config.floatx() else name


FORGOTTEN: Final[Mapping[type, Mapping[str, Callable[[Any], Any]]]] = {
    keras.initializers.Identity: {"gain": _attribute("gain")},
    keras.layers.CategoryEncoding: {"sparse": _attribute("sparse")},
    keras.layers.GroupQueryAttention: {"flash_attention": _attribute("_flash_attention")},
    keras.layers.GRU: {"use_cudnn": _attribute("use_cudnn")},
    keras.layers.LSTM: {"use_cudnn": _attribute("use_cudnn")},
    keras.layers.MaxNumBoundingBoxes: {"fill_value": _attribute("fill_value")},
    keras.layers.MultiHeadAttention: {"flash_attention": _attribute("_flash_attention")},
    keras.layers.RandomGrayscale: {"seed": _attribute("seed")},
    keras.layers.RandomShear: {"x_factor": _shear("x_factor"), "y_factor": _shear("y_factor")},
    keras.layers.SimpleRNN: {"seed": lambda layer: layer.cell.seed},
    keras.Loss: {"dtype": _dtype},
    keras.losses.CosineSimilarity: {"axis": _keyword("axis")},
    keras.losses.Huber: {"delta": _keyword("delta")},
    keras.losses.SparseCategoricalCrossentropy: {"axis": _keyword("axis")},
    keras.metrics.CosineSimilarity: {"axis": _keyword("axis")},
    keras.metrics.SparseTopKCategoricalAccuracy: {"from_sorted_ids": _keyword("from_sorted_ids")},
}


@contextmanager
def remembering() -> Iterator[None]:
    """Let configurations be complete; those that another thread asks for meanwhile are, too."""
    with _lock:
        originals = {kind: vars(kind).get("get_config") for kind in FORGOTTEN}
        for kind, readers in FORGOTTEN.items():
            kind.get_config = _complete(kind.get_config, readers)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for kind, original in originals.items():
                if original is None:
                    del kind.get_config  # type: ignore[attr-defined]
                else:
                    kind.get_config = original  # type: ignore[attr-defined]


def _complete(original: Any, readers: Mapping[str, Callable[[Any], Any]]) -> Any:
    def get_config(self: Any) -> dict[str, Any]:
        config: dict[str, Any] = dict(original(self))
        for name, read in readers.items():
            if name in config and name not in _WRONG:
                continue
            try:
                value = read(self)
            except (AttributeError, KeyError):  # another release keeps it elsewhere, or not at all
                continue
            if value is not None:
                config[name] = keras.saving.serialize_keras_object(value)
        return config

    # Keras asks whether get_config is its own
    get_config._is_default = False  # type: ignore[attr-defined]
    return get_config
