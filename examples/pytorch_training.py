"""Train a small network, save everything that training needs, load it, go on, and save again.

python examples/pytorch_training.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

import safemodel as sm


class Network(nn.Module):
    """Two layers that share their weight, so that there is something to keep."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(16, 16)
        self.second = nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(16, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(inputs))
        return self.last(self.drop(torch.relu(self.second(hidden))))


class Training:
    """A network and all that changes while it is trained."""

    def __init__(self) -> None:
        self.network = Network()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-2)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=10)
        self.epoch = 0

    def run(self, epochs: int, inputs: torch.Tensor, targets: torch.Tensor) -> float:
        """Train, and return the last loss."""
        self.network.train()
        for _ in range(epochs):
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.network(inputs), targets)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.epoch += 1
        return loss.item()

    def save(self, path: Path) -> None:
        """Save everything, signed with your own key. The random state makes dropout go on too."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
            "epoch": self.epoch,
        }
        metadata = {"name": "examples/network", "version": f"0.{self.epoch}"}
        sm.save(state, path, metadata=metadata)

    @classmethod
    def load(cls, path: Path) -> Training:
        """Training as it was when it was saved."""
        state = sm.load(path, name="examples/network")
        training = cls()
        training.network.load_state_dict(state["network"])
        training.optimizer.load_state_dict(state["optimizer"])
        training.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"])
        training.epoch = state["epoch"]
        return training


def main(folder: Path) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(256, 16)
    targets = inputs.sum(dim=1, keepdim=True)

    training = Training()
    loss = training.run(15, inputs, targets)
    path = folder / "network.safemodel"
    training.save(path)
    print(f"epoch {training.epoch}, loss {loss:.6f}: saved {path}")

    expected = training.run(15, inputs, targets)
    resumed = Training.load(path)
    loss = resumed.run(15, inputs, targets)
    print(f"epoch {resumed.epoch}, loss {loss:.6f} after a load; without one {expected:.6f}")
    if loss != expected:
        raise SystemExit("the loaded training went another way")
    resumed.save(path)
    print(f"saved again: {path}")

    # The weights alone, into a network that you have made: nothing but its state is replaced.
    sm.save(resumed.network.state_dict(), folder / "weights.safemodel")
    network = Network()
    report = sm.load(folder / "weights.safemodel", into=network)
    print(f"loaded into a network: {report}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
