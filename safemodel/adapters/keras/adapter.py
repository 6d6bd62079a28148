"""The Keras adapter: models of Keras 3, on any of its backends.

A model is stored as its configuration, which a closed table audits before Keras sees it, at save
and at load alike, and its variables. `keras.saving.load_model` is never called. Implements
spec/keras.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import keras

from safemodel.adapters import keras as package
from safemodel.adapters import plain
from safemodel.adapters.graph_decode import decode
from safemodel.adapters.keras import into as into_weights
from safemodel.adapters.keras import loading, variables
from safemodel.adapters.keras.config import config_of
from safemodel.adapters.keras.saving import graph_of
from safemodel.adapters.only import chosen
from safemodel.adapters.protocol import Saved
from safemodel.errors import ArchitectureError, UnsavableError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

NAME: Final = "keras"
VERSION: Final = package.VERSION
FRAMEWORK: Final = "keras"
LOAD_OPTIONS: Final = frozenset({"only"})
SAVE_OPTIONS: Final = frozenset({"architecture", "weights"})

BUILDERS: Final = {
    **{kind: plain.BUILDERS[kind] for kind in ("str", "list", "dict")},
    "variable": variables.BUILDER,
    "placed": variables.PLACED,
}
PARSERS: Final = {kind: plain.PARSERS[kind] for kind in ("int", "float")}


def save(obj: object, *, architecture: bool = True, weights: bool = True) -> Saved:
    """Turn a model or layer into tensors and JSON; or its weights, or its architecture alone.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
    """
    if not isinstance(obj, keras.Layer):
        kind = type(obj)
        if isinstance(obj, dict | list | tuple):
            raise UnsavableError(
                f"a {kind.__name__} with models or layers of Keras in it",
                hint="save each to an archive of its own",
            )
        raise UnsavableError(
            f"can't represent a {kind.__module__}.{kind.__qualname__} by itself",
            hint="save the model or layer that it belongs to",
        )
    encoded = graph_of(obj, architecture=architecture, weights=weights)
    versions = {"keras": str(keras.__version__)}
    backend = keras.backend.backend()
    if backend in sys.modules:
        versions[backend] = str(sys.modules[backend].__version__)
    return Saved({"graph": encoded.graph}, encoded.tensors, versions)


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
    only: Sequence[str] | None = None,
) -> object:
    """Rebuild the model; or put its weights into a model of the caller's, and report.

    Raises:
        NotAllowedError: it needs classes or functions of the caller's own that `allow` must name.
        ArchitectureError: it must not be built.
        StateMismatchError: the weights do not fit `into`, which is unchanged.
    """
    if device is not None:
        raise UsageError("device= makes no sense for Keras, which puts variables where it computes")
    if only is not None and into is None:
        raise UsageError("only= needs into=, a model of yours")
    wanted = None if only is None else chosen(only, "encoder/*")
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or architecture.keys() != {"graph"}:
        raise ArchitectureError("the architecture of a Keras model is an object graph")
    if wanted is None:
        bundle.load_weights()
    if into is not None:
        into_weights.check_target(into)
    decoded: Any = decode(
        architecture["graph"],
        bundle,
        builders=BUILDERS,
        parsers=PARSERS,
        context={} if wanted is None else {variables.WANTED: wanted},
        partial=wanted is not None,
    )
    root = loading.root_of(decoded)
    if into is not None:
        return into_weights.put(root, into, wanted, strict=strict)
    return loading.model_of(root, allow)


def unfitted(model: object) -> object:
    """The same model or layer with new variables, compiled as it is.

    Raises:
        UnsavableError: it has no configuration that the table permits.
    """
    config = config_of(model)
    root = loading.Root(config, None, type(model).__name__, {})
    return loading.model_of(root, sorted(keras.saving.get_custom_objects()))
