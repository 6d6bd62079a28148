"""Tensors of stock safetensors files as the state of a model: ranges of the files, not copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters import arrays, plain, tensors
from safemodel.adapters.graph_encode import EncodedGraph, Encoder, Node, encode
from safemodel.errors import UnconvertibleError
from safemodel.legacy import json_text
from safemodel.legacy.safetensors_file import parse_safetensors

# The type of stored items -> PyTorch's name of it.
_NAMES: Final[Mapping[str, str]] = {
    stored: name
    for name, (stored, unit) in tensors.STORED.items()
    if not unit and (stored not in ("U8", "U16") or name in ("uint8", "uint16"))
}
_METADATA: Final = "__metadata__"


@dataclass(frozen=True, slots=True)
class FileTensor:
    """A tensor of a file: PyTorch's name of its type, its shape, its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


def read(data: memoryview) -> dict[str, FileTensor]:
    """The tensors of a safetensors file by name.

    Raises:
        UnconvertibleError: the stock reader would refuse it, or a type is not known here.
        LegacyError: it is damaged.
    """
    facts = parse_safetensors(data)
    if facts.oddities:
        raise UnconvertibleError(facts.oddities[0].message)
    header: Any = json_text.parse(data[8 : facts.data]).value
    found = {}
    for name, entry in header.items():
        if name == _METADATA:
            continue
        dtype = _NAMES.get(entry["dtype"])
        if dtype is None:
            raise UnconvertibleError(f"a tensor of {entry['dtype']!s:.40}", place=name[:200])
        begin, end = entry["data_offsets"]
        found[name] = FileTensor(
            dtype, tuple(entry["shape"]), data[facts.data + begin : facts.data + end]
        )
    return found


def _encode(obj: Any, path: str, encoder: Encoder) -> Node:
    size = tensors.ITEM_SIZES[obj.dtype]
    items = np.frombuffer(obj.data, np.dtype((np.void, size))).reshape(obj.shape)
    node: Node = {"kind": "tensor", "dtype": obj.dtype}
    part = tensors.part(
        obj.dtype,
        node,
        path=path,
        address=items.ctypes.data,
        shape=obj.shape,
        strides=tuple(step // size for step in items.strides),
        memory=arrays.ArrayMemory(items),
    )
    encoder.add_array(part)
    return node


def encoded(state: Mapping[str, FileTensor]) -> EncodedGraph:
    """The object graph of a state dict of such tensors, sorted by name.

    Raises:
        UnsavableError: a name that is too long, or more tensors than a graph may have.
    """
    ordered = {name: state[name] for name in sorted(state)}
    handlers = {**plain.HANDLERS, FileTensor: _encode}
    return encode(ordered, handlers=handlers, inlines=plain.INLINES)


def shards(index: Any, present: Sequence[str]) -> tuple[str, ...]:
    """The files that an index of shards names.

    Raises:
        UnconvertibleError: it is no index, or a file that it names is not in the folder.
    """
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise UnconvertibleError("an index of shards without a weight_map")
    named = set()
    for name in weight_map.values():
        if not isinstance(name, str) or name not in present or not name.endswith(".safetensors"):
            raise UnconvertibleError(f"names the shard {name!r:.100}, which is not in the folder")
        named.add(name)
    return tuple(sorted(named))
