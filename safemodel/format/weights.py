"""Weights: canonical safetensors, which every safetensors reader opens (spec/format.md, "Weights").

A weights member is the length of its header (8 bytes, little-endian), the header, and the bytes of
the tensors. The header is canonical JSON: for each tensor name its `data_offsets`, `dtype` and
`shape`, no `__metadata__`; then the fewest spaces that make the data start at a multiple of 64.

The tensors lie side by side in canonical order: descending by min(6, trailing zero bits of the
byte length), 6 for a length of zero, then by name. So each begins at a multiple of min(64, the
largest power of two that divides its length), with no holes, whatever the lengths are.

Knows nothing of frameworks and their dtypes, nor of which real name a stored name stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from safemodel import limits
from safemodel.errors import LimitError, ManifestError, WeightsError
from safemodel.format import Buffer, canonical_json
from safemodel.format.canonical_json import JsonValue

MEDIA_TYPE: Final = "application/vnd.safetensors"
PREFIX_SIZE: Final = 8

# The dtypes of safetensors whose items are whole bytes, with the size of an item.
ITEM_SIZES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "BOOL": 1,
        "U8": 1,
        "I8": 1,
        "F8_E4M3": 1,
        "F8_E5M2": 1,
        "F8_E8M0": 1,
        "F8_E4M3FNUZ": 1,
        "F8_E5M2FNUZ": 1,
        "U16": 2,
        "I16": 2,
        "F16": 2,
        "BF16": 2,
        "U32": 4,
        "I32": 4,
        "F32": 4,
        "U64": 8,
        "I64": 8,
        "F64": 8,
        "C64": 8,
    }
)

_RESERVED_NAME: Final = "__metadata__"
_FIELDS: Final = frozenset({"data_offsets", "dtype", "shape"})
_SINGLE: Final = "weights.safetensors"
_SHARD: Final = re.compile(r"weights-[0-9]{5}-of-([0-9]{5})\.safetensors")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a tensor is, before it has a place."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """The length in bytes, or WeightsError or LimitError if there can be no such tensor."""
        return _nbytes(self.name, self.dtype, self.shape)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a tensor is, and where: `begin` and `end` count from the start of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def nbytes(self) -> int:
        """The length in bytes."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class WeightsHeader:
    """The tensors of a weights member in canonical order, and where in it their data starts."""

    tensors: tuple[TensorInfo, ...]
    data_start: int

    @property
    def member_size(self) -> int:
        """The length of the whole member."""
        return self.data_start + self.tensors[-1].end


def layout(specs: Iterable[TensorSpec]) -> tuple[bytes, WeightsHeader]:
    """Return the bytes before the data of a member with these tensors, and what they say."""
    tensors = _placed(specs)
    document: dict[str, JsonValue] = {
        tensor.name: {
            "data_offsets": [tensor.begin, tensor.end],
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
        }
        for tensor in tensors
    }
    if not tensors:
        raise WeightsError("a weights member without tensors")
    body = canonical_json.encode(document)
    body += b" " * (-(PREFIX_SIZE + len(body)) % limits.WEIGHTS_ALIGNMENT)
    if len(body) > limits.MAX_WEIGHTS_HEADER:
        raise LimitError(
            f"a weights header of {len(body)} bytes, more than {limits.MAX_WEIGHTS_HEADER}"
        )
    header = WeightsHeader(tensors, PREFIX_SIZE + len(body))
    _check_member_size(header.member_size)
    return len(body).to_bytes(PREFIX_SIZE, "little") + body, header


