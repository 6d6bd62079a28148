"""A verified tensor: its bytes and what they mean, without any framework."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from safemodel.errors import MissingLibraryError
from safemodel.format.weights import ITEM_SIZES

if TYPE_CHECKING:
    import numpy
    import torch

# Only an adapter imports its framework. The table is closed: no name here comes from data.
_VIEWS: Final = {
    "numpy": "safemodel.adapters.numpy",
    "torch": "safemodel.adapters.torch",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor whose bytes were verified.

    `dtype` is the safetensors name (`F32`, `BF16`, …), `shape` counts items, `buffer` holds the
    little-endian C-contiguous items as bytes: private memory of this process, writable unless the
    bundle was given as bytes and mapped.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    buffer: memoryview

    @property
    def nbytes(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * ITEM_SIZES[self.dtype]

    def numpy(self) -> numpy.ndarray[Any, Any]:
        """A NumPy array over the same memory, of `shape`.

        Types that NumPy lacks come as their raw bits: BF16 as uint16, 8-bit floats as uint8.

        Raises:
            MissingLibraryError: NumPy is not installed.
        """
        view: numpy.ndarray[Any, Any] = _adapter("numpy").view(self)
        return view

    def torch(self) -> torch.Tensor:
        """A PyTorch tensor over the same memory, of `shape`.

        Raises:
            MissingLibraryError: PyTorch is not installed.
        """
        view: torch.Tensor = _adapter("torch").view(self)
        return view


def _adapter(framework: str) -> Any:
    try:
        return importlib.import_module(_VIEWS[framework])
    except ImportError as error:
        raise MissingLibraryError(
            f"{framework} is not installed", hint=f"pip install 'safemodel[{framework}]'"
        ) from error
