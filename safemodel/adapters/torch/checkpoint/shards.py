"""Tensors that are spread over ranks (DTensor): the shard of one rank as a node of its graph.

A shard says where in the whole tensor it lies. Read again, shards are put together, or cut anew,
for whatever the tensor of the caller is: a DTensor over any mesh, or a plain tensor. Implements
spec/checkpoints.md, "Shards".
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel import limits
from safemodel.adapters import arrays
from safemodel.adapters.graph_decode import Builder, Decoder, integers
from safemodel.adapters.graph_encode import Encoder, Handler, Node
from safemodel.adapters.memory import c_strides
from safemodel.adapters.torch import decoding, tables
from safemodel.adapters.torch.decoding import storage_of, typed
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

Shape = tuple[int, ...]
_MODULE: Final = "torch.distributed.tensor"


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a tensor: `shape` items from `offset` on; `read` gives them, verified."""

    name: str
    offset: Shape
    shape: Shape
    read: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Sharded:
    """A tensor in shards, of one rank or of all of them."""

    dtype: torch.dtype
    shape: Shape
    shards: tuple[Shard, ...]


class NotCoveredError(Exception):
    """The shards at hand are not all that it takes; those of other ranks may be."""


def handlers() -> dict[type, Handler]:
    """How tensors that are spread over ranks are written, if this process can have any."""
    module = sys.modules.get(_MODULE)
    return {} if module is None else {module.DTensor: encode_shard}


def refusals() -> dict[type, Handler]:
    """The same for a checkpoint that one process writes."""
    return dict.fromkeys(handlers(), _refuse)


def _refuse(obj: object, path: str, encoder: Encoder) -> Node:
    raise UnsavableError(
        "a tensor that is spread over ranks",
        place=path or None,
        hint="all ranks save it together: sharded=True",
    )


def encode_shard(obj: Any, path: str, encoder: Encoder) -> Node:
    """The shard of this rank as a node."""
    name = tables.DTYPE_NAMES.get(obj.dtype)
    if name is None:
        raise UnsavableError(f"a tensor of {obj.dtype}", place=path or None)
    if any(placement.is_partial() for placement in obj.placements):
        raise UnsavableError(
            "a tensor whose ranks hold terms of a sum", place=path or None, hint="reduce it first"
        )
    local = obj.detach().to_local()
    shape, offset = place_of(obj)
    if tuple(local.shape) != shape:
        raise UnsavableError("a shard of another shape than its mesh says", place=path or None)
    _, stored, unit = tables.DTYPES[name]
    node: Node = {
        "kind": "shard",
        "dtype": name,
        "shape": list(obj.shape),
        "offset": list(offset) if local.numel() else [0] * local.dim(),
    }
    flat = local.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    data = flat.view(tables.CARRIERS[flat.element_size()]).numpy()
    encoder.store(node, "data", path, stored, (*shape, *unit), lambda: (data,))
    return node


def place_of(tensor: Any) -> tuple[Shape, Shape]:
    """Shape and offset of the shard of this rank in a DTensor."""
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset as compute

    shape, offset = compute(tensor.shape, tensor.device_mesh, tensor.placements)
    return tuple(shape), tuple(offset)


def _create(node: Node, decoder: Decoder) -> object:
    bundle: VerifiedBundle = decoder.scratch["bundle"]
    dtype, stored, unit = tables.dtype(node["dtype"])
    name = node["data"]
    if type(name) is not str or name not in bundle.tensors:
        raise ArchitectureError(f"there is no tensor {name!r:.100}")
    info = bundle.tensors[name]
    rank = len(info.shape) - len(unit)
    if info.dtype != stored or rank < 0 or info.shape[rank:] != unit:
        raise ArchitectureError(f"a shard of another type than {info.dtype}")
    local = info.shape[:rank]
    shape = integers(node["shape"], 0, limits.MAX_SAFE_INTEGER, "shape")
    offset = integers(node["offset"], 0, limits.MAX_SAFE_INTEGER, "offset")
    if not len(shape) == len(offset) == rank or any(
        first + length > whole for first, length, whole in zip(offset, local, shape, strict=True)
    ):
        raise ArchitectureError("a shard that does not lie in its tensor")
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > limits.MAX_SAFE_INTEGER:
        raise ArchitectureError("a tensor whose axes are too long")
    decoder.charge(info.nbytes)

    def read() -> Any:
        tensor = bundle.tensor(name)
        if dtype is torch.bool:
            arrays.check_bytes(tensor.buffer)
        return typed(storage_of(tensor), dtype, 0, local, c_strides(local, 1))

    return Sharded(dtype, shape, (Shard(name, offset, local, read),) if math.prod(local) else ())