def header_length(prefix: Buffer, member_size: int) -> int:
    """Return where the data starts, from (at least) the first 8 bytes of a member."""
    _check_member_size(member_size)
    if len(prefix) < PREFIX_SIZE or member_size < PREFIX_SIZE:
        raise WeightsError("a weights member that is shorter than the length of its header")
    length = int.from_bytes(bytes(prefix[:PREFIX_SIZE]), "little")
    if length > limits.MAX_WEIGHTS_HEADER:
        raise LimitError(f"a weights header of {length} bytes, more than the limit")
    data_start = PREFIX_SIZE + length
    if data_start > member_size:
        raise WeightsError("a weights header that is longer than its member")
    if data_start % limits.WEIGHTS_ALIGNMENT:
        raise WeightsError(f"tensor data that does not start at a multiple of 64: {data_start}")
    return data_start


def parse_header(data: Buffer, member_size: int) -> WeightsHeader:
    """Return what the header says; `data` is all of the member that lies before its tensor data."""
    if header_length(data, member_size) != len(data):
        raise WeightsError("a weights header of another length than it says")
    padded = bytes(data[PREFIX_SIZE:])
    body = padded.rstrip(b" ")
    if len(padded) - len(body) >= limits.WEIGHTS_ALIGNMENT:
        raise WeightsError("a weights header with more padding than it needs")
    document = canonical_json.decode(body, max_size=limits.MAX_WEIGHTS_HEADER)
    if not isinstance(document, dict) or not document:
        raise WeightsError("a weights header that is not an object with tensors")
    tensors = [_parse_tensor(name, fields) for name, fields in document.items()]
    tensors.sort(key=lambda tensor: -_alignment(tensor.end - tensor.begin))  # they are by name
    end = 0
    for tensor in tensors:
        if tensor.begin != end:
            raise WeightsError(f"tensor {tensor.name[:80]!r} does not lie where it must")
        end = tensor.end
    header = WeightsHeader(tuple(tensors), len(data))
    if header.member_size != member_size:
        raise WeightsError(f"{member_size} bytes for tensors that need {header.member_size}")
    return header


def split_shards(specs: Iterable[TensorSpec]) -> tuple[tuple[TensorSpec, ...], ...]:
    """Cut tensors into the weights members of a bundle, each in canonical order.

    A cut is made before the tensor that would take a member past 10^9 bytes of data or 50,000
    tensors, so a larger tensor stands alone.
    """
    shards: list[tuple[TensorSpec, ...]] = []
    shard: list[TensorSpec] = []
    size = 0
    for spec, nbytes in _ordered(specs):
        if shard and (size + nbytes > limits.SHARD_SIZE or len(shard) == limits.SHARD_TENSORS):
            shards.append(tuple(shard))
            shard, size = [], 0
        shard.append(spec)
        size += nbytes
    if shard:
        shards.append(tuple(shard))
    return tuple(shards)


