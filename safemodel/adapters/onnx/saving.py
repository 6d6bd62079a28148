"""From a ModelProto, in memory or in a file, to `graph.onnx` and the tensors of the weights.

The layout of the weights comes first, since the graph says where each of its initializers lies in
them. Implements spec/onnx.md, "Saving".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from safemodel import limits
from safemodel.adapters.onnx import tensors, wire
from safemodel.adapters.onnx.checking import VALUES, Audit
from safemodel.adapters.onnx.files import ModelFolder, OnnxFile
from safemodel.adapters.onnx.hoisting import hoist
from safemodel.adapters.onnx.wire import Message
from safemodel.bundle.contents import TensorData
from safemodel.errors import ArchitectureError, LegacyError, LimitError, UnsavableError
from safemodel.format.weights import TensorSpec, layout, shard_names, split_shards, stored_names

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


Pieces = Callable[[], "Iterable[ReadableBuffer]"]

GRAPH: Final = "graph.onnx"
MEDIA_TYPE: Final = "application/vnd.onnx"


@dataclass(slots=True)
class Draft:
    """A model that was read, with the bytes of initializers that are not in it, by number.

    `folder` has what its other tensors say they have in files.
    """

    model: Message
    raw: dict[int, tuple[int, Pieces]] = field(default_factory=dict)
    folder: ModelFolder | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What is stored of a model: the member, the tensors, and the audit that it passed."""

    graph: bytes
    tensors: tuple[TensorData, ...]
    model: Message
    audit: Audit


def draft(source: object) -> Draft:
    """Read a ModelProto or an OnnxFile.

    Raises:
        UnsavableError: it is no model, or is written so that parsers differ over it.
        SourceError: a file can't be read.
    """
    if isinstance(source, OnnxFile):
        folder = ModelFolder(source.path)
        data = folder.model()
        try:
            return Draft(wire.read(data, strict=False), {}, folder)
        except (LegacyError, LimitError) as error:
            raise UnsavableError(f"no ONNX model: {error.message}", path=folder.path) from error
    from safemodel.adapters.onnx.protos import skeleton

    written, raw = skeleton(source)
    try:
        return Draft(wire.read(memoryview(written), strict=False), raw)
    except (LegacyError, LimitError) as error:
        raise UnsavableError(f"a model that has no one meaning: {error.message}") from error


def make(source: Draft, others: Iterable[TensorSpec] = (), prefix: str = "") -> Made:
    """Turn a model into its canonical form.

    Args:
        source: what `draft` read; it is changed.
        others: the other tensors of the same bundle.
        prefix: what the names of tensors begin with.

    Raises:
        UnsavableError: part of it can't be represented; `place` says which.
    """
    try:
        return _make(source, tuple(others), prefix)
    except (ArchitectureError, LimitError) as error:
        raise UnsavableError(error.message, place=error.place, hint=error.hint) from error


def _make(source: Draft, others: tuple[TensorSpec, ...], prefix: str) -> Made:
    model = source.model
    graph = model.get("graph")
    if graph is None:
        raise ArchitectureError("a model without a graph")
    hoist(model)
    initializers = graph.all("initializer")
    pieces: dict[str, tuple[TensorSpec, Pieces, Message]] = {}
    stored = stored_names(initializer.get("name", "") for initializer in initializers)
    for number, initializer in enumerate(initializers):
        shape = tensors.shape_of(initializer)
        if number in source.raw:
            _take_raw(source, initializer, number, keep=shape.is_external)
        if shape.is_external:
            spec = TensorSpec(prefix + stored[initializer.get("name", "")], *shape.stored)
            found = _pieces(source, initializer, number, spec)
            pieces[spec.name] = spec, found, initializer
    taken = {id(initializer) for _, _, initializer in pieces.values()}
    for tensor in _tensors(model):
        if id(tensor) not in taken:
            _inline(tensor, source.folder)
    for owner in (model, *model.all("functions")):
        _once(owner, "opset_import")
    _once(model, "metadata_props")
    _fill_in(model)
    specs = [spec for spec, _, _ in pieces.values()]
    for name, place in _layout([*specs, *others]).items():
        if name in pieces:
            _point(pieces[name][2], *place)
    data = wire.write(model)
    if len(data) > limits.MAX_ONNX_GRAPH:
        raise LimitError(
            f"a graph of {len(data)} bytes besides the initializers that are stored apart; "
            "protobuf has no messages over 2 GiB",
            hint="make initializers of the main graph out of large constants",
        )
    try:
        read = wire.read(memoryview(data), strict=True)
    except LegacyError as error:
        raise ArchitectureError(f"a model that has no one meaning: {error.message}") from error
    audit = Audit()
    audit.run(read)
    made = tuple(TensorData(spec, found) for spec, found, _ in pieces.values())
    return Made(data, made, read, audit)


