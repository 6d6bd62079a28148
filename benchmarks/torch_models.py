"""PyTorch: checkpoints of a training, modules as graphs, a transformer that is rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.groups import Group, Operation, own_signer, plain_write, synced, trusted
from benchmarks.measure import in_page_cache

GROUPS = (
    Group(
        "checkpoint",
        "Save a checkpoint: a transformer and its Adam",
        ("write_plain_checkpoint", "save_checkpoint_safemodel", "save_checkpoint_torch"),
    ),
    Group(
        "checkpoint_block",
        "How long an asynchronous save of it keeps training waiting",
        ("copy_checkpoint", "start_checkpoint_safemodel"),
    ),
    Group(
        "checkpoint_load",
        "Load it into a transformer and its Adam",
        ("load_checkpoint_torch", "load_checkpoint_safemodel"),
    ),
)
_WIDTH = 1024
_LAYER = 12 * _WIDTH * _WIDTH * 4  # bytes


class Training:
    """A transformer after one step of Adam; three times its weights are as large as the size."""

    def __init__(self, folder: Path) -> None:
        import torch

        size = int((folder / "sizes").read_text().split()[0])
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(_WIDTH, 16, 4 * _WIDTH, batch_first=True)
        self.model = torch.nn.TransformerEncoder(layer, max(2, size // (3 * _LAYER)))
        self.optimizer = torch.optim.Adam(self.model.parameters())
        for parameter in self.model.parameters():
            parameter.grad = torch.full_like(parameter, 1e-3)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def tensors(self) -> list[Any]:
        moments = self.optimizer.state_dict()["state"].values()
        return [*self.model.state_dict().values(), *(t for m in moments for t in m.values())]


def write_plain_checkpoint(folder: Path) -> Operation:
    arrays = [tensor.numpy().reshape(-1) for tensor in Training(folder).tensors()]
    return plain_write(arrays, folder / "out.bin")


def _saving(folder: Path, **options: Any) -> Operation:
    import torch

    import safemodel as sm

    training, signer = Training(folder), own_signer(folder)
    sm.save_checkpoint(folder / "warm.safemodel", model=torch.nn.Linear(1, 1), signer=signer)
    return lambda: sm.save_checkpoint(
        folder / "out.safemodel",
        model=training.model,
        optimizer=training.optimizer,
        rng=False,
        signer=signer,
        **options,
    )


def save_checkpoint_safemodel(folder: Path) -> Operation:
    return _saving(folder)


def save_checkpoint_torch(folder: Path) -> Operation:
    import torch

    training = Training(folder)

    def operation() -> None:
        torch.save(training.state(), folder / "out.pt")
        synced(folder / "out.pt")

    return operation


def copy_checkpoint(folder: Path) -> Operation:
    """Copy every tensor into memory that is kept, as a trainer does it that saves in a thread."""
    import torch

    tensors = Training(folder).tensors()
    kept = [torch.empty_like(tensor) for tensor in tensors]

    def operation() -> None:
        for target, source in zip(kept, tensors, strict=True):
            target.copy_(source)

    return operation


def start_checkpoint_safemodel(folder: Path) -> Operation:
    """What is measured ends when training could go on; the file is written between the runs."""
    save = _saving(folder, asynchronous=True)
    pending: list[Any] = []

    def operation() -> object:
        pending.append(save())
        return _Waiting(pending)

    return operation


class _Waiting:
    """Waits for a save when the result of a run is dropped, after its time was taken."""

    def __init__(self, pending: list[Any]) -> None:
        self._pending = pending

    def __del__(self) -> None:
        while self._pending:
            self._pending.pop().wait()


def _checkpoint(folder: Path) -> Path:
    """The files to load, as ours and as PyTorch's."""
    target = folder / "checkpoint"
    if not target.exists():
        import torch

        import safemodel as sm

        training = Training(folder)
        target.mkdir()
        torch.save(training.state(), target / "c.pt")
        sm.save_checkpoint(
            target / "c.safemodel",
            model=training.model,
            optimizer=training.optimizer,
            signer=own_signer(folder),
        )
    return target


def load_checkpoint_torch(folder: Path) -> Operation:
    import torch

    path = in_page_cache(_checkpoint(folder) / "c.pt")
    training = Training(folder)

    def operation() -> None:
        state = torch.load(path, weights_only=True)
        training.model.load_state_dict(state["model"])
        training.optimizer.load_state_dict(state["optimizer"])

    return operation


def load_checkpoint_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    path = in_page_cache(_checkpoint(folder) / "c.safemodel")
    training, trust = Training(folder), trusted(folder)
    return lambda: sm.load_checkpoint(
        path, model=training.model, optimizer=training.optimizer, trust=trust
    )
