"""Variables and tensors as nodes of an object graph: what is stored of them, and what was stored.

A node `variable` or `tensor` holds one stored tensor; strings hold two, their bytes and where each
ends. Imports no TensorFlow: values come and go through `values.py`. Implements
spec/tensorflow.md, "Variables".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.arrays import check_bytes
from safemodel.adapters.graph_decode import Builder, Decoder, Node, flag, text
from safemodel.adapters.tensorflow.dtypes import MAX_STRING_RANK, STORED, STRING, carrier
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.format.canonical_json import JsonValue
    from safemodel.format.weights import TensorInfo

Shape = tuple[int | None, ...]

SOURCE: Final = "tensorflow.source"  # in the context of a decoding: where tensors are
WHOLE: Final = "tensorflow.whole"  # in the context of a decoding: whether all are wanted

_OBJECT: Final = 1024  # bytes that a variable takes besides its value, at least
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,1000}")


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A variable or tensor of a bundle.

    `shape` is that of its value; `static` what the variable permits, with None for any size, or
    None altogether. `read` gives a stored tensor by name, and verifies it then.
    """

    dtype: str
    shape: tuple[int, ...]
    data: str
    ends: str | None
    read: Callable[[str], Tensor]
    name: str | None = None
    trainable: bool = False
    static: Shape | None = ()
    is_variable: bool = True

    __hash__ = None  # type: ignore[assignment]  # neither a key nor an element of a set

    def array(self) -> Any:
        """The value over the verified memory; of types that NumPy lacks, their bits.

        Raises:
            ArchitectureError: a boolean that is neither 0 nor 1, or strings that do not end.
        """
        tensor = self.read(self.data)
        if self.ends is not None:
            return self._strings(tensor, self.read(self.ends))
        if self.dtype == "bool":
            check_bytes(tensor.buffer)
        return np.frombuffer(tensor.buffer, carrier(self.dtype)).reshape(self.shape)

    def _strings(self, tensor: Tensor, ends: Tensor) -> Any:
        data = bytes(tensor.buffer)
        places = np.frombuffer(ends.buffer, "<i8")
        steps = np.diff(places, prepend=np.int64(0))
        if places.size and (steps.min() < 0 or places.min() < 0):
            raise ArchitectureError("strings that end before they begin")
        if (int(places[-1]) if places.size else 0) != len(data):
            raise ArchitectureError("strings that do not end where their bytes do")
        array = np.empty(places.size, object)
        start = 0
        for number, end in enumerate(places.tolist()):
            array[number] = data[start:end]
            start = end
        return array.reshape(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def parse(node: Node, decoder: Decoder) -> Stored:
    """What a node says, every field checked; its bytes are not looked at.

    Raises:
        ArchitectureError: it is no variable and no tensor.
    """
    dtype = text(node["dtype"], "dtype")
    if dtype != STRING and dtype not in STORED:
        raise ArchitectureError(f"a variable of {dtype!r:.60}")
    if ("ends" in node) != (dtype == STRING):
        raise ArchitectureError("strings, and nothing else, have ends")
    shape = _shape(node, dtype, decoder)
    decoder.charge(_OBJECT)
    return Stored(
        dtype=dtype,
        shape=shape,
        data=text(node["data"], "data"),
        ends=text(node["ends"], "ends") if "ends" in node else None,
        read=_reader(node, decoder),
        name=_name(node),
        trainable="trainable" in node and flag(node["trainable"], "trainable"),
        static=_static(node["shape"], shape) if "shape" in node else shape,
        is_variable=node["kind"] == "variable",
    )


def _shape(node: Node, dtype: str, decoder: Decoder) -> tuple[int, ...]:
    """The shape of the value; the stored tensors must be of the type and shape that it needs."""
    tensors = decoder.scratch[SOURCE].tensors
    data = _info(tensors, node["data"])
    if dtype == STRING:
        ends = _info(tensors, node["ends"])
        if ends.dtype != "I64" or data.dtype != "U8" or len(data.shape) != 1:
            raise ArchitectureError("strings are bytes, and integers that say where each ends")
        if len(ends.shape) > MAX_STRING_RANK:
            raise ArchitectureError(f"strings with more than {MAX_STRING_RANK} axes")
        decoder.charge(ends.nbytes * limits.LOOKS_PER_COPY)  # objects of Python
        return tuple(ends.shape)
    kind, unit = STORED[dtype]
    rank = len(data.shape) - len(unit)
    if data.dtype != kind or rank < 0 or tuple(data.shape[rank:]) != unit:
        raise ArchitectureError(f"a value of {dtype} that is stored as {data.dtype}")
    return tuple(data.shape[:rank])


def _info(tensors: Any, name: JsonValue) -> TensorInfo:
    if type(name) is not str or name not in tensors:
        raise ArchitectureError(f"there is no tensor {name!r:.100}")
    info: TensorInfo = tensors[name]
    return info


def _reader(node: Node, decoder: Decoder) -> Callable[[str], Tensor]:
    names = [str(node[key]) for key in ("data", "ends") if key in node]
    if decoder.scratch.get(WHOLE):
        tensors = {name: decoder.claim(name) for name in names}
        return tensors.__getitem__
    claimed: set[str] = decoder.scratch.setdefault("claimed", set())
    for name in names:
        if name in claimed:
            raise ArchitectureError(f"tensor {name!r:.100} is used twice, and must not be")
        claimed.add(name)
    read: Callable[[str], Tensor] = decoder.scratch[SOURCE].tensor
    return read


def _name(node: Node) -> str | None:
    if "name" not in node:
        return None
    name = text(node["name"], "name")
    if not _NAME.fullmatch(name):
        raise ArchitectureError("a variable whose name is none")
    return name


def _static(value: JsonValue, shape: tuple[int, ...]) -> Shape | None:
    """The shape that a variable permits, where that is more than the one it has."""
    if value is None:
        return None
    if type(value) is not list or len(value) != len(shape) or None not in value:
        raise ArchitectureError("a shape that does not fit the value")
    for size, found in zip(value, shape, strict=True):
        if size is not None and (type(size) is not int or size != found):
            raise ArchitectureError("a shape that does not fit the value")
    return tuple(value)  # type: ignore[arg-type]  # sizes were checked


def is_name(name: object) -> bool:
    """Whether it can be the name of a variable in an archive."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


_VALUE: Final = frozenset({"dtype", "data"})
BUILDERS: Final = {
    "variable": Builder(
        parse,
        fields=_VALUE | {"ends", "name", "trainable", "shape"},
        required=_VALUE,
    ),
    "tensor": Builder(parse, fields=_VALUE | {"ends"}, required=_VALUE),
}
