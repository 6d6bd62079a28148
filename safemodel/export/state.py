"""The state in a bundle as plain containers and stand-ins for tensors, without any framework.

The graph is decoded and checked as by `load`; only what a tensor becomes is different: a `View`,
which says which bytes of the bundle it is and reads none of them. Implements spec/object-graph.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters import arrays, plain, random_state, tensors
from safemodel.adapters.dtypes import decode_dtype, stored_as
from safemodel.adapters.graph_decode import Builder, Decoder, Node, Parser, decode, flag, integers
from safemodel.adapters.memory import c_strides, dense_axes
from safemodel.bundle.unread import UnreadTensors
from safemodel.errors import ArchitectureError, UnsavableError, UnsupportedError
from safemodel.export.values import Flags, Foreign, Quantized, Sparse, StateDict, View, Word

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

# The adapters whose architecture has a graph of state.
_VERSIONS: Final = {"numpy": 1, "torch": 1, "torch_checkpoint": 1, "transformers": 1}
_MAX: Final = limits.MAX_SAFE_INTEGER


def read(bundle: VerifiedBundle) -> object:
    """The state that a bundle holds.

    Raises:
        UnsavableError: what it holds is no state of PyTorch or NumPy.
        UnsupportedError: a later version of the adapter made it.
        ArchitectureError: it describes something that must not be built.
    """
    recorded = bundle.manifest.adapter
    if recorded is None or recorded.name not in _VERSIONS:
        made = "no adapter" if recorded is None else f"the adapter {recorded.name}"
        raise UnsavableError(
            f"made by {made}: only state of PyTorch, and arrays, are exported so",
            hint="load it, and save it in another format yourself",
        )
    if not 1 <= recorded.version <= _VERSIONS[recorded.name]:
        raise UnsupportedError(
            f"made by version {recorded.version} of the adapter {recorded.name}",
            hint="update safemodel",
        )
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or "graph" not in architecture:
        raise ArchitectureError("the architecture of state is an object graph")
    graph = architecture["graph"]
    state = decode(graph, UnreadTensors(bundle), builders=_BUILDERS, parsers=_PARSERS)
    for name in _of_the_graph_alone(architecture.get("program")):
        if isinstance(state, StateDict):
            state.pop(name, None)
    if is_checkpoint(bundle) and isinstance(state, dict):
        for name in RANDOM:
            state.pop(name, None)
        state["step"] = _step(bundle.manifest.training_state)
    return state


# Entries of a checkpoint that nothing but a load of ours can restore (spec/checkpoints.md).
RANDOM: Final = ("rng", "generators")


def is_checkpoint(bundle: VerifiedBundle) -> bool:
    """Whether it holds a training, and not the state of one thing."""
    recorded = bundle.manifest.adapter
    return recorded is not None and recorded.name == "torch_checkpoint"


def _step(training: JsonValue) -> int | None:
    step = training.get("step") if type(training) is dict else None
    return step if type(step) is int else None


def _of_the_graph_alone(program: JsonValue) -> list[str]:
    """Entries of a module's state that its own state dict does not have (spec/torch-graph.md)."""
    slots = program.get("state") if type(program) is dict else None
    found: list[str] = []
    for slot in slots if type(slots) is list else []:
        if type(slot) is dict and slot.get("kind") in ("constant", "temporary"):
            names = slot.get("names")
            found += map(str, names) if type(names) is list else ()
    return found


# Building the stand-ins


def _create_tensor(node: Node, decoder: Decoder) -> View:
    name = _dtype(node["dtype"])
    size = tensors.ITEM_SIZES[name]
    flags = _read_flags(node)
    conj = "conj" in node and flag(node["conj"], "conj")
    neg = "neg" in node and flag(node["neg"], "neg")
    if "layout" in node:
        stored = decoder.claim(node["data"])
        shape = _whole_shape(stored, *tensors.STORED[name])
        strides = integers(node["layout"], 0, _MAX, "layout")
        dense = len(strides) == len(shape) and 0 not in shape
        if not dense or dense_axes(shape, strides, size) is None or any(s % size for s in strides):
            raise ArchitectureError("a layout that leaves holes or overlaps")
        if node.keys() & {"shape", "strides", "offset"}:
            raise ArchitectureError("a layout, and where a view begins")
        view = (shape, strides, 0, True)
    elif node.keys() & {"shape", "strides", "offset"}:
        stored = decoder.tensor(node["data"])
        shape, strides, offset = arrays.view_fields(node, size, stored.nbytes)
        if offset % size or any(step < 0 or step % size for step in strides):
            raise ArchitectureError("a view that is not aligned to its items")
        view = (shape, strides, offset, False)
    else:
        stored = decoder.tensor(node["data"])
        shape = _whole_shape(stored, *tensors.STORED[name])
        view = (shape, c_strides(shape, size), 0, False)
    return View(stored.name, stored.nbytes, name, size, *view, conj, neg, flags)


