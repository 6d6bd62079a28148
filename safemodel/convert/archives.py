"""The members of a ZIP archive, whole and checked: of .npz, skops and PyTorch files."""

from __future__ import annotations

from typing import Final

from safemodel.convert.sources import streamed
from safemodel.errors import DamagedError, UnreadableError, locating
from safemodel.legacy.compressed import Inflated
from safemodel.legacy.content import View
from safemodel.legacy.zip import parse_zip
from safemodel.legacy.zip_facts import ZipMember
from safemodel.scan.budget import Budget, Limits

_STORED: Final = 0
_DEFLATED: Final = 8


class Archive:
    """The members of an archive that all readers understand alike.

    Attributes:
        members: by name, in the order of the directory.
    """

    def __init__(self, data: memoryview, limits: Limits) -> None:
        """Parse it.

        Raises:
            LegacyError: damaged, or contradictory.
        """
        self._data = data
        self._budget = Budget(limits, len(data))
        facts = parse_zip(data, self._budget.check_time)
        if facts.problems:
            raise facts.problems[0]
        self.members: dict[str, ZipMember] = {}
        for member in facts.members:
            if not member.listed or member.name in self.members:
                raise DamagedError("an archive that readers take in several ways")
            self.members[member.name] = member

    def content(self, name: str) -> memoryview:
        """The bytes of a member: a range of the file, or in memory if they are compressed.

        Raises:
            LegacyError: not there, damaged, or compressed in a way that NumPy and skops do not use.
        """
        with locating(place=name):
            if name not in self.members:
                raise DamagedError("is not in the archive")
            return _content(self._data, self.members[name], self._budget)


def members_of(data: memoryview, limits: Limits) -> dict[str, memoryview]:
    """The bytes of every member, by name, in the order of the directory; in memory if compressed.

    Raises:
        LegacyError: damaged, contradictory, or in a way that NumPy and skops do not write.
    """
    archive = Archive(data, limits)
    return {name: archive.content(name) for name in archive.members}


def _content(data: memoryview, member: ZipMember, budget: Budget) -> memoryview:
    if member.encrypted or member.method not in (_STORED, _DEFLATED):
        raise UnreadableError("is encrypted, or compressed in a way that NumPy does not use")
    raw = data[member.data_offset : member.data_offset + member.compressed]
    if member.method == _DEFLATED:
        stream = Inflated("deflate", View(raw), budget.inflate)
        inflated = bytearray()
        for piece in stream.pieces():
            inflated += piece
            if len(inflated) > member.size:
                raise DamagedError("has more bytes than are declared")
        raw = memoryview(inflated)
    if len(raw) != member.size or _crc32(raw) != member.crc32:
        raise DamagedError("has another size or CRC-32 than is declared")
    return raw


def _crc32(data: memoryview) -> int:
    from isal import isal_zlib

    value = 0
    for piece in streamed(data):
        value = isal_zlib.crc32(piece, value)
    return value
