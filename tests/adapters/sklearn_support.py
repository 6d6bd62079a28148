"""Helpers of the scikit-learn tests: bundles in memory, fingerprints of outputs."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from safemodel.adapters.protocol import Saved
from safemodel.bundle.tensor import Tensor
from safemodel.format.weights import TensorInfo


@dataclass
class Stored:
    """A tensor in memory: what a hostile writer may choose."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass
class MemoryBundle:
    """The content of a bundle as an adapter sees it, without container, digests or signatures."""

    architecture: Any
    stored: dict[str, Stored]
    libraries: Mapping[str, str]
    manifest: Any = field(init=False)

    def __post_init__(self) -> None:
        self.manifest = SimpleNamespace(architecture=self.architecture, libraries=self.libraries)
        self.tensors = {
            name: TensorInfo(name, one.dtype, one.shape, 0, len(one.data))
            for name, one in self.stored.items()
        }

    def tensor(self, name: str) -> Tensor:
        one = self.stored[name]
        return Tensor(name, one.dtype, one.shape, memoryview(bytearray(one.data)))

    def rows(self, name: str, start: int, stop: int, *, into: memoryview | None = None) -> Tensor:
        del into  # a reader may fill it, and need not
        one = self.stored[name]
        assert 0 <= start <= stop <= one.shape[0]
        row = len(one.data) // max(one.shape[0], 1)
        data = memoryview(bytearray(one.data[start * row : stop * row]))
        return Tensor(name, one.dtype, (stop - start, *one.shape[1:]), data)

    def load_weights(self) -> None:
        """Nothing to load: it is all in memory."""


def in_memory(saved: Saved) -> MemoryBundle:
    """The bundle that would be written for this, kept in memory."""
    stored = {
        tensor.spec.name: Stored(
            tensor.spec.dtype,
            tuple(tensor.spec.shape),
            b"".join(bytes(memoryview(piece).cast("B")) for piece in tensor.pieces()),
        )
        for tensor in saved.tensors
    }
    return MemoryBundle(saved.architecture, stored, saved.libraries)


def fingerprint(value: Any) -> str:
    """A digest of a value to the last bit."""
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    yield type(value).__name__.encode()
    if sp.issparse(value):
        for array in (value.tocsr().indptr, value.tocsr().indices, value.tocsr().data):
            yield from _parts(array)
    elif isinstance(value, pd.DataFrame):
        yield from _parts([list(value.columns), *(value[name].to_numpy() for name in value)])
    elif isinstance(value, np.ndarray) and value.dtype.kind == "O":
        yield repr(value.shape).encode()
        yield from (repr(item).encode() for item in value.ravel().tolist())
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, dict):
        for key in sorted(value):
            yield key.encode()
            yield from _parts(value[key])
    else:
        yield repr(value).encode()


def train(again: Any, model: Any) -> Any:
    """Train on, from the same global random state."""
    np.random.seed(5)  # what an estimator without a random_state draws from
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return again(model)
