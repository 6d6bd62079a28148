"""Trainings of several ranks over gloo that save together and are loaded by other numbers of ranks.

python -m tests.adapters.checkpoint_ranks FOLDER     prints what each scene found, as JSON

One interpreter imports PyTorch; the ranks are forks of it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

import safemodel as sm
from safemodel import errors

PLACEMENTS = {"rows": Shard(0), "columns": Shard(1), "whole": Replicate()}


def ranks(folder: Path, count: int, scene: Callable[[int, Path], Any]) -> list[Any]:
    """Run a scene at so many ranks and return what each gives."""
    meeting = folder / f"meet-{scene.__name__}-{count}"
    children = []
    for rank in range(count):
        child = os.fork()
        if not child:
            _rank(rank, count, meeting, scene, folder)
        children.append(child)
    for child in children:
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit(f"a rank of {scene.__name__} died: {status}")
    return [json.loads(Path(f"{meeting}.{rank}").read_text()) for rank in range(count)]


def _rank(rank: int, count: int, meeting: Path, scene: Any, folder: Path) -> None:
    try:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{meeting}",
            rank=rank,
            world_size=count,
            timeout=timedelta(seconds=60),
        )
        Path(f"{meeting}.{rank}").write_text(json.dumps(scene(rank, folder)))
        dist.destroy_process_group()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


class Spread(torch.nn.Module):
    """Parameters over a mesh of all ranks, and one that all have; without ranks all plain."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        values = {"rows": (10, 3), "columns": (2, 7), "whole": (5,)}
        mesh = init_device_mesh("cpu", (dist.get_world_size(),)) if dist.is_initialized() else None
        for name, shape in values.items():
            value = torch.randn(shape)
            if mesh is not None:
                value = distribute_tensor(value, mesh, [PLACEMENTS[name]])
            self.register_parameter(name, torch.nn.Parameter(value))
        self.plain = torch.nn.Linear(4, 4)


class Training:
    """Adam, whose moments are spread as the parameters are."""

    def __init__(self) -> None:
        self.model = Spread()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1, foreach=False)

    def step(self, number: int) -> None:
        torch.manual_seed(number)
        for parameter in self.model.parameters():
            grad = torch.randn(parameter.shape)
            if isinstance(parameter, DTensor):
                grad = distribute_tensor(grad, parameter.device_mesh, parameter.placements)
            parameter.grad = grad
        self.optimizer.step()

    def numbers(self) -> list[Any]:
        """All weights and moments, put together."""
        state = self.optimizer.state_dict()["state"]
        tensors = [*self.model.state_dict().values()]
        tensors += [value for entry in state.values() for value in entry.values()]
        whole = [t.full_tensor() if isinstance(t, DTensor) else t for t in tensors]
        return [tensor.tolist() for tensor in whole]

    @property
    def parts(self) -> dict[str, Any]:
        return {"model": self.model, "optimizer": self.optimizer}


def save(rank: int, folder: Path) -> Any:
    training = Training()
    for number in (1, 2, 3):
        training.step(number)
        torch.manual_seed(100 + rank)
        saved = sm.save_checkpoint(
            folder / "run",
            **training.parts,
            step=number,
            keep=2,
            extra={"spread": training.model.rows.detach(), "own": 7},
            sharded=True,
            asynchronous=number == 2,
        )
        with torch.no_grad():
            training.model.plain.weight.add_(0)
    saved.wait()
    drawn = torch.rand(2).tolist()
    numbers = training.numbers()
    training.step(4)
    return {"drawn": drawn, "numbers": numbers, "next": training.numbers()}


def load(rank: int, folder: Path) -> Any:
    training = Training()
    report = sm.load_checkpoint(folder / "run", **training.parts)
    drawn = torch.rand(2).tolist()
    numbers = training.numbers()
    training.step(4)
    spread = report.extra["spread"]
    return {
        "step": report.step,
        "left": report.left,
        "differing": report.differing,
        "spread": spread.tolist(),
        "drawn": drawn,
        "numbers": numbers,
        "next": training.numbers(),
    }