def shard_names(count: int) -> tuple[str, ...]:
    """Return the names of the weights members of a bundle that has `count` of them."""
    if count > limits.MAX_SHARDS:
        raise LimitError(f"{count} weights members, more than the limit of {limits.MAX_SHARDS}")
    if count == 1:
        return (_SINGLE,)
    return tuple(f"weights-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1))


def is_weights_name(name: str) -> bool:
    """Say whether a member of this name is a weights member."""
    return name == _SINGLE or _SHARD.fullmatch(name) is not None


def check_weights_names(names: Iterable[str]) -> None:
    """Refuse member names whose weights members are not all the shards of one set, or just one."""
    found = sorted(filter(is_weights_name, names))
    if found and found != list(shard_names(len(found))):
        raise ManifestError(
            f"weights members that do not belong together: {', '.join(found[:3])}"
            + (", ..." if len(found) > 3 else "")
        )


def stored_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each real tensor name the one that it has in the weights.

    That is the name itself if it can be: 1 to 1024 characters of printable ASCII, and not
    `__metadata__`. The others, in the order of their code points, become `t000001`, `t000002`, ...
    skipping names that are taken.
    """
    stored: dict[str, str] = {}
    for name in names:
        if name in stored:
            raise WeightsError(f"two tensors named {name[:80]!r}")
        stored[name] = name if _is_storable(name) else ""
    taken = set(stored.values())
    number = 0
    for name in sorted(name for name, kept in stored.items() if not kept):
        number += 1
        while f"t{number:06}" in taken:
            number += 1
        stored[name] = f"t{number:06}"
    return stored


def _is_storable(name: str) -> bool:
    return (
        0 < len(name) <= limits.MAX_TENSOR_NAME
        and name.isascii()
        and name.isprintable()
        and name != _RESERVED_NAME
    )


def _check_name(name: str) -> None:
    if not _is_storable(name):
        raise WeightsError(f"{name[:80]!r} can't be the name of a tensor")


def _nbytes(name: str, dtype: str, shape: tuple[int, ...]) -> int:
    item_size = ITEM_SIZES.get(dtype)
    if item_size is None:
        raise WeightsError(f"tensor {name[:80]!r} has dtype {dtype[:20]!r}, which is unknown")
    if len(shape) > limits.MAX_TENSOR_RANK:
        raise LimitError(f"tensor {name[:80]!r} has more than {limits.MAX_TENSOR_RANK} dimensions")
    # Readers multiply in 64 bits and in their own order, so no product may overflow, even if
    # another dimension is zero.
    nbytes = bound = item_size
    for dimension in shape:
        if dimension < 0:
            raise WeightsError(f"tensor {name[:80]!r} has a negative dimension")
        nbytes *= dimension
        bound *= dimension or 1
    if bound > limits.MAX_MEMBER_SIZE:
        raise LimitError(f"tensor {name[:80]!r} is larger than {limits.MAX_MEMBER_SIZE} bytes")
    return nbytes


def _parse_tensor(name: str, fields: JsonValue) -> TensorInfo:
    if not isinstance(fields, dict) or fields.keys() != _FIELDS:
        raise WeightsError(f"tensor {name[:80]!r} has other fields than it must")
    _check_name(name)
    dtype = fields["dtype"]
    if not isinstance(dtype, str):
        raise WeightsError(f"tensor {name[:80]!r} has a dtype that is not a string")
    shape = _parse_integers(name, fields["shape"])
    offsets = _parse_integers(name, fields["data_offsets"])
    if len(offsets) != 2 or offsets[1] - offsets[0] != _nbytes(name, dtype, shape):
        raise WeightsError(f"tensor {name[:80]!r} has another length than its shape requires")
    return TensorInfo(name, dtype, shape, *offsets)


def _parse_integers(name: str, value: JsonValue) -> tuple[int, ...]:
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        raise WeightsError(f"tensor {name[:80]!r} has a field that is not a list of integers")
    return cast(tuple[int, ...], tuple(value))


def _ordered(specs: Iterable[TensorSpec]) -> list[tuple[TensorSpec, int]]:
    """Return the tensors in canonical order, each with its length."""
    sized = [(spec, spec.nbytes) for spec in specs]
    names = {spec.name for spec, _ in sized}
    if len(names) < len(sized):
        raise WeightsError("two tensors of one name")
    for name in names:
        _check_name(name)
    sized.sort(key=lambda pair: (-_alignment(pair[1]), pair[0].name))
    return sized


def _alignment(nbytes: int) -> int:
    """Return min(64, the largest power of two that divides `nbytes`)."""
    return (nbytes | limits.WEIGHTS_ALIGNMENT) & -(nbytes | limits.WEIGHTS_ALIGNMENT)


def _placed(specs: Iterable[TensorSpec]) -> tuple[TensorInfo, ...]:
    """Lay the tensors side by side in canonical order."""
    tensors = []
    begin = 0
    for spec, nbytes in _ordered(specs):
        tensors.append(TensorInfo(spec.name, spec.dtype, spec.shape, begin, begin + nbytes))
        begin += nbytes
    return tuple(tensors)


def _check_member_size(size: int) -> None:
    if size > limits.MAX_MEMBER_SIZE:
        raise LimitError(f"a member of {size} bytes, more than {limits.MAX_MEMBER_SIZE}")
