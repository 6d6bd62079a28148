"""PyTorch's kinds of an object graph, written from stand-ins: the nodes that the adapter writes.

The counterpart of `adapters/torch/encoding.py`, which needs PyTorch; the tests compare the two
byte for byte. Implements spec/object-graph.md, "PyTorch kinds".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters import arrays, plain, random_state, tensors
from safemodel.adapters import numpy as plain_adapter
from safemodel.adapters.graph_encode import Encoder, Handler, Inline, Node, encode, join
from safemodel.adapters.protocol import Saved
from safemodel.convert.torch_modules import Module, Opaque, Optimizer, packed, state_dict
from safemodel.convert.torch_storages import Storage, TensorMemory
from safemodel.convert.torch_tensors import (
    Device,
    Dtype,
    Generator,
    Layout,
    MemoryFormat,
    Named,
    Quantized,
    Scheme,
    Size,
    Sparse,
    Strided,
    Tensor,
    Without,
    problem_of,
)
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_HINT: Final = "load it where you trust it, and save the part that you need"


def _tensor(encode: Callable[[Any, str, Encoder], Node]) -> Handler:
    def handler(obj: Any, path: str, encoder: Encoder) -> Node:
        tensor: Tensor = obj
        problem = problem_of(tensor)
        if problem is not None:
            raise UnsavableError(problem[0], place=path or None, hint=problem[1])
        node = encode(obj, path, encoder)
        if tensor.parameter:
            node["class"] = "Parameter"
        elif tensor.attributes.get("_is_buffer", False):
            node["class"] = "Buffer"
            node["persistent"] = bool(tensor.attributes.get("persistent", True))
        if tensor.requires_grad:
            node["requires_grad"] = True
        return node

    return handler


def _strided(obj: Any, path: str, encoder: Encoder) -> Node:
    tensor: Strided = obj
    node: Node = {"kind": "tensor", "dtype": tensor.dtype}
    if tensor.conj:
        node["conj"] = True
    if tensor.neg:
        node["neg"] = True
    part = tensors.part(
        tensor.dtype,
        node,
        path=path,
        address=tensor.address,
        shape=tensor.shape,
        strides=tensor.strides,
        memory=TensorMemory(tensor.items(), tensor.address),
    )
    encoder.add_array(part)
    return node


def _quantized(obj: Any, path: str, encoder: Encoder) -> Node:
    tensor: Quantized = obj
    values = encoder.value(tensor.values.bare(), path)
    node: Node = {"kind": "quantized", "dtype": tensor.dtype, "values": values}
    if tensor.axis is None:
        node["scale"] = encoder.value(tensor.scale, path)
        node["zero_point"] = tensor.zero_point
        return node
    node["scale"] = encoder.value(tensor.scale.bare(), join(path, "scale"))
    node["zero_point"] = encoder.value(tensor.zero_point.bare(), join(path, "zero_point"))
    node["axis"] = tensor.axis
    return node


def _sparse(obj: Any, path: str, encoder: Encoder) -> Node:
    tensor: Sparse = obj
    if tensor.layout == "sparse_coo":
        indices, values = tensor.parts
        node: Node = {
            "kind": "sparse_coo",
            "shape": list(tensor.shape),
            "indices": encoder.value(indices.bare(), join(path, "indices")),
            "values": encoder.value(values.bare(), join(path, "values")),
        }
        if tensor.coalesced:
            node["coalesced"] = True
        return node
    compressed, plain_indices, values = tensor.parts
    return {
        "kind": "sparse_compressed",
        "layout": tensor.layout,
        "shape": list(tensor.shape),
        "compressed": encoder.value(compressed.bare(), join(path, "compressed_indices")),
        "plain": encoder.value(plain_indices.bare(), join(path, "plain_indices")),
        "values": encoder.value(values.bare(), join(path, "values")),
    }


def _without(obj: Any, path: str, encoder: Encoder) -> Node:
    raise UnsavableError("a tensor without content", place=path or None)


def _generator(obj: Any, path: str, encoder: Encoder) -> Node:
    generator: Generator = obj
    if generator.device != "cpu":
        raise UnsavableError(f"a generator on {generator.device}", place=path or None, hint=_HINT)
    return {"kind": "torch_generator", "state": encoder.value(generator.state.bare(), path)}


def _module(obj: Any, path: str, encoder: Encoder) -> Node:
    return tensors.encode_ordered_dict(state_dict(obj), path, encoder)


def _optimizer(obj: Any, path: str, encoder: Encoder) -> Node:
    return plain.HANDLERS[dict](packed(obj), path, encoder)


def _opaque(obj: Any, path: str, encoder: Encoder) -> Node:
    raise UnsavableError(f"can't represent a {obj.name:.200}", place=path or None, hint=_HINT)


def _storage(obj: Any, path: str, encoder: Encoder) -> Node:
    raise UnsavableError("a storage that is no tensor", place=path or None, hint=_HINT)


def _named(tag: str, names: Callable[[str], bool], what: str) -> Inline:
    def inline(obj: object, path: str) -> JsonValue:
        name = obj.name if isinstance(obj, Named) else ""
        if not names(name):
            raise UnsavableError(f"the {what} {name:.60}", place=path or None)
        return {tag: name}

    return inline


def _device(obj: Any, path: str) -> JsonValue:
    return {"torch_device": obj.name}


def _scheme(obj: Any, path: str) -> JsonValue:
    raise UnsavableError("can't represent a torch.qscheme", place=path or None)


def _is_dtype(name: str) -> bool:
    return name in tensors.STORED or name in tensors.QUANTIZED


INLINES: Final[Mapping[type, Inline]] = {
    **plain.INLINES,
    **arrays.INLINES,
    Size: lambda obj, path: {"torch_size": list(obj)},  # type: ignore[call-overload]
    Device: _device,
    Dtype: _named("torch_dtype", _is_dtype, "dtype"),
    Layout: _named("torch_layout", tensors.LAYOUTS.__contains__, "layout"),
    MemoryFormat: _named("torch_memory_format", tensors.MEMORY_FORMATS.__contains__, "format"),
    Scheme: _scheme,
}

HANDLERS: Final[Mapping[type, Handler]] = {
    **plain.HANDLERS,
    **arrays.HANDLERS,
    **random_state.HANDLERS,
    OrderedDict: tensors.encode_ordered_dict,
    Strided: _tensor(_strided),
    Quantized: _tensor(_quantized),
    Sparse: _tensor(_sparse),
    Without: _tensor(_without),
    Generator: _generator,
    Module: _module,
    Optimizer: _optimizer,
    Opaque: _opaque,
    Storage: _storage,
}


def encoded(root: Any) -> tuple[str, Saved]:
    """The adapter for an object of stand-ins, and what that makes of it.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
    """
    if not _is_of_torch(root):
        return "numpy", replace(plain_adapter.save(root), libraries={})
    architecture: dict[str, JsonValue] = {}
    if isinstance(root, Module | Optimizer):
        kind = "module" if isinstance(root, Module) else "optimizer"
        architecture["state_of"] = {"kind": kind, "class": root.name[:200]}
    graph = encode(root, handlers=HANDLERS, inlines=INLINES)
    architecture["graph"] = graph.graph
    return "torch", Saved(architecture, graph.tensors, {}, framework=tensors.FRAMEWORK)


def _is_of_torch(root: Any) -> bool:
    """Whether anything in the containers that `save` looks into is PyTorch's."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        item = pending.pop()
        if type(item) in _OWN:
            return True
        if isinstance(item, dict | list | tuple | set | frozenset) and id(item) not in seen:
            seen.add(id(item))
            pending += item
            if isinstance(item, dict):
                pending += item.values()
    return False


_OWN: Final = (HANDLERS.keys() | INLINES.keys()) - (
    plain_adapter.HANDLERS.keys() | plain_adapter.INLINES.keys()
)
