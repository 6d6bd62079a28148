"""What the parser of ZIP archives says of one."""

from __future__ import annotations

from dataclasses import dataclass

from safemodel.errors import LegacyError
from safemodel.legacy.zip_records import ENCRYPTED


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One member, as one interpretation has it.

    Attributes:
        name: as zipfile has it: UTF-8 or code page 437, up to the first NUL.
        raw_name: the bytes of the name.
        method, flags, crc32: as in the header.
        compressed, size: bytes before and after decompression, as declared.
        header_offset, data_offset: of the local header and of the data.
        listed: whether a directory lists it; False where only a local header says so.
    """

    name: str
    raw_name: bytes
    method: int
    flags: int
    crc32: int
    compressed: int
    size: int
    header_offset: int
    data_offset: int
    listed: bool = True

    @property
    def is_folder(self) -> bool:
        """Whether it is an entry for a folder: nothing in it."""
        return self.name.endswith("/") and not self.compressed

    @property
    def encrypted(self) -> bool:
        """Whether its data are encrypted."""
        return bool(self.flags & ENCRYPTED)


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that no honest writer makes, or that readers take differently.

    `kind`: directories, disagreement, duplicate, escape, name, overlap, unlisted, gap, padding.
    """

    kind: str
    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class ZipFacts:
    """What a ZIP archive holds.

    Attributes:
        members: of all interpretations; those of the directory that zipfile reads first, in its
            order.
        gaps: runs of bytes, begin and end, that belong to no record and no member.
        comments: of the archive, begin and end; more than one with more than one end record.
        problems: why members may be missing here.
        prefix: how many bytes come before the first record.
        end: of the last record.
    """

    members: tuple[ZipMember, ...]
    oddities: tuple[Oddity, ...]
    gaps: tuple[tuple[int, int], ...]
    comments: tuple[tuple[int, int], ...]
    problems: tuple[LegacyError, ...]
    prefix: int
    end: int
