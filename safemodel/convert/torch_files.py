"""Files of `torch.save`: ZIP archives, and what PyTorch wrote before version 1.6.

Storages are ranges of the file. They must have exactly the size that the pickle says, and one key
must mean the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safemodel.convert.archives import Archive
from safemodel.convert.torch_pickles import TorchPickle
from safemodel.convert.torch_storages import TYPES, Block, Blocks, Storage
from safemodel.convert.values import Interpreter, Made, Steps, only_called
from safemodel.errors import DamagedError, LegacyError, UnconvertibleError
from safemodel.legacy.content import Reader
from safemodel.legacy.pickle_facts import Blob, Failure, Items, Persistent, Stop, Value
from safemodel.legacy.pickle_machine import trace
from safemodel.legacy.torch_storage import Storage as StorageId
from safemodel.legacy.torch_storage import parse_id
from safemodel.scan.budget import Limits

_PICKLE: Final = "data.pkl"
_LITTLE: Final = b"little"
_HEADS: Final = 3  # pickles before the object: magic number, protocol, sizes of types
_NESTED: Final = "torch.storage._load_from_bytes"
_COUNT: Final = 8  # bytes of the number of items in front of a storage


class Storages:
    """The storages of a file, by key.

    Attributes:
        blocks: gives them their addresses.
    """

    def __init__(
        self, data: Callable[[StorageId], memoryview], blocks: Blocks | None = None
    ) -> None:
        """`data`: the bytes of a storage; `blocks`: those of the file that this one is in."""
        self.blocks = blocks or Blocks()
        self._data = data
        self._known: dict[str, tuple[StorageId, Block]] = {}

    def find(self, wanted: StorageId) -> Storage:
        """What an id stands for.

        Raises:
            UnconvertibleError: another id says something else of the same storage.
            LegacyError: its bytes are not there.
        """
        known = self._known.get(wanted.key)
        if known is None:
            meta = wanted.location.partition(":")[0] == "meta"
            data = memoryview(b"") if meta else self._data(wanted)
            known = self._known[wanted.key] = wanted, self.blocks.add(data)
        first, block = known
        if (first.kind, first.size) != (wanted.kind, wanted.size):
            raise UnconvertibleError(f"two descriptions of the storage {wanted.key:.60}")
        dtype = TYPES.get(wanted.kind)
        start, stop = wanted.view or (0, wanted.size)
        if dtype is None:
            raise UnconvertibleError(f"a storage of the type {wanted.kind:.60}")
        return Storage(block, start, stop - start, dtype, wanted.location)


def root_of(archive: Archive) -> str:
    """The folder of the first member, where PyTorch looks for its records.

    Raises:
        DamagedError: there is none, or the numbers are of another order of bytes.
    """
    root, slash, _ = next(iter(archive.members), "").partition("/")
    if not slash:
        raise DamagedError("its members are in no folder")
    check_order(archive, root)
    return root


def check_order(archive: Archive, root: str) -> None:
    """Refuse numbers whose first byte is the largest. PyTorch ignores the case of names.

    Raises:
        UnconvertibleError: they are.
    """
    named = f"{root}/byteorder".lower()
    found = [name for name in archive.members if name.lower() == named]
    if any(bytes(archive.content(name)) != _LITTLE for name in found):
        raise UnconvertibleError(
            "is of a machine with another order of bytes",
            hint="load it with torch.load(weights_only=True), and save that with safemodel.save",
        )


def members(archive: Archive, folder: str) -> Storages:
    """The storages that are members of a folder."""

    def data(wanted: StorageId) -> memoryview:
        found = archive.content(f"{folder}/{wanted.key}")
        if len(found) != wanted.size:
            raise DamagedError(
                f"has {len(found)} bytes, and the pickle says {wanted.size}",
                place=f"{folder}/{wanted.key:.60}",
            )
        return found

    return Storages(data)


def read_zip(data: memoryview, limits: Limits) -> Any:
    """The object in an archive of `torch.save`, of stand-ins.

    Raises:
        UnconvertibleError: part of it has no interpretation.
        LegacyError: it is damaged.
    """
    archive = Archive(data, limits)
    root = root_of(archive)
    name = f"{root}/{_PICKLE}"
    if name not in archive.members:
        raise UnconvertibleError("is an archive of files", hint="convert the files in it")
    if not all(member.startswith(f"{root}/") for member in archive.members):
        raise UnconvertibleError("has members in several folders, which PyTorch does not write")
    storages = members(archive, f"{root}/data")
    pickle = TorchPickle(archive.content(name), storages.blocks, storages.find)
    return pickle.whole()


def read_pickle(data: memoryview) -> Any:
    """The object in a pickle or joblib file with tensors of PyTorch, of stand-ins.

    Raises:
        UnconvertibleError, LegacyError: as `read_zip`.
    """
    blocks = Blocks()

    def nested(made: Made, work: Interpreter) -> Steps:
        """`_load_from_bytes(bytes)`: a file in the pickle, of a single storage."""
        only_called(made)
        (content,) = made.arguments
        raw = work.raw(content) if isinstance(content, Blob) else (yield content, "")
        if type(raw) not in (bytes, memoryview):
            raise UnconvertibleError("a storage in a form that PyTorch does not write")
        return read_legacy(memoryview(raw), blocks)

    def find(wanted: StorageId) -> Storage:
        raise UnconvertibleError(
            "asks its loader for objects by persistent id, outside of an archive"
        )

    return TorchPickle(data, blocks, find, more={_NESTED: nested}).whole()


def read_legacy(data: memoryview, blocks: Blocks | None = None) -> Any:
    """The object in a file of PyTorch before 1.6, of stand-ins.

    Args:
        blocks: those of the file that this one is in.

    Raises:
        UnconvertibleError, LegacyError: as `read_zip`.
    """
    reader = Reader(data)
    for _ in range(_HEADS):
        _value(reader)
    ranges: dict[str, memoryview] = {}

    def bytes_of(wanted: StorageId) -> memoryview:
        if wanted.key not in ranges:
            raise DamagedError(f"the storage {wanted.key:.60} is not in the file")
        return ranges[wanted.key]

    storages = Storages(bytes_of, blocks)
    pickle = _Legacy(data, storages.blocks, storages.find)
    root = pickle.traced(reader)
    keys = _value(reader)
    if not isinstance(keys, Items) or keys.kind != "list":
        raise DamagedError("the keys of the storages are no list")
    for key in keys.items:
        name = str(key) if type(key) in (str, int) else ""
        if name not in pickle.ids or name in ranges:
            raise DamagedError("data of a storage that no tensor has, or that came before")
        wanted = pickle.ids[name]
        count = int.from_bytes(reader.read(_COUNT), "little", signed=True)
        if count * wanted.item != wanted.size:
            raise DamagedError(f"a storage of {wanted.size} bytes has {count} items")
        ranges[name] = reader.read(wanted.size)
    if reader.offset != len(data):
        raise UnconvertibleError(f"{len(data) - reader.offset} bytes behind the storages")
    return pickle.run(root)


class _Legacy(TorchPickle):
    """A pickle whose storages come behind it.

    Attributes:
        ids: of all storages that it refers to, by key.
    """

    def __init__(
        self, data: memoryview, blocks: Blocks, find: Callable[[StorageId], Storage]
    ) -> None:
        self.ids: dict[str, StorageId] = {}
        super().__init__(data, blocks, find)

    def traced(self, reader: Reader) -> Value:
        """The value of the pickle where the reader is."""
        return self._trace(reader)

    def _asked(self, fact: Persistent) -> None:
        try:
            found = parse_id(fact.id)
        except LegacyError as error:
            raise UnconvertibleError(error.message) from None
        if isinstance(found, StorageId):
            self.ids.setdefault(found.key, found)


def _value(reader: Reader) -> Value:
    """The plain value of the pickle where the reader is.

    Raises:
        DamagedError: it has none.
    """
    for fact in trace(reader, values=True):
        if isinstance(fact, Stop):
            return fact.value
        if isinstance(fact, Failure):
            raise DamagedError(fact.message, offset=fact.offset)
    raise DamagedError("a pickle without an end", offset=reader.offset)
