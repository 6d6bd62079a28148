"""Checkpoints of PyTorch: the state of everything that training needs to go on, in one bundle.

One object graph holds the states of all parts, so what they share they share again; the manifest's
`training_state` says which parts there are and at which step. `saving.py` and `loading.py` are the
two directions, `random_states.py` the generators. Implements spec/checkpoints.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel.adapters.torch import into as into_state
from safemodel.adapters.torch.checkpoint import spreading
from safemodel.adapters.torch.checkpoint.jointly import Request as Request
from safemodel.adapters.torch.checkpoint.jointly import save_together as save_together
from safemodel.adapters.torch.checkpoint.loading import States, read_states
from safemodel.adapters.torch.checkpoint.loading import restore as restore
from safemodel.adapters.torch.checkpoint.saving import HOST
from safemodel.adapters.torch.checkpoint.saving import save as save
from safemodel.adapters.torch.checkpoint.shards import NotCoveredError
from safemodel.adapters.torch.checkpoint.snapshot import Snapshot
from safemodel.errors import ArchitectureError, StateMismatchError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

NAME: Final = "torch_checkpoint"
VERSION: Final = 1
FRAMEWORK: Final = "torch"
SNAPSHOT: Final = Snapshot(HOST)  # for asynchronous saves, one at a time


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
) -> object:
    """The states as a dictionary; or the state of the one model in it, put `into` a module.

    This is what `safemodel.load` does with a checkpoint. `restore` puts all of it back.

    Raises:
        ArchitectureError: it must not be built.
        StateMismatchError: the state does not fit `into`, which is unchanged.
        UsageError: `into` is no module, or there are several models.
    """
    if device is not None:
        raise UsageError("device= makes no sense here: the state of a checkpoint goes where it was")
    if into is None or into is dict:
        return _whole(read_states(bundle))
    target: Any = into_state.check_target(into, None)
    if not isinstance(target, torch.nn.Module):
        raise UsageError(
            "into= of a checkpoint is a module",
            hint="safemodel.load_checkpoint(path, optimizer=optimizer) restores other parts",
        )
    states = read_states(bundle)
    root = _whole(states)
    return into_state.put(root[_only_model(states)], target, strict=strict)


def _whole(states: States) -> dict[str, Any]:
    differing = [path for path in states.differing if path != "rng"]
    if differing:
        raise StateMismatchError(
            f"several ranks saved this checkpoint, and differ in {differing[0]}",
            hint="safemodel.load_checkpoint(path, model=model)",
        )
    if states.differing:
        del states.root["rng"]
    try:
        root: dict[str, Any] = spreading.assembled(states.root)
    except NotCoveredError:
        raise ArchitectureError("a tensor of which shards are missing") from None
    return root


def _only_model(states: States) -> str:
    models = [name for name, (kind, _) in states.parts.items() if kind == "module"]
    if not models:
        raise ArchitectureError("this checkpoint has no model")
    if len(models) > 1:
        raise UsageError(
            f"this checkpoint has several models: {', '.join(models)[:200]}",
            hint="safemodel.load_checkpoint(path, model={name: module})",
        )
    return models[0]
