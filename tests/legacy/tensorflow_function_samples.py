"""Functions of TensorFlow with types and results, written by hand, without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from tests.legacy.tensorflow_samples import field, varint

FLOAT, INT32, STRING, BOOL, RESOURCE = 1, 3, 7, 10, 20


def fixed32(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)


def shape(*sizes: int | None) -> bytes:
    """A TensorShapeProto; without sizes a scalar."""
    return b"".join(field(2, field(1, (1 << 64) - 1 if size is None else size)) for size in sizes)


def tensor(dtype: int, sizes: bytes, *rest: bytes) -> bytes:
    return field(1, dtype) + field(2, sizes) + b"".join(rest)


def attr(key: str, value: bytes) -> bytes:
    """An entry of a map of attributes."""
    return field(1, key) + field(2, value)


def dtype(number: int) -> bytes:
    return field(6, number)


def calls(name: str) -> bytes:
    return field(10, field(1, name))


def listed(*items: bytes) -> bytes:
    return field(1, b"".join(items))


def node(
    name: str, operation: str, inputs: Iterable[str] = (), attrs: Mapping[str, bytes] | None = None
) -> bytes:
    """A NodeDef."""
    given = b"".join(field(3, one) for one in inputs)
    rest = b"".join(field(5, attr(key, value)) for key, value in (attrs or {}).items())
    return field(1, name) + field(2, operation) + given + rest


def argument(name: str, number: int, *rest: bytes) -> bytes:
    """An ArgDef."""
    return field(1, name) + field(3, number) + b"".join(rest)


def handle(number: int, sizes: bytes) -> bytes:
    """What is behind a resource, as a part of an ArgDef."""
    return field(7, field(1, number) + field(2, sizes))


def function_def(
    name: str,
    arguments: Iterable[bytes],
    results: Mapping[str, tuple[int, str]],
    nodes: Iterable[bytes],
    *,
    must_run: Iterable[str] = (),
    shapes: Mapping[int, bytes] | None = None,
) -> bytes:
    """A FunctionDef; `results`: name to type and tensor."""
    signature = field(1, name) + b"".join(field(2, one) for one in arguments)
    signature += b"".join(field(3, argument(key, kind)) for key, (kind, _) in results.items())
    out = field(1, signature) + b"".join(field(3, one) for one in nodes)
    for key, (_, reference) in results.items():
        out += field(4, field(1, key) + field(2, reference))
    for one in must_run:
        out += field(6, field(1, one) + field(2, one))
    for place, known in (shapes or {}).items():
        said = field(1, attr("_output_shapes", listed(field(7, known))))
        out += field(7, field(1, place) + field(2, said))
    return out


def library(*functions: bytes) -> bytes:
    """A GraphDef with functions only."""
    return field(2, b"".join(field(1, one) for one in functions))
