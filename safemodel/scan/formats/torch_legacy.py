"""PyTorch's format before version 1.6: four pickles, a list of keys, then the storages.

`torch.load` runs each of the five pickles, whatever the first ones hold; what is behind the last
storage it ignores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError
from safemodel.legacy.content import View
from safemodel.legacy.pickle_facts import Failure, Items, Stop
from safemodel.legacy.pickle_input import DIALECTS
from safemodel.legacy.pickle_machine import trace
from safemodel.scan.evidence import bounded
from safemodel.scan.formats.behind import behind
from safemodel.scan.formats.torch_records import Storages, error_of
from safemodel.scan.judge import PLAIN, Judge, Loader

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_FIRST: Final = 256  # bytes of the pickle of the magic number, which has 15
_COUNT: Final = 8  # bytes of the number of items in front of a storage


def scan(content: Content, scope: Scope) -> bool:
    """Judge the five pickles, and account for the storages and what is behind them."""
    if not _is_legacy(content):
        return False
    _File(content, scope).scan()
    return True


def _is_legacy(content: Content) -> bool:
    """Whether the first pickle is the magic number and nothing else, however it is written.

    What else a first pickle does is judged by the handler of pickles, with all that follow.
    """
    facts = list(trace(View(content.head(_FIRST)).reader()))
    if len(facts) != 1 or not isinstance(facts[0], Stop):
        return False
    value = facts[0].value
    return type(value) is int and value == MAGIC


class _File:
    """One file, read once from its first byte to its last."""

    def __init__(self, content: Content, scope: Scope) -> None:
        self._content = content
        self._scope = scope
        self._reader = content.reader()
        self._storages = Storages(lambda key: -1, name="torch.load")

    def scan(self) -> None:
        heads = [self._pickle(PLAIN) for _ in range(3)]
        if heads[1].value != _PROTOCOL:
            self._scope.find("SM157", "has another protocol than 1001", offset=heads[0].end)
        self._pickle(self._storages.loader)
        for key in self._keys():
            self._scope.budget.check_time()
            self._storage(key)
        start = self._reader.offset
        if self._reader.peek(1):
            self._scope.find("SM157", "goes on behind its last storage", offset=start)
            self._scope.scan(f"<behind the storages, at {start}>", behind(self._content, start))

    def _pickle(self, loader: Loader) -> Stop:
        """Judge the next pickle.

        Raises:
            LegacyError: it could not be read to its end.
        """
        start = self._reader.offset
        judged = Judge(self._scope, loader)
        end = judged.run(self._reader)
        judged.report(self._content)
        if judged.ambiguous:
            self._other_readings(start, loader)
        if isinstance(end, Failure):
            raise error_of(end)
        return end

    def _other_readings(self, start: int, loader: Loader) -> None:
        for dialect in DIALECTS[1:]:
            reader = self._content.reader()
            reader.advance(start)
            judged = Judge(self._scope, loader)
            judged.run(reader, dialect=dialect)
            judged.report(self._content)

    def _keys(self) -> list[str]:
        """The keys of the storages, in the order of their data."""
        again = self._content.reader()
        again.advance(self._reader.offset)
        end = self._pickle(PLAIN)
        *_, whole = trace(again, values=True, spend=self._scope.budget.spend_opcodes)
        keys = whole.value if isinstance(whole, Stop) else None
        if not isinstance(keys, Items) or not keys.complete:
            raise DamagedError("the keys of the storages are no list", offset=end.end)
        return [str(key) if isinstance(key, str | int) else "" for key in keys.items]

    def _storage(self, key: str) -> None:
        """Go over the data of one storage: how many items, then the items."""
        offset = self._reader.offset
        storage = self._storages.used.get(key)
        if storage is None:
            message = f"data of the storage {bounded(key)}, which no tensor has"
            raise DamagedError(message, offset=offset)
        count = int.from_bytes(self._reader.read(_COUNT), "little", signed=True)
        if count * storage.item != storage.size:
            message = f"storage {bounded(key)} has {storage.size} bytes, its data {count} items"
            raise DamagedError(message, offset=offset)
        self._reader.advance(storage.size)
