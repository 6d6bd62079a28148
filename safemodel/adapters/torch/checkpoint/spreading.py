"""States whose tensors are in shards, made ready for the objects that take them.

Implements spec/checkpoints.md, "Shards".
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from safemodel.adapters.torch.checkpoint.shards import Sharded, fitted, is_spread, whole


def fitted_state(state: Any, obj: Any) -> Any:
    """The state of an object with each tensor as the object has it: whole, or spread like its own.

    Raises:
        NotCoveredError: shards are missing.
        ArchitectureError: shards overlap.
    """
    if not isinstance(state, dict):
        return state  # which `into.compare` refuses
    if isinstance(obj, torch.nn.Module):
        return _module_state(state, obj)
    if isinstance(obj, torch.optim.Optimizer):
        return _optimizer_state(state, obj)
    return assembled(state)


def _module_state(state: Any, module: Any) -> Any:
    own = module.state_dict()
    changed = {
        key: fitted(value, own.get(key))
        for key, value in state.items()
        if isinstance(value, Sharded)
        or (isinstance(value, torch.Tensor) and is_spread(own.get(key)))
    }
    return _replaced(state, changed)


def _optimizer_state(state: Any, optimizer: Any) -> Any:
    groups, entries = state.get("param_groups"), state.get("state")
    if type(groups) is not list or type(entries) is not dict:
        return assembled(state)
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    numbers = [
        number
        for group in groups
        if type(group) is dict and type(group.get("params")) is list
        for number in group["params"]
        if type(number) is int
    ]
    mine = dict(zip(numbers, parameters, strict=False))
    made = {
        number: _entry(entry, mine.get(number) if type(number) is int else None)
        for number, entry in entries.items()
    }
    return {**state, "state": made, "param_groups": assembled(groups)}


def _entry(entry: Any, parameter: Any) -> Any:
    if type(entry) is not dict:
        return assembled(entry)
    changed: dict[Any, Any] = {}
    for key, value in entry.items():
        like = isinstance(value, (Sharded, torch.Tensor)) and parameter is not None
        if like and is_spread(parameter) and tuple(value.shape) == tuple(parameter.shape):
            changed[key] = fitted(value, parameter)
        elif not isinstance(value, torch.Tensor):
            changed[key] = assembled(value)
    return {**entry, **changed}


def _replaced(state: Any, changed: dict[Any, Any]) -> Any:
    """A copy of a state dict, with its versions, in which some values are others."""
    made: Any = OrderedDict() if isinstance(state, OrderedDict) else {}
    made.update(state)
    made.update(changed)
    if isinstance(state, OrderedDict) and hasattr(state, "_metadata"):
        made._metadata = state._metadata
    return made


def assembled(value: Any) -> Any:
    """Plain containers in which every tensor in shards is put together.

    What holds none stays the object that it was.

    Raises:
        NotCoveredError: shards are missing.
        ArchitectureError: shards overlap, or lie in something other than plain containers.
    """
    return _Assembly().of(value, 0)


class _Assembly:
    def __init__(self) -> None:
        self._done: dict[int, Any] = {}

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, Sharded):
            if id(value) not in self._done:
                self._done[id(value)] = whole(value)
            return self._done[id(value)]
        if not isinstance(value, (dict, list, tuple)) or id(value) in self._done:
            return self._done.get(id(value), value)
        if depth > _MAX_DEPTH:
            return value
        self._done[id(value)] = value  # for what holds itself
        made = self._container(value, depth + 1)
        self._done[id(value)] = made
        return made

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            changed = {
                key: made
                for key, item in value.items()
                if (made := self.of(item, depth)) is not item
            }
            return _replaced(value, changed) if changed else value
        items = [self.of(item, depth) for item in value]
        if all(made is item for made, item in zip(items, value, strict=True)):
            return value
        return type(value)(items)


_MAX_DEPTH = 100
