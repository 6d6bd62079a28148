"""Modules and optimizers that were pickled whole: their state, as their `state_dict` gives it.

Such a pickle has the attributes of each module, and `state_dict` is code of PyTorch's own that
looks at three of them. That code is followed here. A class that makes its state dict in a way of
its own would give something else: those of PyTorch that do are refused, and of other classes
nobody can know.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from safemodel.convert.torch_tensors import Tensor
from safemodel.errors import UnconvertibleError

_MAX_MODULES: Final = 100_000  # visited, shared ones again and again
_MAX_PREFIX: Final = 4096
_MAX_NAMES: Final = 32 << 20  # characters of all names of a state dict, and some for each entry
_ENTRY: Final = 64
_MAX_PARAMETERS: Final = 500_000  # of an optimizer, shared groups again and again

# Attributes of a module that its state dict is made of, or that change how.
PARTS: Final = ("_parameters", "_buffers", "_modules")
BESIDES: Final = ("_non_persistent_buffers_set",)
HOOKS: Final = ("_state_dict_hooks", "_state_dict_pre_hooks")
OPTIMIZER: Final = ("state", "param_groups", "defaults")

# Classes of PyTorch whose state dict has another version than 1.
VERSIONS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            *(f"torch.nn.modules.batchnorm.BatchNorm{axes}d" for axes in (1, 2, 3)),
            *(f"torch.nn.modules.batchnorm.LazyBatchNorm{axes}d" for axes in (1, 2, 3)),
            *(f"torch.nn.modules.instancenorm.InstanceNorm{axes}d" for axes in (1, 2, 3)),
            *(f"torch.nn.modules.instancenorm.LazyInstanceNorm{axes}d" for axes in (1, 2, 3)),
            "torch.nn.modules.batchnorm.SyncBatchNorm",
        ),
        2,
    )
}
# Packages with classes that make their state dict themselves, and what of them does not.
OWN_STATE: Final = (
    *("torch.ao.", "torch.fx.", "torch.jit.", "torch.nn.intrinsic.", "torch.nn.qat."),
    *("torch.nn.quantizable.", "torch.nn.quantized.", "torch.quantization."),
)
USUAL_STATE: Final = ("torch.ao.nn.intrinsic.modules.fused.", "torch.ao.quantization.stubs.")


class Opaque:
    """An object of any other class, which is never looked into."""

    __module__ = "torch"
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(slots=True, eq=False)
class Module:
    """A module: the attributes that its state dict is made of.

    Attributes:
        name: qualified, of its class.
        parameters, buffers, modules: by name, in the order in which they were added.
        transient: names of buffers that are not part of the state dict.
        hooks: whether there are any that change it.
        scripted: whether it is one of TorchScript, whose state dict is always the usual one.
        state: all of the state dict, where the file has nothing else.
    """

    name: str
    parameters: Mapping[Any, Any] = field(default_factory=dict)
    buffers: Mapping[Any, Any] = field(default_factory=dict)
    modules: Mapping[Any, Any] = field(default_factory=dict)
    transient: frozenset[Any] = frozenset()
    hooks: bool = False
    scripted: bool = False
    state: OrderedDict[str, Any] | None = None


Module.__module__ = "torch.nn"


@dataclass(slots=True, eq=False)
class Optimizer:
    """An optimizer: its state by parameter, its groups."""

    name: str
    state: Mapping[Any, Any] = field(default_factory=dict)
    groups: list[Any] = field(default_factory=list)


Optimizer.__module__ = "torch.optim"


def state_dict(module: Module) -> OrderedDict[str, Any]:
    """What `module.state_dict()` gives (torch/nn/modules/module.py).

    Raises:
        UnconvertibleError: it is made by code that is not here.
    """
    if module.state is not None:
        return module.state
    found: OrderedDict[str, Any] = OrderedDict()
    versions: OrderedDict[str, Any] = OrderedDict()
    vars(found)["_metadata"] = versions
    pending: list[tuple[str, Any]] = [("", module)]
    visits = 0
    room = _MAX_NAMES
    while pending:
        prefix, one = pending.pop()
        visits += 1
        _check(one)
        room -= _names_of(one, prefix)
        if visits > _MAX_MODULES or len(prefix) > _MAX_PREFIX or room < 0:
            raise UnconvertibleError("modules in one another far more often than models have them")
        versions[prefix[:-1]] = {"version": _version(one)}
        for name, value in (*one.parameters.items(), *one.buffers.items()):
            if value is not None and not (name in one.transient and name in one.buffers):
                found[_key(prefix, name)] = _detached(value)
        children = [(_key(prefix, name) + ".", child) for name, child in one.modules.items()]
        pending += [pair for pair in reversed(children) if pair[1] is not None]
    return found


def _names_of(module: Module, prefix: str) -> int:
    """Characters of the names in a module, and some for each, before any is made."""
    names = (*module.parameters, *module.buffers, *module.modules, "")
    return sum(len(prefix) + len(name) + _ENTRY for name in names if type(name) is str)


def _version(module: Module) -> int:
    return 1 if module.scripted else VERSIONS.get(module.name, 1)


def _key(prefix: str, name: Any) -> str:
    if type(name) is not str:
        raise UnconvertibleError("a module with a part whose name is no string")
    return prefix + name


def _check(module: Any) -> None:
    if type(module) is not Module:
        raise UnconvertibleError("a module with a part that is none")
    name = module.name
    if module.hooks:
        raise UnconvertibleError(f"a {name} whose state dict is changed by hooks, which are code")
    own = name.startswith(OWN_STATE) and not name.startswith(USUAL_STATE)
    if own and not module.scripted:
        raise UnconvertibleError(
            f"a {name}, which makes its state dict by code of its own",
            hint="load it where you trust it, and save its state_dict() with safemodel.save",
        )


def _detached(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise UnconvertibleError("a parameter or buffer that is no tensor")
    return value.bare()


def packed(optimizer: Optimizer) -> dict[str, Any]:
    """What `optimizer.state_dict()` gives (torch/optim/optimizer.py).

    Raises:
        UnconvertibleError: groups that no optimizer has.
    """
    numbers: dict[int, int] = {}
    groups = []
    start = work = 0
    for group in optimizer.groups:
        if type(group) is not dict or type(group.get("params")) is not list:
            raise UnconvertibleError("an optimizer whose groups have no parameters")
        params = group["params"]
        work += len(params) + len(group)
        if work > _MAX_PARAMETERS:
            raise UnconvertibleError("far more parameters than optimizers have")
        kept = {key: value for key, value in group.items() if key != "params"}
        for index, one in enumerate(params, start):
            numbers.setdefault(id(one), index)
        start += len(params)
        groups.append({**kept, "params": [numbers[id(one)] for one in params]})
    state = {
        (numbers.get(id(key), key) if isinstance(key, Tensor) else key): value
        for key, value in optimizer.state.items()
    }
    return {"state": state, "param_groups": groups}
