"""NumPy's .npy: a header that is a Python literal, then the items, or a pickle of objects.

Versions 1.0 to 3.0 (numpy.lib.format). Only the header is parsed; where the items end follows from
it. A header that `numpy.load` reads and this module does not raises, and says where the items
begin: what is there may still be a pickle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.content import Reader
from safemodel.legacy.dtype import count_of, from_descr
from safemodel.legacy.literal import Literal, parse_literal

MAGIC: Final = b"\x93NUMPY"
MAX_HEADER: Final = 1 << 20  # NumPy's own bound is 10,000, and none with allow_pickle=True
_KEYS: Final = frozenset({"descr", "fortran_order", "shape"})
_LENGTHS: Final = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # version -> bytes of the header's length


@dataclass(frozen=True, slots=True)
class Prefix:
    """What comes before the literal.

    Attributes:
        version: major and minor.
        start: offset of the literal, from the magic.
        length: bytes of the literal; the items follow.
    """

    version: tuple[int, int]
    start: int
    length: int

    @property
    def end(self) -> int:
        """Offset of the items, from the magic."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Header:
    """An .npy header.

    Attributes:
        shape: of the array.
        size: bytes of the items; meaningless where `has_object`.
        has_object: the items are a pickle, which `numpy.load(allow_pickle=True)` loads.
        descr: the data type, as the header spells it.
    """

    shape: tuple[int, ...]
    fortran_order: bool
    size: int
    has_object: bool
    descr: Literal = None


def parse_prefix(data: memoryview) -> Prefix:
    """Read magic, version and length from the first 12 bytes, or fewer where there are no more.

    Raises:
        DamagedError: not an .npy of a version that there is.
    """
    version = (data[6], data[7]) if len(data) >= 8 else (0, 0)
    if bytes(data[:6]) != MAGIC or version not in _LENGTHS:
        raise DamagedError("not an .npy of version 1.0, 2.0 or 3.0", offset=0)
    width = _LENGTHS[version]
    if len(data) < 8 + width:
        raise DamagedError("ends within the length of its header", offset=8)
    return Prefix(version, 8 + width, int.from_bytes(data[8 : 8 + width], "little"))


def parse_header(data: memoryview, prefix: Prefix, offset: int = 0) -> Header:
    """Read the literal of a header: exactly its bytes.

    Raises:
        DamagedError: it is not what NumPy writes.
    """
    try:
        text = str(data, "utf-8" if prefix.version == (3, 0) else "latin-1")
        return _header(parse_literal(text))
    except UnicodeDecodeError:
        raise DamagedError("an .npy header that is not UTF-8", offset=offset) from None
    except DamagedError as error:
        raise DamagedError(f"an .npy header with {error.message}", offset=offset) from None


def _header(value: Literal) -> Header:
    if not isinstance(value, dict) or value.keys() != _KEYS:
        raise DamagedError("other keys than descr, fortran_order and shape")
    shape, fortran_order = value["shape"], value["fortran_order"]
    if not isinstance(shape, tuple) or not isinstance(fortran_order, bool):
        raise DamagedError("values of other types")
    dtype = from_descr(value["descr"])
    sizes = tuple(size for size in shape if isinstance(size, int))
    size = count_of(shape) * dtype.size
    return Header(sizes, fortran_order, size, dtype.has_object, value["descr"])


def read_prefix(reader: Reader) -> Prefix:
    """Read the prefix where the reader is, which then is at the literal.

    Raises:
        DamagedError: as `parse_prefix`.
    """
    prefix = parse_prefix(reader.peek(12))
    reader.advance(prefix.start)
    return prefix


def read_header(reader: Reader, prefix: Prefix) -> Header:
    """Read the literal where the reader is, which then is at the items, whatever the literal is.

    Raises:
        DamagedError, BudgetError: as `parse_header`, or the literal is cut off.
    """
    start = reader.offset
    if prefix.length > MAX_HEADER:
        reader.advance(prefix.length)
        raise BudgetError("an .npy header of more than 1 MiB", offset=start)
    return parse_header(reader.read(prefix.length), prefix, start)