def _dtype(value: JsonValue) -> str:
    if type(value) is not str or value not in tensors.STORED:
        raise ArchitectureError(f"unknown dtype {value!r:.60}")
    return value


def _whole_shape(tensor: Any, stored: str, unit: tuple[int, ...]) -> tuple[int, ...]:
    shape: tuple[int, ...] = tensor.shape
    rank = len(shape) - len(unit)
    if tensor.dtype != stored or rank < 0 or shape[rank:] != unit:
        raise ArchitectureError(f"a tensor of another type than {tensor.dtype}")
    return shape[:rank]


def _read_flags(node: Node) -> Flags:
    wants = "requires_grad" in node and flag(node["requires_grad"], "requires_grad")
    kind = node.get("class", "")
    persistent = node.get("persistent", False)
    if kind not in ("", "Parameter", "Buffer") or type(persistent) is not bool:
        raise ArchitectureError(f"unknown class of tensor {kind!r:.60}")
    if ("persistent" in node) != (kind == "Buffer"):
        raise ArchitectureError("a Buffer, and nothing else, is persistent or not")
    return Flags(str(kind), wants, persistent)


def _create_array(node: Node, decoder: Decoder) -> View | Foreign:
    dtype = decode_dtype(node["dtype"])
    if dtype.hasobject or dtype.subdtype is not None:
        raise ArchitectureError("an array of objects has another kind")
    stored = decoder.tensor(node["data"])
    if node.keys() & {"shape", "strides", "offset"}:
        shape, strides, offset = arrays.view_fields(node, dtype.itemsize, stored.nbytes)
    else:
        shape = _whole_shape(stored, *stored_as(dtype))
        strides, offset = c_strides(shape, dtype.itemsize), 0
    if "class" in node:
        return Foreign("a NumPy array of a class of its own")
    name = _ARRAY_TYPES.get(dtype.str, "")
    return View(
        stored.name, stored.nbytes, name, dtype.itemsize, shape, strides, offset,
        array=dtype.str,
    )  # fmt: skip


# The data types of NumPy that PyTorch has, too.
_ARRAY_TYPES: Final[Mapping[str, str]] = {
    "|b1": "bool", "|u1": "uint8", "|i1": "int8", "<u2": "uint16", "<i2": "int16", "<u4": "uint32",
    "<i4": "int32", "<u8": "uint64", "<i8": "int64", "<f2": "float16", "<f4": "float32",
    "<f8": "float64", "<c8": "complex64", "<c16": "complex128",
}  # fmt: skip


def _part(node: Node, field: str, decoder: Decoder, *dtypes: str) -> View:
    value = decoder.value(node[field])
    if not isinstance(value, View) or value.array or (dtypes and value.dtype not in dtypes):
        raise ArchitectureError(f"{field} must be a plain tensor")
    return value


def _create_quantized(node: Node, decoder: Decoder) -> Quantized:
    name = node["dtype"]
    if type(name) is not str or name not in tensors.QUANTIZED:
        raise ArchitectureError(f"unknown quantized dtype {name!r:.60}")
    values = _part(node, "values", decoder, tensors.QUANTIZED[name][0])
    if "axis" not in node:
        scale = decoder.value(node["scale"])
        zero_point = node["zero_point"]
        if type(scale) is not float or type(zero_point) is not int:
            raise ArchitectureError("a scale is a float, a zero point an integer")
        return Quantized(name, values, scale, zero_point, None, _read_flags(node))
    axis = node["axis"]
    if type(axis) is not int or not 0 <= axis < len(values.shape):
        raise ArchitectureError("an axis that the tensor does not have")
    scales = _part(node, "scale", decoder, "float32", "float64")
    zeros = _part(node, "zero_point", decoder, "int32", "int64", "float32")
    if not scales.shape == zeros.shape == (values.shape[axis],):
        raise ArchitectureError("scales and zero points must be one for each entry of the axis")
    return Quantized(name, values, scales, zeros, axis, _read_flags(node))


