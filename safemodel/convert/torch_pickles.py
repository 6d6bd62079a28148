"""Pickles of PyTorch: the rules that turn what they call into stand-ins.

Rebuilding functions, storages by their persistent ids, dtypes and their like are known by name.
Whatever else the scan let through is opaque: it may be an attribute of a module, where nobody
looks, and is refused by name where it would have to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from safemodel.convert import arrays, containers, torch_plain
from safemodel.convert.pickles import RULES, Unpickled, WithWrappers
from safemodel.convert.torch_modules import (
    BESIDES,
    HOOKS,
    OPTIMIZER,
    PARTS,
    Module,
    Opaque,
    Optimizer,
)
from safemodel.convert.torch_rebuilding import MAKERS, Maker
from safemodel.convert.torch_storages import Blocks, Storage
from safemodel.convert.torch_tensors import (
    Device,
    Generator,
    Strided,
    Without,
    odd,
    with_attributes,
)
from safemodel.convert.values import NOTHING, Interpreter, Made, Rule, Steps, only_called
from safemodel.errors import DamagedError, UnconvertibleError
from safemodel.legacy.pickle_facts import Global, Pairs, Persistent, Value
from safemodel.legacy.torch_storage import ModuleSource, parse_id
from safemodel.legacy.torch_storage import Storage as StorageId

Find = Callable[[StorageId], Storage]


class TorchPickle(Unpickled):
    """The interpretation of a pickle of PyTorch.

    Attributes:
        blocks: gives addresses to what is copied.
    """

    def __init__(
        self,
        data: memoryview,
        blocks: Blocks,
        find: Find,
        *,
        more: Mapping[str, Rule] | None = None,
    ) -> None:
        """`find`: the storage of a persistent id; `more`: rules besides those for all files."""
        self.blocks = blocks
        self._find = find
        self._opaque: dict[str, Opaque] = {}
        super().__init__(data, more=more)

    def _rules(self) -> Mapping[str, Rule]:
        fixed: dict[str, Rule] = {**RULES, **torch_plain.RULES}
        fixed.update({name: self._made_by(maker) for name, maker in MAKERS.items()})
        fixed["torch._tensor._rebuild_from_type_v2"] = self._of_type
        fixed["torch._C.Generator"] = fixed["torch.Generator"] = self._generator
        fixed.update(self._more)
        return _Rules(WithWrappers(fixed, self._wrapper), self._other)

    def _named(self, name: str) -> Any:
        for table in (containers.NAMES.get(name, NOTHING), arrays.name_of(name)):
            if table is not NOTHING:
                return table
        if name in torch_plain.NAMES:
            return torch_plain.NAMES[name]
        return self._opaque.setdefault(name, Opaque(name))

    def _asked(self, fact: Persistent) -> None:
        """Ids are looked at when all storages are known."""

    def _persistent(self, key: Value) -> Any:
        try:
            found = parse_id(key)
        except DamagedError as error:
            raise UnconvertibleError(error.message) from None
        if isinstance(found, ModuleSource):
            return Opaque(found.cls.full_name)
        return self._find(found)

    # Tensors

    def _made_by(self, maker: Maker) -> Rule:
        def rule(made: Made, work: Interpreter) -> Steps:
            only_called(made)
            arguments = yield from work.arguments(made)
            return maker(self.blocks, arguments)

        return rule

    def _of_type(self, made: Made, work: Interpreter) -> Steps:
        """`_rebuild_from_type_v2(function, type, arguments, state)`."""
        only_called(made)
        function, kind, *others = made.arguments
        names = [one.full_name if isinstance(one, Global) else "" for one in (function, kind)]
        arguments, state = yield from work.each(others)
        maker = MAKERS.get(names[0])
        if maker is None or type(arguments) is not tuple:
            raise odd()
        found = maker(self.blocks, list(arguments))
        if names[1] not in _TYPES:
            return Without(f"a tensor of the class {names[1]:.200}")
        if _TYPES[names[1]] and not found.parameter:
            raise odd("a parameter")
        return with_attributes(found, state)

    def _generator(self, made: Made, work: Interpreter) -> Steps:
        """A generator: its device, and as its state a seed, an offset, a tensor."""
        value = made.value
        if made.new or value.mutations or len(made.arguments) > 1:
            raise odd("a generator")
        given = yield from work.arguments(made)
        state = yield value.state, "state"
        device = given[0] if given else Device("cpu")
        if type(device) is not Device or type(state) is not tuple or len(state) != 3:
            raise odd("a generator")
        tensor = state[2]
        if type(tensor) is not Strided or tensor.dtype != "uint8" or len(tensor.shape) != 1:
            raise odd("a generator")
        _check_random(tensor.items().tobytes())
        block = self.blocks.add(memoryview(tensor.items().tobytes()))
        storage = Storage(block, 0, len(block.data), "uint8", "cpu")
        return Generator(device.name, Strided(storage, "uint8", 0, tensor.shape, (1,)))

    # Everything else

    def _other(self, made: Made, work: Interpreter) -> Steps:
        """An object of a class that no table has: a module, an optimizer, or opaque."""
        state = made.value.state
        kept = attributes_of(state)
        if made.new and kept.keys() >= set(PARTS):
            return self._module(made, work, kept)
        if made.new and kept.keys() >= set(OPTIMIZER):
            return self._optimizer(made, work, kept)
        return _opaque(made.name)

    def _module(self, made: Made, work: Interpreter, kept: Mapping[str, Value]) -> Steps:
        found = Module(made.name)
        work.know(made.value, found)
        parts = []
        for name in PARTS:
            part = yield kept[name], name
            if not isinstance(part, dict):
                raise odd("a module")
            parts.append(part)
        found.parameters, found.buffers, found.modules = parts
        for name in (one for one in BESIDES if one in kept):
            transient = yield kept[name], name
            if type(transient) is not set:
                raise odd("a module")
            found.transient = frozenset(transient)
        for name in (one for one in HOOKS if one in kept):
            hooks = yield kept[name], name
            found.hooks |= bool(hooks)
        return found

    def _optimizer(self, made: Made, work: Interpreter, kept: Mapping[str, Value]) -> Steps:
        found = Optimizer(made.name)
        work.know(made.value, found)
        state = yield kept["state"], "state"
        groups = yield kept["param_groups"], "param_groups"
        if not isinstance(state, dict) or type(groups) is not list:
            raise odd("an optimizer")
        found.state, found.groups = state, groups
        return found


def _opaque(name: str) -> Steps:
    yield from ()
    return Opaque(name)


def attributes_of(state: Value) -> dict[str, Value]:
    """The attributes of a state, by name; of two with one name the later."""
    if not isinstance(state, Pairs):
        return {}
    return {key: value for key, value in state.items if type(key) is str}


def _check_random(raw: bytes) -> None:
    """Refuse a state that a generator can't be in (spec/object-graph.md, "PyTorch kinds")."""
    if len(raw) != _RANDOM_STATE:
        raise odd("a generator")
    left, seeded = np.frombuffer(raw, "<i4", 2, 8).tolist()
    following = int(np.frombuffer(raw, "<u8", 1, 16)[0])
    fresh = (left, following) == (1, 0)
    if seeded != 1 or not (fresh or (1 <= left <= 624 and left + following == 625)):
        raise UnconvertibleError("a state that a generator can't be in")


_RANDOM_STATE: Final = 5056  # bytes: ATen/CPUGeneratorImpl.cpp
# Classes of tensors -> whether they are parameters.
_TYPES: Final = {
    "torch.Tensor": False,
    "torch._tensor.Tensor": False,
    "torch.nn.parameter.Parameter": True,
}


class _Rules(Mapping[str, Rule]):
    """A table of rules, and one for every other name."""

    def __init__(self, fixed: Mapping[str, Rule], other: Rule) -> None:
        self._fixed = fixed
        self._other = other

    def __getitem__(self, name: str) -> Rule:
        return self._fixed.get(name, self._other)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fixed)

    def __len__(self) -> int:
        return len(self._fixed)
