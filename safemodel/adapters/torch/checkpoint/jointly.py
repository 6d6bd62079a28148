"""One checkpoint that all ranks write: a folder with a shard of each, and one manifest by rank 0.

Every step is one that all ranks take, and an error at one of them ends it at all. The folder gets
its name when everything in it is on disk. Implements spec/checkpoints.md, "Several ranks".
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safemodel.adapters import checkpoint_files, checkpoint_writer
from safemodel.adapters.checkpoint_writer import SavedCheckpoint
from safemodel.adapters.torch.checkpoint.ranks import Ranks
from safemodel.adapters.torch.checkpoint.sharding import Plan, describe, plan
from safemodel.adapters.torch.checkpoint.snapshot import Snapshot
from safemodel.bundle.contents import Contents, TensorData
from safemodel.bundle.output import new_folder
from safemodel.bundle.write import finish_shards, write_shard
from safemodel.format.manifest import FileEntry
from safemodel.format.weights import MEDIA_TYPE, TensorSpec

if TYPE_CHECKING:
    from safemodel.adapters.protocol import Saved
    from safemodel.format.canonical_json import JsonValue
    from safemodel.trust.keys import SigningKey


@dataclass(slots=True)
class Request:
    """What to save and where. `contents` makes those of the bundle of what one rank saved."""

    target: Path
    step: int
    keep: int | None
    saved: Callable[[], Saved]
    contents: Callable[[Saved], Contents]
    signers: Callable[[], Sequence[SigningKey]]
    digest: str
    snapshot: Snapshot | None


class _Joint:
    """One such save at one rank."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._ranks = Ranks()
        self._folder = ExitStack()  # at rank 0 the new folder, while it has no name
        self._tensors: tuple[TensorData, ...] = ()
        self._name = ""
        self._chunk = 0
        self.target = request.target

    def prepare(self) -> None:
        """Everything but the writing of tensors, which must not change until it has returned."""
        try:
            self._prepare()
        except BaseException as error:
            self._folder.__exit__(type(error), error, error.__traceback__)
            raise

    def _prepare(self) -> None:
        agreed = self._ranks.together(self._describe, self._plan)
        rank = self._ranks.rank
        self.target = self._request.target.parent / agreed["target"]
        if self._request.keep is not None:
            self.target = self._request.target / agreed["target"]
        self._temporary = str(self.target.with_name(agreed["folder"]))
        self._name, self._chunk = agreed["members"][rank], agreed["chunk"]
        self._tensors = tuple(_renamed(self._tensors, agreed["writes"][rank]))
        if self._request.snapshot is not None:
            self._ranks.together(self._copy, lambda answers: None)

    def _describe(self) -> JsonValue:
        self._saved = self._request.saved()
        self._tensors = self._saved.tensors
        return describe(self._saved, self._ranks.rank)

    def _copy(self) -> JsonValue:
        if self._request.snapshot is not None:
            self._tensors = self._request.snapshot.copy(self._tensors)
        return None

    def _plan(self, answers: list[Any]) -> JsonValue:
        request = self._request
        self._planned: Plan = plan(answers)
        self._signers = request.signers()
        target = request.target
        if request.keep is not None:
            target = checkpoint_files.place(target, request.step, "")
        checkpoint_files.sweep(target.parent, None if request.keep else target.name)
        folder = self._folder.enter_context(new_folder(str(target)))
        return {
            "target": target.name,
            "folder": os.path.basename(folder),
            "writes": [dict(mine) for mine in self._planned.writes],
            "members": list(self._planned.members),
            "chunk": self._planned.chunk,
        }

    def write(self) -> str:
        """Write the tensors, and at rank 0 what makes a bundle of them; return its digest."""
        with self._folder:
            digest: str = self._ranks.together(self._write, self._finish)
        return digest

    def _write(self) -> JsonValue:
        if not self._tensors:
            return {}
        entry = write_shard(
            self._temporary,
            self._name,
            self._tensors,
            digest=self._request.digest,
            chunk=self._chunk,
        )
        text = base64.b64encode(entry.digests).decode("ascii")
        return {"name": self._name, "size": entry.size, "crc32": entry.crc32, "digests": text}

    def _finish(self, answers: list[Any]) -> JsonValue:
        files = {
            one["name"]: FileEntry(
                one["size"], one["crc32"], MEDIA_TYPE, base64.b64decode(one["digests"])
            )
            for one in answers
            if one
        }
        contents = self._request.contents(self._saved)
        contents = replace(contents, architecture={"ranks": self._planned.graphs}, tensors=())
        digest = finish_shards(
            self._temporary, contents, files, signers=self._signers, digest=self._request.digest
        )
        self._folder.close()  # now it has its name
        if self._request.keep is not None:
            checkpoint_files.prune(self.target.parent, self._request.keep, self.target)
        return digest


def _renamed(tensors: Sequence[TensorData], names: dict[str, str]) -> list[TensorData]:
    return [
        TensorData(
            TensorSpec(names[tensor.spec.name], tensor.spec.dtype, tensor.spec.shape), tensor.pieces
        )
        for tensor in tensors
        if tensor.spec.name in names
    ]


def save_together(request: Request) -> SavedCheckpoint:
    """Save one checkpoint with all ranks, in a thread if there is a `snapshot` to copy to.

    Raises:
        SafemodelError: what went wrong, at any of them.
    """
    joint = _Joint(request)
    joint.prepare()
    if request.snapshot is None:
        return checkpoint_writer.write(joint.target, joint.write)
    return checkpoint_writer.write_later(joint.target, joint.write)
