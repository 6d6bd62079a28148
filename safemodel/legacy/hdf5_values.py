"""Values of an HDF5 file: numbers of datasets as ranges of its bytes, and lists of text.

`parse_hdf5` says what is there; `Values` gives what a caller asks for, of files that are wholly in
one piece: no external storage, no virtual dataset, no link but hard ones. Values that lie in one
range are not copied. Chunks may be compressed by deflate and shuffled; each must be there, once.
Knows sections III.A.1 and IV.A.2 of the "HDF5 File Format Specification" version 3.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError, UnreadableError
from safemodel.legacy import hdf5_chunks as chunking
from safemodel.legacy import hdf5_objects as objects
from safemodel.legacy.hdf5 import parse_hdf5, source_of
from safemodel.legacy.hdf5_facts import Attribute, Dataset, Hdf5Facts
from safemodel.legacy.hdf5_source import Source
from safemodel.legacy.hdf5_types import number_type

MAX_TEXTS: Final = 400_000  # of all attributes that are lists of text
MAX_TEXT_BYTES: Final = 64 << 20  # of all attributes that are lists of text
_COMPACT: Final = 0
_CONTIGUOUS: Final = 1
_CHUNKED: Final = 2


@dataclass(frozen=True, slots=True)
class Numbers:
    """The values of one dataset.

    Attributes:
        dtype: a name such as `float32`, `int8`, `bool`; little-endian.
        pieces: their bytes in C order, read when it is called.

    Raises (pieces):
        DamagedError: chunks that do not inflate to what they must be.
    """

    path: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    pieces: Callable[[], Iterator[memoryview]]


class Values:
    """The datasets and lists of text of one file.

    Attributes:
        facts: what `parse_hdf5` said.
        paths: of all datasets, in the order of their paths.
    """

    def __init__(self, data: memoryview, spend: Callable[[int], None] | None = None) -> None:
        """Parse a file; `spend` is told of bytes that inflating will make.

        Raises:
            DamagedError, UnreadableError: part of it can't be read, or leads elsewhere.
            BudgetError: `spend` raised it.
        """
        self.facts = parse_hdf5(data)
        check_whole(self.facts)
        self._data = data
        self._spend = spend
        self._left = len(data)
        self._texts_left = MAX_TEXT_BYTES
        self._count_left = MAX_TEXTS
        self._datasets: dict[str, Dataset] = {}
        for one in sorted(self.facts.datasets, key=lambda one: one.path):
            if one.path in self._datasets:
                raise DamagedError("two datasets of one path", offset=one.offset, place=one.path)
            self._datasets[one.path] = one
        self._attributes: dict[tuple[str, str], Attribute] = {}
        for attribute in self.facts.attributes:
            key = attribute.owner, attribute.name
            if key in self._attributes:
                raise DamagedError("two attributes of one name", place=f"{key[0]}@{key[1]}")
            self._attributes[key] = attribute

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all datasets, sorted."""
        return tuple(self._datasets)

    def has(self, path: str) -> bool:
        """Whether there is a dataset of this path."""
        return path in self._datasets

    def text(self, owner: str, name: str) -> bytes | None:
        """An attribute that is a single text; None if there is none, or it is something else."""
        found = self._attributes.get((owner, name))
        return None if found is None else found.value

    def numbers(self, path: str) -> Numbers:
        """The values of a dataset, which may be asked for once.

        Raises:
            DamagedError: it is not there, or not what it says.
            UnreadableError: of a type, or stored in a way, that Keras does not write.
        """
        dataset = self._datasets.get(path)
        if dataset is None:
            raise DamagedError("there is no such dataset", place=path)
        try:
            return self._numbers(dataset)
        except (DamagedError, UnreadableError) as error:
            error.place = error.place or path
            raise

    def _numbers(self, dataset: Dataset) -> Numbers:
        source = source_of(self._data)
        kinds: dict[int, objects.Message] = {}
        for message in objects.messages(source, dataset.offset):
            if message.kind in _SINGLE and message.kind in kinds:
                raise DamagedError("a dataset that says twice what it is", offset=message.start)
            kinds[message.kind] = message
        if not {objects.DATASPACE, objects.DATATYPE, objects.LAYOUT} <= kinds.keys():
            raise DamagedError("a dataset without a layout", offset=dataset.offset)
        shape = objects.shape(source, kinds[objects.DATASPACE].start)
        if shape is None:
            raise UnreadableError("a dataset without values")
        dtype, item = number_type(source, kinds[objects.DATATYPE].start)
        if len(shape) > objects.MAX_RANK:
            raise DamagedError("an array of too many axes")
        size = item * math.prod(shape)
        layout = kinds[objects.LAYOUT].start
        version, kind = source.number(layout, 1), source.number(layout + 1, 1)
        if version not in (3, 4, 5) or (kind == _CHUNKED and version > 3):
            raise UnreadableError(f"an HDF5 layout of version {version}", offset=layout)
        if kind == _CHUNKED and size:
            filters = chunking.filters(source, kinds.get(objects.FILTERS))
            chunks = chunking.chunks(source, layout, shape, item, filters)
            self._spending(max(size, chunks.inflated))
            self._take(chunks.stored, layout)
            return Numbers(
                dataset.path, dtype, shape, size, lambda: chunking.joined(self._data, chunks)
            )
        if objects.FILTERS in kinds and kind != _CHUNKED:
            raise DamagedError("filters of values that are in one piece", offset=layout)
        start = self._range(source, layout, kind, size)
        found = self._data[start : start + size]
        return Numbers(dataset.path, dtype, shape, size, lambda: iter((found,)))

    def _spending(self, size: int) -> None:
        if self._spend is not None:
            self._spend(size)

    def _range(self, source: Source, layout: int, kind: int, size: int) -> int:
        """Where values in one piece begin. Together they are no more than the file."""
        if not size:
            return 0
        if kind == _COMPACT:
            start, there = layout + 4, source.number(layout + 2, 2)
        elif kind == _CONTIGUOUS:
            address = source.address(layout + 2)
            if address is None:
                raise DamagedError("values that are nowhere in the file", offset=layout)
            start, there = address, source.length(layout + 2 + source.offsets)
        else:
            raise UnreadableError("values that are not in the file", offset=layout)
        if there != size:
            raise DamagedError(f"{there} bytes of values, which must be {size}", offset=layout)
        source.take(start, size)
        self._take(size, layout)
        return start

    def _take(self, size: int, layout: int) -> None:
        """Count bytes of values: of all datasets they can't be more than the file has."""
        self._left -= size
        if self._left < 0:
            raise DamagedError("datasets that share their values", offset=layout)

    def texts(self, owner: str, name: str) -> tuple[str, ...] | None:
        """The texts of an attribute that is a list; None if there is none.

        Raises:
            DamagedError: it is something else, or not UTF-8.
            BudgetError: with those before more than 400,000, or too long.
        """
        found = self._attributes.get((owner, name))
        if found is None:
            return None
        source = source_of(self._data)
        raw = objects.attribute(source, found.offset)
        count = math.prod(raw.shape or (0,))
        if len(raw.shape or ()) != 1:
            raise DamagedError(f"the attribute {name} is no list", place=owner)
        if not count:
            return ()
        if not raw.type.text:
            raise DamagedError(f"the attribute {name} is no list of text", place=owner)
        self._count_left -= count
        if self._count_left < 0:
            raise BudgetError(f"an attribute of {count} texts", place=owner)
        try:
            return tuple(one.decode("utf-8") for one in self._texts(source, raw, count))
        except UnicodeDecodeError:
            raise DamagedError(f"the attribute {name} is not UTF-8", place=owner) from None

    def _texts(self, source: Source, raw: objects.RawAttribute, count: int) -> Iterator[bytes]:
        step = 8 + source.offsets if raw.type.kind == objects.VARIABLE else raw.type.size
        for index in range(count):
            one = objects.RawAttribute(raw.name, raw.type, (), raw.data + index * step)
            found = objects.text_value(source, one)
            text = b"" if found is None else found[0]
            self._texts_left -= len(text)
            if self._texts_left < 0:
                raise BudgetError(f"attributes of more than {MAX_TEXT_BYTES} bytes of text")
            yield text


_SINGLE: Final = frozenset(
    {objects.DATASPACE, objects.DATATYPE, objects.LAYOUT, objects.FILTERS, objects.EXTERNAL_FILES}
)


def check_whole(facts: Hdf5Facts) -> None:
    """Refuse a file that is damaged, or in which something leads elsewhere.

    Raises:
        DamagedError, UnreadableError: as said.
    """
    if facts.problems:
        raise facts.problems[0]
    if facts.base:
        raise UnreadableError("an HDF5 file behind other bytes", offset=0)
    if facts.links:
        link = facts.links[0]
        raise DamagedError(f"a link of the kind {link.kind}", offset=link.offset, place=link.path)
    if facts.outside:
        one = facts.outside[0]
        raise DamagedError("values that are elsewhere", offset=one.offset, place=one.path)
