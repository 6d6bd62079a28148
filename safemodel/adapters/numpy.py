"""The NumPy adapter: nested containers of arrays and plain values.

What comes back is what was given: types, data types, strides, flags, shared memory, object
identity. The other adapters stand on the same graph. Implements spec/object-graph.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from safemodel.adapters import arrays, plain, random_state
from safemodel.adapters.graph_decode import decode
from safemodel.adapters.graph_encode import encode
from safemodel.adapters.protocol import Saved
from safemodel.errors import ArchitectureError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.bundle.verified import VerifiedBundle

NAME: Final = "numpy"
VERSION: Final = 1
FRAMEWORK: Final = "numpy"

HANDLERS: Final = {**plain.HANDLERS, **arrays.HANDLERS, **random_state.HANDLERS}
INLINES: Final = {**plain.INLINES, **arrays.INLINES}
BUILDERS: Final = {**plain.BUILDERS, **arrays.BUILDERS, **random_state.BUILDERS}
PARSERS: Final = {**plain.PARSERS, **arrays.PARSERS}

# Stored types that NumPy lacks are shown as their bits.
_VIEWS: Final = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
    "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E8M0": "u1", "F8_E4M3FNUZ": "u1",
    "F8_E5M2FNUZ": "u1",
}  # fmt: skip


def save(obj: object) -> Saved:
    """Turn nested containers of arrays into tensors and JSON.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
    """
    encoded = encode(obj, handlers=HANDLERS, inlines=INLINES)
    return Saved({"graph": encoded.graph}, encoded.tensors, {"numpy": np.__version__})


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
) -> object:
    """Rebuild the containers; arrays are views of the verified bytes.

    Raises:
        ArchitectureError: the architecture must not be built.
    """
    if into is not None:
        raise UsageError(
            "into= is for models; this archive holds NumPy arrays", hint="load without into="
        )
    if device not in (None, "cpu"):
        raise UsageError(f"NumPy arrays have no device {device!r}")
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or architecture.keys() != {"graph"}:
        raise ArchitectureError("the architecture of arrays is an object graph and nothing else")
    bundle.load_weights()
    return decode(architecture["graph"], bundle, builders=BUILDERS, parsers=PARSERS)


def view(tensor: Tensor) -> npt.NDArray[Any]:
    """A stored tensor as an array over the same memory.

    Raises:
        ArchitectureError: a boolean that is neither 0 nor 1.
    """
    if tensor.dtype == "BOOL":
        arrays.check_bytes(tensor.buffer)
    return np.ndarray(tensor.shape, _VIEWS[tensor.dtype], tensor.buffer)
