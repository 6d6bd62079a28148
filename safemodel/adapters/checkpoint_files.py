"""Checkpoints as files: their names in a folder, which is the latest, which ones may go.

Knows no framework. Only files that are named as checkpoints and say that they are one of that step
are ever deleted. Implements spec/checkpoints.md, "Folders of checkpoints".
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final

from safemodel import limits
from safemodel.bundle import inspect
from safemodel.bundle.output import is_abandoned, partial_name, shown_name
from safemodel.errors import MissingFileError, SafemodelError, SourceError, UsageError

ADAPTER: Final = "torch_checkpoint"
ENDING: Final = ".safemodel"
_NAME: Final = re.compile(r"step-([0-9]{9,16})(?:\.safemodel)?")
_PARTIAL: Final = re.compile(r"\.(.+)\.[0-9a-f]{16}\.partial", re.DOTALL)


def name_of(step: int, *, ending: str = ENDING) -> str:
    """The name of a checkpoint in a folder: `step-000001000.safemodel`."""
    return f"step-{step:09}{ending}"


def step_of(name: str) -> int | None:
    """The step in the name of a checkpoint; None if it is not the name of one."""
    match = _NAME.fullmatch(name)
    step = int(match[1]) if match else 0
    known = name in (name_of(step), name_of(step, ending=""))
    return step if match and known and step <= limits.MAX_SAFE_INTEGER else None


def named(folder: Path) -> list[tuple[int, Path]]:
    """Files, and folders without an ending, that are named as checkpoints; by step.

    Raises:
        MissingFileError, SourceError: there is no such folder, or it can't be listed.
    """
    try:
        with os.scandir(folder) as entries:
            status = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
    except FileNotFoundError as error:
        raise MissingFileError("there is no such folder", path=str(folder)) from error
    except OSError as error:
        raise SourceError(f"can't be listed: {error.strerror}", path=str(folder)) from error
    found = []
    for name, mode in status:
        step = step_of(name)
        right = stat.S_ISREG(mode) if name.endswith(ENDING) else stat.S_ISDIR(mode)
        if step is not None and right:
            found.append((step, folder / name))
    return sorted(found)


def latest(folder: str | os.PathLike[str]) -> Path | None:
    """The checkpoint of the highest step in a folder, by its name; None without one.

    Raises:
        SourceError: there is no such folder, or it can't be listed.
    """
    found = named(Path(folder))
    return found[-1][1] if found else None


def is_bundle(path: Path) -> bool:
    """Whether a path is one bundle, and not a folder of them."""
    return not path.is_dir() or (path / "manifest.json").exists()


def place(folder: Path, step: int, ending: str) -> Path:
    """Where the checkpoint of a step goes, after a look at what is there.

    Raises:
        UsageError: there is one of a later step, which a load would take instead.
        SourceError: the folder can't be made or listed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"can't be a folder: {error.strerror}", path=str(folder)) from error
    later = [path for other, path in named(folder) if other > step and is_checkpoint(path, other)]
    if later:
        raise UsageError(
            f"has a checkpoint of a later step than {step}: {later[-1].name}",
            path=str(folder),
            hint="a load of this folder takes the latest step; move the later ones away, or save "
            "to another folder",
        )
    return folder / name_of(step, ending=ending)


def is_checkpoint(path: Path, step: int) -> bool:
    """Whether a bundle says that it is the checkpoint of this step. Nothing is verified."""
    try:
        manifest = inspect(path).manifest
    except SafemodelError:
        return False
    state = manifest.training_state
    made = manifest.adapter is not None and manifest.adapter.name == ADAPTER
    return made and isinstance(state, dict) and state.get("step") == step


def prune(folder: Path, keep: int, written: Path) -> None:
    """Delete checkpoints but the last `keep`, and never the one that was just written."""
    others = [
        path
        for step, path in named(folder)
        if path.name != written.name and is_checkpoint(path, step)
    ]
    for path in others[: max(0, len(others) + 1 - keep)]:
        _delete(path)


def _delete(path: Path) -> None:
    """Delete one; under another name first, so that a half-deleted folder is no checkpoint."""
    with contextlib.suppress(OSError):  # what is left is deleted next time
        if path.is_dir():
            hidden = path.with_name(partial_name(path.name))
            path.rename(hidden)
            shutil.rmtree(hidden)
        else:
            path.unlink()


def sweep(folder: Path, name: str | None = None) -> None:
    """Delete what saves left behind that were killed: of this name, or of any checkpoint.

    A save that is under way holds a lock on its file, which ends with its process.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _PARTIAL.fullmatch(entry.name)
            if match is None or entry.is_symlink():
                continue
            ours = step_of(match[1]) is not None if name is None else match[1] == shown_name(name)
            if ours and is_abandoned(entry.path):
                if entry.is_dir():
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
