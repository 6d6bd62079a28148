"""TorchScript archives: the state of their modules, without their code.

Which attributes of a module are parameters, buffers and modules is said by the declarations at the
head of its class in the code of the archive; nothing else of the code is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from safemodel.convert.archives import Archive
from safemodel.convert.torch_files import members, root_of
from safemodel.convert.torch_modules import Module, Opaque
from safemodel.convert.torch_pickles import TorchPickle, attributes_of
from safemodel.convert.torch_storages import Blocks, Storage
from safemodel.convert.torch_tensors import Tensor
from safemodel.convert.values import Interpreter, Made, Steps
from safemodel.errors import UnconvertibleError
from safemodel.legacy.torch_storage import Storage as StorageId
from safemodel.scan.budget import Limits

_PREFIX: Final = "__torch__."
_MANGLED: Final = re.compile(r"___torch_mangle_[0-9]+\.")
_CLASS: Final = re.compile(r"class ([A-Za-z_]\w*)\(Module\):", re.ASCII)
_LIST: Final = re.compile(r"  __(parameters|buffers)__ = \[(.*)\]", re.ASCII)
_NAME: Final = re.compile(r'"([^"\\]*)", ', re.ASCII)
_PLAIN: Final = re.compile(r"  ([A-Za-z_]\w*) : (.+)", re.ASCII)
_QUOTED: Final = re.compile(r'  __annotations__\["([^"\\]*)"\] = (.+)')
_CONSTANT: Final = "Final["  # in the code, not in the state
_MAX_SOURCE: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Declared:
    """What a class of modules declares.

    Attributes:
        lists: names of `parameters` and of `buffers`, as far as it has such lists.
        types: of all attributes, by name.
    """

    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def is_parameter(self, name: str) -> bool:
        """Whether an attribute is a parameter."""
        return name in self.lists.get("parameters", ())

    def is_buffer(self, name: str) -> bool:
        """Whether one is a buffer: before PyTorch 1.5 all other tensors are."""
        if "buffers" in self.lists:
            return name in self.lists["buffers"]
        return self.types[name] == "Tensor" and not self.is_parameter(name)


def declared_in(source: str) -> dict[str, Declared]:
    """The classes of modules in a source, by name."""
    found: dict[str, Declared] = {}
    current: Declared | None = None
    for line in source.split("\n"):
        opened = _CLASS.fullmatch(line)
        if opened:
            current = found[opened.group(1)] = Declared()
        elif not line.startswith("  ") or line.startswith("  def "):
            current = None
        elif current is not None:
            names = _LIST.fullmatch(line)
            attribute = _PLAIN.fullmatch(line) or _QUOTED.fullmatch(line)
            if names:
                current.lists[names.group(1)] = frozenset(_NAME.findall(names.group(2)))
            elif attribute and not attribute.group(2).startswith(_CONSTANT):
                current.types[attribute.group(1)] = attribute.group(2)
    return found


class Sources:
    """The declarations in the code of an archive, each source read once."""

    def __init__(self, archive: Archive, root: str) -> None:
        self._archive = archive
        self._root = root
        self._read: dict[str, dict[str, Declared]] = {}

    def find(self, name: str) -> Declared | None:
        """What the class of a qualified name declares; None if it is no module."""
        module, _, last = name.rpartition(".")
        path = f"{self._root}/code/{module.replace('.', '/')}.py"
        if path not in self._archive.members:
            return None
        if path not in self._read:
            content = self._archive.content(path)
            if len(content) > _MAX_SOURCE:
                raise UnconvertibleError("a source of far more than is ever written", place=path)
            self._read[path] = declared_in(str(content, "utf-8", "replace"))
        return self._read[path].get(last)


class _ScriptPickle(TorchPickle):
    """The pickle of the modules."""

    def __init__(
        self,
        data: memoryview,
        blocks: Blocks,
        find: Callable[[StorageId], Storage],
        sources: Sources,
    ) -> None:
        self._sources = sources
        super().__init__(data, blocks, find)

    def _other(self, made: Made, work: Interpreter) -> Steps:
        declared = self._sources.find(made.name) if made.name.startswith(_PREFIX) else None
        if declared is None:
            yield from ()
            return Opaque(made.name)
        name = _MANGLED.sub("", made.name.removeprefix(_PREFIX))
        found = Module(name, scripted=True)
        work.know(made.value, found)
        kept = attributes_of(made.value.state)
        if not made.new or not kept.keys() >= declared.types.keys():
            raise UnconvertibleError(f"a {name} whose state is made by code of its own")
        parts: tuple[dict[Any, Any], ...] = {}, {}, {}
        for attribute, kind in declared.types.items():
            number = 0 if declared.is_parameter(attribute) else 1
            if number and not declared.is_buffer(attribute):
                if not kind.startswith(_PREFIX):
                    continue
                number = 2
            value = yield kept[attribute], attribute
            if isinstance(value, Module if number == 2 else Tensor):
                parts[number][attribute] = value
        found.parameters, found.buffers, found.modules = parts
        return found


def read_script(data: memoryview, limits: Limits) -> Any:
    """The module in an archive of `torch.jit.save`, of stand-ins.

    Raises:
        UnconvertibleError: part of its state has no interpretation.
        LegacyError: it is damaged.
    """
    archive = Archive(data, limits)
    root = root_of(archive)
    name = f"{root}/data.pkl"
    if name not in archive.members:
        raise UnconvertibleError(
            "is TorchScript of PyTorch before 1.4", hint="load it there, and save its state_dict()"
        )
    storages = members(archive, f"{root}/data")
    sources = Sources(archive, root)
    pickle = _ScriptPickle(archive.content(name), storages.blocks, storages.find, sources)
    found = pickle.whole()
    if type(found) is not Module:
        raise UnconvertibleError("is TorchScript whose root is no module")
    return found
