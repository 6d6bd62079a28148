"""What a load gives for a module or a checkpoint that was saved.

Implements spec/tensorflow.md, "The module".
"""

from __future__ import annotations

from safemodel.adapters.tensorflow.parts import Part


class LoadedModule(Part):
    """The state of a module or a checkpoint, without the code of its class."""
