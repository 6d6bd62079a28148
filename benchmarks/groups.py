"""What the groups of cases stand on: what a group is, and what all cases do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Operation = Callable[[], object]

PLAIN = "m.safetensors"  # the plain file that is read and hashed without looking inside


@dataclass(frozen=True)
class Group:
    """Cases that are compared with the first of them."""

    name: str
    title: str
    cases: tuple[str, ...]


def synced(path: Path) -> None:
    """Flush what was written to the disk, as every writer is measured."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def plain_write(arrays: Sequence[Any], path: Path) -> Operation:
    """Write arrays as they lie in memory: what every writer is compared with."""

    def operation() -> None:
        with open(path.with_suffix(".new"), "wb", buffering=0) as file:
            for array in arrays:
                file.write(array.data)
            os.fsync(file.fileno())
        path.with_suffix(".new").replace(path)

    return operation


def own_signer(folder: Path) -> Any:
    """The key that signs everything here."""
    import safemodel as sm

    return sm.Signer.load(folder / "key.pem")


def trusted(folder: Path) -> Any:
    """Whom the cases trust."""
    import safemodel as sm

    return sm.TrustedKeys(folder / "key.pub")
