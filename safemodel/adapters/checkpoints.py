"""Checkpoints of a training: `save_checkpoint`, `load_checkpoint`, `latest_checkpoint`.

A checkpoint is a bundle with the state of everything that training needs to go on: signed, verified
and loaded like any other. Imports no framework until one is needed. Implements spec/checkpoints.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from safemodel import adapters
from safemodel.adapters import OWN_KEY, checkpoint_files, checkpoint_writer
from safemodel.adapters.checkpoint_writer import SavedCheckpoint as SavedCheckpoint
from safemodel.errors import (
    ArchitectureError,
    MissingFileError,
    UnsupportedError,
    UsageError,
    locating,
)
from safemodel.garbage import fewer_collections

if TYPE_CHECKING:
    from safemodel.adapters import _OwnKey
    from safemodel.adapters.protocol import LoadReport
    from safemodel.bundle.contents import Contents
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.metadata import Metadata
    from safemodel.trust.keys import SigningKey
    from safemodel.trust.policy import TrustLike

# What `model=`, `optimizer=` and the others take: one object, or several by name.
Part = object


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """What was loaded, and what became of each part of it.

    `step` and `extra` are what was given to `save_checkpoint`; `path` and `digest` say which
    checkpoint it was. `reports` has a LoadReport for each object, by part (`model`, `model.gen`).
    `absent`: parts that you gave and the checkpoint does not have. `left`: parts of the checkpoint
    that were not restored: nobody asked for them, or this machine can't have them, or another
    number of ranks saved them. `differing`: what the ranks that saved it had different values of,
    so that those of the first were taken.
    """

    path: Path
    digest: str
    step: int | None
    extra: Any
    reports: Mapping[str, LoadReport] = field(default_factory=lambda: MappingProxyType({}))
    absent: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every object that you gave has all of its state."""
        return not self.absent and all(report.complete for report in self.reports.values())

    def __str__(self) -> str:
        at = "" if self.step is None else f" at step {self.step}"
        lines = [f"checkpoint {self.path}{at}"]
        lines += [f"{name}: {report}" for name, report in self.reports.items()]
        for what, names in (
            ("not in it", self.absent),
            ("not restored", self.left),
            ("different at several ranks", self.differing),
        ):
            if names:
                lines.append(f"{what}: {', '.join(names)}")
        return "\n".join(lines)


@fewer_collections()
def save_checkpoint(
    path: str | os.PathLike[str],
    *,
    model: Part | None = None,
    optimizer: Part | None = None,
    scheduler: Part | None = None,
    scaler: Part | None = None,
    generators: Part | None = None,
    step: int | None = None,
    rng: bool = True,
    extra: object = None,
    keep: int | None = None,
    asynchronous: bool = False,
    sharded: bool = False,
    metadata: Mapping[str, object] | Metadata | None = None,
    signer: SigningKey | Sequence[SigningKey] | _OwnKey | None = OWN_KEY,
    digest: str = "blake3",
) -> SavedCheckpoint:
    """Save everything that training needs to go on, in one step: wholly or not at all.

    Returns the path of the checkpoint and its bundle digest. With `asynchronous` it returns when
    all state is copied, and a thread writes the copy: `wait()` of the result waits for it. There is
    one such save at a time; the next call waits for it too, and raises what went wrong with it.
    Calls of several threads wait for each other.

    Args:
        path: the file, which takes the place of one that is there; with `keep`, a folder of them.
        model, optimizer, scheduler, scaler: an object each, or a dictionary of several.
        generators: random generators of yours that training draws from, of PyTorch, NumPy or
            `random`, or loaders and samplers that have one; one, or a dictionary of several.
        step: how far training is. Needed with `keep`.
        rng: save the global random states of Python, NumPy and PyTorch, too.
        extra: whatever else you need: plain values, containers, arrays and tensors.
        keep: how many checkpoints to keep in the folder; older ones are deleted after the save.
        asynchronous: write in a thread. Takes as much memory as the state, and keeps it for the
            next save.
        sharded: all ranks of `torch.distributed` save one checkpoint together, a folder. All of
            them call this, with the same arguments and a path that all can write to.
        metadata, signer, digest: as of `save`.

    Raises:
        UnsavableError: part of a state can't be represented; `place` is its path.
        UsageError: an argument that makes no sense; a folder with a checkpoint of a later step.
        MissingLibraryError: PyTorch is not installed.
        FormatError, KeyFileError, SourceError: see `save`.
    """
    from safemodel.format import metadata as metadata_format

    with checkpoint_writer.calls:
        checkpoint_writer.settle()
        target = Path(os.fspath(path))
        _check_keep(keep, step)
        saving: Any = adapters.import_adapter(checkpoint_files.ADAPTER)
        arguments = _arguments(model, optimizer, scheduler, scaler)
        checked = metadata_format.make(metadata or {})
        make = partial(
            saving.save, arguments, generators=generators, step=step, rng=rng, extra=extra
        )
        contents = partial(_contents, saving, checked)
        signers = partial(adapters.signing_with, signer)
        snapshot = saving.SNAPSHOT if asynchronous else None
        if sharded:
            make = partial(make, sharded=True)
            request = saving.Request(
                target, step or 0, keep, make, contents, signers, digest, snapshot
            )
            together: SavedCheckpoint = saving.save_together(request)
            return together
        made = contents(make())
        if keep is not None:
            target = checkpoint_files.place(target, step or 0, checkpoint_files.ENDING)
        if snapshot is None:
            work = partial(_write, target, made, signers(), digest, keep)
            return checkpoint_writer.write(target, work)
        made = replace(made, tensors=snapshot.copy(made.tensors))
        return checkpoint_writer.write_later(
            target, partial(_write, target, made, signers(), digest, keep)
        )


