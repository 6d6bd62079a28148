"""scipy.sparse matrices and arrays: what is stored of them, and what must hold before use.

scipy's compiled loops trust their index arrays: an index out of range is a wild write. So every
index is checked here, and scipy's cached claims about order are left out: it finds them again.
Implements spec/sklearn.md, "Sparse matrices".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import Dim, Scope, SpecError, overlaps_itself
from safemodel.adapters.sklearn.spec import describe

FORMATS: Final = tuple(
    f"{layout}_{form}" for layout in ("csr", "csc", "coo", "dia") for form in ("matrix", "array")
)
# The arrays of each layout; those of `coo` are the row and column numbers.
ARRAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "csr": ("indptr", "indices", "data"),
    "csc": ("indptr", "indices", "data"),
    "coo": ("row", "col", "data"),
    "dia": ("offsets", "data"),
}
_MAX_SIDE: Final = 2**62  # two of them can be added


def arrays_of(matrix: Any) -> dict[str, Any]:
    """Return the arrays that make up a sparse matrix, by name."""
    return {name: getattr(matrix, name) for name in ARRAYS[matrix.format]}


def check_array(layout: str, name: str, array: Any) -> None:
    """Check one of the arrays alone, without a look at its items.

    Raises:
        SpecError: it is no plain array of the right kind.
    """
    ndim = 2 if (layout, name) == ("dia", "data") else 1
    kinds = "biufc" if name == "data" else "i"
    if type(array) is not np.ndarray or array.ndim != ndim or array.dtype.kind not in kinds:
        raise SpecError(f"is {describe(array)}", f".{name}")
    if overlaps_itself(array):
        raise SpecError("repeats its items: make a copy of it", f".{name}")


def check_arrays(layout: str, shape: tuple[int, int], arrays: Mapping[str, Any]) -> None:
    """Check everything that compiled code relies on.

    Raises:
        SpecError: names the array that is not what it must be.
    """
    for name, array in arrays.items():
        check_array(layout, name, array)
    if not all(type(side) is int and 0 <= side <= _MAX_SIDE for side in shape):
        raise SpecError("has a shape that no matrix has")
    for name in ARRAYS[layout][:-1]:
        _check_index_type(shape, arrays[name], f".{name}")
    if layout == "coo":
        _check_coo(shape, **arrays)
    elif layout == "dia":
        _check_dia(shape, **arrays)
    else:
        major, minor = shape if layout == "csr" else shape[::-1]
        _check_compressed(major, minor, **arrays)


def _check_index_type(shape: tuple[int, int], index: Any, place: str) -> None:
    """scipy computes sides and diagonals in the type of the indices."""
    if index.dtype.itemsize not in (4, 8):
        raise SpecError("is no array of 32-bit or 64-bit integers", place)
    if max(shape) > np.iinfo(index.dtype).max:
        raise SpecError("is of too small a type for the shape", place)


def _check_compressed(major: int, minor: int, indptr: Any, indices: Any, data: Any) -> None:
    if indptr.dtype != indices.dtype:
        raise SpecError("must be of one integer type with .indices", ".indptr")
    if len(indptr) != major + 1:
        raise SpecError(f"has {len(indptr)} items for {major} rows or columns", ".indptr")
    if len(indices) != len(data):
        raise SpecError(f"has {len(indices)} items where .data has {len(data)}", ".indices")
    if indptr[0] != 0 or indptr[-1] != len(data) or (np.diff(indptr) < 0).any():
        raise SpecError("does not rise from 0 to the number of items", ".indptr")
    if len(indices) and (indices.min() < 0 or indices.max() >= minor):
        raise SpecError(f"has indices outside 0 to {minor - 1}", ".indices")


def _check_coo(shape: tuple[int, int], row: Any, col: Any, data: Any) -> None:
    for name, index, side in (("row", row, shape[0]), ("col", col, shape[1])):
        if len(index) != len(data):
            raise SpecError(f"has {len(index)} items where .data has {len(data)}", f".{name}")
        if len(index) and (index.min() < 0 or index.max() >= side):
            raise SpecError(f"has indices outside 0 to {side - 1}", f".{name}")


def _check_dia(shape: tuple[int, int], offsets: Any, data: Any) -> None:
    """scipy adds offsets to sides without a look: a diagonal far away crashes a product."""
    rows, columns = shape
    if len(offsets) != data.shape[0]:
        raise SpecError(f"has {len(offsets)} items for {data.shape[0]} diagonals", ".offsets")
    if len(offsets) and (offsets.min() <= -rows or offsets.max() >= columns):
        raise SpecError(f"has diagonals outside {-rows} to {columns}", ".offsets")
    if len(offsets) and rows + columns > np.iinfo(offsets.dtype).max:
        raise SpecError("is of too small a type for the shape", ".offsets")
    if len(np.unique(offsets)) != len(offsets):
        raise SpecError("has the same diagonal twice", ".offsets")
    if data.shape[1] > columns:
        raise SpecError(f"has {data.shape[1]} items a diagonal for {columns} columns", ".data")


def build(kind: Any, layout: str, shape: tuple[int, int], arrays: Mapping[str, Any]) -> Any:
    """Return a sparse matrix over exactly these arrays, which were checked."""
    matrix: Any = kind.__new__(kind)
    fill(matrix, layout, shape, arrays)
    return matrix


def fill(matrix: Any, layout: str, shape: tuple[int, int], arrays: Mapping[str, Any]) -> None:
    """Give an empty matrix its arrays, as scipy's own constructor keeps them."""
    state = dict(arrays)
    if layout == "coo":
        state["coords"] = (state.pop("row"), state.pop("col"))
        state["has_canonical_format"] = False
    vars(matrix).update(_shape=shape, maxprint=50, **state)


@dataclass(frozen=True)
class SparseMatrix:
    """The spec of a sparse matrix with two named dimensions: in CSR, as `sparsify` makes them."""

    rows: Dim
    columns: Dim
    layouts: tuple[str, ...] = ("csr",)

    def check(self, value: Any, scope: Scope) -> None:
        layout = (scope.library.sparse(type(value)) or "").partition("_")[0]
        if layout not in self.layouts:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        scope.hold(self.rows, value.shape[0])
        scope.hold(self.columns, value.shape[1])
        if vars(value)["data"].dtype.kind not in "fiub":
            raise SpecError("must hold real numbers")

    def __str__(self) -> str:
        return f"a {' or '.join(self.layouts).upper()} matrix"
