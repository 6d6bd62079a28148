"""Files of other tools out of a verified bundle: `sm.export(source, target, to="safetensors")`.

What leaves here was verified first, and is streamed from the verified bytes: no framework is
imported, no model is built, and nothing is held in memory but a few blocks. SavedModels and
`.keras` files are the exception: they are written by their framework, of what a load gave.
`targets.TARGETS` is the closed table of what can be written.

The room and the function have one name, so the module itself can be called (spec/decisions/0013).
Implements docs/export.md.
"""

from __future__ import annotations

import sys
from types import ModuleType

# Not imported from typing: that alone would cost milliseconds. Type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from safemodel.bundle.opening import Source
    from safemodel.trust.policy import TrustLike


def export(
    source: Source,
    target: str | os.PathLike[str],
    *,
    to: str,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    overwrite: bool = True,
) -> None:
    """Verify a bundle and write what it holds in a format of another tool.

    Args:
        source: path of an archive or of a folder, or the bytes of an archive.
        target: where to put it. A file appears wholly or not at all.
        to: `"safetensors"`, a file of named tensors; `"pt"`, a file for
            `torch.load(..., weights_only=True)`, which keeps nested containers, ties and strides;
            `"huggingface"`, a folder of a model for `from_pretrained` of Transformers;
            `"savedmodel"`, a folder for TensorFlow; or `"keras"`, a `.keras` file. The last two are
            written by TensorFlow and Keras, of the loaded object.
        trust, name, version, digest: who may have signed it and which model it must be, as for
            `load`.
        overwrite: whether a file that is there may be replaced.

    Raises:
        UnsavableError: it holds something that the format has no place for; `place` says where.
        UsageError: there is no such format, or an argument makes no sense.
        SourceError: the bundle can't be read, or the disk refuses.
        FormatError, VerificationError, KeyFileError: as for `load`.
        ArchitectureError: the bundle describes something that must not be built.
    """
    from safemodel.export.targets import run

    run(
        source,
        target,
        to=to,
        trust=trust,
        name=name,
        version=version,
        digest=digest,
        overwrite=overwrite,
    )


class _Room(ModuleType):
    """A module that can be called: importing a module of this room binds its name in `safemodel`,
    over any function of that name.
    """

    __call__ = staticmethod(export)


sys.modules[__name__].__class__ = _Room