def _arguments(
    model: object, optimizer: object, scheduler: object, scaler: object
) -> dict[str, object]:
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}


def _check_keep(keep: int | None, step: int | None) -> None:
    if keep is None:
        return
    if type(keep) is not int or keep < 1:
        raise UsageError(f"keep= must be an integer from 1: {keep!r:.60}")
    if step is None:
        raise UsageError("keep= needs step=, which names the checkpoints in the folder")


def _contents(saving: Any, metadata: Metadata, saved: Any) -> Contents:
    from safemodel.bundle.contents import Contents
    from safemodel.format.manifest import Adapter

    return Contents(
        framework=saving.FRAMEWORK,
        adapter=Adapter(saving.NAME, saving.VERSION),
        libraries=saved.libraries,
        architecture=saved.architecture,
        training_state=saved.training_state,
        metadata=metadata,
        tensors=saved.tensors,
    )


def _write(
    target: Path,
    contents: Contents,
    signers: Sequence[SigningKey],
    digest: str,
    keep: int | None,
) -> str:
    from safemodel.bundle.write import write

    checkpoint_files.sweep(target.parent, None if keep else target.name)
    written = write(target, contents, signers=signers, digest=digest)
    if keep is not None:
        checkpoint_files.prune(target.parent, keep, target)
    return written


@fewer_collections()
def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    model: Part | None = None,
    optimizer: Part | None = None,
    scheduler: Part | None = None,
    scaler: Part | None = None,
    generators: Part | None = None,
    rng: bool = True,
    strict: bool = True,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
) -> CheckpointReport:
    """Verify a checkpoint and put it into the objects that you made; say what became of each.

    Everything is compared before anything is changed. Random states are restored last, so training
    goes on to the last bit as if it had never been interrupted, with the same library versions on
    the same kind of machine.

    Args:
        path: a checkpoint, or a folder of them, of which the latest is taken.
        model, optimizer, scheduler, scaler, generators: as they were given to `save_checkpoint`.
            What you leave out stays in the archive.
        rng: restore the global random states, if the checkpoint has them.
        strict: whether all state must fit; if not, what fits is loaded and the report says what
            does not.
        trust, name, version, digest: as of `load`.

    Raises:
        MissingFileError: there is no checkpoint.
        ArchitectureError: it is none, or describes something that must not be built.
        StateMismatchError: it does not fit, and nothing is changed; or code of an object itself
            raised, and some are, as the hint says.
        MissingLibraryError: PyTorch is not installed.
        SourceError, FormatError, VerificationError, KeyFileError, UsageError: see `load`.
    """
    from safemodel.bundle import open_bundle

    checkpoint_writer.settle()
    given = Path(os.fspath(path))
    found = _find(given)
    with open_bundle(found, trust=trust, name=name, version=version, digest=digest) as bundle:
        with locating(path=bundle.path):
            _check_is_checkpoint(bundle)
            loading: Any = adapters.import_adapter(checkpoint_files.ADAPTER)
            restored = loading.restore(
                bundle,
                _arguments(model, optimizer, scheduler, scaler),
                generators=generators,
                rng=rng,
                strict=strict,
                expected_step=checkpoint_files.step_of(found.name) if found != given else None,
            )
        return CheckpointReport(
            found,
            bundle.digest,
            restored.step,
            restored.extra,
            MappingProxyType(dict(restored.reports)),
            restored.absent,
            restored.left,
            restored.differing,
        )


def _find(path: Path) -> Path:
    if checkpoint_files.is_bundle(path):
        return path
    found = checkpoint_files.latest(path)
    if found is None:
        raise MissingFileError(
            "there is no checkpoint in it", path=str(path), hint="their names are step-000000100..."
        )
    return found


def _check_is_checkpoint(bundle: VerifiedBundle) -> None:
    """Refuse other bundles, and checkpoints of a later version.

    Raises:
        ArchitectureError, UnsupportedError: as said.
    """
    adapter = bundle.manifest.adapter
    if adapter is None or adapter.name != checkpoint_files.ADAPTER:
        raise ArchitectureError("is no checkpoint", hint="load it with safemodel.load()")
    version = getattr(adapters.import_adapter(adapter.name), "VERSION", 0)
    if not 1 <= adapter.version <= version:
        raise UnsupportedError(
            f"made by version {adapter.version} of the adapter {adapter.name}; this one knows "
            f"versions up to {version}",
            hint="update safemodel",
        )


def latest_checkpoint(folder: str | os.PathLike[str]) -> Path | None:
    """The checkpoint of the highest step in a folder that `save_checkpoint(..., keep=)` filled.

    None without one, also if there is no such folder: then training starts anew. Nothing is
    verified before `load_checkpoint`.

    Raises:
        SourceError: the folder can't be listed.
    """
    try:
        return checkpoint_files.latest(folder)
    except MissingFileError:
        return None
