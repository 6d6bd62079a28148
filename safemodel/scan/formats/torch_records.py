"""What the formats of PyTorch have in common: storages, and how their pickles are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.torch_storage import ModuleSource, Storage, is_storage_type, parse_id
from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded
from safemodel.scan.judge import Loader
from safemodel.scan.names.entry import Entry

if TYPE_CHECKING:
    from safemodel.errors import LegacyError
    from safemodel.legacy.pickle_facts import Failure, Persistent
    from safemodel.scan.scope import Scope

_STORAGE: Final = Entry("constant")


class StorageNames(Mapping[tuple[str, str], Entry]):
    """`torch.load` takes the name of a storage type, of any module, for that type."""

    def __getitem__(self, key: tuple[str, str]) -> Entry:
        if is_storage_type(key[1]):
            return _STORAGE
        raise KeyError(key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(())

    def __len__(self) -> int:
        return 0


STORAGE_NAMES: Final = StorageNames()


class Storages:
    """The storages that a pickle refers to, checked against what the file has for them.

    Args:
        size: bytes that there are for a key; None where there are none; -1 where it can't be told.
        names: that the loader knows, besides the tables.

    Attributes:
        used: by key, in the order of the pickle.
    """

    def __init__(
        self,
        size: Callable[[str], int | None],
        *,
        name: str,
        names: Mapping[tuple[str, str], Entry] = STORAGE_NAMES,
    ) -> None:
        self._size = size
        self.used: dict[str, Storage] = {}
        self.loader = Loader(name, persistent=self._persistent, known=names)

    def _persistent(self, fact: Persistent, scope: Scope) -> bool:
        try:
            found = parse_id(fact.id)
        except DamagedError as error:
            scope.find("SM154", bounded(error.message), offset=fact.offset)
            return True
        if isinstance(found, ModuleSource):
            report_source(found, fact.offset, scope)
            return True
        first = self.used.setdefault(found.key, found)
        if first is found or found.size > first.size:
            self.used[found.key] = found
            self._check(found, fact.offset, scope)
        return True

    def _check(self, found: Storage, offset: int, scope: Scope) -> None:
        there = self._size(found.key)
        if there is None:
            message = f"storage {bounded(found.key)} has no data in the file"
            scope.find("SM157", message, offset=offset)
        elif 0 <= there < found.size:
            message = f"storage {bounded(found.key)} has {found.size} bytes, its data {there}"
            scope.find("SM155", message, offset=offset)
        elif there - found.size >= max(found.item, 1):
            message = f"storage {bounded(found.key)} has {found.size} bytes, its data {there}"
            scope.find("SM157", message, offset=offset, severity=Severity.LOW)


def report_source(found: ModuleSource, offset: int, scope: Scope) -> None:
    """Say that there is source text, if there is any."""
    if found.source_size:
        scope.find(
            "SM156",
            f"holds the source text of {bounded(found.cls.full_name)}",
            offset=offset,
            evidence=(("file", found.file),),
        )


def error_of(end: Failure) -> LegacyError:
    """The error for a pickle that could not be read to its end."""
    kind = BudgetError if end.budget else DamagedError
    return kind(end.message, offset=end.offset)
