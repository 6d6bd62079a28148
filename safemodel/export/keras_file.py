"""A model of Keras as a `.keras` file: `to="keras"`.

Keras writes it, of what a load gave. Implements docs/export.md, "keras".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.export.live import write_live

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.export.targets import Written


def write(bundle: VerifiedBundle, target: str, *, overwrite: bool) -> Written:
    """Write the file. It appears wholly or not at all.

    Raises:
        UnsavableError: the bundle holds no model of Keras.
        SourceError: the disk refuses, or there is something at `target` already.
    """
    return write_live(bundle, target, "export_keras", "model.keras", overwrite=overwrite)