def _create_coo(node: Node, decoder: Decoder) -> Sparse:
    return Sparse(
        "sparse_coo",
        integers(node["shape"], 0, _MAX, "shape"),
        (_part(node, "indices", decoder, "int64"),),
        _part(node, "values", decoder),
        "coalesced" in node and flag(node["coalesced"], "coalesced"),
        _read_flags(node),
    )


def _create_compressed(node: Node, decoder: Decoder) -> Sparse:
    layout = node["layout"]
    if type(layout) is not str or layout not in tensors.LAYOUTS[2:]:
        raise ArchitectureError(f"unknown layout {layout!r:.60}")
    indices = [_part(node, name, decoder, "int32", "int64") for name in ("compressed", "plain")]
    shape = integers(node["shape"], 0, _MAX, "shape")
    values = _part(node, "values", decoder)
    return Sparse(layout, shape, tuple(indices), values, False, _read_flags(node))


def _fill_state_dict(obj: Any, node: Node, decoder: Decoder) -> None:
    plain.fill_pairs(obj, node, decoder)
    if "metadata" in node:
        metadata = decoder.value(node["metadata"])
        if not isinstance(metadata, dict):
            raise ArchitectureError("the metadata of a state dict must be a dictionary")
        obj._metadata = metadata


def _create_foreign(node: Node, decoder: Decoder) -> Foreign:
    if type(node.get("data")) is str:
        decoder.tensor(node["data"])
    return Foreign(f"a {str(node['kind']).replace('_', ' ')}")


def _foreign(builder: Builder) -> Builder:
    return Builder(_create_foreign, fields=builder.fields, required=builder.required)


def _parse_size(content: JsonValue) -> Word:
    return Word("size", integers(content, 0, _MAX, "size"))


def _parse_dtype(content: JsonValue) -> Word:
    if type(content) is not str or content not in {*tensors.STORED, *tensors.QUANTIZED}:
        raise ArchitectureError(f"unknown dtype {content!r:.60}")
    return Word("dtype", content)


def _parse_layout(content: JsonValue) -> Word:
    if type(content) is not str or content not in tensors.LAYOUTS:
        raise ArchitectureError(f"unknown layout {content!r:.60}")
    return Word("layout", content)


_PARSERS: Final[Mapping[str, Parser]] = {
    **plain.PARSERS,
    "scalar": lambda content: Foreign("a scalar of NumPy"),
    "dtype": lambda content: Foreign("a data type of NumPy"),
    "type": arrays.PARSERS["type"],
    "torch_size": _parse_size,
    "torch_device": lambda content: Word("device", tensors.check_device(content)),
    "torch_dtype": _parse_dtype,
    "torch_layout": _parse_layout,
    "torch_memory_format": lambda content: Foreign("a torch.memory_format"),
}


_BUILDERS: Final[Mapping[str, Builder]] = {
    **plain.BUILDERS,
    **{kind: _foreign(builder) for kind, builder in arrays.BUILDERS.items()},
    **{kind: _foreign(builder) for kind, builder in random_state.BUILDERS.items()},
    "ndarray": Builder(
        _create_array,
        fields=arrays.BUILDERS["ndarray"].fields,
        required=arrays.BUILDERS["ndarray"].required,
    ),
    "OrderedDict": Builder(
        lambda node, decoder: StateDict(),
        _fill_state_dict,
        fields=frozenset({"items", "metadata"}),
        required=frozenset({"items"}),
    ),
    **tensors.builders(
        tensor=_create_tensor,
        quantized=_create_quantized,
        sparse_coo=_create_coo,
        sparse_compressed=_create_compressed,
    ),
    "torch_generator": Builder(
        lambda node, decoder: Foreign("a torch.Generator"), fields=frozenset({"state"})
    ),
}
