"""Constants of graphs: small ones in the JSON, large ones as tensors of the bundle.

Imports no TensorFlow. Implements spec/tensorflow-graph.md, "Constants".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import parse_hex, parse_integer
from safemodel.adapters.graph_decode import integer, text
from safemodel.adapters.tensorflow import dtypes
from safemodel.adapters.tensorflow.program import Inline, Stored
from safemodel.adapters.tensors import ITEM_SIZES
from safemodel.errors import ArchitectureError, UnsavableError
from safemodel.legacy.tensorflow_values import TensorFact

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

# Types whose items are written as numbers: whether they have a sign. Of all others, the bytes.
_INTEGERS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("int8", "int16", "int32", "int64"), True),
    **dict.fromkeys(("bool", "uint8", "uint16", "uint32", "uint64"), False),
}
# Types that constants have. TensorFlow has others, which no operator of the table takes.
DTYPES: Final = frozenset(
    {
        *_INTEGERS,
        *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        *("float8_e4m3fn", "float8_e5m2"),
    }
)
STRING: Final = dtypes.STRING
PREFIX: Final = "constants."

# Names of tensors of the bundle, with the dtype and the shape that they have in the graph.
Tensors = Mapping[str, tuple[str, tuple[int, ...]]]


class Constants:
    """Collects the large constants of a program, equal ones once.

    `stored` are they, by the names that they have in the bundle, in the order of their use.
    """

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self.stored: dict[str, TensorFact] = {}
        self._taken = taken
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._seen: dict[int, tuple[TensorFact, str]] = {}
        self._next = 0

    def encode(self, fact: TensorFact) -> JsonValue:
        """A constant as JSON.

        Raises:
            UnsavableError: of a type that no archive has, or strings that are too long.
        """
        if fact.dtype == STRING:
            return {"dtype": STRING, "shape": list(fact.shape), "values": _texts(fact)}
        if fact.dtype not in DTYPES:
            raise UnsavableError(f"a constant of the type {fact.dtype}")
        if id(fact) in self._seen:
            return {"tensor": self._seen[id(fact)][1]}
        data = fact.data()
        if len(data) > limits.MAX_INLINE_BYTES:
            self._seen[id(fact)] = fact, self._name(fact, data)
            return {"tensor": self._seen[id(fact)][1]}
        if fact.dtype == "bool" and any(byte > 1 for byte in data):
            raise UnsavableError("a boolean that is neither 0 nor 1")
        encoded: dict[str, JsonValue] = {"dtype": fact.dtype, "shape": list(fact.shape)}
        if fact.dtype in _INTEGERS:
            encoded["values"] = [_number(value) for value in _integers(fact.dtype, data)]
        else:
            encoded["bytes"] = data.hex()
        return encoded

    def forget(self, count: int) -> None:
        """Go back to where so many were stored."""
        self.stored = dict(list(self.stored.items())[:count])
        self._known = {key: name for key, name in self._known.items() if name in self.stored}
        self._seen = {key: one for key, one in self._seen.items() if one[1] in self.stored}
        self._next = 0

    def _name(self, fact: TensorFact, data: bytes) -> str:
        key = fact.dtype, fact.shape, hashlib.sha256(data).digest()
        if key not in self._known:
            while (name := f"{PREFIX}{self._next}") in self._taken or name in self.stored:
                self._next += 1
            self._known[key] = name
            self.stored[name] = fact
        return self._known[key]


def _integers(dtype: str, data: bytes) -> list[int]:
    size = ITEM_SIZES[dtype]
    return [
        int.from_bytes(data[start : start + size], "little", signed=_INTEGERS[dtype])
        for start in range(0, len(data), size)
    ]


def _number(value: int) -> JsonValue:
    return value if abs(value) <= limits.MAX_SAFE_INTEGER else {"int": str(value)}


def _texts(fact: TensorFact) -> list[JsonValue]:
    if fact.count > limits.MAX_PROGRAM_VALUES:
        raise UnsavableError(f"a constant of {fact.count} strings")
    return [string(item) for item in fact.texts()]


def string(item: bytes) -> JsonValue:
    """A string of TensorFlow, which are bytes: as text if it is.

    Raises:
        UnsavableError: it is too long.
    """
    try:
        found: JsonValue = item.decode()
    except UnicodeDecodeError:
        found = {"bytes": item.hex()}
    if len(item) > (limits.MAX_ARCHITECTURE_STRING if type(found) is str else 1024):
        raise UnsavableError("a constant with a string of more than 4 KiB")
    return found


def parse_string(value: JsonValue) -> bytes:
    """The bytes of a string.

    Raises:
        ArchitectureError: not one, too long, or bytes that are text.
    """
    if type(value) is str:
        raw = value.encode()
        if len(raw) > limits.MAX_ARCHITECTURE_STRING:
            raise ArchitectureError("a string of more than 4 KiB")
        return raw
    if type(value) is not dict or value.keys() != {"bytes"}:
        raise ArchitectureError(f"not a string: {value!r:.60}")
    raw = parse_hex(value["bytes"])
    try:
        raw.decode()
    except UnicodeDecodeError:
        if len(raw) <= limits.MAX_INLINE_BYTES:
            return raw
        raise ArchitectureError("a string of more than 1 KiB that is not text") from None
    raise ArchitectureError("a string as bytes that is text")


def parse(value: JsonValue, tensors: Tensors, used: set[str]) -> Inline | Stored:
    """A constant; `used` gets the names of tensors of the bundle.

    Raises:
        ArchitectureError: it is none, not written as it must be, or its tensor is not there.
    """
    if type(value) is not dict:
        raise ArchitectureError("a constant must be an object")
    if value.keys() == {"tensor"}:
        return stored(value["tensor"], tensors, used)
    dtype = text(value.get("dtype"), "dtype")
    field = "values" if dtype in _INTEGERS or dtype == STRING else "bytes"
    if value.keys() != {"dtype", "shape", field} or (dtype != STRING and dtype not in DTYPES):
        raise ArchitectureError(f"a constant of the type {dtype!r:.60} with other fields")
    shape = sizes(value["shape"])
    count = math.prod(shape)
    if field == "bytes":
        data = parse_hex(value["bytes"])
        if len(data) > limits.MAX_INLINE_BYTES or len(data) != count * ITEM_SIZES[dtype]:
            raise ArchitectureError("a constant of another size, or too large to be inline")
        return Inline(dtype, shape, data)
    items = value["values"]
    if type(items) is not list or len(items) != count:
        raise ArchitectureError("a constant with another number of values than its shape says")
    if dtype == STRING:
        if len(shape) > dtypes.MAX_STRING_RANK:
            raise ArchitectureError(f"strings with more than {dtypes.MAX_STRING_RANK} axes")
        return Inline(dtype, shape, b"", tuple([parse_string(item) for item in items]))
    if count * ITEM_SIZES[dtype] > limits.MAX_INLINE_BYTES:
        raise ArchitectureError("a constant that is too large to be inline")
    return Inline(dtype, shape, b"".join([_item(dtype, item) for item in items]))


def stored(name: JsonValue, tensors: Tensors, used: set[str]) -> Stored:
    """A constant that is a tensor of the bundle.

    Raises:
        ArchitectureError: it is not there, of another type, or small enough to be inline.
    """
    known = tensors.get(text(name, "a tensor"))
    if known is None or known[0] not in DTYPES:
        raise ArchitectureError(f"no tensor {name!r:.100} that a constant can be")
    if math.prod(known[1]) * ITEM_SIZES[known[0]] <= limits.MAX_INLINE_BYTES:
        raise ArchitectureError("a constant that is stored, and small enough to be inline")
    used.add(str(name))
    return Stored(str(name), *known)


def sizes(value: JsonValue) -> tuple[int, ...]:
    """A shape whose sizes are all known.

    Raises:
        ArchitectureError: it is none.
    """
    if type(value) is not list or len(value) > limits.MAX_TENSOR_RANK:
        raise ArchitectureError("a shape must be a list of sizes")
    return tuple([integer(size, 0, limits.MAX_SAFE_INTEGER, "a size") for size in value])


def _item(dtype: str, value: JsonValue) -> bytes:
    number: Any = value
    if type(value) is dict and value.keys() == {"int"}:
        number = parse_integer(value["int"])
    size, sign = ITEM_SIZES[dtype], _INTEGERS[dtype]
    low, high = (
        (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if sign else (0, (1 << 8 * size) - 1)
    )
    if type(number) is not int or not low <= number <= (1 if dtype == "bool" else high):
        raise ArchitectureError(f"not a value of the type {dtype}: {value!r:.60}")
    return number.to_bytes(size, "little", signed=sign)
