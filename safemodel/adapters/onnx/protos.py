"""ModelProtos of the onnx package: to bytes without the large tensors, and whole from a bundle.

The only module of this package that imports `onnx`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import onnx
from google.protobuf.message import EncodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from safemodel.adapters.onnx.tensors import SMALL, TYPES
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Raw = tuple[int, "Callable[[], Iterable[ReadableBuffer]]"]

VERSION: Final[str] = onnx.__version__
_FILE: Final = 'sm.OnnxFile("m.onnx")'


def skeleton(source: Any) -> tuple[bytes, dict[int, Raw]]:
    """The bytes of a model without the raw data of large initializers; and those, by number.

    Raises:
        UnsavableError: no ModelProto, or one of over 2 GiB without its initializers.
    """
    if not isinstance(source, onnx.ModelProto):
        kind = type(source)
        raise UnsavableError(
            f"a {kind.__module__}.{kind.__qualname__} is no model",
            hint=f"give an onnx.ModelProto, or a file: {_FILE}",
        )
    model = onnx.ModelProto()
    _copy(source, model, "graph")
    raw: dict[int, Raw] = {}
    if source.HasField("graph"):
        model.graph.SetInParent()
        _copy(source.graph, model.graph, "initializer")
        for number, tensor in enumerate(source.graph.initializer):
            copied = model.graph.initializer.add()
            size = _size(tensor)
            if size >= SMALL and tensor.HasField("raw_data"):
                _copy(tensor, copied, "raw_data")
                raw[number] = len(tensor.raw_data), _reader(tensor)
            else:
                copied.CopyFrom(tensor)
    try:
        return model.SerializeToString(deterministic=True), raw
    except (EncodeError, ValueError) as error:
        raise UnsavableError(
            f"protobuf can't write the model: {error!s:.200}",
            hint="make initializers of the main graph out of large constants",
        ) from error


def _size(tensor: onnx.TensorProto) -> int:
    if tensor.data_type not in TYPES:
        return 0
    count = 1
    for dimension in tensor.dims:
        count *= dimension
    return count * TYPES[tensor.data_type].bits // 8


def _reader(tensor: onnx.TensorProto) -> Callable[[], Iterable[ReadableBuffer]]:
    return lambda: (tensor.raw_data,)


def _copy(source: Any, target: Any, without: str) -> None:
    if len(UnknownFieldSet(source)):
        raise UnsavableError(
            "the model has fields that the installed onnx does not know", hint="update onnx"
        )
    for descriptor, value in source.ListFields():
        name = descriptor.name
        if name == without:
            continue
        if descriptor.is_repeated:
            getattr(target, name).MergeFrom(value)
        elif descriptor.message_type is not None:
            getattr(target, name).CopyFrom(value)
        else:
            setattr(target, name, value)


def whole(graph: bytes, data: Iterable[tuple[int, ReadableBuffer]]) -> onnx.ModelProto:
    """The model of a graph, with the bytes of its initializers put in, by number."""
    model = onnx.ModelProto()
    model.ParseFromString(graph)
    for number, buffer in data:
        tensor = model.graph.initializer[number]
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = bytes(buffer)
    return model
