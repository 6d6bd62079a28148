"""A ZIP archive for the handlers of the formats that are ZIP archives: torch, Keras, npz, ...

Such a handler has, instead of `scan`,

    def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None

which returns the names of `archive.members` that it has dealt with, or None if the archive is not
of its kind. All other members, those of other interpretations included, are then scanned by what
their bytes suggest. It raises only `LegacyError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy.content import Stream, View
from safemodel.legacy.member_names import folded, shown
from safemodel.limits import MIB

if TYPE_CHECKING:
    from safemodel.legacy.codecs import Decoder
    from safemodel.legacy.compressed import Inflated
    from safemodel.legacy.zip_facts import ZipFacts, ZipMember
    from safemodel.scan.scope import Scope

MAX_READ: Final = 64 * MIB

_STORED: Final = 0
_LZMA: Final = 14
_CODECS: Final = {8: "deflate", 12: "bzip2", _LZMA: "lzma", 20: "zstd", 93: "zstd", 95: "xz"}
_METHODS: Final = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}


class Member(Stream):
    """The content of a compressed member."""

    __slots__ = ("_inflated",)

    def __init__(
        self,
        pieces: Callable[[], Iterator[bytes]],
        inflated: Inflated,
        hold: Callable[[int], None],
    ) -> None:
        super().__init__(pieces, hold=hold)
        self._inflated = inflated

    def finish(self) -> None:
        """Read to the end, if nobody did: what is wrong there has to be said, too.

        Raises:
            LegacyError: damaged, or beyond a budget.
        """
        if self._inflated.error is not None:
            raise self._inflated.error
        if not self._inflated.ended:
            for _ in self.pieces():
                pass

    @property
    def rest(self) -> View | None:
        """What is behind the end of the compressed data, once `finish` was called."""
        trailing = self._inflated.trailing
        return None if trailing is None else View(self._inflated.source.view()[trailing:])


class ZipArchive:
    """The members of an archive, and their content.

    Attributes:
        data: all bytes of the archive.
        facts: what the parser said of it.
        members: by name, as zipfile resolves them: of several with one name, the last.
        last_parts: the last parts of all names, in lower case.
    """

    __slots__ = ("_alike", "_scope", "data", "facts", "last_parts", "members")

    def __init__(self, data: memoryview, facts: ZipFacts, scope: Scope) -> None:
        self.data = data
        self._scope = scope
        self.facts = facts
        self.members: Mapping[str, ZipMember] = {
            member.name: member for member in facts.members if member.listed
        }
        alike: dict[str, list[ZipMember]] = {}
        for member in facts.members:
            alike.setdefault(folded(member.name), []).append(member)
        self._alike = alike
        self.last_parts = frozenset(name.rpartition("/")[2] for name in alike)

    def alike(self, name: str) -> tuple[ZipMember, ...]:
        """Every member that some reader takes for `name`: duplicates, other case, unlisted."""
        return tuple(self._alike.get(folded(name), ()))

    def content(self, member: ZipMember) -> View | Member:
        """The bytes of a member: random access where stored, a stream where compressed.

        A CRC-32 or size that is wrong is a finding (SM409), once all has been read.

        Raises:
            UnreadableError: encrypted, or a method for which there is no decoder.
        """
        if member.encrypted:
            raise UnreadableError("is encrypted", hint="decrypt the archive, then scan it again")
        data = self.data[member.data_offset : member.data_offset + member.compressed]
        if member.method == _STORED:
            return View(data)
        kind = _CODECS.get(member.method)
        if kind is None:
            word = _METHODS.get(member.method, f"method {member.method}")
            raise UnreadableError(
                f"is compressed with {word}",
                hint="unpack the archive, then scan what was in it",
            )
        inflated = self._inflated(member, kind, data)
        return Member(self._pieces(member, inflated), inflated, self._scope.budget.hold)

    def read(self, member: ZipMember, limit: int = MAX_READ) -> bytes:
        """All bytes of a member.

        Raises:
            BudgetError: more than `limit`.
            DamagedError, UnreadableError: as `content` and its stream.
        """
        content = self.content(member)
        too_many = BudgetError(f"{shown(member.name)} has more than {limit} bytes")
        if isinstance(content, View):
            if content.size > limit:
                raise too_many
            found = bytes(content.data)
            self.check(member, found)
            return found
        found_pieces = bytearray()
        for piece in content.pieces():
            found_pieces += piece
            if len(found_pieces) > limit:
                raise too_many
        return bytes(found_pieces)

    def check(self, member: ZipMember, data: memoryview | bytes) -> None:
        """Compare the CRC-32 of a stored member, given all its bytes."""
        self._compare(member, _crc32(data, 0), len(data))

    def _inflated(self, member: ZipMember, kind: str, data: memoryview) -> Inflated:
        from safemodel.legacy.compressed import Inflated

        make = partial(_zip_lzma, data) if member.method == _LZMA else None
        start = _lzma_start(data) if member.method == _LZMA else 0
        return Inflated(kind, View(data[start:]), self._scope.budget.inflate, make=make)

    def _pieces(self, member: ZipMember, inflated: Inflated) -> Callable[[], Iterator[bytes]]:
        def pieces() -> Iterator[bytes]:
            crc32 = size = 0
            for piece in inflated.pieces():
                crc32 = _crc32(piece, crc32)
                size += len(piece)
                yield piece
            self._compare(member, crc32, size)
            if inflated.trailing is not None and member.listed:
                self._scope.find(
                    "SM411",
                    f"{shown(member.name)}: bytes behind the end of its compressed data",
                    offset=member.data_offset,
                )

        return pieces

    def _compare(self, member: ZipMember, crc32: int, size: int) -> None:
        if not member.listed:  # its header may leave this to a descriptor
            return
        at = member.header_offset
        if size != member.size:
            message = f"{shown(member.name)} has {size} bytes, where {member.size} are declared"
            self._scope.find("SM409", message, offset=at)
        elif crc32 != member.crc32:
            self._scope.find("SM409", f"{shown(member.name)} has another CRC-32", offset=at)


def _crc32(data: memoryview | bytes, value: int) -> int:
    from isal import isal_zlib

    return isal_zlib.crc32(data, value)


def _lzma_start(data: memoryview) -> int:
    """Where the LZMA data begin: behind version, length of the properties, properties."""
    return 4 + int.from_bytes(data[2:4], "little")


def _zip_lzma(data: memoryview) -> Decoder:
    """A decoder of method 14. (The private function is the module's own way from properties.)"""
    import lzma

    properties = bytes(data[4 : _lzma_start(data)])
    if len(properties) != 5 or properties[0] >= 225:
        raise DamagedError("damaged LZMA properties")
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    size = int.from_bytes(properties[1:], "little")
    if size > 256 * MIB:
        raise BudgetError(f"an LZMA dictionary of {size} bytes")
    try:
        return lzma.LZMADecompressor(
            lzma.FORMAT_RAW,
            filters=[
                {
                    "id": lzma.FILTER_LZMA1,
                    "lc": lc,
                    "lp": lp,
                    "pb": pb,
                    "dict_size": max(size, 4096),
                }
            ],
        )
    except (lzma.LZMAError, ValueError):
        raise DamagedError("damaged LZMA properties") from None
