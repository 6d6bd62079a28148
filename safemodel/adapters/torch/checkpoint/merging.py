"""The states of several ranks as one: for a load by another number of ranks than saved them.

Dictionaries are united, shards joined, equal values are one. What differs between ranks has no
meaning for others: the first rank's value is taken, and its path noted. Implements
spec/checkpoints.md, "Other numbers of ranks".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from safemodel.adapters.graph_encode import join
from safemodel.adapters.torch.checkpoint.shards import Shard, Sharded
from safemodel.errors import ArchitectureError

_MAX_DEPTH: Final = 100


class Merge:
    """One merge. `differing` are paths whose values differ, `partial` those some ranks lack."""

    def __init__(self) -> None:
        self.differing: list[str] = []
        self.partial: set[str] = set()
        self._done: dict[tuple[int, ...], tuple[Any, bool]] = {}

    def merge(self, values: Sequence[Any], path: str = "", depth: int = 0) -> Any:
        """One value for those of the ranks that have one.

        Raises:
            ArchitectureError: containers that hold themselves, or nest too deeply.
        """
        first = values[0]
        if len(values) == 1 or all(value is first for value in values):
            return first
        if depth > _MAX_DEPTH:
            raise ArchitectureError(f"states that nest deeper than {_MAX_DEPTH} levels")
        # What is shared is merged once: else a small graph would have paths beyond number.
        key = tuple(map(id, values))
        if key not in self._done:
            before = len(self.differing)
            merged = self._merged(values, path, depth + 1)
            self._done[key] = merged, len(self.differing) > before
        elif self._done[key][1]:
            self.differing.append(path)  # here, too
        return self._done[key][0]

    def _merged(self, values: Sequence[Any], path: str, depth: int) -> Any:
        first = values[0]
        kind = type(first)
        if all(type(value) is kind for value in values):
            if isinstance(first, dict):
                return self._dicts(values, path, depth)
            if kind in (list, tuple) and all(len(value) == len(first) for value in values):
                rows = enumerate(zip(*values, strict=True))
                return kind(self.merge(row, join(path, str(i)), depth) for i, row in rows)
            if kind is Sharded:
                return self._shards(values, path)
            if all(_same(first, value) for value in values[1:]):
                return first
        self.differing.append(path)
        return first

    def _dicts(self, values: Sequence[Any], path: str, depth: int) -> Any:
        merged: Any = OrderedDict() if isinstance(values[0], OrderedDict) else {}
        keys = dict.fromkeys(key for value in values for key in value)
        for key in keys:
            held = [value[key] for value in values if key in value]
            place = join(path, key if type(key) in (str, int) else type(key).__name__)
            if len(held) < len(values):
                self.partial.add(place)
            merged[key] = self.merge(held, place, depth)
        versions = [value._metadata for value in values if hasattr(value, "_metadata")]
        if versions and isinstance(merged, OrderedDict):
            merged._metadata = Merge().merge(versions, depth=depth)  # type: ignore[attr-defined]
        return merged

    def _shards(self, values: Sequence[Sharded], path: str) -> Sharded:
        first = values[0]
        if any((value.dtype, value.shape) != (first.dtype, first.shape) for value in values):
            self.differing.append(path)
            return first
        found: dict[Any, Shard] = {}
        for value in values:
            for shard in value.shards:
                known = found.setdefault((shard.offset, shard.shape), shard)
                if known.name != shard.name and path not in self.differing[-1:]:
                    self.differing.append(path)
        return Sharded(first.dtype, first.shape, tuple(found.values()))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return _same_tensors(one, other)
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())
    if isinstance(one, torch.Generator):
        return torch.equal(one.get_state(), other.get_state())
    if isinstance(one, np.random.Generator):
        return _same_words(one.bit_generator.state, other.bit_generator.state)
    if isinstance(one, np.random.RandomState):
        return _same_words(one.get_state(legacy=False), other.get_state(legacy=False))
    return isinstance(one, _PLAIN) and bool(one == other or (one != one and other != other))


_PLAIN: Final = (
    *(type(None), bool, int, float, complex, str, bytes),
    *(torch.dtype, torch.device, torch.Size),
)


def _same_tensors(one: Any, other: Any) -> bool:
    if (one.dtype, one.shape, one.layout) != (other.dtype, other.shape, other.layout):
        return False
    if one.layout is not torch.strided or one.is_quantized:
        return False
    if one.data_ptr() == other.data_ptr() and one.stride() == other.stride():
        return True
    return bool(torch.equal(_bits(one), _bits(other)))


def _bits(tensor: Any) -> Any:
    """The items as bytes: NaN is the NaN that it is."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)


def _same_words(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same_words(one[k], other[k]) for k in one)
    if isinstance(one, np.ndarray):
        return bool(one.tobytes() == other.tobytes())
    return bool(one == other)
