"""Sparse tensors of PyTorch: the rules that make one valid, as PyTorch's own checks have them.

`torch.load` does not check them unless told so, but whoever reads the archive does.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from safemodel.convert.torch_tensors import (
    Layout,
    Size,
    Sparse,
    Strided,
    Tensor,
    check_bounded,
    odd,
    sizes,
)
from safemodel.errors import UnconvertibleError

_INDICES: Final = ("int32", "int64")
_BY_ROW: Final = ("sparse_csr", "sparse_bsr")
_BLOCKED: Final = ("sparse_bsr", "sparse_bsc")


def sparse(layout: Any, data: Any) -> Tensor:
    """A sparse tensor from its layout and its parts.

    Raises:
        UnconvertibleError: they are not those of a valid one.
    """
    name = layout.name if type(layout) is Layout else ""
    if type(data) is not tuple:
        raise _odd()
    if name == "sparse_coo" and len(data) in (3, 4):
        indices, values, shape, *rest = data
        return _coo(_part(indices), _part(values), _shape(shape), rest)
    if name in ("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc") and len(data) == 4:
        compressed, plain, values, shape = data
        parts = _part(compressed), _part(plain), _part(values)
        _check_compressed(name, *parts, _shape(shape))
        return Sparse(name, parts, _shape(shape), False)
    raise _odd()


def _odd() -> UnconvertibleError:
    return odd("a sparse tensor")


def _invalid() -> UnconvertibleError:
    return UnconvertibleError("a sparse tensor whose indices do not fit its shape")


def _part(value: Any) -> Strided:
    """A part: a plain tensor, seen anew as PyTorch gives it."""
    if type(value) is not Strided or value.parameter or value.requires_grad or value.attributes:
        raise _odd()
    return value.bare()


def _shape(value: Any) -> tuple[int, ...]:
    if type(value) is not Size:
        raise _odd()
    return sizes(value)


def _integers(tensor: Strided) -> np.ndarray[Any, Any]:
    if tensor.dtype not in _INDICES:
        raise _odd()
    check_bounded(tensor)
    return tensor.items().view("<i4" if tensor.dtype == "int32" else "<i8")


def _coo(indices: Strided, values: Strided, shape: tuple[int, ...], rest: list[Any]) -> Tensor:
    if indices.dtype != "int64" or len(indices.shape) != 2 or not values.shape:
        raise _odd()
    places = _integers(indices)
    axes, count = places.shape
    if values.shape != (count, *shape[axes:]) or axes > len(shape):
        raise _invalid()
    longest = np.array(shape[:axes], np.int64).reshape(axes, 1)
    if count and ((places < 0).any() or (places >= longest).any()):
        raise _invalid()
    flag = rest[0] if rest else None
    if flag not in (None, False, True):
        raise _odd()
    coalesced = count < 2 if flag is None else bool(flag)
    if coalesced and not _is_sorted(places):
        raise UnconvertibleError("a sparse tensor that says it is coalesced, and is not")
    return Sparse("sparse_coo", (indices, values), shape, coalesced)


def _is_sorted(places: np.ndarray[Any, Any]) -> bool:
    """Whether each column comes behind the one before it."""
    axes, count = places.shape
    if count < 2:
        return True
    if not axes:
        return False
    undecided = np.ones(count - 1, bool)
    for row in places:
        before, after = row[:-1], row[1:]
        if (undecided & (after < before)).any():
            return False
        undecided &= after == before
    return not undecided.any()


def _check_compressed(
    layout: str, compressed: Strided, plain: Strided, values: Strided, shape: tuple[int, ...]
) -> None:
    """torch/_validate_sparse_compressed_tensor_args, in the order of what depends on what."""
    if compressed.dtype != plain.dtype or not plain.shape or not compressed.shape:
        raise _odd()
    batch = compressed.shape[:-1]
    block = 2 if layout in _BLOCKED else 0
    dense = len(values.shape) - len(batch) - block - 1
    if dense < 0 or len(shape) != len(batch) + 2 + dense or plain.shape[:-1] != batch:
        raise _invalid()
    count = plain.shape[-1]
    tail = shape[len(batch) + 2 :]
    sides = values.shape[len(batch) + 1 : len(batch) + 1 + block]
    if values.shape != (*batch, count, *sides, *tail) or shape[: len(batch)] != batch:
        raise _invalid()
    rows, columns = shape[len(batch) : len(batch) + 2]
    if block:
        if 0 in sides or rows % sides[0] or columns % sides[1]:
            raise _invalid()
        rows, columns = rows // sides[0], columns // sides[1]
    if layout not in _BY_ROW:
        rows, columns = columns, rows
    _check_indices(_integers(compressed), _integers(plain), rows, columns)


def _check_indices(
    compressed: np.ndarray[Any, Any], plain: np.ndarray[Any, Any], rows: int, columns: int
) -> None:
    count = plain.shape[-1]
    if compressed.shape[-1] != rows + 1:
        raise _invalid()
    starts = compressed.reshape(-1, rows + 1).astype(np.int64)
    found = plain.reshape(-1).astype(np.int64)
    if (starts[:, 0] != 0).any() or (starts[:, -1] != count).any():
        raise _invalid()
    lengths = np.diff(starts, axis=1)
    if (lengths < 0).any() or (lengths > columns).any():
        raise _invalid()
    if (found < 0).any() or (found >= columns).any():
        raise _invalid()
    row = np.repeat(np.arange(lengths.size), lengths.reshape(-1))
    if ((row[1:] == row[:-1]) & (found[1:] <= found[:-1])).any():
        raise _invalid()
