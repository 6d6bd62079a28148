"""Variables of Keras as nodes of an object graph, whatever the backend.

A node `variable` holds one stored tensor, of the variable's dtype and shape, under the path of the
variable. At load its bytes are copied once, into the backend's memory. Implements spec/keras.md,
"Variables".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.arrays import check_bytes
from safemodel.adapters.graph_decode import Builder, Decoder, integers, text
from safemodel.adapters.graph_encode import Encoder, Node
from safemodel.adapters.tensors import STORED
from safemodel.bundle.tensor import Tensor
from safemodel.errors import ArchitectureError, UnsavableError

# Dtypes of variables; those of complex128 and the like are no dtypes of variables in Keras.
DTYPES: Final[Mapping[str, str]] = {
    name: STORED[name][0]
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "bfloat16", "float32", "float64", "complex64"),
        *("float8_e4m3fn", "float8_e5m2"),
    )
}


_PATH: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,4000}")
WANTED: Final = "keras.wanted"  # in the context of a decoding: whether to read a variable


@dataclass(frozen=True, slots=True)
class Live:
    """A variable of a live model, on its way into a bundle."""

    path: str
    variable: Any


@dataclass(frozen=True, slots=True)
class Stored:
    """A variable in a bundle: a path that says which, a dtype, a verified tensor."""

    path: str
    keras_path: str
    dtype: str
    tensor: Tensor | None  # None: the caller does not want this one, so it was not read
    order: tuple[int, ...] | None = None  # its axes from slowest to fastest, if not as they are

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return () if self.tensor is None else self.tensor.shape

    def array(self) -> Any:
        """The value, over the verified memory."""
        if self.tensor is None:
            raise ArchitectureError(f"the variable {self.path:.100} was not read")
        return np.frombuffer(self.tensor.buffer, numpy_dtype(self.dtype)).reshape(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a dtype of the table above."""
    if name.startswith(("bfloat", "float8")):
        import ml_dtypes

        kinds = {
            "bfloat16": ml_dtypes.bfloat16,
            "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
            "float8_e5m2": ml_dtypes.float8_e5m2,
        }
        kind: np.dtype[Any] = np.dtype(kinds[name])
        return kind
    return np.dtype(name)


def encode(live: Any, path: str, encoder: Encoder) -> Node:
    """The node of a live variable."""
    from safemodel.adapters.keras.tensors import pieces

    variable = live.variable
    dtype = dtype_of(variable)
    if dtype not in DTYPES:
        raise UnsavableError(f"a variable of {dtype:.60}", place=live.path)
    node: Node = {"kind": "variable", "path": live.path, "dtype": dtype}
    if str(variable.path) != live.path:
        node["keras_path"] = str(variable.path)
    shape = tuple(int(size) for size in variable.shape)
    order = order_of(variable)
    if order is not None:
        node["order"] = list(order)
    encoder.store(node, "data", live.path, DTYPES[dtype], shape, lambda: pieces(variable))
    return node


def dtype_of(variable: Any) -> str:
    """The dtype that a variable is stored with; its `dtype` may be that of an autocast."""
    return str(variable._dtype)


def order_of(variable: Any) -> tuple[int, ...] | None:
    """In which order the axes of a variable lie in memory, if PyTorch has them in another one.

    Its kernels add up in the order of memory. Initializers make such variables: `orthogonal` does.
    """
    strides = getattr(variable._value, "stride", None)
    if strides is None or variable._value.is_contiguous():
        return None
    steps = strides()
    order = tuple(sorted(range(len(steps)), key=lambda axis: (-steps[axis], axis)))
    return order if variable._value.permute(order).is_contiguous() else None


def _create(node: Node, decoder: Decoder) -> Stored:
    return _stored(node, decoder, decoder.scratch.get(WANTED))


def _create_placed(node: Node, decoder: Decoder) -> Stored:
    """One of a file of Keras, whose path says where it was there: whether it is wanted, the model
    that it goes into has to say.
    """
    return _stored(node, decoder, None)


def _stored(node: Node, decoder: Decoder, wanted: Callable[[str], bool] | None) -> Stored:
    dtype = text(node["dtype"], "dtype")
    if dtype not in DTYPES:
        raise ArchitectureError(f"a variable of {dtype!r:.60}")
    path = text(node["path"], "path")
    keras_path = text(node.get("keras_path", path), "keras_path")
    if not (_PATH.fullmatch(path) and _PATH.fullmatch(keras_path)):
        raise ArchitectureError("a variable whose path is none")
    if wanted is not None and not wanted(path):
        return Stored(path, keras_path, dtype, None)
    tensor = decoder.claim(node["data"])
    if tensor.dtype != DTYPES[dtype]:
        raise ArchitectureError(f"a variable of {dtype} that is stored as {tensor.dtype}")
    if dtype == "bool":
        check_bytes(tensor.buffer)
    return Stored(path, keras_path, dtype, tensor, _order(node, len(tensor.shape)))


def _order(node: Node, rank: int) -> tuple[int, ...] | None:
    order = node.get("order")
    if order is None:
        return None
    found = integers(order, 0, rank - 1, "an axis")
    if sorted(found) != list(range(rank)) or found == tuple(range(rank)):
        raise ArchitectureError("an order that is none of its axes")
    return found


_FIELDS: Final = frozenset({"path", "dtype", "data"})
BUILDER: Final = Builder(_create, fields=_FIELDS | {"keras_path", "order"}, required=_FIELDS)
PLACED: Final = Builder(_create_placed, fields=_FIELDS)