BUILDERS: Final[Mapping[str, Builder]] = {
    **decoding.BUILDERS,
    "shard": Builder(_create, fields=frozenset({"dtype", "data", "shape", "offset"})),
}


def is_spread(tensor: object) -> bool:
    """Whether it is a DTensor, without an import of what makes them."""
    module = sys.modules.get(_MODULE)
    return module is not None and isinstance(tensor, module.DTensor)


def fitted(value: Any, target: Any) -> Any:
    """A saved tensor as the one that takes its place: spread as that is, or whole.

    Raises:
        NotCoveredError: shards are missing.
        ArchitectureError: shards overlap.
    """
    if is_spread(target) and tuple(value.shape) == tuple(target.shape) and _can_be_cut(value):
        return _spread(value, target)
    return whole(value) if isinstance(value, Sharded) else value


def _can_be_cut(value: Any) -> bool:
    return isinstance(value, Sharded) or (
        value.layout is torch.strided and not value.is_quantized and not is_spread(value)
    )


def _spread(value: Any, target: Any) -> Any:
    from torch.distributed.tensor import DTensor

    shape, offset = place_of(target)
    if isinstance(value, Sharded):
        local = cut(value, offset, shape)
    else:
        box = tuple(slice(first, first + n) for first, n in zip(offset, shape, strict=True))
        local = value[box].clone()
    return DTensor.from_local(
        local.to(target.device),
        target.device_mesh,
        target.placements,
        run_check=False,
        shape=target.shape,
        stride=target.stride(),
    )


def whole(value: Sharded) -> Any:
    """All of a tensor, put together."""
    return cut(value, (0,) * len(value.shape), value.shape)


def cut(value: Sharded, offset: Shape, shape: Shape) -> Any:
    """The items of a box of a tensor; a shard that is just this box is not copied.

    Raises:
        NotCoveredError: shards are missing.
        ArchitectureError: shards overlap.
    """
    hits = [hit for shard in value.shards if (hit := _overlap(shard, offset, shape))]
    if len(hits) == 1 and (hits[0][0].offset, hits[0][0].shape) == (offset, shape):
        return hits[0][0].read()
    covered = sum(math.prod(part.stop - part.start for part in box) for _, box in hits)
    if covered < math.prod(shape):  # before anything of this size is made
        raise NotCoveredError
    made = torch.zeros(shape, dtype=value.dtype)
    seen = torch.zeros(shape, dtype=torch.bool)
    for shard, box in hits:
        mine = tuple(
            slice(part.start + first - begin, part.stop + first - begin)
            for part, first, begin in zip(box, offset, shard.offset, strict=True)
        )
        if bool(seen[box].any()):
            raise ArchitectureError("shards of a tensor that overlap")
        seen[box] = True
        made[box] = shard.read()[mine]
    return made


def _overlap(shard: Shard, offset: Shape, shape: Shape) -> tuple[Shard, tuple[slice, ...]] | None:
    """Where in a box a shard lies, if it does."""
    box = []
    for begin, length, first, size in zip(shard.offset, shard.shape, offset, shape, strict=True):
        low, high = max(begin, first), min(begin + length, first + size)
        if low >= high:
            return None
        box.append(slice(low - first, high - first))
    return shard, tuple(box)
