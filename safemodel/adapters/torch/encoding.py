"""PyTorch's kinds of an object graph, written.

A tensor is stored as it lies in memory: strides and sharing survive. One whose axes are permuted
and that shares no memory is stored in its own shape, so that a state dict shows exactly its keys
and shapes. Implements spec/object-graph.md, "PyTorch kinds".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel.adapters import arrays, plain, random_state, tensors
from safemodel.adapters.graph_encode import Encoder, Handler, Inline, Node, join
from safemodel.adapters.memory import Part
from safemodel.adapters.torch import tables
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

# What PyTorch itself keeps in the __dict__ of a tensor that torch.nn.Buffer made.
_BUFFER_ATTRIBUTES: Final = {"_is_buffer", "persistent"}


def encode_tensor(obj: Any, path: str, encoder: Encoder) -> Node:
    """A tensor of any layout as a node."""
    _check(obj, path)
    if obj.layout is torch.strided:
        strided = _encode_quantized if obj.is_quantized else _encode_strided
        node = strided(obj, path, encoder)
    elif obj.layout is torch.sparse_coo:
        node = _encode_coo(obj.detach(), path, encoder)
    elif obj.layout in tables.LAYOUT_NAMES:
        node = _encode_compressed(obj.detach(), path, encoder)
    else:
        raise UnsavableError(f"a tensor of layout {obj.layout}", place=path or None)
    if type(obj) is torch.nn.Parameter:
        node["class"] = "Parameter"
    elif getattr(obj, "_is_buffer", False):
        node["class"] = "Buffer"
        node["persistent"] = bool(obj.persistent)
    if obj.requires_grad:
        node["requires_grad"] = True
    return node


def _check(obj: Any, path: str) -> None:
    problem = hint = None
    attributes = set(vars(obj)) - (_BUFFER_ATTRIBUTES if hasattr(obj, "_is_buffer") else set())
    if obj.is_meta:
        problem, hint = "a tensor on the meta device, which has no data", "load its weights first"
    elif attributes:
        problem = f"a tensor with attributes of its own ({', '.join(sorted(attributes))[:100]})"
        hint = "save tensor.detach() and the attributes beside it"
    elif obj._backward_hooks:
        problem, hint = "a tensor with hooks, which are code", "save tensor.detach()"
    elif tables.may_be_trained(obj) and not tables.is_dense(obj):
        problem = "a parameter, or a tensor with a gradient, whose items overlap or leave holes"
        hint = "save tensor.detach(), or make it one of tensor.contiguous()"
    elif any(name is not None for name in getattr(obj, "names", ())):
        problem, hint = "a tensor with named axes", "save tensor.rename(None)"
    if problem is not None:
        raise UnsavableError(problem, place=path or None, hint=hint)


def _encode_strided(obj: Any, path: str, encoder: Encoder) -> Node:
    name = tables.DTYPE_NAMES.get(obj.dtype)
    if name is None:
        raise UnsavableError(f"a tensor of {obj.dtype}", place=path or None)
    node: Node = {"kind": "tensor", "dtype": name}
    tensor = obj.detach()
    # Conjugate and negative are bits of a view: the memory below is stored, the bits noted.
    if tensor.is_conj():
        node["conj"] = True
        tensor = tensor.conj()
    if tensor.is_neg():
        node["neg"] = True
        tensor = torch._neg_view(tensor)
    encoder.add_array(_part(_on_cpu(tensor, encoder), path, node, name))
    return node


def _on_cpu(tensor: Any, encoder: Encoder) -> Any:
    if tensor.device.type == "cpu":
        return tensor
    # The whole storage, once: tensors that share it there share it here.
    storage = tensor.untyped_storage()
    copies: dict[tuple[str, int], Any] = encoder.scratch.setdefault("storages", {})
    key = str(tensor.device), storage.data_ptr()
    if key not in copies or not storage.nbytes():
        copy: Callable[[Any], Any] | None = encoder.scratch.get("to_host")
        copies[key] = storage.cpu() if copy is None else copy(storage)
    empty = torch.empty(0, dtype=tensor.dtype)
    return empty.set_(copies[key], tensor.storage_offset(), tensor.shape, tensor.stride())


def _part(tensor: Any, path: str, node: Node, name: str) -> Part:
    return tensors.part(
        name,
        node,
        path=path,
        address=tensor.data_ptr(),
        shape=tuple(tensor.shape),
        strides=tuple(tensor.stride()),
        memory=_TensorMemory(tensor),
    )


class _TensorMemory:
    """The memory of a tensor on the CPU, seen as an array of a plain type of the same size."""

    __slots__ = ("_tensor",)

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def _array(self) -> arrays.ArrayMemory:
        carrier = tables.CARRIERS[self._tensor.element_size()]
        return arrays.ArrayMemory(self._tensor.view(carrier).numpy())

    def dense(self) -> Iterator[Any]:
        """The bytes in the order of memory, without a copy."""
        return self._array().dense()

    def logical(self) -> Iterator[Any]:
        """The bytes in the order of indices."""
        return self._array().logical()

    def copy_into(self, buffer: bytearray, base: int) -> None:
        """Copy the tensor to its place in a buffer that stands for the memory from `base` on."""
        self._array().copy_into(buffer, base)


_SCHEMES: Final = (
    torch.per_tensor_affine,
    torch.per_channel_affine,
    torch.per_channel_affine_float_qparams,
)


def _encode_quantized(obj: Any, path: str, encoder: Encoder) -> Node:
    name = tables.QUANTIZED_NAMES.get(obj.dtype)
    scheme = obj.qscheme()
    if name is None or scheme not in _SCHEMES:
        raise UnsavableError(f"a tensor of {obj.dtype} quantized {scheme}", place=path or None)
    tensor = obj.detach()
    node: Node = {
        "kind": "quantized",
        "dtype": name,
        "values": encoder.value(tensor.int_repr(), path),
    }
    if scheme == torch.per_tensor_affine:
        node["scale"] = encoder.value(float(tensor.q_scale()), path)
        node["zero_point"] = int(tensor.q_zero_point())
        return node
    node["scale"] = encoder.value(tensor.q_per_channel_scales(), join(path, "scale"))
    zero_points = tensor.q_per_channel_zero_points()
    node["zero_point"] = encoder.value(zero_points, join(path, "zero_point"))
    node["axis"] = int(tensor.q_per_channel_axis())
    return node


def _encode_coo(tensor: Any, path: str, encoder: Encoder) -> Node:
    node: Node = {
        "kind": "sparse_coo",
        "shape": list(tensor.shape),
        "indices": encoder.value(tensor._indices(), join(path, "indices")),
        "values": encoder.value(tensor._values(), join(path, "values")),
    }
    if tensor.is_coalesced():
        node["coalesced"] = True
    return node


def _encode_compressed(tensor: Any, path: str, encoder: Encoder) -> Node:
    by_row = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
    compressed = tensor.crow_indices() if by_row else tensor.ccol_indices()
    plain_indices = tensor.col_indices() if by_row else tensor.row_indices()
    return {
        "kind": "sparse_compressed",
        "layout": tables.LAYOUT_NAMES[tensor.layout],
        "shape": list(tensor.shape),
        "compressed": encoder.value(compressed, join(path, "compressed_indices")),
        "plain": encoder.value(plain_indices, join(path, "plain_indices")),
        "values": encoder.value(tensor.values(), join(path, "values")),
    }


def _encode_generator(obj: Any, path: str, encoder: Encoder) -> Node:
    if obj.device.type != "cpu":
        raise UnsavableError(
            f"a generator on {obj.device}",
            place=path or None,
            hint="save generator.get_state() instead",
        )
    return {"kind": "torch_generator", "state": encoder.value(obj.get_state(), path)}


def _inline_dtype(obj: Any, path: str) -> JsonValue:
    name = tables.DTYPE_NAMES.get(obj) or tables.QUANTIZED_NAMES.get(obj)
    if name is None:
        raise UnsavableError(f"the dtype {obj}", place=path or None)
    return {"torch_dtype": name}


def _inline_layout(obj: Any, path: str) -> JsonValue:
    if obj not in tables.LAYOUT_NAMES:
        raise UnsavableError(f"the layout {obj}", place=path or None)
    return {"torch_layout": tables.LAYOUT_NAMES[obj]}


INLINES: Final[Mapping[type, Inline]] = {
    **plain.INLINES,
    **arrays.INLINES,
    torch.Size: lambda obj, path: {"torch_size": list(obj)},  # type: ignore[call-overload]
    torch.device: lambda obj, path: {"torch_device": str(obj)},
    torch.dtype: _inline_dtype,
    torch.layout: _inline_layout,
    torch.memory_format: lambda obj, path: {"torch_memory_format": str(obj).rpartition(".")[2]},
}

HANDLERS: Final[Mapping[type, Handler]] = {
    **plain.HANDLERS,
    **arrays.HANDLERS,
    **random_state.HANDLERS,
    OrderedDict: tensors.encode_ordered_dict,
    torch.Tensor: encode_tensor,
    torch.nn.Parameter: encode_tensor,
    torch.Generator: _encode_generator,
}
