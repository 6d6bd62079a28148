"""The values in a checkpoint of TensorFlow: ranges of its data files, checked while they are read.

Implements docs/convert.md, "TensorFlow".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.tensorflow.dtypes import STORED
from safemodel.convert.tensorflow_prefix import INDEX
from safemodel.errors import DamagedError, MissingFileError, UnconvertibleError, locating
from safemodel.legacy import tensor_bundle
from safemodel.legacy.crc32c import crc32c, masked
from safemodel.legacy.tensor_bundle import Entry, Slice, extents, part_key, shard_name
from safemodel.legacy.tensorflow_types import ITEM_SIZES, STRING

if TYPE_CHECKING:
    from safemodel.convert.sources import Source

MAX_SHARDS: Final = 10_000
_PIECE: Final = 8 << 20

# Of some bytes: what a parser of them calls, so that it does not go on for ever.
Spender = Callable[[memoryview], Callable[[int], None]]


@dataclass(frozen=True, slots=True)
class Value:
    """A value: what it is, and where its bytes come from; of strings, themselves."""

    dtype: str
    shape: tuple[int, ...]
    pieces: Callable[[], Iterable[Any]]
    strings: tuple[bytes, ...] | None = None


class Values:
    """The values of one checkpoint by their keys.

    Attributes:
        keys: of all that it has, in their order.
    """

    def __init__(self, prefix: str, opened: Callable[[str], Source], spend: Spender) -> None:
        """`opened` opens a file of the checkpoint by its path.

        Raises:
            LegacyError: the index is damaged, or says what the data files do not have.
            SourceError: a file is missing, or can't be read.
        """
        index = opened(prefix + INDEX)
        with locating(path=index.path):
            self._index = tensor_bundle.parse_index(index.data, spend=spend(index.data))
            if self._index.big_endian:
                raise UnconvertibleError("a checkpoint of a machine with another order of bytes")
            if self._index.shards > MAX_SHARDS:
                raise UnconvertibleError(f"a checkpoint in {self._index.shards} data files")
        self._shards: dict[int, Source] = {}
        self._prefix, self._opened = prefix, opened
        self.keys = tuple(self._index.tensors)
        self._asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._index.tensors

    def value(self, key: str) -> Value:
        """The value of a key, which may be asked for once: it is that of one variable.

        Raises:
            UnconvertibleError: it is of a type that no archive has.
            LegacyError: it is not there, or damaged.
            SourceError: its data file is missing.
        """
        entry = self._index.tensors.get(key)
        if entry is None:
            raise DamagedError("is not in the checkpoint", place=key)
        if key in self._asked:
            raise DamagedError("is the value of two variables", place=key)
        self._asked.add(key)
        with locating(place=key):
            if entry.dtype == STRING:
                texts = tuple(map(bytes, tensor_bundle.parse_strings(self._bytes(entry), entry)))
                return Value(STRING, entry.shape, lambda: [b"".join(texts)], texts)
            if entry.dtype not in STORED:
                raise UnconvertibleError(
                    f"is of the type {entry.dtype}, which archives do not have"
                )
            if entry.slices:
                for part in entry.slices:
                    self._bytes(self._index.parts[part_key(key, part)])
                return Value(entry.dtype, entry.shape, partial(self._whole, key, entry))
            data = self._bytes(entry)
            return Value(entry.dtype, entry.shape, partial(_checked, key, entry, data))

    def _bytes(self, entry: Entry) -> memoryview:
        if entry.shard not in self._shards:
            path = self._prefix + shard_name(entry.shard, self._index.shards)
            try:
                self._shards[entry.shard] = self._opened(path)
            except MissingFileError as error:
                error.hint = "a checkpoint is its index and all of its data files"
                raise
        data = self._shards[entry.shard].data
        if entry.offset + entry.size > len(data):
            raise DamagedError(
                f"ends at {entry.offset + entry.size}, and its data file at {len(data)}"
            )
        return data[entry.offset : entry.offset + entry.size]

    def _whole(self, key: str, entry: Entry) -> Iterator[Any]:
        """A tensor that is in parts, put together."""
        kind = np.dtype((np.void, ITEM_SIZES[entry.dtype]))
        whole = np.zeros(entry.shape, kind)
        there = np.zeros(entry.shape, np.bool_)
        for part in entry.slices:
            one = self._index.parts[part_key(key, part)]
            read = b"".join(map(bytes, _checked(key, one, self._bytes(one))))
            place = _place(extents(part, entry.shape))
            whole[place] = np.frombuffer(read, kind).reshape(one.shape)
            there[place] = True
        if not there.all():
            raise DamagedError("parts that lie over one another", place=key)
        yield memoryview(whole.tobytes())


def _place(part: Slice) -> tuple[slice, ...]:
    return tuple(
        slice(start, start + size) for start, size in zip(part.starts, part.sizes, strict=True)
    )


def _checked(key: str, entry: Entry, data: memoryview) -> Iterator[memoryview]:
    """The bytes in pieces; when they were read, they must have had their digest."""
    digest = 0
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        digest = crc32c(piece, digest)
        if entry.dtype == "bool" and np.frombuffer(piece, np.uint8).max() > 1:
            raise DamagedError("a boolean that is neither 0 nor 1", place=key)
        yield piece
    if masked(digest) != entry.crc32c:
        raise DamagedError("has another CRC-32C than the checkpoint says", place=key)
