"""PyTorch's first format, before version 0.1.10: a tar archive of pickles and raw numbers.

`torch.load` still reads it. `storages` holds pickles with the data of a storage behind each,
`tensors` pickles with the sizes of a tensor behind each, and `pickle` refers to both by number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy.pickle_facts import Items, Stop
from safemodel.legacy.torch_storage import item_size, parse_source
from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded
from safemodel.scan.formats import pickle
from safemodel.scan.formats.behind import behind
from safemodel.scan.formats.torch_records import (
    STORAGE_NAMES,
    StorageNames,
    error_of,
    report_source,
)
from safemodel.scan.judge import Judge, Loader

if TYPE_CHECKING:
    from safemodel.legacy.content import Content, Reader
    from safemodel.legacy.pickle_facts import Persistent, Value
    from safemodel.scan.formats.tar_archive import TarArchive
    from safemodel.scan.names.entry import Entry
    from safemodel.scan.scope import Scope

_NEEDED: Final = ("storages", "tensors", "pickle")
_MAX_COUNT: Final = 1 << 24  # of storages or tensors
_TENSOR_MODULES: Final = frozenset({"torch", "torch.cuda", "torch.sparse", "torch.cuda.sparse"})
_MAX_DIMENSIONS: Final = 64


def scan_tar(archive: TarArchive, scope: Scope) -> frozenset[str] | None:
    """Judge the three members. None: the archive does not have them."""
    if not set(_NEEDED) <= {member.name for member in archive.all}:
        return None
    for member in archive.all:
        if member.name in _NEEDED and member.kind != "file":
            message = f"{member.name}, which torch.load extracts, is a {member.kind}"
            scope.find("SM414", message, offset=member.header_offset, severity=Severity.HIGH)
    for name, scan in (("storages", _storages), ("tensors", _tensors), ("pickle", _pickle)):
        member_ = archive.members.get(name)
        if member_ is None:
            continue
        try:
            inner = scope.enter(name)
        except LegacyError as error:
            scope.unread(error)
            continue
        try:
            scan(archive.content(member_), inner)
        except LegacyError as error:
            inner.unread(error)
    return frozenset(archive.members.keys() & set(_NEEDED))


def _storages(content: Content, scope: Scope) -> None:
    file = _File(content, scope)
    for _ in range(file.count()):
        parts = file.triple()
        item = item_size(parts[2])
        if item is None:
            raise DamagedError("a storage of an unknown type", offset=file.reader.offset)
        size = int.from_bytes(file.reader.read(8), "little", signed=True)
        if size < 0:
            raise DamagedError("a storage of negative size", offset=file.reader.offset)
        file.reader.advance(size * item)
    file.next()  # views of storages
    file.end()


def _tensors(content: Content, scope: Scope) -> None:
    file = _File(content, scope)
    for _ in range(file.count()):
        file.triple()
        dimensions = int.from_bytes(file.reader.read(8)[:4], "little", signed=True)
        if not 0 <= dimensions <= _MAX_DIMENSIONS:
            raise DamagedError("a tensor of too many dimensions", offset=file.reader.offset)
        file.reader.advance(16 * dimensions + 8)
    file.end()


def _pickle(content: Content, scope: Scope) -> None:
    loader = Loader("torch.load", persistent=_is_reference, known=STORAGE_NAMES)
    pickle.follow(content, scope, loader)


def _is_reference(fact: Persistent, scope: Scope) -> bool:
    if isinstance(fact.id, int | str | bytes):
        return True
    try:
        report_source(parse_source(fact.id), fact.offset, scope)
    except DamagedError as error:
        scope.find("SM154", bounded(error.message), offset=fact.offset)
    return True


class _TarNames(StorageNames):
    """Types of storages, and of tensors, which are only looked up."""

    def __getitem__(self, key: tuple[str, str]) -> Entry:
        module, name = key
        if module in _TENSOR_MODULES and name.endswith("Tensor"):
            return super().__getitem__((module, f"{name.removesuffix('Tensor')}Storage"))
        return super().__getitem__(key)


class _File:
    """A member that is read from its first byte to its last."""

    def __init__(self, content: Content, scope: Scope) -> None:
        self._content = content
        self._scope = scope
        self.reader: Reader = content.reader()
        self._loader = Loader("torch.load", known=_TarNames())

    def next(self) -> Value:
        """Judge the next pickle; what it makes.

        Raises:
            LegacyError: it could not be read to its end.
        """
        self._scope.budget.check_time()
        judged = Judge(self._scope, self._loader)
        end = judged.run(self.reader)
        judged.report(self._content)
        if isinstance(end, Stop):
            return end.value
        raise error_of(end)

    def count(self) -> int:
        """How many entries follow.

        Raises:
            LegacyError: the next pickle is no such number.
        """
        found = self.next()
        if type(found) is not int or not 0 <= found <= _MAX_COUNT:
            raise DamagedError("not a number of entries", offset=self.reader.offset)
        return found

    def triple(self) -> tuple[Value, Value, Value]:
        """The next entry.

        Raises:
            LegacyError: the next pickle is none.
        """
        found = self.next()
        if not isinstance(found, Items) or len(found.items) != 3:
            raise DamagedError("not an entry of three", offset=self.reader.offset)
        first, second, third = found.items
        return first, second, third

    def end(self) -> None:
        """Scan what is behind the last entry."""
        if self.reader.peek(1):
            start = self.reader.offset
            self._scope.find("SM157", "goes on behind its last entry", offset=start)
            self._scope.scan(f"<behind the entries, at {start}>", behind(self._content, start))
