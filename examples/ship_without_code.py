"""Save a network with its graph, and run and train it where its class does not exist.

python examples/ship_without_code.py [FOLDER]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

import safemodel as sm


class Reader(nn.Module):
    """A small transformer over words, for any number of texts of any length."""

    def __init__(self, words: int = 100, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.words(words)).mean(1))


# What somebody does who has the archive, and none of the code above.
ELSEWHERE = """
import sys
import torch
import safemodel as sm

model = sm.load(sys.argv[1], name="examples/reader")
words = sm.load(sys.argv[2])
sm.save(model.eval()(words).detach(), sys.argv[3])

model.train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
before = model(words).square().mean()
before.backward()
optimizer.step()
model.eval()
print(f"trained on elsewhere: {len(list(model.named_parameters()))} parameters")
"""


def main(folder: Path) -> None:
    torch.manual_seed(0)
    model = Reader()
    path = folder / "reader.safemodel"
    # The inputs show how it is called; the sizes that have a name may be others later.
    sizes = {0: torch.export.Dim("texts", max=1024), 1: torch.export.Dim("length", max=512)}
    sm.save(
        model,
        path,
        example_inputs=(torch.zeros(2, 8, dtype=torch.int64),),
        dynamic_shapes=(sizes,),
        metadata={"name": "examples/reader", "version": "1.0"},
    )
    print(f"saved with its graph: {path}")

    words = torch.randint(0, 100, (5, 12))  # other sizes than in the example
    sm.save(words, folder / "words.safemodel")
    arguments = [str(folder / f"{name}.safemodel") for name in ("reader", "words", "answers")]
    subprocess.run([sys.executable, "-c", ELSEWHERE, *arguments], check=True)
    answers = sm.load(folder / "answers.safemodel")
    model.eval()
    difference = (answers - model(words)).abs().max().item()
    print(f"the largest difference of the answers: {difference:g}")
    if difference > 1e-5:
        raise SystemExit("the graph gives something else than the module")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
