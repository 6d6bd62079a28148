"""tar archives: headers that can be read in two ways are found, and every member is scanned."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol, cast

from safemodel.errors import BudgetError, DamagedError, LegacyError, UnreadableError
from safemodel.legacy import tar
from safemodel.legacy.content import HEAD, Stream, View
from safemodel.legacy.member_names import escapes, shown
from safemodel.legacy.tar import BLOCK, DEVICES, LINKS
from safemodel.report.model import Severity
from safemodel.scan.formats.tar_archive import TarArchive
from safemodel.scan.nested import section

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.legacy.tar import TarMember
    from safemodel.scan.scope import Scope

# Modules of this package that know a kind of tar archive (see tar_archive.py).
TAR_KINDS: Final[tuple[str, ...]] = ("torch_tar",)
# An archive in a compressed stream whose first member is called so is read as a whole for them.
_KIND_NAMES: Final = frozenset({"sys_info", "pickle", "storages", "tensors"})

_RULES: Final = {"disagreement": "SM415", "escape": "SM407", "name": "SM408"}
_STEP: Final = 1 << 20


class Kind(Protocol):
    """What the module of a kind of tar archive has."""

    def scan_tar(self, archive: TarArchive, scope: Scope) -> frozenset[str] | None: ...


def scan(content: Content, scope: Scope) -> bool:
    first = tar.parse_header(bytes(content.head(BLOCK)).ljust(BLOCK, b"\0"), 0)
    if first is None:
        if bytes(content.head(BLOCK))[257:262] != b"ustar":
            return False
        raise DamagedError("begins as a tar archive does, with a damaged header", offset=0)
    if not isinstance(content, View) and first.name.removeprefix("./") in _KIND_NAMES:
        content = View(content.view())
    _Tar(content, scope).scan()
    return True


class _Tar:
    """The scan of one archive, or of several behind one another."""

    def __init__(self, content: Content, scope: Scope) -> None:
        self._content = content
        self._scope = scope
        self._reader = content.reader()
        self._seen: set[str] = set()

    def scan(self) -> None:
        second = False
        while True:
            if isinstance(self._content, View):
                self._archive_at_hand(self._content)
            else:
                for member in tar.members(self._reader):
                    self._scope.budget.check_time()
                    if self._look(member):
                        self._scope.scan(member.name, self._passing(member))
            if not self._another() or second:
                break
            second = True
            self._scope.find(
                "SM415",
                "a second tar archive behind the end of the first",
                offset=self._reader.offset,
            )

    def _archive_at_hand(self, content: View) -> None:
        found: list[TarMember] = []
        try:
            for member in tar.members(self._reader):
                found.append(member)
                if not len(found) & 0xFF:
                    self._scope.budget.check_time()
                if len(found) > self._scope.budget.limits.members:
                    raise BudgetError(f"holds more than {len(found) - 1} members")
        except LegacyError as error:
            self._scope.unread(error)
        archive = TarArchive(content.data, found)
        known: set[TarMember] = set()
        for name in TAR_KINDS:
            kind = cast(Kind, importlib.import_module(f"safemodel.scan.formats.{name}"))
            dealt_with = kind.scan_tar(archive, self._scope)
            if dealt_with is not None:
                self._scope.fits(name)
                known.update(archive.members[each] for each in dealt_with)
        for member in found:
            self._scope.budget.check_time()
            if self._look(member) and member not in known:
                self._scope.scan(member.name, archive.content(member))

    def _look(self, member: TarMember) -> bool:
        """Report what is wrong with a member; whether it has data to scan."""
        for oddity in member.oddities:
            self._scope.find(_RULES[oddity.kind], oddity.message, offset=oddity.offset)
        at = member.header_offset
        name = shown(member.name)
        if member.kind in LINKS or member.kind in DEVICES:
            self._special(member)
        elif member.kind == "sparse file":
            message = f"{name} is a sparse file, which only some readers put together"
            self._scope.find("SM415", message, offset=at)
            self._scope.unread(UnreadableError(f"{name} is a sparse file", offset=at))
            return True
        elif member.kind == "file":
            if member.name in self._seen:
                message = f"{name} is there twice: the last one counts"
                self._scope.find("SM402", message, offset=at, severity=Severity.LOW)
            self._seen.add(member.name)
            size = self._content.size
            if size is not None and member.data_offset + member.size > size:
                self._scope.unread(DamagedError(f"{name} is cut off", offset=size))
            return True
        return False

    def _special(self, member: TarMember) -> None:
        what = f"{shown(member.name)} is a {member.kind}"
        link = member.kind in LINKS
        if link:
            what += f" to {shown(member.target)}"
        low = link and not escapes(member.target)
        self._scope.find(
            "SM414",
            what,
            offset=member.header_offset,
            severity=Severity.LOW if low else None,
        )

    def _passing(self, member: TarMember) -> Content:
        """The data of a member of a stream; its first reading goes on where the reader is."""
        start, size = member.data_offset, member.size
        head = bytes(self._reader.peek(min(size, HEAD)))
        if size <= len(head):
            return View(head)
        readers = [self._reader]

        def pieces() -> Iterator[bytes]:
            if readers:
                reader = readers.pop()
            else:
                reader = self._content.reader()
                reader.advance(start)
            left = size
            while left:
                reader.peek(1)
                piece = bytes(reader.window[reader.position :][: min(left, _STEP)])
                if not piece:
                    raise reader.error or DamagedError(
                        f"{shown(member.name)} is cut off", offset=reader.offset
                    )
                reader.advance(len(piece))
                left -= len(piece)
                yield piece

        return Stream(pieces, hold=self._scope.budget.hold, head=head)

    def _another(self) -> bool:
        """Go over zero bytes; whether another archive follows. Anything else is a finding."""
        reader = self._reader
        while block := bytes(reader.peek(BLOCK)):
            if any(block):
                break
            reader.advance(len(block))
            self._scope.budget.check_time()
        if reader.error is not None:
            raise reader.error
        if not block:
            return False
        if len(block) == BLOCK and tar.parse_header(block, 0) is not None:
            return True
        start = reader.offset
        size = self._content.size
        self._scope.find("SM405", "bytes behind the last member that are no header", offset=start)
        rest = section(self._content, start, None if size is None else size - start)
        self._scope.scan(f"<bytes from {start}>", rest)
        return False
