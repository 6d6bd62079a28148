"""Verified bytes as files, for loaders that want a path: `private_folder`.

The folder is new, only its owner can read it, and what is in it was verified when it was written.
It is gone when the block ends. Implements spec/transformers.md, "Folders".
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from safemodel.bundle.output import failing
from safemodel.errors import UsageError

if TYPE_CHECKING:
    from safemodel.bundle.opening import Source
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.trust.policy import TrustLike

_PIECE: Final = 16 << 20


@contextmanager
def private_folder(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    to: str | None = None,
) -> Iterator[Path]:
    """Verify a bundle and give its files in a private folder, for as long as the block runs.

    They are the payload members under their names, such as `weights.safetensors` or `graph.onnx`.

    Args:
        source: path of an archive or of a folder, or the bytes of an archive.
        to: `"huggingface"` gives a model of Transformers as `from_pretrained` of any program takes
            it, `"savedmodel"` one of TensorFlow or Keras, instead.
        trust, name, version, digest: who may have signed it and which model it must be, as for
            `load`.

    Raises:
        UnsavableError: the bundle holds nothing that could be written so.
        UsageError: there is no such folder, or an argument makes no sense.
        SourceError, FormatError, VerificationError, KeyFileError: as for `load`.
    """
    from safemodel.bundle import open_bundle
    from safemodel.export import targets

    known = targets.TARGETS.get(to) if to is not None else None
    if to is not None and (known is None or known.ending):
        raise UsageError(
            f"there is no folder {to!r:.60}", hint='to="huggingface" or to="savedmodel"'
        )
    with tempfile.TemporaryDirectory(prefix="safemodel-", ignore_cleanup_errors=True) as folder:
        if to is not None:
            place = os.path.join(folder, "model")
            targets.run(
                source, place, to=to, trust=trust, name=name, version=version, digest=digest
            )
            yield Path(place)
            return
        with open_bundle(source, trust=trust, name=name, version=version, digest=digest) as bundle:
            for member in bundle.manifest.files:
                _write(bundle, member, os.path.join(folder, *member.split("/")))
        yield Path(folder)


def _write(bundle: VerifiedBundle, member: str, place: str) -> None:
    size = bundle.manifest.files[member].size
    with failing(place):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "xb") as file:
            for start in range(0, size, _PIECE):
                file.write(bundle.read_range(member, start, min(_PIECE, size - start)))
