"""Legacy files to bundles, without unpickling anything: `sm.convert(source, target)`.

The file is scanned first, and refused if it has findings. Then the pickle machine gives the value
tree of the very same bytes, pure interpretations turn it into plain containers, arrays, and objects
that stand in for those of libraries, and the adapter checks and encodes these as `save` does the
real ones. No library but NumPy is imported, nothing that the file names is looked up or called.

The room and the function have one name, so the module itself can be called (spec/decisions/0013).
Implements docs/convert.md.
"""

from __future__ import annotations

import sys
from types import ModuleType

# Not imported from typing: that alone would cost milliseconds. Type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Literal

    from safemodel.adapters import _OwnKey
    from safemodel.format.metadata import Metadata
    from safemodel.trust.keys import SigningKey

    Path = str | os.PathLike[str]

_OWN = object()


def convert(
    source: Path,
    target: Path,
    *,
    metadata: Mapping[str, object] | Metadata | None = None,
    signer: SigningKey | Sequence[SigningKey] | _OwnKey | None = _OWN,  # type: ignore[assignment]
    allow: Sequence[str] = (),
    policy: Path | None = None,
    layout: Literal["archive", "folder"] = "archive",
    oms: bool = False,
    expires: datetime | None = None,
    note: str | None = None,
    digest: str = "blake3",
    overwrite: bool = True,
    max_seconds: float | None = None,
) -> str:
    """Turn a pickle, joblib, NumPy, skops or PyTorch file into a bundle; return its digest.

    Args:
        source: the file; the prefix of a checkpoint of TensorFlow; a SavedModel; or a folder as
            Hugging Face lays it out: its `config.json`, sharded safetensors and tokenizer. It is
            scanned first, and nothing of it is run or unpickled.
        target: where to put the bundle, as for `save`.
        metadata: what the model says of itself. Where it comes from is added to it as lineage.
        signer: a key or several; None leaves the bundle unsigned. Without it your own key signs.
        allow: qualified names of classes of your own whose objects are kept as their attributes;
            whoever loads the bundle has to allow them, too.
        policy: a file with names that the scan takes for known good (docs/policy.md).
        layout, oms, expires, note, digest: as for `save`.
        overwrite: whether an archive may take the place of a file that is there.
        max_seconds: for the scan; 120 unless given.

    Raises:
        FindingsError: the scan has findings of medium severity or higher; nothing is written.
        UnconvertibleError: something in the file has no interpretation; `place` says where.
        LegacyError: the file can't be read, wholly or in part.
        SourceError: it can't be opened, or the disk refuses.
        UsageError: an argument that makes no sense, alone or with the others.
    """
    from safemodel.convert.converting import Options, run

    options = Options(
        metadata=metadata,
        signer=signer,
        own=signer is _OWN,
        allow=tuple(allow),
        policy=policy,
        layout=layout,
        oms=oms,
        expires=expires,
        note=note,
        digest=digest,
        overwrite=overwrite,
        max_seconds=max_seconds,
    )
    return run(source, target, options).digest


class _Room(ModuleType):
    """A module that can be called: importing a module of this room binds its name in `safemodel`,
    over any function of that name.
    """

    __call__ = staticmethod(convert)


sys.modules[__name__].__class__ = _Room
