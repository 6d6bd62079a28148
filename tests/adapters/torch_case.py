"""What a case of the tests of PyTorch is: a recipe of a module, and what it shows of itself."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A recipe of a module. `inputs` takes a size: that of the dynamic dimension, if there is one.

    `dynamic` is what `torch.export` takes as `dynamic_shapes`; `other_size` is another size that
    the graph takes. `no_graph` says why there can be none. `tolerance` is for graphs whose kernels
    are not those of the module: relative to the largest item of an output.
    """

    build: Callable[[], Any]
    inputs: Callable[[int], Any]
    dynamic: Any = None
    size: int = 3
    other_size: int = 5
    no_graph: str = ""
    tolerance: float = 0.0
    trains: bool = True
    needs: tuple[str, ...] = ()

    def example(self, size: int | None = None) -> Inputs:
        """Positional and named arguments."""
        torch.manual_seed(7)
        made = self.inputs(self.size if size is None else size)
        if isinstance(made, dict):
            return (), made
        return (made if isinstance(made, tuple) else (made,)), {}


def build(case: Case, seed: int = 1) -> Any:
    """The module of a case, in training mode."""
    torch.manual_seed(seed)
    return case.build()


def run(module: Any, example: Inputs) -> Any:
    """The outputs of a module for an example, with a seed for what is random in it."""
    args, kwargs = example
    torch.manual_seed(3)
    return module(*args, **kwargs)


def plain(outputs: Any) -> Any:
    """Outputs with every container as a list, a tuple or a dictionary."""
    if isinstance(outputs, Mapping):
        return {name: plain(value) for name, value in outputs.items()}
    if dataclasses.is_dataclass(outputs):
        names = [item.name for item in dataclasses.fields(outputs)]
        return {name: plain(getattr(outputs, name)) for name in names}
    if isinstance(outputs, list):
        return [plain(value) for value in outputs]
    return tuple(map(plain, outputs)) if isinstance(outputs, tuple) else outputs


def tensors(outputs: Any) -> list[Any]:
    """The tensors in whatever a module returns, in order."""
    leaves = pytree.tree_leaves(plain(outputs))
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def loss(outputs: Any) -> Any:
    """One number that depends on every output."""
    total = 0.0
    for tensor in tensors(outputs):
        if tensor.requires_grad:
            value = torch.view_as_real(tensor) if tensor.is_complex() else tensor
            total = total + (value.double() - 0.5).square().mean()
    return total


def train(module: Any, example: Inputs) -> None:
    """One step of gradient descent, in place."""
    module.train()
    parameters = [value for value in module.parameters() if value.requires_grad]
    optimizer = torch.optim.SGD(parameters, 0.05, momentum=0.9)
    optimizer.zero_grad()
    loss(run(module, example)).backward()
    optimizer.step()


def shown(module: Any, example: Inputs, trains: bool, other: Inputs | None = None) -> Any:
    """What a module shows of itself: outputs, state, and both again after a step of training."""
    found: dict[str, Any] = {"state": plain(module.state_dict())}
    found = copy.deepcopy(found)
    module.eval()
    with torch.no_grad():
        found["outputs"] = copy.deepcopy(plain(run(module, example)))
        if other is not None:
            found["other"] = copy.deepcopy(plain(run(module, other)))
    if trains:
        train(module, example)
        module.eval()
        with torch.no_grad():
            found["trained"] = plain(run(module, example))
        found["trained state"] = plain(module.state_dict())
    return found


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
    """What a module shows of itself, as digests."""
    found = shown(module, case.example(), case.trains)
    return {name: marks(value) for name, value in found.items()}


def difference(here: Any, there: Any, tolerance: float = 0.0, place: str = "") -> str:
    """Where two outputs are not the same, or the empty string."""
    if type(here) is not type(there):
        return f"{place}: {type(here)} and {type(there)}"
    if isinstance(here, torch.Tensor):
        return _tensor_difference(here.detach(), there.detach(), tolerance, place)
    if isinstance(here, dict):
        if list(here) != list(there):
            return f"{place}: {list(here)} and {list(there)}"
        here, there = list(here.items()), list(there.items())
    if isinstance(here, list | tuple):
        if len(here) != len(there):
            return f"{place}: {len(here)} and {len(there)}"
        found = (
            difference(a, b, tolerance, f"{place}.{number}")
            for number, (a, b) in enumerate(zip(here, there, strict=True))
        )
        return next(filter(None, found), "")
    return "" if here == there or here is there else f"{place}: {here!r} and {there!r}"


def _tensor_difference(here: Any, there: Any, tolerance: float, place: str) -> str:
    if mark(here) == mark(there):
        return ""
    if tolerance and here.shape == there.shape and here.is_floating_point():
        scale = max(float(here.abs().max()), 1.0)
        apart = float((here - there).abs().max()) / scale
        return "" if apart <= tolerance else f"{place}: {apart} apart"
    return f"{place}: {mark(here)} and {mark(there)}"
