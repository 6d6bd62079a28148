"""PyTorch's kinds of an object graph, read.

Every tensor is a view of verified bytes: of the arena on the CPU, of a copy of each storage on
another device (`staging.py`); what PyTorch checks once and trusts from then on, indices of sparse
tensors, is a copy that nothing else of the archive can write to. They, parameters of quantized
tensors and the positions inside a generator are checked here, on the CPU, since PyTorch's C++ takes
them for granted.
Implements spec/object-graph.md, "PyTorch kinds".
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from safemodel import limits
from safemodel.adapters import arrays, plain, random_state, tensors
from safemodel.adapters.graph_decode import (
    Builder,
    Decoder,
    Node,
    Parser,
    flag,
    integer,
    integers,
)
from safemodel.adapters.memory import c_strides, dense_axes
from safemodel.adapters.torch import tables
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.format.canonical_json import JsonValue

_MAX: Final = limits.MAX_SAFE_INTEGER


def storage_of(tensor: Tensor, device: torch.device | None = None) -> Any:
    """The bytes of a stored tensor as an untyped storage: on the CPU without a copy."""
    if not tensor.nbytes:
        return torch.UntypedStorage(0, device=device or "cpu")  # type: ignore[no-untyped-call]
    buffer = bytearray(tensor.buffer) if tensor.buffer.readonly else tensor.buffer
    return torch.frombuffer(buffer, dtype=torch.uint8).to(device=device).untyped_storage()


def _device(node: Node, decoder: Decoder) -> torch.device | None:
    """Where the tensor of a node goes: parts of what is checked on the CPU are there first."""
    device: torch.device | None = decoder.scratch.get("device")
    return None if id(node) in decoder.scratch.get("host", ()) else device


def _moved(result: Any, decoder: Decoder) -> Any:
    device = decoder.scratch.get("device")
    return result if device is None else result.to(device=device)


def typed(storage: Any, dtype: torch.dtype, offset: int, shape: Any, strides: Any) -> Any:
    """A tensor over a storage. The caller has checked that it lies inside."""
    return torch.empty(0, dtype=dtype, device=storage.device).set_(storage, offset, shape, strides)


def _create_tensor(node: Node, decoder: Decoder) -> Any:
    dtype, stored, unit = tables.dtype(node["dtype"])
    if "layout" in node:
        result = _permuted(node, decoder, dtype, stored, unit)
    elif node.keys() & {"shape", "strides", "offset"}:
        result = _view(node, decoder, dtype)
    else:
        tensor = decoder.tensor(node["data"])
        shape = _logical_shape(tensor, stored, unit)
        _check_bools(decoder, tensor, dtype, None)
        result = _shared(node, decoder, tensor, dtype, 0, shape, _contiguous(shape))
    if "conj" in node and flag(node["conj"], "conj"):
        result = result.conj()
    if "neg" in node and flag(node["neg"], "neg"):
        result = torch._neg_view(result)
    return _finish(result, node)


def _logical_shape(tensor: Tensor, stored: str, unit: tuple[int, ...]) -> tuple[int, ...]:
    rank = len(tensor.shape) - len(unit)
    if tensor.dtype != stored or rank < 0 or tensor.shape[rank:] != unit:
        raise ArchitectureError(f"a tensor of another type than {tensor.dtype}")
    return tensor.shape[:rank]


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return c_strides(shape, 1)


def _shared(
    node: Node,
    decoder: Decoder,
    tensor: Tensor,
    dtype: torch.dtype,
    offset: int,
    shape: Any,
    strides: Any,
) -> Any:
    """A view of a stored tensor; all views of it share one storage, on any device."""
    device = _device(node, decoder)
    storages = decoder.scratch.setdefault("storages" if device else "on the CPU", {})
    if tensor.name not in storages:
        storages[tensor.name] = storage_of(tensor, device)
    return typed(storages[tensor.name], dtype, offset, shape, strides)


def _view(node: Node, decoder: Decoder, dtype: torch.dtype) -> Any:
    tensor = decoder.tensor(node["data"])
    shape, strides, offset = arrays.view_fields(node, dtype.itemsize, tensor.nbytes)
    size = dtype.itemsize
    if offset % size or any(step < 0 or step % size for step in strides):
        raise ArchitectureError("a view that is not aligned to its items")
    _check_bools(decoder, tensor, dtype, (shape, strides, offset))
    strides = tuple(step // size for step in strides)
    return _shared(node, decoder, tensor, dtype, offset // size, shape, strides)


def _permuted(
    node: Node, decoder: Decoder, dtype: torch.dtype, stored: str, unit: tuple[int, ...]
) -> Any:
    """A tensor that was stored in the order of its indices, put back as it lay in memory."""
    tensor = decoder.claim(node["data"])
    shape = _logical_shape(tensor, stored, unit)
    size = dtype.itemsize
    layout = integers(node["layout"], 0, _MAX, "layout")
    if len(layout) != len(shape) or 0 in shape or dense_axes(shape, layout, size) is None:
        raise ArchitectureError("a layout that leaves holes or overlaps")
    if any(step % size for step in layout) or node.keys() & {"shape", "strides", "offset"}:
        raise ArchitectureError("a layout that is not one of whole items")
    _check_bools(decoder, tensor, dtype, None)
    carrier = tables.CARRIERS[size]
    source = typed(storage_of(tensor), carrier, 0, shape, _contiguous(shape))
    strides = tuple(step // size for step in layout)
    target = torch.empty(math.prod(shape), dtype=carrier).as_strided(shape, strides)
    target.copy_(source)
    flat = torch.empty(0, dtype=torch.uint8).set_(target.untyped_storage())
    storage = flat.to(device=_device(node, decoder)).untyped_storage()
    return typed(storage, dtype, 0, shape, strides)


def _check_bools(
    decoder: Decoder, tensor: Tensor, dtype: torch.dtype, view: tuple[Any, Any, int] | None
) -> None:
    if dtype is not torch.bool or not tensor.nbytes:
        return
    if tensor.dtype == "BOOL":
        checked = decoder.scratch.setdefault("bools", set())
        if tensor.name not in checked:
            checked.add(tensor.name)
            arrays.check_bytes(tensor.buffer)
        return
    shape, strides, offset = view or ((tensor.nbytes,), (1,), 0)
    shape = tuple(1 if step == 0 else n for n, step in zip(shape, strides, strict=True))
    decoder.look(math.prod(shape))
    if math.prod(shape) and np.ndarray(shape, np.uint8, tensor.buffer, offset, strides).max() > 1:
        raise ArchitectureError("a boolean that is neither 0 nor 1")


def _finish(result: Any, node: Node) -> Any:
    """Make it what it was: a parameter, a buffer, one that wants a gradient."""
    if not node.keys() & tensors.FLAGS:
        return result
    made = _with_flags(result, node)
    if tables.may_be_trained(made) and not tables.is_dense(made):
        raise ArchitectureError("a parameter whose items overlap or leave holes")
    return made


def _with_flags(result: Any, node: Node) -> Any:
    wants = "requires_grad" in node and flag(node["requires_grad"], "requires_grad")
    if "class" not in node:
        if "persistent" in node:
            raise ArchitectureError("only a Buffer is persistent or not")
        return result.requires_grad_(wants)
    kind = node["class"]
    if kind == "Parameter" and "persistent" not in node:
        return torch.nn.Parameter(result, requires_grad=wants)
    persistent = node.get("persistent")
    if kind != "Buffer" or type(persistent) is not bool:
        raise ArchitectureError(f"unknown class of tensor {kind!r:.60}")
    return torch.nn.Buffer(result.requires_grad_(wants), persistent=persistent)


def _child(node: Node, field: str, decoder: Decoder, *dtypes: torch.dtype) -> Any:
    value = decoder.value(node[field])
    if (
        type(value) is not torch.Tensor
        or value.layout is not torch.strided
        or value.requires_grad
        or value.is_quantized
        or (dtypes and value.dtype not in dtypes)
    ):
        raise ArchitectureError(f"{field} must be a plain tensor")
    return value


def _copy(value: Any, decoder: Decoder) -> Any:
    """A copy that no other tensor of the archive shares; its strides stay if it has no holes."""
    decoder.charge(value.numel() * value.element_size())
    return value.clone()


def _create_quantized(node: Node, decoder: Decoder) -> Any:
    name = node["dtype"]
    if type(name) is not str or name not in tables.QUANTIZED:
        raise ArchitectureError(f"unknown quantized dtype {name!r:.60}")
    _, representation, low, high = tables.QUANTIZED[name]
    values = _child(node, "values", decoder, representation)
    decoder.charge(values.numel() * values.element_size())  # PyTorch makes a copy of them
    if "axis" not in node:
        scale = decoder.value(node["scale"])
        zero_point = integer(node["zero_point"], low, high, "zero_point")
        if type(scale) is not float:
            raise ArchitectureError("the scale must be a float")
        made = torch._make_per_tensor_quantized_tensor(values, scale, zero_point)
        return _finish(_moved(_with_strides(made, values), decoder), node)
    axis = integer(node["axis"], 0, max(values.dim() - 1, 0), "axis")
    scales = _child(node, "scale", decoder, torch.float32, torch.float64)
    zeros = _child(node, "zero_point", decoder, torch.int32, torch.int64, torch.float32)
    length = values.shape[axis] if values.dim() else -1
    if scales.shape != (length,) or zeros.shape != (length,):
        raise ArchitectureError("scales and zero points must be one for each entry of the axis")
    integral = not zeros.is_floating_point()
    if integral and zeros.numel() and not (low <= zeros.min() and zeros.max() <= high):
        raise ArchitectureError(f"a zero point outside {low} to {high}")
    scales, zeros = _copy(scales, decoder), _copy(zeros, decoder)
    made = torch._make_per_channel_quantized_tensor(values, scales, zeros, axis)
    return _finish(_moved(_with_strides(made, values), decoder), node)


def _with_strides(made: Any, values: Any) -> Any:
    for form in (torch.channels_last, torch.channels_last_3d):
        if values.stride() != made.stride() and values.dim() == (
            4 if form is torch.channels_last else 5
        ):
            made = made.contiguous(memory_format=form)
    return made


def _create_coo(node: Node, decoder: Decoder) -> Any:
    indices = _copy(_child(node, "indices", decoder, torch.int64), decoder)
    values = _child(node, "values", decoder)
    shape = integers(node["shape"], 0, _MAX, "shape")
    coalesced = "coalesced" in node and flag(node["coalesced"], "coalesced")
    made = torch.sparse_coo_tensor(
        indices, values, shape, check_invariants=True, is_coalesced=coalesced or None
    )
    return _finish(_moved(made, decoder), node)


def _create_compressed(node: Node, decoder: Decoder) -> Any:
    layout = node["layout"]
    if type(layout) is not str or layout not in tables.LAYOUTS or layout in _NOT_COMPRESSED:
        raise ArchitectureError(f"unknown layout {layout!r:.60}")
    compressed = _child(node, "compressed", decoder, torch.int32, torch.int64)
    indices = _child(node, "plain", decoder, torch.int32, torch.int64)
    made = torch.sparse_compressed_tensor(
        _copy(compressed, decoder),
        _copy(indices, decoder),
        _child(node, "values", decoder),
        integers(node["shape"], 0, _MAX, "shape"),
        layout=tables.LAYOUTS[layout],
        check_invariants=True,
    )
    return _finish(_moved(made, decoder), node)


def _fill_ordered_dict(obj: Any, node: Node, decoder: Decoder) -> None:
    plain.fill_pairs(obj, node, decoder)
    if "metadata" in node:
        metadata = decoder.value(node["metadata"])
        if not isinstance(metadata, dict):
            raise ArchitectureError("the metadata of a state dict must be a dictionary")
        obj._metadata = metadata


def _create_generator(node: Node, decoder: Decoder) -> Any:
    state = _child(node, "state", decoder, torch.uint8)
    made = torch.Generator()
    if state.shape != made.get_state().shape or not state.is_contiguous():
        raise ArchitectureError("the state of a generator has another length")
    decoder.charge(state.numel())
    # PyTorch checks left and next alone; together they say where in its 624 words it reads.
    raw = state.numpy().tobytes()
    left, seeded = np.frombuffer(raw, "<i4", 2, 8).tolist()
    following = int(np.frombuffer(raw, "<u8", 1, 16)[0])
    fresh = (left, following) == (1, 0)
    if seeded != 1 or not (fresh or (1 <= left <= 624 and left + following == 625)):
        raise ArchitectureError("a state that a generator can't be in")
    made.set_state(state.clone())
    return made


def _parse_size(content: JsonValue) -> torch.Size:
    return torch.Size(integers(content, 0, _MAX, "size"))


_NOT_COMPRESSED: Final = frozenset({"strided", "sparse_coo"})

PARSERS: Final[Mapping[str, Parser]] = {
    **plain.PARSERS,
    **arrays.PARSERS,
    "torch_size": _parse_size,
    "torch_device": tables.device,
    "torch_dtype": tables.any_dtype,
    "torch_layout": plain.named(tables.LAYOUTS, "layout"),
    "torch_memory_format": plain.named(tables.MEMORY_FORMATS, "memory format"),
}


BUILDERS: Final[Mapping[str, Builder]] = {
    **plain.BUILDERS,
    **arrays.BUILDERS,
    **random_state.BUILDERS,
    "OrderedDict": Builder(
        lambda node, decoder: OrderedDict(),
        _fill_ordered_dict,
        fields=frozenset({"items", "metadata"}),
        required=frozenset({"items"}),
    ),
    **tensors.builders(
        tensor=_create_tensor,
        quantized=_create_quantized,
        sparse_coo=_create_coo,
        sparse_compressed=_create_compressed,
    ),
    "torch_generator": Builder(_create_generator, fields=frozenset({"state"})),
}
