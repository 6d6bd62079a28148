"""Train with checkpoints, kill the training in the middle of a save, and go on to the last bit.

python examples/checkpoint_kill_resume.py [FOLDER]

The training runs in a process of its own, as it would on a machine that goes away. It is killed
with SIGKILL, at some moment, twice; the third run gets to the end. Its weights are those of a
training that nobody killed.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

import safemodel as sm

EPOCHS = 3
EVERY = 3  # steps between two checkpoints


class Training:
    """A network with dropout, its optimizer and scheduler, and data in an order of their own."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(16, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 1)
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-2)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)
        self.inputs = torch.randn(320, 16)
        self.targets = self.inputs.sum(dim=1, keepdim=True)
        self.step = 0

    @property
    def parts(self) -> dict[str, object]:
        return {
            "model": self.network,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
        }

    def batch(self) -> torch.Tensor:
        """Which rows come next. The order of an epoch follows from its number alone.

        So a training can go on in the middle of an epoch: the step says where.
        """
        per_epoch = len(self.inputs) // 32
        epoch, number = divmod(self.step, per_epoch)
        order = torch.randperm(len(self.inputs), generator=torch.Generator().manual_seed(epoch))
        return order[32 * number : 32 * (number + 1)]

    @property
    def done(self) -> bool:
        return self.step == EPOCHS * (len(self.inputs) // 32)

    def train(self) -> None:
        rows = self.batch()
        noisy = self.inputs[rows] + random.gauss(0, 0.01)
        loss = nn.functional.mse_loss(self.network(noisy), self.targets[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.step += 1

    def digest(self) -> str:
        state = self.network.state_dict().values()
        return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state)).hexdigest()[:16]


def run(folder: Path) -> str:
    """Go on from the latest checkpoint, or begin; and train to the end."""
    torch.set_num_threads(1)
    random.seed(0)
    training = Training()
    if sm.latest_checkpoint(folder) is not None:
        report = sm.load_checkpoint(folder, **training.parts)
        training.step = report.step or 0
        print(f"  went on from step {training.step}", flush=True)
    while not training.done:
        training.train()
        if training.step % EVERY == 0 or training.done:
            # A thread writes while training goes on; the next save waits for it.
            saved = sm.save_checkpoint(
                folder, **training.parts, step=training.step, keep=2, asynchronous=True
            )
        time.sleep(0.01)  # as if a step took some time
    saved.wait()
    result = f"  step {training.step}, weights {training.digest()}"
    print(result, flush=True)
    return result


def begin(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "run", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_after(folder: Path, step: int) -> None:
    """Let the training run until it has got so far, and kill it while it saves."""
    process = begin(folder)
    while process.poll() is None:
        time.sleep(0.001)
        latest = sm.latest_checkpoint(folder)
        far = latest is not None and int(latest.stem.removeprefix("step-")) >= step
        if far and any(folder.glob(".*.partial")):  # a save is under way
            break
    process.kill()
    out, _ = process.communicate()
    print(out, end="")
    left = [path.name for path in sorted(folder.glob("step-*"))]
    print(f"killed: {', '.join(left)}")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    killed, whole = folder / "killed", folder / "whole"
    for step in (6, 12):
        kill_after(killed, step)
    out, _ = begin(killed).communicate()
    print(f"resumed:\n{out}without a kill:")
    if run(whole) != out.splitlines()[-1]:
        raise SystemExit("the training that was killed went another way")
    print("the same weights, to the last bit")


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "checkpoints"))
