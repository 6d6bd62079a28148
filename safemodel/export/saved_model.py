"""A module of TensorFlow, or a model of Keras, as a SavedModel: `to="savedmodel"`.

TensorFlow writes it, of what a load gave. Implements docs/export.md, "SavedModel".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.export.live import write_live

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.export.targets import Written


def write(bundle: VerifiedBundle, target: str, *, overwrite: bool) -> Written:
    """Write the folder. It appears wholly or not at all, and never over another.

    Raises:
        UnsavableError: the bundle holds no module of TensorFlow and no model of Keras.
        SourceError: the disk refuses, or there is something at `target` already.
    """
    return write_live(bundle, target, "export_saved_model", "model", overwrite=False)
