"""State to a file that `torch.load(weights_only=True)` reads, without PyTorch.

Nested containers, tied tensors, views, strides, parameters, sparse and quantized tensors come back
as `safemodel.load` would give them. The file is a ZIP archive as `torch.save` writes one: a program
of opcodes (`opcodes.py`), and the bytes of each storage, streamed from the verified bundle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from safemodel import limits
from safemodel.adapters import tensors
from safemodel.bundle.output import replaced_file, write_at
from safemodel.errors import ArchitectureError
from safemodel.export.bytes_of import Reader
from safemodel.export.opcodes import GLOBALS, Call, Name, Program, Storage
from safemodel.export.state import is_checkpoint, read
from safemodel.export.targets import Written
from safemodel.export.values import Flags, Quantized, Sparse, StateDict, View, Word
from safemodel.format import container
from safemodel.format.digests import crc32

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

_ROOT: Final = "archive"  # torch.save names the records of a stream so
_ALIGNMENT: Final = 64  # as torch.save has it, for torch.load(mmap=True)

# PyTorch's types that have a class of storage of their own; newer ones have none.
_STORAGES: Final = {
    "bool": "BoolStorage",
    "uint8": "ByteStorage",
    "int8": "CharStorage",
    "int16": "ShortStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
    "qint8": "QInt8Storage",
    "quint8": "QUInt8Storage",
    "qint32": "QInt32Storage",
}
_UNTYPED: Final = "UntypedStorage"


def write(bundle: VerifiedBundle, target: str, *, overwrite: bool) -> Written:
    """Write the state.

    Raises:
        UnsavableError: part of it is nothing that `torch.load(weights_only=True)` takes.
        ArchitectureError: copies of far more bytes than the bundle has.
        SourceError: the disk refuses, or there is something at `target` already.
    """
    translation = _Translation()
    program = Program(translation.of).of(read(bundle))
    storages = translation.storages
    _check_size(bundle, storages)
    reader = Reader(bundle)
    with replaced_file(target, overwrite=overwrite) as descriptor:
        archive = _Archive(descriptor)
        archive.add("data.pkl", len(program), [memoryview(program)])
        archive.add("byteorder", 6, [memoryview(b"little")])
        for storage in storages:
            archive.add(f"data/{storage.number}", storage.size, reader.memory(storage.view))
        archive.add("version", 2, [memoryview(b"3\n")])
        size = archive.finish()
    left_out = ("random states",) if is_checkpoint(bundle) else ()
    return Written(translation.tensors, size, left_out)


def _check_size(bundle: VerifiedBundle, storages: list[_Stored]) -> None:
    """Refuse what a load refuses: a few bytes that become a full disk, as quantized tensors can."""
    size = sum(storage.size for storage in storages)
    stored = sum(info.nbytes for info in bundle.tensors.values())
    if size > limits.FREE_COPIES + limits.MAX_COPIES * stored:
        raise ArchitectureError(f"{size} bytes of copies, out of {stored} that are stored")


@dataclass(frozen=True, slots=True)
class _Stored:
    """A storage of the file: the type that its class is of (empty: untyped), and its bytes."""

    number: int
    dtype: str
    size: int
    view: View

    @property
    def reference(self) -> Storage:
        kind = f"ctorch\n{_STORAGES[self.dtype]}\n".encode() if self.dtype else GLOBALS[_UNTYPED]
        count = self.size // _size_of(self.dtype) if self.dtype else self.size
        return Storage("storage", Name(kind), str(self.number), "cpu", count)


def _size_of(dtype: str) -> int:
    return tensors.ITEM_SIZES[tensors.QUANTIZED[dtype][0] if dtype in tensors.QUANTIZED else dtype]


class _Translation:
    """Stand-ins to calls; collects the storages that the calls name."""

    def __init__(self) -> None:
        self.storages: list[_Stored] = []
        self.tensors = 0
        self._by_name: dict[str, _Stored] = {}

    def of(self, value: object) -> object | None:
        """What a program has for a stand-in; None if nothing."""
        if isinstance(value, View) and not value.array:
            self.tensors += 1
            return self._with_flags(*self._tensor(value), value.flags)
        if isinstance(value, Quantized):
            self.tensors += 1
            return self._quantized(value)
        if isinstance(value, Sparse):
            self.tensors += 1
            return self._sparse(value)
        return _word(value) if isinstance(value, Word) else None

    def _tensor(self, view: View) -> tuple[str, list[object]]:
        stored = self._storage(view, view.dtype)
        # That of a parameter is its own, and not that of the data in it.
        wants = view.flags.requires_grad and view.flags.kind != "Parameter"
        size = view.itemsize
        strides = tuple(step // size for step in view.strides)
        arguments: list[object] = [
            stored.reference, view.offset // size, view.shape, strides, wants, StateDict(),
        ]  # fmt: skip
        function = "tensor"
        if stored.dtype != view.dtype:
            function = "typed"
            arguments.append(_dtype(view.dtype))
        bits = {name: True for name in ("conj", "neg") if getattr(view, name)}
        return function, [*arguments, bits] if bits else arguments

    def _storage(self, view: View, dtype: str) -> _Stored:
        """The storage of a view; its class is that of the first view that names it."""
        if view.tensor not in self._by_name:
            self._by_name[view.tensor] = self._new(view, dtype)
        return self._by_name[view.tensor]

    def _new(self, view: View, dtype: str) -> _Stored:
        fits = dtype in _STORAGES and view.nbytes % _size_of(dtype) == 0
        stored = _Stored(len(self.storages), dtype if fits else "", view.nbytes, view)
        self.storages.append(stored)
        return stored

    def _with_flags(self, function: str, arguments: list[object], flags: Flags) -> object:
        if flags.kind == "Buffer":
            state = {"_is_buffer": True, "persistent": flags.persistent}
            names = Name(GLOBALS[function]), Name(GLOBALS["Tensor"])
            return Call("with_attributes", *names, tuple(arguments), state)
        return _as_parameter(Call(function, *arguments), flags)

    def _plain(self, view: View) -> Call:
        function, arguments = self._tensor(view)
        return Call(function, *arguments)

    def _quantized(self, value: Quantized) -> object:
        view = value.values
        # A storage of its own: another class of storage than that of its representation.
        stored = self._new(view, value.dtype)
        parameters = self._parameters(value)
        strides = tuple(step // view.itemsize for step in view.strides)
        offset = view.offset // view.itemsize
        made = Call(
            "quantized", stored.reference, offset, view.shape, strides, parameters,
            value.flags.requires_grad, StateDict(),
        )  # fmt: skip
        return _as_parameter(made, value.flags)

    def _parameters(self, value: Quantized) -> tuple[object, ...]:
        scale, zero_point = value.scale, value.zero_point
        if not isinstance(scale, View) or not isinstance(zero_point, View):
            return Name(GLOBALS["per_tensor_affine"]), scale, zero_point
        kind = "per_channel_affine"
        if zero_point.dtype == "float32":
            kind = "per_channel_affine_float_qparams"
        return Name(GLOBALS[kind]), self._plain(scale), self._plain(zero_point), value.axis

    def _sparse(self, value: Sparse) -> object:
        parts = [*(self._plain(view) for view in value.indices), self._plain(value.values)]
        data: list[object] = [*parts, Call("Size", value.shape)]
        if value.layout == "sparse_coo":
            data.append(value.coalesced)
        return _as_parameter(Call("sparse", _layout(value.layout), tuple(data)), value.flags)


def _as_parameter(made: Call, flags: Flags) -> Call:
    if flags.kind != "Parameter":
        return made
    return Call("parameter", made, flags.requires_grad, StateDict())


def _word(value: Word) -> object:
    if value.kind == "size":
        return Call("Size", value.value)
    if value.kind == "dtype":
        return _dtype(value.value)
    if value.kind == "layout":
        return _layout(value.value)
    name, _, number = value.value.partition(":")
    return Call("device", name, int(number)) if number else Call("device", name)


def _dtype(name: str) -> Name:
    return Name(f"ctorch\n{name}\n".encode())  # one of our table


def _layout(name: str) -> Call:
    return Call("layout", f"torch.{name}")


class _Archive:
    """A ZIP archive under way: records are stored, and written as they come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._entries: list[container.Entry] = []

    def add(self, name: str, size: int, pieces: Iterable[memoryview]) -> None:
        """Write a record of `size` bytes."""
        name = f"{_ROOT}/{name}"
        start = self._entries[-1].end if self._entries else 0
        header = container.local_header(name, size, 0, start, alignment=_ALIGNMENT)
        entry = container.Entry(name, size, 0, start, start + len(header))
        at, crc = entry.data_offset, 0
        for piece in pieces:
            write_at(self._descriptor, [piece], at)
            crc = crc32(piece, crc)
            at += len(piece)
        header = container.local_header(name, size, crc, start, alignment=_ALIGNMENT)
        write_at(self._descriptor, [memoryview(header)], start)
        self._entries.append(replace(entry, crc32=crc))

    def finish(self) -> int:
        """Write the directory; returns the size of the file."""
        tail = container.tail(self._entries)
        write_at(self._descriptor, [memoryview(tail)], self._entries[-1].end)
        return self._entries[-1].end + len(tail)
