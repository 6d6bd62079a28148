"""A tar archive for the handlers of the formats that are tar archives.

Such a handler has, instead of `scan`,

    def scan_tar(archive: TarArchive, scope: Scope) -> frozenset[str] | None

which returns the names of `archive.members` that it has dealt with, or None if the archive is not
of its kind. All other members are then scanned by what their bytes suggest. It raises only
`LegacyError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from safemodel.errors import BudgetError
from safemodel.legacy.content import View
from safemodel.legacy.member_names import shown
from safemodel.limits import MIB

if TYPE_CHECKING:
    from safemodel.legacy.tar import TarMember


class TarArchive:
    """The members of an archive that is all at hand, and their content.

    Attributes:
        all: in the order of the archive.
        members: the files by name, as tarfile resolves them: of several with one name, the last.
    """

    __slots__ = ("_data", "all", "members")

    def __init__(self, data: memoryview, members: Sequence[TarMember]) -> None:
        self._data = data
        self.all = tuple(members)
        self.members: Mapping[str, TarMember] = {m.name: m for m in members if m.kind == "file"}

    def content(self, member: TarMember) -> View:
        """The bytes of a file."""
        return View(self._data[member.data_offset : member.data_offset + member.size])

    def read(self, member: TarMember, limit: int = 64 * MIB) -> bytes:
        """All bytes of a file.

        Raises:
            BudgetError: more than `limit`.
        """
        content = self.content(member)
        if content.size > limit:
            raise BudgetError(f"{shown(member.name)} has more than {limit} bytes")
        return bytes(content.data)
