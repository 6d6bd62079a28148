"""tar archives, header by header, as Python's tarfile goes through them.

Old (v7), ustar, GNU (long names, sparse) and pax headers. Reads forwards only, so that an archive
inside of a compressed stream need not be in memory. What other readers would take differently is
an `Oddity`. Where the headers end, by two zero blocks or by something that is no header, the caller
has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.member_names import escapes, has_controls, shown

if TYPE_CHECKING:
    from safemodel.legacy.content import Reader

BLOCK: Final = 512
MAX_EXTENDED: Final = 1 << 20  # of a long name or of pax records
_MAX_CHAIN: Final = 64  # extended headers before one member
_MAX_SPARSE: Final = 10_000  # blocks of an old GNU sparse map

_KINDS: Final = {
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "character device",
    b"4": "block device",
    b"5": "folder",
    b"6": "pipe",
    b"S": "sparse file",
}
_EMPTY: Final = frozenset(_KINDS.values()) - {"sparse file"}  # no data follow, whatever the size
LINKS: Final = frozenset({"hard link", "symbolic link"})
DEVICES: Final = frozenset({"character device", "block device", "pipe"})


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that readers take differently, or that should not be there.

    `kind`: disagreement, escape, name.
    """

    kind: str
    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class TarMember:
    """One member.

    Attributes:
        kind: file, folder, hard link, symbolic link, sparse file, or a kind of device.
        size: bytes of data that follow the header.
        target: of a link.
        header_offset: of its own header, behind extended ones.
    """

    name: str
    kind: str
    size: int
    target: str
    header_offset: int
    data_offset: int
    oddities: tuple[Oddity, ...] = ()

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.data_offset + -(-self.size // BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class _Header:
    """A block, taken apart."""

    offset: int
    name: str
    size: int
    kind: bytes
    target: str
    extended: bool  # an old GNU sparse map goes on


def members(reader: Reader) -> Iterator[TarMember]:
    """The members in turn; before the next one is asked for, the reader may go on in the data.

    Afterwards the reader is behind the last member and the zero block that ends the archive, or
    at a block that is no header.

    Raises:
        DamagedError: the archive ends within a header.
        BudgetError: an extended header that is too large, or too many.
    """
    walk = _Walk(reader)
    while (member := walk.next()) is not None:
        yield member
        if member.end > reader.offset:
            reader.advance(member.end - reader.offset)


class _Walk:
    """Collects extended headers until the header that they belong to."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._everywhere: dict[str, str] = {}
        self._oddities: list[Oddity] = []

    def next(self) -> TarMember | None:
        self._oddities = []
        here: dict[str, str] = {}
        for _ in range(_MAX_CHAIN):
            header = self._header()
            if header is None:
                return None
            if header.kind in (b"L", b"K"):
                key = "path" if header.kind == b"L" else "linkpath"
                here[key] = _text(self._extended(header).split(b"\0", 1)[0])
            elif header.kind in (b"x", b"X"):
                here.update(self._pax(header))
            elif header.kind == b"g":
                self._everywhere.update(self._pax(header))
            else:
                return self._member(header, {**self._everywhere, **here})
        raise BudgetError(
            f"more than {_MAX_CHAIN} extended headers in a row", offset=self._reader.offset
        )

    def _header(self) -> _Header | None:
        offset = self._reader.offset
        block = bytes(self._reader.peek(BLOCK))
        if not block or not any(block):
            if block:
                self._reader.advance(len(block))
            return None
        if len(block) < BLOCK:
            raise self._reader.error or DamagedError("ends within a header", offset=offset)
        header = parse_header(block, offset)
        if header is not None:
            self._reader.advance(BLOCK)
        return header

    def _extended(self, header: _Header) -> bytes:
        if header.size > MAX_EXTENDED:
            raise BudgetError(f"an extended header of {header.size} bytes", offset=header.offset)
        padded = -(-header.size // BLOCK) * BLOCK
        return bytes(self._reader.read(padded)[: header.size])

    def _pax(self, header: _Header) -> dict[str, str]:
        """The records `LENGTH KEYWORD=VALUE`, each with a newline at its end."""
        data = self._extended(header)
        found: dict[str, str] = {}
        at = 0
        while at < len(data) and data[at]:
            space = data.find(b" ", at, at + 20)
            length = _decimal(data[at:space]) if space > at else None
            record = data[space + 1 : at + length] if length else b""
            keyword, equals, value = record.partition(b"=")
            if not equals or not value.endswith(b"\n") or not length:
                self._odd("disagreement", "a pax header that is no list of records", header.offset)
                break
            found[_text(keyword)] = _text(value[:-1])
            at += length
        return found

    def _odd(self, kind: str, message: str, offset: int) -> None:
        self._oddities.append(Oddity(kind, message, offset))

    def _member(self, header: _Header, pax: dict[str, str]) -> TarMember:
        name = pax.get("GNU.sparse.name") or pax.get("path") or header.name
        target = pax.get("linkpath") or header.target
        kind = _KINDS.get(header.kind, "file")
        if any(keyword.startswith("GNU.sparse.") for keyword in pax):
            kind = "sparse file"
        elif kind == "file" and header.kind == b"\0" and name.endswith("/"):
            kind = "folder"
        if kind == "folder":
            name = name.rstrip("/")
        size = self._size(header, pax, name)
        if kind in _EMPTY:
            if size:
                self._odd("disagreement", f"{shown(name)}: a {kind} with data", header.offset)
            size = 0
        if header.extended:
            self._sparse_map()
        self._names(header, name, kind, target)
        oddities = tuple(self._oddities)
        return TarMember(name, kind, size, target, header.offset, self._reader.offset, oddities)

    def _size(self, header: _Header, pax: dict[str, str], name: str) -> int:
        if "size" not in pax:
            return header.size
        digits = pax["size"]
        size = _decimal(digits.encode("utf-8", "replace"))
        if size is None:
            message = f"{shown(name)}: a size that is no plain number"
            self._odd("disagreement", message, header.offset)
            return _lenient(digits)
        if header.size not in (0, size):
            message = f"{shown(name)}: {header.size} bytes in its header, {size} in the pax header"
            self._odd("disagreement", message, header.offset)
        return size

    def _sparse_map(self) -> None:
        for _ in range(_MAX_SPARSE):
            if not self._reader.read(BLOCK)[504]:
                return
        raise BudgetError("an endless sparse map", offset=self._reader.offset)

    def _names(self, header: _Header, name: str, kind: str, target: str) -> None:
        if escapes(name):
            self._odd("escape", f"{shown(name)} leads out of the folder", header.offset)
        if has_controls(name):
            message = f"a name with control characters: {shown(name)}"
            self._odd("name", message, header.offset)
        if kind in LINKS and escapes(_joined(name, target) if kind[0] == "s" else target):
            message = f"{shown(name)}: a {kind} to {shown(target)}, out of the folder"
            self._odd("escape", message, header.offset)


def parse_header(block: bytes, offset: int) -> _Header | None:
    """A header, if the block is one: its digest fits, and its size is a number."""
    digest = _number(block[148:156])
    size = _number(block[124:136])
    if digest is None or size is None or size < 0:
        return None
    plain = 256 + sum(block[:148]) + sum(block[156:])
    if digest != plain:
        signed = plain - 256 * sum(byte > 127 for byte in block[:148] + block[156:])
        if digest != signed:
            return None
    name = _text(block[:100].split(b"\0", 1)[0])
    prefix = _text(block[345:500].split(b"\0", 1)[0])
    kind = block[156:157]
    # The old GNU format has other things where ustar has the prefix.
    if prefix and kind not in (b"L", b"K", b"S") and block[257:265] != b"ustar  \0":
        name = f"{prefix}/{name}"
    target = _text(block[157:257].split(b"\0", 1)[0])
    extended = kind == b"S" and bool(block[482])
    return _Header(offset, name, size, kind, target, extended)


def _joined(name: str, target: str) -> str:
    """Where a relative symbolic link leads, as a path that `escapes` understands."""
    if target[:1] in ("/", "\\"):
        return target
    parts: list[str] = []
    for part in [*name.split("/")[:-1], *target.split("/")]:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _number(field: bytes) -> int | None:
    """Octal digits as tarfile takes them, or base 256 after a byte with its highest bit set."""
    if field[:1] in (b"\x80", b"\xff"):
        value = int.from_bytes(field[1:], "big")
        return value - (1 << 8 * (len(field) - 1)) if field[0] == 0xFF else value
    try:
        return int(field.split(b"\0", 1)[0].decode("ascii").strip() or "0", 8)
    except ValueError:
        return None


def _decimal(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and len(digits) <= 20 else None


def _lenient(digits: str) -> int:
    """A number as tarfile takes it: by `int`, else 0."""
    try:
        return max(0, int(digits)) if len(digits) <= 20 else 0
    except ValueError:
        return 0


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
