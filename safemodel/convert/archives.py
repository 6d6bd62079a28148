"""The members of a ZIP archive, whole and checked: of .npz and skops files."""

from __future__ import annotations

from typing import Final

from safemodel.errors import DamagedError, UnreadableError, locating
from safemodel.legacy.compressed import Inflated
from safemodel.legacy.content import View
from safemodel.legacy.zip import parse_zip
from safemodel.legacy.zip_facts import ZipMember
from safemodel.scan.budget import Budget, Limits

_STORED: Final = 0
_DEFLATED: Final = 8


def members_of(data: memoryview, limits: Limits) -> dict[str, memoryview]:
    """The bytes of every member, by name, in the order of the directory; in memory if compressed.

    Raises:
        LegacyError: damaged, contradictory, or in a way that NumPy and skops do not write.
    """
    budget = Budget(limits, len(data))
    facts = parse_zip(data, budget.check_time)
    if facts.problems:
        raise facts.problems[0]
    found: dict[str, memoryview] = {}
    for member in facts.members:
        if not member.listed or member.name in found:
            raise DamagedError("an archive that readers take in several ways")
        with locating(place=member.name):
            found[member.name] = _content(data, member, budget)
    return found


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
    from isal import isal_zlib

    if len(raw) != member.size or isal_zlib.crc32(raw, 0) != member.crc32:
        raise DamagedError("has another size or CRC-32 than is declared")
    return raw