def own_parts(rank: int, folder: Path) -> Any:
    """A pipeline: each rank has layers of its own; and a count that differs."""
    torch.manual_seed(rank)
    model = torch.nn.ModuleDict({f"layer{rank}": torch.nn.Linear(2, 2)})
    model.register_buffer("seen", torch.tensor(float(rank)))
    extra = {"rank": rank, "epoch": 4}
    sm.save_checkpoint(folder / "pipeline", model=model, extra=extra, sharded=True)
    other = torch.nn.ModuleDict({f"layer{rank}": torch.nn.Linear(2, 2)})
    other.register_buffer("seen", torch.tensor(9.0))
    report = sm.load_checkpoint(folder / "pipeline", model=other)
    same = all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )
    return {"extra": report.extra, "same": same, "seen": other.seen.item(), "left": report.left}


def failing(rank: int, folder: Path) -> Any:
    """One rank can't save: all say so, and nothing is left behind."""
    model = torch.nn.Linear(2, 2)
    found = []
    for extra in (print if rank else 1, 1):
        try:
            target = folder / "failing" / "c"
            sm.save_checkpoint(target, model=model, extra=extra, sharded=True)
        except errors.SafemodelError as error:
            found.append([type(error).__name__, str(error)])
        dist.barrier()
        (folder / "failing").mkdir(exist_ok=True)
    dist.barrier()
    return {"errors": found, "names": [path.name for path in (folder / "failing").iterdir()]}


def other_parts(rank: int, folder: Path) -> Any:
    try:
        model = torch.nn.Linear(2, 2)
        sm.save_checkpoint(folder / "x", model=model, step=rank, sharded=True)
    except errors.SafemodelError as error:
        return [type(error).__name__, str(error)]
    return None


def _mlp(seed: int) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 9), torch.nn.Tanh(), torch.nn.Linear(9, 3))


def _trained(model: Any, steps: int, rank: int = 0) -> tuple[Any, list[float]]:
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    return optimizer, _steps(model, optimizer, steps)


def _steps(model: Any, optimizer: Any, steps: int) -> list[float]:
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(torch.ones(2, 4) * (step + 1)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def libraries(rank: int, folder: Path) -> Any:
    """What FSDP2 and DistributedDataParallel made of a model."""
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    made = {"fsdp": _mlp(1), "ddp": _mlp(2)}
    fully_shard(made["fsdp"], mesh=mesh)
    made["ddp"] = torch.nn.parallel.DistributedDataParallel(made["ddp"])
    found = {}
    for name, model in made.items():
        optimizer, _ = _trained(model, 3)
        sm.save_checkpoint(folder / name, model=model, optimizer=optimizer, sharded=True)
        expected = _steps(model, optimizer, 2)
        report = sm.load_checkpoint(folder / name, model=model, optimizer=optimizer)
        found[name] = [expected, _steps(model, optimizer, 2), report.complete]
    return found


def killed(rank: int, folder: Path) -> Any:
    """A rank dies while it writes."""
    model = torch.nn.Linear(2, 2)
    target = folder / "killed"
    sm.save_checkpoint(target, model=model, step=1, keep=2, sharded=True)
    if rank == 1:
        from safemodel.adapters.torch.checkpoint import jointly

        # Its connections end with it; the file of what it gives is written by hand.
        (folder / "meet-killed-2.1").write_text("null")
        jointly.write_shard = lambda *args, **options: os._exit(0)
    try:
        extra = torch.full((5,), float(rank))
        sm.save_checkpoint(target, model=model, step=2, keep=2, extra=extra, sharded=True)
    except errors.SafemodelError as error:
        return [type(error).__name__, str(error), os.listdir(target)]
    return None


def from_one(rank: int, folder: Path) -> Any:
    """What one process saved, by ranks whose parameters are spread; and what one can't save."""
    training = Training()
    report = sm.load_checkpoint(folder / "one", **training.parts)
    try:
        sm.save_checkpoint(folder / f"alone{rank}", **training.parts)
    except errors.UnsavableError as error:
        return {"numbers": training.numbers(), "left": report.left, "error": str(error)}
    return None


def main(folder: Path) -> None:
    sm.save_checkpoint(folder / "key", model=torch.nn.Linear(1, 1))  # makes the key
    training = Training()
    training.step(1)
    sm.save_checkpoint(folder / "one", **training.parts)
    found = {
        "one": training.numbers(),
        "from one": ranks(folder, 2, from_one),
        "save 2": ranks(folder, 2, save),
        "load 2": ranks(folder, 2, load),
        "load 4": ranks(folder, 4, load),
        "pipeline": ranks(folder, 2, own_parts),
        "failing": ranks(folder, 2, failing),
        "other parts": ranks(folder, 2, other_parts),
        "libraries": ranks(folder, 2, libraries),
        "killed": ranks(folder, 2, killed),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
