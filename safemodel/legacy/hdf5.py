"""HDF5 files to facts: attributes, links, and datasets whose values are somewhere else.

`parse_hdf5` follows every link from the root, through old and new groups, as the HDF5 library
would. Values of datasets are not read. What is damaged is noted as a problem, and the rest is read
all the same, since the library does so too. No library is needed: a malicious file can't reach
code that trusts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from safemodel.errors import BudgetError, DamagedError, LegacyError, UnreadableError
from safemodel.legacy import hdf5_objects as objects
from safemodel.legacy.hdf5_facts import Attribute, Dataset, Hdf5Facts, Link, Outside
from safemodel.legacy.hdf5_source import (
    MAX_NAME,
    SIGNATURE,
    FractalHeap,
    Range,
    Source,
    tree2_records,
)

MAX_OBJECTS: Final = 500_000
MAX_FACTS: Final = 500_000  # links, attributes, datasets: together
MAX_KEPT: Final = 256 << 20  # bytes of all texts
MAX_PROBLEMS: Final = 100
MAX_PATH: Final = 500
_SWEEP: Final = 1 << 20

_HARD: Final = 0
_SOFT: Final = 1
_EXTERNAL: Final = 64


def looks_like_hdf5(head: memoryview, size: int | None = None) -> bool:
    """Whether the HDF5 library would find its signature: at 0, 512, 1024, 2048, ..."""
    return _signature(head) is not None


def _signature(data: memoryview) -> int | None:
    position = 0
    while position + len(SIGNATURE) <= len(data):
        if bytes(data[position : position + len(SIGNATURE)]) == SIGNATURE:
            return position
        position = position * 2 or 512
    return None


def parse_hdf5(data: memoryview, *, spend: Callable[[int], None] | None = None) -> Hdf5Facts:
    """Read the metadata of an HDF5 file. `spend` is told of the work from time to time.

    Raises:
        DamagedError: no superblock, or one that no reader understands.
        UnreadableError: a superblock of a version that is not known.
        BudgetError: `spend` raised it.
    """
    base = _signature(data)
    if base is None:
        raise DamagedError("no HDF5 signature", offset=0)
    source = Source(data, spend)
    source.base = base
    walk = _Walk(source)
    version, end, roots = _superblock(source, base)
    if end > len(data):
        walk.problem(DamagedError(f"{end - len(data)} bytes are missing at the end", offset=base))
    walk.waiting += zip(("/", "/(superblock extension)"), roots, strict=False)
    walk.waiting.reverse()  # the root first: what it shares with others is its own
    walk.run()
    return Hdf5Facts(
        version,
        base,
        min(end, len(data)),
        walk.objects,
        walk.groups,
        tuple(walk.datasets),
        tuple(walk.attributes),
        tuple(walk.links),
        tuple(walk.outside),
        tuple(_global_objects(source)) if walk.object_atom else (),
        tuple(walk.problems),
    )


def source_of(data: memoryview) -> Source:
    """The bytes of a file, with what its superblock says; nothing of it was visited.

    Raises:
        DamagedError, UnreadableError: see `parse_hdf5`.
    """
    base = _signature(data)
    if base is None:
        raise DamagedError("no HDF5 signature", offset=0)
    source = Source(data)
    source.base = base
    _superblock(source, base)
    return source


def _superblock(source: Source, base: int) -> tuple[int, int, list[int]]:
    """Version, end of the file, and the root group with what else hangs on the superblock."""
    version = source.number(base + 8, 1)
    if version in (0, 1):
        sizes, here = base + 13, base + (24 if version == 0 else 28)
    elif version in (2, 3):
        sizes, here = base + 9, base + 12
    else:
        raise UnreadableError(f"an HDF5 superblock of version {version}", offset=base + 8)
    source.offsets, source.lengths = source.number(sizes, 1), source.number(sizes + 1, 1)
    if source.offsets not in (2, 4, 8) or source.lengths not in (2, 4, 8):
        raise UnreadableError("HDF5 addresses of a rare size", offset=sizes)
    step = source.offsets
    # Unlike addresses from the first byte of the file, where the superblock is where it says
    end = source.number(here + 2 * step, step) + base - source.number(here, step)
    if end <= base:
        raise DamagedError("an HDF5 superblock that ends before it begins", offset=here)
    if version < 2:
        roots = [source.address(here + 5 * step)]
    else:
        roots = [source.address(here + 3 * step), source.address(here + step)]
    if roots[0] is None:
        raise DamagedError("an HDF5 superblock without a root group", offset=base)
    return version, end, [root for root in roots if root is not None]


def _global_objects(source: Source) -> Iterator[Range]:
    """Every object of every global heap collection, reachable or not."""
    data = source.data
    for first in range(0, len(data), _SWEEP):
        piece = bytes(data[first : first + _SWEEP + 3])
        found = piece.find(b"GCOL")
        while found >= 0:
            try:
                for _, place in source.collection(first + found):
                    yield place
            except DamagedError:
                pass  # four letters inside of something else
            found = piece.find(b"GCOL", found + 1)


class _Walk:
    """From the root to every object, and what was found on the way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.waiting: list[tuple[str, int]] = []
        self.objects = 0
        self.groups = 0
        self.attributes: list[Attribute] = []
        self.datasets: list[Dataset] = []
        self.links: list[Link] = []
        self.outside: list[Outside] = []
        self.problems: list[LegacyError] = []
        self.object_atom = False
        self._facts = 0
        self._kept = 0

    def problem(self, error: LegacyError, path: str = "") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            error.place = error.place or path or None
            self.problems.append(error)

    def run(self) -> None:
        """Visit everything; a problem in one object does not hide the others."""
        try:
            while self.waiting:
                path, position = self.waiting.pop()
                if not self.source.visit(position, "object"):
                    continue
                self.objects += 1
                if self.objects > MAX_OBJECTS:
                    raise BudgetError(f"more than {MAX_OBJECTS} HDF5 objects")
                self._object(path, position)
        except BudgetError as error:
            self.problem(error)

    def _object(self, path: str, position: int) -> None:
        try:
            found = objects.messages(self.source, position)
        except (DamagedError, UnreadableError) as error:
            self.problem(error, path)
            return
        kinds = {message.kind: message for message in reversed(found)}
        if objects.SYMBOL_TABLE in kinds or objects.LINK_INFO in kinds or path == "/":
            self.groups += 1
        if objects.DATASPACE in kinds and objects.DATATYPE in kinds:
            self._attempt(self._dataset, path, position, kinds)
        for message in found:
            self._attempt(self._message, path, message)

    def _attempt(self, read: Callable[..., None], path: str, *place: object) -> None:
        try:
            read(path, *place)
        except (DamagedError, UnreadableError) as error:
            self.problem(error, path)

    def _message(self, path: str, message: objects.Message) -> None:
        kind, start = message.kind, message.start
        if kind == objects.SYMBOL_TABLE:
            self._symbols(path, start)
        elif kind == objects.LINK:
            self._link(path, start)
        elif kind == objects.LINK_INFO:
            self._dense(path, start, 8, self._link)
        elif kind == objects.ATTRIBUTE:
            self._attribute(path, start)
        elif kind == objects.ATTRIBUTE_INFO:
            self._dense(path, start, 2, self._attribute)
        elif kind == objects.EXTERNAL_FILES:
            self._external_files(path, start)
        elif kind == objects.LAYOUT:
            self._layout(path, start)

    def _count(self) -> None:
        self._facts += 1
        if self._facts > MAX_FACTS:
            raise BudgetError(f"more than {MAX_FACTS} HDF5 attributes, links and datasets")

    # -- groups

    def _child(self, path: str, name: bytes, address: int | None, place: int) -> None:
        if address is None:
            raise DamagedError("a link to nowhere", offset=place)
        if name in (b"", b".") or b"/" in name or b"\0" in name:  # others would find another one
            self.problem(DamagedError("a link with a name that can't be", offset=place), path)
        self._count()
        self.waiting.append((_join(path, name), address))

    def _symbols(self, path: str, start: int) -> None:
        """An old group: a B-tree of symbol nodes, names in a local heap (III.A.1, III.B)."""
        source = self.source
        heap_at = source.address(start + source.offsets)
        if heap_at is None:
            raise DamagedError("a group without a heap", offset=start)
        heap, size = source.local_heap(heap_at)
        entry_size = 2 * source.offsets + 24
        for node in source.symbol_nodes(source.address(start)):
            if not source.visit(node, "symbols"):
                continue
            source.expect(node, b"SNOD", "symbol table node")
            for index in range(source.number(node + 6, 2)):
                self._symbol(path, node + 8 + index * entry_size, (heap, size))

    def _symbol(self, path: str, entry: int, heap: Range) -> None:
        source = self.source
        start, end = heap[0], heap[0] + heap[1]
        name = source.text(start + source.number(entry, source.offsets), end)
        if source.number(entry + 2 * source.offsets, 4) == 2:
            value = entry + 2 * source.offsets + 8
            target = source.text(start + source.number(value, 4), end)
            self._count()
            self.links.append(Link(_join(path, name), "soft", "", _text(target), entry))
        else:
            self._child(path, name, source.address(entry + source.offsets), entry)

    def _dense(self, path: str, start: int, order: int, read: Callable[[str, int], None]) -> None:
        """Links or attributes in a fractal heap, by both B-trees that may find them."""
        source = self.source
        flags = source.number(start + 1, 1)
        here = start + 2 + (order if flags & 1 else 0)
        heap_at = source.address(here)
        if heap_at is None:
            return
        heap = FractalHeap(source, heap_at)
        trees = [source.address(here + source.offsets)]
        if flags & 2:
            trees.append(source.address(here + 2 * source.offsets))
        for tree in trees:
            for kind, (record, _) in tree2_records(source, tree):
                if kind not in (5, 6, 8, 9):
                    raise DamagedError(f"a B-tree of type {kind} in an object", offset=record)
                place = record + {5: 4, 6: 8}.get(kind, 0)
                if kind in (8, 9) and source.number(record + 8, 1) & 2:
                    raise UnreadableError("HDF5 attributes in a shared heap", offset=record)
                found, _ = heap.find(place)
                if source.visit(found, "heap object"):
                    self._attempt(read, path, found)

    def _link(self, path: str, start: int) -> None:
        """A link message (IV.A.2.g)."""
        source = self.source
        flags = source.number(start + 1, 1)
        here = start + 2
        kind = _HARD
        if flags & 8:
            kind = source.number(here, 1)
            here += 1
        here += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = source.number(here, width)
        if size > MAX_NAME:
            raise BudgetError(f"the name of an HDF5 link has {size} bytes", offset=start)
        name = bytes(source.take(here + width, size))
        here += width + size
        if kind == _HARD:
            self._child(path, name, source.address(here), start)
            return
        value = bytes(source.take(here + 2, source.number(here, 2)))
        self._count()
        where = _join(path, name)
        if kind == _SOFT:
            self.links.append(Link(where, "soft", "", _text(value), start))
        elif kind == _EXTERNAL:
            file, _, target = value[1:].partition(b"\0")
            target = target.partition(b"\0")[0]
            self.links.append(Link(where, "external", _text(file), _text(target), start))
        else:
            self.links.append(Link(where, f"user {kind}", "", _text(value[:MAX_PATH]), start))

    # -- attributes and datasets

    def _attribute(self, path: str, start: int) -> None:
        self._count()
        source = self.source
        found = objects.attribute(source, start)
        name = _text(found.name)
        text = objects.text_value(source, found)
        if text is None:
            self.attributes.append(Attribute(path, name, None, False, start))
            return
        self._kept += len(text[0])
        if self._kept > MAX_KEPT:
            raise BudgetError(f"HDF5 attributes of more than {MAX_KEPT} bytes")
        if name == "PSEUDOATOM" and text[0] == b"object":
            self.object_atom = True
        self.attributes.append(Attribute(path, name, *text, start))

    def _dataset(self, path: str, position: int, kinds: dict[int, objects.Message]) -> None:
        self._count()
        source = self.source
        shape = objects.shape(source, kinds[objects.DATASPACE].start)
        kind = objects.datatype(source, kinds[objects.DATATYPE].start)
        self.datasets.append(Dataset(path, shape, kind.size, kind.kind, position))

    def _external_files(self, path: str, start: int) -> None:
        """The raw values are in other files (IV.A.2.h)."""
        source = self.source
        used = source.number(start + 6, 2)
        names: list[str] = []
        complete = True
        try:
            heap_at = source.address(start + 8)
            if heap_at is None:
                raise DamagedError("external files without names", offset=start)
            heap, size = source.local_heap(heap_at)
            first = start + 8 + source.offsets
            for slot in range(used):
                offset = source.length(first + slot * 3 * source.lengths)
                names.append(_text(source.text(heap + offset, heap + size)))
        except DamagedError:
            complete = False
        self.outside.append(Outside(path, "external", tuple(names), complete, start))

    def _layout(self, path: str, start: int) -> None:
        """Only a virtual layout matters here (IV.A.2.i): its sources are other files."""
        source = self.source
        version, kind = source.number(start, 1), source.number(start + 1, 1)
        if version in (1, 2):
            return
        if version > 5:
            raise UnreadableError(f"an HDF5 layout of version {version}", offset=start)
        if kind != 3:
            return
        names: list[str] = []
        complete = False
        try:
            index = source.number(start + 2 + source.offsets, 4)
            place, size = source.global_object(source.address(start + 2), index)
            entries = source.length(place + 1)
            first = place + 1 + source.lengths
            names.append(_text(source.text(first, place + size)))
            complete = entries <= 1 and source.number(place, 1) == 0
        except DamagedError:
            complete = False
        self.outside.append(Outside(path, "virtual", tuple(names), complete, start))


def _join(path: str, name: bytes) -> str:
    joined = f"{path.rstrip('/')}/{_text(name)}"
    return joined if len(joined) <= MAX_PATH else joined[: MAX_PATH - 1] + "…"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
