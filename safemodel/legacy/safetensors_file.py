"""Stock safetensors files to facts: what any writer may produce, not only ours.

    the size of the header (8 bytes, little-endian); the header, JSON; the data of the tensors

The stock reader (0.8) is strict: tensors side by side, from the first byte to the last. Others are
not. So everything that it refuses is an `Oddity` here, and the tensors' data are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError
from safemodel.legacy import json_text
from safemodel.legacy.json_text import JsonValue

MAX_HEADER: Final = 100_000_000  # of the stock reader
MAX_ODDITIES: Final = 50
_METADATA: Final = "__metadata__"

# dtype -> bits of an item
BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that the stock reader refuses, and another may take.

    Attributes:
        minor: whether it may as well be newer than this table.
    """

    message: str
    offset: int
    minor: bool = False


@dataclass(frozen=True, slots=True)
class SafetensorsFacts:
    """What a file says.

    Attributes:
        tensors: how many.
        metadata: the strings of `__metadata__`.
        oddities: at most `MAX_ODDITIES`.
        data: the first byte of the data.
        end: one past the last byte that a tensor takes.
    """

    tensors: int
    metadata: tuple[tuple[str, str], ...]
    oddities: tuple[Oddity, ...]
    data: int
    end: int


def looks_like_safetensors(head: bytes | memoryview) -> bool:
    """Whether the first bytes are a plausible size and the beginning of a JSON object."""
    start = bytes(head[:4096])
    size = int.from_bytes(start[:8], "little")
    return 2 <= size <= MAX_HEADER and start[8:].lstrip(b" \t\r\n")[:1] == b"{"


def parse_safetensors(data: memoryview) -> SafetensorsFacts:
    """Read the header.

    Raises:
        DamagedError: not safetensors, or it ends before its header or data do.
        BudgetError: a header that is larger or deeper than a scan may take.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size < 2 or size > MAX_HEADER:
        raise DamagedError("not a safetensors file", offset=0)
    if size > len(data) - 8:
        raise DamagedError(f"a header of {size} bytes where {len(data) - 8} are left", offset=0)
    header = json_text.parse(data[8 : 8 + size])
    if not isinstance(header.value, dict):
        raise DamagedError("a safetensors header that is no object", offset=8)
    check = _Check(len(data) - 8 - size)
    if bytes(data[8:9]) != b"{":
        check.odd("the header does not begin with a brace")
    if header.encoding != "utf-8":
        check.odd(f"the header is {header.encoding}")
    for duplicate in header.duplicates[:MAX_ODDITIES]:
        check.odd(f"the name {duplicate.key[:200]} occurs twice: readers take one or the other")
    metadata = check.metadata(header.value.get(_METADATA, {}))
    tensors = {name: value for name, value in header.value.items() if name != _METADATA}
    end = check.tensors(tensors)
    start = 8 + size
    return SafetensorsFacts(
        len(tensors), metadata, tuple(check.oddities[:MAX_ODDITIES]), start, start + end
    )


class _Check:
    def __init__(self, size: int) -> None:
        self.size = size
        self.oddities: list[Oddity] = []

    def odd(self, message: str, *, minor: bool = False) -> None:
        if len(self.oddities) < MAX_ODDITIES:
            self.oddities.append(Oddity(message, 8, minor))

    def metadata(self, value: JsonValue) -> tuple[tuple[str, str], ...]:
        if not isinstance(value, dict):
            self.odd("the metadata are no object")
            return ()
        if not all(isinstance(item, str) for item in value.values()):
            self.odd("metadata that are no strings")
        return tuple((key, item) for key, item in value.items() if isinstance(item, str))

    def tensors(self, tensors: dict[str, JsonValue]) -> int:
        """Check all, and that they lie side by side; where the last one ends."""
        ranges = []
        for name, value in tensors.items():
            found = self.tensor(name[:200], value)
            if found is not None:
                ranges.append((*found, name))
        last = 0
        for begin, end, name in sorted(ranges):
            if begin < last:
                self.odd(f"the tensor {name[:200]} shares bytes with another")
            elif begin > last:
                self.odd(f"{begin - last} bytes before the tensor {name[:200]} belong to none")
            last = max(last, end)
        if last > self.size:
            raise DamagedError(f"ends {last - self.size} bytes before its tensors do", offset=8)
        return last

    def tensor(self, name: str, value: JsonValue) -> tuple[int, int] | None:
        """Its range of the data; None where it has none."""
        fields = value if isinstance(value, dict) else {}
        shape, offsets = (_naturals(fields.get(key)) for key in ("shape", "data_offsets"))
        dtype = fields.get("dtype")
        if shape is None or offsets is None or len(offsets) != 2 or not isinstance(dtype, str):
            self.odd(f"the tensor {name} has no dtype, shape and range")
            return None
        begin, end = offsets
        if not begin <= end < 1 << 62:
            self.odd(f"the tensor {name} has no range")
            return None
        items = 1
        for dimension in shape:
            items = min(items * dimension, 1 << 64)
        if dtype not in BITS:
            self.odd(f"the tensor {name} has the dtype {dtype[:40]}, not known here", minor=True)
        elif -(-items * BITS[dtype] // 8) != end - begin:
            self.odd(f"the tensor {name} has {end - begin} bytes, not what its shape needs")
        return begin, end


def _naturals(value: JsonValue) -> list[int] | None:
    if not isinstance(value, list):
        return None
    found = [item for item in value if type(item) is int and item >= 0]
    return found if len(found) == len(value) else None
