"""The closed table of what a bundle can be exported to, and the run of one export.

A target is a module with a function `write(bundle, target, overwrite=...)`; it is imported only
when it is asked for. No name here comes from a file.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from safemodel import adapters
from safemodel.errors import MissingLibraryError, UsageError, locating

if TYPE_CHECKING:
    from safemodel.bundle.opening import Source
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.trust.policy import TrustLike


@dataclass(frozen=True, slots=True)
class Target:
    """A format: the module that writes it, what it is for people, and the ending of its files.

    The ending is empty where the target is a folder.
    """

    module: str
    summary: str
    ending: str


TARGETS: Final[Mapping[str, Target]] = {
    "safetensors": Target(
        "safemodel.export.safetensors_file", "named tensors, for any framework", ".safetensors"
    ),
    "pt": Target("safemodel.export.torch_file", "state for torch.load(weights_only=True)", ".pt"),
    "huggingface": Target(
        "safemodel.export.huggingface", "a folder for from_pretrained of Transformers", ""
    ),
    "savedmodel": Target(
        "safemodel.export.saved_model", "a folder for TensorFlow and TensorFlow Serving", ""
    ),
    "keras": Target("safemodel.export.keras_file", "a file for keras.saving.load_model", ".keras"),
}


# Libraries that targets need, and that an installation of safemodel may lack.
_NEEDED: Final = frozenset({"numpy"})


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many tensors, how many bytes in all files; and what was not."""

    tensors: int
    size: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, out of which bundle."""

    tensors: int
    size: int
    left_out: tuple[str, ...]
    digest: str
    name_checked: bool


class Writer(Protocol):
    """A module of the table."""

    def write(self, bundle: VerifiedBundle, target: str, *, overwrite: bool) -> Written:
        """Write what the bundle holds to `target`, wholly or not at all.

        Raises:
            UnsavableError: it holds something that the format has no place for.
            SourceError: the disk refuses, or there is something at `target` already.
        """


def run(
    source: Source,
    target: str | os.PathLike[str],
    *,
    to: str,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    overwrite: bool = True,
) -> Exported:
    """Do what `safemodel.export` does, and say what was written."""
    from safemodel.bundle import open_bundle

    found = next((known for key, known in TARGETS.items() if key == to), None)
    if found is None:
        raise UsageError(f"there is no format {to!r:.60} to export to", hint=f"to={_listed()}")
    path = os.fspath(target)
    with open_bundle(source, trust=trust, name=name, version=version, digest=digest) as bundle:
        if isinstance(source, str | os.PathLike) and _same(source, path):
            raise UsageError("would be written over itself", path=path, hint="name another target")
        with locating(path=bundle.path):
            seen = adapters.own_form(bundle)
            written = _importing(found.module).write(seen, path, overwrite=overwrite)
        return Exported(
            written.tensors, written.size, written.left_out, bundle.digest, bundle.name_checked
        )


def _importing(module: str) -> Writer:
    try:
        return cast(Writer, importlib.import_module(module))
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise MissingLibraryError(
            f"{error.name} is not installed", hint=f"pip install {error.name}"
        ) from error


def _same(source: str | os.PathLike[str], target: str) -> bool:
    try:
        return os.path.samefile(source, target)
    except OSError:
        return False


def _listed() -> str:
    return " or ".join(f'"{name}"' for name in TARGETS)
