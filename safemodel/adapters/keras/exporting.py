"""A loaded Keras model as a file or folder of other tools: `.keras`, SavedModel.

Implements docs/export.md, "SavedModel" and "keras".
"""

from __future__ import annotations

from typing import Any

import keras

from safemodel.errors import UnsavableError


def export_saved_model(obj: Any, path: str) -> None:
    """Write the forward pass of a model as a SavedModel, to a folder that is not there yet.

    Raises:
        UnsavableError: it is no model, or one that Keras can't export.
    """
    _check(obj)
    try:
        obj.export(path, format="tf_saved_model", verbose=False)
    except (AttributeError, ImportError, NotImplementedError, TypeError, ValueError) as error:
        raise _refused(error) from error


def export_keras(obj: Any, path: str) -> None:
    """Write a model as a `.keras` file.

    Raises:
        UnsavableError: it is no model, or one that Keras can't save.
    """
    _check(obj)
    try:
        obj.save(path)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise _refused(error) from error


def _check(obj: Any) -> None:
    if not isinstance(obj, keras.Model):
        raise UnsavableError("this bundle holds a layer of Keras, and no model")


def _refused(error: Exception) -> UnsavableError:
    said = str(error).strip().split("\n", 1)[0]
    return UnsavableError(f"Keras can't write it: {said:.300}")
