"""What a case of the tests of PyTorch is: a recipe of a module, and what it shows of itself."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils import _pytree as pytree

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A recipe of a module. `inputs` takes a size: that of the dynamic dimension, if there is one.

    `dynamic` is what `torch.export` takes as `dynamic_shapes`. `stateful`: it has no parameters
    that a loss reaches. `no_graph` says why `torch.export` refuses it. `tolerance` is for graphs
    whose kernels differ from those of the module: relative, to the largest output.
    """

    build: Callable[[], Any]
    inputs: Callable[[int], Any]
    dynamic: Any = None
    size: int = 3
    other_size: int = 5
    no_graph: str = ""
    tolerance: float = 0.0
    trains: bool = True
    loss: Callable[[Any], Any] | None = None
    needs: tuple[str, ...] = field(default=())

    def example(self, size: int | None = None, seed: int = 7) -> Inputs:
        """Positional and named arguments."""
        torch.manual_seed(seed)
        made = self.inputs(self.size if size is None else size)
        if isinstance(made, dict):
            return (), made
        return (made if isinstance(made, tuple) else (made,)), {}


def build(case: Case, seed: int = 1) -> Any:
    """The module of a case, in training mode."""
    torch.manual_seed(seed)
    return case.build()


def run(case: Case, module: Any, size: int | None = None) -> Any:
    """The outputs of a module for the example, with a seed for what is random in it."""
    args, kwargs = case.example(size)
    torch.manual_seed(3)
    return module(*args, **kwargs)


def tensors(outputs: Any) -> list[Any]:
    """The tensors in whatever a module returns, in order."""
    if dataclasses.is_dataclass(outputs) and not isinstance(outputs, Mapping):
        outputs = [getattr(outputs, item.name) for item in dataclasses.fields(outputs)]
        return [tensor for value in outputs for tensor in tensors(value)]
    return [leaf for leaf in pytree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]


def loss(case: Case, outputs: Any) -> Any:
    """One number that depends on every output."""
    if case.loss is not None:
        return case.loss(outputs)
    total = 0.0
    for tensor in tensors(outputs):
        if tensor.requires_grad:
            value = torch.view_as_real(tensor) if tensor.is_complex() else tensor
            total = total + (value.double() - 0.5).square().mean()
    return total


def train(case: Case, module: Any, size: int | None = None) -> None:
    """One step of gradient descent, in place."""
    parameters = [value for value in module.parameters() if value.requires_grad]
    optimizer = torch.optim.SGD(parameters, 0.05, momentum=0.9)
    optimizer.zero_grad()
    loss(case, run(case, module, size)).backward()
    optimizer.step()


def mark(value: Any) -> str:
    """A digest of a tensor's type, shape and bits."""
    value = value.detach()
    if value.is_quantized:
        value = value.int_repr()
    value = value.to_dense() if value.layout is not torch.strided else value
    value = value.resolve_conj().resolve_neg().contiguous()
    data = value.flatten().view(torch.uint8) if value.numel() else torch.empty(0, dtype=torch.uint8)
    digest = hashlib.sha256(bytes(data.numpy())).hexdigest()[:20]
    return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)} {digest}"


def marks(outputs: Any) -> list[str]:
    """Digests of all tensors of an output."""
    return [mark(tensor) for tensor in tensors(outputs)]


def life(case: Case, module: Any) -> dict[str, list[str]]:
    """What a module shows of itself: outputs in both modes, state, and the same a step later."""
    found = {}
    module.eval()
    with torch.no_grad():
        found["eval"] = marks(run(case, module))
    module.train()
    if case.trains:
        train(case, module)
        module.eval()
        with torch.no_grad():
            found["trained"] = marks(run(case, module))
        module.train()
    found["state"] = [
        f"{name} {mark(value)}"
        for name, value in module.state_dict().items()
        if isinstance(value, torch.Tensor)
    ]
    return found
