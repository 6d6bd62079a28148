"""ZIP archives as every reader of them would understand them, and where those differ.

The directory says which members there are; so do the local headers, and a file may have more than
one directory. Members of all these interpretations are listed, whatever contradicts them, and each
contradiction is an `Oddity`. Every byte of the file is accounted for: it belongs to a record, to a
member, or to a gap. Decompresses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import zip_records as records
from safemodel.legacy.member_names import escapes, folded, has_controls, shown
from safemodel.legacy.search import is_filler, no_tick, occurrences
from safemodel.legacy.zip_facts import Oddity, ZipFacts, ZipMember
from safemodel.legacy.zip_records import End, Header

MAX_MEMBERS: Final = 200_000
MAX_ODDITIES: Final = 20  # of one kind
_COMPARED_FLAGS: Final = records.ENCRYPTED | records.UTF8 | records.HIDDEN
_KNOWN_METHODS: Final = frozenset({0, 1, 2, 3, 4, 5, 6, 8, 9, 12, 14, 20, 93, 95, 96, 97, 98, 99})


def parse_zip(data: memoryview, tick: Callable[[], None] = no_tick) -> ZipFacts:
    """Say what a ZIP archive holds. `tick` is called now and then, and may raise.

    Raises:
        DamagedError: neither an end record nor a local header: no ZIP archive.
    """
    return _Parser(data, tick).parse()


class _Parser:
    """The parse of one archive: collects members, oddities and the regions that are spoken for."""

    def __init__(self, data: memoryview, tick: Callable[[], None]) -> None:
        self.data = data
        self.tick = tick
        self.members: list[ZipMember] = []
        self.oddities: list[Oddity] = []
        self.problems: list[LegacyError] = []
        self.regions: list[tuple[int, int]] = []  # of records
        self.extents: dict[int, tuple[int, str]] = {}  # header offset -> end of member, name
        self.comments: list[tuple[int, int]] = []
        self.counts: dict[str, int] = {}
        self.known: set[tuple[object, ...]] = set()
        self.headers = 0
        self.full = False

    def parse(self) -> ZipFacts:
        directories = self._directories()
        for start, stop, count, shift in directories:
            self._directory(start, stop, count, shift)
        gaps = self._gaps()
        if not self.members and not self.regions:
            raise DamagedError("no ZIP archive: neither an end record nor a local header")
        self._names()
        begins = [begin for begin, _ in self.regions] + list(self.extents)
        ends = [end for _, end in self.regions] + [end for end, _ in self.extents.values()]
        return ZipFacts(
            tuple(self.members),
            tuple(self.oddities),
            tuple(gaps),
            tuple(self.comments),
            tuple(self.problems),
            min(begins),
            max(ends),
        )

    def odd(self, kind: str, message: str, offset: int) -> None:
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        if count <= MAX_ODDITIES:
            self.oddities.append(Oddity(kind, message, offset))

    def _directories(self) -> list[tuple[int, int, int, int]]:
        """Start, stop, count and shift of every directory that an end record leads to."""
        found: dict[int, tuple[int, int, int, int]] = {}
        ends = list(records.ends(self.data))
        for end in ends:
            self.regions.append((end.offset, end.stop))
            if end.offset + records.END_SIZE < end.stop:
                self.comments.append((end.offset + records.END_SIZE, end.stop))
            if end.zip64:
                self.regions.append((end.first, end.first + records.ZIP64_END_SIZE))
                at = end.offset - records.LOCATOR_SIZE
                self.regions.append((at, end.offset))
            if end.cut:
                self.odd(
                    "disagreement", "a comment that ends behind the end of the file", end.offset
                )
            if end.disks:
                self.odd("disagreement", "the end record speaks of several disks", end.offset)
            for directory in self._starts(end):
                found.setdefault(directory[0], directory)
        if ends and not found and any(end.count or end.size for end in ends):
            self.problems.append(
                DamagedError("the end record leads to no directory", offset=ends[0].offset)
            )
        if not ends:
            self.problems.append(
                DamagedError(
                    "a ZIP archive without its end record",
                    offset=len(self.data),
                    hint="was it downloaded completely",
                )
            )
        if len(found) > 1:
            where = ", ".join(str(start) for start in found)
            message = f"{len(found)} directories, at bytes {where}: readers choose differently"
            self.odd("directories", message, ends[0].offset)
        return list(found.values())

    def _starts(self, end: End) -> Iterator[tuple[int, int, int, int]]:
        """Where the directory may be: right before the end records, or where they say."""
        adjusted = end.first - end.size
        for start, shift in {adjusted: adjusted - end.directory, end.directory: 0}.items():
            stop = start + end.size
            if not end.size or start < 0 or stop > len(self.data):
                continue
            if bytes(self.data[start : start + 4]) == records.CENTRAL_SIGNATURE:
                yield start, stop, end.count, shift

    def _directory(self, start: int, stop: int, count: int, shift: int) -> None:
        at = start
        found = 0
        while (header := records.central(self.data, at, stop)) is not None:
            if self._is_full(at):
                return
            self._listed(header, header.local + shift)
            at = header.stop
            found += 1
        self.regions.append((start, min(at, stop)))
        if found != count or at != stop:
            message = f"a directory of {count} members and {stop - start} bytes"
            self.odd("disagreement", f"{message} holds {found} in {at - start}", start)

    def _is_full(self, at: int) -> bool:
        self.headers += 1
        if not self.headers & 0x3FF:
            self.tick()
        if self.headers <= MAX_MEMBERS:
            return False
        if not self.full:
            self.full = True
            self.problems.append(BudgetError(f"holds more than {MAX_MEMBERS} members", offset=at))
        return True

    def _listed(self, header: Header, offset: int) -> None:
        """Take in a member of a directory, and compare it with its local header."""
        name = _decoded(header)
        local = records.local(self.data, offset)
        if local is None:
            self.odd("disagreement", f"{shown(name)} has no local header", header.offset)
            return
        if not self._add(header, local.stop, offset, name):
            return
        used = 0
        end = local.stop + header.compressed
        if end > len(self.data):
            self.problems.append(
                DamagedError(f"{shown(name)} ends behind the end of the file", offset=offset)
            )
            end = len(self.data)
        elif (header.flags | local.flags) & records.DESCRIPTOR:
            used = records.descriptor(self.data, end, header.crc32, header.compressed, header.size)
        for problem in _differences(header, local, used):
            self.odd("disagreement", f"{shown(name)}: {problem}", offset)
        if offset in self.extents:
            other = self.extents[offset][1]
            self.odd("overlap", f"{shown(other)} and {shown(name)} share their data", offset)
        self.extents[offset] = (max(end + used, self.extents.get(offset, (0, ""))[0]), name)
        sizes = (local.method, local.compressed, local.size)
        if not local.flags & records.DESCRIPTOR or any(sizes[1:]):
            if sizes != (header.method, header.compressed, header.size):
                self._add(local, local.stop, offset, _decoded(local), listed=False)
        elif local.method != header.method:
            self._add(header, local.stop, offset, name, listed=False, method=local.method)

    def _add(
        self,
        header: Header,
        data_offset: int,
        offset: int,
        name: str,
        *,
        listed: bool = True,
        method: int | None = None,
    ) -> bool:
        method = header.method if method is None else method
        key = (header.raw_name, offset, method, header.compressed, header.size, header.flags)
        if key in self.known:
            return False
        self.known.add(key)
        compressed = max(0, min(header.compressed, len(self.data) - data_offset))
        self.members.append(
            ZipMember(
                *(name, header.raw_name, method, header.flags, header.crc32),
                *(compressed, header.size, offset, data_offset, listed),
            )
        )
        return True

    def _gaps(self) -> list[tuple[int, int]]:
        """Find what no record and no member covers, and members that overlap."""
        spans = [(begin, stop, "") for begin, stop in self.regions]
        spans += [(begin, stop, name) for begin, (stop, name) in self.extents.items()]
        spans.sort()
        spans.append((len(self.data), len(self.data), ""))
        gaps: list[tuple[int, int]] = []
        cursor, covering = 0, ""
        for begin, stop, name in spans:
            if begin > cursor:
                gaps.extend(self._search(cursor, begin))
            elif begin < cursor and name and begin:
                other = shown(covering) if covering else "a record of the archive"
                self.odd("overlap", f"{shown(name)} begins inside of {other}", begin)
            if stop > cursor:
                cursor, covering = stop, name
        return gaps

    def _search(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Look for members in a gap that no directory lists; what is left is a gap."""
        at = start = self._lost_directory(start, stop)
        for place in occurrences(self.data, records.LOCAL_SIGNATURE, start, stop, self.tick):
            header = records.local(self.data, place) if place >= at else None
            if header is None or header.method not in _KNOWN_METHODS or not header.raw_name:
                continue
            if self._is_full(place):
                break
            if place > at:
                yield self._gap(at, place)
            at = self._lost_directory(self._unlisted(header, stop), stop)
        if at < stop:
            yield self._gap(at, stop)

    def _lost_directory(self, start: int, stop: int) -> int:
        """Go over headers of a directory that no end record leads to; where they end."""
        at = start
        while (header := records.central(self.data, at, stop)) is not None:
            at = min(header.stop, stop)
        if at > start and self.regions:
            self.odd("gap", "a directory that no end record leads to", start)
        return at

    def _unlisted(self, header: Header, stop: int) -> int:
        """Take in a member that only its local header tells of; where it ends."""
        name = _decoded(header)
        end = header.stop + header.compressed
        if header.flags & records.DESCRIPTOR and not header.compressed:
            end = _next_record(self.data, header.stop, stop, self.tick)
            header = _resized(header, end - header.stop)
        else:
            end = min(end, stop)
        if header.flags & records.DESCRIPTOR:
            end = min(stop, end + _loose_descriptor(self.data, end))
        if self.regions:  # else there is no directory, and that has been said
            self.odd("unlisted", f"{shown(name)} is in no directory", header.offset)
        self._add(header, header.stop, header.offset, name, listed=False)
        self.extents[header.offset] = (end, name)
        return end

    def _gap(self, start: int, stop: int) -> tuple[int, int]:
        count = stop - start
        if is_filler(self.data, start, stop, self.tick):
            self.odd("padding", f"{count} zero bytes that belong to no member", start)
        else:
            where = "before the first record" if not start else "that belong to no member"
            if stop == len(self.data):
                where = "after the archive"
            self.odd("gap", f"{count} bytes {where}", start)
        return start, stop

    def _names(self) -> None:
        """Names that come twice, that lead out of the folder, or that readers take differently."""
        seen: dict[str, ZipMember] = {}
        for member in self.members:
            if member.listed:
                self._name(member)
                key = folded(member.name)
                if key in seen:
                    self._twice(seen[key], member)
                else:
                    seen[key] = member

    def _name(self, member: ZipMember) -> None:
        at = member.header_offset
        if escapes(member.name):
            self.odd("escape", f"{shown(member.name)} leads out of the folder", at)
        raw = member.raw_name
        if b"\0" in raw:
            whole = raw.decode("utf-8", "replace")
            self.odd("name", f"a name with a NUL byte: {shown(whole)}", at)
        elif has_controls(member.name):
            self.odd("name", f"a name with control characters: {shown(member.name)}", at)

    def _twice(self, one: ZipMember, other: ZipMember) -> None:
        names = f"{shown(one.name)} and {shown(other.name)}"
        if one.name == other.name:
            names = f"{shown(one.name)} is there twice"
            if (one.crc32, one.size) == (other.crc32, other.size):
                names += ", with the same content"
        else:
            names += " are the same to readers that ignore case"
        self.odd("duplicate", names, other.header_offset)