def _layout(specs: Iterable[TensorSpec]) -> dict[str, tuple[str, int, int]]:
    """Where each tensor of a bundle will lie: member, first byte in it, length."""
    shards = split_shards(specs)
    placed = {}
    for member, shard in zip(shard_names(len(shards)), shards, strict=True):
        _, header = layout(shard)
        for info in header.tensors:
            placed[info.name] = member, header.data_start + info.begin, info.nbytes
    return placed


def _point(initializer: Message, member: str, offset: int, length: int) -> None:
    entries = (("location", member), ("offset", str(offset)), ("length", str(length)))
    initializer.values["external_data"] = [
        Message("Entry", key=key, value=value) for key, value in entries
    ]
    initializer.values["data_location"] = 1


def _take_raw(source: Draft, initializer: Message, number: int, *, keep: bool) -> None:
    """Look at an initializer whose raw data were left out; put them in unless they are stored."""
    if initializer.values.pop("data_location", 0) == 1 or any(
        len(initializer.all(name)) for name in tensors.TYPED
    ):
        raise ArchitectureError("data in more than one place")
    initializer.values.pop("external_data", None)
    if not keep:
        (raw,) = source.raw[number][1]()
        initializer.values["raw_data"] = memoryview(raw)


def _pieces(source: Draft, initializer: Message, number: int, spec: TensorSpec) -> Pieces:
    """Where the bytes of an initializer come from; they are taken out of the message."""
    values = initializer.values
    if number in source.raw:
        size, found = source.raw[number]
        if spec.dtype == "BOOL":
            tensors.check_booleans(*found())
    else:
        _inline(initializer, source.folder)
        raw = values.pop("raw_data", memoryview(b""))
        size, found = len(raw), lambda: (raw,)
        if spec.dtype == "BOOL":
            tensors.check_booleans(raw)
    if size != spec.nbytes or "string_data" in values or "segment" in values:
        raise UnsavableError(
            f"{size} bytes of data where its shape needs {spec.nbytes}",
            place=f"initializer {initializer.get('name', '')!r:.100}",
        )
    return found


def _inline(tensor: Message, folder: ModelFolder | None) -> None:
    """Put the data of a tensor into it as raw bytes."""
    values = tensor.values
    location = values.pop("data_location", 0)
    entries = values.pop("external_data", ())
    if location == 1:
        keys = {entry.get("key", ""): entry.get("value", "") for entry in entries}
        if folder is None:
            raise UnsavableError(
                f"the data of {tensor.get('name', '')!r:.100} are in a file that was not loaded",
                hint='load the model with its data, or give its path: sm.OnnxFile("m.onnx")',
            )
        values["raw_data"] = _from_file(keys, folder, tensors.shape_of(tensor).nbytes)
    tensors.to_raw(tensor)


def _from_file(keys: Mapping[str, str], folder: ModelFolder, nbytes: int) -> memoryview:
    data = folder.data(keys.get("location", ""))
    try:
        offset = int(keys.get("offset") or 0)
        length = int(keys.get("length") or nbytes)
    except ValueError:
        offset = length = -1
    if offset < 0 or length != nbytes or offset + length > len(data):
        raise UnsavableError(
            f"external data at {keys.get('location')!r:.200} that are not where the model says",
            path=folder.path,
        )
    return data[offset : offset + length]


def _tensors(message: Message) -> Iterator[Message]:
    """Every tensor in a message, in whatever."""
    if message.kind == "Tensor":
        yield message
        return
    for value in message.values.values():
        for item in value if type(value) is list else (value,):
            if type(item) is Message:
                yield from _tensors(item)


def _once(owner: Message, name: str) -> None:
    """Leave out entries that only repeat another, as converters write them."""
    if name in owner:
        found = {tuple(sorted(entry.values.items())): entry for entry in owner.all(name)}
        owner.values[name] = list(found.values())


def _fill_in(message: Message) -> None:
    """Say what writers may leave out: types of attributes, and values that are zero."""
    if message.kind == "Attribute" and "ref_attr_name" not in message:
        found = [name for name in VALUES if name in message]
        if not message.get("type") and len(found) == 1:
            message.values["type"] = VALUES[found[0]]
        zero = {1: ("f", 0), 2: ("i", 0), 3: ("s", memoryview(b""))}.get(message.get("type"))
        if zero is not None and not found:
            message.values[zero[0]] = zero[1]
    for value in message.values.values():
        for item in value if type(value) is list else (value,):
            if type(item) is Message and item.kind != "Tensor":
                _fill_in(item)
