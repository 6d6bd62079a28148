"""Which paths name a checkpoint of TensorFlow: its prefix, its index, or a folder with one."""

from __future__ import annotations

import os
from typing import Final

from safemodel.errors import SourceError, UnconvertibleError

INDEX: Final = ".index"
_MAX_FILES: Final = 100_000


def prefix_of(path: str) -> str | None:
    """The prefix of the checkpoint whose prefix or index a path is; None if it is neither."""
    if path.endswith(INDEX) and os.path.isfile(path):
        return path.removesuffix(INDEX)
    if not os.path.lexists(path) and os.path.isfile(path + INDEX):
        return path
    return None


def prefix_in(folder: str) -> str | None:
    """The prefix of the one checkpoint in a folder; None if there is none.

    Raises:
        UnconvertibleError: there are several.
        SourceError: it can't be listed.
    """
    try:
        with os.scandir(folder) as entries:
            names = [one.name for one, _ in zip(entries, range(_MAX_FILES), strict=False)]
    except OSError as error:
        raise SourceError(f"can't be listed: {error.strerror or error}", path=folder) from None
    found = sorted(name.removesuffix(INDEX) for name in names if name.endswith(INDEX))
    if len(found) > 1:
        raise UnconvertibleError(
            f"has {len(found)} checkpoints",
            path=folder,
            hint=f"name one of them: {os.path.join(folder, found[-1])}",
        )
    return os.path.join(folder, found[0]) if found else None
