"""HDF5 below the level of objects: numbers, addresses, heaps and B-trees.

Knows the structures of the "HDF5 File Format Specification" version 3.0 (sections III.A to III.H),
of all versions that the HDF5 library reads. Only metadata is looked at. Every structure is visited
at most once and every count is compared with the bytes that are there, so the work is bounded by
the size of the file, whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
MAX_STRUCTURES: Final = 4_000_000
MAX_NAME: Final = 64 << 10
MAX_TREE_DEPTH: Final = 64
SPEND_EVERY: Final = 1024

Range = tuple[int, int]  # first byte and number of bytes, in the content


class Source:
    """The bytes, with what the superblock says of them.

    Attributes:
        data: the whole content.
        base: where addresses count from: the position of the superblock.
        offsets: bytes of an address, 2 to 8 (O in the comments).
        lengths: bytes of a length (L).
    """

    __slots__ = ("_collections", "_count", "_seen", "_spend", "base", "data", "lengths", "offsets")

    def __init__(self, data: memoryview, spend: Callable[[int], None] | None = None) -> None:
        self.data = data
        self.base = 0
        self.offsets = 8
        self.lengths = 8
        self._count = 0
        self._seen: set[tuple[int, str]] = set()
        self._spend = spend
        self._collections: dict[int, dict[int, Range]] = {}

    def visit(self, position: int, kind: str, count: int = 1) -> bool:
        """Whether this structure was not visited before: a second visit could only be a cycle.

        `count` is how many there are in it: others may lie over the same bytes.

        Raises:
            BudgetError: more structures than a scan may visit.
        """
        before = self._count
        self._count += count
        if self._count > MAX_STRUCTURES:
            raise BudgetError(f"more than {MAX_STRUCTURES} HDF5 structures")
        if self._spend is not None and self._count // SPEND_EVERY > before // SPEND_EVERY:
            self._spend(self._count - before)
        if (position, kind) in self._seen:
            return False
        self._seen.add((position, kind))
        return True

    def take(self, position: int, count: int) -> memoryview:
        """`count` bytes at `position`.

        Raises:
            DamagedError: they are not all there.
        """
        if position < 0 or count < 0 or position + count > len(self.data):
            raise DamagedError(
                f"ends before the {count} bytes at {position}",
                offset=max(0, min(position, len(self.data))),
            )
        return self.data[position : position + count]

    def number(self, position: int, size: int) -> int:
        """The unsigned little-endian number of `size` bytes at `position`."""
        return int.from_bytes(self.take(position, size), "little")

    def length(self, position: int) -> int:
        """The length (L) at `position`."""
        return self.number(position, self.lengths)

    def address(self, position: int) -> int | None:
        """The address (O) at `position` as a position in the content; None where undefined."""
        value = self.number(position, self.offsets)
        return None if value == (1 << 8 * self.offsets) - 1 else value + self.base

    def expect(self, position: int, signature: bytes, what: str) -> None:
        """Raises:
        DamagedError: there is no such signature at `position`.
        """
        if bytes(self.take(position, len(signature))) != signature:
            raise DamagedError(f"no {what} where one should be", offset=position)

    def text(self, position: int, end: int) -> bytes:
        """The bytes at `position` up to a NUL, or up to `end`."""
        last = min(end, position + MAX_NAME, len(self.data))
        if position < 0 or position > last:
            raise DamagedError("text outside of its structure", offset=max(0, position))
        found, ended, _ = bytes(self.data[position : min(last, position + 256)]).partition(b"\0")
        if ended:
            return found
        return bytes(self.data[position:last]).partition(b"\0")[0]

    # -- heaps

    def local_heap(self, position: int) -> Range:
        """The data of the local heap at `position` (III.D)."""
        self.expect(position, b"HEAP", "local heap")
        size = self.length(position + 8)
        start = self.address(position + 8 + 2 * self.lengths)
        if start is None:
            raise DamagedError("a local heap without data", offset=position)
        self.take(start, size)
        return start, size

    def global_object(self, collection: int | None, index: int) -> Range:
        """An object of a global heap collection (III.E).

        Raises:
            DamagedError: there is none.
        """
        if collection is None:
            raise DamagedError("an object in no global heap")
        objects = self._collections.get(collection)
        if objects is None:
            objects = self._collections[collection] = dict(self.collection(collection))
        if index not in objects:
            raise DamagedError(f"no object {index} in the global heap", offset=collection)
        return objects[index]

    def collection(self, position: int) -> Iterator[tuple[int, Range]]:
        """The objects of the global heap collection at `position`, with their indexes."""
        self.expect(position, b"GCOL", "global heap")
        end = position + self.length(position + 8)
        self.take(position, end - position)
        header = 8 + self.lengths
        here = position + 8 + self.lengths
        while here + header <= end:
            index = self.number(here, 2)
            size = self.length(here + 8)
            if not index:
                return  # free space up to the end
            self.visit(here, "global object")
            self.take(here + header, size)
            yield index, (here + header, size)
            here += header + (size + 7 & ~7)

    # -- version 1 B-trees of groups

    def symbol_nodes(self, position: int | None) -> Iterator[int]:
        """Where the symbol table nodes are, below the B-tree node at `position` (III.A.1)."""
        waiting = [position]
        while waiting:
            node = waiting.pop()
            if node is None or not self.visit(node, "tree"):
                continue
            self.expect(node, b"TREE", "B-tree node")
            kind, level = self.number(node + 4, 1), self.number(node + 5, 1)
            used = self.number(node + 6, 2)
            if kind != 0:
                raise DamagedError(f"a B-tree of type {kind} in a group", offset=node)
            first = node + 8 + 2 * self.offsets + self.lengths
            for entry in range(used):
                child = self.address(first + entry * (self.offsets + self.lengths))
                if child is None:
                    raise DamagedError("a B-tree node without a child", offset=node)
                if level:
                    waiting.append(child)
                else:
                    yield child


@dataclass(frozen=True, slots=True)
class _Tree2:
    """The header of a version 2 B-tree (III.A.2)."""

    kind: int
    node: int
    record: int
    depth: int
    root: int | None
    records: int


def tree2_records(source: Source, position: int | None) -> Iterator[tuple[int, Range]]:
    """Every record of the version 2 B-tree at `position`: its type and where it is.

    Raises:
        DamagedError: not a version 2 B-tree.
    """
    if position is None or not source.visit(position, "tree2"):
        return
    tree = _tree2(source, position)
    if tree.root is None:
        return
    leaf_most = (tree.node - 10) // tree.record
    count_size = _limit_size(leaf_most)
    pointers = _pointer_sizes(source, tree, leaf_most, count_size)
    waiting = [(tree.root, tree.records, tree.depth)]
    while waiting:
        node, records, level = waiting.pop()
        if not source.visit(node, "tree2 node", 1 + records):
            continue
        source.expect(node, b"BTIN" if level else b"BTLF", "B-tree node")
        here = node + 6
        source.take(here, records * tree.record)
        for index in range(records):
            yield tree.kind, (here + index * tree.record, tree.record)
        if level:
            here += records * tree.record
            for index in range(records + 1):
                child = here + index * pointers[level]
                address = source.address(child)
                if address is None:
                    raise DamagedError("a B-tree node without a child", offset=node)
                below = source.number(child + source.offsets, count_size)
                waiting.append((address, below, level - 1))


def _tree2(source: Source, position: int) -> _Tree2:
    source.expect(position, b"BTHD", "B-tree header")
    after = position + 16 + source.offsets
    tree = _Tree2(
        source.number(position + 5, 1),
        source.number(position + 6, 4),
        source.number(position + 10, 2),
        source.number(position + 12, 2),
        source.address(position + 16),
        source.number(after, 2),
    )
    if tree.depth > MAX_TREE_DEPTH or not 0 < tree.record <= tree.node - 10:
        raise DamagedError("a B-tree that can't be", offset=position)
    return tree


def _pointer_sizes(source: Source, tree: _Tree2, most: int, count_size: int) -> list[int]:
    """Bytes of a child pointer, by the level of the node that has it."""
    sizes = [0]
    below, total, total_size = most, most, 0
    for _ in range(tree.depth):
        pointer = source.offsets + count_size + total_size
        sizes.append(pointer)
        below = max(0, (tree.node - 10 - pointer) // (tree.record + pointer))
        total = (below + 1) * total + below
        total_size = _limit_size(total)
    return sizes


def _limit_size(limit: int) -> int:
    """Bytes that hold a number up to `limit`, as the HDF5 library counts them."""
    return max(0, limit.bit_length() - 1) // 8 + 1


class FractalHeap:
    """A fractal heap (III.G): gives the bytes of an object from its id."""

    __slots__ = (
        "_address_size",
        "_direct_rows",
        "_huge",
        "_huge_objects",
        "_id",
        "_length_size",
        "_position",
        "_root",
        "_rows",
        "_source",
        "_start",
        "_width",
    )

    def __init__(self, source: Source, position: int) -> None:
        """Raises:
        DamagedError: not a fractal heap.
        UnreadableError: its blocks are compressed.
        """
        source.expect(position, b"FRHP", "fractal heap")
        size, address = source.lengths, source.offsets
        self._source = source
        self._position = position
        self._id = source.number(position + 5, 2)
        if source.number(position + 7, 2):
            raise UnreadableError("an HDF5 heap of compressed blocks", offset=position)
        most = source.number(position + 10, 4)  # bytes of an object in a block
        here = position + 14 + size
        self._huge = source.address(here)
        self._huge_objects: dict[int, Range] | None = None
        here += 2 * address + 9 * size
        self._width = source.number(here, 2)
        self._start = source.length(here + 2)
        most_direct = source.length(here + 2 + size)
        bits = source.number(here + 2 + 2 * size, 2)
        self._root = source.address(here + 6 + 2 * size)
        self._rows = source.number(here + 6 + 2 * size + address, 2)
        if not (0 < bits <= 64 and _power(self._width) and _power(self._start)):
            raise DamagedError("a fractal heap that can't be", offset=position)
        if not _power(most_direct) or most_direct < self._start:
            raise DamagedError("a fractal heap that can't be", offset=position)
        self._address_size = (bits + 7) // 8
        self._length_size = _limit_size(min(most_direct, most))
        self._direct_rows = most_direct.bit_length() - self._start.bit_length() + 2

    def find(self, position: int) -> Range:
        """Where the object is whose heap id is at `position`.

        Raises:
            DamagedError: no such object.
        """
        source = self._source
        first = source.number(position, 1)
        kind = first >> 4 & 3
        if kind == 0:
            here = position + 1
            start = source.number(here, self._address_size)
            return self._managed(start), source.number(here + self._address_size, self._length_size)
        if kind == 1:
            return self._huge_object(position + 1)
        if kind == 2:
            if self._id <= 17:
                return position + 1, (first & 15) + 1
            return position + 2, ((first & 15) << 8 | source.number(position + 1, 1)) + 1
        raise DamagedError("a heap id of no kind", offset=position)

    def _huge_object(self, position: int) -> Range:
        source = self._source
        address, size = source.offsets, source.lengths
        if self._id - 1 >= address + size:  # the id says where
            start = source.address(position)
            if start is None:
                raise DamagedError("a huge object nowhere", offset=position)
            return start, source.length(position + address)
        if self._huge_objects is None:
            self._huge_objects = dict(self._huge_ranges())
        wanted = source.number(position, min(size, self._id - 1))
        if wanted not in self._huge_objects:
            raise DamagedError("no such huge object", offset=position)
        return self._huge_objects[wanted]

    def _huge_ranges(self) -> Iterator[tuple[int, Range]]:
        source = self._source
        address, size = source.offsets, source.lengths
        for kind, (record, _) in tree2_records(source, self._huge):
            if kind != 1:
                raise UnreadableError("an HDF5 heap with compressed objects", offset=record)
            start = source.address(record)
            if start is not None:
                number = source.length(record + address + size)
                yield number, (start, source.length(record + address))

    def _managed(self, wanted: int) -> int:
        """The position of byte `wanted` of the heap's linear space (III.G, "doubling table")."""
        source, block, rows, base = self._source, self._root, self._rows, 0
        if block is None:
            raise DamagedError("a fractal heap without blocks", offset=self._position)
        if not rows:
            return self._in_direct(block, wanted)
        for _ in range(MAX_TREE_DEPTH):
            source.expect(block, b"FHIB", "indirect block of a heap")
            row, column, start = self._cell(wanted - base)
            if row >= rows:
                break
            entry = row * self._width + column
            here = block + 5 + source.offsets + self._address_size
            child = source.address(here + entry * source.offsets)
            if child is None:
                break
            base += start
            if row < self._direct_rows:
                return self._in_direct(child, wanted - base)
            size = self._start << (row - 1)
            rows = size.bit_length() - (self._start * self._width).bit_length() + 1
            block = child
        raise DamagedError("an object outside of its heap", offset=self._position)

    def _in_direct(self, block: int, within: int) -> int:
        self._source.expect(block, b"FHDB", "direct block of a heap")
        return block + within

    def _cell(self, offset: int) -> tuple[int, int, int]:
        """Row and column of the block that holds `offset`, and where that block starts."""
        row = max(0, (offset // (self._start * self._width)).bit_length())
        size = self._start << max(0, row - 1)
        first = self._start * self._width << (row - 1) if row else 0
        column = (offset - first) // size
        return row, column, first + column * size


def _power(number: int) -> bool:
    return number > 0 and not number & (number - 1)
