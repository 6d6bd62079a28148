"""Persistent ids of PyTorch: which storage a tensor of a checkpoint has, and how long it is.

`torch.load` makes a storage of what a pickle's persistent id says: ("storage", type, key, location,
number of items) and, in the oldest format, a view of it; there also ("module", class, source file,
source text). Anything else in an id is an object whose methods the loader may call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError
from safemodel.legacy.pickle_facts import Blob, Global, Items, Value

# storage type -> bytes of an item (torch/storage.py, _dtype_to_storage_type_map)
ITEM_SIZES: Final = {
    "UntypedStorage": 1,
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "BFloat16Storage": 2,
    "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8,
    "QInt8Storage": 1,
    "QInt32Storage": 4,
    "QUInt8Storage": 1,
    "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1,
}
_UNTYPED: Final = frozenset({"torch", "torch.storage"})
MAX_STORAGE: Final = 1 << 48
_ID_LENGTHS: Final = {5: False, 6: True}


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage that a pickle refers to.

    Attributes:
        key: names the member `data/KEY`, or its turn in the list of keys.
        item: bytes of one item.
        size: bytes of all of it.
        location: a device, such as `cpu` or `cuda:0`.
        kind: the name of its type, such as `FloatStorage`.
        view: in the oldest format: first and last byte (exclusive) of the part that is meant.
    """

    key: str
    item: int
    size: int
    location: str
    kind: str = ""
    view: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A class with the source text it had when it was saved, which `torch.load` compares with the
    source that it has now, and may write the difference to a file."""

    cls: Global
    file: str
    source_size: int


def is_storage_type(name: str) -> bool:
    """Whether `torch.load` takes a global of this name, of any module, for a type of storage and
    does not look it up."""
    return name in ITEM_SIZES and name != "UntypedStorage"


def parse_id(value: Value) -> Storage | ModuleSource:
    """What a persistent id says.

    Raises:
        DamagedError: it is none that `torch.save` writes.
    """
    if not isinstance(value, Items) or value.kind != "tuple" or not value.complete:
        raise DamagedError("a persistent id that is not a tuple")
    kind = _text(value.items[0]) if value.items else ""
    if kind == "storage" and value.count in _ID_LENGTHS:
        return _storage(value)
    if kind == "module" and value.count == 4:
        return _module(value)
    raise DamagedError("a persistent id that is neither a storage nor a module")


def module_class(value: Value) -> Global | None:
    """The class in the persistent id of a class with its source; None if it is none."""
    try:
        found = parse_id(value)
    except DamagedError:
        return None
    return found.cls if isinstance(found, ModuleSource) else None


def _text(value: Value) -> str:
    """A string; Python 2 saved some as bytes."""
    if isinstance(value, bytes) and value.isascii():
        return value.decode("ascii")
    return value if isinstance(value, str) else ""


def _storage(value: Items) -> Storage:
    storage_type, key, location, count = value.items[1:5]
    item = item_size(storage_type)
    name = str(key) if type(key) is int else _text(key)
    if item is None:
        raise DamagedError("a storage of a type that PyTorch does not have")
    if not name or not _text(location):
        raise DamagedError("a storage whose key or location is not a string")
    if type(count) is not int or not 0 <= count * item <= MAX_STORAGE:
        raise DamagedError("a storage with an impossible number of items")
    view = _view(value.items[5], count, item) if _ID_LENGTHS[value.count] else None
    kind = storage_type.name if isinstance(storage_type, Global) else ""
    return Storage(name, item, count * item, _text(location), kind, view)


def item_size(value: Value) -> int | None:
    """Bytes of an item of a storage type; None if it is none."""
    if not isinstance(value, Global):
        return None
    if value.name == "UntypedStorage" and value.module not in _UNTYPED:
        return None
    return ITEM_SIZES.get(value.name)


def _view(value: Value, count: int, item: int) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, Items) or value.count != 3 or len(value.items) != 3:
        raise DamagedError("a view of a storage that is no triple")
    key, offset, size = value.items
    if not isinstance(key, str | bytes | int):
        raise DamagedError("a view of a storage whose key is not a string")
    if type(offset) is not int or type(size) is not int:
        raise DamagedError("a view of a storage without sizes")
    if offset < 0 or size < 0 or offset + size > count:
        raise DamagedError("a view that leaves its storage")
    return offset * item, (offset + size) * item


def _module(value: Items) -> ModuleSource:
    return parse_source(Items("tuple", value.items[1:], 3))


def parse_source(value: Value) -> ModuleSource:
    """A class, its source file and its source.

    Raises:
        DamagedError: it is something else.
    """
    if not isinstance(value, Items) or value.kind != "tuple" or len(value.items) != 3:
        raise DamagedError("a module that is not described by three values")
    cls, file, source = value.items
    if not isinstance(cls, Global):
        raise DamagedError("a module whose class is not named")
    # both may be None, where there was no source
    text = str | bytes | None
    if not isinstance(file, text) or not isinstance(source, text | Blob):
        raise DamagedError("a module whose source is not text")
    length = source.size if isinstance(source, Blob) else len(source or "")
    return ModuleSource(cls, _text(file), length)
