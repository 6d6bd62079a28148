"""The NumPy kinds of an object graph: arrays, scalars, data types.

Memory is kept as it was: shapes, strides, views of one another, the writeable flag. At load an
array is a view of verified bytes; no view reaches beyond its tensor. Implements
spec/object-graph.md, "NumPy kinds".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from safemodel import limits
from safemodel.adapters import object_arrays, plain
from safemodel.adapters.dtypes import DType, decode_dtype, encode_dtype, padding, stored_as
from safemodel.adapters.graph import PLAIN_TYPES, parse_hex
from safemodel.adapters.graph_decode import Builder, Decoder, Parser, flag, integer, integers
from safemodel.adapters.graph_encode import NEEDS_NODE, Encoder, Handler, Inline, Node
from safemodel.adapters.memory import Part, c_strides, extent
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.format.canonical_json import JsonValue

Array = npt.NDArray[Any]

_BLOCK: Final = 4 * limits.MIB
_CLASSES: Final[Mapping[str, type]] = {"matrix": np.matrix, "recarray": np.recarray}
_MAX_SIZE: Final = limits.MAX_SAFE_INTEGER
_LAST_CODE_POINT: Final = 0x10FFFF

# Save


def _encode_array(obj: Any, path: str, encoder: Encoder) -> Node:
    array: Array = np.asarray(obj)
    dtype = array.dtype
    if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType):
        return object_arrays.encode_objects(array, path, encoder)
    node: Node = {"kind": "ndarray", "dtype": encode_dtype(dtype, path)}
    if type(obj) is not np.ndarray:
        node["class"] = type(obj).__name__
    if not array.flags.writeable:
        node["readonly"] = True
    encoder.add_array(part(array, path, node))
    return node


def part(array: Array, path: str, node: Node) -> Part:
    """What `Encoder.add_array` needs to know of an array."""
    dtype = array.dtype
    stored, unit = stored_as(dtype)
    mask = padding(dtype)
    return Part(
        name=path,
        node=node,
        address=array.__array_interface__["data"][0],
        shape=array.shape,
        strides=array.strides,
        itemsize=dtype.itemsize,
        dtype=stored,
        unit=unit,
        alignment=dtype.alignment if array.flags.aligned else 1,
        quantum=1,
        memory=ArrayMemory(array, mask),
        padded=mask is not None,
    )


class ArrayMemory:
    """The memory of an array, with its padding (`mask`) zeroed wherever it is copied to."""

    __slots__ = ("array", "mask")

    def __init__(self, array: Array, mask: npt.NDArray[np.uint8] | None = None) -> None:
        self.array = array
        self.mask = mask

    def dense(self) -> Iterator[memoryview]:
        """The bytes in the order of memory: no copy, unless some of them are padding."""
        array = self.array
        axes = sorted(range(array.ndim), key=lambda axis: array.strides[axis], reverse=True)
        return self._flat(array.transpose(axes).reshape(-1))

    def logical(self) -> Iterator[memoryview]:
        """The bytes in the order of indices."""
        return self._flat(np.ascontiguousarray(self.array).reshape(-1))

    def _flat(self, flat: Array) -> Iterator[memoryview]:
        if flat.nbytes == 0:
            return
        if self.mask is None:
            yield flat.view(np.uint8).data
            return
        step = max(1, _BLOCK // flat.itemsize)
        for start in range(0, flat.size, step):
            block = flat[start : start + step].copy()
            raw = block.view(np.uint8).reshape(-1, flat.itemsize)
            raw[:, self.mask.view(bool)] = 0
            yield raw.reshape(-1).data

    def copy_into(self, buffer: bytearray, base: int) -> None:
        """Copy the array to its place in a buffer that stands for the memory from `base` on."""
        # Along an axis of stride 0 all elements are one: copy it once, not a billion times.
        source = _distinct(self.array)
        offset = source.__array_interface__["data"][0] - base
        target: Array = np.ndarray(source.shape, source.dtype, buffer, offset, source.strides)
        target[...] = source
        if self.mask is not None:
            shape, strides = (*source.shape, source.itemsize), (*source.strides, 1)
            raw: Array = np.ndarray(shape, np.uint8, buffer, offset, strides)
            raw[..., self.mask.view(bool)] = 0


def _distinct(array: Array) -> Array:
    """The array without the repetitions along axes of stride 0."""
    slices = [slice(0, 1) if step == 0 else slice(None) for step in array.strides]
    return array[(*slices, ...)]  # the dots keep an array of no axes an array


def _inline_scalar(obj: Any, path: str) -> JsonValue:
    dtype: DType = obj.dtype
    if dtype.hasobject:
        raise UnsavableError("a structured scalar with objects in it", place=path or None)
    if dtype.itemsize > limits.MAX_INLINE_BYTES:
        return NEEDS_NODE
    return {"scalar": [encode_dtype(dtype, path), _scalar_bytes(obj).hex()]}


def _scalar_bytes(obj: Any) -> bytes:
    if obj.dtype.itemsize == 0:  # as an array an empty string would be one of length 1
        return b""
    memory = ArrayMemory(np.array(obj, obj.dtype)[None], padding(obj.dtype))
    return b"".join(memory.dense())


def _encode_scalar(obj: Any, path: str, encoder: Encoder) -> Node:
    node: Node = {"kind": "scalar", "dtype": encode_dtype(obj.dtype, path)}
    data = _scalar_bytes(obj)
    encoder.store(node, "data", path, "U8", (len(data),), lambda: (data,))
    return node


def _inline_dtype(obj: Any, path: str) -> JsonValue:
    return {"dtype": encode_dtype(obj, path)}


def _inline_type(obj: Any, path: str) -> JsonValue:
    for name in (obj.__name__, f"numpy.{obj.__name__}"):
        if TYPES.get(name) is obj:
            return {"type": name}
    raise UnsavableError(
        f"can't represent the class {obj.__module__}.{obj.__qualname__}", place=path or None
    )


# Load


def _create_array(node: Node, decoder: Decoder) -> Array:
    dtype = decode_dtype(node["dtype"])
    if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType) or dtype.subdtype is not None:
        raise ArchitectureError("an array of objects has another kind")
    tensor = decoder.tensor(node["data"])
    if node.keys() & {"shape", "strides", "offset"}:
        array = _view(node, dtype, tensor)
    else:
        array = _whole(dtype, tensor)
    check_values(array, decoder.look)
    if "class" in node:
        array = _as_class(array, plain.named(_CLASSES, "class of array")(node["class"]))
    if "readonly" in node and flag(node["readonly"], "readonly"):
        array.flags.writeable = False
    return array


def _whole(dtype: DType, tensor: Tensor) -> Array:
    stored, unit = stored_as(dtype)
    rank = len(tensor.shape) - len(unit)
    if tensor.dtype != stored or rank < 0 or tensor.shape[rank:] != unit:
        raise ArchitectureError(
            f"an array of {dtype} in a tensor of {tensor.dtype} {list(tensor.shape)}"
        )
    shape = tensor.shape[:rank]
    _check_size(shape, dtype.itemsize, tensor.nbytes)
    return np.ndarray(shape, dtype, tensor.buffer, 0, c_strides(shape, dtype.itemsize))


def view_fields(node: Node, itemsize: int, size: int) -> tuple[Any, Any, int]:
    """Shape, strides and offset in bytes of a view, inside the `size` bytes of its tensor.

    Raises:
        ArchitectureError: it reaches outside, or addresses more than MAX_BROADCAST beyond.
    """
    shape = integers(node.get("shape"), 0, _MAX_SIZE, "shape")
    strides = integers(node.get("strides"), -_MAX_SIZE, _MAX_SIZE, "strides")
    offset = integer(node.get("offset"), 0, size, "offset")
    if len(shape) != len(strides):
        raise ArchitectureError("shape and strides must have the same length")
    low, high = extent(shape, strides, itemsize)
    if offset + low < 0 or offset + high > size:
        raise ArchitectureError(f"a view that reaches outside the {size} bytes of its tensor")
    _check_size(shape, itemsize, size)
    return shape, strides, offset


def _check_size(shape: tuple[int, ...], itemsize: int, size: int) -> None:
    if math.prod(shape) * max(itemsize, 1) > max(size, limits.MAX_BROADCAST):
        raise ArchitectureError(f"a view that addresses far more than the {size} bytes it has")
    if math.prod(max(length, 1) for length in shape) * max(itemsize, 1) > _MAX_SIZE:
        raise ArchitectureError("an empty array whose other axes are too long")


def _view(node: Node, dtype: DType, tensor: Tensor) -> Array:
    shape, strides, offset = view_fields(node, dtype.itemsize, tensor.nbytes)
    return np.ndarray(shape, dtype, tensor.buffer, offset, strides)


def _as_class(array: Array, kind: Any) -> Array:
    if kind is np.matrix and array.ndim != 2:
        raise ArchitectureError("a matrix has two axes")
    if kind is np.recarray and array.dtype.names is None:
        raise ArchitectureError("a recarray has fields")
    result: Array = array.view(kind)
    return result


def check_values(array: Array, look: Callable[[int], None]) -> None:
    """Refuse bits that NumPy takes for granted: it counts and indexes by them in C."""
    if array.size == 0:
        return
    dtype = array.dtype
    if dtype.names is not None:
        for name in dtype.names:
            check_values(array[name].view(np.ndarray), look)
        return
    if dtype.kind not in "bU" or dtype.itemsize == 0:
        return
    seen = _distinct(array)
    look(seen.nbytes)
    if dtype.kind == "b":
        if _items(seen, "|u1").max() > 1:
            raise ArchitectureError("a boolean that is neither 0 nor 1")
    elif _items(seen, dtype.str[0].replace("|", "<") + "u4").max() > _LAST_CODE_POINT:
        raise ArchitectureError("a string with a character beyond Unicode")


class _Items:
    """The elements of an array as plain numbers, whatever its strides."""

    def __init__(self, array: Array, dtype: str) -> None:
        size = np.dtype(dtype).itemsize
        self.array = array
        self.__array_interface__ = {
            **array.__array_interface__,
            "typestr": dtype,
            "descr": [("", dtype)],
            "shape": (*array.shape, array.itemsize // size),
            "strides": (*array.strides, size),
        }


def _items(array: Array, dtype: str) -> Array:
    return np.asarray(_Items(array, dtype))


def check_bytes(buffer: memoryview) -> None:
    """Refuse stored booleans with bytes other than 0 and 1."""
    if len(buffer) and np.frombuffer(buffer, np.uint8).max() > 1:
        raise ArchitectureError("a boolean that is neither 0 nor 1")


def _parse_scalar(content: JsonValue) -> object:
    if type(content) is not list or len(content) != 2:
        raise ArchitectureError("a scalar has a dtype and its bytes")
    data = parse_hex(content[1])
    if len(data) > limits.MAX_INLINE_BYTES:
        raise ArchitectureError("a scalar that must be a tensor")
    return _scalar(decode_dtype(content[0]), data)


def _create_scalar(node: Node, decoder: Decoder) -> object:
    tensor = decoder.claim(node["data"])
    if tensor.dtype != "U8" or len(tensor.shape) != 1:
        raise ArchitectureError("bytes must be a one-dimensional tensor of U8")
    return _scalar(decode_dtype(node["dtype"]), bytes(tensor.buffer))


def _scalar(dtype: DType, data: bytes) -> object:
    if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType) or dtype.subdtype is not None:
        raise ArchitectureError("a scalar that holds objects")
    if len(data) != dtype.itemsize:
        raise ArchitectureError(f"{len(data)} bytes for a scalar of {dtype.itemsize}")
    array: Array = np.ndarray((), dtype, bytearray(data))
    check_values(array, lambda nbytes: None)
    return array[()].copy() if dtype.names is not None else array[()]


# Tables

_SCALARS: Final = tuple({np.dtype(char).type for char in "?bhilqBHILQefdgFDGSUVMm"} | {np.record})

TYPES: Final[Mapping[str, type]] = {
    **PLAIN_TYPES,
    **{f"numpy.{kind.__name__}": kind for kind in (*_SCALARS, np.ndarray, np.object_)},
}

INLINES: Final[Mapping[type, Inline]] = {
    **dict.fromkeys(_SCALARS, _inline_scalar),
    **{type(np.dtype(char)): _inline_dtype for char in "?bhilqpBHILQPefdgFDGSUVOMmT"},
    type: _inline_type,
}

HANDLERS: Final[Mapping[type, Handler]] = {
    np.ndarray: _encode_array,
    np.matrix: _encode_array,
    np.recarray: _encode_array,
    np.ma.MaskedArray: object_arrays.encode_masked,
    **dict.fromkeys(_SCALARS, _encode_scalar),
}

PARSERS: Final[Mapping[str, Parser]] = {
    "scalar": _parse_scalar,
    "dtype": decode_dtype,
    "type": plain.named(TYPES, "type"),
}

BUILDERS: Final[Mapping[str, Builder]] = {
    "ndarray": Builder(
        _create_array,
        fields=frozenset({"dtype", "data", "shape", "strides", "offset", "readonly", "class"}),
        required=frozenset({"dtype", "data"}),
    ),
    "object_array": Builder(
        object_arrays.create_objects,
        object_arrays.fill_objects,
        fields=frozenset({"shape", "items", "dtype", "fortran", "readonly"}),
        required=frozenset({"shape", "items"}),
    ),
    "masked_array": Builder(
        object_arrays.create_masked,
        object_arrays.fill_masked,
        fields=frozenset({"values", "mask", "fill", "hard"}),
    ),
    "scalar": Builder(_create_scalar, fields=frozenset({"dtype", "data"})),
}
