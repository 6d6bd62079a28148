"""Files that only a framework can write: the object is loaded, checked as always, and written.

The formats are TensorFlow's SavedModel and `.keras`. Whatever the framework writes lands in a
private place first. Implements docs/export.md, "SavedModel" and "keras".
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import adapters
from safemodel.bundle.output import failing
from safemodel.errors import SourceError, UnsavableError, UnsupportedError
from safemodel.export.targets import Written

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

# Adapter -> the module that writes what it loads. No name here comes from a file.
_MODULES: Final[Mapping[str, str]] = {
    "keras": "safemodel.adapters.keras.exporting",
    "tensorflow": "safemodel.adapters.tensorflow.exporting",
}


def write_live(
    bundle: VerifiedBundle, target: str, function: str, name: str, *, overwrite: bool
) -> Written:
    """Load the object, and let its framework write it under `name` in a private folder.

    Args:
        function: that of the adapter's module which writes.
        overwrite: whether a file may be replaced; a folder never is.

    Raises:
        UnsavableError: the bundle holds nothing that could be written so.
        SourceError: the disk refuses, or there is something at `target` already.
    """
    writer, obj = _loaded(bundle, function)
    with failing(target):
        if os.path.lexists(target) and (not overwrite or os.path.isdir(target)):
            raise SourceError("is there already", path=target, hint="name another place")
        parent = os.path.dirname(os.path.realpath(target))
        partial = tempfile.mkdtemp(prefix=".safemodel-", dir=parent)
    target = os.path.realpath(target)
    try:
        place = os.path.join(partial, name)
        writer(obj, place)
        with failing(target):
            size = _size(place)
            if os.path.isdir(place):
                os.chmod(place, 0o755)  # noqa: S103  # as mkdir would make it
            os.replace(place, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Written(len(bundle.tensors), size)


def _loaded(bundle: VerifiedBundle, function: str) -> tuple[Callable[[Any, str], None], Any]:
    recorded = bundle.manifest.adapter
    module = None if recorded is None else _MODULES.get(recorded.name)
    if recorded is None or module is None:
        raise UnsavableError(
            "this bundle holds no model of Keras or TensorFlow",
            hint='to="safetensors" and to="pt" are for arrays and state of PyTorch',
        )
    adapter = adapters.import_adapter(recorded.name)
    if not 1 <= recorded.version <= adapter.VERSION:
        raise UnsupportedError(
            f"made by version {recorded.version} of the adapter {recorded.name}",
            hint="update safemodel",
        )
    writer = getattr(importlib.import_module(module), function, None)
    if writer is None:
        raise UnsavableError(
            "this format is for models of Keras",
            hint='to="savedmodel" is for modules of TensorFlow, too',
        )
    return writer, adapter.load(bundle)


def _size(place: str) -> int:
    if not os.path.isdir(place):
        return os.path.getsize(place)
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(place)
        for name in names
    )