def _decoded(header: Header) -> str:
    text = header.raw_name.decode("utf-8" if header.flags & records.UTF8 else "cp437", "replace")
    return text.split("\0", 1)[0]


def _differences(header: Header, local: Header, descriptor: int) -> Iterable[str]:
    """What the directory and the local header say differently."""
    if header.raw_name != local.raw_name:
        yield f"its local header calls it {shown(_decoded(local))}"
    if header.method != local.method:
        yield f"method {header.method} in the directory, {local.method} in the local header"
    if (header.flags ^ local.flags) & _COMPARED_FLAGS:
        yield f"flags {header.flags:#06x} in the directory, {local.flags:#06x} in the local header"
    for said in (header, local):
        name = said.unicode_name
        if name is not None and name != said.raw_name and name != _decoded(said).encode():
            yield f"a second name, {shown(name.decode('utf-8', 'replace'))}"
    listed = (header.crc32, header.compressed, header.size)
    here = (local.crc32, local.compressed, local.size)
    later = bool(local.flags & records.DESCRIPTOR)
    if listed != here and not (later and here == (0, 0, 0)) and not local.flags & records.HIDDEN:
        yield (
            "CRC-32 and sizes {:08x}, {}, {} in the directory, {:08x}, {}, {} in the local header"
        ).format(*listed, *here)
    if later and not descriptor and header.compressed:
        yield "no data descriptor that agrees with the directory"
    if not header.method and header.compressed != header.size:
        yield f"stored without compression, yet {header.size} bytes in {header.compressed}"


def _next_record(data: memoryview, start: int, stop: int, tick: Callable[[], None]) -> int:
    """Where data of unknown length end at the latest: at the next signature."""
    signatures = (records.DESCRIPTOR_SIGNATURE, records.LOCAL_SIGNATURE)
    for place in occurrences(data, b"PK", start, stop, tick):
        if bytes(data[place : place + 4]) in signatures:
            return place
    return stop


def _loose_descriptor(data: memoryview, at: int) -> int:
    return 16 if bytes(data[at : at + 4]) == records.DESCRIPTOR_SIGNATURE else 0


def _resized(header: Header, compressed: int) -> Header:
    return Header(
        *(header.offset, header.stop, header.raw_name, header.flags, header.method),
        *(header.crc32, compressed, header.size, header.local),
        *(header.unicode_name, header.zip64),
    )
