"""A bundle in memory: enough of a VerifiedBundle for the graph codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from safemodel.adapters.graph_decode import Builder, Parser, decode
from safemodel.adapters.graph_encode import EncodedGraph, Handler, Inline, encode
from safemodel.bundle.contents import TensorData
from safemodel.bundle.tensor import Tensor
from safemodel.format import canonical_json
from safemodel.format.weights import TensorSpec


class MemoryBundle:
    """The tensors of an encoded graph, laid out as in a loaded bundle: side by side, aligned."""

    def __init__(self, tensors: Iterable[TensorData]) -> None:
        self.tensors: dict[str, Any] = {}
        self.buffers: dict[str, memoryview] = {}
        for data in tensors:
            joined = b"".join(bytes(memoryview(piece).cast("B")) for piece in data.pieces())
            self.add(data.spec, joined)

    def add(self, spec: TensorSpec, data: bytes) -> None:
        assert len(data) == spec.nbytes, spec
        assert spec.name not in self.tensors
        buffer = np.empty(len(data) + 64, np.uint8)
        start = -buffer.ctypes.data % 64
        aligned = buffer[start : start + len(data)]
        aligned[:] = np.frombuffer(data, np.uint8)
        self.tensors[spec.name] = spec
        self.buffers[spec.name] = memoryview(aligned)

    def tensor(self, name: str) -> Tensor:
        spec = self.tensors[name]
        return Tensor(name, spec.dtype, spec.shape, self.buffers[name])

    @property
    def stored(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        return {name: (spec.dtype, spec.shape) for name, spec in self.tensors.items()}


class Codec:
    """Encode and decode with the tables of one adapter, through canonical JSON."""

    def __init__(
        self,
        handlers: Mapping[type, Handler],
        inlines: Mapping[type, Inline],
        builders: Mapping[str, Builder],
        parsers: Mapping[str, Parser],
    ) -> None:
        self.handlers, self.inlines = handlers, inlines
        self.builders, self.parsers = builders, parsers

    def encode(self, obj: object) -> EncodedGraph:
        return encode(obj, handlers=self.handlers, inlines=self.inlines)

    def save(self, obj: object) -> tuple[Any, MemoryBundle]:
        encoded = self.encode(obj)
        data = canonical_json.encode(encoded.graph)
        return canonical_json.decode(data, max_size=len(data)), MemoryBundle(encoded.tensors)

    def load(self, graph: Any, bundle: MemoryBundle) -> Any:
        return decode(graph, bundle, builders=self.builders, parsers=self.parsers)

    def roundtrip(self, obj: object) -> Any:
        return self.load(*self.save(obj))
