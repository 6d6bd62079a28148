"""Pretrain a network, give its encoder to another one, and train that: transfer learning.

python examples/transfer_learning.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

import safemodel as sm


class Network(nn.Module):
    """An encoder, and a head for as many classes as the task has."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU())
        self.head = nn.Linear(16, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(inputs))


def task(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points in a plane, and which sector of a circle each lies in."""
    points = torch.randn(512, 2)
    angle = torch.atan2(points[:, 1], points[:, 0]) / (2 * torch.pi) + 0.5
    return points, (angle * count).long().clamp(max=count - 1)


def train(network: nn.Module, classes: int, steps: int) -> float:
    """Train what wants a gradient; return the share of points that are then right."""
    points, sectors = task(classes)
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(wanted, lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(points), sectors).backward()
        optimizer.step()
    return (network(points).argmax(1) == sectors).float().mean().item()


def main(folder: Path) -> None:
    torch.manual_seed(0)
    pretrained = Network(classes=8)
    print(f"pretrained: {train(pretrained, 8, 200):.0%} of 8 sectors")
    path = folder / "pretrained.safemodel"
    sm.save(pretrained, path, metadata={"name": "examples/sectors", "version": "1.0"})

    # The encoder goes into a network with another head. Every name and shape is checked first, and
    # the tensors of the old head are not even read.
    network = Network(classes=3)
    report = sm.load(path, name="examples/sectors", into=network, only=["encoder.*"])
    print(f"loaded into the encoder: {report}")
    if not torch.equal(network.encoder[0].weight, pretrained.encoder[0].weight):
        raise SystemExit("the encoder is another one")

    # It is frozen, and the new head trained.
    network.encoder.requires_grad_(False)
    print(f"with a new head: {train(network, 3, 100):.0%} of 3 sectors")
    sm.save(network, folder / "tuned.safemodel", metadata={"name": "examples/thirds"})

    # Or the encoder alone, into an object that is nothing else: the prefix of its names is cut off.
    encoder = Network(classes=1).encoder
    report = sm.load(folder / "tuned.safemodel", into=encoder, prefix="encoder.")
    print(f"loaded into an encoder alone: {report}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
